"""How many at once a provider takes."""

from __future__ import annotations

import math

import pytest

from sdr_kit.law.cap import GROWTH, PROBE_ANSWERS, Cap


def found(most: int = 20, *, known: int | None = None) -> Cap:
    """A cap that refused one more than it takes."""
    it = Cap(known)
    it.taken(most)
    assert it.refused(most + 1) == "above"
    return it


def answered(it: Cap, number: int) -> None:
    for _ in range(number):
        it.succeeded()


def probes(it: Cap, accepts: int, answers: int) -> int:
    """Works at a provider with a cap for so many answers; gives the probes refused."""
    refused = 0
    for _ in range(answers):
        it.succeeded()
        number = int(it.ceiling)
        while it.allows(number + 1):
            number += 1
            it.started(number)
            if number > accepts:
                it.refused(number)
                refused += 1
                break
            it.taken(number)
    return refused


def test_before_any_refusal_there_is_no_ceiling() -> None:
    it = Cap()
    assert it.allows(10_000)
    assert it.ceiling == math.inf


def test_a_refusal_above_all_that_was_taken_sets_the_ceiling_below_it() -> None:
    it = found(20)
    assert it.ceiling == 20
    assert it.allows(20)
    assert not it.allows(21)
    assert it.proven == 20


def test_a_burst_of_refusals_leaves_the_lowest() -> None:
    it = Cap()
    it.taken(5)
    for number in (9, 8, 7, 10):
        it.refused(number)
    assert it.ceiling == 6


def test_never_less_than_one() -> None:
    it = Cap()
    for _ in range(5):
        it.refused(1)
    assert it.ceiling == 1


def test_a_refusal_of_what_was_taken_is_a_fall_and_then_another() -> None:
    it = found(20)
    assert it.refused(20) == "once"  # the provider may not have heard of an end yet
    assert it.ceiling == it.proven == 19
    assert it.refused(19) == "again"
    assert it.ceiling == 15  # 0.85 × 18
    assert it.proven == 0
    assert it.refused(15) == "again"
    assert it.ceiling == 11
    it.taken(11)
    assert it.refused(13) == "above"


def test_after_a_refusal_by_chance_it_goes_back_to_what_was_known() -> None:
    it = found(20)
    it.started(21)
    assert it.refused(21) == "above"
    assert it.refused(20) == "once"
    it.taken(19)
    for _ in range(14):
        it.succeeded()
    assert it.allows(20)
    it.started(20)
    it.taken(20)
    assert it.ceiling == 20
    assert not it.allows(21)  # which was refused before


def test_the_first_probe_comes_after_most_of_a_round_of_answers() -> None:
    it = found(20)
    answered(it, 13)
    assert not it.allows(21)
    answered(it, 1)  # 0.7 × 20
    assert it.allows(21)
    assert not it.allows(22)


def test_after_a_probe_in_vain_the_next_waits_longer() -> None:
    it = found(20)
    answered(it, 14)
    it.started(21)
    assert not it.allows(21)  # one at a time
    it.refused(21)
    answered(it, PROBE_ANSWERS - 1)
    assert not it.allows(21)
    answered(it, 1)
    assert it.allows(21)


def test_probes_in_vain_cost_few_calls() -> None:
    assert probes(found(10), 10, 600) <= 600 / PROBE_ANSWERS + 1


def test_a_probe_that_was_taken_lets_the_ceiling_grow_faster_and_faster() -> None:
    it = found(20)
    ceilings = []
    for _ in range(6):
        it.taken(int(it.ceiling) + 1)
        ceilings.append(int(it.ceiling))
    assert ceilings == [21, 23, 27, 35, 51, 51 + GROWTH]


def test_a_limit_that_rises_tenfold_is_found_within_some_rounds() -> None:
    it = found(10)
    probes(it, 100, 100)
    assert it.ceiling >= 100


def test_what_was_known_before_is_proven_and_probed_at_once_in_large_steps() -> None:
    it = Cap(10)
    assert it.proven == it.ceiling == 10
    assert it.allows(11)
    it.started(11)
    it.taken(11)
    assert it.ceiling == 10 + GROWTH


def test_what_was_known_before_and_holds_costs_one_probe() -> None:
    it = Cap(10)
    it.started(11)
    assert it.refused(11) == "above"
    assert it.ceiling == 10
    assert not it.allows(11)


def test_what_was_known_before_and_has_fallen_falls() -> None:
    it = Cap(40)
    assert it.refused(30) == "once"
    assert it.refused(29) == "again"
    assert it.ceiling == 23


def test_a_ceiling_that_was_something_else_is_taken_back() -> None:
    it = found(20)
    it.refused(20)
    it.forget()
    assert it.ceiling == math.inf


@pytest.mark.parametrize("cap", [1, 2, 7, 30])
def test_it_is_never_above_the_true_cap_for_long(cap: int) -> None:
    it = found(cap)
    probes(it, cap, 500)
    assert it.ceiling == cap
