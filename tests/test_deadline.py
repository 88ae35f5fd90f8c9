"""A run that must have ended in time: to the second, in virtual time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, Store, Transient
from tests.accounts import made_up

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


async def ten_seconds(_account: Account) -> dict[str, int]:
    await asyncio.sleep(10)
    return {"a": 1}


async def test_nothing_is_started_after_it_and_what_runs_ends() -> None:
    run = await sdr_kit.process(
        made_up(100), ten_seconds, store="memory", concurrency=5, deadline_seconds=35
    )
    assert run.summary.seconds == pytest.approx(40)
    assert (run.summary.completed, run.summary.pending) == (20, 80)
    assert run.summary.stopped == (
        "The deadline of 35 s is reached. Continue the job to go on where it stopped."
    )


async def test_a_run_that_is_done_in_time_knows_nothing_of_it() -> None:
    run = await sdr_kit.process(
        made_up(10), ten_seconds, store="memory", concurrency=5, deadline_seconds=25
    )
    assert run.summary.stopped is None
    assert run.summary.seconds == pytest.approx(20)


async def test_the_last_account_may_end_after_it() -> None:
    run = await sdr_kit.process(
        made_up(10), ten_seconds, store="memory", concurrency=5, deadline_seconds=15
    )
    assert run.summary.stopped is None


async def test_who_waits_for_another_try_stays_pending() -> None:
    async def down(_account: Account) -> None:
        await asyncio.sleep(1)
        raise Transient("HTTP 503")

    run = await sdr_kit.process(
        made_up(3), down, store="memory", concurrency=3, deadline_seconds=1.0
    )
    assert run.summary.pending == 3
    assert run.summary.seconds == pytest.approx(1)


def test_a_job_goes_on_with_another_deadline_or_none() -> None:
    calls: list[int] = []

    async def research(account: Account) -> dict[str, int]:
        calls.append(account.position)
        await asyncio.sleep(0.05 if len(calls) < 3 else 0)
        return {"a": 1}

    store = Store("sqlite:///late.db")
    job = sdr_kit.start(
        made_up(10), research, store=store, concurrency=1, deadline_seconds=0.06
    )
    assert "deadline" in str(job.wait(10).summary.stopped)
    done = len(calls)
    assert done < 10
    run = sdr_kit.resume(job.id, research, store, deadline_seconds=600).wait(10)
    assert run.summary.completed == 10
    assert len(calls) == len(set(calls)) == 10


@pytest.mark.parametrize("again", [False, True])
def test_a_retry_has_a_deadline_of_its_own(*, again: bool) -> None:
    def research(_account: Account) -> None:
        time.sleep(0.03)
        raise Permanent("no website")

    job = sdr_kit.start(
        made_up(6), research, store="memory", concurrency=1, deadline_seconds=600
    )
    job.wait(10)
    job = (
        job.reprocess(range(6), deadline_seconds=0.05)
        if again
        else job.retry(deadline_seconds=0.05)
    )
    run = job.wait(10)
    assert "The deadline of 0.1 s is reached" in str(run.summary.stopped)
    assert run.summary.pending > 0
    with pytest.raises(ValueError, match="deadline_seconds is 0"):
        job.retry(job.unfinished(), deadline_seconds=0)
    assert job.retry(job.unfinished()).wait(10).summary.pending == 0


@pytest.mark.parametrize("wrong", [0, -1, True, "1 h", float("nan")])
async def test_a_wrong_deadline_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"deadline_seconds is .* above 0"):
        await sdr_kit.process(made_up(1), ten_seconds, deadline_seconds=wrong)
