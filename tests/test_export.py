"""Exports: what other programs open is what was in the table, and nothing is run."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
import zipfile
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import python_calamine

import sdr_kit
from sdr_kit.account import Account
from sdr_kit.export import (
    EXCEL_CHARACTERS,
    EXCEL_COLUMNS,
    EXCEL_ROWS,
    file_name,
    safe_cells,
    to_csv,
    to_excel,
    to_json_lines,
)

FORMULAS = [
    '=HYPERLINK("http://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\tindented",
    "\rreturned",
    "\nbroken",
    "  =1+1",
    '"=1+1',
    " '=1+1",
    " \"' \N{NO-BREAK SPACE}=1",
    "\ufeff=1",
    "\u200b@x",
    "\x00=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}x",
    "\N{SMALL EQUALS SIGN}1",
    "\N{MINUS SIGN}1",
]
HARMLESS = ["Acme", "a=b", "1-2", "info@acme.com", "", " ", "'=1", "007", "1/2/2024"]


def cell(value: object) -> object:
    frame = pd.DataFrame({"column": pd.Series([value], dtype=object)})
    return safe_cells(frame)["column"].tolist()[0]


def csv_rows(frame: pd.DataFrame) -> list[list[str]]:
    text = to_csv(frame).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def excel_rows(frame: pd.DataFrame) -> list[list[Any]]:
    book = python_calamine.load_workbook(io.BytesIO(to_excel(frame)))
    return book.get_sheet_by_index(0).to_python()


def parts(frame: pd.DataFrame) -> str:
    """The XML of the sheet and of its texts."""
    with zipfile.ZipFile(io.BytesIO(to_excel(frame))) as book:
        return "".join(
            book.read(name).decode()
            for name in book.namelist()
            if "sheet1.xml" in name or "sharedStrings" in name
        )


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    safe = "'" + text.replace("\x00", "")
    frame = pd.DataFrame({text: [text, "Acme"]})
    assert cell(text) == safe
    assert list(safe_cells(frame).columns) == [safe]
    assert [row[0] for row in csv_rows(frame)] == [safe, safe, "Acme"]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_formula_reaches_excel(text: str) -> None:
    frame = pd.DataFrame({text: [text]})
    rows = [value for row in excel_rows(frame) for value in row]
    assert all(value.startswith("'") for value in rows)
    assert "<f>" not in parts(frame)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    frame = pd.DataFrame({"column": [text]})
    assert cell(text) == text
    assert csv_rows(frame)[1] == [text]


def test_an_export_of_an_export_is_the_same() -> None:
    once = safe_cells(pd.DataFrame(dict.fromkeys(FORMULAS, FORMULAS + HARMLESS)))
    pd.testing.assert_frame_equal(safe_cells(once), once)


def test_a_formula_hidden_in_a_list_or_a_mapping_is_found() -> None:
    assert cell(["=1+1", "b"]) == "'=1+1; b"
    assert cell(["b", "=1+1", -5]) == "b; '=1+1; -5"
    assert str(cell({"=1+1": "=2"})).startswith("{")


@pytest.mark.parametrize(
    ("value", "readable"),
    [
        (-5, -5),
        (-0.5, -0.5),
        (np.int8(-5), -5),
        (np.float64(-2.5), -2.5),
        (Decimal("-1.10"), -1.1),
        (10**30, 10**30),
        (True, True),
        (np.bool_(0), False),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.float64("inf"), None),
        (np.array(math.nan), None),
        (datetime.date(2026, 11, 23), "2026-11-23"),
        (datetime.datetime(2026, 11, 23, 4, 5), "2026-11-23 04:05:00"),  # noqa: DTZ001
        (pd.Timestamp("2026-11-23"), "2026-11-23"),
        (pd.Timestamp("2026-11-23", tz="UTC"), "2026-11-23 00:00:00+00:00"),
        (["a", 1, None, {"b": [2]}], 'a; 1; ; {"b": [2]}'),
        (("a", "b"), "a; b"),
        pytest.param({"b", "a"}, "a; b", id="set"),
        ([], ""),
        ({"provider": "Øst"}, '{"provider": "Øst"}'),
        ({}, "{}"),
        (b"bytes", "bytes"),
        ("half \ud83d", "half "),
        ("a\x00b\x1bc\ufffed", "abcd"),
        ("two\r\nlines\tand a tab", "two\r\nlines\tand a tab"),
        (Account(company_name="Acme").__class__, str(Account)),
    ],
    ids=ascii,
)
def test_a_value_is_written_readably(value: object, readable: object) -> None:
    found = cell(value)
    assert found == readable
    assert type(found) is type(readable)


def test_a_column_of_numbers_stays_one() -> None:
    frame = pd.DataFrame(
        {
            "score": pd.Series([7, None], dtype="Int64"),
            "change": [-0.5, math.nan],
            "reused": [True, False],
        }
    )
    assert csv_rows(frame)[1:] == [["7", "-0.5", "True"], ["", "", "False"]]
    assert excel_rows(frame)[1:] == [[7.0, -0.5, True], ["", "", False]]
    assert 't="s"' not in parts(frame).split("</row>", 1)[1]  # beyond the header


def test_the_table_that_was_given_is_not_touched() -> None:
    frame = pd.DataFrame({"=a": ["=1"], "b": [[1]]}, index=["x"])
    before = frame.copy(deep=True)
    assert list(safe_cells(frame).index) == ["x"]
    to_csv(frame)
    to_excel(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_columns_of_the_same_name_are_all_written() -> None:
    frame = pd.DataFrame([["a", "b"]], columns=["x", "x"])
    assert csv_rows(frame) == [["x", "x"], ["a", "b"]]
    assert excel_rows(frame) == [["x", "x"], ["a", "b"]]


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=[1, 2])],
    ids=["nothing", "no rows", "no columns"],
)
def test_an_empty_table_is_a_file_too(frame: pd.DataFrame) -> None:
    header = [list(frame.columns)] if len(frame.columns) else []
    assert [row for row in csv_rows(frame) if row] == header
    assert [row for row in excel_rows(frame) if row] == header


def test_a_csv_has_what_excel_needs_to_open_it() -> None:
    written = to_csv(pd.DataFrame({"a": ['Ørsted, "A/S"', None], "b": ["x\ny", "z"]}))
    assert written == '\ufeffa,b\r\n"Ørsted, ""A/S""","x\ny"\r\n,z\r\n'.encode()


