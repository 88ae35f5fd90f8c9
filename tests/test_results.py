"""Outcomes and attempts as tables."""

from __future__ import annotations

from dataclasses import fields, replace

import pandas as pd
import pytest

from sdr_kit.account import (
    Attempt,
    Edit,
    Evidence,
    Outcome,
    RateLimits,
    Research,
    Usage,
)
from sdr_kit.results import attempts_frame, evidence_frame, results_frame

SOURCE = ["company_name", "domain"]
BEFORE = ["status", "attempts", "seconds", "reused", "tier", "priority_score"]
AFTER = ["error_kind", "error_message", "cost_usd"]


def source(number: int = 4, **columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "company_name": [f"Company {i}" for i in range(number)],
            "domain": [f"company-{i}.com" for i in range(number)],
            **columns,
        }
    )


def completed(position: int, research: Research | None = None) -> Outcome:
    return Outcome(
        position=position,
        status="completed",
        attempts=2,
        seconds=3.5,
        finished=9.0,
        research=research or Research(),
    )


def failed(position: int) -> Outcome:
    return Outcome(
        position=position,
        status="failed",
        attempts=4,
        seconds=1.0,
        finished=9.0,
        error_kind="transient",
        error_message="HTTP 503: busy",
    )


def missing(value: object) -> bool:
    return bool(pd.isna(value))  # type: ignore[call-overload]


def test_the_columns_are_those_of_the_contract_in_its_order() -> None:
    found = Research(fields={"summary": "Anvils", "employees": 12})
    later = Research(fields={"funding": "none", "summary": "Nails"})
    frame = results_frame(source(), [completed(1, later), completed(0, found)])
    # Research columns in the order in which they first appear, down the list.
    assert list(frame.columns) == [
        *SOURCE,
        *BEFORE,
        "summary",
        "employees",
        "funding",
        *AFTER,
    ]


def test_rows_stand_in_the_order_of_the_source_whatever_the_order_of_outcomes() -> None:
    outcomes = [completed(i, Research(fields={"n": i})) for i in (3, 0, 2, 1)]
    frame = results_frame(source(), outcomes)
    assert list(frame["n"]) == [0, 1, 2, 3]
    assert list(frame["company_name"]) == list(source()["company_name"])


def test_a_row_says_how_its_account_ended_or_where_it_is() -> None:
    research = Research(
        fields={"summary": "Anvils"}, tier="A", priority_score=9, cost_usd=0.5
    )
    frame = results_frame(source(), [completed(0, research), failed(1)], processing=[2])
    assert list(frame["status"]) == ["completed", "failed", "processing", "pending"]
    assert list(frame["attempts"]) == [2, 4, 0, 0]
    assert list(frame["seconds"]) == [3.5, 1.0, 0.0, 0.0]
    assert list(frame["reused"]) == [False] * 4
    first = frame.iloc[0]
    assert (first["tier"], first["priority_score"], first["cost_usd"]) == ("A", 9, 0.5)
    assert first["summary"] == "Anvils"
    for name in ("error_kind", "error_message"):
        assert missing(first[name])
    second = frame.iloc[1]
    assert (second["error_kind"], second["error_message"]) == (
        "transient",
        "HTTP 503: busy",
    )
    for name in ("tier", "priority_score", "cost_usd", "summary"):
        assert missing(second[name])
        assert missing(frame[name].iloc[3])


