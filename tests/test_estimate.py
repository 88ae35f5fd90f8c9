"""What the rest will take, in a sentence, from how accounts ended."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sdr_kit.account import Outcome, Research
from sdr_kit.estimate import Estimate
from sdr_kit.memory_store import MemoryStore
from sdr_kit.outlook import Range
from sdr_kit.planned import Terms, maybe_estimate
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, Store
from sdr_kit.stored_job import Beginning
from tests.accounts import made_up


def approx(number: float) -> Any:
    return pytest.approx(number)


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


TERMS = Terms(settings=Settings())


def test_of_nothing_nothing_is_known() -> None:
    assert maybe_estimate([], accounts=10, concurrency=5, terms=TERMS) is None


def estimated(known: list[Outcome], *, accounts: int, concurrency: int) -> Estimate:
    estimate = maybe_estimate(
        known, accounts=accounts, concurrency=concurrency, terms=TERMS
    )
    assert estimate is not None
    return estimate


def test_it_reads_as_a_person_would_say_it() -> None:
    known = ended(*(0.008 + 0.0008 * number for number in range(10)), seconds=8.1)
    said = str(estimated(known, accounts=4_812, concurrency=5))
    assert re.fullmatch(
        r"4,812 accounts at 5: 2 h 0\d min to 2 h 1\d min, \$\d\d to \$\d\d, "
        r"0 to \d\d\d failing",
        said,
    )


def test_it_says_how_many_fail_and_when_no_cost_is_known() -> None:
    said = str(estimated(ended(None, None, failed=1), accounts=20, concurrency=2))
    assert re.fullmatch(r"20 accounts at 2: .*, cost unknown, \d+ to \d+ failing", said)


def test_when_all_have_failed_all_others_may() -> None:
    estimate = estimated(ended(None, None, failed=2), accounts=20, concurrency=2)
    assert estimate.failing.high == 20


def test_accounts_that_fail_for_nothing_make_the_rest_cheaper() -> None:
    known = ended(None, None, *[1.0] * 8, failed=2)
    cost = estimated(known, accounts=1_000, concurrency=2).cost_usd
    assert cost is not None
    assert cost.low < 800 < cost.high < 1_000


def test_answers_whose_cost_nobody_says_are_taken_to_cost_what_the_others_do() -> None:
    known = ended(None, *[1.0] * 4)
    cost = estimated(known, accounts=100, concurrency=2).cost_usd
    assert cost == Range(low=approx(100), mid=approx(100), high=approx(100))


def test_more_slots_than_accounts_do_not_make_it_faster() -> None:
    known = ended(*[1.0] * 30)
    two, ten = (estimated(known, accounts=2, concurrency=each) for each in (2, 10))
    assert two.seconds == ten.seconds
    assert two.seconds.mid == approx(8)


def test_what_is_reused_took_nothing_and_says_nothing() -> None:
    (found,) = ended(1.0)
    reused = found.taken_over(3, job_id=1)
    assert maybe_estimate([reused], accounts=10, concurrency=5, terms=TERMS) is None
    both = estimated([found, reused], accounts=10, concurrency=5)
    assert both == estimated([found], accounts=10, concurrency=5)


def test_nothing_costs_less_than_nothing() -> None:
    cost = estimated(ended(0.0, 0.0, 5.0), accounts=10, concurrency=1).cost_usd
    assert cost is not None
    assert 0 <= cost.low < cost.high


def test_no_accounts_take_nothing() -> None:
    estimate = estimated(ended(1.0, 2.0), accounts=0, concurrency=5)
    assert str(estimate) == "0 accounts at 5: 0.0 s, $0"


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
