"""Rows of cells in, a table out: where the header is, and what is no data.

What stands above the header (a title, a date, blank lines) is no row. Below it, lines
that a report adds (`footers`) and headers that come again are marked as such, so that
they can be rejected with a reason. No cell ever moves to another column: a short row is
filled up at its end, a longer one is marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import pandas as pd

from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import HEADER_WITHIN, find_header
from sdr_kit.loading.footers import footers, some_text

MAX_COLUMNS = 16_384  # Excel's own limit
# A short row is filled up with blanks, so a small file can make a huge table.
MAX_CELLS = 50_000_000  # about 400 MB of references
MAX_LISTED = 20  # columns in a message
MAX_SHOWN = 120  # characters of a name, path or label in a message

# pandas 3 calls its text type "str"; in pandas 2 that name still means object.
TEXT = "str" if int(pd.__version__.partition(".")[0]) >= 3 else "string"

HEADER_AGAIN = "the header again"

Record = tuple[int, list[str]]  # the row a spreadsheet shows, and its cells


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table as it came: column names made unique, nothing cleaned.

    Attributes:
        cells: One row a row read, one column a column of the source, named `names`.
        names: The columns' names made unique; `header` has them as they came.
        rows: What a person calls each row: its number, or its index label.
        surplus: Cells beyond the header, by position of the row.
        no_data: Why a row is none of the list's, by its position.
        by_number: Whether rows are numbers, and positions replace the index.
        layout: What the source is, in a few words: "text in UTF-8, ...".
        labels: The columns of a DataFrame as it has them; None for a file.
    """

    cells: pd.DataFrame
    rows: pd.Index[Any]
    header: list[str]
    names: list[str]
    surplus: dict[int, list[str]] = field(default_factory=dict)
    no_data: dict[int, str] = field(default_factory=dict)
    by_number: bool = False
    layout: str
    labels: pd.Index[Any] | None = None


def table_from(
    records: Iterable[Record], chosen: Mapping[str, str] | None, *, layout: str
) -> Table:
    """Makes a table of rows of cells; the header is looked for among the first.

    Without a header that names a company, the first record with cells is taken.

    Args:
        records: Row numbers from 1 and cells; blank lines are left out.
        chosen: Labels that a person has named.
        layout: What the source is.

    Raises:
        AccountsError: There are no rows, or too many cells.
    """
    rest = iter(records)
    first = list(islice(rest, HEADER_WITHIN))
    if not first:
        raise AccountsError("it is empty; a header with company_name is needed")
    head = [cells for _, cells in first]
    found = find_header(head, chosen) or find_header(head)
    at = found[0] if found else 0
    row, header = first[at]
    if len(header) > MAX_COLUMNS:
        raise AccountsError(f"{len(header):,} columns; {MAX_COLUMNS:,} are the most")
    rows, cells, surplus = _even(chain(first[at + 1 :], rest), len(header))
    names = unique_names(header)
    columns = zip(*cells, strict=True) if cells else ([] for _ in names)
    return Table(
        cells=pd.DataFrame(
            dict(zip(names, columns, strict=True)), columns=names, dtype=TEXT
        ),
        rows=pd.Index(rows, dtype="int64"),
        header=header,
        names=names,
        surplus=surplus,
        no_data=_no_data(header, [row, *rows], cells),
        by_number=True,
        layout=layout if row == 1 else f"{layout}, header in row {row:,}",
    )


def _even(
    records: Iterable[Record], width: int
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


def _no_data(
    header: Sequence[str], rows: Sequence[int], cells: Sequence[list[str]]
) -> dict[int, str]:
    """Finds by position the rows that are none of the list's."""
    labels = [label.strip().casefold() for label in header]
    start = next((label for label in labels if label), "")
    place = labels.index(start)
    again = {
        position: HEADER_AGAIN
        for position, row in enumerate(cells)
        if row[place].strip().casefold() == start
        and [cell.strip().casefold() for cell in row] == labels
    }
    return again | footers(rows, cells)


def unique_names(header: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Names every column: `column_5` for a blank one, `name_2` for a repeated one.

    A name that is given keeps to its first bearer, whatever is made up before it.
    """
    given = set(header)
    seen = set(taken)
    # Counted, so that equal names cost no more than others.
    next_number: Counter[str] = Counter()
    names: list[str] = []
    for place, label in enumerate(header, start=1):
        wanted = name = label if label.strip() else f"column_{place}"
        while name in seen or (name != label and name in given):
            next_number[wanted] += 1
            name = f"{wanted}_{next_number[wanted] + 1}"
        seen.add(name)
        names.append(name)
    return names


def listed(labels: Sequence[str]) -> str:
    """Writes column labels for a message, the first 20 of them."""
    names = ", ".join(f'"{shown(label)}"' for label in labels[:MAX_LISTED])
    more = len(labels) - MAX_LISTED
    return f"{names} and {more:,} more" if more > 0 else names or "(none)"


def shown(text: str) -> str:
    """Makes text from outside fit for a message: one line, bounded, whole."""
    line = " ".join(whole_characters(text).split())
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def whole_characters(text: str) -> str:
    """Replaces lone surrogates: they can be neither stored nor sent."""
    return text.encode("utf-8", "replace").decode()