async def exported_run() -> pd.DataFrame:
    accounts = sdr_kit.load_accounts(
        pd.DataFrame(
            {
                "company_name": ["Ørsted A/S", "Acme, Inc.", "Broken"],
                "domain": ["orsted.com", "acme.com", None],
                "account_id": ["007", "1e5", "NA"],
            }
        )
    )

    async def research(account: Account) -> dict[str, object]:
        if account.company_name == "Broken":
            raise sdr_kit.Permanent("no such company")
        return {
            "tier": "A",
            "priority_score": 8,
            "summary": "two\nlines",
            "facts": ["one", "two"],
        }

    run = await sdr_kit.process(accounts, research, store="memory")
    return run.frame


@pytest.mark.parametrize("extension", ["csv", "xlsx"])
async def test_what_is_exported_loads_again_with_the_same_values(
    extension: str,
) -> None:
    frame = await exported_run()
    if extension == "csv":
        text = io.BytesIO(to_csv(frame))
        again = pd.read_csv(text, dtype={"account_id": str}, keep_default_na=False)
    else:
        book = io.BytesIO(to_excel(frame))
        again = pd.read_excel(book, engine="calamine", keep_default_na=False)
    assert list(again.columns) == list(frame.columns)
    assert list(again["company_name"]) == list(frame["company_name"])
    assert list(again["account_id"]) == ["007", "1e5", "NA"]
    assert list(again["priority_score"].astype(str)) in (
        ["8", "8", ""],
        ["8.0", "8.0", ""],
    )
    assert list(again["summary"]) == ["two\nlines", "two\nlines", ""]
    assert list(again["facts"]) == ["one; two", "one; two", ""]
    assert list(again["error_message"]) == ["", "", "no such company"]
    assert list(again["seconds"]) == pytest.approx(list(frame["seconds"]))


async def test_an_exported_csv_is_a_list_of_accounts_again() -> None:
    frame = await exported_run()
    again = sdr_kit.load_accounts(to_csv(frame)).frame
    assert list(again["company_name"]) == list(frame["company_name"])
    assert list(again["domain"].fillna("")) == ["orsted.com", "acme.com", ""]
    assert list(again["account_id"]) == ["007", "1e5", "NA"]
    assert list(again["priority_score"]) == ["8", "8", ""]


