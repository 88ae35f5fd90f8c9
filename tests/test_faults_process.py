"""Processes that are told to end, and clocks that jump while a run goes on."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import sdr_kit
from sdr_kit import Account, Settings
from sdr_kit.dates import days_ago
from sdr_kit.errors import JobHeldError
from sdr_kit.lease import this_process
from sdr_kit.store import Store
from sdr_kit.stored_job import Beginning
from tests.accounts import made_up
from tests.faults import (
    DATABASE,
    JumpingLoop,
    Paid,
    WallClock,
    books,
    ended,
    script,
    until,
)

AT_WORK = """
import asyncio, sys, sdr_kit
from tests.accounts import made_up

async def research(account):
    with open("calls.txt", "a") as calls:
        print(account.position, file=calls)
    await asyncio.sleep(0.01)
    return {"position": account.position}

how = {"store": "sqlite:///faults.db", "concurrency": 5}
if sys.argv[1] == "process":
    asyncio.run(sdr_kit.process(made_up(int(sys.argv[2])), research, **how))
else:
    job = sdr_kit.start(made_up(int(sys.argv[2])), research, **how)
    if sys.argv[1] == "wait":
        job.wait()
"""
CALLS = Path("calls.txt")


def calls() -> list[int]:
    return [int(each) for each in CALLS.read_text().split()] if CALLS.exists() else []


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("process", signal.SIGTERM),
        pytest.param("wait", signal.SIGHUP, marks=pytest.mark.soak),
        pytest.param("process", signal.SIGHUP, marks=pytest.mark.soak),
        pytest.param("wait", signal.SIGTERM, marks=pytest.mark.soak),
    ],
)
def test_a_script_that_is_told_to_end_does_at_once_and_its_job_can_go_on(
    by: str, told: signal.Signals
) -> None:
    with script(AT_WORK, by, "600") as process:
        until(lambda: len(calls()) > 20)
        process.send_signal(told)
        assert process.wait(5) == -told
    counted = books()
    assert counted["completed"] > 0
    assert Store(DATABASE).job(1).shown_state == "interrupted"
    again = goes_on(600)
    assert len(calls()) + len(again) <= 600 + 5 + 200


def goes_on(number: int) -> list[int]:
    """Resumes the job; gives whom it asked, none of them stored before."""
    stored = set(Store(DATABASE).statuses(1))
    sdr_kit.resume(1, paid := Paid(), DATABASE).wait(30)
    assert books() == {"completed": number}
    assert not stored & set(paid.calls)
    return paid.calls


def test_ctrl_c_cancels_a_run_that_is_awaited_and_stores_what_has_ended() -> None:
    with script(AT_WORK, "process", "600") as process:
        until(lambda: len(calls()) > 20)
        process.send_signal(signal.SIGINT)
        _, complaints = ended(process)
    assert complaints.rstrip().endswith("KeyboardInterrupt")
    assert Store(DATABASE).job(1).state == "cancelled"
    assert books()["completed"] >= len(calls()) - 5
    goes_on(600)


def test_ctrl_c_lets_a_job_that_was_started_end_in_its_own_time() -> None:
    with script(AT_WORK, "wait", "120") as process:
        until(lambda: len(calls()) > 20)
        process.send_signal(signal.SIGINT)
        _, complaints = ended(process)
    assert "KeyboardInterrupt" in complaints
    assert books() == {"completed": 120}
    assert len(calls()) == 120
    assert Store(DATABASE).job(1).state == "finished"


AT_ITS_END = """
import asyncio, sdr_kit
from tests.accounts import made_up

async def research(account):
    await asyncio.sleep(0.2)  # the script has ended by then
    found = await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    return {"found": bool(found), "four": await asyncio.to_thread(sum, [2, 2])}

