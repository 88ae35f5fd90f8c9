"""The values refuse nonsense, and hold only what a store can give back."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sdr_kit.account import Account, Edit, ErrorKind, Outcome, Research, Status

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
        ("priority_score", "high", "high"),
        ("cost_usd", -1, "cost_usd is -1"),
        ("cost_usd", "cheap", "cheap"),
        ("cost_usd", math.inf, "cost_usd is inf"),
    ],
)
def test_a_wrong_special_column_is_refused(
    name: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Research.from_mapping({name: value})


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
        ("failed", Research(), "permanent"),
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
