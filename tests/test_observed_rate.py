"""How many calls a minute a provider takes, from what its answers and refusals say."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.account import Attempt, RateLimits, Usage
from sdr_kit.observed_rate import maybe_starts_per_minute


def made(at: float, outcome: Any = "completed", **said: Any) -> Attempt:
    return Attempt(
        position=int(at), number=1, started=at, seconds=1.0, outcome=outcome, **said
    )


def test_without_a_word_there_is_no_bound() -> None:
    assert maybe_starts_per_minute([]) is None
    assert maybe_starts_per_minute([made(0), made(1), made(2)]) is None
    nothing_used = RateLimits(requests_limit=60, requests_remaining=60)
    assert maybe_starts_per_minute([made(0, limits=nothing_used)]) is None


def test_a_bucket_says_the_same_rate_each_time() -> None:
    """As OpenAI does: 500 a minute, and each that is used is back in 120 ms."""
    attempts = [
        made(
            used,
            limits=RateLimits(
                requests_limit=500,
                requests_remaining=500 - used,
                requests_reset_seconds=0.12 * used,
            ),
        )
        for used in range(1, 8)
    ]
    assert maybe_starts_per_minute(attempts) == pytest.approx(500)


def test_a_window_counts_down_whatever_is_used() -> None:
    attempts = [
        made(
            second,
            limits=RateLimits(
                requests_limit=90,
                requests_remaining=90 - 3 * second,
                requests_reset_seconds=50 - second,
            ),
        )
        for second in range(1, 10)
    ]
    assert maybe_starts_per_minute(attempts) == 90


def test_tokens_bound_it_by_what_a_call_takes() -> None:
    attempts = [
        made(
            second,
            usage=Usage(input_tokens=1_500, output_tokens=500),
            limits=RateLimits(
                requests_limit=1_000,
                requests_remaining=1_000 - second,
                requests_reset_seconds=55 - second,
                tokens_limit=60_000,
                tokens_remaining=60_000 - 2_000 * second,
                tokens_reset_seconds=55 - second,
            ),
        )
        for second in range(1, 10)
    ]
    assert maybe_starts_per_minute(attempts) == 30


def test_refusals_show_the_pace_at_which_calls_are_taken() -> None:
    attempts = [made(2 * each) for each in range(10)]
    attempts += [made(2 * each + 0.5, "rate_limited") for each in range(4)]
    assert maybe_starts_per_minute(attempts) == 30
    assert maybe_starts_per_minute([made(0), made(1, "rate_limited")]) is None


def one_by_one(*refused: int, number: int = 60) -> list[Attempt]:
    """A run with one slot that is never idle, and calls refused here and there."""
    return [
        made(each, "rate_limited" if each in refused else "completed")
        for each in range(number)
    ]


@pytest.mark.parametrize("refused", [(20,), (10, 40), (10, 25, 40, 55)])
def test_refusals_of_a_run_whose_slots_were_at_work_show_no_pace(
    refused: tuple[int, ...],
) -> None:
    assert maybe_starts_per_minute(one_by_one(*refused)) is None


def test_one_burst_of_refusals_or_two_are_no_rate() -> None:
    idle = [made(2 * each) for each in range(10)]
    for marks in (1, 2):
        refused = [made(6 * each + 0.5, "rate_limited") for each in range(marks)]
        assert maybe_starts_per_minute(idle + refused) is None


def test_refusals_after_few_calls_and_after_many_are_no_rate() -> None:
    idle = [made(2 * each) for each in range(20)]
    refused = [made(at + 0.5, "rate_limited") for at in (0, 2, 30)]
    assert maybe_starts_per_minute(idle + refused) == pytest.approx(30)
    idle = [each for each in idle if not 3 < each.started < 29]
    assert maybe_starts_per_minute(idle + refused) is None


def test_what_was_learned_is_believed_unless_it_is_the_runs_own_pace() -> None:
    assert maybe_starts_per_minute(one_by_one(), learned=600) == 600
    assert maybe_starts_per_minute(one_by_one(9, 30), learned=62) is None
    idle = [made(2 * each) for each in range(10)] + [made(5.5, "rate_limited")]
    assert maybe_starts_per_minute(idle, learned=31) == 31
