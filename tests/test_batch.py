"""The handles: `process`, `start`, `Job`, `run_sync`, on real threads."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

import sdr_kit
from sdr_kit import Account, Job, Permanent, Research, Sandbox, Settings, Store
from sdr_kit.account import Edit, Evidence, Status, Usage
from sdr_kit.fingerprint import provider_of
from sdr_kit.job_results import Asked
from sdr_kit.memory_store import MemoryStore
from tests.accounts import made_up


async def quick(account: Account) -> dict[str, object]:
    await asyncio.sleep(0.01)
    return {"summary": account.company_name, "tier": "B", "priority_score": 4}


class Doorman:
    """Lets calls through when told to; knows how many are inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.open = threading.Event()

    async def __call__(self, _account: Account) -> dict[str, str]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            while not self.open.is_set():  # noqa: ASYNC110 (set by a thread)
                await asyncio.sleep(0.005)
        finally:
            self.inside -= 1
        return {}


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


async def test_process_gives_one_row_an_account_with_the_columns_of_the_contract(
    settings: Settings,
) -> None:
    run = await sdr_kit.process(made_up(3), quick, settings=settings, store="memory")
    assert list(run.frame.columns) == [
        *("company_name", "domain", "industry", "owner", "shared_domain"),
        *("status", "attempts", "seconds", "reused", "tier", "priority_score"),
        "summary",
        *("error_kind", "error_message", "cost_usd"),
    ]
    assert list(run.frame["summary"]) == ["Company 0", "Company 1", "Company 2"]
    assert run.summary.completed == 3
    assert "3 of 3 accounts completed" in run._repr_html_()


async def test_results_survive_in_the_settings_store_by_default(
    tmp_path: Path,
) -> None:
    run = await sdr_kit.process(made_up(3), quick)
    assert (tmp_path / "sdr_kit.db").is_file()
    stored = Store().results(run.job_id)
    assert [each.status for each in stored] == ["completed"] * 3


async def test_nothing_blocks_the_callers_loop(settings: Settings) -> None:
    with blockbuster_ctx("sdr_kit"):
        run = await sdr_kit.process(made_up(300), quick, settings=settings)
    assert run.summary.completed == 300


async def test_sequential_is_one_at_a_time_whatever_concurrency_says() -> None:
    doorman = Doorman()
    doorman.open.set()
    await sdr_kit.process(
        made_up(5), doorman, mode="sequential", concurrency=5, store="memory"
    )
    assert doorman.most == 1


@pytest.mark.parametrize("concurrency", [0, 11, -1, 2.5, True, "5"])
async def test_a_concurrency_outside_the_range_is_refused_with_the_range(
    concurrency: Any,
) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        await sdr_kit.process(made_up(1), quick, concurrency=concurrency)


async def test_what_is_no_list_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match="load_accounts"):
        await sdr_kit.process(made_up(1).frame, quick)  # type: ignore[arg-type]


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="researcher"):
        sdr_kit.start(made_up(1), "Sandbox")  # type: ignore[arg-type]


def test_a_class_given_for_a_researcher_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"did you mean Sandbox\(\)\?"):
        sdr_kit.start(made_up(1), Sandbox)  # type: ignore[arg-type]


def test_a_store_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="store is 3"):
        sdr_kit.start(made_up(1), quick, store=3)  # type: ignore[arg-type]


def test_a_job_may_be_started_again_as_soon_as_it_has_ended() -> None:
    sandbox = Sandbox(time_scale=0.05)
    for _ in range(5):
        job = sdr_kit.start(made_up(3), sandbox, store="memory")
        until(lambda job=job: job.progress.ended)  # type: ignore[misc]
        assert job.progress.state == "finished"


