"""Reads a workbook in a process of its own: standard input in, JSON lines out.

Not imported: `sheets` starts it. The reader of spreadsheets allocates the whole square
around a sheet's cells at once and stops its process where it cannot, or where an old
workbook is damaged; here that process is this one, and its memory has a bound.

A line is `["sheet", name, [[number, cells], ...]]` for each visible sheet, in order, or
`["error", "protected" or "damaged"]`. Blank rows are left out.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)


def main(max_memory: int) -> None:
    """Reads a workbook and writes its sheets."""
    with contextlib.suppress(ImportError):  # Windows has no such bound
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    content = sys.stdin.buffer.read()
    try:
        for name, rows in _sheets(content):
            _write("sheet", name, rows)
    except PasswordError:
        _write("error", "protected")
    except CalamineError:
        encrypted = "EncryptedPackage".encode("utf-16-le") in content
        _write("error", "protected" if encrypted else "damaged")


def _write(*values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _sheets(content: bytes) -> Iterator[tuple[str, list[tuple[int, list[str]]]]]:
    book = load_workbook(io.BytesIO(content))
    for sheet in book.sheets_metadata:
        visible = sheet.visible == SheetVisibleEnum.Visible
        if visible and sheet.typ == SheetTypeEnum.WorkSheet:
            yield sheet.name, _rows(book.get_sheet_by_name(sheet.name))


def _rows(sheet: CalamineSheet) -> list[tuple[int, list[str]]]:
    """Gives the rows that are not blank, numbered as they are in the sheet.

    Cells that are merged downwards all have the value that a person sees beside them.
    """
    texts = ([_text(cell) for cell in row] for row in sheet.iter_rows())
    rows = {
        number: cells
        for number, cells in enumerate(texts, start=1)
        if any(map(str.strip, cells))
    }
    _, first = sheet.start or (0, 0)  # rows come from the top, cells from there
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        if left == right and top + 1 in rows:
            for number in rows.keys() & range(top + 2, bottom + 2):
                rows[number][left - first] = rows[top + 1][left - first]
    return list(rows.items())


def _text(value: Any) -> str:
    """Writes a cell's value as a person reads it."""
    if type(value) is str:
        return value
    if type(value) is float:
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else repr(value)
    if type(value) is bool:
        return "TRUE" if value else "FALSE"
    if type(value) is datetime.datetime:
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(" ")
    return str(value)  # dates and times of day in ISO form, durations as 1:30:00


if __name__ == "__main__":
    main(int(sys.argv[1]))
