"""Results go back into the source: every row once, in order, as it came."""

from __future__ import annotations

import csv
import datetime
import io
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import python_calamine

import sdr_kit
from sdr_kit.account import Account, Edit
from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.batch import Run
from sdr_kit.deliver import table_file
from sdr_kit.findings import Findings
from sdr_kit.merge import merged_frame, merged_sheet, source_frame
from sdr_kit.store import Store

LIST = b"""id;Unternehmen;Webseite;Telefon;Status
007;Acme, Inc.;https://www.acme.com/about;+49 30 123;open
008;;nobody.com;-;open
009;ACME Inc;acme.com;+1 (555) 010-9999 x12;won
010;Broken;;@broken;"two
lines"
011;Beta;beta.io;=1+1;
"""


async def research(account: Account) -> dict[str, object]:
    if account.company_name == "Broken":
        raise sdr_kit.Permanent("no such company")
    return {
        "tier": "A",
        "priority_score": 8,
        "size": 50 + account.position,
        "news": ["=one", "two"],
        "status": "listed",
    }


async def researched(accounts: Accounts) -> Run:
    return await sdr_kit.process(accounts, research, store="memory")


def rows_of(contents: bytes) -> list[list[str]]:
    text = contents.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def merged_file(run: Run, kind: str) -> bytes:
    findings = Findings(accounts=run.accounts, outcomes=run.results(), edits=run.edits)
    return table_file(findings, kind, merged=True)


async def test_every_row_stands_where_it_stood_with_its_result_behind() -> None:
    run = await researched(load_accounts(LIST))
    header, *rows = rows_of(merged_file(run, ".csv"))
    source = list(csv.reader(io.StringIO(LIST.decode(), newline=""), delimiter=";"))
    assert [header[:5], *(row[:5] for row in rows)] == source
    assert header[5:] == [
        *("tier", "priority_score", "size", "news", "research_status"),
        *("result_status", "status_reason"),
    ]
    found = ["A", "8", "50", "'=one; two", "listed", "completed"]
    assert [row[5:] for row in rows] == [
        [*found, ""],
        [*[""] * 5, "rejected", "no company name"],
        [*found, "same company and domain as row 2"],
        [*[""] * 5, "failed", "no such company"],
        ["A", "8", "52", "'=one; two", "listed", "completed", ""],
    ]


async def test_a_workbook_holds_the_same_and_numbers_are_numbers() -> None:
    run = await researched(load_accounts(LIST))
    book = io.BytesIO(merged_file(run, ".xlsx"))
    sheet = python_calamine.load_workbook(book).get_sheet_by_index(0).to_python()
    assert sheet[1][:4] == [
        "007",
        "Acme, Inc.",
        "https://www.acme.com/about",
        "+49 30 123",
    ]
    assert sheet[1][5:8] == ["A", 8.0, 50.0]


async def test_what_people_set_stands_behind_and_the_source_keeps_its_own() -> None:
    accounts = load_accounts(b"company_name,Owner,notes\nAcme,Ann,old\nBeta,Bob,\n")
    run = await researched(accounts)
    assert "result_Owner" not in run.merged.columns
    run._store.edit(accounts.keys[0], Edit(owner="Zoe", notes="=call", tier="C"))
    merged = run.merged
    assert list(merged["Owner"]) == ["Ann", "Bob"]
    assert list(merged["notes"]) == ["old", ""]
    assert list(merged["tier"]) == ["C", "A"]
    assert merged["result_owner"].tolist()[0] == "Zoe"
    assert merged["result_owner"].isna().tolist() == [False, True]
    assert rows_of(merged_file(run, ".csv"))[1][-1] == "'=call"


async def test_a_duplicate_of_a_dropped_account_has_no_result_and_says_so() -> None:
    accounts = load_accounts(LIST).drop(2)
    merged = (await researched(accounts)).merged
    assert list(merged["result_status"])[:3] == ["rejected", "rejected", "duplicate"]
    assert merged["tier"].isna().tolist()[:3] == [True] * 3
    assert merged["status_reason"].tolist()[0] == "dropped by hand"
    kept = (await researched(load_accounts(LIST).keep(4))).merged
    assert kept["size"].tolist()[2] == 51
    assert pd.isna(kept["status_reason"].tolist()[2])


