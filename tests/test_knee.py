"""From how many at once on more of them only make each slower."""

from __future__ import annotations

import math
import random

import pytest

from sdr_kit.law.knee import FIRST_LIMIT, HIGHEST, LEAST, LEAST_FOUND, MARGIN, Knee


def seen(
    it: Knee,
    answers: int,
    *,
    knee: float = math.inf,
    sigma: float = 0.3,
    most: int = 50,
    seed: int = 1,
    seconds: float = 10.0,
) -> Knee:
    """Has it see answers of a provider at up to so many at once, as it allows."""
    rng = random.Random(seed)
    for _ in range(answers):
        number = rng.randint(1, max(1, min(most, int(it.limit))))
        alone = seconds * rng.lognormvariate(0, sigma)
        it.answered(number, alone * (1 + (number / knee) ** 2))
    return it


def test_before_it_has_seen_enough_the_first_limit_holds() -> None:
    it = seen(Knee(), LEAST - 1, knee=5)
    assert it.limit == FIRST_LIMIT
    assert not it.confirmed


def test_what_was_known_before_is_begun_with() -> None:
    assert Knee(17).limit == 17


@pytest.mark.parametrize("knee", [4, 12, 30, 38])
def test_a_knee_is_found_at_the_right_place(knee: float) -> None:
    it = seen(Knee(), 400, knee=knee)
    assert it.confirmed
    assert it.limit == pytest.approx(MARGIN * knee, rel=0.25)


@pytest.mark.parametrize("most", [10, 12])
def test_a_knee_is_not_believed_where_nobody_has_been_beyond_it(most: int) -> None:
    """A cap keeps the number low: chance alone may look like a knee just above."""
    it = seen(Knee(), 400, knee=14, most=most)
    assert not it.confirmed
    assert it.limit > 2 * most


@pytest.mark.parametrize("seed", range(10))
def test_in_noise_alone_the_limit_does_not_stay_low(seed: int) -> None:
    it = seen(Knee(), 300, sigma=0.5, seed=seed)
    assert it.limit > 50


def test_a_few_quick_ones_at_the_beginning_are_no_knee() -> None:
    """At five at once all but the first four begin as the fifth."""
    it = Knee()
    for number in (1, 2, 3, 4):
        it.answered(number, 1.0)
    for _ in range(100):
        it.answered(5, 4.0)
    assert it.at is None


def test_there_is_no_knee_before_enough_answers() -> None:
    """However clear they are: of the first few some are alike by chance."""
    it = Knee()
    for number in range(1, LEAST_FOUND):
        it.answered(number, 10 * (1 + (number / 5) ** 2))
        assert not it.confirmed
    seen(it, 2, knee=5)  # two, as old ones have faded a bit
    assert it.confirmed


def test_always_as_many_in_flight_teach_nothing_and_let_it_grow() -> None:
    it = Knee()
    for _ in range(200):
        it.answered(10, 5.0)
    assert not it.confirmed
    assert it.limit > FIRST_LIMIT


def test_it_grows_no_further_than_makes_sense() -> None:
    assert seen(Knee(), 3_000, sigma=0.1).limit == HIGHEST


def test_a_knee_that_appears_later_is_found_little_by_little() -> None:
    """Old answers fade, and they are many."""
    it = seen(Knee(), 500)
    assert it.limit > 50
    limits = [seen(it, 750, knee=10, seed=each).limit for each in range(4)]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < 20


def test_a_knee_that_goes_is_forgotten() -> None:
    it = seen(Knee(), 1_000, knee=10)
    assert it.confirmed
    seen(it, 1_500)
    assert it.limit > 50


def test_a_knee_known_from_before_stands_until_enough_is_seen() -> None:
    """A short run must not forget what a long one has found."""
    it = Knee(8)
    for number in range(2, LEAST_FOUND + 1):
        it.answered(min(number, 9), 5.0)
    assert (it.at, it.harmless) == (8, None)
    for _ in range(3):
        it.answered(10, 5.0)  # far enough beyond it
    assert (it.at, it.harmless) == (None, 10)


def test_what_did_no_harm_is_where_the_next_run_begins() -> None:
    it = seen(Knee(), 400, sigma=0.1, most=45)
    assert it.harmless == 45
    assert Knee(None, 45).limit == 45
    assert Knee(None, 5).limit == FIRST_LIMIT


def test_what_did_no_harm_is_known_after_some_answers_only() -> None:
    assert seen(Knee(), LEAST_FOUND - 1).harmless is None
    assert seen(Knee(None, 7), LEAST_FOUND - 1).harmless == 7
    assert seen(Knee(), 400, knee=8).harmless is None


def test_it_does_not_matter_in_what_units_of_time_a_provider_works() -> None:
    """All constants are multiples: fast and slow providers are judged alike."""
    fast = seen(Knee(), 300, knee=15, seconds=0.1)
    slow = seen(Knee(), 300, knee=15, seconds=100.0)
    assert fast.limit == pytest.approx(slow.limit)


def test_the_limit_is_never_below_one() -> None:
    it = Knee()
    for number in (1, 2, 3) * 20:
        it.answered(number, 1 + 10.0 * number**2)
    assert it.limit >= 1
