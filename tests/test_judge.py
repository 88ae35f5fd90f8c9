"""What a refusal means: too many at once, or too often."""

from __future__ import annotations

from sdr_kit.law.judge import (
    CAP_MARKS,
    FULL_LEAST,
    FULL_MARKS,
    RATE_ANSWERS,
    RATE_FALLS,
    Judge,
)


def marks(it: Judge, *numbers: int, proven: int = 10, sent: int = 50) -> bool:
    """Refusals that ask to wait, each the first of its burst; whether it is a cap."""
    return [
        it.is_cap(number, proven=proven, sent=sent, late=False) for number in numbers
    ][-1]


def test_one_who_asks_to_wait_counts_in_time_at_first() -> None:
    assert not marks(Judge(), *[11] * (CAP_MARKS - 1))


def test_refusals_above_all_that_was_taken_are_a_cap_in_the_end() -> None:
    assert marks(Judge(), *[11] * CAP_MARKS)


def test_a_refusal_of_what_was_taken_before_speaks_for_a_rate_again() -> None:
    it = Judge()
    marks(it, 11, 11)
    assert not marks(it, 9)
    assert not marks(it, 11, 11)
    assert marks(it, 11)


def test_when_as_many_are_taken_the_count_begins_anew() -> None:
    it = Judge()
    marks(it, 12, 11)
    it.taken(10)
    assert marks(it, 12)
    it.taken(11)
    assert not marks(it, 12)


def full(it: Judge, *numbers: int) -> list[bool]:
    """Marks of calls that went all at once; which of them are taken for a cap."""
    return [it.is_cap(n, proven=0, sent=n, late=False) for n in numbers]


def test_calls_that_go_all_at_once_may_be_a_quota_the_first_time() -> None:
    assert full(Judge(), *[13] * FULL_MARKS) == [False] * (FULL_MARKS - 1) + [True]
    assert full(Judge(), 15, 13) == [False, True]


def test_what_is_left_of_a_bucket_after_the_first_time_is_no_cap() -> None:
    assert not any(full(Judge(), 20, 3, 2, 3))


def test_of_a_few_at_once_nothing_can_be_said() -> None:
    assert not any(full(Judge(), *[FULL_LEAST - 1] * 10))


def test_a_quota_is_known_by_what_it_refuses_next() -> None:
    it = Judge()
    full(it, 13, 13)
    assert not it.is_cap(12, proven=12, sent=25, late=False)
    assert not marks(it, 14, proven=12)


def test_the_rest_of_a_burst_is_no_mark_of_its_own() -> None:
    it = Judge()
    marks(it, 14)
    for number in (13, 12, 11):
        assert not it.is_cap(number, proven=10, sent=50, late=True)
    it.taken(11)  # the lowest of the burst
    assert not marks(it, 14, 14)
    assert marks(it, 14)


def test_falls_of_the_cap_one_soon_after_another_are_a_rate() -> None:
    it = Judge()
    falls = [it.noticed_fall(answers) for answers in (100, 130, 160, 220)]
    assert falls == [False] * (RATE_FALLS - 1) + [True]


def test_falls_far_apart_are_none() -> None:
    it = Judge()
    assert not any(it.noticed_fall((RATE_ANSWERS + 1) * n) for n in range(1, 20))
