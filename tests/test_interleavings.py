"""Whatever is done to jobs, in whatever order: the books always balance.

A machine of hypothesis starts jobs over overlapping lists, slides, pauses, cancels,
kills, overtakes, resumes, retries, edits and runs again, and holds what comes of it
against a model. Time is virtual, and what threads would do is done at once and told a
moment later, so that a sequence that fails, fails again.

    uv run pytest -m soak -n 0 tests/test_interleavings.py

runs thousands of sequences, other ones each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import sqlite3
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sdr_kit import Settings
from sdr_kit.account import Account, Attempt, Edit, Outcome, Research, Usage
from sdr_kit.accounts import Accounts
from sdr_kit.batch import run_of
from sdr_kit.engine import Engine
from sdr_kit.errors import JobHeldError, Permanent, RateLimited, StopRun, Transient
from sdr_kit.memory_store import Record
from sdr_kit.request import Request
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.soak.notary import Notary
from tests.virtual import VirtualLoop

MOST = 6  # accounts
COMMIT_SECONDS = 0.05  # until a run hears that something is stored
ENOUGH_SECONDS = 300.0  # for a job to end or to ask
OPTIONS = Settings(
    account_timeout_seconds=5,
    max_api_retries=2,
    retry_initial_seconds=1,
    retry_max_seconds=4,
    max_hold_seconds=60,
    account_delay_ms=0,
)

# How a call may end, and what it costs then. A passing failure is tried again.
DOLLARS = {"found": 0.5, "busy": 0.25, "no": 0.125}
PASSING = {"busy", "refused", "silent"}
ENDINGS = [*DOLLARS, "refused", "silent", "stop"]
SECONDS = [0.0, 0.1, 1.0, 3.0]
ENDED = st.lists(
    st.tuples(st.sampled_from(ENDINGS), st.sampled_from(SECONDS)), max_size=6
)


@functools.cache
def listed(number: int) -> Accounts:
    return made_up(number)


class AtOnce(ThreadPoolExecutor):
    """Does at once what a thread would do; whoever waits hears of it later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_workers=1)
        self._loop = loop

    def submit(
        self, call: Callable[..., Any], /, *args: Any, **options: Any
    ) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a thread cannot be cancelled
        tell: Callable[[], None]
        try:
            tell = functools.partial(future.set_result, call(*args, **options))
        except BaseException as error:  # noqa: BLE001 (raised to whoever waits)
            tell = functools.partial(future.set_exception, error)
        self._loop.call_later(COMMIT_SECONDS, tell)
        return future


