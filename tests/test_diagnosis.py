"""What a run says has held it back, against what has: whole engines in virtual time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from sdr_kit import Account, Settings
from sdr_kit.diagnosis import Cause
from sdr_kit.engine import Engine
from sdr_kit.memory_store import MemoryStore
from sdr_kit.stored_job import Beginning
from tests.simulation.hidden import Bucket, Cap, Limit, TokenBucket, Window
from tests.simulation.machine import Constant
from tests.simulation.provider import Provider
from tests.virtual import VirtualLoop


@dataclass(frozen=True)
class Case:
    """A run and what holds it back."""

    cause: Cause
    concurrency: int | None  # None is auto
    limits: Callable[[], Sequence[Limit]] = list
    seconds: float = 8.0
    number: int = 300
    knee: float = math.inf
    delay_ms: float = 0.0
    blocks: float = 0.0
    noise: float = 0.0


def at_most(most: int) -> Callable[[], Sequence[Limit]]:
    return lambda: [Cap([(0, most)])]


def bucket(
    rate: float, burst: float, *, tells: bool = True
) -> Callable[[], list[Limit]]:
    return lambda: [Bucket(rate, burst, tells=tells)]


CASES = [
    Case("concurrency", 1, number=60),
    Case("concurrency", 3),
    Case("concurrency", 5, noise=0.05),
    Case("concurrency", 8, seconds=20),
    Case("concurrency", 10, at_most(40)),
    Case("concurrency", 5, bucket(5, 30)),
    Case("concurrency", None, number=900),
    Case("cap", 10, at_most(3)),
    Case("cap", 8, at_most(5), noise=0.08),
    Case("cap", None, at_most(12)),
    Case("cap", None, at_most(30), noise=0.05),
    Case("cap", None, at_most(6), seconds=3),
    Case("cap", None, lambda: [Cap([(0, 20), (60, 8)])]),
    Case("rate_limit", 5, bucket(0.3, 10)),
    Case("rate_limit", 10, bucket(0.5, 20)),
    Case("rate_limit", None, bucket(2, 20)),
    Case("rate_limit", None, bucket(1, 5), seconds=15),
    Case("rate_limit", None, bucket(1.5, 20, tells=False)),
    Case("rate_limit", None, lambda: [Bucket(2, 60, headers=True)]),
    Case("rate_limit", 10, lambda: [Window(30, 60, 10)], seconds=4),
    Case("rate_limit", None, lambda: [Window(60, 60, 30, headers=True)]),
    Case("rate_limit", None, lambda: [TokenBucket(2_500, 20_000)]),
    Case("rate_limit", None, lambda: [Cap([(0, 40)]), Bucket(1.5, 10)]),
    Case("latency", None, knee=12),
    Case("latency", None, knee=20, noise=0.03),
    Case("latency", None, knee=30, seconds=15),
    Case("delay", 10, delay_ms=2_000),
    Case("delay", 10, delay_ms=5_000, seconds=3),
    Case("machine", 5, blocks=0.4, seconds=1, number=80),
    Case("machine", 10, blocks=0.2, seconds=1, number=80),
]


def found(case: Case, seed: int) -> str:
    """Runs a case and gives the cause that is named."""
    loop = VirtualLoop()

    async def run() -> str:
        rng = random.Random(seed)
        provider = Provider(
            latencies=[
                rng.lognormvariate(math.log(case.seconds), 0.4)
                for _ in range(case.number)
            ],
            limits=case.limits(),
            machine=Constant(case.knee),
            noise=case.noise,
            seed=seed,
        )

        async def research(account: Account) -> object:
            loop.jump(case.blocks)  # as time.sleep does
            return await provider(account)

        auto = case.concurrency is None
        settings = Settings(
            max_concurrency=100, account_delay_ms=case.delay_ms, max_api_retries=10
        )
        store = MemoryStore()
        engine = Engine(
            tuple(
                Account(position=i, company_name=f"Company {i}")
                for i in range(case.number)
            ),
            research,
            limit=50 if auto else case.concurrency or 1,
            auto=auto,
            settings=settings,
            store=store,
            job_id=store.create_job((), Beginning(researcher="x", concurrency=1)),
            attended=True,
            rng=random.Random(7),
        )
        await engine.run()
        return engine.diagnosis().cause

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_cause_that_is_named_is_the_true_one(seed: int) -> None:
    named = [found(case, seed) for case in CASES]
    wrong = [
        (case.cause, name, case)
        for case, name in zip(CASES, named, strict=True)
        if name != case.cause
    ]
    assert len(CASES) == 30
    assert len(wrong) <= 2, "\n".join(map(str, wrong))
