"""The gate in auto: the parts of the law together."""

from __future__ import annotations

import math
import random

import pytest

from sdr_kit.backoff import Backoff
from sdr_kit.law.knee import FIRST_LIMIT
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.limits import Gate


def gate(
    *, limit: int = 50, accounts: int = 150, learned: Learned = NOTHING_LEARNED
) -> Gate:
    return Gate(
        limit=limit,
        gap=0.0,
        backoff=Backoff(initial=1.0, maximum=60.0, rng=random.Random(1)),
        max_hold=3600.0,
        auto=True,
        accounts=accounts,
        learned=learned,
    )


def start(it: Gate, now: float) -> list[int]:
    tickets = []
    while it.wait(now) == 0:
        tickets.append(it.start(now))
    return tickets


def refuse(
    it: Gate, tickets: list[int], now: float, retry_after: float | None = None
) -> None:
    for ticket in tickets:
        it.end(ticket, "rate_limited", now=now, seconds=0.1, retry_after=retry_after)


def filled(it: Gate) -> tuple[list[int], float]:
    """Starts as many as it lets out while nothing is refused."""
    tickets, now = start(it, 0.0), 0.0
    while (wait := it.wait(now)) < math.inf:
        now += wait
        tickets += start(it, now)
    return tickets, now


@pytest.mark.parametrize(("accounts", "step"), [(10, 4), (150, 6), (10_000, 16)])
def test_the_first_few_go_at_once_and_more_when_they_were_not_refused(
    accounts: int, step: int
) -> None:
    it = gate(accounts=accounts)
    assert len(start(it, 0.0)) == step
    assert it.wait(0.0) == 0.5
    assert len(start(it, 0.5)) == step


def test_without_a_word_no_more_run_than_the_knee_may_be_at() -> None:
    tickets, _ = filled(gate())
    assert len(tickets) == FIRST_LIMIT


def test_a_cap_that_says_nothing_is_found_and_kept_to() -> None:
    it = gate()
    tickets = start(it, 0.0)
    tickets += start(it, 0.5)  # 12 at once
    refuse(it, tickets[10:], 0.6)  # it takes 10
    assert it.allowed == 10
    assert it.hold is None
    assert start(it, 0.6) == []
    it.end(tickets[0], "completed", now=5.0, seconds=5.0)
    assert len(start(it, 5.0)) == 1
    assert it.learned.cap == 10


def test_one_more_than_a_cap_is_not_proven_by_a_call_on_its_way_back() -> None:
    """The provider had refused one when it took the next: it was as full as before."""
    it = gate()
    tickets = start(it, 0.0)
    late = it.start(0.0)  # the seventh; it is refused, which is not yet known
    it.end(tickets[0], "completed", now=0.1, seconds=0.1)
    seventh = it.start(0.1)  # as it seems
    refuse(it, [late], 0.2)
    it.end(seventh, "completed", now=9.0, seconds=8.9)
    assert it.cap.proven == 6


def test_a_refusal_that_says_when_holds_all_and_then_there_is_a_pace() -> None:
    it = gate()
    for began in (0.0, 20.0):
        now = began
        for _ in range(20):
            now += it.wait(now)
            it.end(it.start(now), "completed", now=now, seconds=0.0)
        refuse(it, [it.start(began + 10)], began + 10, retry_after=2.0)
        assert it.wait(began + 10) == 2.0
    it.end(it.start(32.0), "completed", now=32.0, seconds=0.0)
    assert it.learned.per_minute == pytest.approx(60 * 21 / 20)
    assert 0 < it.wait(32.0) < 2


def test_a_503_moves_nothing() -> None:
    it = gate()
    tickets, now = filled(it)
    before = it.allowed
    for ticket in tickets[:5]:
        it.end(ticket, "transient", now=now, seconds=3.0)
    assert it.allowed == before
    assert it.hold is None


def test_what_was_learned_is_begun_with() -> None:
    it = gate(learned=Learned(cap=20, knee=30))
    assert len(start(it, 0.0)) == 21  # and one more, to see whether it still holds


def test_the_slider_and_auto_take_over_from_each_other() -> None:
    it = gate()
    start(it, 0.0)
    it.resize(10)
    assert len(start(it, 0.0)) == 4  # by hand, all at once
    it.resize(50, auto=True)
    assert it.cap.proven == 10  # what runs was not refused
    assert len(start(it, 0.1)) == 6
    it.resize(3)
    assert start(it, 0.2) == []
    assert it.allowed == 3


def test_what_drains_after_a_fall_is_not_taken_when_auto_begins() -> None:
    it = gate(learned=Learned(cap=20))
    tickets = start(it, 0.0)
    refuse(it, tickets[-1:], 0.1)  # the probe
    refuse(it, tickets[9:10], 0.2)  # it takes fewer by now
    assert it.allowed < 10 < it.in_flight
    allowed = it.allowed
    it.resize(50)
    it.resize(50, auto=True)
    assert it.allowed == allowed


def test_a_refusal_by_chance_is_forgotten_when_others_were_taken_since() -> None:
    it = gate(learned=Learned(cap=20))
    tickets = start(it, 0.0)
    refuse(it, tickets[-2:-1], 0.1)  # the twentieth: one of them had not left yet
    for ticket in tickets[:2]:
        it.end(ticket, "completed", now=5.0, seconds=5.0)
    start(it, 5.0)
    it.wait(6.0)  # they were not refused
    assert it.cap.falls == 0


def test_by_hand_the_knee_does_not_count_and_the_cap_does() -> None:
    it = gate(learned=Learned(cap=30, knee=4))
    assert it.allowed == 4
    it.resize(40)
    assert it.allowed == 30


def test_it_adds_up_what_kept_starts_back() -> None:
    it = gate(limit=3)
    tickets = start(it, 0.0)
    it.end(tickets[0], "completed", now=5.0, seconds=5.0)
    start(it, 5.0)
    assert it.waits.spent == {"limit": 5.0}


def test_who_is_refused_while_alone_has_met_no_cap() -> None:
    it = gate()
    refuse(it, [it.start(0.0)], 0.1)
    assert it.hold is not None
    assert it.learned.cap is None
    end = it.hold.until
    tickets = start(it, end)
    refuse(it, tickets, end + 0.1)  # and is known from now on
    assert it.hold.until > end + 0.1


def test_a_probe_goes_half_way_between_two_starts() -> None:
    """What counts starts in time would refuse it for the start just before."""
    it = gate(learned=Learned(cap=1))
    it.end(it.start(0.0), "completed", now=8.0, seconds=8.0)
    it.start(8.0)
    assert it.wait(8.0) == 8.0 / 4


def test_a_pace_is_kept_for_the_next_run_when_a_third_mark_agrees() -> None:
    it, now = gate(), 0.0
    for mark in range(4):
        for _ in range(20):
            now += it.wait(now)
            it.end(it.start(now), "completed", now=now, seconds=0.0)
        now = max(now, 20.0 * (mark + 1))
        assert bool(it.lessons.get("per_minute")) == (mark > 2)
        refuse(it, [it.start(now)], now, retry_after=2.0)
