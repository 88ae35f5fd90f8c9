"""A job outlives its process: taken up again, held by one, steered by others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Settings
from sdr_kit.errors import JobHeldError, StoreError
from sdr_kit.lease import Holder, Lease, this_process
from sdr_kit.recovery import JOBS
from sdr_kit.store import Store
from tests.accounts import made_up

DATABASE = "sqlite:///jobs.db"


class Counting:
    """Answers after a moment, and notes whom it was asked about."""

    name = "counting"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[int] = []

    async def __call__(self, account: Account) -> dict[str, object]:
        self.calls.append(account.position)
        await asyncio.sleep(self.seconds)
        return {"position": account.position, "cost_usd": 0.5}


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def cancelled(number: int, after: int, researcher: Counting) -> sdr_kit.Job:
    job = sdr_kit.start(made_up(number), researcher, store=DATABASE, concurrency=2)
    until(lambda: len(researcher.calls) > after)
    job.cancel()
    job.wait(30)
    return job


def test_a_cancelled_job_goes_on_where_it_stopped() -> None:
    job = cancelled(40, 10, counting := Counting(0.01))
    before = job.progress
    assert 0 < before.completed < 40
    again = sdr_kit.resume(job.id, store=DATABASE)
    assert again.id == job.id
    run = again.wait(30)
    assert run.summary.completed == 40
    assert run.summary.cost_usd == 20.0
    assert run.summary.seconds > before.seconds
    assert set(counting.calls) == set(range(40))
    assert len(counting.calls) <= 42  # two were in flight when it was cancelled
    assert list(run.frame["position"]) == list(range(40))
    seconds = [each.seconds for each in again.history]
    assert seconds == sorted(seconds)
    assert seconds[0] < before.seconds  # the chart is that of the whole job


def test_a_job_that_its_budget_has_stopped_goes_on_within_a_higher_one() -> None:
    counting = Counting()
    job = sdr_kit.start(made_up(40), counting, store=DATABASE, budget_usd=5.0)
    assert job.wait(30).summary.cost_usd == 5.0
    same = sdr_kit.resume(job.id, counting, DATABASE).wait(30)
    assert (same.summary.cost_usd, len(counting.calls)) == (5.0, 10)
    more = sdr_kit.resume(job.id, counting, DATABASE, budget_usd=7.0).wait(30)
    assert (more.summary.cost_usd, len(counting.calls)) == (7.0, 14)


def test_what_others_complete_before_a_retry_has_the_job_is_not_asked_again() -> None:
    class Late(Store):
        """One that somebody overtakes when it is about to take the job."""

        def claim(self, job_id: int) -> int:
            sdr_kit.resume(job_id, counting, DATABASE).wait(30)
            return super().claim(job_id)

    counting = Counting(0.01)
    job = sdr_kit.start(made_up(20), counting, store=Late(DATABASE), concurrency=2)
    until(lambda: len(counting.calls) > 5)
    job.cancel()
    job.wait(30)
    run = job.retry(job.unfinished()).wait(30)
    assert run.summary.completed == 20
    assert len(counting.calls) <= 22  # two were in flight when it was cancelled


def test_the_list_of_a_job_is_what_it_was() -> None:
    frame = pd.DataFrame(
        {
            "Company": ["A", "B", "C"],
            "domain": ["a.de", None, "c.de"],
            "arr": [1, 2, 3],
            "since": pd.to_datetime(["2020-01-01", "", "2021-05-05"]),
            "vip": [True, False, True],
            "status": ["x", "y", "007"],
        }
    )
    accounts = sdr_kit.load_accounts(frame)
    job = sdr_kit.start(accounts, Counting(5), store=DATABASE, concurrency=1)
    until(lambda: job.progress.running == 1)
    job.cancel()
    job.wait(30)
    run = sdr_kit.resume(job.id, Counting(), DATABASE).wait(30)
    assert run.frame[list(job.frame.columns[:9])].equals(job.frame.iloc[:, :9])


def test_a_finished_job_is_handed_back_as_it_is(tmp_path: Path) -> None:
    run = sdr_kit.run_sync(sdr_kit.process(made_up(3), Counting(), store=DATABASE))
    job = sdr_kit.resume(run.job_id, store=DATABASE)  # whoever has researched it
    assert job.progress.state == "finished"
    assert list(job.frame["status"]) == ["completed"] * 3
    assert len(job.export(tmp_path / "old.csv").read_text().splitlines()) == 4
    assert job.older_than(60) == []
    again = sdr_kit.resume(job.id, Counting(), DATABASE, positions=[1])
    assert again.wait(30).summary.completed == 3
    with pytest.raises(ValueError, match="nothing to research again in job 1"):
        sdr_kit.resume(job.id, Counting(), DATABASE, positions=[])
    with pytest.raises(ValueError, match="is not the list of job 1"):
        sdr_kit.resume(job.id, store=DATABASE, accounts=made_up(2))
    with pytest.raises(StoreError, match=r"there is no job 9"):
        sdr_kit.resume(9, store=DATABASE)


def test_a_running_job_has_one_processor() -> None:
    job = sdr_kit.start(made_up(400), Counting(0.05), store=DATABASE)
    with pytest.raises(JobHeldError, match=rf"process {os.getpid()} on "):
        sdr_kit.resume(job.id, store=DATABASE)
    with pytest.raises(JobHeldError):
        Store(DATABASE).delete_job(job.id)
    listed = sdr_kit.jobs(DATABASE)
    assert listed["state"].tolist() == ["running"]
    assert f"process {os.getpid()}" in listed["holder"][0]
    job.cancel()
    job.wait(30)


def test_two_jobs_run_side_by_side_in_one_database() -> None:
    jobs = [
        sdr_kit.start(made_up(50), Counting(0.01), store=DATABASE) for _ in range(3)
    ]
    assert [job.wait(60).summary.completed for job in jobs] == [50] * 3
    assert len({job.id for job in jobs}) == 3


def test_others_steer_a_job_through_its_row() -> None:
    counting = Counting(0.02)
    job = sdr_kit.start(made_up(2_000), counting, store=DATABASE, concurrency=2)
    store = Store(DATABASE)
    store.steer(job.id, limit=7)
    until(lambda: job.progress.limit == 7)
    assert job.concurrency == 7
    until(lambda: len(store.past(job.id).samples) > 0)  # a kill would leave them
    store.steer(job.id, state="paused")
    until(lambda: job.progress.state == "paused" and not job.progress.running)
    calls = len(counting.calls)
    time.sleep(0.5)
    assert len(counting.calls) == calls
    store.steer(job.id, state="running", budget_usd=1_000.0)
    until(lambda: len(counting.calls) > calls)
    assert job.progress.limit == 7
    assert job.budget_usd == 1_000.0
    until(lambda: (store.job(job.id).progress or job.progress).completed > 0)
    store.steer(job.id, state="cancelled")
    assert job.wait(30).summary.stopped == "Cancelled."
    assert store.job(job.id).state == "cancelled"


def test_a_wish_is_obeyed_once() -> None:
    """What was decided here since then is not undone by the next wish."""
    job = sdr_kit.start(made_up(2_000), Counting(0.02), store=DATABASE, concurrency=2)
    store = Store(DATABASE)
    store.steer(job.id, state="paused", limit=7)
    until(lambda: job.progress.state == "paused" and job.progress.limit == 7)
    job.resume()
    job.concurrency = 3
    until(lambda: job.progress.state == "running" and job.progress.limit == 3)
    store.steer(job.id, budget_usd=900.0)
    until(lambda: job.progress.budget_usd == 900.0)
    assert (job.progress.state, job.progress.limit) == ("running", 3)
    store.steer(job.id, state="paused")  # the same once more is a wish of its own
    until(lambda: job.progress.state == "paused")
    job.cancel()
    job.wait(30)


def test_what_was_wanted_once_does_not_undo_what_was_chosen_since() -> None:
    job = sdr_kit.start(made_up(2_000), Counting(0.02), store=DATABASE, concurrency=2)
    store = Store(DATABASE)
    store.steer(job.id, limit=7, budget_usd=500.0)
    until(lambda: job.progress.limit == 7)
    assert job.concurrency == 7  # and so the panel says and a retry begins with
    job.concurrency, job.budget_usd = 3, None
    store.steer(job.id, state="paused")
    until(lambda: job.progress.state == "paused")
    assert job.progress.limit == job.concurrency == 3
    assert job.budget_usd is None
    job.resume()
    store.steer(job.id, limit=900)
    until(lambda: job.progress.limit == Settings().max_concurrency)
    assert job.progress.state == "running"
    job.cancel()
    job.wait(30)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"limit": "8"},
        {"limit": 0},
        {"limit": True},
        {"state": "pause"},
        {"state": "finished"},
        {"budget_usd": -4.0},
        {"budget_usd": "5"},
    ],
)
def test_what_no_job_can_do_is_not_noted(wanted: dict[str, Any]) -> None:
    job = sdr_kit.start(made_up(50), Counting(0.02), store=DATABASE)
    store = Store(DATABASE)
    with pytest.raises(ValueError, match=r"wanted|limit is|state is|budget_usd is"):
        store.steer(job.id, **wanted)
    assert store.wanted(job.id) == {}
    assert job.wait(30).summary.completed == 50


def test_a_job_on_which_nobody_works_is_not_steered() -> None:
    job = sdr_kit.start(made_up(2), Counting(), store=DATABASE)
    job.wait(30)
    with pytest.raises(RuntimeError, match="nobody works on job 1"):
        Store(DATABASE).steer(1, state="paused")
    with pytest.raises(StoreError, match="there is no job 2"):
        Store(DATABASE).steer(2, state="paused")


def test_a_number_out_of_the_list_of_jobs_names_the_job() -> None:
    job = cancelled(40, 5, counting := Counting(0.01))
    (number,) = sdr_kit.jobs(DATABASE)["job"]
    with pytest.raises(RuntimeError, match="nobody works on job 1;"):
        Store(DATABASE).steer(number, limit=2)
    again = sdr_kit.resume(number, counting, DATABASE)
    assert again.id == job.id
    again.wait(30)
    Store(DATABASE).delete_job(number)
    assert len(sdr_kit.jobs(DATABASE)) == 0
    with pytest.raises(TypeError, match="job_id is '1'; it must be a whole number"):
        sdr_kit.resume("1", counting, DATABASE)  # type: ignore[arg-type]


def test_a_job_is_resumed_only_as_one_is_begun() -> None:
    job = cancelled(40, 5, counting := Counting(0.01))
    with pytest.raises(ValueError, match="concurrency is 0"):
        sdr_kit.resume(job.id, counting, DATABASE, concurrency=0)
    with pytest.raises(TypeError, match="accounts is a str"):
        sdr_kit.resume(job.id, counting, DATABASE, accounts="a.csv")  # type: ignore[arg-type]
    assert sdr_kit.jobs(DATABASE)["state"].tolist() == ["cancelled"]


def test_who_has_lost_its_lease_writes_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = sdr_kit.start(made_up(2_000), Counting(0.02), store=DATABASE, concurrency=2)
    store = Store(DATABASE)
    until(lambda: job.progress.completed > 5)
    monkeypatch.setattr(Lease, "free", property(lambda _: True))
    fence = store.claim(job.id)
    stored = len(store.statuses(job.id))
    assert "was taken over by process" in str(job.wait(30).summary.stopped)
    assert job.progress.state == "stopped"
    assert len(store.statuses(job.id)) == stored
    assert store.job(job.id).state == "running"  # of the new holder
    assert fence == 2


def test_a_holder_without_anything_to_write_notices_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = sdr_kit.start(made_up(2), Counting(60), store=DATABASE)
    until(lambda: job.progress.running == 2)
    monkeypatch.setattr(Lease, "free", property(lambda _: True))
    Store(DATABASE).claim(job.id)
    assert "taken over" in str(job.wait(30).summary.stopped)


@pytest.mark.parametrize("seconds", [0.02, 60])
def test_who_has_slept_while_its_job_was_deleted_stops(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    job = sdr_kit.start(made_up(2_000), Counting(seconds), store=DATABASE)
    until(lambda: job.progress.running > 0)
    monkeypatch.setattr(Lease, "free", property(lambda _: True))
    Store(DATABASE).delete_job(job.id)
    assert "was deleted by another process" in str(job.wait(30).summary.stopped)


def test_a_lease_is_free_when_it_has_run_out_or_its_process_is_gone() -> None:
    me = this_process()
    later = time.time() + 60
    assert not Lease(holder=me, until=later, fence=1).free
    assert Lease(holder=me, until=time.time() - 1, fence=1).free
    assert Lease(holder=None, until=later, fence=1).free
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    gone = Holder(host=me.host, pid=dead.pid, began=me.began)
    assert Lease(holder=gone, until=later, fence=1).free
    reused = Holder(host=me.host, pid=me.pid, began=me.began - 100)
    assert Lease(holder=reused, until=later, fence=1).free
    elsewhere = Holder(host="another", pid=dead.pid, began=0.0)
    assert not Lease(holder=elsewhere, until=later, fence=1).free
    assert Holder.read(me.written()) == me


def test_a_deleted_job_is_gone_and_what_was_taken_over_of_it_stays() -> None:
    counting = Counting()
    counting.fingerprint = "a"  # type: ignore[attr-defined]
    first = sdr_kit.start(made_up(3), counting, store=DATABASE)
    first.wait(30)
    second = sdr_kit.start(made_up(3), counting, store=DATABASE).wait(30)
    store = Store(DATABASE)
    store.delete_job(first.id)
    assert sdr_kit.jobs(store)["job"].tolist() == [second.job_id]
    assert second.frame["position"].tolist() == [0, 1, 2]
    assert store.attempts(first.id) == []
    assert store.results(first.id) == []
    third = sdr_kit.start(made_up(3), counting, store=DATABASE).wait(30)
    assert third.summary.reused == 3
    assert third.job_id == 3


def test_a_job_is_deleted_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Store):
        """One that somebody overtakes when it has taken the job."""

        def claim(self, job_id: int) -> int:
            fence = super().claim(job_id)
            monkeypatch.setattr(Lease, "free", property(lambda _: True))
            return max(fence, Store(DATABASE).claim(job_id) - 1)

    sdr_kit.start(made_up(3), Counting(), store=DATABASE).wait(30)
    store = Slow(DATABASE)
    store.delete_job(1)
    assert (store.jobs(), store.accounts(1), store.statuses(1)) == ([], [], {})


def test_the_list_of_jobs_has_its_columns_also_when_it_is_empty() -> None:
    empty = sdr_kit.jobs(DATABASE)
    assert list(empty.columns) == list(JOBS)
    assert len(empty) == 0
    job = cancelled(40, 5, Counting(0.01))
    row: Any
    (row,) = sdr_kit.jobs(settings=Settings(database_url=DATABASE)).itertuples()
    assert (row.job, row.state, row.researcher) == (job.id, "cancelled", "counting")
    assert row.completed + row.failed + row.pending == row.total == 40
    assert row.cost_usd == row.completed * 0.5
    assert str(row.created_at.tz) == "UTC"
    with pytest.raises(StoreError, match="name a database"):
        sdr_kit.jobs("memory")