async def test_a_plain_function_runs_in_threads_under_the_same_gate(
    settings: Settings,
) -> None:
    barrier = threading.Barrier(8, timeout=5)

    def research(_account: Account) -> dict[str, str]:
        barrier.wait()  # passes only when eight are here at once
        return {"thread": threading.current_thread().name}

    run = await sdr_kit.process(
        made_up(16), research, concurrency=8, store="memory", settings=settings
    )
    assert run.summary.completed == 16
    assert threading.current_thread().name not in set(run.frame["thread"])


def test_start_returns_at_once_and_wait_gives_the_run() -> None:
    doorman = Doorman()
    job = sdr_kit.start(made_up(3), doorman, concurrency=2, store="memory")
    until(lambda: doorman.inside == 2)
    assert not job.progress.ended
    with pytest.raises(TimeoutError):
        job.wait(0.01)
    doorman.open.set()
    run = job.wait(5)
    assert run.summary.completed == 3
    assert job.progress.state == "finished"
    assert list(job.frame["status"]) == ["completed"] * 3


def test_a_running_job_is_steered_from_another_thread() -> None:
    doorman = Doorman()
    job = sdr_kit.start(made_up(50), doorman, concurrency=2, store="memory")
    until(lambda: doorman.inside == 2)
    job.concurrency = 8
    assert job.concurrency == 8
    until(lambda: doorman.inside == 8)
    with pytest.raises(ValueError, match="1 to 10"):
        job.concurrency = 11
    job.pause()
    until(lambda: job.progress.state == "paused")
    job.resume()
    until(lambda: job.progress.state == "running")
    statuses = job.frame["status"].value_counts()
    assert (statuses["processing"], statuses["pending"]) == (8, 42)
    job.cancel()
    run = job.wait(5)
    assert run.summary.pending == 50
    assert run.summary.stopped == "Cancelled."


def test_steering_a_job_that_has_ended_does_nothing() -> None:
    job = sdr_kit.start(made_up(1), quick, store="memory")
    job.wait(5)
    job.pause()
    job.resume()
    job.concurrency = 3
    job.cancel()
    assert job.progress.state == "finished"


async def test_a_job_can_be_awaited_and_a_cancelled_wait_lets_it_go_on() -> None:
    doorman = Doorman()
    job = sdr_kit.start(made_up(3), doorman, store="memory")
    waiting = asyncio.create_task(job.finished())
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    doorman.open.set()
    run = await job.finished()
    assert run.summary.completed == 3


def test_a_crash_is_raised_to_whoever_waits_and_shown_in_the_progress() -> None:
    class Broken:
        async def __aenter__(self) -> None:
            raise RuntimeError("no such provider")

        async def __aexit__(self, *_error: object) -> None: ...

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    job = sdr_kit.start(made_up(1), Broken(), store="memory")
    with pytest.raises(RuntimeError, match="no such provider"):
        job.wait(5)
    assert job.progress.state == "crashed"
    assert "no such provider" in (job.progress.reason or "")


def test_the_same_failure_ten_times_pauses_a_job_until_somebody_answers() -> None:
    def research(_account: Account) -> dict[str, str]:
        raise KeyError("domian")

    job = sdr_kit.start(made_up(30), research, concurrency=1, store="memory")
    until(lambda: job.progress.state == "paused")
    assert "domian" in (job.progress.reason or "")
    job.resume()
    assert job.wait(5).summary.failed == 30


async def test_a_job_goes_on_while_the_callers_loop_is_blocked() -> None:
    job = sdr_kit.start(made_up(40), quick, concurrency=2, store="memory")
    time.sleep(1.0)  # noqa: ASYNC251 (a busy cell)
    assert job.progress.completed == 40
    await job.finished()


async def test_a_researcher_open_on_another_loop_is_refused_with_a_clear_error() -> (
    None
):
    async with Sandbox(time_scale=0.05) as sandbox:
        job = sdr_kit.start(made_up(2), sandbox, store="memory")
        with pytest.raises(sdr_kit.SdrKitError, match="another event loop"):
            await job.finished()


