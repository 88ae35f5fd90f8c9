"""Spreadsheets in, rows of cells out, as the people who made them see them.

A workbook of a few kilobytes can unpack to gigabytes, and one cell far away makes a
sheet as large as the square around it, which the reader allocates at once. So before
it is read, every part is unpacked piece by piece and counted (a declared size may lie),
and the places of the cells are looked for in it. Macros and formulas are never run: a
formula's cell is the value that was saved with it.
"""

from __future__ import annotations

import datetime
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sdr_kit.columns import find_header
from sdr_kit.errors import AccountsError
from sdr_kit.records import Record, Table, listed, shown, some_text, table_from

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
MAX_UNPACKED = 1024**3  # bytes; a sheet of a million accounts takes about half of it
MAX_SQUARE = 20_000_000  # cells from first to last, blank ones too: about 600 MB
MAX_PARTS = 10_000
_PIECE = 1024 * 1024

_BROKEN = (
    "this workbook or zip archive is damaged; open it in Excel and save it again as "
    ".xlsx"
)
_TOO_LARGE = (
    "this workbook unpacks to more than {:,} bytes; save the sheet that is needed as "
    "CSV"
)
_TOO_WIDE = (
    "this workbook has a sheet of more than {:,} cells, blank ones included; save the "
    "sheet that is needed as CSV"
)
_PROTECTED = (
    "the workbook is protected by a password; save it without one, and load that"
)
_CELL = re.compile(rb'\br=["\']([A-Z]{1,3})(\d{1,7})["\'][^<>]*(?<!/)>')
_ODS_ROW = re.compile(rb"<table:table-row\b([^>]*)>")
_ODS_CELL = re.compile(rb"<table:(?:covered-)?table-cell\b([^>]*[^/>])>")
_ODS_ROWS = re.compile(rb'number-rows-repeated="(\d+)"')
_ODS_COLUMNS = re.compile(rb'number-columns-repeated="(\d+)"')


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
    book = _open(content)
    names = _visible(book)
    if not names:
        raise AccountsError("all sheets of this workbook are hidden, or there are none")
    first: tuple[str, list[Record]] | None = None
    for name in names:
        records = _records(_sheet(book, name))
        if find_header([cells for _, cells in records], chosen):
            return _table(name, records, chosen, content)
        if records and first is None:
            first = name, records
    if len(names) == 1 and first is not None:
        return _table(*first, chosen, content)
    raise AccountsError(
        f"no sheet has a column company_name; the visible sheets are: {listed(names)}"
    )


def _table(
    name: str, records: list[Record], chosen: Mapping[str, str] | None, content: bytes
) -> Table:
    kind = "OpenDocument spreadsheet" if _ods(content) else "Excel workbook"
    return table_from(records, chosen, layout=f'{kind}, sheet "{shown(name)}"')


def _ods(content: bytes) -> bool:
    return b"opendocument.spreadsheet" in content[:200]


def _check_parts(content: bytes) -> None:
    """Refuses what is no workbook, or would not fit, before it is read."""
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
        squares = _Square(part.filename)
        for piece in _unpacked(content, part):
            left -= len(piece)
            if left < 0:
                raise AccountsError(_TOO_LARGE.format(MAX_UNPACKED))
            squares.add(piece)
        squares.check()


