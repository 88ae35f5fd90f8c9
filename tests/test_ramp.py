"""How many starts may be out unproven."""

from __future__ import annotations

import math

import pytest

from sdr_kit.law.ramp import PROOF_SECONDS, Ramp


def test_without_a_bound_it_is_never_full() -> None:
    it = Ramp()
    for ticket in range(1_000):
        it.started(ticket, 0.0)
    assert not it.full


def test_as_many_may_be_out_as_are_allowed() -> None:
    it = Ramp(2)
    it.started(1, 0.0)
    assert not it.full
    it.started(2, 0.0)
    assert it.full
    assert it.forget(1)
    assert not it.full


def test_a_start_that_was_not_counted_is_not_unproven() -> None:
    assert not Ramp(2).forget(7)


def test_it_begins_with_one_and_lets_two_out_for_each_taken() -> None:
    it = Ramp(6)
    it.begin()
    assert it.growing
    it.started(1, 0.0)
    assert it.full
    assert it.forget(1)
    assert it.taken() == 2
    assert it.taken() == 3


def test_outside_of_a_slow_start_the_allowance_stays() -> None:
    it = Ramp(6)
    assert it.taken() == 6
    it.begin()
    it.open(6)
    assert not it.growing
    assert it.taken() == 6


def test_what_was_out_before_a_slow_start_does_not_count() -> None:
    it = Ramp(6)
    it.started(1, 0.0)
    it.begin()
    assert not it.full
    assert not it.forget(1)


def test_opening_without_a_bound_forgets_who_is_out() -> None:
    it = Ramp(1)
    it.started(1, 0.0)
    it.open(math.inf)
    assert it.next_proof == math.inf


def test_what_was_not_refused_for_a_while_is_proven_the_oldest_first() -> None:
    it = Ramp(3)
    it.started(1, 0.0)
    it.started(2, 0.1)
    assert it.next_proof == PROOF_SECONDS
    assert it.maybe_proven(0.4) is None
    assert it.maybe_proven(0.6) == 1
    assert it.maybe_proven(0.6) == 2
    assert it.maybe_proven(0.6) is None


def test_a_wait_of_no_length_proves_just_in_time() -> None:
    """Who asks again at the very moment it was told must not be told to wait 0 s."""
    it = Ramp(1)
    it.started(1, 12345.678)
    assert it.maybe_proven(it.next_proof) == 1


def test_patience_follows_the_slowest_refusal_and_forgets_it_slowly() -> None:
    it = Ramp()
    assert it.patience == PROOF_SECONDS
    it.refused(2.0)
    assert it.patience == pytest.approx(2.8)
    it.refused(0.1)
    assert it.patience == pytest.approx(0.9 * 2.8)
    for _ in range(100):
        it.refused(0.01)
    assert it.patience == PROOF_SECONDS
