"""Results out, as files that other programs open: CSV, Excel and JSON Lines.

Text in a table came from a CSV, a website or a model, and a spreadsheet would run some
of it as a formula. So what a spreadsheet opens goes through `safe_cells`, headers too:
text that could be taken for a formula gets a leading apostrophe. Real numbers stay
numbers. What goes back to whoever gave it keeps its phone numbers and its dashes: there
only text that could reach beyond its own sheet gets the apostrophe. JSON runs nothing
and has its values as they are.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter  # type: ignore[import-untyped]

from sdr_kit.errors import SdrKitError
from sdr_kit.loading.tables import missing
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
# A formula without one of these calls no function, no other program, and no other sheet
# or file: `=HYPERLINK(`, `=cmd|'/c calc'!A0`, `=[book]sheet!A1`, `='file:///x'#$a.A1`.
_REACHES_OUT = re.compile(
    r"[^\W\d][\w.]*\s*[(\uff08]|[|\uff5c]|[!\uff01]\S|[#\uff03]\s*[$'\"A-Za-z]"
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

_PROOF = ("source", "quote", "confidence", "at")
# JSON lets them stand as they are, and readers that split lines as Unicode does do not.
_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}

_LIST_EXTENSION = re.compile(r"(?i)\.(csv|tsv|tab|txt|xls[xmb]?|ods)\b")
_NAME_LENGTH = 60


def to_csv(frame: pd.DataFrame, *, own: int = 0) -> bytes:
    """Writes the table as a CSV, which Excel opens where it separates by commas.

    Where it separates by semicolons (most of Europe), `to_excel` is what opens.
    UTF-8 with a byte order mark, commas, CRLF; the cells of `safe_cells`, missing ones
    empty. The index is left out.

    Args:
        frame: The table.
        own: As in `safe_cells`.
    """
    text = safe_cells(frame, own=own).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def to_excel(frame: pd.DataFrame, *, sheet: str = "Accounts", own: int = 0) -> bytes:
    """Writes the table as an Excel workbook with one sheet.

    The header is bold, stays in view and has filters. The cells are those of
    `safe_cells`: text is written as text, which Excel never runs, and has the
    apostrophe all the same, because the sheet may be saved as a CSV one day. Text that
    is longer than a cell can hold ends in `…`; a number with more than 15 digits is
    written as text, because Excel would change it. The index is left out.

    Args:
        frame: The table.
        sheet: The sheet's name, at most 31 characters.
        own: As in `safe_cells`.

    Raises:
        ValueError: The table has more rows or columns than a sheet.
    """
    if len(frame) >= EXCEL_ROWS or len(frame.columns) > EXCEL_COLUMNS:
        raise ValueError(
            f"the table has {len(frame):,} rows and {len(frame.columns):,} columns; a "
            f"sheet of Excel holds {EXCEL_ROWS - 1:,} and {EXCEL_COLUMNS:,}. "
            "Export it as CSV"
        )
    safe = safe_cells(frame, own=own)
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


def to_json_lines(frame: pd.DataFrame, evidence: pd.DataFrame) -> bytes:
    """Writes an object a row, each on a line of its own, in UTF-8.

    Args:
        frame: What `Run.frame` holds.
        evidence: What `Run.evidence` holds.

    Returns:
        Lines that end in a line feed. The keys are the columns, values are as they are
        (numbers, lists, nested); what is missing, or no number, is null. A row with
        evidence has `evidence` too (`research_evidence` where the table has such a
        column): by field, a list of `source`, `quote`, `confidence`, `at`.
    """
    lines = []
    for row in objects(frame, evidence, positions=range(len(frame))):
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        lines.append(line.translate(_LINE_ENDS) + "\n")
    return "".join(lines).encode()


def objects(
    frame: pd.DataFrame, evidence: pd.DataFrame, *, positions: Iterable[int]
) -> Iterator[dict[str, Any]]:
    """Gives each row as an object that JSON can hold; see `to_json_lines`.

    Args:
        frame: Rows of `Run.frame`.
        evidence: What `Run.evidence` holds.
        positions: Of the accounts in these rows.
    """
    names = [str(name) for name in frame.columns]
    columns = [map(plain, frame.iloc[:, at].tolist()) for at in range(len(names))]
    key = "evidence"
    while key in names:
        key = f"research_{key}"
    proofs = _proofs(evidence)
    for position, cells in zip(positions, zip(*columns, strict=True), strict=True):
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        if position in proofs:
            row[key] = proofs[position]
        yield row


def safe_cells(frame: pd.DataFrame, *, own: int = 0) -> pd.DataFrame:
    """Gives the table as a spreadsheet may hold it.

    Args:
        frame: The table.
        own: How many of the first columns go back to whoever gave them. Their text
            stays as it came, `+49 30 123` and `@acme` too, unless it begins like a
            formula that could call a function, another program, or another sheet.

    Returns:
        The same rows and columns; every cell is text, a number, a truth value or None.
        Missing values and what is no number (NaN, infinity) are None. A list is joined
        with `; `, a mapping is JSON, a date is ISO 8601. Text that begins like a
        formula (`=`, `+`, `-`, `@`, a tab or line end; after spaces and quotes, and in
        full width, too) has a leading apostrophe, and so has what follows a semicolon,
        a tab or a line end inside a text; control characters are left out.
        Column names are text and are treated alike.
    """
    ways = [_own_text if place < own else _safe_text for place in range(frame.shape[1])]
    columns = [
        pd.Series(
            _safe_column(frame.iloc[:, place], way), index=frame.index, dtype=object
        )
        for place, way in enumerate(ways)
    ]
    names = [
        way("" if missing(name) else str(name))
        for name, way in zip(frame.columns, ways, strict=True)
    ]
    safe = pd.concat(columns, axis="columns") if columns else frame.copy()
    return safe.set_axis(names, axis="columns")


def file_name(source: str, job_id: int | None, extension: str, *, on: date) -> str:
    """Gives a name for an export that every file system takes.

    Args:
        source: Where the list came from: a file's name, with or without its folder.
        job_id: The job's number; None leaves it out.
        extension: `"csv"`, `"xlsx"`, `"jsonl"` or `"html"`.
        on: The day that the name carries.

    Returns:
        For instance `accounts_job-12_2026-11-23.csv`.
    """
    last = re.split(r"[\\/]", _LIST_EXTENSION.sub("", source).rstrip("\\/"))[-1]
    words = re.findall(r"\w+", unicodedata.normalize("NFC", last))
    name = "-".join(words)[:_NAME_LENGTH].strip("-_") or "accounts"
    job = "" if job_id is None else f"_job-{job_id}"
    return f"{name}{job}_{on.isoformat()}.{extension}"


def write_whole(path: Path, contents: bytes) -> None:
    """Puts a file in its place, whole or not at all.

    It is written beside its place first, and a file that stood there stays until then.

    Raises:
        SdrKitError: It cannot be written; the message says where and why.
    """
    place = path.resolve()  # what a link names is replaced, not the link
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with beside.open("xb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
            if place.exists():
                shutil.copymode(place, beside)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise SdrKitError(
            f"{place.name} cannot be written to {place.parent}: "
            f"{error.strerror or error}. Close it where it is open, or name another "
            "place"
        ) from error


def _proofs(evidence: pd.DataFrame) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Gives the pieces of evidence by position and field."""
    proofs: dict[int, dict[str, list[dict[str, Any]]]] = {}
    rows = evidence.reindex(columns=["position", "field", *_PROOF])
    for position, field, *piece in rows.itertuples(index=False):
        told = dict(zip(_PROOF, map(plain, piece), strict=True))
        proofs.setdefault(int(position), {}).setdefault(field, []).append(told)
    return proofs


def _safe_column(column: pd.Series[Any], way: Callable[[str], str]) -> list[Any]:
    blank = column.isna().tolist()
    return [
        None if no else way(cell) if type(cell) is str else _safe_cell(cell)
        for cell, no in zip(column.tolist(), blank, strict=True)
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


def _own_text(text: str) -> str:
    """Keeps text as it came, unless it could be run and reach beyond its sheet."""
    if not text.isprintable():
        text = _UNPRINTABLE.sub("", text)
    begins = _FORMULA.match(text) or _FORMULA_WITHIN.search(text)
    return _safe_text(text) if begins and _REACHES_OUT.search(text) else text


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
