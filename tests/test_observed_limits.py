"""What a provider takes at once, from refusals and from what was learned."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.account import Attempt
from sdr_kit.at_once import at_once
from sdr_kit.law.learned import Learned
from sdr_kit.observed_limits import ObservedLimits, observed_limits


def made(at: float, outcome: Any = "completed", seconds: float = 1.0) -> Attempt:
    return Attempt(position=0, number=1, started=at, seconds=seconds, outcome=outcome)


def rounds(taken: int, refused: int, *, number: int) -> list[Attempt]:
    """So many calls at once each second, and so many more that are refused."""
    return [
        made(second, "completed" if each < taken else "rate_limited")
        for second in range(number)
        for each in range(taken + refused)
    ]


def test_calls_are_counted_by_those_that_were_taken() -> None:
    calls = at_once([*rounds(3, 2, number=2), made(0.5), made(2.5)])
    assert calls.number.tolist() == [1, 2, 3, 4, 4, 4, 2, 3, 4, 5, 5, 1]
    assert calls.marks.tolist() == [0.0, 1.0]
    assert calls.most == 4
    assert at_once([]).most == 0


def test_refusals_above_all_that_is_taken_show_a_cap() -> None:
    limits = observed_limits(rounds(8, 2, number=5))
    assert (limits.cap, limits.at_once, limits.taken) == (8, 8, 8)
    assert limits.per_minute is None
    assert limits.sentences(8) == []
    assert limits.sentences(9) == [
        "The provider takes 8 calls at once and refuses more; a higher concurrency is "
        "no faster."
    ]


@pytest.mark.parametrize("learned", [None, 4])
def test_one_burst_of_refusals_is_no_cap(learned: int | None) -> None:
    attempts = rounds(4, 1, number=1) + [made(9 + each) for each in range(4)]
    assert observed_limits(attempts, Learned(cap=learned)).cap is None


def test_a_number_that_is_taken_and_refused_is_no_cap() -> None:
    attempts = [*rounds(4, 0, number=20), *rounds(3, 1, number=2)]
    attempts = [*rounds(3, 1, number=2), *(made(9 + each.started) for each in attempts)]
    for learned in (None, 3):
        assert observed_limits(attempts, Learned(cap=learned)).cap is None


def test_refusals_at_any_number_are_no_cap() -> None:
    attempts = [
        *rounds(4, 1, number=3),
        *(made(20 + n, "rate_limited") for n in (1, 2)),
    ]
    for learned in (None, 4):
        assert observed_limits(attempts, Learned(cap=learned)).cap is None


def test_a_cap_that_was_learned_holds_where_nothing_is_refused() -> None:
    quiet = rounds(5, 0, number=3)
    assert observed_limits(quiet, Learned(cap=8)).cap == 8
    assert observed_limits(quiet, Learned(cap=4)).cap is None
    # A run one by one met a refusal by chance; nobody has tried two.
    alone = [made(0), made(1, "rate_limited"), made(2), made(3, "rate_limited")]
    assert observed_limits(alone, Learned(cap=1)).cap is None


def steady(number: int, *, since: float, seconds: float) -> list[Attempt]:
    """Forty calls one after the other, so many of them at once."""
    return [
        made(since + each * seconds / number, seconds=seconds) for each in range(40)
    ]


def test_a_knee_must_show_where_a_run_went_beyond_it() -> None:
    below, knee = steady(2, since=0, seconds=1.0), Learned(knee=2)
    for seconds, believed in ((1.0, None), (3.0, 2)):
        attempts = below + steady(5, since=99, seconds=seconds)
        assert observed_limits(attempts, knee).knee == believed
    few = below[:2] + steady(5, since=99, seconds=3.0)
    assert observed_limits(few, knee).knee is None


def test_the_lower_of_cap_and_knee_bounds_how_many_do_any_good() -> None:
    limits = observed_limits(rounds(2, 0, number=3), Learned(knee=7, cap=9))
    assert (limits.knee, limits.cap, limits.at_once) == (7, 9, 7)
    assert "More than 7 at once only make each slower." in limits.sentences(8)
    assert limits.sentences(7) == []


def test_what_did_no_harm_was_taken() -> None:
    assert observed_limits([], Learned(harmless=40)).taken == 40
    assert observed_limits([]) == ObservedLimits(
        per_minute=None, cap=None, knee=None, taken=1
    )