def test_a_cell_of_excel_is_cut_where_it_ends() -> None:
    fits = "x" * EXCEL_CHARACTERS
    longer = "y" * (EXCEL_CHARACTERS + 1)
    emoji = "\N{CLINKING BEER MUGS}" * EXCEL_CHARACTERS  # two units each
    frame = pd.DataFrame({"long": [fits, longer, emoji, f"={longer}"]})
    cells = [row[0] for row in excel_rows(frame)[1:]]
    assert cells[0] == fits
    assert cells[1] == "y" * (EXCEL_CHARACTERS - 1) + "…"
    assert cells[2] == emoji[: EXCEL_CHARACTERS // 2] + "…"
    assert cells[3].startswith("'=y")
    assert all(len(text.encode("utf-16-le")) <= EXCEL_CHARACTERS * 2 for text in cells)
    assert [row[0] for row in csv_rows(frame)][1:4] == [fits, longer, emoji]


def test_a_number_that_excel_would_change_is_written_as_text() -> None:
    frame = pd.DataFrame({"id": [123456789012345, 123456789012345678]})
    assert excel_rows(frame)[1:] == [[123456789012345.0], ["123456789012345678"]]


def test_text_that_looks_like_an_escape_of_excel_stays_text() -> None:
    texts = ["_x000D_", "https://acme.com", "{=1}", "1e5", "<b>&amp;"]
    frame = pd.DataFrame({"text": texts})
    assert [row[0] for row in excel_rows(frame)[1:]] == texts


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": range(EXCEL_ROWS)}),
        pd.DataFrame(columns=range(EXCEL_COLUMNS + 1)),
    ],
    ids=["rows", "columns"],
)
def test_what_no_sheet_holds_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="Export it as CSV"):
        to_excel(frame)


def test_the_sheet_can_be_filtered_and_read_while_scrolling() -> None:
    with zipfile.ZipFile(
        io.BytesIO(to_excel(pd.DataFrame({name: [1, 2, 3] for name in "abcd"})))
    ) as book:
        page = book.read("xl/worksheets/sheet1.xml").decode()
        names = book.read("xl/workbook.xml").decode()
    assert 'name="Accounts"' in names
    assert '<autoFilter ref="A1:D4"/>' in page
    assert 'topLeftCell="A2"' in page
    assert 'state="frozen"' in page


@pytest.mark.parametrize(
    ("source", "job_id", "name"),
    [
        ("accounts.csv", 12, "accounts_job-12_2026-11-23.csv"),
        ("accounts.csv", None, "accounts_2026-11-23.csv"),
        ("lists/Q4 list.XLSX", 3, "Q4-list_job-3_2026-11-23.csv"),
        (r"C:\lists\a.tsv", 3, "a_job-3_2026-11-23.csv"),
        (
            "accounts.csv (sample of 20)",
            3,
            "accounts-sample-of-20_job-3_2026-11-23.csv",
        ),
        ("DataFrame", 3, "DataFrame_job-3_2026-11-23.csv"),
        ("Österreich.csv", 3, "Österreich_job-3_2026-11-23.csv"),
        ("../../etc/passwd", 3, "passwd_job-3_2026-11-23.csv"),
        ('<a"b>:*?|\x00\n.csv', 3, "a-b_job-3_2026-11-23.csv"),
        ("..", 3, "accounts_job-3_2026-11-23.csv"),
        ("", 3, "accounts_job-3_2026-11-23.csv"),
        ("con.csv", 3, "con_job-3_2026-11-23.csv"),
    ],
)
def test_a_file_name_is_safe_and_says_what_it_holds(
    source: str, job_id: int | None, name: str
) -> None:
    assert file_name(source, job_id, "csv", on=datetime.date(2026, 11, 23)) == name


def test_a_file_name_is_short() -> None:
    name = file_name("x" * 5_000, 1, "xlsx", on=datetime.date(2026, 11, 23))
    assert len(name) < 90
    assert name.endswith("_job-1_2026-11-23.xlsx")


@pytest.mark.parametrize(
    "text",
    [
        "fine;=cmd|'/c calc'!A0",
        'we sell; "=HYPERLINK(1)',
        "a\n=1",
        "a\t@SUM(1)",
        "a;-1",
    ],
)
def test_a_formula_behind_a_separator_is_neutralised(text: str) -> None:
    frame = pd.DataFrame({"summary": [text]})
    once = safe_cells(frame)
    for part in re.split(r"[;\t\n]", str(once.iloc[0, 0])):
        assert part.strip(' "')[:1] not in tuple("=+-@")
    assert safe_cells(once).equals(once)


