"""A provider in virtual time, with limits that nobody is told.

It is a researcher as any other: the whole engine runs against it. What it refuses it
refuses as providers do, soon and with 429; what it takes lasts as long as the account
does, longer when many are at work and it has a knee.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sdr_kit import Account, RateLimited, Research, Transient
from sdr_kit.account import RateLimits, Usage

TOKENS = (2_000.0, 0.4)  # median and sigma of what an answer takes


class Limit(Protocol):
    """One reason to refuse; also what is waited for by who knows it."""

    def wait(self, now: float, working: int) -> float:
        """Seconds until a call would be taken: 0 is now, inf is not before an end."""

    def take(self, now: float, tokens: float) -> None:
        """Takes a call."""

    def asks(self, now: float) -> float | None:
        """What `Retry-After` says when a call is refused; None says nothing."""

    def says(self, now: float) -> RateLimits | None:
        """What the headers of an answer say."""


class Silent:
    """Says nothing about itself."""

    def take(self, _now: float, _tokens: float) -> None:
        return

    def asks(self, _now: float) -> float | None:
        return None

    def says(self, _now: float) -> RateLimits | None:
        return None


@dataclass
class Cap(Silent):
    """So many at once; from each time on another number, if it moves."""

    steps: Sequence[tuple[float, int]]

    def at(self, now: float) -> int:
        return [most for since, most in self.steps if since <= now][-1]

    def wait(self, now: float, working: int) -> float:
        if working < self.at(now):
            return 0.0
        later = [since - now for since, _ in self.steps if since > now]
        return min(later, default=math.inf)


@dataclass
class Bucket:
    """So many calls a second, and so many at once when it is full."""

    rate: float
    burst: float
    tells: bool = True  # Retry-After
    headers: bool = False
    _level: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._level = self.burst

    def _fill(self, now: float) -> float:
        self._level = min(self.burst, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level

    def wait(self, now: float, _working: int) -> float:
        missing = 1 - self._fill(now)
        return missing / self.rate if missing > 1e-9 else 0.0

    def take(self, now: float, _tokens: float) -> None:
        self._level = self._fill(now) - 1

    def asks(self, now: float) -> float | None:
        return math.ceil(self.wait(now, 0)) if self.tells else None

    def says(self, now: float) -> RateLimits | None:
        if not self.headers:
            return None
        level = self._fill(now)
        return RateLimits(
            requests_limit=self.burst,
            requests_remaining=max(0.0, math.floor(level)),
            requests_reset_seconds=(self.burst - level) / self.rate,
        )


@dataclass
class TokenBucket(Bucket):
    """So many tokens a second; a call is taken while there are any."""

    def wait(self, now: float, _working: int) -> float:
        missing = -self._fill(now)
        return missing / self.rate if missing > 1e-6 else 0.0

    def take(self, now: float, tokens: float) -> None:
        self._level = self._fill(now) - tokens

    def says(self, now: float) -> RateLimits | None:
        if not self.headers:
            return None
        level = self._fill(now)
        return RateLimits(
            tokens_limit=self.burst,
            tokens_remaining=max(0.0, level),
            tokens_reset_seconds=(self.burst - level) / self.rate,
        )


@dataclass
class Window:
    """So many calls in each window of the clock."""

    quota: int
    seconds: float
    phase: float = 0.0
    headers: bool = False
    _number: int = -1
    _taken: int = 0

    def _turn(self, now: float) -> float:
        """Seconds until the window ends."""
        number = math.floor((now + self.phase) / self.seconds + 1e-9)
        if number != self._number:
            self._number, self._taken = number, 0
        return (number + 1) * self.seconds - self.phase - now

    def wait(self, now: float, _working: int) -> float:
        left = self._turn(now)
        return 0.0 if self._taken < self.quota else left

    def take(self, now: float, _tokens: float) -> None:
        self._turn(now)
        self._taken += 1

    def asks(self, now: float) -> float | None:
        return math.ceil(self._turn(now))

    def says(self, now: float) -> RateLimits | None:
        left = self._turn(now)
        if not self.headers:
            return None
        return RateLimits(
            requests_limit=self.quota,
            requests_remaining=max(0, self.quota - self._taken),
            requests_reset_seconds=left,
        )


@dataclass
class Provider:
    """What is asked.

    Attributes:
        latencies: Seconds of each account, with nobody else at work.
        limits: Why it refuses.
        knee: With so many at work an answer takes twice as long; inf is no knee.
        noise: Share of calls that end in 503.
        slower: Times at which everything takes a factor longer or again not.
        refusal_seconds: Between these two a refusal takes.
    """

    latencies: Sequence[float]
    limits: Sequence[Limit] = ()
    knee: float = math.inf
    noise: float = 0.0
    slower: Sequence[tuple[float, float]] = ((0.0, 1.0),)
    refusal_seconds: tuple[float, float] = (0.05, 0.3)
    seed: int = 0
    calls: int = 0
    refused: int = 0
    failed: int = 0
    working: int = 0
    answered: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"provider {self.seed}")
        draw = random.Random(f"tokens {self.seed}")
        middle, sigma = TOKENS
        self._tokens = [
            draw.lognormvariate(math.log(middle), sigma) for _ in self.latencies
        ]
        self._freed = asyncio.Event()

    @property
    def synthetic(self) -> bool:
        return False

    async def __call__(self, account: Account) -> Research:
        now = asyncio.get_running_loop().time()
        self.calls += 1
        refusing = [each for each in self.limits if each.wait(now, self.working)]
        if refusing:
            self.refused += 1
            asked = max((each.asks(now) or 0.0 for each in refusing), default=0.0)
            said = self._said(now)
            await asyncio.sleep(self._rng.uniform(*self.refusal_seconds))
            error = RateLimited("Too many requests", retry_after=asked or None)
            raise error.about(limits=said)
        return await self._answer(account, now)

    async def patient(self, account: Account) -> Research:
        """Answers one who knows when it will be taken, and comes just then."""
        loop = asyncio.get_running_loop()
        self.calls += 1
        while wait := max(
            (each.wait(loop.time(), self.working) for each in self.limits), default=0.0
        ):
            self._freed.clear()
            try:
                async with asyncio.timeout(None if wait == math.inf else wait):
                    await self._freed.wait()
            except TimeoutError:
                continue
        return await self._answer(account, loop.time())

    async def _answer(self, account: Account, now: float) -> Research:
        tokens = self._tokens[account.position]
        for each in self.limits:
            each.take(now, tokens)
        said = self._said(now)
        with self._at_work():
            factor = [by for since, by in self.slower if since <= now][-1]
            crowd = (self.working / self.knee) ** 2
            seconds = self.latencies[account.position] * factor * (1 + crowd)
            if self._rng.random() < self.noise:
                self.failed += 1
                await asyncio.sleep(seconds * self._rng.random())
                raise Transient("HTTP 503: try again")
            await asyncio.sleep(seconds)
        self.answered.append(asyncio.get_running_loop().time())
        usage = Usage(input_tokens=int(tokens * 0.8), output_tokens=int(tokens * 0.2))
        return Research(fields={"ok": True}, usage=usage, limits=said)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1
            self._freed.set()

    def _said(self, now: float) -> RateLimits | None:
        said = [each.says(now) for each in self.limits]
        return next(filter(None, said), None)