def test_run_sync_runs_where_no_loop_runs() -> None:
    run = sdr_kit.run_sync(sdr_kit.process(made_up(2), quick, store="memory"))
    assert run.summary.completed == 2


def test_run_sync_nests_in_a_running_loop() -> None:
    """In a process of its own: nesting patches asyncio for good."""
    code = """
import asyncio, sdr_kit, pandas
accounts = sdr_kit.load_accounts(pandas.DataFrame({"company_name": ["A", "B"]}))
async def research(account):
    await asyncio.sleep(0.01)
    return {}
async def cell():
    return sdr_kit.run_sync(sdr_kit.process(accounts, research, store="memory"))
print(asyncio.run(cell()).summary.completed)
"""
    assert in_a_process(code) == "2"


def test_a_script_waits_for_its_job_at_the_end() -> None:
    code = """
import asyncio, sdr_kit, pandas
accounts = sdr_kit.load_accounts(pandas.DataFrame({"company_name": ["A", "B"]}))
async def research(account):
    await asyncio.sleep(0.3)
    print(account.company_name, end="")
    return {}
sdr_kit.start(accounts, research, concurrency=1, store="memory")
"""
    assert in_a_process(code) == "AB"


def in_a_process(code: str) -> str:
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_two_runs_may_share_a_store() -> None:
    store = MemoryStore()
    first, second = await asyncio.gather(
        sdr_kit.process(made_up(20), quick, store=store),
        sdr_kit.process(made_up(30), quick, store=store),
    )
    assert first.job_id != second.job_id
    assert (len(first.frame), len(second.frame)) == (20, 30)
    assert set(second.frame["status"]) == {"completed"}


async def test_every_attempt_is_recorded() -> None:
    failed: set[int] = set()

    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(0.01)
        if account.position not in failed:
            failed.add(account.position)
            raise ConnectionResetError("dropped")
        return {}

    settings = Settings(retry_initial_seconds=0.02)
    run = await sdr_kit.process(made_up(5), research, settings=settings)
    assert list(run.attempts.columns) == [
        *("position", "number", "started", "seconds", "outcome"),
        *("http_status", "waited", "message", "request_id"),
        *("input_tokens", "output_tokens", "searches", "cost_usd"),
        *("requests_remaining", "tokens_remaining"),
    ]
    assert list(run.attempts["outcome"]) == ["transient", "completed"] * 5
    assert (run.attempts["seconds"] >= 0.009).all()


@pytest.mark.parametrize("where", ["memory", None])
async def test_what_a_person_has_set_is_kept_whatever_research_says(
    where: str | None,
) -> None:
    accounts = made_up(3)
    store = Store() if where is None else MemoryStore()
    run = await sdr_kit.process(accounts, quick, store=store)
    assert list(run.frame["tier"]) == ["B", "B", "B"]
    assert run.frame is run.frame
    store.edit("company-1.com/company1", Edit(tier="A", owner="Eve", notes="call"))
    assert list(run.frame["tier"]) == ["B", "A", "B"]
    job = sdr_kit.start(accounts, quick, store=store)
    again = await job.finished()
    for frame in (again.frame, job.frame):
        row = frame.iloc[1]
        assert (row["tier"], row["owner"], row["notes"]) == ("A", "Eve", "call")
        assert row["status"] == "completed"
        assert list(frame.columns)[-1] == "notes"
    store.edit("company-1.com/company1", Edit())
    assert list(run.frame["tier"]) == ["B", "B", "B"]


def test_the_options_are_those_of_the_contract() -> None:
    common = {"mode", "concurrency", "store", "settings", "budget_usd", "refresh"}
    common |= {"deadline_seconds"}
    for function, more in ((sdr_kit.process, set()), (sdr_kit.start, {"sample"})):
        options = common | more
        parameters = inspect.signature(function).parameters
        assert {"accounts", "researcher", *options} == set(parameters)
        assert all(
            parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in options
        )
    assert isinstance(Job.progress, property)


