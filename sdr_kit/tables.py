"""Any source in, a table of text out: take, decode, read.

The first three steps of a list's way, one small function each: *take* the bytes or the
text out of what was given, *decode* them, *read* the table. A table is a DataFrame from
then on, so a CSV and a DataFrame go the same way, and a new layout adds a step's
variant, not a path of its own. Nothing is cleaned here, and nothing is executed: what
is in a file is data. What cannot be read is one `AccountsError`.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pandas as pd

from sdr_kit.errors import AccountsError

MAX_BYTES = 256 * 1024 * 1024  # about a million accounts with 30 columns
MAX_COLUMNS = 16_384  # Excel's own limit
# A short row is filled up with blanks, so a small file can make a huge table.
MAX_CELLS = 50_000_000  # about 400 MB of references

MAX_LISTED = 20  # columns in a message
MAX_SHOWN = 120  # characters of a name, path or label in a message

# pandas 3 calls its text type "str"; in pandas 2 that name still means object.
TEXT = "str" if int(pd.__version__.partition(".")[0]) >= 3 else "string"

_MAGIC = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_AS_UTF8 = "save it as CSV UTF-8 and load that"
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table as it came: column names made unique, nothing cleaned.

    Attributes:
        cells: One row a row read, one column a column of the source, named `names`.
        names: The columns' names made unique; `header` has them as they came.
        rows: What a person calls each row: its number, or its index label.
        surplus: Cells beyond the header, by position of the row.
        by_number: Whether rows are numbers, and positions replace the index.
    """

    cells: pd.DataFrame
    rows: pd.Index[Any]
    header: list[str]
    names: list[str]
    surplus: dict[int, list[str]] = field(default_factory=dict)
    by_number: bool = False


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


def table_of(source: Source) -> Table:
    """Reads a source into a table.

    Raises:
        AccountsError: It cannot be read; the message says why and where.
        TypeError: It is of no known kind.
    """
    if isinstance(source, pd.DataFrame):
        return _read_frame(source)
    if isinstance(source, str | os.PathLike):
        return _read_csv(_decode(_take_file(source)))
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_csv(_decode(_bounded(bytes(source))))
    if not callable(getattr(source, "read", None)):
        raise TypeError(
            f"source is a {type(source).__name__}; it must be a path, bytes, a file "
            "object or a pandas DataFrame"
        )
    taken = _take_object(source)
    text = taken if isinstance(taken, str) else _decode(taken)
    return _read_csv(text.removeprefix(_BOM))


def _take_file(source: str | os.PathLike[str]) -> bytes:
    given = os.fsdecode(source)
    if _URL.match(given):
        raise AccountsError(
            "only local files are read; download it, then load the file"
        )
    try:
        path = Path(given).expanduser()
        if path.is_dir():
            raise AccountsError("this is a folder; name a CSV file in it")
        if not path.is_file():
            raise AccountsError(_not_there(given))
        with path.open("rb") as file:
            _bound(os.fstat(file.fileno()).st_size)
            return _bounded(file.read(MAX_BYTES + 1))
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
    return _checked_text(taken) if isinstance(taken, str) else _bounded(taken)


def _bounded(taken: bytes) -> bytes:
    _bound(len(taken))
    return taken


def _bound(size: int) -> None:
    if size > MAX_BYTES:
        raise AccountsError(
            f"more than {MAX_BYTES:,} bytes; split the file, or read it with pandas "
            "and give the DataFrame"
        )


