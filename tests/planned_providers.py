"""Providers of twenty kinds in virtual time, to hold a plan against what happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from sdr_kit.account import Account, RateLimits, Research, Usage
from sdr_kit.errors import Permanent, RateLimited, Transient

Draw = Callable[[random.Random], float]  # seconds of a call


def lognormal(sigma: float, median: float = 6.0) -> Draw:
    return lambda rng: median * rng.lognormvariate(0, sigma)


def of_two_kinds(share: float, slow: float, fast: float = 3.0) -> Draw:
    return lambda rng: (slow if rng.random() < share else fast) * rng.uniform(0.8, 1.2)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a provider behaves.

    Attributes:
        seconds: How long its calls take.
        flaky: Share of the calls that fail in passing, after half their time.
        broken: Share of the accounts that fail for good.
        per_minute: Calls a minute from a bucket that fills all the time, and which may
            hold `burst`; None is no limit.
        says: Whether its answers say what remains of that limit.
        at_once: Accounts at once when the rest is run.
        accounts: How long the list is.
        flat_usd: What each answer costs; None is by the second.
    """

    seconds: Draw
    flaky: float = 0.0
    broken: float = 0.0
    per_minute: float | None = None
    burst: float = 5.0
    says: bool = True
    at_once: int = 5
    accounts: int = 200
    flat_usd: float | None = None


KINDS: dict[str, Kind] = {
    "constant": Kind(seconds=lambda _: 4.0, flat_usd=0.01),
    "uniform": Kind(seconds=lambda rng: rng.uniform(2, 9), at_once=8),
    "exponential": Kind(seconds=lambda rng: rng.expovariate(0.2)),
    "lognormal 0.3": Kind(seconds=lognormal(0.3), at_once=3),
    "lognormal 0.5": Kind(seconds=lognormal(0.5), accounts=60),
    "lognormal 0.7": Kind(seconds=lognormal(0.7), at_once=10, accounts=400),
    "lognormal 0.9": Kind(seconds=lognormal(0.9), at_once=1, accounts=100),
    "lognormal 1.2": Kind(seconds=lognormal(1.2), at_once=8),
    "lognormal 1.2, long list": Kind(seconds=lognormal(1.2), at_once=10, accounts=900),
    "half slow": Kind(seconds=of_two_kinds(0.5, 15), at_once=8),
    "a third slow": Kind(seconds=of_two_kinds(0.3, 30)),
    "a fifth slow": Kind(seconds=of_two_kinds(0.2, 20), at_once=10),
    "flaky": Kind(seconds=lognormal(0.5), flaky=0.2),
    "very flaky": Kind(seconds=lognormal(0.3), flaky=0.4, at_once=8),
    "flaky and skewed": Kind(seconds=lognormal(1.0), flaky=0.15, at_once=3),
    "some broken": Kind(seconds=lognormal(0.4), broken=0.15, at_once=8),
    "broken and flaky": Kind(seconds=lognormal(0.6), broken=0.1, flaky=0.1),
    "limited, and says so": Kind(seconds=lognormal(0.4), per_minute=40, at_once=8),
    "limited, and flaky": Kind(
        seconds=lognormal(0.3, 3.0), per_minute=60, flaky=0.1, at_once=10
    ),
    "limited high": Kind(seconds=lognormal(0.6), per_minute=600, burst=50, at_once=10),
}


class PlannedProvider:
    """Answers as its kind does, to an account and a try always in the same time."""

    paid = True

    def __init__(self, kind: Kind, *, seed: int) -> None:
        self.kind = kind
        self.fingerprint = f"kind-{seed}"
        self.calls = 0
        self._seed = seed
        self._tries: dict[int, int] = {}
        self._left, self._at = kind.burst, 0.0

    async def __call__(self, account: Account) -> Research:
        self.calls += 1
        limits = self._take()
        turn = self._tries[account.position] = 1 + self._tries.get(account.position, 0)
        rng = random.Random(f"{self._seed} {account.position} {turn}")
        seconds = self.kind.seconds(rng)
        cost = 0.002 * seconds if self.kind.flat_usd is None else self.kind.flat_usd
        usage = Usage(input_tokens=100, cost_usd=cost)
        if rng.random() < self.kind.flaky:
            await asyncio.sleep(seconds / 2)
            raise Transient("HTTP 503").about(limits=limits)
        await asyncio.sleep(seconds)
        own = random.Random(f"{self._seed} {account.position}")
        if own.random() < self.kind.broken:
            raise Permanent(f"no such company as {account.company_name}").about(
                usage=usage, limits=limits
            )
        return Research(fields={"a": 1}, usage=usage, limits=limits)

    def _take(self) -> RateLimits | None:
        """Takes a call out of the bucket, if there is one."""
        rate = self.kind.per_minute
        if rate is None:
            return None
        now = asyncio.get_running_loop().time()
        filled = self._left + (now - self._at) * rate / 60
        self._left, self._at = min(filled, self.kind.burst), now
        if self._left < 1:
            wait = 60 * (1 - self._left) / rate
            raise RateLimited("HTTP 429", retry_after=wait)
        self._left -= 1
        used = self.kind.burst - self._left
        if not self.kind.says:
            return None
        return RateLimits(
            requests_limit=rate,
            requests_remaining=rate - used,
            requests_reset_seconds=60 * used / rate,
        )