class Moody:
    """Fails for the accounts it is told to."""

    name = "moody"
    synthetic = True

    def __init__(self, *failing: int) -> None:
        self.failing = set(failing)
        self.calls: list[int] = []

    async def __call__(self, account: Account) -> dict[str, str]:
        self.calls.append(account.position)
        await asyncio.sleep(0.01)
        if account.position in self.failing:
            raise ValueError(f"no website of {account.company_name}")
        return {"summary": account.company_name}


@pytest.mark.parametrize("where", ["memory", None])
def test_retry_works_again_on_what_failed_in_the_same_job(where: str | None) -> None:
    moody = Moody(1, 4)
    job = sdr_kit.start(made_up(6), moody, concurrency=2, store=where)
    first = job.wait(5)
    assert (first.summary.completed, first.summary.failed) == (4, 2)
    before, moody.calls = list(job.history), []
    moody.failing = {4}
    again = job.retry()
    run = again.wait(5)
    assert moody.calls == [1, 4]
    assert (again.id, again.concurrency) == (job.id, 2)
    assert run.job_id == job.id
    summary = run.summary
    assert (summary.total, summary.completed, summary.failed) == (6, 5, 1)
    assert (summary.pending, summary.retries) == (0, 2)
    assert summary.seconds > first.summary.seconds
    assert list(run.frame["status"]) == ["completed"] * 4 + ["failed", "completed"]
    assert list(run.frame["attempts"]) == [1, 2, 1, 1, 2, 1]
    assert [each.number for each in again.attempts_of(1)] == [1, 2]
    assert again.attempts_of(1)[1].started >= first.summary.seconds
    assert list(again.attempts["number"]) == [1, 1, 2, 1, 1, 1, 2, 1]
    assert list(again.history)[: len(before)] == before
    seconds = [each.seconds for each in again.history]
    assert seconds == sorted(seconds)
    # The old handle says what it came to, and hands the next retry on.
    assert job.progress.failed == 2
    moody.failing = set()
    assert job.retry().wait(5).summary.completed == 6


@pytest.mark.parametrize("where", ["memory", None])
def test_a_retried_account_costs_what_it_cost_before_too(where: str | None) -> None:
    paid = Usage(searches=2, cost_usd=0.25)

    class Paid(Moody):
        async def __call__(self, account: Account) -> Research:  # type: ignore[override]
            if account.position in self.failing:
                raise Permanent("it does not fit").about(usage=paid)
            return Research(usage=paid)

    researcher = Paid(0, 2)
    job = sdr_kit.start(made_up(3), researcher, store=where)
    assert list(job.wait(5).frame["cost_usd"]) == [0.25] * 3
    researcher.failing = {2}
    run = job.retry().wait(5)
    assert list(run.frame["cost_usd"]) == [0.5, 0.25, 0.5]
    assert run.summary.cost_usd == 1.25
    assert (run.usage["searches"], run.usage["cost_usd"]) == (10, 1.25)


@pytest.mark.parametrize("where", ["memory", None])
def test_the_evidence_of_a_run_is_a_table(where: str | None) -> None:
    proof = Evidence(
        source="https://acme.de",
        quote="as they say",
        confidence=0.5,
        at="2026-11-23T09:00:00+00:00",
    )

    async def proved(account: Account) -> Research:
        await asyncio.sleep(0)
        return Research(
            fields={"size": account.position, "news": None},
            evidence={"size": (proof, proof)} if account.position else {},
        )

    job = sdr_kit.start(made_up(3), proved, store=where)
    run = job.wait(5)
    assert list(run.evidence["position"]) == [1, 1, 2, 2]
    assert list(run.evidence["value"]) == [1, 1, 2, 2]
    assert set(run.evidence["source"]) == {"https://acme.de"}
    names = list(run.frame["company_name"])
    assert list(run.evidence["company_name"]) == [names[i] for i in (1, 1, 2, 2)]
    assert job.evidence.equals(run.evidence)
    assert job.usage == run.usage