def test_a_bullet_is_no_formula() -> None:
    text = "They sell:\n- shoes\n- hats; - and socks"
    assert safe_cells(pd.DataFrame({"summary": [text]})).iloc[0, 0] == text


def json_rows(frame: pd.DataFrame, evidence: pd.DataFrame) -> list[dict[str, Any]]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = to_json_lines(frame, evidence).decode("utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line, parse_constant=refuse) for line in lines]


NO_EVIDENCE = pd.DataFrame()


async def test_a_line_of_json_has_every_column_and_values_as_they_are() -> None:
    frame = await exported_run()
    first, _, broken = json_rows(frame, NO_EVIDENCE)
    assert list(first) == list(frame.columns)
    assert first["company_name"] == "Ørsted A/S"
    assert first["account_id"] == "007"
    assert first["priority_score"] == 8
    assert first["facts"] == ["one", "two"]
    assert first["error_kind"] is None
    assert broken["facts"] is None
    assert "Ørsted".encode() in to_json_lines(frame, NO_EVIDENCE)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, None),
        (math.inf, None),
        (pd.NaT, None),
        (np.int8(5), 5),
        (10**30, 10**30),
        ({"a": {"b": [1.5, None]}}, {"a": {"b": [1.5, None]}}),
        (pd.Timestamp("2026-11-23"), "2026-11-23T00:00:00"),
        ("=1+1", "=1+1"),
        ("half \ud83d", "half ?"),
        ("a\u2028b\u2029c\x85d\ne\r", "a\u2028b\u2029c\x85d\ne\r"),
    ],
    ids=ascii,
)
def test_a_value_in_json_is_what_it_is(value: object, written: object) -> None:
    frame = pd.DataFrame({"column": pd.Series([value, None], dtype=object)})
    rows = json_rows(frame, NO_EVIDENCE)
    assert rows == [{"column": written}, {"column": None}]
    assert len(to_json_lines(frame, NO_EVIDENCE).decode().splitlines()) == 2


def test_evidence_stands_with_its_row_by_field() -> None:
    frame = pd.DataFrame({"news": ["x", "y"], "evidence": [1, 2]})
    evidence = pd.DataFrame(
        {
            "company_name": ["B", "B"],
            "position": [1, 1],
            "field": ["news", "news"],
            "value": ["y", "y"],
            "source": ["https://b.example/", None],
            "quote": ["y!", ""],
            "confidence": [0.5, math.nan],
            "at": ["2026-11-23T10:00:00Z"] * 2,
        }
    )
    first, second = json_rows(frame, evidence)
    assert first == {"news": "x", "evidence": 1}
    at = "2026-11-23T10:00:00Z"
    assert second["research_evidence"] == {
        "news": [
            {
                "source": "https://b.example/",
                "quote": "y!",
                "confidence": 0.5,
                "at": at,
            },
            {"source": None, "quote": "", "confidence": None, "at": at},
        ]
    }


def test_no_rows_are_no_lines() -> None:
    assert to_json_lines(pd.DataFrame({"a": []}), NO_EVIDENCE) == b""


@pytest.mark.parametrize("text", [*FORMULAS, *HARMLESS], ids=ascii)
def test_what_goes_back_is_changed_only_where_it_could_reach_out(text: str) -> None:
    frame = pd.DataFrame({text: [text], f"{text} ": [text]})
    safe = safe_cells(frame, own=1)
    calls = any(sign in text for sign in ("HYPERLINK(", "cmd|", "SUM("))
    kept = text.replace("\x00", "")
    assert safe.iloc[0, 0] == (f"'{kept}" if calls else kept)
    assert safe.columns[0] == safe.iloc[0, 0]
    assert safe.iloc[0, 1] == cell(text)


@pytest.mark.parametrize(
    "text",
    ["+49 30 123", "+1 (555) 010-9999 x12", "+1 555 ext #12", "-", "@acme", "=x"],
)
def test_a_phone_number_goes_back_as_it_came(text: str) -> None:
    frame = pd.DataFrame({"column": [text]})
    assert safe_cells(frame, own=1).iloc[0, 0] == text
    assert cell(text) == f"'{text}"
    for contents in (to_csv(frame, own=1), to_excel(frame, own=1)):
        assert list(
            sdr_kit.load_accounts(
                contents, columns={"company_name": "column"}
            ).table.cells["column"]
        ) == [text]
