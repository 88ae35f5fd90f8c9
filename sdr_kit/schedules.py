"""How long a list takes when its latencies are known: the best way, and the original's.

The *ideal* is list scheduling, which nobody can beat without knowing the future. *The
original's batches*: the tool that this kit replaces took the list in batches that wait
for their slowest account, and paused between them. Pure: seconds in, seconds out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

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