def test_a_job_may_be_retried_as_soon_as_it_has_ended() -> None:
    class Door(Moody):
        is_open = False

        async def __aenter__(self) -> None:
            assert not self.is_open
            self.is_open = True

        async def __aexit__(self, *_error: object) -> None:
            await asyncio.sleep(0.01)
            self.is_open = False

    job = sdr_kit.start(made_up(2), Door(1))
    for number in range(2, 6):
        until(lambda job=job: job.progress.ended)  # type: ignore[misc]
        job = job.retry()
        assert job.progress.completed == 1
        assert len(job.attempts_of(1)) in (number - 1, number)
    assert job.wait(5).summary.retries == 4


def test_the_time_between_two_runs_of_a_job_does_not_count() -> None:
    job = sdr_kit.start(made_up(2), Moody(1), store="memory")
    first = job.wait(5).summary.seconds
    time.sleep(0.3)
    began = time.monotonic()
    again = job.retry()
    both = again.wait(5).summary.seconds
    assert first < both <= first + time.monotonic() - began
    assert first <= again.attempts["started"].max() <= both


def test_the_books_balance_from_the_first_moment_of_a_retry() -> None:
    doorman = Doorman()
    job = sdr_kit.start(made_up(6), doorman, concurrency=2, store="memory")
    until(lambda: doorman.inside == 2)
    job.cancel()
    job.wait(5)
    assert job.unfinished() == [0, 1, 2, 3, 4, 5]
    again = job.retry([1, 4])
    until(lambda: doorman.inside == 2)
    now = again.progress
    assert (now.total, now.completed, now.failed, now.pending) == (6, 0, 0, 6)
    assert list(again.frame["status"]).count("processing") == 2
    doorman.open.set()
    summary = again.wait(5).summary
    assert (summary.completed, summary.pending) == (2, 4)
    assert again.unfinished() == [0, 2, 3, 5]
    assert again.progress.state == "finished"
    # 1 was called before it was cancelled, 4 was not.
    assert [each.outcome for each in again.attempts_of(1)] == ["cancelled", "completed"]
    assert list(again.frame["attempts"])[1::3] == [2, 1]


def test_what_a_stopped_run_left_goes_on() -> None:
    moody = Moody(*range(30))
    settings = Settings()
    job = sdr_kit.start(
        made_up(30), moody, concurrency=1, store="memory", settings=settings
    )
    until(lambda: job.progress.state == "paused")
    job.cancel()
    job.wait(5)
    moody.failing = set()
    run = job.retry(job.unfinished()).wait(5)
    assert (run.summary.completed, run.summary.failed) == (20, 10)
    assert run.summary.stopped is None


def test_an_older_handle_hands_on_what_it_is_asked_to_do() -> None:
    doorman = Doorman()
    first = sdr_kit.start(made_up(20), doorman, concurrency=2, store="memory")
    first.cancel()
    ended = first.wait(5)
    second = first.retry(first.unfinished())
    second.cancel()
    second.wait(5)
    newest = second.retry(second.unfinished())
    until(lambda: doorman.inside == 2)
    first.concurrency = 5
    until(lambda: doorman.inside == 5)
    assert first.concurrency == second.concurrency == newest.concurrency == 5
    first.pause()
    until(lambda: newest.progress.state == "paused")
    first.resume()
    until(lambda: newest.progress.state == "running")
    first.cancel()
    assert newest.wait(5).summary.stopped == "Cancelled."
    # What it says is what its own run came to.
    assert first.wait(0) is ended
    assert (first.progress.state, first.progress.limit) == ("cancelled", 2)


