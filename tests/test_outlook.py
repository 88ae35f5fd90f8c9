"""What a sample says of the others: the range holds the truth as often as it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from sdr_kit.climb import climbed_seconds
from sdr_kit.law.learned import NOTHING_LEARNED
from sdr_kit.outlook import Draws, Known, Outlook, Range, Search
from sdr_kit.schedules import Leg, ideal_seconds, scheduled_seconds

# What accounts take, in seconds: so many drawn from a kind.
Kind = Callable[[np.random.Generator, int], Draws]


def lognormal(sigma: float) -> Kind:
    return lambda rng, number: 2 * np.exp(sigma * rng.standard_normal(number))


def of_two_kinds(share: float, factor: float) -> Kind:
    def draw(rng: np.random.Generator, number: int) -> Draws:
        slow = rng.random(number) < share
        return np.where(slow, factor, 1.0) * lognormal(0.1)(rng, number)

    return draw


def known(works: Draws) -> list[Known]:
    return [
        Known(legs=[(0.0, work)], cost_usd=work / 100, failed=False)
        for work in works.tolist()
    ]


def holds(range_: Range, truth: float) -> bool:
    return bool(range_.low * (1 - 1e-9) <= truth <= range_.high * (1 + 1e-9))


UNPRICED: dict[str, Any] = {"cost_usd": None, "failed": False}
TRIALS = 100  # the share held is then right to 4 in 100


KINDS: dict[str, tuple[Kind, int, float]] = {
    "constant": (lambda _, number: np.full(number, 2.0), 10, 1.0),
    "uniform": (lambda rng, number: rng.uniform(1, 3, number), 10, 0.72),
    "exponential": (lambda rng, number: rng.exponential(2, number), 10, 0.72),
    "lognormal 0.3": (lognormal(0.3), 10, 0.72),
    "lognormal 0.6": (lognormal(0.6), 10, 0.72),
    "lognormal 0.9": (lognormal(0.9), 10, 0.72),
    "lognormal 1.2": (lognormal(1.2), 10, 0.72),
    "lognormal 1.2, from 5": (lognormal(1.2), 5, 0.7),
    "lognormal 0.6, from 100": (lognormal(0.6), 100, 0.72),
    "half of them slow": (of_two_kinds(0.5, 5), 10, 0.72),
    "a fifth slow": (of_two_kinds(0.2, 10), 10, 0.72),
    "a fifth slow, from 40": (of_two_kinds(0.2, 10), 40, 0.72),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_range_holds_the_truth_in_eighty_of_a_hundred_cases(
    name: str,
) -> None:
    kind, sample, at_least = KINDS[name]
    rng = np.random.default_rng(5)
    times = costs = 0
    for _ in range(TRIALS):
        outlook = Outlook(known(kind(rng, sample)), accounts=400)
        truth = kind(rng, 400)
        seconds = ideal_seconds(truth.tolist(), concurrency=8)
        times += holds(Range.of(outlook.seconds(8)), seconds)
        assert outlook.costs is not None
        costs += holds(Range.of(outlook.costs), truth.sum() / 100)
    assert times / TRIALS >= at_least
    assert costs / TRIALS >= at_least


@pytest.mark.parametrize("sample", [10, 100])
def test_the_range_is_not_so_wide_that_it_says_nothing(sample: int) -> None:
    rng = np.random.default_rng(6)
    outlook = Outlook(known(lognormal(0.6)(rng, sample)), accounts=1_000)
    seconds = Range.of(outlook.seconds(5))
    assert seconds.high / seconds.low < {10: 2.3, 100: 1.4}[sample]


def test_the_same_sample_gives_the_same_range() -> None:
    sample = known(np.array([1.0, 2.0, 3.0]))
    one, other = (Outlook(sample, accounts=50) for _ in range(2))
    assert (one.seconds(3) == other.seconds(3)).all()


def test_the_slowest_account_bounds_a_short_list_whatever_the_concurrency() -> None:
    outlook = Outlook(known(np.array([1.0] * 9 + [60.0])), accounts=20)
    assert Range.of(outlook.seconds(20)).high >= 55


def test_more_at_once_is_never_slower_in_any_case_drawn() -> None:
    outlook = Outlook(known(np.array([1.0, 2.0, 4.0])), accounts=5_000)
    times = [outlook.seconds(level) for level in (1, 3, 10, 50)]
    for slower, faster in pairwise(times):
        assert (faster <= slower * 1.001).all()


def test_a_long_list_is_as_many_times_longer() -> None:
    """The end is scheduled, the rest is work ÷ slots: both give the same time."""
    sample = known(np.array([1.0, 2.0, 3.0] * 20))
    short, long = (
        Range.of(Outlook(sample, accounts=each).seconds(5)).mid
        for each in (2_000, 20_000)
    )
    assert long / short == pytest.approx(10, rel=0.03)


def test_starts_that_are_paced_bound_the_time_from_below() -> None:
    outlook = Outlook(known(np.array([1.0] * 10)), accounts=601, gap=2.0)
    assert Range.of(outlook.seconds(10)).low >= 1_200
    assert Range.of(outlook.seconds(10)).high < 1_210
    assert Range.of(outlook.seconds(1)).high < 1_210


def test_a_providers_pace_bounds_it_and_some_of_it_is_lost() -> None:
    outlook = Outlook(known(np.array([1.0] * 10)), accounts=601, starts_per_minute=30)
    seconds = Range.of(outlook.seconds(10))
    assert 1_200 <= seconds.low < 1_205
    assert 1_210 < seconds.high < 1_210 * 1.2


def test_retries_take_slots_and_their_waits_do_not() -> None:
    rng = np.random.default_rng(8)
    some_twice = [
        Known(legs=[(0, 1 + rng.random()), (30, 1)][: 1 + number % 2], **UNPRICED)
        for number in range(60)
    ]
    outlook = Outlook(some_twice, accounts=1_200)
    exact = scheduled_seconds([each.legs for each in some_twice] * 20, concurrency=10)
    assert Range.of(outlook.seconds(10)).mid == pytest.approx(exact, rel=0.05)
    assert exact == pytest.approx(120 * 2 + 30, rel=0.05)
    assert outlook.costs is None


def test_failures_are_none_to_some_when_the_sample_had_none() -> None:
    failing = Outlook(known(np.array([1.0] * 10)), accounts=1_000).failing
    assert (failing.low, failing.mid) == (0, 0)
    assert 60 < failing.high < 250


def test_two_accounts_that_differ_much_do_not_make_it_take_forever() -> None:
    """Two logarithms may come from any spread; e³ at most is believed."""
    outlook = Outlook(known(np.array([1.0, 1_000.0])), accounts=50)
    assert outlook.seconds(1).max() < 1e10


def test_no_time_and_no_cost_are_fine() -> None:
    outlook = Outlook(known(np.zeros(5)), accounts=100)
    assert Range.of(outlook.seconds(5)) == Range(low=0, mid=0, high=0)
    assert outlook.costs is not None
    assert outlook.costs.max() == 0


def test_one_account_is_a_sample() -> None:
    seconds = Range.of(Outlook(known(np.array([2.0])), accounts=10).seconds(1))
    assert seconds.low < 20 < seconds.high


# Auto: the law itself opens the slots.


@pytest.mark.parametrize("accounts", [100, 300, 900, 3_000])
def test_in_auto_it_takes_as_long_as_the_law_makes_it(accounts: int) -> None:
    outlook = Outlook(known(np.full(200, 0.6)), accounts=accounts)
    sure = Search(most=50, taken=50)
    drawn, seconds = outlook.auto_seconds(sure)
    exact = climbed_seconds(
        [0.6] * accounts,
        limit=50,
        cap=math.inf,
        accounts=accounts,
        learned=NOTHING_LEARNED,
    )
    assert seconds.mid == pytest.approx(exact, rel=0.04)
    assert exact > ideal_seconds([0.6] * accounts, concurrency=50)
    assert seconds == Range.of(drawn)


def test_in_auto_it_takes_as_long_as_the_provider_makes_it() -> None:
    outlook = Outlook(known(np.full(200, 2.0)), accounts=200)
    _, capped = outlook.auto_seconds(Search(most=50, cap=5, taken=5))
    assert capped.mid == pytest.approx(outlook.seconds(5).mean(), rel=0.1)
    drawn, unknown = outlook.auto_seconds(Search(most=50, taken=5))
    _, best = outlook.auto_seconds(Search(most=50, taken=50))
    assert unknown.low == pytest.approx(best.low, rel=0.05)
    assert unknown.high == pytest.approx(capped.high, rel=0.05)
    assert 0.3 < np.mean(drawn <= best.high) < 0.7
    paced = Outlook(known(np.full(200, 2.0)), accounts=200, starts_per_minute=30)
    assert paced.auto_seconds(Search(most=50, taken=50))[1].low >= 2 * 199


# The schedule that the times are drawn with.


def test_one_call_an_account_is_list_scheduling() -> None:
    rng = np.random.default_rng(7)
    for concurrency in (1, 3, 10):
        latencies = rng.exponential(1, 40).tolist()
        assert scheduled_seconds(
            [[(0, each)] for each in latencies], concurrency=concurrency
        ) == ideal_seconds(latencies, concurrency=concurrency)


def test_who_waits_for_another_try_holds_no_slot_and_goes_ahead_then() -> None:
    accounts: list[Sequence[Leg]] = [[(0, 1), (1.5, 1)], [(0, 1)], [(0, 1)], [(0, 1)]]
    # 0: first, 1: second, 2: third, 3: the first again, 4: fourth.
    assert scheduled_seconds(accounts, concurrency=1) == 5
    assert scheduled_seconds(accounts[:1], concurrency=1) == 3.5
    assert scheduled_seconds(accounts[:2], concurrency=2) == 3.5


def test_starts_keep_their_distance() -> None:
    assert scheduled_seconds([[(0, 1)]] * 4, concurrency=9, gap=0.5) == 2.5


def test_nobody_takes_no_time() -> None:
    assert scheduled_seconds([], concurrency=3) == 0
    assert scheduled_seconds([[], []], concurrency=3) == 0
