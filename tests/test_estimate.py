"""What the rest will cost: the range holds what is drawn, as often as it says."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from sdr_kit.account import Outcome, Research
from sdr_kit.estimate import maybe_estimate
from sdr_kit.memory_store import MemoryStore
from sdr_kit.store import AnyStore, Store
from sdr_kit.stored_job import Beginning
from tests.accounts import made_up


def ended(*costs: float | None, seconds: float = 8.0, failed: int = 0) -> list[Outcome]:
    return [
        Outcome(
            position=position,
            status="failed" if position < failed else "completed",
            attempts=1,
            seconds=seconds,
            finished=float(position),
            research=None if position < failed else Research(),
            error_kind="permanent" if position < failed else None,
            error_message="no" if position < failed else None,
            cost_usd=cost,
        )
        for position, cost in enumerate(costs)
    ]


def test_of_nothing_nothing_is_known() -> None:
    assert maybe_estimate([], accounts=10, concurrency=5) is None


def test_it_reads_as_a_person_would_say_it() -> None:
    known = ended(*(0.008 + 0.0008 * number for number in range(10)), seconds=8.1)
    said = str(maybe_estimate(known, accounts=4_812, concurrency=5))
    assert said == "4,812 accounts, about $49–63, about 2 h 10 min at 5"
    assert str(maybe_estimate(known[:1], accounts=1, concurrency=5)) == (
        "1 account, about $0.008, about 8.1 s at 5"
    )


def test_it_says_how_many_fail_and_when_no_cost_is_known() -> None:
    said = str(maybe_estimate(ended(None, None, failed=1), accounts=20, concurrency=2))
    assert said == "20 accounts, cost unknown, about 1 min at 2, about 50% failing"


def test_accounts_that_fail_for_nothing_make_the_rest_cheaper() -> None:
    known = ended(None, None, *[1.0] * 8, failed=2)
    estimate = maybe_estimate(known, accounts=100, concurrency=2)
    assert estimate is not None
    assert estimate.cost_usd is not None
    assert sum(estimate.cost_usd) / 2 == pytest.approx(80.0)


def test_answers_whose_cost_nobody_says_are_taken_to_cost_what_the_others_do() -> None:
    known = ended(None, *[1.0] * 4)
    estimate = maybe_estimate(known, accounts=100, concurrency=2)
    assert estimate is not None
    assert estimate.cost_usd == (100.0, 100.0)


def test_more_slots_than_accounts_do_not_make_it_faster() -> None:
    estimate = maybe_estimate(ended(1.0), accounts=2, concurrency=10)
    assert estimate is not None
    assert estimate.seconds == 8.0


@pytest.mark.parametrize("number", [10, 100])
def test_the_range_holds_the_truth_as_often_as_it_says(number: int) -> None:
    rng = random.Random(1)
    held, trials = 0, 2_000
    for _ in range(trials):
        costs = [rng.gauss(1.0, 0.2) for _ in range(10 + number)]
        estimate = maybe_estimate(ended(*costs[:10]), accounts=number, concurrency=1)
        assert estimate is not None
        assert estimate.cost_usd is not None
        low, high = estimate.cost_usd
        held += low <= sum(costs[10:]) <= high
    assert 0.88 <= held / trials <= 0.92  # 90 %, give or take three standard errors


@pytest.mark.parametrize(
    ("sample", "student"), [(4, 2.353), (6, 2.015), (10, 1.833), (31, 1.697)]
)
def test_the_range_is_as_wide_as_the_tables_of_students_t_say(
    sample: int, student: float
) -> None:
    """The quantiles are those of any table: 95 % for one side, sample - 1 degrees."""
    costs = [10.0 + number % 2 for number in range(sample)]
    estimate = maybe_estimate(ended(*costs), accounts=1, concurrency=1)
    assert estimate is not None
    assert estimate.cost_usd is not None
    low, high = estimate.cost_usd
    either_way = student * statistics.stdev(costs) * math.sqrt(1 + 1 / sample)
    assert (high - low) / 2 == pytest.approx(either_way, rel=0.02)


def test_nothing_costs_less_than_nothing() -> None:
    estimate = maybe_estimate(ended(0.0, 0.0, 5.0), accounts=10, concurrency=1)
    assert estimate is not None
    assert estimate.cost_usd is not None
    assert estimate.cost_usd[0] == 0.0


def test_no_accounts_take_nothing() -> None:
    estimate = maybe_estimate(ended(1.0, 2.0), accounts=0, concurrency=5)
    assert str(estimate) == "0 accounts, about $0, about 0.0 s at 5"


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_store_knows_how_the_last_accounts_of_a_researcher_ended(kind: str) -> None:
    store: AnyStore = MemoryStore() if kind == "memory" else Store("sqlite:///e.db")
    for terms, cost in (("a", 1.0), ("b", 2.0), (None, 3.0), ("a", 4.0)):
        job_id = store.create_job(
            list(made_up(3)), Beginning(researcher="x", concurrency=1, terms=terms)
        )
        record, close = store.open_writer(job_id)
        record([], ended(cost, cost + 0.1, cost + 0.2))
        close()
    found = [each.cost_usd for each in store.latest("a", limit=4)]
    assert found == [4.2, 4.1, 4.0, 1.2]
    assert store.latest("c", limit=4) == []
