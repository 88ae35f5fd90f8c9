"""Killed or robbed of its job at any moment, a process loses nothing and harms nothing.

The short form of `tests.soak.kills` and `tests.soak.fight`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit.account import Account, Outcome, Research
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.soak.fight import Fight
from tests.soak.kills import Killer
from tests.soak.table import written


@pytest.mark.slow
def test_what_is_stored_is_not_paid_for_again_after_kills(tmp_path: Path) -> None:
    killer = Killer(tmp_path, accounts=120, kills=4, seed=2)
    lines = asyncio.run(killer.run())
    assert all(line.holds for line in lines), f"\n{written(lines)}"


@pytest.mark.slow
def test_a_holder_that_was_overtaken_writes_nothing(tmp_path: Path) -> None:
    fight = Fight(tmp_path, seconds=2.5, seed=1)
    lines = asyncio.run(fight.run())
    assert all(line.holds for line in lines), f"\n{written(lines)}"


class LateStore(Store):
    """Its job's former holder stores one more result just before it loses the job."""

    former = 1

    def claim(self, job_id: int) -> int:
        write, close = self.open_writer(job_id, fence=self.former)
        last = Outcome(
            position=1,
            status="completed",
            attempts=1,
            seconds=1.0,
            finished=1.0,
            research=Research(),
        )
        write([], [last])
        close()
        return super().claim(job_id)


@pytest.mark.parametrize("way", ["resume", "retry"])
def test_what_the_former_holder_stored_last_is_not_asked_again(way: str) -> None:
    asked: list[int] = []

    async def research(account: Account) -> dict[str, int]:
        asked.append(account.position)
        if len(asked) == 1:
            raise sdr_kit.StopRun("no key")
        return {"position": account.position}

    store = LateStore("sqlite:///late.db")
    job = sdr_kit.start(made_up(3), research, store=store, concurrency=1)
    job.wait(30)
    again = (
        sdr_kit.resume(job.id, research, store)
        if way == "resume"
        else job.retry(job.unfinished())
    )
    summary = again.wait(30).summary
    assert sorted(asked) == [0, 0, 2]
    assert (summary.completed, summary.pending) == (3, 0)
    assert again.progress.completed == 3