async def test_cells_beyond_the_header_are_kept_under_no_name() -> None:
    accounts = load_accounts(b"company_name,city\nAcme,Rome\nBeta,Ulm,x,,y\n")
    header, *rows = rows_of(merged_file(await researched(accounts), ".csv"))
    assert header[:6] == ["company_name", "city", "", "", "", "tier"]
    assert rows[0][:5] == ["Acme", "Rome", "", "", ""]
    assert rows[1][:5] == ["Beta", "Ulm", "x", "", "y"]


async def test_a_dataframe_keeps_its_columns_dtypes_and_index() -> None:
    source = pd.DataFrame(
        {
            0: ["Acme", "Beta", None, "Acme"],
            "size": pd.Series([1, 2, 3, 4], dtype="int8"),
            "when": [
                datetime.datetime(2026, 1, day, tzinfo=datetime.UTC)
                for day in (1, 2, 3, 4)
            ],
            "kind": pd.Categorical(["a", "b", "a", "b"]),
            "tier": [0.5, np.nan, 1.5, 2.5],
        },
        index=pd.Index(["w", "x", "y", "w"], name="key"),
    )
    before = source.copy(deep=True)
    accounts = load_accounts(source, columns={"company_name": "0"})
    run = await researched(accounts)
    merged = run.merged
    pd.testing.assert_frame_equal(merged.iloc[:, :5], source, check_column_type=False)
    assert list(merged.columns[:7]) == [
        *source.columns,
        "result_tier",
        "priority_score",
    ]
    assert merged["priority_score"].dtype == "Int64"
    assert list(merged["result_tier"].fillna("-")) == ["A", "A", "-", "A"]
    pd.testing.assert_frame_equal(source, before)
    sheet, own = merged_sheet(accounts, run.frame, {})
    assert own == 6
    assert list(sheet["key"]) == ["w", "x", "y", "w"]


