"""Auto in a whole run, in virtual time: chosen, switched, remembered, stored."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit import Account, RateLimited, Settings
from sdr_kit.law.cap import PROBE_ANSWERS
from sdr_kit.law.ramp import STEP_SHARE
from sdr_kit.memory_store import MemoryStore
from sdr_kit.progress import Progress
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.test_engine import Watched

CAP, SECONDS = 12, 5.0


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


class Capped:
    """Refuses more than so many at once."""

    provider = "capped"
    fingerprint = None

    def __init__(self, cap: int = CAP) -> None:
        self.cap, self.working, self.most, self.refused = cap, 0, 0, 0

    async def __call__(self, _account: Account) -> dict[str, bool]:
        if self.working >= self.cap:
            self.refused += 1
            await asyncio.sleep(0.1)
            raise RateLimited("too many at once")
        self.working += 1
        self.most = max(self.most, self.working)
        await asyncio.sleep(SECONDS)
        self.working -= 1
        return {"ok": True}


def chosen() -> Settings:
    return Settings(max_concurrency=20)


async def test_auto_finds_how_many_at_once_the_provider_takes() -> None:
    provider = Capped()
    run = await sdr_kit.process(
        made_up(300), provider, concurrency="auto", store="memory", settings=chosen()
    )
    assert run.summary.completed == 300
    assert provider.most == CAP
    # The first step too far, and then a probe now and then.
    assert provider.refused <= (STEP_SHARE + 1 / PROBE_ANSWERS) * 300
    assert run.summary.seconds == pytest.approx(300 / CAP * SECONDS, rel=0.05)
    assert run.diagnosis is not None
    assert run.diagnosis.cause == "cap"
    assert f"takes, {CAP}:" in str(run.diagnosis)


async def test_the_next_run_begins_with_what_the_last_one_has_learned() -> None:
    store = MemoryStore()
    first, second = Capped(), Capped()
    for provider in (first, second):
        await sdr_kit.process(
            made_up(100), provider, concurrency="auto", store=store, settings=chosen()
        )
    assert second.refused < first.refused


async def test_what_was_learned_serves_the_slider_too() -> None:
    store = MemoryStore()
    await sdr_kit.process(
        made_up(100), Capped(), concurrency="auto", store=store, settings=chosen()
    )
    provider = Capped()
    await sdr_kit.process(
        made_up(100), provider, concurrency=20, store=store, settings=chosen()
    )
    assert provider.refused <= 0.06 * 100


async def test_sequential_is_one_at_a_time_even_in_auto() -> None:
    provider = Capped()
    await sdr_kit.process(
        made_up(10),
        provider,
        mode="sequential",
        concurrency="auto",
        store="memory",
        settings=chosen(),
    )
    assert provider.most == 1


@pytest.mark.parametrize("wrong", ["Auto", "fast", "", 0, 21, True, 2.5])
async def test_what_is_neither_auto_nor_a_number_in_range_is_refused(
    wrong: object,
) -> None:
    with pytest.raises(
        ValueError, match=r"from 1 to 20 \(MAX_CONCURRENCY\), or 'auto'"
    ):
        await sdr_kit.process(
            made_up(3),
            Capped(),
            concurrency=wrong,  # type: ignore[arg-type]
            store="memory",
            settings=chosen(),
        )


async def test_a_job_says_that_it_was_begun_in_auto_and_goes_on_so(
    tmp_path: Path,
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'results.db'}")
    run = await sdr_kit.process(
        made_up(5), Capped(), concurrency="auto", store=store, settings=chosen()
    )
    job = store.job(run.job_id)
    assert (job.choice, job.auto, job.concurrency) == ("auto", True, 50)
    assert job.progress is None or job.progress.auto


async def test_a_run_is_switched_to_auto_and_back_at_once() -> None:
    provider = Capped(cap=30)
    watched = Watched(600, provider, limit=3, auto_max_concurrency=40)
    engine = watched.engine
    seen = await watched.run(
        (20.0, lambda: engine.resize("auto")), (60.0, lambda: engine.resize(2))
    )

    def at(seconds: float) -> Progress:
        return next(each for each in seen if each.seconds >= seconds)

    assert not at(19.5).auto
    assert at(19.5).running == 3
    assert at(20.5).auto
    assert at(20.5).running > 3  # more have been started within half a second
    assert 25 <= at(50).running <= 30
    assert not at(60.2).auto
    assert at(60.2).limit == 2
    assert at(60.2).running > 2  # who is at work finishes
    assert {each.running for each in seen if 70 < each.seconds < seen[-1].seconds} <= {
        0,
        1,
        2,
    }
    assert seen[-1].completed == 600
