"""What concurrency was chosen: the same at every door, kept, and what it cannot be."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit import Account, RateLimited, Settings
from sdr_kit.cli import steer
from sdr_kit.server import office
from sdr_kit.server.office import Office
from sdr_kit.server.problems import Problem
from sdr_kit.settings import Concurrency
from sdr_kit.store import Store
from sdr_kit.watched import WatchedJob
from sdr_kit.workbench import markup
from sdr_kit.workbench.panel import Workbench
from tests.accounts import made_up
from tests.test_recovery import DATABASE, Counting, until
from tests.test_workbench import drawn_to_the_end

CAP = 3
PARALLEL = "sequential: one account at a time"


class Capped(Counting):
    """Takes few at once, so that fewer are allowed than were chosen."""

    def __init__(self) -> None:
        super().__init__(0.1)
        self.working = 0

    async def __call__(self, account: Account) -> dict[str, object]:
        if self.working >= CAP:
            await asyncio.sleep(0.01)
            raise RateLimited("too many at once")
        self.working += 1
        try:
            return await super().__call__(account)
        finally:
            self.working -= 1


def elsewhere(job_id: int = 1) -> WatchedJob:
    return WatchedJob(Store(DATABASE), job_id, settings=Settings())


def capped() -> sdr_kit.Job:
    """A job at work for which 10 were chosen, and fewer are taken."""
    job = sdr_kit.start(made_up(900), Capped(), store=DATABASE, concurrency=10)
    until(lambda: job.progress.limit <= CAP + 1)
    return job


def ended(job: sdr_kit.Job) -> None:
    job.cancel()
    job.wait(30)


def test_the_choice_is_not_what_the_provider_takes() -> None:
    job, seen = capped(), elsewhere()
    assert job.progress.concurrency == job.concurrency == 10
    until(lambda: seen.progress.limit <= CAP + 1)
    assert seen.concurrency == seen.progress.concurrency == 10
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == [10]
    workbench = Workbench(accounts=made_up(900), store=DATABASE)
    workbench._question._yes.click()  # Watch
    assert workbench._slider.value == 10
    ended(job)
    drawn_to_the_end(workbench)


def test_a_change_is_heard_though_the_provider_takes_fewer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "SETTLE_SECONDS", 20.0)
    monkeypatch.setattr(steer, "HEARD_SECONDS", 20.0)
    job, began = capped(), time.monotonic()
    steer.change(1, DATABASE, concurrency=8, budget_usd=None)
    assert "Job 1: running" in capsys.readouterr().out
    assert job.concurrency == job.progress.concurrency == 8
    desk = Office(Store(DATABASE), Settings())
    desk.change(1, concurrency=9)
    assert desk.state(1)["concurrency"] == 9
    assert time.monotonic() - began < 15.0
    ended(job)


def test_a_snapshot_of_an_older_version_can_be_read() -> None:
    job = sdr_kit.start(made_up(900), Counting(0.1), store=DATABASE, concurrency=4)
    until(lambda: Store(DATABASE).job(1).progress is not None)
    ended(job)
    for auto, choice in ((False, 4), (True, "auto")):
        old = {**asdict(job.progress), "state": "running", "auto": auto}
        del old["most"], old["sequential"]
        with closing(sqlite3.connect("jobs.db")) as file, file:
            file.execute(
                "UPDATE jobs SET progress = ?, state = 'running', lease_until = ?, "
                'holder = \'{"host": "x", "pid": 1, "began": 1.0}\'',
                (json.dumps(old), time.time() + 60),
            )
        assert elsewhere().concurrency == choice


@pytest.mark.parametrize("again", ["auto", 7])
def test_a_job_goes_on_with_what_was_chosen_last(again: Concurrency) -> None:
    job = sdr_kit.start(made_up(900), Counting(0.1), store=DATABASE, concurrency=2)
    job.concurrency = again
    ended(job)
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == [again]
    assert elsewhere().concurrency == again
    resumed = sdr_kit.resume(1, store=DATABASE)
    assert resumed.concurrency == again
    resumed.cancel()
    resumed.wait(30)


def test_a_killed_job_goes_on_with_what_was_chosen_last() -> None:
    code = f"""
        import asyncio, sdr_kit, time
        from tests.accounts import made_up
        async def slow(account):
            await asyncio.sleep(0.1)
            return {{}}
        job = sdr_kit.start(made_up(900), slow, store={DATABASE!r}, concurrency=2)
        job.concurrency = "auto"
        time.sleep(60)
    """
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(  # noqa: S603 (our own code)
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        until(lambda: Path("jobs.db").exists() and bool(Store(DATABASE).jobs()))
        until(lambda: Store(DATABASE).job(1).choice == "auto")
        process.send_signal(signal.SIGKILL)
    assert sdr_kit.jobs(DATABASE)["concurrency"].tolist() == ["auto"]
    until(lambda: not Store(DATABASE).job(1).held)
    resumed = sdr_kit.resume(1, Counting(0.1), DATABASE)
    assert resumed.concurrency == "auto"
    resumed.cancel()
    resumed.wait(30)


def test_what_a_job_is_resumed_with_is_what_it_goes_on_with() -> None:
    ended(sdr_kit.start(made_up(900), Counting(0.1), store=DATABASE, concurrency=2))
    for concurrency in (6, None):
        job = sdr_kit.resume(1, store=DATABASE, concurrency=concurrency)
        assert job.concurrency == 6
        job.cancel()
        job.wait(30)


def test_a_sequential_job_stays_one_at_a_time_at_every_door(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = sdr_kit.start(made_up(900), Counting(0.05), store=DATABASE, mode="sequential")
    until(lambda: Store(DATABASE).job(1).progress is not None)
    desk = Office(Store(DATABASE), Settings())
    assert desk.state(1)["mode"] == "sequential"
    for wrong in (2, "auto"):
        for handle in (job, elsewhere()):
            with pytest.raises(RuntimeError, match=PARALLEL):
                handle.concurrency = wrong
        with pytest.raises(sdr_kit.SdrKitError, match=PARALLEL):
            steer.change(1, DATABASE, concurrency=wrong, budget_usd=None)
        with pytest.raises(Problem, match=PARALLEL) as refused:
            desk.change(1, concurrency=wrong, budget_usd=9.0)
        assert refused.value.status == 409
    assert (job.concurrency, job.progress.limit, job.budget_usd) == (1, 1, None)
    job.concurrency = 1
    workbench = Workbench(accounts=made_up(900), store=DATABASE)
    workbench._question._yes.click()  # Watch
    assert workbench._mode.value == "Sequential"
    assert workbench._slider.disabled
    assert workbench._auto.disabled
    ended(job)
    drawn_to_the_end(workbench)
    assert capsys.readouterr().out == ""


def test_a_sequential_job_goes_on_so_unless_it_is_told_otherwise() -> None:
    job = sdr_kit.start(made_up(900), Counting(0.05), store=DATABASE, mode="sequential")
    ended(job)
    again = job.retry(job.unfinished())
    assert again.progress.sequential
    ended(again)
    again = again.retry(job.unfinished(), mode="parallel")
    assert (again.progress.sequential, again.concurrency) == (False, 5)
    ended(again)
    again = again.retry(job.unfinished(), mode="sequential")
    assert (again.progress.sequential, again.concurrency) == (True, 1)
    ended(again)
    for options, sequential, concurrency in (
        ({}, True, 1),
        ({"concurrency": 4}, False, 4),
        ({"mode": "sequential"}, True, 1),
        ({"mode": "parallel"}, False, 5),
    ):
        resumed = sdr_kit.resume(1, store=DATABASE, **options)
        now = resumed.progress
        assert (now.sequential, resumed.concurrency) == (sequential, concurrency)
        resumed.cancel()
        resumed.wait(30)


def test_the_panel_goes_on_in_the_mode_that_it_shows() -> None:
    job = sdr_kit.start(made_up(200), Counting(0.05), store=DATABASE, concurrency=4)
    ended(job)
    workbench = Workbench(
        accounts=made_up(200),
        researchers={"mine": (counting := Counting(0.05))},
        store=DATABASE,
    )
    workbench._desk.open(1)
    workbench._opened()
    workbench._chooser.dropdown.value = counting
    assert (workbench._mode.value, workbench._slider.value) == ("Parallel", 4)
    workbench._mode.value = "Sequential"
    workbench._continue.click()
    if workbench._question.visible:  # another object than the one that began it
        workbench._question._yes.click()
    assert workbench.job is not None
    until(lambda: workbench.job is not None and workbench.job.progress.sequential)
    workbench._cancel.click()
    drawn_to_the_end(workbench)


async def test_the_limit_of_the_chart_begins_with_what_is_in_flight() -> None:
    run = await sdr_kit.process(
        made_up(120), Capped(), store="memory", concurrency="auto"
    )
    first, last = run.history[0], run.history[-1]
    assert first.limit == max(first.running, 1)
    assert CAP <= last.limit <= CAP + 1


def test_what_auto_has_found_is_said_when_it_is_found() -> None:
    settings = Settings(database_url=DATABASE)
    job = sdr_kit.start(made_up(900), Capped(), concurrency="auto", settings=settings)
    assert job.progress.found_limit is None
    assert "at work</b>" in markup.auto(job.progress, most=50)
    until(lambda: job.progress.found_limit in (CAP, CAP + 1))
    assert re.search("<b>[34] at once</b>.*found", markup.auto(job.progress, most=50))
    assert Office(Store(DATABASE), settings).state(1)["found_limit"] in (CAP, CAP + 1)
    ended(job)


def test_a_number_above_what_is_found_is_told_with_it() -> None:
    job = capped()
    assert re.search(r"limit 10, [34] found", markup.progress(job.progress, 900))
    ended(job)
