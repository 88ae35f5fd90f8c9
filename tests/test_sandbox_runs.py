"""Whole runs against the sandbox: real HTTP, real SQLite, a misbehaving provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import sdr_kit
from sdr_kit import Sandbox, Settings
from sdr_kit.progress import Progress
from sdr_kit.writer import UNCOMMITTED
from tests.accounts import made_up
from tests.shared import shared

pytestmark = pytest.mark.slow

# Waits of a compressed second: everything runs twenty times as fast.
COMPRESSED = {"retry_initial_seconds": 0.05, "retry_max_seconds": 3.0}


@pytest.fixture
def settings() -> Settings:
    return Settings(max_concurrency=100, **COMPRESSED)


def watched(job: sdr_kit.Job) -> Iterator[Progress]:
    """Gives a snapshot every 20 ms until the job has ended, then the last one."""
    while not job.progress.ended:
        yield job.progress
        try:
            job.wait(0.02)
        except TimeoutError:
            continue
    yield job.progress


@pytest.mark.parametrize("concurrency", [5, pytest.param(20, marks=pytest.mark.soak)])
async def test_with_60_requests_a_minute_no_account_fails_and_few_calls_are_wasted(
    settings: Settings, concurrency: int
) -> None:
    sandbox = Sandbox(requests_per_minute=60, time_scale=0.05, settings=settings)
    run = await sdr_kit.process(
        made_up(200), sandbox, concurrency=concurrency, settings=settings
    )
    assert run.summary.completed == 200
    refused = [call for call in sandbox.log if call.status == 429]
    assert len(refused) / 200 < 0.05  # its answers say what remains
    for refusal in refused:
        assert refusal.retry_after is not None
        opens = refusal.seconds + refusal.retry_after
        # Calls that were on their way when the first refusal came met it too.
        late = [
            call
            for call in sandbox.log
            if refusal.seconds + 0.1 < call.seconds < opens - 0.01
        ]
        assert late == []


async def test_noise_fails_no_account_when_there_are_retries_enough(
    settings: Settings,
) -> None:
    patient = settings.model_copy(update={"max_api_retries": 6})
    sandbox = Sandbox(
        server_error_rate=0.10, drop_rate=0.05, time_scale=0.05, settings=patient
    )
    run = await sdr_kit.process(made_up(200), sandbox, concurrency=10, settings=patient)
    assert run.summary.completed == 200
    assert run.summary.retries >= 10
    kinds = run.attempts["outcome"].value_counts()
    assert kinds["transient"] == run.summary.retries
    assert set(run.attempts["http_status"].dropna()) == {500}


def test_an_outage_fails_no_account_and_the_run_says_that_it_holds(
    settings: Settings,
) -> None:
    sandbox = Sandbox(outage=(10, 60), time_scale=0.05, settings=settings)
    job = sdr_kit.start(made_up(200), sandbox, concurrency=5, settings=settings)
    seen = list(watched(job))
    assert seen[-1].completed == 200
    reasons = [each.reason for each in seen if each.held]
    assert any("down" in (reason or "") for reason in reasons)


async def test_the_sandbox_is_as_fast_as_its_latencies_allow(
    settings: Settings,
) -> None:
    comparison = await sdr_kit.compare(
        made_up(40),
        Sandbox(time_scale=0.1, settings=settings),
        concurrency=(5,),
        sample=40,
        settings=settings,
    )
    parallel = comparison.frame.set_index("concurrency").loc[5]
    assert parallel["completed"] == 40
    assert parallel["speedup"] > 3


@pytest.mark.timeout(180)
def test_the_books_of_5000_real_accounts_balance_at_every_moment() -> None:
    accounts = sdr_kit.load_accounts(shared("accounts/accounts_real_5k.csv"))
    assert accounts.rows_read == 5000
    total = len(accounts)
    settings = Settings(max_concurrency=100, **COMPRESSED)
    sandbox = Sandbox(
        time_scale=0.05, overloaded_rate=0.02, drop_rate=0.01, settings=settings
    )
    job = sdr_kit.start(accounts, sandbox, concurrency=50, settings=settings)
    most = 0
    for each in watched(job):
        assert each.completed + each.failed + each.pending == each.total == total
        most = max(most, each.in_flight)
    run = job.wait(5)
    assert 0 < most <= 50 + UNCOMMITTED
    assert run.summary.completed + run.summary.failed == total
    assert run.summary.pending == 0
    assert len(run.frame) == total
    assert set(run.frame["status"]) <= {"completed", "failed"}
    assert (run.frame["company_name"] == accounts.frame["company_name"]).all()


async def test_a_stopped_event_loop_leaves_no_server_behind(
    settings: Settings,
) -> None:
    sandbox = Sandbox(time_scale=0.05, settings=settings)
    task = asyncio.create_task(
        sdr_kit.process(made_up(500), sandbox, store="memory", settings=settings)
    )
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not sandbox.is_open