def _decode(content: bytes) -> str:
    for magic, what in _MAGIC.items():
        if content.startswith(magic):
            raise AccountsError(f"this is {what}, not CSV text; {_AS_UTF8}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = len(content[: error.start + 1].splitlines())
        raise AccountsError(
            f"not UTF-8: byte 0x{content[error.start]:02x} at line {row:,} (byte "
            f"{error.start + 1:,} of the file); {_AS_UTF8}"
        ) from error
    return _checked_text(text)


def _checked_text(text: str) -> str:
    _bound(len(text))
    at = text.find("\0")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise AccountsError(
            f"a binary file, not text: there is a NUL at line {line:,}; {_AS_UTF8}"
        )
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:  # a file opened with "surrogateescape"
        raise AccountsError(
            f"character {error.start + 1:,} is half of one; open the file as UTF-8"
        ) from error
    return text


def _read_csv(text: str) -> Table:
    records = _records(text)
    _, header = next(records, (0, []))
    if not header:
        raise AccountsError("it is empty; a header with company_name is needed")
    width = len(header)
    if width > MAX_COLUMNS:
        raise AccountsError(f"{width:,} columns; {MAX_COLUMNS:,} are the most")
    rows, cells, surplus = _even(records, width)
    names = unique_names(header)
    columns = zip(*cells, strict=True) if cells else ([] for _ in names)
    frame = pd.DataFrame(
        dict(zip(names, columns, strict=True)), columns=names, dtype=TEXT
    )
    return Table(
        cells=frame,
        rows=pd.Index(rows, dtype="int64"),
        header=header,
        names=names,
        surplus=surplus,
        by_number=True,
    )


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Gives row number and cells of every record that is not a blank line."""
    row = 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for row, cells in enumerate(reader, start=1):
            if cells:
                yield row, cells
    except csv.Error as error:
        raise AccountsError(_csv_trouble(row + 1, str(error))) from error


def _csv_trouble(row: int, error: str) -> str:
    if "field limit" in error:
        limit = csv.field_size_limit()
        return (
            f"a cell of row {row:,} has more than {limit:,} characters; shorten it, "
            "or look for a quote that is opened there and never closed"
        )
    return (
        f"a broken quote: the trouble begins in row {row:,} ({error}); a cell with "
        'quotes in it is written "like ""this"" one"'
    )


def _even(
    records: Iterator[tuple[int, list[str]]], width: int
) -> tuple[list[int], list[list[str]], dict[int, list[str]]]:
    """Makes all records as wide as the header: numbers, cells, what was beyond."""
    rows: list[int] = []
    even: list[list[str]] = []
    surplus: dict[int, list[str]] = {}
    for row, cells in records:
        if len(cells) > width:
            if some_text(cells[width:]):
                surplus[len(rows)] = cells[width:]
            even.append(cells[:width])
        else:
            even.append(cells + [""] * (width - len(cells)))
        rows.append(row)
        if len(rows) * width > MAX_CELLS:
            raise AccountsError(
                f"more than {MAX_CELLS:,} cells by row {row:,} ({width:,} columns); "
                "split the file or leave out columns"
            )
    return rows, even, surplus


def _read_frame(source: pd.DataFrame) -> Table:
    if source.columns.nlevels > 1:
        raise AccountsError(
            f"columns have {source.columns.nlevels} levels; make them one (for "
            "instance df.columns = df.columns.map('_'.join))"
        )
    header = ["" if _missing(label) else str(label) for label in source.columns]
    names = unique_names(header)
    cells = source.copy(deep=False)
    cells.columns = pd.Index(names, dtype=object)
    rows = source.index.to_flat_index()
    return Table(cells=cells, rows=rows, header=header, names=names)


def unique_names(header: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Names every column: `column_5` for a blank one, `name_2` for a repeated one.

    A name that is given keeps to its first bearer, whatever is made up before it.
    """
    given = set(header)
    seen = set(taken)
    next_number: Counter[str] = (
        Counter()
    )  # so that equal names cost no more than others
    names: list[str] = []
    for place, label in enumerate(header, start=1):
        wanted = name = label if label.strip() else f"column_{place}"
        while name in seen or (name != label and name in given):
            next_number[wanted] += 1
            name = f"{wanted}_{next_number[wanted] + 1}"
        seen.add(name)
        names.append(name)
    return names


def text_cells(column: pd.Series[Any]) -> list[str]:
    """Gives the cells as text; a missing one is `""`."""
    texts = (
        cell if type(cell) is str else "" if _missing(cell) else str(cell)
        for cell in column.tolist()
    )
    return [text if text.isascii() else _whole_characters(text) for text in texts]


def _whole_characters(text: str) -> str:
    """Replaces lone surrogates: they can be neither stored nor sent."""
    return text.encode("utf-8", "replace").decode()


def _missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def listed(labels: Sequence[str]) -> str:
    """Writes column labels for a message, the first 20 of them."""
    names = ", ".join(f'"{shown(label)}"' for label in labels[:MAX_LISTED])
    more = len(labels) - MAX_LISTED
    return f"{names} and {more:,} more" if more > 0 else names or "(none)"


def shown(text: str) -> str:
    """Makes text from outside fit for a message: one line, bounded, whole."""
    line = " ".join(_whole_characters(text).split())
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def some_text(cells: Iterable[str]) -> bool:
    """Says whether a row has anything in it but space."""
    return any(cell.strip() for cell in cells)
