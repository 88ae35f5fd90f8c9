"""The providers that laws are tried on: those it was chosen on, and those held out.

The held-out ones have the same kinds with parameters drawn at random; nobody looked at
them while the law was made.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.provider import Bucket, Cap, Limit, Provider, TokenBucket, Window


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of provider with its numbers.

    Attributes:
        name: What it is, with its numbers.
        seconds: Median of an answer.
        sigma: Shape of the lognormal distribution of answers.
        limits: Makes them anew for each run.
        knee: See `Provider`; likewise the others.
    """

    name: str
    seconds: float
    limits: Callable[[], Sequence[Limit]] = list
    sigma: float = 0.5
    knee: float = math.inf
    noise: float = 0.0
    slower: Sequence[tuple[float, float]] = ((0.0, 1.0),)

    def provider(self, number: int, seed: int) -> Provider:
        """Gives one that answers so many accounts."""
        rng = random.Random(f"{self.name} {seed}")
        middle = math.log(self.seconds)
        return Provider(
            latencies=[rng.lognormvariate(middle, self.sigma) for _ in range(number)],
            limits=self.limits(),
            knee=self.knee,
            noise=self.noise,
            slower=self.slower,
            seed=seed,
        )


def cap(most: int, seconds: float, **more: float) -> Scenario:
    return Scenario(
        name=f"cap {most}, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [Cap([(0, most)])],
        **more,
    )


def bucket(
    rate: float,
    burst: float,
    seconds: float,
    *,
    tells: bool = True,
    headers: bool = False,
) -> Scenario:
    how = " with headers" if headers else "" if tells else " without Retry-After"
    return Scenario(
        name=f"bucket {rate:g}/s of {burst:g}{how}, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [Bucket(rate, burst, tells=tells, headers=headers)],
    )


def window(
    quota: int, every: float, phase: float, seconds: float, *, headers: bool = False
) -> Scenario:
    how = " with headers" if headers else ""
    return Scenario(
        name=f"window {quota} in {every:g} s{how}, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [Window(quota, every, phase, headers=headers)],
    )


def tokens(
    per_second: float, burst: float, seconds: float, *, headers: bool = False
) -> Scenario:
    how = " with headers" if headers else ""
    return Scenario(
        name=f"tokens {per_second:g}/s of {burst:g}{how}, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [TokenBucket(per_second, burst, headers=headers)],
    )


def knee(at: float, seconds: float, *, sigma: float = 0.4) -> Scenario:
    return Scenario(
        name=f"knee {at:g}, {seconds:g} s", seconds=seconds, sigma=sigma, knee=at
    )


def moving(steps: Sequence[tuple[float, int]], seconds: float) -> Scenario:
    way = "→".join(str(most) for _, most in steps)
    return Scenario(
        name=f"cap {way}, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [Cap(steps)],
    )


def noisy(most: int, share: float, seconds: float) -> Scenario:
    return Scenario(
        name=f"cap {most} with {share:.0%} 503, {seconds:g} s",
        seconds=seconds,
        limits=lambda: [Cap([(0, most)])],
        noise=share,
    )


CHOSEN_ON: tuple[Scenario, ...] = (
    Scenario(name="no limit, 10 s", seconds=10),
    cap(12, 8),
    cap(40, 20),
    cap(5, 3),
    bucket(2, 20, 10),
    bucket(2, 20, 10, tells=False),
    bucket(0.7, 1, 5),
    bucket(6, 40, 6),
    bucket(3, 60, 12, headers=True),
    window(60, 60, 20, 4),
    window(100, 60, 45, 10, headers=True),
    tokens(2_500, 20_000, 8),
    tokens(4_000, 40_000, 12, headers=True),
    knee(16, 6),
    knee(40, 20),
    moving([(0, 40), (40, 10), (120, 40)], 8),
    noisy(30, 0.08, 10),
    Scenario(
        name="cap 20 and bucket 1.5/s of 10, 10 s",
        seconds=10,
        limits=lambda: [Cap([(0, 20)]), Bucket(1.5, 10)],
    ),
    Scenario(
        name="knee 20 with 5% 503, 8 s", seconds=8, knee=20, noise=0.05, sigma=0.4
    ),
    Scenario(
        name="no limit, 3 times slower for a while, 8 s",
        seconds=8,
        slower=[(0, 1), (60, 3), (120, 1)],
    ),
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
            window(whole(30, 150), 60, rng.uniform(0, 60), between(2, 30)),
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
            limits=lambda: [Cap([(0, 15)]), Window(90, 60, 12)],
        ),
        Scenario(
            name="knee 24 and bucket 2/s of 10, 9 s",
            seconds=9,
            sigma=0.4,
            knee=24,
            limits=lambda: [Bucket(2, 10)],
        ),
    ]
    return tuple(found)


HELD_OUT = _held_out()
