"""The providers that the law was chosen on, those held out, and those not judged.

The held-out ones have the same kinds with parameters drawn at random; nobody looked at
them while the law was made. Those not judged are beyond what the law was made for; the
report shows what becomes of them.
"""

from __future__ import annotations

import math
import random

from tests.simulation.hidden import Bucket, Cap, TokenBucket, Window
from tests.simulation.kinds import (
    Scenario,
    bucket,
    cap,
    free,
    incident,
    knee,
    moving,
    moving_bucket,
    noisy,
    tokens,
    window,
)

CHOSEN_ON: tuple[Scenario, ...] = (
    free(10),
    cap(12, 8),
    cap(40, 20),
    cap(5, 3),
    bucket(2, 20, 10),
    bucket(2, 20, 10, tells=False),
    bucket(0.7, 1, 5),
    bucket(6, 40, 6),
    bucket(3, 60, 12, headers=True),
    window(60, 60, 4),
    window(100, 60, 10, headers=True),
    tokens(2_500, 20_000, 8),
    tokens(4_000, 40_000, 12, headers=True),
    knee(16, 6),
    knee(40, 20),
    moving([(0, 40), (40, 10), (120, 40)], 8),
    noisy(30, 0.08, 10),
    Scenario(
        name="cap 20 and bucket 1.5/s of 10, 10 s",
        seconds=10,
        limits=lambda _: [Cap([(0, 20)]), Bucket(1.5, 10)],
    ),
    Scenario(
        name="bucket 2/s of 30 and tokens 3000/s of 30000 with headers, 9 s",
        seconds=9,
        limits=lambda _: [
            Bucket(2, 30, headers=True),
            TokenBucket(3_000, 30_000, headers=True),
        ],
    ),
    knee(20, 8, noise=0.05),
    Scenario(
        name="no limit, 3 times slower for a while, 8 s",
        seconds=8,
        slower=[(0, 1), (60, 3), (120, 1)],
    ),
)

NOT_JUDGED: tuple[Scenario, ...] = (
    knee(16, 6, shared=True),
    knee(30, 12, shared=True),
    knee(12, 8, sigma=0.8),
    knee(30, 15, sigma=0.8),
    cap(15, 8, asking=5),
    cap(12, 5, asking=30),
    bucket(1, 1, 5, tells=False),
    window(60, 60, 5, tells=False),
    incident(1, 10, 5, lasting=300),
    moving_bucket([(0, 1), (100, 4)], 10, 5),
    moving_bucket([(0, 4), (40, 1)], 10, 5),
)


def _held_out() -> tuple[Scenario, ...]:
    rng = random.Random("held out")

    def between(low: float, high: float) -> float:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
        return float(f"{value:.2g}")

    def whole(low: float, high: float) -> int:
        return round(between(low, high))

    found: list[Scenario] = []
    for _ in range(3):
        found += [
            cap(whole(5, 48), between(4, 40)),
            bucket(between(0.5, 6), whole(1, 50), between(2, 40)),
            bucket(between(0.5, 6), whole(5, 50), between(2, 40), headers=True),
            window(whole(30, 150), 60, between(2, 30)),
            tokens(between(1_000, 10_000), between(10_000, 60_000), between(3, 30)),
            knee(whole(8, 48), between(3, 30), sigma=rng.uniform(0.2, 0.6)),
            noisy(whole(8, 45), rng.uniform(0.02, 0.15), between(3, 30)),
        ]
    found += [
        bucket(1.2, 15, 8, tells=False),
        moving([(0, 30), (50, 8), (150, 30)], 10),
        moving([(0, 12), (60, 36)], 6),
        Scenario(
            name="cap 15 and window 90 in 60 s, 6 s",
            seconds=6,
            limits=lambda rng: [Cap([(0, 15)]), Window(90, 60, rng.uniform(0, 60))],
        ),
        Scenario(
            name="knee 24 and bucket 2/s of 10, 9 s",
            seconds=9,
            sigma=0.4,
            knee=24,
            limits=lambda _: [Bucket(2, 10)],
        ),
    ]
    return tuple(found)


HELD_OUT = _held_out()
