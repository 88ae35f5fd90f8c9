"""Runs a whole engine against a provider in virtual time, and one who knows it all."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sdr_kit import Account, Settings
from sdr_kit.engine import Engine
from sdr_kit.memory_store import MemoryStore
from sdr_kit.stored_job import Beginning
from sdr_kit.worker import Researcher
from tests.simulation.provider import Provider
from tests.simulation.scenarios import Scenario
from tests.virtual import VirtualLoop

MOST = 50  # AUTO_MAX_CONCURRENCY


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        seconds: From the start to the last answer.
        waste: Refused calls an account.
        settled: Seconds until the answers came as fast as they did over the whole
            middle of the run.
        completed: Accounts with an answer.
    """

    seconds: float
    waste: float
    settled: float
    completed: int


@functools.cache
def accounts(number: int) -> tuple[Account, ...]:
    return tuple(
        Account(position=i, company_name=f"Company {i}", domain=f"c{i}.com")
        for i in range(number)
    )


@functools.cache
def settings(**more: float) -> Settings:
    return Settings(
        max_concurrency=1_000, max_api_retries=10, auto_max_concurrency=MOST, **more
    )


def run(
    scenario: Scenario, number: int, seed: int, *, limit: int, auto: bool
) -> Result:
    """Runs the engine of the kit."""
    return in_virtual_time(
        lambda provider: _engine(provider, provider, number, limit, auto),
        scenario,
        number,
        seed,
    )


def oracle(scenario: Scenario, number: int, seed: int) -> Result:
    """Runs one who comes just when the provider takes a call, at the best number."""
    numbers: Sequence[float] = (MOST,)
    if scenario.knee < math.inf:
        numbers = [scenario.knee * by for by in (0.7, 0.85, 1.0, 1.15, 1.4)]
    results = [
        in_virtual_time(
            lambda provider, most=most: _engine(
                provider.patient,
                provider,
                number,
                min(max(round(most), 1), MOST),
                False,
            ),
            scenario,
            number,
            seed,
        )
        for most in numbers
    ]
    return min(results, key=lambda each: each.seconds)


def in_virtual_time(way, scenario: Scenario, number: int, seed: int) -> Result:
    loop = VirtualLoop()
    provider = None

    async def whole() -> None:
        nonlocal provider
        provider = scenario.provider(number, seed)
        await way(provider)

    try:
        loop.run_until_complete(whole())
        return judged(provider, loop.time(), number)
    finally:
        loop.close()


def judged(provider: Provider, seconds: float, number: int) -> Result:
    ends = provider.answered
    return Result(
        seconds=max(ends, default=seconds),
        waste=provider.refused / number,
        settled=_settled(ends),
        completed=len(ends),
    )


def _settled(ends: Sequence[float]) -> float:
    """When a tenth of the answers has come at the pace of the middle half."""
    n = len(ends)
    if n < 20:
        return math.nan
    pace = (n // 2) / max(ends[3 * n // 4] - ends[n // 4], 1e-9)
    tenth = n // 10
    for i in range(n - tenth):
        if tenth / max(ends[i + tenth] - ends[i], 1e-9) >= 0.9 * pace:
            return ends[i]
    return ends[-1]


async def _engine(
    researcher: Researcher, provider: Provider, number: int, limit: int, auto: bool
) -> None:
    store = MemoryStore()
    job_id = store.create_job((), Beginning(researcher="x", concurrency=limit))
    extra = {"auto": True} if auto else {}
    engine = Engine(
        accounts(number),
        researcher,
        limit=limit,
        settings=settings(),
        store=store,
        job_id=job_id,
        attended=True,
        rng=random.Random(7),
        **extra,
    )
    await engine.run()
    completed, failed = engine.tally.counts
    assert completed + failed == number, (engine.progress(), provider)
