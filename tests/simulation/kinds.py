"""The kinds of providers that laws are tried on, with their numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.hidden import (
    Bucket,
    Cap,
    Incident,
    Limit,
    MovingBucket,
    TokenBucket,
    Window,
)
from tests.simulation.machine import Constant, Machine, Shared
from tests.simulation.provider import Provider

NO_FACTOR = ((0.0, 1.0),)


def _none(_rng: random.Random) -> Sequence[Limit]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of provider with its numbers.

    Attributes:
        name: What it is, with its numbers; it also seeds what is drawn.
        seconds: Median of an answer.
        sigma: Shape of the lognormal distribution of answers.
        limits: Makes them anew for each run; what is left to chance (in which part of
            a window a run begins) is drawn from what it is given.
        knee: With so many at work an answer takes twice as long; inf is no knee.
        shared: Whether each start slows those at work too, not itself alone.
        noise: Share of calls that end in 503.
        slower: Times, and by which factor everything takes longer from then on.
    """

    name: str
    seconds: float
    limits: Callable[[random.Random], Sequence[Limit]] = _none
    sigma: float = 0.5
    knee: float = math.inf
    shared: bool = False
    noise: float = 0.0
    slower: Sequence[tuple[float, float]] = NO_FACTOR

    def provider(self, number: int, seed: int) -> Provider:
        """Gives one that answers so many accounts."""
        rng = random.Random(f"{self.name} {seed}")
        middle = math.log(self.seconds)
        return Provider(
            [rng.lognormvariate(middle, self.sigma) for _ in range(number)],
            machine=self._machine(),
            limits=self.limits(random.Random(f"limits {self.name} {seed}")),
            noise=self.noise,
            seed=seed,
        )

    def _machine(self) -> Machine:
        return Shared(self.knee) if self.shared else Constant(self.knee, self.slower)


def free(seconds: float) -> Scenario:
    return Scenario(name=f"no limit, {seconds:g} s", seconds=seconds)


def cap(most: int, seconds: float, *, asking: float | None = None) -> Scenario:
    how = "" if asking is None else f" asking for {asking:g} s"
    return Scenario(
        name=f"cap {most}{how}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [Cap([(0, most)], asking=asking)],
    )


def bucket(
    rate: float,
    burst: float,
    seconds: float,
    *,
    tells: bool = True,
    headers: bool = False,
) -> Scenario:
    return Scenario(
        name=f"bucket {rate:g}/s of {burst:g}{_how(tells, headers)}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [Bucket(rate, burst, tells=tells, headers=headers)],
    )


def window(
    quota: int,
    every: float,
    seconds: float,
    *,
    tells: bool = True,
    headers: bool = False,
) -> Scenario:
    return Scenario(
        name=f"window {quota} in {every:g} s{_how(tells, headers)}, {seconds:g} s",
        seconds=seconds,
        limits=lambda rng: [
            Window(quota, every, rng.uniform(0, every), tells=tells, headers=headers)
        ],
    )


def incident(rate: float, burst: float, seconds: float, *, lasting: float) -> Scenario:
    """A bucket that asks everybody to wait for long, once."""
    return Scenario(
        name=f"bucket {rate:g}/s of {burst:g}, away for {lasting:g} s, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [Bucket(rate, burst), Incident(60, lasting)],
    )


def tokens(
    per_second: float, burst: float, seconds: float, *, headers: bool = False
) -> Scenario:
    how = " with headers" if headers else ""
    return Scenario(
        name=f"tokens {per_second:g}/s of {burst:g}{how}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [TokenBucket(per_second, burst, headers=headers)],
    )


def knee(
    at: float,
    seconds: float,
    *,
    sigma: float = 0.4,
    noise: float = 0.0,
    shared: bool = False,
) -> Scenario:
    how = " shared" if shared else ""
    return Scenario(
        name=f"knee {at:g}{how}{_with(noise)}, {seconds:g} s ± {sigma:.2g}",
        seconds=seconds,
        sigma=sigma,
        knee=at,
        shared=shared,
        noise=noise,
    )


def moving(steps: Sequence[tuple[float, int]], seconds: float) -> Scenario:
    way = "→".join(str(most) for _, most in steps)
    return Scenario(
        name=f"cap {way}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [Cap(steps)],
    )


def moving_bucket(
    steps: Sequence[tuple[float, float]], burst: float, seconds: float
) -> Scenario:
    way = "→".join(f"{rate:g}" for _, rate in steps)
    return Scenario(
        name=f"bucket {way}/s of {burst:g}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [MovingBucket(steps[0][1], burst, steps=steps)],
    )


def noisy(most: int, share: float, seconds: float) -> Scenario:
    return Scenario(
        name=f"cap {most}{_with(share)}, {seconds:g} s",
        seconds=seconds,
        limits=lambda _: [Cap([(0, most)])],
        noise=share,
    )


def _how(tells: bool, headers: bool) -> str:  # noqa: FBT001
    return " with headers" if headers else "" if tells else " without Retry-After"


def _with(noise: float) -> str:
    return f" with {noise:.0%} 503" if noise else ""