def test_the_first_handle_takes_up_a_job_however_often_it_was_retried() -> None:
    first = job = sdr_kit.start(made_up(1), Moody(0), store="memory")
    job.wait(5)
    for _ in range(100):
        job = job.retry()
        job.wait(5)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 80)
    try:
        first.pause()
        last = first.retry()
    finally:
        sys.setrecursionlimit(limit)
    last.wait(5)
    assert len(last.attempts_of(0)) == 102


def test_two_threads_that_retry_at_once_make_one_run_and_one_error() -> None:
    both = threading.Barrier(2)

    class Meeting(MemoryStore):
        """Where two retries meet, if one does not wait for the other."""

        def statuses(self, job_id: int) -> dict[int, Status]:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.2)
            return super().statuses(job_id)

    class Held(Moody):
        open = threading.Event()

        async def __call__(self, account: Account) -> dict[str, str]:
            while not self.open.is_set():  # noqa: ASYNC110 (set by a thread)
                await asyncio.sleep(0.005)
            return await super().__call__(account)

    held = Held(0, 1)
    held.open.set()
    job = sdr_kit.start(made_up(2), held, store=Meeting())
    job.wait(5)
    held.open.clear()
    with ThreadPoolExecutor(2) as threads:
        retries = [threads.submit(job.retry) for _ in range(2)]
        errors = [each.exception(5) for each in retries]
    held.open.set()
    (again,) = (each.result() for each in retries if each.exception() is None)
    (error,) = (each for each in errors if each is not None)
    assert isinstance(error, RuntimeError)
    again.wait(5)
    assert sorted(held.calls) == [0, 0, 1, 1]


def test_a_running_job_is_not_retried() -> None:
    doorman = Doorman()
    job = sdr_kit.start(made_up(2), doorman, store="memory")
    until(lambda: doorman.inside == 2)
    with pytest.raises(RuntimeError, match="has not ended"):
        job.retry()
    job.cancel()
    job.wait(5)
    again = job.retry([0])
    with pytest.raises(RuntimeError, match="has not ended"):
        job.retry([1])
    doorman.open.set()
    again.wait(5)


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        (None, "nothing to retry"),
        ([], "nothing to retry"),
        ([3], "position 3 is none of the list; it has 0 to 2"),
        ([-1], "position -1 is none of the list"),
        ([0], "the account at position 0 is completed"),
    ],
)
def test_only_failed_and_unfinished_accounts_of_the_list_are_retried(
    positions: list[int] | None, said: str
) -> None:
    job = sdr_kit.start(made_up(3), quick, store="memory")
    job.wait(5)
    with pytest.raises(ValueError, match=said):
        job.retry(positions)
    with pytest.raises(TypeError):
        job.retry(["0"])  # type: ignore[list-item]
    assert list(job.frame["status"]) == ["completed"] * 3


def test_a_killed_retry_leaves_its_accounts_pending(tmp_path: Path) -> None:
    code = """
import asyncio, os, sdr_kit, pandas
accounts = sdr_kit.load_accounts(pandas.DataFrame({"company_name": ["A", "B", "C"]}))
calls = []
async def research(account):
    calls.append(account.position)
    if len(calls) > 3:
        os._exit(0)
    if account.position == 1:
        raise ValueError("no")
    return {}
job = sdr_kit.start(accounts, research, store="sqlite:///killed.db")
job.wait()
job.retry().wait()
"""
    in_a_process(code)
    store = Store(f"sqlite:///{tmp_path / 'killed.db'}")
    assert store.statuses(1) == {0: "completed", 2: "completed"}
    assert store.tried(1).keys() == {1}


def test_a_job_says_who_does_the_research() -> None:
    job = sdr_kit.start(made_up(1), Moody(), store="memory")
    assert job.asked == Asked(name="moody", synthetic=True)
    job.wait(5)
    plain = sdr_kit.start(made_up(1), quick, store="memory")
    who = Asked(name="quick", synthetic=False, provider=provider_of(quick))
    assert plain.asked == who
    plain.wait(5)
