"""Jobs of another day, or of another process, on the panel, without a browser."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit import Account, Outcome, Research, Workbench
from sdr_kit.account import Edit
from sdr_kit.fingerprint import terms_of
from sdr_kit.lease import this_process
from sdr_kit.store import Store
from sdr_kit.stored_job import Beginning
from sdr_kit.watched import WatchedJob
from tests.accounts import made_up
from tests.test_recovery import Counting
from tests.test_workbench import drawn_to_the_end, panel, ran, shown, turn_to, until

DATABASE = "sqlite:///panel.db"


class Told(Counting):
    fingerprint = "counting|1"


def interrupted(
    number: int = 8, stored: int = 3, *, budget_usd: float | None = None
) -> None:
    """Leaves a job behind as a process does that is killed."""
    accounts, told = made_up(number), Told()
    store = Store(DATABASE)
    job_id = store.create_job(
        tuple(accounts),
        Beginning(
            researcher=told.name,
            concurrency=1,
            terms=terms_of(told),
            budget_usd=budget_usd,
        ),
        keys=accounts.keys,
    )
    record, close = store.open_writer(job_id)
    found = Research(fields={"summary": "a company"})
    common = {"status": "completed", "attempts": 1, "seconds": 0.1, "finished": 0.1}
    record(
        [],
        [
            Outcome(position=place, research=found, **common)  # type: ignore[arg-type]
            for place in range(stored)
        ],
    )
    close()
    gone = dataclasses.replace(this_process(), began=0.0)
    with closing(sqlite3.connect("panel.db")) as file, file:
        file.execute("UPDATE jobs SET holder = ?", (gone.written(),))


def test_the_panel_offers_to_continue_what_was_interrupted() -> None:
    interrupted()
    Store(DATABASE).edit(made_up(8).keys[1], Edit(owner="Zoe"))
    workbench = panel(8, researcher=(told := Told()), store=DATABASE)
    question = workbench._question
    assert "Continue job 1 (3 of 8)? Begun " in shown(question)
    assert "interrupted" in shown(question)
    assert workbench.job is None
    workbench._chooser.dropdown.index = 0  # the sandbox, as in a fresh panel
    question._yes.click()
    drawn_to_the_end(workbench)
    assert workbench._chooser.researcher is told
    assert told.calls == [3, 4, 5, 6, 7]
    assert workbench.job is not None
    assert workbench.job.id == 1
    assert workbench.job.progress.completed == 8
    assert workbench.frame["owner"][1] == "Zoe"
    assert not question.visible


def test_it_may_be_looked_at_first() -> None:
    interrupted()
    workbench = panel(8, researcher=(told := Told()), store=DATABASE)
    workbench._question._other.click()
    drawn_to_the_end(workbench)
    assert isinstance(workbench.job, WatchedJob)
    assert "Interrupted" in workbench._progress.value
    assert "Press <b>Continue</b>" in workbench._notice.value
    assert list(workbench.frame["status"]).count("completed") == 3
    for tab in ("Run", "Accounts", "Failures", "Charts", "Jobs"):
        turn_to(workbench, tab)
        assert workbench._problem.value == ""
    workbench._continue.click()
    drawn_to_the_end(workbench)
    assert len(told.calls) == 5


def test_what_is_continued_keeps_its_budget() -> None:
    """Each call costs half a dollar: four of the five that are left."""
    interrupted(budget_usd=2.0)
    workbench = panel(8, researcher=(told := Told()), store=DATABASE)
    workbench._question._yes.click()
    drawn_to_the_end(workbench)
    assert workbench._chooser.budget_usd == 2.0
    assert workbench.job is not None
    assert workbench.job.budget_usd == 2.0
    assert len(told.calls) == 4
    assert "The budget of $2.00 is reached" in workbench._notice.value


def test_another_researcher_goes_on_only_when_a_person_says_so() -> None:
    interrupted()

    async def other(_account: Account) -> dict[str, str]:
        return {"summary": "other"}

    workbench = panel(8, researcher=other, store=DATABASE)
    workbench._question._yes.click()
    question = workbench._question
    until(lambda: "was begun with counting. Go on with other" in shown(question))
    assert workbench.job is not None
    assert workbench.job.progress.pending == 5
    question._yes.click()
    drawn_to_the_end(workbench)
    assert workbench.job.progress.completed == 8


def test_the_sandbox_does_not_go_on_with_what_is_true() -> None:
    interrupted()
    workbench = Workbench(made_up(8), store=DATABASE)
    workbench._question._yes.click()
    workbench._question._yes.click()
    assert "does not mix" in workbench._problem.value


def test_a_run_of_the_same_list_is_offered_to_be_shown() -> None:
    ran(panel(5, researcher=Told(), store=DATABASE))
    workbench = panel(5, researcher=Told(), store=DATABASE)
    assert "Show job 1?" in shown(workbench._question)
    assert "5 completed, 0 failed" in shown(workbench._question)
    workbench._question._yes.click()
    drawn_to_the_end(workbench)
    assert workbench.job is not None
    assert workbench.job.progress.completed == 5
    assert not panel(6, store=DATABASE)._question.visible  # another list
    empty = Workbench(store=DATABASE)
    assert " over DataFrame, ended: 5 completed" in shown(empty._question)
    empty._question._yes.click()
    drawn_to_the_end(empty)
    assert len(empty.accounts or ()) == 5


def test_a_panel_that_is_made_again_shows_the_run_that_goes_on() -> None:
    first = panel(200, researcher=Told(0.05), store=DATABASE, processing_concurrency=2)
    first._run.click()
    until(lambda: first.job is not None and first.job.progress.completed > 2)
    second = panel(200, researcher=Told(), store=DATABASE)
    assert "Job 1 is at work in process" in shown(second._question)
    assert second._question._yes.description == "Watch"
    second._question._yes.click()
    assert second.job is first.job
    second._slider.value = 9
    until(lambda: first.job is not None and first.job.concurrency == 9)
    drawn_to_the_end(second)
    assert first.job is not None
    assert first.job.progress.completed == 200


def test_a_job_of_another_process_is_watched_and_steered() -> None:
    job = sdr_kit.start(made_up(80), Told(0.1), store=DATABASE, concurrency=2)
    workbench = panel(80, researcher=Told(), store=DATABASE)
    watched = WatchedJob(
        Store(DATABASE), 1, settings=workbench._desk.settings, accounts=made_up(80)
    )
    workbench._desk.job = watched
    workbench._watch(watched)
    assert workbench._run.disabled
    assert not workbench._pause.disabled
    workbench._slider.value = 10
    until(lambda: job.progress.limit == 10)
    workbench._pause.click()
    until(lambda: job.progress.state == "paused")
    until(lambda: workbench._pause.description == "Resume")
    workbench._pause.click()
    until(lambda: job.progress.state == "running")
    workbench._cancel.click()
    job.wait(30)
    drawn_to_the_end(workbench)
    assert "Cancelled" in workbench._progress.value
    assert not workbench._run.disabled


def test_a_job_that_is_opened_shows_how_many_at_once_it_was_given() -> None:
    sdr_kit.start(made_up(5), Told(), store=DATABASE, concurrency="auto").wait(30)
    sdr_kit.start(made_up(5), Told(), store=DATABASE, concurrency=3).wait(30)
    workbench = panel(5, researcher=Told(), store=DATABASE)
    workbench._mode.value = "Sequential"
    workbench._resumption.open(1)
    assert (workbench._mode.value, workbench._auto.value) == ("Parallel", True)
    drawn_to_the_end(workbench)
    workbench._resumption.open(2)
    assert (workbench._auto.value, workbench._slider.value) == (False, 3)
    drawn_to_the_end(workbench)


def test_a_job_elsewhere_is_switched_to_auto_and_back() -> None:
    job = sdr_kit.start(made_up(900), Told(0.3), store=DATABASE, concurrency=2)
    workbench = panel(900, researcher=Told(), store=DATABASE)
    watched = WatchedJob(
        Store(DATABASE), 1, settings=workbench._desk.settings, accounts=made_up(900)
    )
    workbench._desk.job = watched
    workbench._opened()
    assert workbench._slider.value == 2
    workbench._auto.value = True
    until(lambda: job.concurrency == "auto")
    until(lambda: watched.progress.auto)
    assert workbench._auto.value
    workbench._auto.value = False
    until(lambda: job.concurrency == workbench._slider.value)
    Store(DATABASE).steer(1, limit="auto")
    until(lambda: workbench._auto.value)
    workbench._cancel.click()
    job.wait(30)
    drawn_to_the_end(workbench)


def test_jobs_are_listed_opened_and_deleted() -> None:
    workbench = ran(panel(5, researcher=Counting(), store=DATABASE))
    other = ran(panel(3, researcher=Counting(), store=DATABASE))
    turn_to(other, "Jobs")
    view = other._jobs_view
    assert list(view._jobs["job"]) == [2, 1]
    assert view._open.disabled
    view._grid.select([1])
    assert not view._open.disabled
    view._open.click()
    drawn_to_the_end(other)
    assert other.job is not None
    assert other.job.id == 1
    assert len(other.accounts or ()) == 5
    turn_to(other, "Jobs")
    view._grid.select([1])
    view._delete.click()
    assert "Delete job 1 with 5 results? There is no way back" in shown(view._question)
    view._question._no.click()
    assert list(sdr_kit.jobs(DATABASE)["job"]) == [2, 1]
    view._delete.click()
    view._question._yes.click()
    assert other.job is None
    assert list(sdr_kit.jobs(DATABASE)["job"]) == [2]
    assert other._problem.value == ""
    assert workbench._problem.value == ""


def test_a_job_at_work_is_not_deleted() -> None:
    workbench = panel(900, researcher=Told(0.05), store=DATABASE)
    workbench._run.click()
    until(lambda: workbench.job is not None and workbench.job.progress.completed > 2)
    turn_to(workbench, "Jobs")
    workbench._jobs_view._grid.select([0])
    workbench._jobs_view._delete.click()
    workbench._jobs_view._question._yes.click()
    assert "is being worked on" in workbench._problem.value
    assert workbench._jobs_view._open.disabled
    workbench._cancel.click()
    drawn_to_the_end(workbench)


@pytest.mark.parametrize("store", ["memory", DATABASE])
def test_selected_accounts_are_researched_again(store: str) -> None:
    workbench = ran(panel(5, researcher=(told := Told()), store=store))
    turn_to(workbench, "Accounts")
    view = workbench._accounts_view
    assert view._again.disabled
    view._grid.select([1, 3])
    assert view._again.description == "Research again (2)"
    assert view._card.position is None  # of several, none is open
    view._again.click()
    assert "Ask “counting” again about 2 accounts?" in shown(workbench._question)
    workbench._question._yes.click()
    drawn_to_the_end(workbench)
    assert sorted(told.calls) == [0, 1, 1, 2, 3, 3, 4]
    assert "5 completed" in workbench._progress.value


def test_what_is_old_is_selected() -> None:
    workbench = ran(panel(4, researcher=Told(), store=DATABASE))
    turn_to(workbench, "Accounts")
    view = workbench._accounts_view
    view._older.click()
    assert "Nothing is older than 60 days." in view._news.value
    view._days.value = 0
    view._older.click()
    assert view._grid.selected == [0, 1, 2, 3]


async def test_failures_of_another_day_are_tried_again() -> None:
    failing = Told()

    async def fail(account: Account) -> dict[str, object]:
        if account.position == 2:
            raise sdr_kit.Permanent("gone")
        return await failing(account)

    run = await sdr_kit.process(made_up(4), fail, store=DATABASE)
    assert run.summary.failed == 1
    workbench = panel(4, researcher=(told := Told()), store=DATABASE)
    workbench._desk.job = WatchedJob(
        Store(DATABASE), 1, settings=workbench._desk.settings, accounts=made_up(4)
    )
    workbench._resumption.retry(None)
    assert "was begun with fail. Go on with counting" in shown(workbench._question)
    workbench._question._yes.click()
    await asyncio.to_thread(drawn_to_the_end, workbench)
    assert told.calls == [2]
    assert workbench.job is not None
    assert workbench.job.progress.completed == 4


def test_a_question_about_a_job_goes_with_its_list() -> None:
    """Else its answer would put the list of that job in the place of the new one."""
    interrupted()
    workbench = panel(8, researcher=Told(), store=DATABASE)
    assert workbench._question.visible
    workbench._list_view._path.value = "other.csv"
    Path("other.csv").write_text("company_name\nA\nB\n")
    workbench._list_view._load.click()
    assert len(workbench.accounts or ()) == 2
    assert not workbench._question.visible


def test_what_is_reused_makes_no_run_faster() -> None:
    ran(panel(5, researcher=(told := Told()), store=DATABASE))
    workbench = panel(6, researcher=told, store=DATABASE)
    workbench._run.click()
    workbench._question._yes.click()
    drawn_to_the_end(workbench)
    job = workbench.job
    assert job is not None
    rate = f"{60 / job.progress.seconds:,.0f}"  # of the one that was asked about
    assert f"{rate} accounts/min · 5 reused" in workbench._progress.value
    assert f"{job.summary.accounts_per_minute:,.0f}" == rate
    workbench._run.click()
    assert "All 6 accounts were researched" in shown(workbench._question)
    workbench._question._yes.click()
    drawn_to_the_end(workbench)
    assert "accounts/min" not in workbench._progress.value


def test_one_that_is_fresh_is_spoken_of_as_one() -> None:
    ran(panel(1, researcher=(told := Told()), store=DATABASE))
    one, two = (panel(number, researcher=told, store=DATABASE) for number in (1, 2))
    one._run.click()
    assert "1 of 1 account was researched" in shown(one._question)
    two._run.click()
    assert "1 of 2 accounts was researched" in shown(two._question)


def test_a_panel_in_memory_does_not_promise_a_list_of_jobs() -> None:
    workbench = ran(panel(2, researcher=Told(), store="memory"))
    turn_to(workbench, "Jobs")
    assert "kept in memory" in workbench._jobs_view._empty.value
    kept = panel(2, researcher=Told(), store=DATABASE)
    turn_to(kept, "Jobs")
    assert "No jobs yet" in kept._jobs_view._empty.value
