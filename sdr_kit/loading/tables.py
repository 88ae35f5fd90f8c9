"""Any source in, a table of text out: take, decode, read.

The first steps of a list's way: *take* the bytes or the text out of what was given,
*decode* them (`decode`), *read* rows of cells (`delimited`, `sheets`) and find the
header among them (`records`). A table is a DataFrame from then on, so a file and a
DataFrame go the same way. Nothing is cleaned here, and nothing is executed: what is in
a file is data. What cannot be read is one `AccountsError`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pandas as pd

from sdr_kit.errors import AccountsError
from sdr_kit.loading.decode import check_text, decode
from sdr_kit.loading.delimited import read_delimited
from sdr_kit.loading.records import Table, shown, unique_names, whole_characters
from sdr_kit.loading.sheets import is_workbook, read_workbook

MAX_BYTES = 256 * 1024 * 1024  # about a million accounts with 30 columns

_BOM = "\ufeff"
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

Source = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | IO[str]
    | pd.DataFrame
)


def name_of(source: Source) -> str:
    """Gives a short name for a source: its file's name, where it has one."""
    if isinstance(source, pd.DataFrame):
        return "DataFrame"
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes"
    given = source if isinstance(source, str | os.PathLike) else _file_name(source)
    name = os.fsdecode(given)
    if _URL.match(name):
        return "URL"  # not shown: it may carry a key
    return shown(Path(name).name) or "file"


def _file_name(file: object) -> str:
    name = getattr(file, "name", "")  # a descriptor's number for os.fdopen
    return name if isinstance(name, str) else ""


def table_of(source: Source, chosen: Mapping[str, str] | None = None) -> Table:
    """Reads a source into a table.

    Args:
        source: A path, bytes, a file object or a DataFrame.
        chosen: Labels of columns that a person has named, to find the header by.

    Raises:
        AccountsError: It cannot be read; the message says why and where.
        TypeError: It is of no known kind.
    """
    if isinstance(source, pd.DataFrame):
        return _read_frame(source)
    taken = _take(source)
    if isinstance(taken, str):
        text, encoding = check_text(taken).removeprefix(_BOM), "memory"
    elif is_workbook(taken):
        return read_workbook(taken, chosen)
    else:
        text, encoding = decode(taken)
    return read_delimited(text, encoding, chosen)


def _take(source: Any) -> bytes | str:
    if isinstance(source, str | os.PathLike):
        return _take_file(source)
    if isinstance(source, bytes | bytearray | memoryview):
        _bound(memoryview(source).nbytes)
        return bytes(source)
    if not callable(getattr(source, "read", None)):
        raise TypeError(
            f"source is a {type(source).__name__}; it must be a path, bytes, a file "
            "object or a pandas DataFrame"
        )
    return _take_object(source)


def _take_file(source: str | os.PathLike[str]) -> bytes:
    given = os.fsdecode(source)
    if _URL.match(given):
        raise AccountsError(
            "only local files are read; download it, then load the file"
        )
    try:
        path = Path(given).expanduser()
        if path.is_dir():
            raise AccountsError("this is a folder; name a file in it")
        if not path.is_file():
            raise AccountsError(_not_there(given))
        with path.open("rb") as file:
            _bound(os.fstat(file.fileno()).st_size)
            content = file.read(MAX_BYTES + 1)
            _bound(len(content))
            return content
    except (OSError, ValueError, RuntimeError) as error:  # Runtime: no home for ~
        reason = getattr(error, "strerror", None) or str(error)
        raise AccountsError(f"the file cannot be read: {reason}") from error


def _not_there(given: str) -> str:
    if "\n" in given:
        return "this text is no path; to load a list from text, give io.StringIO(text)"
    return f"there is no such file (the working directory is {shown(os.getcwd())})"


def _take_object(source: IO[bytes] | IO[str]) -> bytes | str:
    """Reads to the end, at most one byte or character beyond the bound."""
    parts: list[Any] = []
    wanted = MAX_BYTES + 1
    try:
        while wanted > 0 and (part := source.read(wanted)):
            parts.append(part)
            wanted -= len(part)
        taken = (parts[0][:0] if parts else b"").join(parts)
    except Exception as error:  # any reader, any trouble: gzip, zlib, closed, ...
        reason = shown(str(error))
        raise AccountsError(f"the file object cannot be read: {reason}") from error
    if not isinstance(taken, bytes | str):
        raise AccountsError(f"read() gives {type(taken).__name__}, not bytes or text")
    _bound(len(taken))
    return taken


def _bound(size: int) -> None:
    if size > MAX_BYTES:
        raise AccountsError(
            f"more than {MAX_BYTES:,} bytes; split the file, or read it with pandas "
            "and give the DataFrame"
        )


def _read_frame(source: pd.DataFrame) -> Table:
    if source.columns.nlevels > 1:
        raise AccountsError(
            f"columns have {source.columns.nlevels} levels; make them one (for "
            "instance df.columns = df.columns.map('_'.join))"
        )
    header = ["" if missing(label) else str(label) for label in source.columns]
    names = unique_names(header)
    cells = source.copy(deep=False)
    cells.columns = pd.Index(names, dtype=object)
    rows = source.index.to_flat_index()
    return Table(
        cells=cells,
        rows=rows,
        header=header,
        names=names,
        layout="DataFrame",
        labels=source.columns,
    )


def text_cells(column: pd.Series[Any]) -> list[str]:
    """Gives the cells as text; a missing one is `""`.

    A column of whole numbers with a gap is one of floats: 3.0 is `3`, as in a sheet.
    """
    write = _number if pd.api.types.is_float_dtype(column.dtype) else str
    texts = (
        cell if type(cell) is str else "" if missing(cell) else write(cell)
        for cell in column.tolist()
    )
    return [text if text.isascii() else whole_characters(text) for text in texts]


def _number(value: float) -> str:
    """Writes a number as a spreadsheet shows it: 5.0 is `5`."""
    whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def missing(value: Any) -> bool:
    """Says whether a DataFrame's cell or label is one of the kinds of nothing."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
