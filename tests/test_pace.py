"""How often a provider takes a call, found by its refusals."""

from __future__ import annotations

import math

import pytest

from sdr_kit.law.pace import Pace
from tests.simulation.hidden import Bucket, Window


def send(it: Pace, now: float, number: int) -> None:
    for _ in range(number):
        it.started(now)


def mark(it: Pace, at: float, wait: float, *, burst: int = 1) -> None:
    """A burst of refusals, of which the first is the mark."""
    it.refused(late=False)
    it.marked(at, wait)
    for _ in range(burst - 1):
        it.refused(late=True)


def taught(calls: int = 30, seconds: float = 10.0, wait: float = 1.0) -> Pace:
    """One that has met two marks, so many calls and so long apart."""
    it = Pace()
    send(it, 0.0, 10)
    mark(it, 0.0, wait)
    send(it, seconds / 2, calls)
    send(it, seconds, 1)
    mark(it, seconds, wait)
    it.started(seconds + wait)
    return it


def test_before_two_marks_nothing_is_known() -> None:
    it = Pace()
    send(it, 0.0, 100)
    mark(it, 0.0, 1.0)
    send(it, 1.0, 1)
    assert not it.known
    assert it.opens(1.0) == 1.0


def test_the_pace_is_one_more_than_the_calls_between_two_marks() -> None:
    assert taught(30, 10.0).per_second == pytest.approx(3.1)


def test_refusals_of_the_burst_do_not_count_as_taken() -> None:
    it = Pace()
    send(it, 0.0, 10)
    mark(it, 0.0, 1.0)
    send(it, 5.0, 30)
    mark(it, 10.0, 1.0, burst=6)  # the six are of the thirty
    it.started(11.0)
    assert it.per_second == pytest.approx((24 + 1) / 10)


def test_starts_come_out_of_a_bucket_that_fills_at_the_pace() -> None:
    it = taught(30, 10.0, wait=1.0)
    now, starts = 11.0, []
    while now < 16:
        now = max(now, it.opens(now))
        it.started(now)
        starts.append(now)
    assert len(starts) == pytest.approx(5 * 3.1, abs=3)
    assert it.opens(now) > now


def test_the_pace_grows_little_by_little_while_nothing_is_refused() -> None:
    it = taught(30, 10.0)
    gaps, now = [], 12.0
    for _ in range(120):
        opens = max(now, it.opens(now))
        gaps.append(opens - now)
        now = opens
        it.started(now)
    assert gaps[-1] < gaps[40] < gaps[10]


def test_a_provider_that_takes_ten_times_as_much_is_found_out() -> None:
    it = taught(30, 10.0)
    now, sent = 12.0, 0
    while (now := max(now, it.opens(now))) < 60:
        it.started(now)
        sent += 1
    assert sent > 48 * 3.1 * 2


def test_a_mark_far_from_what_was_expected_outdates_the_rest() -> None:
    it = taught(30, 10.0)
    it.started(12.0)
    send(it, 12.0, 200)
    mark(it, 20.0, 1.0)
    it.started(21.0)
    assert it.per_second == pytest.approx(20, rel=0.1)


def long_wait(it: Pace, at: float) -> float:
    """Is asked to wait for five minutes; gives when ten calls have gone since."""
    mark(it, at, 300.0)
    send(it, at + 299, 11)
    mark(it, at + 299, 1.0)
    it.started(at + 300)
    return at + 300


def test_one_long_wait_does_not_say_that_the_pace_is_slow() -> None:
    it = taught(30, 10.0)
    before = it.per_second
    long_wait(it, 12.0)
    assert it.per_second == before


def test_few_calls_twice_in_a_row_do_say_so() -> None:
    it = taught(30, 10.0)
    long_wait(it, long_wait(it, 12.0))
    assert it.per_second == pytest.approx(0.04, rel=0.2)


def test_a_mark_after_nothing_was_taken_says_nothing() -> None:
    """The wait was too short; the canary was refused."""
    it = taught(30, 10.0)
    before = it.per_second
    mark(it, 11.0, 1.0)
    it.started(12.0)
    assert it.per_second == before


def test_a_pace_that_was_not_used_up_is_not_lowered() -> None:
    """Few calls in a long time: they came seldom, and not because of the provider."""
    it = taught(30, 10.0)
    before = it.per_second
    for now in (40.0, 80.0, 120.0):
        it.started(now)
    mark(it, 130.0, 1.0)
    it.started(131.0)
    assert it.per_second >= before


def test_after_an_interruption_the_time_before_does_not_count() -> None:
    it = taught(30, 10.0)
    before = it.per_second
    it.interrupted()
    it.started(1_000.0)
    mark(it, 1_000.0, 1.0)
    it.started(1_001.0)
    assert it.per_second == before


def test_a_long_wait_after_many_calls_lets_the_whole_quota_go_at_once() -> None:
    it = Pace()
    send(it, 0.0, 61)
    mark(it, 1.0, 59.0)
    send(it, 60.0, 61)
    mark(it, 61.0, 59.0)
    now, sent = 120.0, 0
    while it.opens(now) <= now:
        it.started(now)
        sent += 1
    assert sent == pytest.approx(60, abs=2)


def test_what_is_not_enacted_is_learned_and_not_kept_to() -> None:
    it = taught(30, 10.0)
    it.started(11.0)
    it.enacted = False
    send(it, 11.0, 30)
    assert it.opens(11.0) == 11.0
    it.enacted = True
    assert it.opens(11.0) > 11.0


def test_a_remembered_pace_rules_from_the_first_mark() -> None:
    it = Pace(2.0)
    assert it.known
    send(it, 0.0, 50)
    assert it.opens(0.0) == 0.0  # nobody knows how many are taken at once
    mark(it, 0.0, 1.0)
    it.started(1.0)
    assert it.opens(1.0) > 1.0
    assert it.per_second == 2.0


def play(provider: Bucket | Window, it: Pace, seconds: float) -> tuple[int, int]:
    """Goes as fast as the pace says; gives how many were taken and how many refused."""
    now, hold, taken, refused = 0.0, 0.0, 0, 0
    while now < seconds:
        it.started(now)
        if provider.wait(now, 0):
            refused += 1
            hold = provider.asks(now) or 1.0
            mark(it, now, hold)
            now += hold
        else:
            provider.take(now, 0)
            taken += 1
        now = max(now + 1e-3, it.opens(now))
    return taken, refused


@pytest.mark.parametrize(("rate", "burst"), [(0.7, 1), (2, 20), (6, 5), (1.5, 40)])
def test_a_bucket_is_used_up_with_few_refusals(rate: float, burst: float) -> None:
    taken, refused = play(Bucket(rate, burst), Pace(), 600)
    assert taken >= 0.92 * (burst + rate * 600)
    assert refused <= 0.06 * taken


@pytest.mark.parametrize("phase", [0, 13, 31, 59])
def test_a_window_is_used_up_with_few_refusals(phase: float) -> None:
    taken, refused = play(Window(60, 60, phase), Pace(), 600 - phase)
    assert taken >= 0.96 * 600
    assert refused <= 0.06 * taken


def test_a_pace_is_above_0_whatever_happens() -> None:
    it = Pace(1e-3)
    mark(it, 0.0, 0.0)
    it.started(0.0)
    assert 0 < it.opens(0.0) < math.inf
