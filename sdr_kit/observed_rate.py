"""How many calls a minute a provider takes, as far as some attempts tell.

Providers send what remains of their limits with every answer (`RateLimits`), and refuse
(429) what is above them. Pure: attempts in, a number out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from sdr_kit.account import Attempt, RateLimits

# The windows that providers count in: a second, a minute, an hour, a day.
_WINDOWS = (1.0, 60.0, 3_600.0, 86_400.0)
_ALIKE = 1.5  # the largest ÷ the smallest of what is taken for the same
_LEAST = 3  # readings, or calls that were taken, to go by

# The limit, what remains of it, and the seconds until all of it is there again.
_Reading = tuple[float | None, float | None, float | None]


def maybe_starts_per_minute(attempts: Iterable[Attempt]) -> float | None:
    """Gives how many calls a minute the provider takes at most; None: nothing says.

    What the headers say of requests and of tokens, or, where they say nothing, the pace
    at which calls were taken while others were refused. In both cases it is a bound
    over a long run: a short one may live on what had been saved up.
    """
    made = sorted(attempts, key=lambda each: each.started)
    said = [each.limits for each in made if each.limits is not None]
    requests = _maybe_rate(said, _requests)
    tokens, each_takes = _maybe_rate(said, _tokens), _maybe_tokens_of_a_call(made)
    rates = [requests] if requests else []
    if tokens and each_takes:
        rates.append(tokens / each_takes)
    return min(rates) if rates else _maybe_pace_under_refusals(made)


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


def _maybe_pace_under_refusals(attempts: Sequence[Attempt]) -> float | None:
    """Gives the pace at which calls were taken, if any were refused."""
    taken = [each.started for each in attempts if each.outcome != "rate_limited"]
    if len(taken) == len(attempts) or len(taken) < _LEAST or taken[-1] == taken[0]:
        return None
    return 60 * (len(taken) - 1) / (taken[-1] - taken[0])