@pytest.mark.parametrize(
    ("index", "first"),
    [
        (pd.RangeIndex(2), "company_name"),
        (pd.Index([7, 9]), "company_name"),
        (pd.Index([7, 9], name="crm"), "crm"),
        (pd.Index(["a", "b"]), "index"),
        (pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", None]), "x"),
    ],
    ids=["none", "numbers", "named", "labels", "levels"],
)
async def test_an_index_that_says_something_is_in_the_file(
    index: pd.Index[Any], first: str
) -> None:
    source = pd.DataFrame({"company_name": ["Acme", "Beta"]}, index=index)
    run = await researched(load_accounts(source))
    assert rows_of(merged_file(run, ".csv"))[0][0] == first


async def test_a_sample_goes_back_as_its_own_rows() -> None:
    accounts = load_accounts(LIST).sample(2)
    merged = (await researched(accounts)).merged
    assert list(merged["id"]) == ["007", "011"]
    assert rows_of(merged_file(await researched(accounts), ".csv"))[0][0] == "id"


def test_a_column_of_ours_never_takes_the_name_of_the_sources() -> None:
    taken = b"company_name,Tier,result_tier, STATUS ,status_reason\nAcme,x,y,z,w\n"
    accounts = load_accounts(taken)
    frame = Findings(accounts=accounts, edits={}).frame
    names = [str(name).strip().casefold() for name in merged_frame(accounts, frame, {})]
    assert len(set(names)) == len(names)
    assert names[5:] == [
        *("result_result_tier", "priority_score"),
        *("result_status", "result_status_reason"),
    ]


def test_results_merge_while_nothing_is_left_of_the_list() -> None:
    accounts = load_accounts(b"company_name,city\n,Rome\n")
    merged = merged_frame(accounts, Findings(accounts=accounts, edits={}).frame, {})
    assert merged["status"].tolist() == ["rejected"]


REACHING = (
    *("=A(1)", "=cmd|' /C calc'!A0", "+x (1)", "a;=B(1)", "\t=T.X(1)", "=[b]s!A1"),
    *("\N{FULLWIDTH EQUALS SIGN}x\N{FULLWIDTH LEFT PARENTHESIS}1", "@SUM(1)"),
    *("='file:///x'#$s.A1", '"=IMPORTDATA(1)', "=Sheet2!A1"),
)
SIGNS = [
    *("007", "1e5", "NA", "", " ", "+49 30 1", "-", "- x", "@handle", "1/2/2024"),
    *("+1 (555) 010-9999 x12", "+1 555 #12", "=1+1", "@Hello!", "'=x(1)", "a(b)"),
    *('quote " in it', "semi;colon", "com,ma", "two\nlines", "<b>", "Ørsted", "🍺"),
    *("None", "nan", *REACHING),
]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_list_is_its_rows_come_back(seed: int) -> None:
    """Every row once, in order, its cells equal but for formulas that reach out."""
    chance = random.Random(seed)
    others = [f"c{place}" for place in range(chance.randint(1, 4))]
    names = ["Acme", "Acme Inc", "Beta", "", "Gamma", *SIGNS]
    source = [
        [
            chance.choice(names),
            *(chance.choice(SIGNS) for _ in others),
            *chance.choice([[], [], [], ["more"]]),
        ]
        for _ in range(chance.randint(1, 25))
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["company_name", *others], *source])
    accounts = load_accounts(stream.getvalue().encode())
    frame = Findings(accounts=accounts, edits={}).frame
    merged, own = merged_sheet(accounts, frame, {})
    pd.testing.assert_frame_equal(merged.iloc[:, :own], source_frame(accounts))
    cells = merged.iloc[:, :own].to_numpy().tolist()
    assert [
        row[: len(given)] for row, given in zip(cells, source, strict=True)
    ] == source
    assert all(
        not any(row[len(given) :]) for row, given in zip(cells, source, strict=True)
    )

    findings = Findings(accounts=accounts, edits={})
    written = rows_of(table_file(findings, ".csv", merged=True))[1:]
    for row, given in zip(written, source, strict=True):
        for cell, came in zip(row, given, strict=False):
            reaches_out = came in REACHING
            assert (cell != came) == reaches_out
            assert cell.replace("'", "") == came.replace("'", "")
    books = accounts.books
    assert list(merged["status"]).count("rejected") == books["rejected"]
    pending = list(merged["status"]).count("pending")
    assert pending == books["ready"] + books["duplicates"]


def test_the_books_of_a_stored_list_balance(tmp_path: Any) -> None:
    """What is merged back is what another load of it reads, plus our columns."""
    accounts = load_accounts(LIST)
    store = Store(f"sqlite:///{tmp_path / 'kept.db'}")
    run = sdr_kit.run_sync(sdr_kit.process(accounts, research, store=store))
    again = load_accounts(run.export(tmp_path / "back.csv", merged=True))
    assert again.books == accounts.books
    assert again.keys == accounts.keys
    assert list(again.frame["id"]) == list(accounts.frame["id"])


def test_a_job_without_its_list_is_merged_into_what_the_store_has_of_it(
    tmp_path: Any,
) -> None:
    """A CRM knows no row that does not say whom it is about."""
    accounts = load_accounts(LIST)
    store = Store(f"sqlite:///{tmp_path / 'kept.db'}")
    run = sdr_kit.run_sync(sdr_kit.process(accounts, research, store=store))
    later = sdr_kit.resume(run.job_id, research, store, positions=[0]).wait(30)
    merged = later.merged
    ours = ["company_name", "domain", "industry", "owner"]
    named = [name for name in ours if accounts.frame[name].notna().any()]
    others = [name for name, _ in accounts.others]
    assert list(merged.columns)[: len(named) + len(others)] == [*named, *others]
    assert list(merged["company_name"]) == list(accounts.frame["company_name"])
    assert later.frame[named].equals(run.frame[named])
    again = load_accounts(later.export(tmp_path / "back.csv", merged=True))
    assert again.keys == accounts.keys
