"""Spreadsheets in, rows of cells out, as the people who made them see them.

A workbook of a few kilobytes can unpack to gigabytes, one cell far away makes a sheet
as large as the square around it, and a damaged one can stop the process that reads it.
So every part is unpacked piece by piece and counted first (a declared size may lie),
and the workbook is read in a process of its own with bounds on time and memory
(`sheets_child`). Macros and formulas are never run: a formula's cell is the value that
was saved with it.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import find_header
from sdr_kit.loading.records import Record, Table, listed, shown, table_from

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
MAX_UNPACKED = 1024**3  # bytes; a sheet of a million accounts takes about half of it
MAX_MEMORY = 4 * 1024**3  # bytes of addresses of the process that reads
MAX_SECONDS = 120  # a million accounts take about 20
MAX_PARTS = 10_000
_PIECE = 1024 * 1024

_BROKEN = (
    "this workbook or zip archive is damaged; open it in Excel and save it again as "
    ".xlsx"
)
_TOO_MUCH = (
    "this workbook cannot be read: it is damaged, or it takes more than "
    f"{MAX_MEMORY // 1024**3} GB (one cell far from the others is enough); save the "
    "sheet that is needed as CSV"
)
_TOO_LARGE = (
    "this workbook unpacks to more than {:,} bytes; save the sheet that is needed as "
    "CSV"
)
_PROTECTED = (
    "the workbook is protected by a password; save it without one, and load that"
)


def is_workbook(content: bytes) -> bool:
    """Says whether bytes are a zip archive or an old Office file."""
    return content.startswith((ZIP, OLE))


def read_workbook(content: bytes, chosen: Mapping[str, str] | None) -> Table:
    """Reads the first visible sheet with a company column.

    A cell is what a person reads in it: 5.0 is `5`, a date is `2024-01-31`, a blank
    one `""`; a percentage is its number (25 % is `0.25`).

    Raises:
        AccountsError: It is no workbook, damaged, protected or too large, or no
            visible sheet has a company column.
    """
    if content.startswith(ZIP):
        _check_parts(content)
    kind = "OpenDocument spreadsheet" if _ods(content) else "Excel workbook"
    seen: list[tuple[str, list[Record]]] = []
    with contextlib.closing(_sheets(content)) as sheets:
        for name, records in sheets:
            layout = f'{kind}, sheet "{shown(name)}"'
            if find_header([cells for _, cells in records], chosen):
                return table_from(records, chosen, layout=layout)
            seen.append((name, records[:1]))
    if len(seen) == 1:  # its header is what the message is about
        return table_from(seen[0][1], chosen, layout=layout)
    raise AccountsError(
        "no sheet has a column company_name; hidden sheets are not looked at, and the "
        f"visible ones are: {listed([name for name, _ in seen])}"
    )


def _ods(content: bytes) -> bool:
    return b"opendocument.spreadsheet" in content[:200]


def _sheets(content: bytes) -> Generator[tuple[str, list[Record]], None, None]:
    """Gives the name and rows of each visible sheet, read in another process."""
    child = Path(__file__).with_name("sheets_child.py")
    with subprocess.Popen(  # noqa: S603 (our own file, nothing from outside)
        [sys.executable, "-P", str(child), str(MAX_MEMORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin  # noqa: S101 (for the type checker)
        assert process.stdout  # noqa: S101
        alarm = threading.Timer(MAX_SECONDS, process.kill)
        alarm.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(content)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            for line in process.stdout:
                if not line.endswith(b"\n"):
                    raise AccountsError(_TOO_MUCH)  # it was stopped in the middle
                kind, *values = json.loads(line)
                if kind == "error":
                    raise AccountsError(
                        _PROTECTED if "protected" in values else _BROKEN
                    )
                yield values[0], values[1]
            if process.wait() != 0:
                raise AccountsError(_TOO_MUCH)
        finally:
            alarm.cancel()
            process.kill()


def _check_parts(content: bytes) -> None:
    """Refuses what is no workbook, or unpacks to too much, before it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise AccountsError(_BROKEN) from error
    names = {part.filename for part in parts}
    if not _ods(content) and "[Content_Types].xml" not in names:
        raise AccountsError("this is a zip archive; unpack it and load the file in it")
    declared = sum(part.file_size for part in parts)
    if declared > MAX_UNPACKED or len(parts) > MAX_PARTS:
        raise AccountsError(_TOO_LARGE.format(MAX_UNPACKED))
    left = MAX_UNPACKED
    for part in parts:
        for size in _unpacked(content, part):
            left -= size
            if left < 0:
                raise AccountsError(_TOO_LARGE.format(MAX_UNPACKED))


def _unpacked(content: bytes, part: zipfile.ZipInfo) -> Iterator[int]:
    """Unpacks a part piece by piece, whatever size it declares: bytes of each."""
    at = part.header_offset
    if content[at : at + 4] != ZIP or len(content) < at + 30 or part.flag_bits & 1:
        raise AccountsError(_BROKEN)
    name, extra = struct.unpack_from("<HH", content, at + 26)
    start = at + 30 + name + extra
    packed = memoryview(content)[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield len(packed)
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise AccountsError(_BROKEN)
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    rest: Any = packed
    try:
        while rest and not unpack.eof:
            yield len(unpack.decompress(rest, _PIECE))
            rest = unpack.unconsumed_tail
    except zlib.error as error:
        raise AccountsError(_BROKEN) from error
