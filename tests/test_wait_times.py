"""What the gate notes of what keeps starts back, and for how long."""

from __future__ import annotations

import random

from sdr_kit.backoff import Backoff
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.limits import Gate
from sdr_kit.wait_times import WaitTimes


def gate(limit: int, *, auto: bool = False, learned: Learned = NOTHING_LEARNED) -> Gate:
    backoff = Backoff(initial=1.0, maximum=60.0, rng=random.Random(1))
    return Gate(
        limit=limit,
        gap=0.0,
        backoff=backoff,
        max_hold=3_600.0,
        auto=auto,
        accounts=100,
        learned=learned,
    )


def started(it: Gate, number: int, now: float) -> list[int]:
    return [it.start(now) for _ in range(number)]


def test_what_still_lasts_is_counted_and_goes_on() -> None:
    it = WaitTimes()
    it.begin(100.0)
    it.note(102.0, "limit", limit=5, auto=False)
    assert it.until(105.0).spent == {"limit": 3.0}
    it.note(110.0, None, limit=9, auto=True)
    assert it.until(200.0).spent == {"limit": 8.0}
    assert it.until(200.0).at_limit == {(5, False): 8.0}


def test_what_was_before_the_beginning_does_not_count() -> None:
    it = WaitTimes()
    it.note(0.0, "paused", limit=5, auto=False)
    it.begin(1_000.0)
    assert it.until(1_007.0).spent == {"paused": 7.0}


def test_seconds_at_a_limit_count_for_the_limit_that_was_in_force() -> None:
    it = gate(2)
    tickets = started(it, 2, 0.0)
    it.resize(3)
    it.wait(4.0)
    tickets += started(it, 1, 4.0)
    it.resize(1)
    for ticket in tickets:
        it.end(ticket, "completed", now=5.0)
        it.wait(5.0)
    assert it.waits.at_limit == {(2, False): 4.0, (3, False): 1.0}


def test_a_pause_counts_from_when_nothing_is_at_work() -> None:
    it = gate(1)
    (ticket,) = started(it, 1, 0.0)
    it.pause(2.0)
    it.end(ticket, "completed", now=5.0)
    it.wait(5.0)
    assert it.waits.until(8.0).spent == {"limit": 2.0, "paused": 3.0}
    it.resume(10.0)
    assert it.waits.until(20.0).spent == {"limit": 2.0, "paused": 5.0}


def test_after_a_pause_the_limit_counts_again_at_once() -> None:
    it = gate(1)
    started(it, 1, 0.0)
    it.pause(2.0)
    it.resume(3.0)
    assert it.waits.until(7.0).spent == {"limit": 6.0}


def test_a_question_counts_as_a_pause() -> None:
    it = gate(5)
    it.ask("Go on?", 2.0)
    assert it.waits.until(9.0).spent == {"paused": 7.0}


def test_nothing_counts_once_nobody_waits() -> None:
    it = gate(1)
    started(it, 1, 0.0)
    it.nobody_waits(0.0)
    assert it.waits.until(9.0).spent == {}


def test_the_knee_counts_as_a_trial_until_there_is_one() -> None:
    for learned, bound in ((Learned(knee=4), "knee"), (NOTHING_LEARNED, "trial")):
        it = gate(50, auto=True, learned=learned)
        now = 0.0
        while it.in_flight < it.allowed:
            now += it.wait(now)
            it.start(now)
        it.waits.begin(now)
        it.wait(now)
        assert it.waits.until(now + 2.0).spent == {bound: 2.0}


def test_a_probe_of_an_outage_that_takes_long_counts_as_outage() -> None:
    for limit, learned in (
        (5, NOTHING_LEARNED),
        (5, Learned(cap=1)),
        (1, NOTHING_LEARNED),
    ):
        it = gate(limit, learned=learned)
        for _ in range(10):
            it.end(it.start(0.0), "transient", now=0.0)
        now = it.wait(0.0)
        it.wait(now)
        it.start(now)
        it.wait(now)
        assert it.waits.until(now + 60.0).spent == {"outage": now + 60.0}


def test_the_first_steps_of_auto_count_as_a_trial() -> None:
    it = gate(50, auto=True)
    while it.wait(0.0) == 0:
        it.start(0.0)
    assert it.waits.until(0.25).spent == {"trial": 0.25}
