"""How long a list takes when its latencies are known: the best way, and the original's.

The *ideal* is list scheduling, which nobody can beat without knowing the future; with
the waits between two tries and a pace of the starts it is what the engine does. *The
original's batches*: the tool that this kit replaces took the list in batches that wait
for their slowest account, and paused between them. Pure: seconds in, seconds out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
# One call: seconds for which the account waits before it, without a slot (0 before the
# first call), and seconds that the call takes. An account is its calls in their order.
Leg = tuple[float, float]

BATCH_PAUSE_SECONDS = 0.5  # the original's, between two batches


def ideal_seconds(latencies: Iterable[float], *, concurrency: int) -> float:
    """Gives the seconds of list scheduling: a slot is refilled the moment it frees.

    Nobody can do better without knowing the latencies beforehand.
    Source: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969,
    https://doi.org/10.1137/0117039

    Args:
        latencies: Seconds of each account, in the order of the list.
        concurrency: How many slots there are.
    """
    slots = [0.0] * concurrency
    for seconds in latencies:
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def scheduled_seconds(
    accounts: Iterable[Sequence[Leg]], *, concurrency: int, gap: float = 0.0
) -> float:
    """Gives the seconds of list scheduling when accounts are tried several times.

    As in the engine, an account that waits for another try holds no slot, and goes
    ahead of the untouched ones once its wait is over. With one call an account and no
    gap this is `ideal_seconds`.

    Args:
        accounts: The calls of each account, in the order of the list.
        concurrency: How many slots there are.
        gap: The smallest time between two starts, in seconds.
    """
    slots = [0.0] * concurrency
    untouched = iter(accounts)
    following = next(untouched, None)
    waiting: list[tuple[float, int, Sequence[Leg], int]] = []
    opens, number = 0.0, 0  # when the next start may be; calls so far
    while following is not None or waiting:
        free = max(slots[0], opens)
        if waiting and (following is None or waiting[0][0] <= free):
            due, _, legs, place = heapq.heappop(waiting)
            start = max(free, due)
        else:
            legs, place, start = following or (), 0, free
            following = next(untouched, None)
            if not legs:
                continue
        end = start + legs[place][1]
        heapq.heapreplace(slots, end)
        opens, number, place = start + gap, number + 1, place + 1
        if place < len(legs):
            heapq.heappush(waiting, (end + legs[place][0], number, legs, place))
    return max(slots)


def batched_seconds(
    latencies: Iterable[float],
    *,
    concurrency: int,
    pause: float = BATCH_PAUSE_SECONDS,
) -> float:
    """Gives the seconds of the original's way of running several accounts at once.

    It takes the list in batches of 2 × concurrency. Within a batch at most
    `concurrency` run at once, a slot refilled the moment it frees (p-limit:
    https://github.com/sindresorhus/p-limit); the batch ends with its slowest account;
    then it pauses before the next. So the time is the list scheduling of each batch,
    added up, and a pause between each two. Its sequential mode has no batches: at
    concurrency 1 it is the sum of the latencies.

    Args:
        latencies: Seconds of each account, in the order of the list.
        concurrency: How many run at once; 1 or more.
        pause: Seconds between two batches. Where the latencies are compressed, it
            must be too.
    """
    parts = in_batches(list(latencies), concurrency=concurrency)
    work = sum(ideal_seconds(part, concurrency=concurrency) for part in parts)
    return work + pause * max(len(parts) - 1, 0)


def in_batches(items: Sequence[T], *, concurrency: int) -> list[Sequence[T]]:
    """Cuts a list into the batches of the original; one at concurrency 1."""
    size = 2 * concurrency if concurrency > 1 else max(len(items), 1)
    return [items[start : start + size] for start in range(0, len(items), size)]