def test_an_account_that_has_ended_is_not_at_work_any_more() -> None:
    frame = results_frame(source(1), [completed(0)], processing=[0])
    assert list(frame["status"]) == ["completed"]


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("done", [0, 1])
def test_the_types_do_not_depend_on_what_is_there(number: int, done: int) -> None:
    frame = results_frame(
        source(number), [completed(i) for i in range(min(done, number))]
    )
    assert len(frame) == number
    assert {name: str(frame[name].dtype) for name in [*BEFORE[1:4], *BEFORE[5:]]} == {
        "attempts": "int64",
        "seconds": "float64",
        "reused": "bool",
        "priority_score": "Int64",
    }
    assert str(frame["cost_usd"].dtype) == "float64"
    assert list(frame.columns) == [*SOURCE, *BEFORE, *AFTER]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([7, 3, 9, 1]),
        pd.Index(["d", "c", "b", "a"], name="account"),
        pd.Index([1, 1, 2, 2]),
        pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a"), (2, "b")]),
    ],
    ids=["numbers", "names", "repeated", "two levels"],
)
def test_the_index_of_the_source_is_kept(index: pd.Index) -> None:
    frame = results_frame(
        source().set_axis(index), [completed(3, Research(fields={"n": 3}))]
    )
    pd.testing.assert_index_equal(frame.index, index)
    assert list(frame["company_name"]) == list(source()["company_name"])
    assert frame["n"].iloc[3] == 3


def test_the_source_is_not_touched() -> None:
    given = source(status=["new"] * 4)
    before = given.copy()
    results_frame(given, [completed(0)])
    pd.testing.assert_frame_equal(given, before)


def test_where_names_meet_the_runs_keep_theirs() -> None:
    given = source(
        status=["new", "old", "new", "old"],
        tier=["gold"] * 4,
        source_status=["kept"] * 4,
        owner=["Ann"] * 4,
    )
    research = Research(fields={"owner": "Bob", "attempts": 99, "company_name": "ACME"})
    frame = results_frame(given, [completed(0, research)])
    assert list(frame.columns) == [
        *SOURCE,
        "source_source_status",
        "source_tier",
        "source_status",
        "owner",
        *BEFORE,
        "research_owner",
        "research_attempts",
        "research_company_name",
        *AFTER,
    ]
    first = frame.iloc[0]
    assert first["source_source_status"] == "new"
    assert first["source_status"] == "kept"
    assert first["status"] == "completed"
    assert (first["owner"], first["research_owner"]) == ("Ann", "Bob")
    assert (first["attempts"], first["research_attempts"]) == (2, 99)


@pytest.mark.parametrize("names", [["status", "research_status"], ["research_status"]])
@pytest.mark.parametrize("of_source", [[], ["research_status"]])
def test_no_column_is_lost_where_prefixed_names_meet_too(
    names: list[str], of_source: list[str]
) -> None:
    found: dict[str, object] = {name: f"found {name}" for name in names}
    more: dict[str, list[object]] = {name: ["given"] for name in of_source}
    given = source(1, **more)
    frame = results_frame(given, [completed(0, Research(fields=found))])
    assert frame.columns.is_unique
    assert len(frame.columns) == len(SOURCE) + len(of_source) + 9 + len(found)
    row = [str(value) for value in frame.iloc[0]]
    assert all(row.count(f"found {name}") == 1 for name in names)
    assert row.count("given") == len(of_source)


def test_values_of_any_shape_stay_as_they_are() -> None:
    values = [["a", "b"], {"c": [1]}, "text", None]
    outcomes = [completed(i, Research(fields={"v": v})) for i, v in enumerate(values)]
    frame = results_frame(source(), outcomes)
    assert list(frame["v"])[:3] == values[:3]
    assert missing(frame["v"].iloc[3])


def attempt(number: int, http_status: int | None = None) -> Attempt:
    return Attempt(
        position=1,
        number=number,
        started=0.5,
        seconds=1.5,
        outcome="rate_limited" if http_status else "completed",
        http_status=http_status,
        waited=0.25,
        message="slow down" if http_status else None,
    )


ATTEMPTS = [
    *("position", "number", "started", "seconds", "outcome"),
    *("http_status", "waited", "message", "request_id"),
    *("input_tokens", "output_tokens", "searches", "cost_usd"),
    *("requests_remaining", "tokens_remaining"),
]


