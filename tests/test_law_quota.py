"""What a provider says remains, and when there is more."""

from __future__ import annotations

import math

import pytest

from sdr_kit.account import RateLimits
from sdr_kit.law.quota import Quota
from tests.simulation.hidden import Bucket, TokenBucket, Window


def requests(limit: float | None, remaining: float, reset: float) -> RateLimits:
    return RateLimits(
        requests_limit=limit,
        requests_remaining=remaining,
        requests_reset_seconds=reset,
    )


def told(*said: tuple[int, float, RateLimits], tokens: int = 0) -> Quota:
    """One that has heard answers: the call's ticket, its start, and what was said."""
    it = Quota()
    for ticket, started, limits in said:
        it.told(limits, ticket=ticket, started=started, tokens=tokens)
    return it


def test_who_has_heard_nothing_keeps_nothing_back() -> None:
    assert Quota().opens(1_000, 5.0) == 5.0
    assert Quota().per_second == math.inf


@pytest.mark.parametrize(
    "said",
    [
        RateLimits(requests_limit=10, requests_remaining=0),
        RateLimits(requests_limit=10, requests_reset_seconds=5.0),
        RateLimits(tokens_remaining=0, tokens_reset_seconds=5.0),  # of how much a call?
        RateLimits(),
    ],
)
def test_headers_without_a_reset_or_what_remains_say_nothing(said: RateLimits) -> None:
    assert told((1, 0.0, said)).opens(100, 1.0) == 1.0


def test_what_was_started_since_is_taken_off() -> None:
    it = told((1, 0.0, requests(10, 5, 10.0)))
    assert it.opens(5, 1.0) == 1.0  # four since: one is left
    assert it.opens(6, 1.0) > 1.0


def test_what_was_refused_since_is_not() -> None:
    it = told((1, 0.0, requests(10, 5, 10.0)))
    it.refused(3)
    assert it.opens(6, 1.0) == 1.0
    it.refused(1)  # it was counted in what was said
    assert it.opens(7, 1.0) > 1.0


def test_an_older_answer_that_comes_later_changes_nothing() -> None:
    it = told((9, 9.0, requests(10, 0, 10.0)))
    before = it.opens(9, 9.0)
    it.told(requests(10, 9, 1.0), ticket=2, started=2.0)
    assert it.opens(9, 9.0) == before


def test_what_remains_comes_back_little_by_little_at_first() -> None:
    it = told((1, 0.0, requests(10, 0, 5.0)))  # two a second
    assert it.opens(1, 0.0) == pytest.approx(0.5)
    assert it.opens(3, 0.0) == pytest.approx(1.5)


def test_a_bucket_is_told_by_a_reset_that_grows_with_what_is_used() -> None:
    it = told((1, 0.0, requests(100, 99, 0.5)), (9, 0.3, requests(100, 93, 3.5)))
    assert it.per_second == pytest.approx(2)


def test_a_window_is_told_by_a_reset_that_does_not() -> None:
    it = told((1, 0.0, requests(100, 99, 60.0)), (90, 10.0, requests(100, 10, 50.0)))
    assert it.per_second == pytest.approx(100 / 60)
    assert it.opens(99, 20.0) == 20.0
    assert it.opens(100, 20.0) == 60.5  # and a bit more


def test_when_a_window_is_over_all_of_the_next_may_go() -> None:
    it = told((1, 0.0, requests(50, 49, 60.0)), (50, 10.0, requests(50, 0, 50.0)))
    assert it.opens(50, 59.0) == 60.5
    assert it.opens(50, 60.5) == 60.5
    assert it.opens(99, 61.0) == 61.0  # 49 since the window began
    assert it.opens(100, 61.0) == 121.0  # unless an answer says more


def test_of_requests_and_tokens_the_scarcer_counts() -> None:
    said = RateLimits(
        requests_limit=100,
        requests_remaining=90,
        requests_reset_seconds=10.0,
        tokens_limit=20_000,
        tokens_remaining=6_000,
        tokens_reset_seconds=14.0,
    )
    it = told((1, 0.0, said), tokens=1_000)
    assert it.opens(4, 0.0) == 0.0  # six calls, less two in reserve, less three since
    assert it.opens(5, 0.0) > 0.0


def test_tokens_of_a_call_are_a_mean_that_follows() -> None:
    said = RateLimits(
        tokens_limit=20_000, tokens_remaining=6_000, tokens_reset_seconds=14.0
    )
    it = told((1, 0.0, said), tokens=100)
    assert it.opens(40, 0.0) == 0.0
    for ticket in range(2, 100):
        it.told(said, ticket=ticket, started=0.0, tokens=1_000)
    assert it.opens(105, 0.0) > 0.0


@pytest.mark.parametrize(
    "provider",
    [
        Bucket(2, 20, headers=True),
        Window(60, 60, 17, headers=True),
        TokenBucket(200, 3_000, headers=True),
    ],
    ids=["bucket", "window", "tokens"],
)
def test_who_keeps_to_it_is_never_refused(
    provider: Bucket | Window | TokenBucket,
) -> None:
    """With answers at once, and one call of 100 tokens at a time."""
    it, now, ticket = Quota(), 0.0, 0
    while now < 300:
        ticket += 1
        assert provider.wait(now, 0) == 0
        provider.take(now, 100)
        it.told(provider.says(now), ticket=ticket, started=now, tokens=100)
        now = max(now, it.opens(ticket, now)) + 1e-6
    assert ticket >= 300


def test_a_reset_without_a_limit_is_waited_for() -> None:
    it = told((1, 0.0, requests(None, 0, 30.0)))
    assert 30.0 < it.opens(1, 1.0) < 31.0
    assert it.opens(1, 31.0) == 31.0
    assert it.per_second == math.inf


def test_a_bucket_that_is_full_says_no_rate() -> None:
    it = told((1, 0.0, requests(60, 10, 50.0)), (2, 20.0, requests(60, 60, 1.0)))
    assert it.per_second > 0


def test_requests_and_tokens_are_judged_each_by_its_own_answers() -> None:
    """Which is scarcer changes from answer to answer."""
    it = Quota()
    for ticket, (left, at) in enumerate([(90, 0.0), (50, 10.0), (10, 20.0)], 1):
        limits = RateLimits(
            requests_limit=100,
            requests_remaining=left,
            requests_reset_seconds=60.0 - at,
            tokens_limit=100_000,
            tokens_remaining=100_000 - 2_000 * ticket,
            tokens_reset_seconds=0.02 * ticket,
        )
        it.told(limits, ticket=ticket, started=at, tokens=1_000)
    assert it.per_second == pytest.approx(100 / 60)  # a window, in spite of the tokens
