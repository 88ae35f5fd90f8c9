"""Results out, as files that other programs open: CSV and Excel.

Text in a table came from a CSV, a website or a model, and a spreadsheet would run some
of it as a formula. So every export goes through `safe_cells`, headers too: text that
could be taken for a formula gets a leading apostrophe. Real numbers stay numbers.
"""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import pandas as pd
import xlsxwriter  # type: ignore[import-untyped]

from sdr_kit.plain import plain

# https://owasp.org/www-community/attacks/CSV_Injection, and the same signs in full
# width, small, and as the true minus, which spreadsheets may take for them. What has an
# apostrophe already is safe, so an export of an export gathers no more of them.
_FORMULA = re.compile(
    r"(?!')(?:[\t\r\n]|[\s\"'`“”„‘’«»\u200b-\u200f\u2060\ufeff]*"  # noqa: RUF001
    r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212])"
)
# Where Excel separates by semicolons, a comma's quotes protect nothing: a cell of ours
# is cut at what stands inside, and what follows is a cell or a line of its own. A sign
# with a space behind it is a bullet or a dash, and no formula.
_FORMULA_WITHIN = re.compile(
    r"([;\t\n]\s*\"*)(?=[=@\uff1d\uff20\ufe66\ufe6b]"
    r"|[+\-\uff0b\uff0d\ufe62\ufe63\u2212]\S)"
)
# What XML cannot hold, and what a CSV reader stumbles over.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
EXCEL_CHARACTERS = 32_767  # a cell, in UTF-16 units
EXCEL_ROWS = 1_048_576  # with the header
EXCEL_COLUMNS = 16_384
_EXCEL_DIGITS = 15  # of a number; the rest would become zeros
_WIDTHS = (8, 60)  # of a column, in characters
_ROWS_MEASURED = 200  # for the width of a column

_LIST_EXTENSION = re.compile(r"(?i)\.(csv|tsv|tab|txt|xls[xmb]?|ods)\b")
_NAME_LENGTH = 60