def test_attempts_are_one_row_each_with_the_columns_of_attempt() -> None:
    frame = attempts_frame([attempt(1, 429), attempt(2)])
    assert list(frame.columns) == ATTEMPTS
    own = {field.name for field in fields(Attempt)} - {"usage", "limits"}
    assert own <= set(ATTEMPTS)
    assert list(frame["number"]) == [1, 2]
    assert str(frame["http_status"].dtype) == "Int64"
    assert frame["http_status"].iloc[0] == 429
    assert missing(frame["http_status"].iloc[1])
    assert frame["seconds"].sum() == 3.0
    assert list(frame["outcome"]) == ["rate_limited", "completed"]


def test_no_attempts_are_an_empty_table() -> None:
    frame = attempts_frame([])
    assert frame.empty
    assert list(frame.columns) == ATTEMPTS


@pytest.mark.parametrize("known", [True, False])
def test_what_an_attempt_took_stands_in_columns_of_one_type(*, known: bool) -> None:
    paid = replace(
        attempt(2),
        usage=Usage(input_tokens=900, output_tokens=80, searches=3, cost_usd=0.02),
        limits=RateLimits(requests_remaining=4),
        request_id="req_1",
    )
    frame = attempts_frame([attempt(1), paid] if known else [attempt(1)])
    whole = ["input_tokens", "output_tokens", "searches"]
    assert [str(frame[name].dtype) for name in whole] == ["Int64"] * 3
    numbers = ["cost_usd", "requests_remaining", "tokens_remaining"]
    assert [str(frame[name].dtype) for name in numbers] == ["float64"] * 3
    assert frame.loc[0, whole + numbers].isna().all()
    if known:
        assert list(frame.loc[1, whole]) == [900, 80, 3]
        assert frame.loc[1, "cost_usd"] == 0.02
        assert frame.loc[1, "requests_remaining"] == 4
        assert frame.loc[1, "request_id"] == "req_1"


EVIDENCE = [
    *("company_name", "position", "field", "value"),
    *("source", "quote", "confidence", "at"),
]
AT = "2026-11-23T09:00:00+00:00"


def proof(number: int, confidence: float | None = 0.5) -> Evidence:
    return Evidence(
        source=f"https://acme.de/{number}", quote="so", confidence=confidence, at=AT
    )


def test_evidence_is_one_row_a_field_and_source_in_the_order_of_the_list() -> None:
    first = Research(
        fields={"size": "12 people", "news": "none", "none": None},
        evidence={"size": (proof(1), proof(2, None)), "news": (proof(3),)},
    )
    second = Research(fields={"size": "many"}, evidence={"size": (proof(4),)})
    list_of_three = source(3).set_index(pd.Index(["x", "y", "z"]))
    outcomes = [completed(2, second), failed(1), completed(0, first)]
    frame = evidence_frame(list_of_three, outcomes)
    assert list(frame.columns) == EVIDENCE
    assert list(frame["company_name"]) == ["Company 0"] * 3 + ["Company 2"]
    assert list(frame["position"]) == [0, 0, 0, 2]
    assert list(frame["field"]) == ["size", "size", "news", "size"]
    assert list(frame["value"]) == ["12 people", "12 people", "none", "many"]
    assert list(frame["source"].str[-1]) == ["1", "2", "3", "4"]
    assert str(frame["confidence"].dtype) == "float64"
    assert frame["confidence"].isna().tolist() == [False, True, False, False]
    assert set(frame["at"]) == {AT}


def test_without_evidence_its_table_is_empty_and_has_its_columns() -> None:
    frame = evidence_frame(source(), [completed(0, Research(fields={"a": 1}))])
    assert frame.empty
    assert list(frame.columns) == EVIDENCE
    assert str(frame["confidence"].dtype) == "float64"


def test_the_cost_of_an_account_is_that_of_all_its_attempts() -> None:
    paid = replace(completed(0, Research(cost_usd=0.5)), cost_usd=1.25)
    frame = results_frame(source(), [paid, replace(failed(1), cost_usd=0.25)])
    assert list(frame["cost_usd"])[:2] == [1.25, 0.25]
    assert missing(frame["cost_usd"].iloc[2])


