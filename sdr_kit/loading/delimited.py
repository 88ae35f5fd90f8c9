"""Text in, rows of cells out: which mark stands between the cells, and quotes.

The mark is the one under which the header names most of our columns. Quotes follow
RFC 4180, strictly: a quote that is opened and never closed would make all that follows
one cell. What is a plain slip is mended: `"5" pipes Ltd"` can only mean one thing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import HEADER_WITHIN, NAME, find_header, recognise
from sdr_kit.loading.records import Record, Table, table_from

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# A header of a hundred long labels fits many times.
HEAD = 262_144  # characters that are looked at for the header
MAX_MENDED = 10_000  # characters of a line; the search looks at some of them twice
# So many lines inside a cell that look like rows are rows.
MIN_SWALLOWED = {2: 3}  # by columns: an address has commas too
_QUOTED_LINE = re.compile(r'"(?:[^"]|"")*+"')
_SEP_LINE = re.compile(r'"?sep=([,;\t|])"?[ ,;\t|]*(?:\r\n|\r|\n)', re.IGNORECASE)


def read_delimited(text: str, encoding: str, chosen: Mapping[str, str] | None) -> Table:
    """Reads a table from text.

    Args:
        text: With any line ends; Excel's first line `sep=;` is understood.
        encoding: What the text was in, to be shown.
        chosen: Labels that a person has named.

    Raises:
        AccountsError: It is empty, or a quote is broken.
    """
    told = _SEP_LINE.match(text)
    if told:
        text = text[told.end() :]
    mark = told[1] if told else _delimiter(text, chosen)
    head = _head(text, mark)
    unknown = not (find_header(head, chosen) or find_header(head))
    if unknown and (inner := _unquoted_lines(text)):
        text, mark = inner, _delimiter(inner, chosen)
        head = _head(text, mark)
    separated = f", separated by {DELIMITERS[mark]}" if mark in text else ""
    header = _header(head, chosen)
    records = _records(text, mark, header, recognise(header, chosen).get(NAME, []))
    if mark in text and len(header) == 1:
        records = _names_with_marks(records, mark)
    return table_from(records, chosen, layout=f"text in {encoding}{separated}")


def _unquoted_lines(text: str) -> str | None:
    """Takes off the quotes where every line is in quotes as a whole.

    A spreadsheet writes that when it had read a list as one column.
    """
    lines = text.splitlines()
    if all(not line or _QUOTED_LINE.fullmatch(line) for line in lines):
        return "\n".join(line[1:-1].replace('""', '"') for line in lines)
    return None


def _header(head: list[list[str]], chosen: Mapping[str, str] | None) -> list[str]:
    found = find_header(head, chosen)
    return head[found[0]] if found else []


def _names_with_marks(records: Iterator[Record], mark: str) -> Iterator[Record]:
    """Makes `Acme, Inc.` one cell again, in a list that is one name a line."""
    for row, cells in records:
        one = all(cell.startswith(" ") for cell in cells[1:])
        yield row, [mark.join(cells)] if one else cells


def _delimiter(text: str, chosen: Mapping[str, str] | None) -> str:
    """Finds the mark between the cells: where the header names most of our columns.

    Where none names a company, it is the one that gives the first line most cells.
    """

    def fits(mark: str) -> tuple[int, int]:
        head = _head(text, mark)
        found = find_header(head, chosen) or find_header(head)
        if found:
            return found[1], len(head[found[0]])
        return 0, len(head[0]) if head else 0

    return max(DELIMITERS, key=fits)


def _head(text: str, mark: str) -> list[list[str]]:
    head: list[list[str]] = []
    reader = csv.reader(io.StringIO(text[:HEAD], newline=""), delimiter=mark)
    try:
        head.extend(islice(filter(None, reader), HEADER_WITHIN))
    except csv.Error:  # said when the whole is read
        return head
    return head


def _records(
    text: str, mark: str, header: Sequence[str], companies: Sequence[int]
) -> Iterator[Record]:
    """Gives row number and cells of every record that is not a blank line.

    Args:
        text: The whole list.
        mark: What stands between the cells.
        header: The labels, empty where no header is known.
        companies: The places of the company in the header.
    """
    line = ""

    def remembered(text: str) -> str:
        nonlocal line
        line = text
        return text

    lines = map(remembered, io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=mark, strict=True)
    row = read = 0
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            on_its_own_line = reader.line_num == read + 1
            mended = _mended(line, mark) if on_its_own_line else None
            if mended is None:
                raise AccountsError(_csv_trouble(row, str(error))) from error
            cells = mended
        if reader.line_num - read > 1:
            _refuse_swallowed(row, cells, mark, len(header), companies)
        read = reader.line_num
        if cells:
            yield row, cells


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


def _mended(line: str, mark: str) -> list[str] | None:
    """Reads a line again with the lone quotes inside its quoted cells doubled."""
    between = rf"[{re.escape(mark)}\r\n]"
    cell = re.compile(
        rf'(?:(?<={between})|\A)"((?:[^"\r\n]|""|"(?!"|{between}|\Z))*+)"(?={between}|\Z)'
    )
    doubled = cell.sub(
        lambda found: '"' + re.sub('""?', '""', found[1]) + '"', line[:MAX_MENDED]
    )
    try:
        records = list(csv.reader([doubled], delimiter=mark, strict=True))
    except csv.Error:
        return None
    return records[0] if len(line) <= MAX_MENDED and len(records) == 1 else None


def _refuse_swallowed(
    row: int, cells: list[str], mark: str, width: int, companies: Sequence[int]
) -> None:
    """Refuses a cell that has swallowed rows: its quote is closed by another's.

    Such a cell holds whole lines of as many cells as the row has columns. A company's
    is looked at closer: a quote at its beginning may swallow the rest of its own row
    and the beginning of the next.
    """
    if any(_swallowed(cell, mark, len(cells)) for cell in cells) or any(
        _rest_of_row(cells[place], mark, width - 1 - place)
        for place in companies
        if place < len(cells)
    ):
        raise AccountsError(
            f"a quote is opened in row {row:,} and not closed there: the lines below "
            "it are inside its cell. Remove it, or write a cell with quotes in it "
            '"like ""this"" one"'
        )


def _rest_of_row(cell: str, mark: str, missing: int) -> bool:
    """Says whether a cell's first line ends a row that lacks some cells, and goes on.

    A mark with a space behind it is prose: `Acme, Inc.`.
    """
    first, *others = cell.splitlines() or [""]
    goes_on = missing > 0 and bool(others)
    return goes_on and first.count(mark) == missing and f"{mark} " not in cell


def _swallowed(cell: str, mark: str, width: int) -> bool:
    inner = cell.splitlines()[1:-1]
    rows = [line for line in inner if line.count(mark) == width - 1]
    return width > 1 and len(rows) == len(inner) >= MIN_SWALLOWED.get(width, 1)
