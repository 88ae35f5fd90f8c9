"""What others do with the same providers: a fixed number, plain AIMD, batches.

A refused or failed call is tried again after what the provider asks for, or else after
exponential backoff. Meanwhile it keeps its slot, as in the tools that do so.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from sdr_kit import Account, RateLimited, Transient
from sdr_kit.backoff import Backoff
from sdr_kit.schedules import BATCH_PAUSE_SECONDS, in_batches
from tests.simulation.provider import Provider
from tests.simulation.race import MOST, Way

ORIGINAL = 5  # at once in its batches, unless told otherwise
BEGIN = 5  # with so many at once AIMD begins
LATENCIES = 0.1  # the weight of each answer in the mean that AIMD keeps


class Aimd:
    """One more at once for each round of answers, half as many at a refusal.

    It halves once a latency at most, or a burst of refusals would end at one.
    Source: https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease
    """

    def __init__(self) -> None:
        self.limit = float(BEGIN)
        self._latency = 0.0
        self._halved = -math.inf

    def succeeded(self, seconds: float) -> None:
        weight = LATENCIES if self._latency else 1.0
        self._latency += weight * (seconds - self._latency)
        self.limit = min(self.limit + 1 / self.limit, MOST)

    def refused(self, now: float) -> None:
        if now - self._halved >= self._latency:
            self.limit, self._halved = max(1.0, self.limit / 2), now


class Fixed:
    """Always as many at once.

    Attributes:
        limit: That.
    """

    def __init__(self, limit: int) -> None:
        self.limit = float(limit)

    def succeeded(self, _seconds: float) -> None:
        return

    def refused(self, _now: float) -> None:
        return


class Slots:
    """As many at once as a rule says at the moment."""

    def __init__(self, rule: Fixed | Aimd) -> None:
        self.rule = rule
        self._taken = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._taken + 1 <= self.rule.limit)
            self._taken += 1
        try:
            yield
        finally:
            async with self._changed:
                self._taken -= 1
                free = math.floor(self.rule.limit) - self._taken
                self._changed.notify(max(free, 1))


def with_rule(rule: Callable[[], Fixed | Aimd]) -> Way:
    """Gives who takes the list in its order, as many at once as a rule says."""

    async def way(provider: Provider, accounts: Sequence[Account]) -> None:
        await _all(Slots(rule()), provider, accounts)

    return way


async def batches(provider: Provider, accounts: Sequence[Account]) -> None:
    """Waits for the slowest of each batch, and pauses, as the original did."""
    for number, batch in enumerate(in_batches(accounts, concurrency=ORIGINAL)):
        if number:
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        await _all(Slots(Fixed(ORIGINAL)), provider, batch)


async def _all(slots: Slots, provider: Provider, accounts: Sequence[Account]) -> None:
    backoff = Backoff(initial=1.0, maximum=60.0, rng=random.Random(7))

    async def one(account: Account) -> None:
        async with slots.one():
            await _insist(slots.rule, provider, account, backoff)

    async with asyncio.TaskGroup() as group:
        for account in accounts:
            group.create_task(one(account), name=account.company_name)


async def _insist(
    rule: Fixed | Aimd, provider: Provider, account: Account, backoff: Backoff
) -> None:
    """Asks until there is an answer."""
    loop, tries = asyncio.get_running_loop(), 0
    while True:
        began, tries = loop.time(), tries + 1
        try:
            await provider(account)
        except RateLimited as error:
            rule.refused(loop.time())
            wait = error.retry_after or backoff.jittered(tries)
        except Transient:
            wait = backoff.jittered(tries)
        else:
            rule.succeeded(loop.time() - began)
            return
        await asyncio.sleep(wait)


RIVALS: dict[str, Way] = {
    "fixed 5": with_rule(lambda: Fixed(5)),
    "fixed 10": with_rule(lambda: Fixed(10)),
    "AIMD": with_rule(Aimd),
    "batches": batches,
}
