"""A job that another process runs, or ran: seen, steered, and researched again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, Settings
from sdr_kit.account import Edit
from sdr_kit.errors import JobHeldError
from sdr_kit.memory_store import MemoryStore
from sdr_kit.recovery import maybe_last_job, open_job
from sdr_kit.store import AnyStore, Store
from sdr_kit.watched import INTERRUPTED, WatchedJob
from tests.accounts import made_up
from tests.test_recovery import DATABASE, Counting, cancelled, until

SETTINGS = Settings()


def dying(code: str) -> None:
    """Runs a script that ends as if it were killed: nothing is tidied up."""
    head = "import asyncio, os, sdr_kit\n"
    root = Path(__file__).parents[1]
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", head + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 9


def watched(job_id: int = 1) -> WatchedJob:
    return WatchedJob(Store(DATABASE), job_id, settings=SETTINGS)


def test_a_stored_job_shows_what_its_run_came_to(tmp_path: Path) -> None:
    job = sdr_kit.start(made_up(12), Counting(0.01), store=DATABASE, concurrency=3)
    run = job.wait(30)
    seen = watched()
    assert seen.progress.state == "finished"
    assert (seen.progress.completed, seen.progress.cost_usd) == (12, 6.0)
    told = seen.summary
    for name in ("total", "completed", "pending", "cost_usd", "retries", "stopped"):
        assert getattr(told, name) == getattr(run.summary, name)
    for name in ("seconds", "speedup", "efficiency", "accounts_per_minute"):
        assert getattr(told, name) == pytest.approx(getattr(run.summary, name), 0.01)
    assert list(seen.history) == list(run.history)
    assert seen.frame.drop(columns="seconds").equals(run.frame.drop(columns="seconds"))
    assert seen.asked.name == "counting"
    assert seen.at_work == frozenset()
    assert repr(seen) == "<Job 1: finished, 12 of 12 accounts>"
    ours = run.export(tmp_path / "ours.csv").read_text("utf-8")
    assert seen.export(tmp_path / "seen.csv").read_text("utf-8") == ours
    assert "asked: counting" in seen.export(tmp_path / "a.html").read_text("utf-8")


def test_nobody_can_be_told_anything_when_nobody_works() -> None:
    sdr_kit.start(made_up(2), Counting(), store=DATABASE).wait(30)
    for act in (WatchedJob.pause, WatchedJob.resume, WatchedJob.cancel):
        with pytest.raises(RuntimeError, match="nobody works on job 1"):
            act(watched())
    with pytest.raises(RuntimeError, match="nobody works on job 1"):
        watched().concurrency = 3
    with pytest.raises(ValueError, match="11"):
        watched().concurrency = 11


def test_a_job_elsewhere_is_steered_through_its_row() -> None:
    job = sdr_kit.start(made_up(500), Counting(0.02), store=DATABASE, concurrency=2)
    seen = watched()
    began = seen.summary.completed
    until(lambda: seen.summary.completed > began)
    seen.concurrency = 7
    assert seen.concurrency == 7  # at once, or a slider would jump back
    until(lambda: job.progress.limit == 7)
    until(lambda: seen.progress.limit == 7)
    seen.pause()
    until(lambda: job.progress.state == "paused")
    until(lambda: seen.progress.state == "paused")
    with pytest.raises(TimeoutError):
        seen.wait(0.01)
    seen.budget_usd = 400.0
    until(lambda: job.budget_usd == 400.0)
    seen.budget_usd = None
    until(lambda: job.budget_usd is None)
    seen.resume()
    until(lambda: job.progress.state == "running")
    seen.cancel()
    job.wait(30)
    until(lambda: seen.progress.state == "cancelled")
    seen.wait(0.0)
    assert seen.progress.completed == job.progress.completed


def test_the_choice_of_a_job_is_known_to_all_who_see_it() -> None:
    job = sdr_kit.start(made_up(900), Counting(0.4), store=DATABASE, concurrency=2)
    seen = watched()
    seen.concurrency = "auto"
    assert seen.concurrency == "auto"
    until(lambda: job.concurrency == "auto")
    until(lambda: seen.progress.auto)
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == ["auto"]
    seen.concurrency = 3
    until(lambda: job.concurrency == 3)
    until(lambda: not seen.progress.auto)
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == [3]
    seen.cancel()
    job.wait(30)
    again = sdr_kit.resume(1, store=DATABASE, concurrency="auto")
    again.cancel()
    again.wait(30)
    assert watched().concurrency == "auto"  # chosen last; it goes on so


def test_what_others_choose_later_stands_above_what_was_chosen_here() -> None:
    job = sdr_kit.start(made_up(900), Counting(0.4), store=DATABASE, concurrency=2)
    seen = watched()
    seen.concurrency = 9
    Store(DATABASE).steer(1, limit="auto")  # before anybody has seen the 9
    assert seen.concurrency == 9
    until(lambda: seen.concurrency == "auto")
    job.cancel()
    job.wait(30)


def test_a_job_that_began_in_auto_says_so_when_nobody_works_on_it() -> None:
    sdr_kit.start(made_up(2), Counting(), store=DATABASE, concurrency="auto").wait(30)
    assert watched().concurrency == "auto"
    assert watched().progress.auto
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == ["auto"]


def test_a_killed_job_is_interrupted_and_continued_with_its_own_list(
    tmp_path: Path,
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("firm;Notiz\nAcme;a\nAcme;twice\nBolt;b\n;nobody\nCork;c\n")
    dying(f"""
        columns = {{"company_name": "firm"}}
        accounts = sdr_kit.load_accounts({str(path)!r}, columns=columns)
        async def once(account):
            if account.position == 2:
                await asyncio.sleep(0.3)  # the others are stored by then
                os._exit(9)
            return {{"cost_usd": 0.5}}
        async def main():
            await sdr_kit.process(
                accounts, once, mode="sequential", store={DATABASE!r}
            )
        asyncio.run(main())
    """)
    accounts = sdr_kit.load_accounts(path, columns={"company_name": "firm"})
    store = Store(DATABASE)
    last = maybe_last_job(store, accounts)
    assert last is not None
    assert maybe_last_job(store, made_up(3)) is None
    assert maybe_last_job(store, made_up(4)) is None
    seen = open_job(last.id, store, settings=SETTINGS, accounts=accounts)
    assert isinstance(seen, WatchedJob)
    assert seen.progress.state == "interrupted"
    assert seen.progress.reason == INTERRUPTED
    assert seen.progress.completed == 2
    counting = Counting()
    job = sdr_kit.resume(last.id, counting, DATABASE, accounts=accounts)
    run = job.wait(30)
    assert counting.calls == [2]
    assert list(run.merged["Notiz"]) == ["a", "twice", "b", "nobody", "c"]
    assert open_job(last.id, store, settings=SETTINGS) is job
    with pytest.raises(ValueError, match="is not the list of job 1"):
        sdr_kit.resume(last.id, counting, DATABASE, accounts=made_up(3))


def test_slots_are_counted_up_to_the_last_call_before_a_kill() -> None:
    dying(f"""
        from tests.accounts import made_up
        async def slow(account):
            if account.position == 5:
                await asyncio.sleep(0.3)
                os._exit(9)
            await asyncio.sleep(0.2)
            return {{}}
        sdr_kit.start(made_up(6), slow, mode="sequential", store={DATABASE!r}).wait()
    """)
    told = watched().summary
    assert told.completed >= 4
    assert 0.8 < told.efficiency <= 1.001


def test_an_old_handle_goes_on_from_what_others_came_to() -> None:
    counting = Counting(0.01)
    job = cancelled(20, 5, counting)
    sdr_kit.resume(job.id, counting, DATABASE).wait(30)
    run = job.reprocess([0]).wait(30)
    assert (run.summary.completed, run.summary.pending) == (20, 0)
    assert run.summary.cost_usd == sum(run.attempts["cost_usd"].dropna()) >= 10.5
    told = watched().summary
    for name in ("seconds", "speedup", "efficiency", "cost_usd", "retries"):
        assert getattr(told, name) == pytest.approx(getattr(run.summary, name), 0.01)
    assert list(watched().history) == list(run.history)


def test_what_is_invented_does_not_mix_with_what_is_true() -> None:
    job = cancelled(40, 10, Counting(0.01))
    with pytest.raises(ValueError, match="invented"):
        sdr_kit.resume(job.id, sdr_kit.Sandbox(), DATABASE)


class Changing(Counting):
    """Says each time how often it was asked; fails where it is told to."""

    failing: frozenset[int] = frozenset()

    async def __call__(self, account: Account) -> dict[str, object]:
        await super().__call__(account)
        if account.position in self.failing:
            raise Permanent("gone")
        return {"asked": self.calls.count(account.position), "cost_usd": 0.5}


@pytest.mark.parametrize("store", ["memory", DATABASE])
def test_chosen_accounts_are_researched_again(store: str) -> None:
    changing = Changing()
    job = sdr_kit.start(made_up(6), changing, store=store)
    job.wait(30)
    job._store.edit(job.accounts.keys[1], Edit(owner="Zoe", tier="A"))
    changing.failing = frozenset({4})
    again = job.reprocess([1, 4])
    run = again.wait(30)
    assert run.id == job.id
    assert (run.summary.completed, run.summary.failed) == (5, 1)
    assert run.summary.pending == 0
    assert run.summary.cost_usd == 3.5
    assert list(run.frame["asked"]) == [
        1,
        2,
        1,
        1,
        1,
        1,
    ]  # the failed one keeps its own
    assert list(run.frame["status"]).count("failed") == 1
    assert run.frame["owner"][1] == "Zoe"
    assert run.frame["tier"][1] == "A"
    assert list(run.frame["attempts"]) == [1, 2, 1, 1, 2, 1]
    with pytest.raises(ValueError, match="none of the list"):
        again.reprocess([6])
    with pytest.raises(ValueError, match="nothing to research again"):
        again.reprocess([])


@pytest.mark.parametrize("store", ["memory", DATABASE])
def test_what_is_not_reached_stays_as_it_was(store: str) -> None:
    changing = Changing()
    job = sdr_kit.start(made_up(9), changing, store=store, mode="sequential")
    job.wait(30)
    changing.seconds = 0.2
    again = job.reprocess(range(9))
    assert again.progress.completed < 9
    until(lambda: again.progress.completed >= 1)
    again.cancel()
    run = again.wait(30)
    assert run.summary.completed == 9
    assert again.progress.completed == 9
    asked = list(run.frame["asked"])
    assert asked[0] == 2
    assert asked[-1] == 1
    tried = run.attempts["position"].value_counts().sort_index()
    assert list(run.frame["attempts"]) == list(tried)
    assert max(tried) == 2


def test_a_wish_to_research_again_outlives_the_process() -> None:
    dying(f"""
        from tests.accounts import made_up
        slow = False
        async def once(account):
            if slow:
                await asyncio.sleep(0.05)
                if account.position == 3:
                    os._exit(9)
            return {{"slow": slow}}
        job = sdr_kit.start(made_up(6), once, mode="sequential", store={DATABASE!r})
        job.wait()
        slow = True
        job.reprocess([1, 3, 4]).wait()
    """)
    assert watched().progress.pending in (2, 3)
    counting = Counting()
    run = sdr_kit.resume(1, counting, DATABASE).wait(30)
    assert set(counting.calls) <= {1, 3, 4}
    assert {3, 4} <= set(counting.calls)
    assert run.summary.completed == 6
    counting.calls.clear()
    sdr_kit.resume(1, counting, DATABASE, positions=[0]).wait(30)
    assert counting.calls == [0]


def test_who_has_lost_a_job_reopens_nothing() -> None:
    """As one that was stopped between taking the job and looking what is left."""
    job = sdr_kit.start(made_up(3), Counting(), store=DATABASE)
    job.wait(30)
    store = Store(DATABASE)
    stale = store.claim(1)
    store.end_job(1, state="finished", reason=None, seconds=1.0, fence=stale)
    store.claim(1)
    with pytest.raises(JobHeldError, match="was taken over by process"):
        store.reopen(1, [0, 1, 2], again=True, fence=stale)
    assert len(store.statuses(1)) == 3


def test_what_is_older_is_found() -> None:
    job = sdr_kit.start(made_up(3), Counting(), store=DATABASE)
    job.wait(30)
    assert job.older_than(1) == []
    assert job.older_than(-1) == [0, 1, 2]
    memory = sdr_kit.start(made_up(3), Counting(), store="memory")
    memory.wait(30)
    assert memory.older_than(1) == []
    assert memory.older_than(-1) == [0, 1, 2]


def test_what_was_reused_is_no_longer_when_it_is_researched_again() -> None:
    store = Store(DATABASE)
    counting = Fingered()
    sdr_kit.start(made_up(4), counting, store=store).wait(30)
    job = sdr_kit.start(made_up(4), counting, store=store)
    assert job.wait(30).summary.reused == 4
    run = job.reprocess([2]).wait(30)
    assert (run.summary.reused, run.summary.completed) == (3, 4)
    assert run.summary.saved_usd == 1.5
    assert list(run.frame["reused"]) == [True, True, False, True]


@pytest.mark.parametrize("store", ["memory", DATABASE])
def test_what_was_reused_and_not_reached_is_reused_still(store: str) -> None:
    where: AnyStore = MemoryStore() if store == "memory" else Store(store)
    sdr_kit.start(made_up(4), Fingered(), store=where).wait(30)
    slow = Fingered(20)
    job = sdr_kit.start(made_up(4), slow, store=where)
    job.wait(30)
    again = job.reprocess([2, 3])
    until(lambda: bool(slow.calls))
    assert again.summary.reused == 2
    again.cancel()
    run = again.wait(30)
    assert (run.summary.reused, run.summary.completed) == (4, 4)
    assert (run.summary.saved_usd, run.summary.accounts_per_minute) == (2.0, 0.0)
    assert run.frame["reused"].all()


class Fingered(Counting):
    fingerprint = "counting|1"


def test_threads_end() -> None:
    assert not [each for each in threading.enumerate() if "sdr_kit" in each.name]