def _unpacked(content: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpacks a part piece by piece, whatever size it declares."""
    at = part.header_offset
    if content[at : at + 4] != ZIP or part.flag_bits & 1:
        raise AccountsError(_BROKEN)
    name, extra = struct.unpack_from("<HH", content, at + 26)
    start = at + 30 + name + extra
    packed = memoryview(content)[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield from (
            bytes(packed[at : at + _PIECE]) for at in range(0, len(packed), _PIECE)
        )
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise AccountsError(_BROKEN)
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    rest: Any = packed
    try:
        while rest and not unpack.eof:
            yield unpack.decompress(rest, _PIECE)
            rest = unpack.unconsumed_tail
    except zlib.error as error:
        raise AccountsError(_BROKEN) from error


class _Square:
    """Measures the square of cells that a sheet's part fills, from its bytes."""

    def __init__(self, name: str) -> None:
        folder, _, file = name.lower().rpartition("/")
        self._xlsx = file.endswith(".xml") and "sheets" in folder
        self._xlsb = file.endswith(".bin") and "sheets" in folder
        self._ods = name == "content.xml"
        self._tail = b""
        self._parts: list[bytes] = []
        self._rows = [1_048_576, 0]
        self._columns = [16_384, 0]

    def add(self, piece: bytes) -> None:
        if self._xlsx:
            # A cell may stand across two pieces; its start is far shorter than this.
            text = self._tail + piece
            self._tail = text[-200:]
            self._mark_cells(_CELL.findall(text))
        elif self._xlsb or self._ods:
            self._parts.append(piece)

    def _mark_cells(self, places: list[tuple[bytes, bytes]]) -> None:
        if not places:
            return
        columns = [
            _column_number(letters) for letters in {place[0] for place in places}
        ]
        rows = [int(place[1]) for place in (places[0], places[-1])]
        if any(int(row) > rows[1] for _, row in places):
            rows = [int(row) for _, row in places]
        self._extend(rows, columns)

    def _extend(self, rows: list[int], columns: list[int]) -> None:
        self._rows = [min(self._rows[0], *rows), max(self._rows[1], *rows)]
        self._columns = [
            min(self._columns[0], *columns),
            max(self._columns[1], *columns),
        ]

    def check(self) -> None:
        if self._xlsb:
            self._mark_records(b"".join(self._parts))
        height = self._rows[1] - self._rows[0] + 1
        width = self._columns[1] - self._columns[0] + 1
        cells = height * width if height > 0 and width > 0 else 0
        if self._ods:
            cells = _ods_cells(b"".join(self._parts))
        if cells > MAX_SQUARE:
            raise AccountsError(_TOO_WIDE.format(MAX_SQUARE))

    def _mark_records(self, content: bytes) -> None:
        """Walks a binary sheet: rows are records 0, cells 1 to 11 ([MS-XLSB] 2.1.4)."""
        rows, columns = {1}, {1}
        row = at = 0
        while at < len(content):
            kind, at = _varint(content, at, 2)
            size, at = _varint(content, at, 4)
            if kind == 0 and size >= 4:
                row = int.from_bytes(content[at : at + 4], "little")
            elif 2 <= kind <= 11 and size >= 4:
                rows.add(row)
                columns.add(int.from_bytes(content[at : at + 4], "little"))
            at += size
        self._extend(list(rows), list(columns))


def _varint(content: bytes, at: int, most: int) -> tuple[int, int]:
    value = 0
    for shift in range(most):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            break
    return value, at


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _ods_cells(content: bytes) -> int:
    """Counts a sheet's cells with every repetition of those that are not blank."""
    total = 0
    ends = [*(found.start() for found in _ODS_ROW.finditer(content)), len(content)]
    for found, end in zip(_ODS_ROW.finditer(content), ends[1:], strict=True):
        across = sum(
            _times(_ODS_COLUMNS, cell[1])
            for cell in _ODS_CELL.finditer(content, found.end(), end)
        )
        total += _times(_ODS_ROWS, found[1]) * across
    return total


def _times(repeated: re.Pattern[bytes], attributes: bytes) -> int:
    found = repeated.search(attributes)
    return int(found[1]) if found else 1


def _open(content: bytes) -> CalamineWorkbook:
    from python_calamine import CalamineError, PasswordError, load_workbook

    try:
        return load_workbook(io.BytesIO(content))
    except PasswordError as error:
        raise AccountsError(_PROTECTED) from error
    except CalamineError as error:
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise AccountsError(_PROTECTED) from error
        raise AccountsError(_BROKEN) from error


def _visible(book: CalamineWorkbook) -> list[str]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    return [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible
        and sheet.typ == SheetTypeEnum.WorkSheet
    ]


def _sheet(book: CalamineWorkbook, name: str) -> CalamineSheet:
    from python_calamine import CalamineError

    try:
        return book.get_sheet_by_name(name)
    except CalamineError as error:
        raise AccountsError(f'sheet "{shown(name)}": {_BROKEN}') from error


def _records(sheet: CalamineSheet) -> list[Record]:
    """Gives the rows that are not blank; a sheet may begin anywhere."""
    first = sheet.start[0] + 1 if sheet.start else 1
    rows = ([_text(cell) for cell in row] for row in sheet.iter_rows())
    return [
        (number, cells)
        for number, cells in enumerate(rows, start=first)
        if some_text(cells)
    ]


def _text(value: Any) -> str:
    """Writes a cell's value as a person reads it."""
    if type(value) is str:
        return value
    if type(value) is float:
        return (
            str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        )
    if type(value) is bool:
        return "TRUE" if value else "FALSE"
    if type(value) is datetime.datetime:
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(" ")
    return str(value)  # dates and times of day in ISO form, durations as 1:30:00