def test_whole_numbers_and_truth_values_keep_their_kind_beside_gaps() -> None:
    large = 2**53 + 1
    outcomes = [
        completed(0, Research(fields={"count": large, "public": True})),
        completed(1, Research(fields={"count": 2**70})),
    ]
    frame = results_frame(source(2), outcomes[:1])
    assert str(frame["count"].dtype) == "Int64"
    assert frame["count"].iloc[0] == large
    assert str(frame["public"].dtype) == "boolean"
    assert results_frame(source(2), outcomes)["count"].iloc[1] == 2**70


def test_what_a_person_has_set_stands_in_place_of_research_and_source() -> None:
    research = Research(fields={"owner": "Bob"}, tier="C", priority_score=2)
    given = source(owner=["Ann", None, "Cy", "Di"])
    edits = {
        0: Edit(tier="A", priority_score=9, owner="Eve"),
        1: Edit(priority_score=7),
        2: Edit(owner=""),
    }
    outcomes = [completed(0, research), completed(1, research), failed(3)]
    frame = results_frame(given, outcomes, edits=edits)
    assert list(frame["tier"])[:2] == ["A", "C"]
    assert list(frame["priority_score"])[:2] == [9, 7]
    assert list(frame["owner"].fillna("-")) == ["Eve", "-", "", "Di"]
    assert str(frame["owner"].dtype) == str(given["owner"].dtype)
    assert frame["research_owner"].iloc[0] == "Bob"
    assert str(frame["priority_score"].dtype) == "Int64"
    assert given["owner"].iloc[0] == "Ann"


def test_a_persons_tier_is_there_before_the_account_is_researched() -> None:
    frame = results_frame(source(2), [], edits={1: Edit(tier="B")})
    assert frame["tier"].iloc[1] == "B"
    assert list(frame["status"]) == ["pending", "pending"]


def test_notes_are_the_very_last_column_and_only_when_there_are_some() -> None:
    found = [completed(0, Research(fields={"summary": "Anvils"}))]
    frame = results_frame(source(), found, edits={2: Edit(notes="call them")})
    assert list(frame.columns) == [*SOURCE, *BEFORE, "summary", *AFTER, "notes"]
    assert frame["notes"].iloc[2] == "call them"
    assert frame["notes"].isna().sum() == 3
    frame = results_frame(source(), found, edits={2: Edit(tier="A")})
    assert "notes" not in frame.columns


@pytest.mark.parametrize("values", [["from the CRM", ""], [1, 2], [True, None]])
def test_notes_replace_those_of_the_source(values: list[object]) -> None:
    given = source(2, notes=values)
    frame = results_frame(given, [], edits={1: Edit(notes="call them")})
    assert list(frame.columns) == [*SOURCE, "notes", *BEFORE, *AFTER]
    assert list(frame["notes"]) == [values[0], "call them"]
    assert str(results_frame(given, [])["notes"].dtype) == str(given["notes"].dtype)


def test_a_persons_notes_and_those_of_the_research_are_both_there() -> None:
    found = [completed(0, Research(fields={"notes": "of the model"}))]
    frame = results_frame(source(1), found, edits={0: Edit(notes="of a person")})
    row = frame.iloc[0]
    assert (row["research_notes"], row["notes"]) == ("of the model", "of a person")
    assert "notes" in results_frame(source(1), found).columns


def test_an_owner_set_by_a_person_needs_no_column_of_the_source() -> None:
    given = source().set_axis([5, 5, 6, 7])
    frame = results_frame(given, [], edits={1: Edit(owner="Eve")})
    assert list(frame.columns) == [*SOURCE, "owner", *BEFORE, *AFTER]
    assert [None if missing(each) else each for each in frame["owner"]] == [
        *(None, "Eve", None, None)
    ]
