"""Runs a whole engine against a provider in virtual time, and one who knows it all."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sdr_kit import Account, Settings
from sdr_kit.engine import Engine
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.memory_store import MemoryStore
from sdr_kit.stored_job import Beginning
from sdr_kit.worker import Researcher
from tests.simulation.kinds import Scenario
from tests.simulation.provider import Provider
from tests.virtual import VirtualLoop

MOST = 50  # AUTO_MAX_CONCURRENCY
# The oracle tries these parts of the knee; one of them is the best number.
AROUND_KNEE = 0.7, 0.85, 1.0, 1.15, 1.4
SETTLED = 0.9  # of the pace of the middle half

# Has a provider research so many accounts.
Way = Callable[[Provider, Sequence[Account]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run came to.

    Attributes:
        seconds: From the start to the last answer.
        waste: Refused calls an account.
        settled: When a tenth of the answers first began to come at (nearly) the pace
            of the middle half of the run.
    """

    seconds: float
    waste: float
    settled: float


def race(way: Way, scenario: Scenario, number: int, seed: int) -> Result:
    """Runs one who researches so many accounts, and says what it came to."""
    loop = VirtualLoop()

    async def whole() -> Provider:
        provider = scenario.provider(number, seed)
        await way(provider, _accounts(number))
        return provider

    try:
        provider = loop.run_until_complete(whole())
    finally:
        loop.close()
    assert len(provider.answered) == number, (scenario.name, seed)
    return Result(
        seconds=provider.answered[-1],
        waste=provider.refused / number,
        settled=_settled(provider.answered),
    )


def ours(
    scenario: Scenario, number: int, seed: int, *, learned: Learned = NOTHING_LEARNED
) -> Result:
    """Runs the engine of the kit in auto."""

    async def way(provider: Provider, accounts: Sequence[Account]) -> None:
        await _engine(provider, accounts, limit=MOST, auto=True, learned=learned)

    return race(way, scenario, number, seed)


def by_hand(scenario: Scenario, number: int, seed: int, *, limit: int) -> Result:
    """Runs the engine of the kit at a fixed number."""

    async def way(provider: Provider, accounts: Sequence[Account]) -> None:
        await _engine(provider, accounts, limit=limit)

    return race(way, scenario, number, seed)


def learned_by(scenario: Scenario, number: int, seed: int) -> Learned:
    """Gives what the engine of the kit has found out in a run."""
    found: list[Learned] = []

    async def way(provider: Provider, accounts: Sequence[Account]) -> None:
        found.append(await _engine(provider, accounts, limit=MOST, auto=True))

    race(way, scenario, number, seed)
    return found[0]


def oracle(scenario: Scenario, number: int, seed: int) -> Result:
    """Runs one who comes just when the provider takes a call, at the best number.

    It is the engine too, at a fixed number: what is compared is the law.
    """
    numbers: Sequence[int] = (MOST,)
    if scenario.knee < math.inf:
        around = (round(scenario.knee * part) for part in AROUND_KNEE)
        numbers = [min(max(each, 1), MOST) for each in around]

    def at(limit: int) -> Result:
        async def way(provider: Provider, accounts: Sequence[Account]) -> None:
            await _engine(provider.patient, accounts, limit=limit)

        return race(way, scenario, number, seed)

    return min((at(each) for each in numbers), key=lambda each: each.seconds)


async def _engine(
    researcher: Researcher,
    accounts: Sequence[Account],
    *,
    limit: int,
    auto: bool = False,
    learned: Learned = NOTHING_LEARNED,
) -> Learned:
    """Runs the engine; gives what it keeps for the next run."""
    store = MemoryStore()
    engine = Engine(
        accounts,
        researcher,
        limit=limit,
        auto=auto,
        learned=learned,
        settings=_settings(),
        store=store,
        job_id=store.create_job((), Beginning(researcher="x", concurrency=limit)),
        attended=True,
        rng=random.Random(7),
    )
    await engine.run()
    return store.learned(Provider.provider)


@functools.cache
def _accounts(number: int) -> tuple[Account, ...]:
    return tuple(
        Account(position=i, company_name=f"Company {i}", domain=f"c{i}.com")
        for i in range(number)
    )


@functools.cache
def _settings() -> Settings:
    # A far crowded provider takes longer for an answer than anybody would wait.
    return Settings(
        max_concurrency=1_000, max_api_retries=10, account_timeout_seconds=36_000
    )


def _settled(ends: Sequence[float]) -> float:
    n, tenth = len(ends), len(ends) // 10
    pace = (n // 2) / (ends[3 * n // 4] - ends[n // 4])
    for i in range(n - tenth):
        if tenth >= SETTLED * pace * (ends[i + tenth] - ends[i]):
            return ends[i]
    return ends[-1]