sdr_kit.start(made_up(8), research, store="sqlite:///faults.db")
"""


def test_a_script_at_its_end_waits_for_its_job_and_stores_all_of_it() -> None:
    """What blocks goes on as well: commits, and names that are looked up."""
    with script(AT_ITS_END) as process:
        _, complaints = ended(process)
    assert (process.returncode, complaints) == (0, "")
    assert books() == {"completed": 8}
    assert Store(DATABASE).job(1).state == "finished"


# Clocks.


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    clock = WallClock()
    monkeypatch.setattr("sdr_kit.lease.time", clock)
    monkeypatch.setattr("sdr_kit.job_store.time", clock)
    return clock


HOURS = 3600.0


@pytest.mark.parametrize("jump", [-30 * 24 * HOURS, -5 * HOURS, 5 * HOURS])
def test_a_run_does_not_notice_that_the_clock_was_set(
    wall: WallClock, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdr_kit.keeper.BEAT_SECONDS", 0.25)
    job = sdr_kit.start(made_up(200), Paid(0.01), store=DATABASE, concurrency=2)
    until(lambda: job.progress.completed > 5)
    wall.ahead = jump
    store = Store(DATABASE)
    until(lambda: abs(store.job(1).lease.until - wall.time() - 30) < 5)
    with pytest.raises(JobHeldError):  # the next beat has put the lease right
        store.claim(1)
    run = job.wait(30)
    assert books() == {"completed": 200}
    assert 0.5 < run.summary.seconds < 20
    assert run.attempts["seconds"].between(0, 5).all()
    assert run.attempts["started"].between(0, 20).all()


def test_a_process_that_died_before_the_clock_was_set_back_holds_nothing_up(
    wall: WallClock,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    store = Store(DATABASE)
    store.create_job(tuple(made_up(3)), Beginning(researcher="test", concurrency=1))
    holder = replace(this_process(), pid=dead.pid).written()
    with closing(sqlite3.connect(str(store))) as db:
        db.execute("UPDATE jobs SET holder = ?", [holder])
        db.commit()
    wall.ahead = -24 * HOURS
    assert store.job(1).lease.until > wall.time() + 23 * HOURS
    assert store.job(1).shown_state == "interrupted"
    goes_on(3)


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere it is kept with the process")
def test_a_living_holder_is_known_again_after_the_clock_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Linux the beginning of a process is reckoned from that of the machine."""
    me = this_process()
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 5 * HOURS)
    assert psutil.boot_time() == booted + 5 * HOURS
    assert not me.gone


@pytest.mark.parametrize(
    ("days", "reused"), [(-400, 3), (-30, 3), (59, 3), (61, 0)], ids=str
)
def test_what_is_fresh_goes_by_the_clock_as_it_is_now(
    days: float, reused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set back, what was found lies in the future, and is fresh."""
    paid = Paid()
    paid.fingerprint = "a"  # type: ignore[attr-defined]
    sdr_kit.start(made_up(3), paid, store=DATABASE).wait(20)
    monkeypatch.setattr("sdr_kit.request.days_ago", lambda age: days_ago(age - days))
    run = sdr_kit.start(made_up(3), paid, store=DATABASE).wait(20)
    assert run.summary.reused == reused


def asleep(seconds: float, wall: WallClock, *, meanwhile: bool) -> sdr_kit.Run:
    """Runs a job on a laptop that is asleep for so long in its middle."""
    settings = Settings(account_timeout_seconds=600, retry_initial_seconds=0.01)
    calls = 0

    async def research(account: Account) -> dict[str, int]:
        nonlocal calls
        calls += 1
        if calls == 20:
            if meanwhile:  # the lease runs out, and somebody takes the job
                wall.ahead = seconds
                Store(DATABASE).claim(1)
            wall.ahead = loop.ahead = seconds
        await asyncio.sleep(0.02)
        return {"position": account.position}

    loop = JumpingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(
            sdr_kit.process(
                made_up(200), research, store=DATABASE, settings=settings, concurrency=2
            )
        )


def test_a_laptop_that_was_asleep_for_an_hour_goes_on(wall: WallClock) -> None:
    run = asleep(HOURS, wall, meanwhile=False)
    assert run.summary.stopped is None
    assert books() == {"completed": 200}
    cut = run.attempts[run.attempts["outcome"] == "transient"]
    assert len(cut) <= 2  # whoever was at work, and was tried again
    assert Store(DATABASE).job(1).state == "finished"


def test_a_job_that_was_taken_while_the_laptop_slept_is_left_to_who_has_it(
    wall: WallClock,
) -> None:
    began = time.monotonic()
    run = asleep(HOURS, wall, meanwhile=True)
    assert "was taken over by process" in str(run.summary.stopped)
    assert time.monotonic() - began < 10
    store = Store(DATABASE)
    assert store.job(1).state == "running"  # of who has it now
    assert books()["completed"] < 25
    assert not store.job(1).lease.free