class MortalStore(Store):
    """The store as one process has it; a process that is dead writes nothing."""

    dead = False

    def open_writer(
        self, job_id: int, fingerprint: str | None = None, *, fence: int = 1
    ) -> tuple[Record, Callable[[], None]]:
        write, close = super().open_writer(job_id, fingerprint, fence=fence)

        def record(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            if not self.dead:
                write(attempts, outcomes)

        return record, close

    def end_job(self, job_id: int, **how: Any) -> int:
        return 0 if self.dead else super().end_job(job_id, **how)

    def beat(self, job_id: int, fence: int, **how: Any) -> bool:
        return self.dead or super().beat(job_id, fence, **how)


class Life:
    """A process that works on a job, and what it has asked; also the researcher."""

    name = "scripted"

    def __init__(self, machine: Interleavings, number: int, fingerprint: str) -> None:
        self.machine = machine
        self.fingerprint = fingerprint
        self.store = MortalStore(machine.url)
        self.total = number
        self.stale = False  # another life has the job
        self.spent = 0.0
        self.ended: dict[int, str] = {}  # how the last call of each account ended
        self.request = Request(
            listed(number), self, "parallel", 2, self.store, OPTIONS, None
        )
        self.engine: Engine
        self.task: asyncio.Task[None]

    @property
    def job_id(self) -> int:
        return self.request.job_id

    @property
    def running(self) -> bool:
        return not self.task.done()

    async def __call__(self, account: Account) -> Research:
        position = account.position
        self.machine.check_call(self, position)
        ending, seconds = self.machine.next_ending()
        self.ended[position] = "cut off"
        with contextlib.suppress(IndexError):
            await asyncio.sleep(1e9 if ending == "silent" else seconds)
        self.ended[position] = ending
        self.spent += DOLLARS.get(ending, 0.0)
        paid = Usage(cost_usd=DOLLARS.get(ending))
        if ending == "busy":
            raise Transient("busy").about(usage=paid)
        if ending == "no":
            raise Permanent("no").about(usage=paid)
        if ending == "refused":
            raise RateLimited("slow down", retry_after=seconds)
        if ending == "stop":
            raise StopRun("no more")
        return Research(
            fields={"fence": self.request.fence}, tier="B", priority_score=5, usage=paid
        )


class Interleavings(RuleBasedStateMachine):
    """The model: which lives there were, and what must have come of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "jobs.db"
        self.url = f"sqlite:///{self.path}"
        self.store = Store(self.url)
        self.notary = Notary(self.path)
        self.loop = VirtualLoop()
        self.loop.set_default_executor(AtOnce(self.loop))
        self.endings: deque[tuple[str, float]] = deque()
        self.lives: list[Life] = []  # the last is the one that has the job
        self.edits: dict[str, Edit] = {}
        self.again: set[tuple[int, int]] = set()  # asked about once more, on purpose
        self.robbed: set[int] = set()  # jobs with answers that nobody could store

    # What the lives ask.

    def next_ending(self) -> tuple[str, float]:
        return self.endings.popleft() if self.endings else ("found", 0.1)

    def check_call(self, life: Life, position: int) -> None:
        """A call is made only for who is pending, and again only after bad luck."""
        assert not life.store.dead
        assert life.ended.get(position, "silent") in PASSING, "asked again"
        if not life.stale:
            assert position not in self.store.statuses(life.job_id), "paid twice"
        if (life.job_id, position) not in self.again:
            reused = self.notary.reused(life.job_id)
            assert position not in reused, "paid by an earlier job"

    # What is done to them.

    @rule(endings=ENDED)
    def script(self, endings: list[tuple[str, float]]) -> None:
        self.endings.extend(endings)

    @rule(seconds=st.sampled_from([0.01, 0.06, 0.1, 0.5, 2.0, 10.0, 100.0]))
    def go_on(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @precondition(lambda self: not self.running)
    @rule(
        number=st.integers(1, MOST),
        sample=st.integers(0, 3),
        asked=st.sampled_from(["this", "that"]),
        endings=ENDED,
    )
    def start(
        self, number: int, sample: int, asked: str, endings: list[tuple[str, float]]
    ) -> None:
        self.endings.extend(endings)
        found = {
            result.position
            for job_id in {e.job_id for e in self.lives if e.fingerprint == asked}
            for result in self.store.results(job_id, status="completed")
        }
        life = Life(self, number, asked)
        life.engine = life.request.engine(attended=True, sample=sample)
        self._begin(life)
        reused = self.notary.reused(life.job_id)
        assert reused == {position for position in found if position < number}

    @precondition(lambda self: self.running)
    @rule(limit=st.integers(1, 5))
    def slide(self, limit: int) -> None:
        self._tell(lambda engine: engine.resize(limit))

    @precondition(lambda self: self.running)
    @rule()
    def pause(self) -> None:
        self._tell(Engine.pause)

    @precondition(lambda self: self.running)
    @rule()
    def unpause(self) -> None:
        self._tell(Engine.resume)

    @precondition(lambda self: self.running)
    @rule()
    def cancel(self) -> None:
        self._tell(Engine.cancel)

    @precondition(lambda self: self.running)
    @rule()
    def abort(self) -> None:
        """The cell is interrupted: the task itself is cancelled."""
        self.life.task.cancel()
        self._drain(self.life)

    @precondition(lambda self: self.running)
    @rule()
    def kill(self) -> None:
        """A dead process has its threads no longer either: nothing of it is heard."""
        life = self.life
        life.store.dead = True
        life.task.cancel()
        self._drain(life)
        self.robbed.add(life.job_id)
        self._sql("UPDATE jobs SET lease_until = 0")

    @precondition(lambda self: self.running)
    @rule()
    def knock(self) -> None:
        """Nobody gets a job that is worked on."""
        if self.store.job(self.life.job_id).lease.holder is not None:
            with pytest.raises(JobHeldError):
                self.store.claim(self.life.job_id)

    @precondition(lambda self: self.running and self.pending)
    @rule()
    def overtake(self) -> None:
        """The holder was silent for too long; it goes on all the same, for a while."""
        self._sql("UPDATE jobs SET lease_until = 0")
        self.life.stale = True
        self.robbed.add(self.life.job_id)
        self._go_on_with_the_job()

    @precondition(lambda self: self.lives and not self.running and self.pending)
    @rule()
    def resume(self) -> None:
        self._go_on_with_the_job()

    @precondition(lambda self: self.lives and not self.running)
    @rule(chosen=st.none() | st.sets(st.integers(0, MOST - 1)), again=st.booleans())
    def retry(self, chosen: set[int] | None, *, again: bool) -> None:
        old = self.life
        if old.store.dead:
            return
        life = Life(self, old.total, old.fingerprint)
        life.request = old.request
        life.request.researcher = life
        life.store = old.store
        if chosen is not None:
            done = self.store.statuses(old.job_id)
            known = {place for place in chosen if done.get(place) == "completed"}
            chosen &= set(range(old.total))
            if again:
                self.again |= {(old.job_id, place) for place in known}
            else:
                chosen -= known
        try:
            life.engine = life.request.engine_for_retry(
                chosen,
                again=again,
                concurrency=2,
                so_far=old.engine.tally,
                sample=old.engine.unasked,
            )
        except ValueError:  # there is nothing to retry
            return
        self._begin(life)

    @rule(
        position=st.integers(0, MOST - 1),
        edit=st.builds(
            Edit,
            tier=st.none() | st.sampled_from("ABC"),
            notes=st.none() | st.just("call them"),
        ),
    )
    def edit(self, position: int, edit: Edit) -> None:
        key = listed(MOST).keys[position]
        self.store.edit(key, edit)
        self.edits.pop(key, None)
        if edit:
            self.edits[key] = edit

    # What must hold.

    @invariant()
    def nothing_happened_that_must_not(self) -> None:
        faults = self.notary.faults()
        assert not faults
        assert self.store.edits() == self.edits

    @invariant()
    def the_stored_books_balance(self) -> None:
        for job in self.store.jobs():
            past, results = self.store.past(job.id), self.store.results(job.id)
            attempts = self.store.attempts(job.id)
            assert past.completed + past.failed == len(results) <= job.total
            assert (past.usage.cost_usd or 0.0) == sum(map(_cost, attempts))
            times = Counter(each.position for each in attempts)
            for result in results:
                if result.reused and (job.id, result.position) not in self.again:
                    assert not times[result.position]
                    continue
                own = [each for each in attempts if each.position == result.position]
                assert result.attempts == len(own)
                assert (result.cost_usd or 0.0) == sum(map(_cost, own))

    @invariant()
    def the_run_s_books_are_the_stored_ones(self) -> None:
        for life in self.lives:
            if not (life.running or life.store.dead or life.task.cancelled()):
                life.task.result()
            now = life.engine.progress()
            assert now.completed + now.failed + now.pending == life.total == now.total
        if not self.lives or self.running or self.life.store.dead:
            return
        past, now = self.store.past(self.life.job_id), self.life.engine.progress()
        assert now.ended
        assert (now.completed, now.failed) == (past.completed, past.failed)
        assert (now.reused, now.cost_usd) == (past.reused, past.usage.cost_usd or 0.0)
        assert now.retries == past.retries
        if self.life.job_id not in self.robbed:
            spent = sum(e.spent for e in self.lives if e.job_id == self.life.job_id)
            assert now.cost_usd == spent

    def teardown(self) -> None:
        try:
            self._end_all()
        finally:
            for life in self.lives:
                if life.running:
                    life.task.cancel()
                    self._drain(life)
            self.loop.close()
            shutil.rmtree(self.folder)

    def _end_all(self) -> None:
        """Brings the last job to its end, and runs its list again."""
        if not self.lives:
            return
        self.endings.clear()
        self._finish()
        before = [*self.lives]
        self.start(MOST, 0, "this", [])
        self._finish()
        ended = self.store.statuses(self.life.job_id)
        assert ended == dict.fromkeys(range(MOST), "completed")
        frame = run_of(self.life.request, self.life.engine).frame
        for place, key in enumerate(listed(MOST).keys):
            assert frame["tier"][place] == (self.edits.get(key, Edit()).tier or "B")
        self.start(MOST, 0, "this", [])
        self._finish()
        assert not self.life.ended  # nobody was asked
        assert len(self.lives) == len(before) + 2

    def _finish(self) -> None:
        for _ in range(4):
            if self.running:
                self._tell(Engine.resume)
                wait = asyncio.wait([self.life.task], timeout=ENOUGH_SECONDS)
                self.loop.run_until_complete(wait)
            elif self.pending:
                self._go_on_with_the_job()
            else:
                break
        assert not self.running
        assert not self.pending
        self.nothing_happened_that_must_not()
        self.the_stored_books_balance()
        self.the_run_s_books_are_the_stored_ones()

    # How.

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def running(self) -> bool:
        return bool(self.lives) and self.life.running

    @property
    def pending(self) -> int:
        return self.life.total - len(self.store.statuses(self.life.job_id))

    def _go_on_with_the_job(self) -> None:
        old = self.life
        life = Life(self, old.total, old.fingerprint)
        life.engine = life.request.engine_to_resume(old.job_id)
        self._begin(life)

    def _begin(self, life: Life) -> None:
        life.task = self.loop.create_task(life.engine.run())
        self.lives.append(life)
        self.loop.run_until_complete(asyncio.sleep(0))

    def _tell(self, request: Callable[[Engine], None]) -> None:
        async def tell() -> None:
            request(self.life.engine)

        self.loop.run_until_complete(tell())

    def _drain(self, life: Life) -> None:
        wait = asyncio.wait([life.task], timeout=ENOUGH_SECONDS)
        self.loop.run_until_complete(wait)
        assert not life.running

    def _sql(self, change: str) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(f"{change} WHERE id = ?", (self.life.job_id,))


def _cost(attempt: Attempt) -> float:
    return 0.0 if attempt.usage is None else attempt.usage.cost_usd or 0.0


def _machine(examples: int, steps: int, *, same: bool) -> None:
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_the_books_balance_whatever_is_done_in_whatever_order() -> None:
    _machine(30, 15, same=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_books_balance_in_thousands_of_orders() -> None:
    _machine(3_000, 40, same=False)
