"""The values refuse nonsense, and hold only what a store can give back."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sdr_kit.account import (
    QUOTE_CHARACTERS,
    Account,
    Edit,
    ErrorKind,
    Evidence,
    Outcome,
    RateLimits,
    Research,
    Status,
    Usage,
)
from sdr_kit.plain import NESTED_COLUMNS

NAN = math.nan


def kept(value: object) -> object:
    return Research(fields={"column": value}).fields["column"]


class Colour(enum.Enum):
    RED = "red"


class TagLike:
    """Has every attribute, as a tag of BeautifulSoup does."""

    def __getattr__(self, name: str) -> None:
        return None

    def __str__(self) -> str:
        return "<b>Acme</b>"


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\N{NO-BREAK SPACE}"])
def test_an_account_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="company_name is blank"):
        Account(company_name=name)


def test_values_are_frozen_and_hashable() -> None:
    account = Account(company_name="Acme", extra={"a": [1]})
    research = Research(fields={"a": [1]})
    assert len({account, research}) == 2
    for value in (account, research):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, "other")


def test_values_of_two_accounts_or_researches_are_not_shared() -> None:
    assert Account(company_name="A").extra is not Account(company_name="B").extra
    given = {"a": 1}
    research = Research(fields=given)
    given["a"] = 2
    assert research.fields == {"a": 1}


@pytest.mark.parametrize("tier", ["D", "a", "", " A", 1])
def test_a_wrong_tier_is_refused(tier: Any) -> None:
    with pytest.raises(ValueError, match="it must be A, B, C or None"):
        Research(tier=tier)


@pytest.mark.parametrize("priority", [0, 11, -1, 2.5, "7", NAN])
def test_a_wrong_priority_is_refused(priority: Any) -> None:
    with pytest.raises(ValueError, match="it must be 1 to 10 or None"):
        Research(priority_score=priority)


@pytest.mark.parametrize("cost", [-0.01, NAN, math.inf, -math.inf])
def test_a_wrong_cost_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="it must be 0 or more"):
        Research(cost_usd=cost)


@pytest.mark.parametrize("priority", [7, 7.0, np.int64(7), np.float64(7)], ids=repr)
def test_a_priority_becomes_an_int_that_can_be_stored(priority: Any) -> None:
    research = Research(priority_score=priority)
    assert (type(research.priority_score), research.priority_score) == (int, 7)


@pytest.mark.parametrize("cost", [0.25, Decimal("0.25"), np.float32(0.25)], ids=repr)
def test_a_cost_becomes_a_float_that_can_be_stored(cost: Any) -> None:
    research = Research(cost_usd=cost)
    assert (type(research.cost_usd), research.cost_usd) == (float, 0.25)


def test_the_edges_of_the_ranges_are_allowed() -> None:
    assert Research(priority_score=1, cost_usd=0).cost_usd == 0
    assert Research(priority_score=10, tier="C").tier == "C"


def test_a_mapping_is_read_with_its_three_special_columns_taken_out() -> None:
    answer: dict[Any, object] = {
        "summary": "Makes anvils",
        "tier": " b ",
        "priority_score": "7.0",
        "cost_usd": "0.02",
        5: True,
    }
    assert Research.from_mapping(answer) == Research(
        fields={"summary": "Makes anvils", "5": True},
        tier="B",
        priority_score=7,
        cost_usd=0.02,
    )
    assert len(answer) == 5  # what the researcher keeps is not touched


@pytest.mark.parametrize(
    "blank", [None, "", "  ", NAN, np.float32("nan"), pd.NA, pd.NaT], ids=repr
)
@pytest.mark.parametrize("name", ["tier", "priority_score", "cost_usd"])
def test_a_blank_special_column_counts_as_absent(name: str, blank: object) -> None:
    assert Research.from_mapping({name: blank}) == Research()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tier", "D", "tier is 'D'"),
        ("tier", ["A"], "tier is"),
        ("priority_score", 11, "priority_score is 11"),
        ("priority_score", 7.5, "must be a whole number"),
        ("priority_score", math.inf, "must be a whole number"),
        ("priority_score", "high", "'high'; it must be a whole number, 1 to 10"),
        ("priority_score", ["7"], r"\['7'\]; it must be a whole number, 1 to 10"),
        ("priority_score", 10**400, "must be a whole number"),
        ("cost_usd", -1, "cost_usd is -1"),
        ("cost_usd", "cheap", "'cheap'; it must be a number of US dollars"),
        ("cost_usd", {"usd": 1}, "it must be a number of US dollars"),
        ("cost_usd", 10**400, "it must be a number of US dollars"),
        ("cost_usd", math.inf, "cost_usd is inf"),
    ],
)
def test_a_wrong_special_column_is_refused(
    name: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Research.from_mapping({name: value})


def columns(answer: dict[Any, object]) -> dict[str, object]:
    return dict(Research.from_mapping(answer).fields)


def test_a_nested_mapping_becomes_columns_with_dotted_names() -> None:
    answer = {
        "summary": "Makes anvils",
        "auth": {"provider": "Okta", "since": 2020, "mfa": {"kind": "totp"}},
        "employees": 12,
    }
    assert list(columns(answer).items()) == [
        ("summary", "Makes anvils"),
        ("auth.provider", "Okta"),
        ("auth.since", 2020),
        ("auth.mfa.kind", "totp"),
        ("employees", 12),
    ]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"a": {}}, {"a": {}}),
        ({"a": {"b": {}}}, {"a.b": {}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}),
        ({"a": {"b": [1, {"c": 2}]}}, {"a.b": [1, {"c": 2}]}),
        ({"a": MappingProxyType({"b": 1})}, {"a.b": 1}),
        ({1: {2: "x", None: {True: "y"}}}, {"1.2": "x", "1.None.True": "y"}),
        ({"a": {("b", 1): 2}}, {"a.('b', 1)": 2}),
        ({"": {"": 1}}, {".": 1}),
        ({"a": {"b": {"c": {"d": 1}}}}, {"a.b.c.d": 1}),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a.b.c.d": {"e": 1}}),
        (
            {"a": {"n": NAN, "d": datetime.date(2026, 1, 2)}},
            {"a.n": None, "a.d": "2026-01-02"},
        ),
    ],
    ids=repr,
)
def test_what_is_nested_is_kept_whole_or_as_columns(
    answer: dict[Any, object], found: dict[str, object]
) -> None:
    assert columns(answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"a": {"b": 1}, "a.b": 2}, {"a.b_2": 1, "a.b": 2}),
        ({"a.b": 2, "a": {"b": 1}}, {"a.b": 2, "a.b_2": 1}),
        ({"a": {"b.c": 1, "b": {"c": 2}}}, {"a.b.c": 1, "a.b.c_2": 2}),
        ({"a": {"b": 1}, "a.b": 2, "a.b_2": 3}, {"a.b_3": 1, "a.b": 2, "a.b_2": 3}),
        ({1: "x", "1": "y", "1_2": "z"}, {"1": "x", "1_2": "y", "1_2_2": "z"}),
        ({"a": {1: "x", "1": "y"}}, {"a.1": "x", "a.1_2": "y"}),
    ],
    ids=repr,
)
def test_names_that_meet_lose_no_value(
    answer: dict[Any, object], found: dict[str, object]
) -> None:
    assert columns(answer) == found


def test_a_dictionary_of_many_things_does_not_widen_the_table() -> None:
    many: dict[str, object] = {f"id-{i}": i for i in range(NESTED_COLUMNS)}
    assert len(columns({"auth": many})) == NESTED_COLUMNS
    found = columns({"auth": {"provider": "Okta"}, "by_id": many, "last": {"x": 1}})
    assert found == {"auth.provider": "Okta", "by_id": many, "last.x": 1}
    wide: dict[Any, object] = {f"column {i}": i for i in range(3 * NESTED_COLUMNS)}
    assert columns(wide) == wide


def test_the_special_columns_are_taken_from_the_top_only() -> None:
    answer = {"auth": {"tier": "Gold", "priority_score": 99}, "tier": "B"}
    assert Research.from_mapping(answer) == Research(
        fields={"auth.tier": "Gold", "auth.priority_score": 99}, tier="B"
    )
    with pytest.raises(ValueError, match="tier is"):
        Research.from_mapping({"tier": {"value": "A"}})


def endless_mapping() -> dict[str, Any]:
    answer: dict[str, Any] = {"name": "Acme"}
    answer["self"] = answer
    answer["again"] = {"self": answer}
    return answer


def endless_list() -> dict[str, Any]:
    found: list[Any] = []
    found.append(found)
    return {"facts": found}


@pytest.mark.parametrize("answer", [endless_mapping(), endless_list()], ids=["m", "l"])
def test_an_answer_that_contains_itself_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"column '.*': it contains itself"):
        Research.from_mapping(answer)
    with pytest.raises(ValueError, match=r"column '.*': it contains itself"):
        Research(fields=answer)


async def fetched() -> str:
    return "found"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fetched, "it was not awaited; write `await`"),
        (lambda: [fetched()], "it was not awaited; write `await`"),
        (lambda: (fact for fact in ("a", "b")), "it is a generator; make a list"),
        (lambda: map(str, [1]), "it is a map; make a list"),
        (lambda: fetched, r"it is a function; call it, with \(\)"),
        (lambda: "Acme".upper, r"it is a function; call it, with \(\)"),
        (object, "it is an? object, which has no text; take out what you need"),
        (lambda: 10**5000, "digits"),
    ],
    ids=[
        *("coroutine", "in a list", "generator", "map", "function", "method"),
        *("object", "number"),
    ],
)
def test_what_stands_for_a_value_is_refused_by_the_name_of_its_column(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^column 'auth.provider': .*{message}"):
        Research.from_mapping({"auth": {"provider": make()}})


@pytest.mark.parametrize("name", ["tier", "priority_score", "cost_usd"])
def test_a_special_column_that_was_not_awaited_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: it was not awaited"):
        Research.from_mapping({name: fetched()})


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        ("text", "text"),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (NAN, None),
        (math.inf, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.float64(1.5), 1.5),
        (np.float32("nan"), None),
        (np.int64(3), 3),
        (np.bool_(1), True),
        (np.str_("word"), "word"),
        (np.array([[1.0, NAN], [2.0, 3.0]]), [[1.0, None], [2.0, 3.0]]),
        (pd.Series(["a", None]), ["a", None]),
        (
            pd.Series([pd.Timestamp("2026-01-02"), pd.NaT]),
            ["2026-01-02T00:00:00", None],
        ),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (
            datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC),
            "2026-01-02T03:00:00+00:00",
        ),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05"),
        (np.datetime64("NaT", "ns"), None),
        (np.timedelta64(90, "s").astype("m8[ns]"), "0:01:30"),
        (np.array(["2026-01-02"], "M8[ns]"), ["2026-01-02T00:00:00"]),
        ((1, (2, 3)), [1, [2, 3]]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({1}), [1]),
        ({1: {"two": np.int8(2)}}, {"1": {"two": 2}}),
        (b"caf\xc3\xa9 \xff", "café \N{REPLACEMENT CHARACTER}"),
        (Colour.RED, "red"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("a/b"), "a/b"),
        (TagLike(), "<b>Acme</b>"),
        ("half \ud83d", "half ?"),
        ([], []),
        ({}, {}),
    ],
)
def test_a_value_becomes_what_json_can_hold(value: object, plain: object) -> None:
    found = kept(value)
    assert found == plain
    assert type(found) is type(plain)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_json_can_hold_is_left_as_it_is() -> None:
    fields = {"a": [1, {"b": None}], "c": {"d": 1.5, "e": "é"}}
    assert Research(fields=fields).fields == fields
    assert Research(fields=Research(fields=fields).fields).fields == fields


@pytest.mark.parametrize(
    ("status", "research", "error_kind"),
    [
        ("completed", None, None),
        ("completed", Research(), "permanent"),
        ("completed", None, "permanent"),
        ("failed", None, None),
        ("failed", Research(), None),
    ],
)
def test_an_outcome_that_contradicts_itself_is_refused(
    status: Status, research: Research | None, error_kind: ErrorKind | None
) -> None:
    with pytest.raises(ValueError, match="a completed outcome carries research"):
        Outcome(
            position=0,
            status=status,
            attempts=1,
            seconds=1.0,
            finished=1.0,
            research=research,
            error_kind=error_kind,
        )


def test_a_number_too_long_to_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        Research(fields={"n": 10**5000})


def test_an_edit_refuses_what_research_refuses() -> None:
    with pytest.raises(ValueError, match="tier is 'D'"):
        Edit(tier="D")
    with pytest.raises(ValueError, match="priority_score is 11"):
        Edit(priority_score=11)


def test_an_edit_is_true_when_anything_is_set() -> None:
    assert not Edit()
    assert Edit(notes="")


AT = "2026-11-23T10:00:00+01:00"


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("https://acme.de/a?b=c#d", "https://acme.de/a?b=c#d"),
        ("  http://acme.de/Zoë's_(1)\n", "http://acme.de/Zoë's_(1)"),
        ("HTTPS://ACME.DE", "HTTPS://ACME.DE"),
        (None, None),
        ("", None),
        ("acme.de", None),
        ("javascript:alert(1)//https://acme.de", None),
        ("data:text/html,https://acme.de", None),
        ("ftp://acme.de", None),
        ("https://", None),
        ("https:///etc/passwd", None),
        ("https://acme.de/ and https://b.de", None),
        ('https://acme.de/"onclick="x', None),
        ("https://acme.de/<script>", None),
        ("https://acme.de/\x00", None),
        ("https://acme.de/" + "x" * 3000, None),
    ],
)
def test_a_source_is_a_web_address_or_none(
    written: str | None, source: str | None
) -> None:
    assert Evidence(source=written, at=AT).source == source


def test_evidence_is_kept_in_utc_and_in_bounded_length() -> None:
    evidence = Evidence(quote="\ud83d" + "x" * 10**6, confidence=1, at=AT)
    assert evidence.at == "2026-11-23T09:00:00+00:00"
    assert evidence.quote == "?" + "x" * (QUOTE_CHARACTERS - 1)
    assert type(evidence.confidence) is float


@pytest.mark.parametrize("confidence", [-0.01, 1.01, 80, NAN, math.inf])
def test_a_confidence_outside_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="it must be 0 to 1"):
        Evidence(confidence=confidence, at=AT)


@pytest.mark.parametrize("at", ["", "now", "2026-11-23", "2026-11-23T10:00:00", None])
def test_a_time_without_a_zone_is_refused(at: Any) -> None:
    with pytest.raises(ValueError, match="with its zone"):
        Evidence(at=at)


def test_two_usages_add_up_and_an_unknown_cost_counts_as_nothing() -> None:
    one = Usage(input_tokens=1, output_tokens=2, searches=3)
    two = Usage(input_tokens=10, searches=5, cost_usd=0.5)
    assert one + two == Usage(
        input_tokens=11, output_tokens=2, searches=8, cost_usd=0.5
    )
    assert (one + one).cost_usd is None
    assert (two + two).cost_usd == 1.0


@pytest.mark.parametrize("kind", [Usage, RateLimits])
@pytest.mark.parametrize("wrong", [-1, NAN, math.inf, True, "many", "1", [1]])
def test_amounts_that_are_none_are_refused(
    kind: type[Usage] | type[RateLimits], wrong: Any
) -> None:
    for each in dataclasses.fields(kind):
        with pytest.raises(ValueError, match=f"{each.name} is .*; it must be 0 or mo"):
            kind(**{each.name: wrong})


def test_limits_are_true_when_anything_is_said() -> None:
    assert not RateLimits()
    assert RateLimits(requests_remaining=0)


@pytest.mark.parametrize(
    ("cost_usd", "usage", "cost", "spent"),
    [
        (None, None, None, None),
        (0.5, None, 0.5, Usage(cost_usd=0.5)),
        (None, Usage(searches=1), None, Usage(searches=1)),
        (0.5, Usage(searches=1), 0.5, Usage(searches=1, cost_usd=0.5)),
        (0.5, Usage(cost_usd=0.25), 0.25, Usage(cost_usd=0.25)),
        (None, Usage(cost_usd=0.0), 0.0, Usage(cost_usd=0.0)),
        (np.float32(0.5), None, 0.5, Usage(cost_usd=0.5)),
    ],
)
def test_the_cost_of_the_usage_is_the_cost(
    cost_usd: Any, usage: Usage | None, cost: float | None, spent: Usage | None
) -> None:
    research = Research(cost_usd=cost_usd, usage=usage)
    assert (research.cost_usd, research.spent) == (cost, spent)


def test_what_was_found_stands_alone_without_the_call() -> None:
    proofs = {"a": (Evidence(at=AT),)}
    bare = Research(fields={"a": 1}, cost_usd=0.5, evidence=proofs)
    called = dataclasses.replace(
        bare, usage=Usage(cost_usd=0.5), limits=RateLimits(), request_id="req_1"
    )
    assert called.without_call() == bare
    assert bare.without_call() is bare


def test_evidence_stands_by_field_and_empty_fields_are_absent() -> None:
    proofs: Any = {"a": [Evidence(at=AT)], "b": [], 3: (Evidence(at=AT),)}
    assert Research(evidence=proofs).evidence == {
        "a": (Evidence(at=AT),),
        "3": (Evidence(at=AT),),
    }
    wrong: Any = {"a": ["https://acme.de"]}
    with pytest.raises(ValueError, match="evidence of 'a'"):
        Research(evidence=wrong)


def test_an_outcome_costs_at_least_what_its_answer_costs() -> None:
    outcome = Outcome(
        position=0,
        status="completed",
        attempts=1,
        seconds=1.0,
        finished=1.0,
        research=Research(cost_usd=0.5),
    )
    assert outcome.cost_usd == 0.5
    assert dataclasses.replace(outcome, cost_usd=0.75).cost_usd == 0.75
