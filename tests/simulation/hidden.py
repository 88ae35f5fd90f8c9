"""The limits of simulated providers, which nobody is told.

Each is pure: it is asked with the time and how many calls are at work, and told what is
taken. Those who know it (the oracle) ask how long to wait; the others are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sdr_kit.account import RateLimits

NEARLY = 1e-9  # below one by so little is one: sums of seconds are not exact
NEARLY_TOKENS = 1e-6


class Limit(Protocol):
    """One reason to refuse."""

    def wait(self, now: float, working: int) -> float:
        """Seconds until a call would be taken: 0 is now, inf not before one ends."""

    def take(self, now: float, tokens: float) -> None:
        """Takes a call."""

    def asks(self, now: float) -> float | None:
        """What `Retry-After` says when a call is refused; None says nothing."""

    def says(self, now: float) -> RateLimits:
        """What the headers of an answer say."""


@dataclass
class Cap:
    """So many at once; from each time on another number, if it moves.

    Attributes:
        steps: Times and how many from then on; the first at 0.
        asking: What `Retry-After` says; None says nothing.
    """

    steps: Sequence[tuple[float, int]]
    asking: float | None = None

    def wait(self, now: float, working: int) -> float:
        if working < [most for since, most in self.steps if since <= now][-1]:
            return 0.0
        later = (since - now for since, _ in self.steps if since > now)
        return min(later, default=math.inf)

    def take(self, _now: float, _tokens: float) -> None:
        return

    def asks(self, _now: float) -> float | None:
        return self.asking

    def says(self, _now: float) -> RateLimits:
        return RateLimits()


@dataclass
class Bucket:
    """So many calls a second, and so many at once when it is full.

    Attributes:
        rate: Calls that come back a second.
        burst: Calls that it holds, and is begun with.
        tells: Whether a refusal comes with `Retry-After`, in whole seconds.
        headers: Whether answers say what remains.
    """

    rate: float
    burst: float
    tells: bool = True
    headers: bool = False
    _level: float = field(init=False)
    _at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._level = self.burst

    def _fill(self, now: float) -> float:
        self._level = min(self.burst, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level

    def wait(self, now: float, _working: int) -> float:
        missing = 1 - self._fill(now)
        return missing / self.rate if missing > NEARLY else 0.0

    def take(self, now: float, _tokens: float) -> None:
        self._level = self._fill(now) - 1

    def asks(self, now: float) -> float | None:
        return math.ceil(self.wait(now, 0)) if self.tells else None

    def says(self, now: float) -> RateLimits:
        if not self.headers:
            return RateLimits()
        level = self._fill(now)
        return RateLimits(
            requests_limit=self.burst,
            requests_remaining=max(0.0, math.floor(level)),
            requests_reset_seconds=(self.burst - level) / self.rate,
        )


@dataclass
class TokenBucket(Bucket):
    """So many tokens a second; a call is taken while there are any, and may owe."""

    def wait(self, now: float, _working: int) -> float:
        missing = -self._fill(now)
        return missing / self.rate if missing > NEARLY_TOKENS else 0.0

    def take(self, now: float, tokens: float) -> None:
        self._level = self._fill(now) - tokens

    def says(self, now: float) -> RateLimits:
        if not self.headers:
            return RateLimits()
        level = self._fill(now)
        return RateLimits(
            tokens_limit=self.burst,
            tokens_remaining=max(0.0, level),
            tokens_reset_seconds=(self.burst - level) / self.rate,
        )


@dataclass
class MovingBucket(Bucket):
    """A bucket that fills at another rate from each time on.

    Attributes:
        steps: Times and the rate from then on; the first at 0.
    """

    steps: Sequence[tuple[float, float]] = ()

    def _fill(self, now: float) -> float:
        for since, rate in self.steps:
            if self._at < since <= now:
                super()._fill(since)
            if since <= now:
                self.rate = rate
        return super()._fill(now)


@dataclass
class Window:
    """So many calls in each window of the clock.

    Attributes:
        quota: Calls in a window.
        seconds: How long it is.
        phase: Seconds of the first window that are over when the run begins.
        tells: Whether a refusal comes with `Retry-After`, in whole seconds.
        headers: Whether answers say what remains.
    """

    quota: int
    seconds: float
    phase: float
    tells: bool = True
    headers: bool = False
    _number: int = field(init=False, default=-1)
    _taken: int = field(init=False, default=0)

    def _left(self, now: float) -> float:
        """Seconds until the window ends; begins it, if it is a new one."""
        number = math.floor((now + self.phase) / self.seconds + NEARLY)
        if number != self._number:
            self._number, self._taken = number, 0
        return (number + 1) * self.seconds - self.phase - now

    def wait(self, now: float, _working: int) -> float:
        left = self._left(now)
        return 0.0 if self._taken < self.quota else left

    def take(self, now: float, _tokens: float) -> None:
        self._left(now)
        self._taken += 1

    def asks(self, now: float) -> float | None:
        return math.ceil(self._left(now)) if self.tells else None

    def says(self, now: float) -> RateLimits:
        left = self._left(now)
        if not self.headers:
            return RateLimits()
        return RateLimits(
            requests_limit=self.quota,
            requests_remaining=max(0, self.quota - self._taken),
            requests_reset_seconds=left,
        )


@dataclass
class Incident:
    """Refuses everything for a while, and says for how long.

    Attributes:
        since: When it begins.
        seconds: How long it lasts.
    """

    since: float
    seconds: float

    def wait(self, now: float, _working: int) -> float:
        over = self.since + self.seconds
        return over - now if self.since <= now < over else 0.0

    def take(self, _now: float, _tokens: float) -> None:
        return

    def asks(self, now: float) -> float | None:
        return math.ceil(self.wait(now, 0))

    def says(self, _now: float) -> RateLimits:
        return RateLimits()