def to_csv(frame: pd.DataFrame) -> bytes:
    """Writes the table as a CSV, which Excel opens where it separates by commas.

    Where it separates by semicolons (most of Europe), `to_excel` is what opens.
    UTF-8 with a byte order mark, commas, CRLF; the cells of `safe_cells`, missing ones
    empty. The index is left out.
    """
    text = safe_cells(frame).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def to_excel(frame: pd.DataFrame, *, sheet: str = "Accounts") -> bytes:
    """Writes the table as an Excel workbook with one sheet.

    The header is bold, stays in view and has filters. The cells are those of
    `safe_cells`: text is written as text, which Excel never runs, and has the
    apostrophe all the same, because the sheet may be saved as a CSV one day. Text that
    is longer than a cell can hold ends in `…`; a number with more than 15 digits is
    written as text, because Excel would change it. The index is left out.

    Args:
        frame: The table.
        sheet: The sheet's name, at most 31 characters.

    Raises:
        ValueError: The table has more rows or columns than a sheet.
    """
    if len(frame) >= EXCEL_ROWS or len(frame.columns) > EXCEL_COLUMNS:
        raise ValueError(
            f"the table has {len(frame):,} rows and {len(frame.columns):,} columns; a "
            f"sheet of Excel holds {EXCEL_ROWS - 1:,} and {EXCEL_COLUMNS:,}. "
            "Export it as CSV"
        )
    safe = safe_cells(frame)
    stream = io.BytesIO()
    as_they_are = dict.fromkeys(
        ("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False
    )
    with xlsxwriter.Workbook(stream, {"in_memory": True, **as_they_are}) as workbook:
        page = workbook.add_worksheet(sheet)
        bold = workbook.add_format({"bold": True})
        for place, name in enumerate(safe.columns):
            cells = safe.iloc[:, place].tolist()
            page.set_column(place, place, _width(name, cells))
            page.write(0, place, _excel_cell(name), bold)
            page.write_column(1, place, map(_excel_cell, cells))
        page.freeze_panes(1, 0)
        if len(safe.columns):
            page.autofilter(0, 0, len(safe), len(safe.columns) - 1)
            # Numbers that came as text, like `007`, are meant to be text.
            page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    return stream.getvalue()


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Gives the table as a spreadsheet may hold it.

    Returns:
        The same rows and columns; every cell is text, a number, a truth value or None.
        Missing values and what is no number (NaN, infinity) are None. A list is joined
        with `; `, a mapping is JSON, a date is ISO 8601. Text that begins like a
        formula (`=`, `+`, `-`, `@`, a tab or line end; after spaces and quotes, and in
        full width, too) has a leading apostrophe, and so has what follows a semicolon,
        a tab or a line end inside a text; control characters are left out.
        Column names are text and are treated alike.
    """
    columns = [
        pd.Series(_safe_column(frame.iloc[:, place]), index=frame.index, dtype=object)
        for place in range(len(frame.columns))
    ]
    names = [_safe_text(str(name)) for name in frame.columns]
    safe = pd.concat(columns, axis="columns") if columns else frame.copy()
    return safe.set_axis(names, axis="columns")


def file_name(source: str, job_id: int | None, extension: str, *, on: date) -> str:
    """Gives a name for an export that every file system takes.

    Args:
        source: Where the list came from: a file's name, with or without its folder.
        job_id: The job's number; None leaves it out.
        extension: `"csv"` or `"xlsx"`.
        on: The day that the name carries.

    Returns:
        For instance `accounts_job-12_2026-11-23.csv`.
    """
    last = re.split(r"[\\/]", _LIST_EXTENSION.sub("", source).rstrip("\\/"))[-1]
    words = re.findall(r"\w+", unicodedata.normalize("NFC", last))
    name = "-".join(words)[:_NAME_LENGTH].strip("-_") or "accounts"
    job = "" if job_id is None else f"_job-{job_id}"
    return f"{name}{job}_{on.isoformat()}.{extension}"


def _safe_column(column: pd.Series[Any]) -> list[Any]:
    missing = column.isna().tolist()
    return [
        None if no else _safe_text(cell) if type(cell) is str else _safe_cell(cell)
        for cell, no in zip(column.tolist(), missing, strict=True)
    ]


def _safe_cell(cell: Any) -> str | float | bool | None:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Real | Decimal):
        number = int(cell) if isinstance(cell, Integral) else float(cell)
        return number if math.isfinite(number) else None
    if isinstance(cell, date):  # and what is one too: datetimes, pandas' Timestamps
        return str(cell).removesuffix(" 00:00:00")
    known = plain(cell)
    if known is None or isinstance(known, bool | int | float):
        return known
    if isinstance(known, list):
        return _safe_start("; ".join(map(_item, known)))
    return _item(known)


def _item(value: object) -> str:
    """Gives the readable text of a value, or of one value of a list."""
    if value is None:
        return ""
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    # Where lists are separated by semicolons, Excel splits a cell at them.
    return _safe_text(value) if isinstance(value, str) else str(value)


def _safe_text(text: str) -> str:
    if not text.isprintable():  # a line end is not, so most text needs no second look
        text = _UNPRINTABLE.sub("", text)
    return _safe_start(_FORMULA_WITHIN.sub(r"\1'", text))


def _safe_start(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _excel_cell(cell: Any) -> Any:
    if isinstance(cell, str):
        # Only what lies beyond the basic plane takes two units.
        if len(cell) * 2 <= EXCEL_CHARACTERS:
            return cell
        units = cell.encode("utf-16-le")
        if len(units) <= EXCEL_CHARACTERS * 2:
            return cell
        return units[: (EXCEL_CHARACTERS - 1) * 2].decode("utf-16-le", "ignore") + "…"
    if isinstance(cell, int) and len(str(abs(cell))) > _EXCEL_DIGITS:
        return str(cell)
    return cell


def _width(name: str, cells: Sequence[Any]) -> int:
    least, most = _WIDTHS
    texts = ("" if cell is None else str(cell) for cell in cells[:_ROWS_MEASURED])
    longest = max(map(len, (name, *texts))) + 2  # room for the filter's button
    return min(max(longest, least), most)
