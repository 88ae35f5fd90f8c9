"""How long lists take whose latencies are known."""

from __future__ import annotations

import random

from sdr_kit.schedules import batched_seconds, ideal_seconds


def test_the_ideal_is_list_scheduling() -> None:
    assert ideal_seconds([3, 1, 1, 1], concurrency=2) == 3
    assert ideal_seconds([1, 1, 1, 3], concurrency=2) == 4
    assert ideal_seconds([2, 2], concurrency=10) == 2
    assert ideal_seconds([], concurrency=5) == 0


def test_the_ideal_is_never_beaten_by_the_bounds_of_any_schedule() -> None:
    rng = random.Random(0)
    for _ in range(50):
        latencies = [rng.random() for _ in range(rng.randint(1, 40))]
        slots = rng.randint(1, 12)
        ideal = ideal_seconds(latencies, concurrency=slots)
        assert ideal >= max(max(latencies), sum(latencies) / slots) - 1e-9
        assert ideal <= sum(latencies) / slots + max(latencies) + 1e-9


def test_a_batch_waits_for_its_slowest_and_pauses_before_the_next() -> None:
    # Two batches of four, of two at once: 2 s each, and one pause.
    assert batched_seconds([1] * 8, concurrency=2) == 4.5
    assert batched_seconds([1] * 8, concurrency=2, pause=0.1) == 4.1
    # Within a batch a free slot is refilled, but not from the next batch.
    assert batched_seconds([3, 1, 1, 1], concurrency=2) == 3
    assert batched_seconds([3, 1, 1, 1, 1], concurrency=2) == 4.5
    assert batched_seconds([1, 2, 3], concurrency=1) == 6
    assert batched_seconds([], concurrency=5) == 0


def test_batches_are_never_faster_than_the_ideal() -> None:
    rng = random.Random(0)
    for _ in range(50):
        latencies = [rng.random() for _ in range(rng.randint(1, 60))]
        slots = rng.randint(1, 12)
        batches = batched_seconds(latencies, concurrency=slots, pause=0)
        assert batches >= ideal_seconds(latencies, concurrency=slots) - 1e-9
