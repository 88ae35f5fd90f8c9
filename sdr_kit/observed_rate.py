"""How many calls a minute a provider takes, as far as some attempts tell.

Providers send what remains of their limits with every answer (`RateLimits`), and refuse
(429) what is above them. Pure: attempts in, a number out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from sdr_kit.account import Attempt, RateLimits
from sdr_kit.at_once import AtOnce, at_once

# The windows that providers count in: a second, a minute, an hour, a day.
_WINDOWS = (1.0, 60.0, 3_600.0, 86_400.0)
_ALIKE = 1.5  # the largest ÷ the smallest of what is taken for the same
_LEAST = 3  # readings to go by
MARKS = 3  # bursts of refusals to go by: two have any pace between them
# Where such a share of the slots was at work, the slots were the bound, not the rate.
_BUSY = 0.9

# The limit, what remains of it, and the seconds until all of it is there again.
_Reading = tuple[float | None, float | None, float | None]


def maybe_starts_per_minute(
    attempts: Sequence[Attempt],
    *,
    calls: AtOnce | None = None,
    learned: float | None = None,
) -> float | None:
    """Gives how many calls a minute the provider takes at most; None: nothing says.

    What the headers say of requests and of tokens; where they say nothing, what was
    learned; else the pace at which calls were taken while others were refused, where
    that is one. In each case it is a bound over a long run: a short one may live on
    what had been saved up.

    Args:
        attempts: Those of a run.
        calls: The same, counted; None counts them.
        learned: What was learned of the provider, in this run or before.
    """
    said = [each.limits for each in attempts if each.limits is not None]
    requests = _maybe_rate(said, _requests)
    tokens = _maybe_rate(said, _tokens)
    each_takes = _maybe_tokens_of_a_call(attempts) if tokens else None
    rates = [requests] if requests else []
    if tokens and each_takes:
        rates.append(tokens / each_takes)
    if rates:
        return min(rates)
    calls = calls or at_once(attempts)
    if learned is None:
        return _maybe_pace_under_refusals(calls)
    # What was learned from refusals by chance is this run's own pace.
    return None if calls.refused.any() and _is_own_pace(calls) else learned


def _requests(limits: RateLimits) -> _Reading:
    return (
        limits.requests_limit,
        limits.requests_remaining,
        limits.requests_reset_seconds,
    )


def _tokens(limits: RateLimits) -> _Reading:
    return limits.tokens_limit, limits.tokens_remaining, limits.tokens_reset_seconds


def _maybe_rate(
    said: Sequence[RateLimits], which: Callable[[RateLimits], _Reading]
) -> float | None:
    """Gives what comes back a minute, of requests or tokens.

    In a bucket that fills all the time, what is used comes back within the reset, so
    each reading gives the same time for the whole limit. In a window that begins anew
    the reset counts down whatever is used; the window is the shortest usual one that is
    as long as the longest reset.
    """
    readings = [
        (limit, remaining, reset)
        for limit, remaining, reset in map(which, said)
        if limit and remaining is not None and reset
    ]
    if not readings:
        return None
    limit = statistics.median(each for each, _, _ in readings)
    windows = [
        whole * reset / (whole - left)
        for whole, left, reset in readings
        if left < whole
    ]
    if len(windows) >= _LEAST and max(windows) <= _ALIKE * min(windows):
        return 60 * limit / statistics.median(windows)
    longest = max(reset for _, _, reset in readings)
    window = next((each for each in _WINDOWS if longest <= each), longest)
    return 60 * limit / window


def _maybe_tokens_of_a_call(attempts: Iterable[Attempt]) -> float | None:
    used = [
        (each.usage.input_tokens or 0) + (each.usage.output_tokens or 0)
        for each in attempts
        if each.usage is not None
    ]
    used = [each for each in used if each]
    return statistics.fmean(used) if used else None


def _maybe_pace_under_refusals(calls: AtOnce) -> float | None:
    """Gives the calls taken ÷ the time, from the first burst of refusals to the last.

    A single refusal, or several by chance, say nothing of a rate: where there is one,
    as many calls are taken in each minute between two bursts. And where all slots were
    at work all the time, the pace was the run's own.
    """
    marks = calls.marks
    if len(marks) < MARKS:
        return None
    taken = np.array([calls.taken_between(*pair) for pair in pairwise(marks)])
    rates = taken / np.diff(marks)
    if rates.max() > _ALIKE * rates.min() or _is_own_pace(calls):
        return None
    return float(60 * taken.sum() / (marks[-1] - marks[0]))


def _is_own_pace(calls: AtOnce) -> bool:
    """Whether all slots of the run were at work between its refusals."""
    marks = calls.marks
    since, until = marks[0], marks[-1]
    if until == since:
        since, until = calls.started[0], calls.started[-1]
    return calls.busy_between(since, until) >= _BUSY
