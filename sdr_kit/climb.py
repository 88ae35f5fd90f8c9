"""How long a list takes in auto, with the law itself that opens the slots.

The gate is asked as in a run, by a clock of its own: it lets a few starts out, more
once those were not refused, and stays below the provider's cap when it meets one. Calls
take as long at every concurrency. Pure.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence

from sdr_kit.backoff import Backoff
from sdr_kit.law.learned import Learned
from sdr_kit.limits import Gate

REFUSAL_SECONDS = 0.1  # what a provider takes to refuse a call
_EXACT = 1e-9  # seconds that are none


def climbed_seconds(
    calls: Sequence[float],
    *,
    limit: int,
    cap: float,
    accounts: int,
    learned: Learned,
) -> float:
    """Gives the seconds by the clock of some calls in auto.

    Args:
        calls: Seconds of each, in the order of the list.
        limit: How many at once at most.
        cap: So many at once the provider takes; more are refused and tried again.
        accounts: How long the list is, of which these calls are the beginning.
        learned: What the run begins with.
    """
    backoff = Backoff(initial=1.0, maximum=1.0, rng=random.Random(0))  # noqa: S311
    gate = Gate(
        limit=limit,
        gap=0.0,
        backoff=backoff,
        max_hold=math.inf,
        auto=True,
        accounts=accounts,
        learned=learned,
    )
    now, working, left = 0.0, 0, list(reversed(calls))
    out: list[tuple[float, int, float, bool]] = []  # end, ticket, seconds, taken
    while left or out:
        wait = gate.wait(now) if left else math.inf
        if wait <= _EXACT:
            seconds, taken = left.pop(), working < cap
            working += taken
            end = now + (seconds if taken else REFUSAL_SECONDS)
            heapq.heappush(out, (end, gate.start(now), seconds, taken))
            continue
        if not out or now + wait < out[0][0]:
            now += wait
            continue
        now, ticket, seconds, taken = heapq.heappop(out)
        if taken:
            working -= 1
            gate.end(ticket, "completed", now=now, seconds=seconds)
        else:
            left.append(seconds)
            gate.end(ticket, "rate_limited", now=now, seconds=REFUSAL_SECONDS)
    return now
