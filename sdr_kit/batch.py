"""Runs over a list of accounts: `process` to await one, `start` to hold its handle.

Both check everything first, note the job in the store, and let an `Engine` do the
work: `process` on the caller's event loop, `start` on a thread and loop of its own, so
that a busy notebook cell does not stall the run.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import pandas as pd

from sdr_kit.account import Edit
from sdr_kit.accounts import Accounts
from sdr_kit.diagnosis import Diagnosis
from sdr_kit.engine import Engine
from sdr_kit.estimate import KNOWN, Estimate
from sdr_kit.fingerprint import provider_of
from sdr_kit.job_results import Asked, JobResults
from sdr_kit.progress import Progress, RunSummary, Sample
from sdr_kit.request import Request
from sdr_kit.results import attempts_frame, results_frame
from sdr_kit.settings import Concurrency, Settings
from sdr_kit.store import AnyStore
from sdr_kit.threads import Threads
from sdr_kit.wishes import check_sequential
from sdr_kit.worker import Researcher, name_of, notices_of, time_scale_of

T = TypeVar("T")
# By store and number, as long as they run or somebody has them.
_jobs: WeakValueDictionary[tuple[str, int], Job] = WeakValueDictionary()


class Run(JobResults):
    """A run that has ended.

    Attributes:
        job_id: Its number in the store.
    """

    def __init__(
        self,
        accounts: Accounts,
        store: AnyStore,
        job_id: int,
        asked: Asked,
        *,
        summary: RunSummary,
        history: Sequence[Sample],
        diagnosis: Diagnosis | None = None,
    ) -> None:
        super().__init__(accounts, store, job_id, asked)
        self.job_id = job_id
        self._summary = summary
        self._history = history
        self._diagnosis = diagnosis
        self._frame: tuple[dict[int, Edit], pd.DataFrame] | None = None

    @property
    def summary(self) -> RunSummary:
        """What it came to."""
        return self._summary

    @property
    def history(self) -> Sequence[Sample]:
        """The run over time, in at most 1,000 samples."""
        return self._history

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What has kept the run from being faster: `.cause`, and `.sentence`.

        None when another process has run it; `progress.held_back` has the sentence.
        """
        return self._diagnosis

    @property
    def frame(self) -> pd.DataFrame:
        """One row an account, in the source's order.

        The source's columns, then status, attempts, seconds, reused, tier,
        priority_score, the research columns, error_kind, error_message, cost_usd. It
        is the same frame each time, until a person sets something.
        """
        edits = self.edits
        if self._frame is None or self._frame[0] != edits:
            frame = results_frame(self.accounts.frame, self.results(), edits=edits)
            self._frame = (edits, frame)
        return self._frame[1]

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """One row an attempt; the columns are those of `attempts_frame`."""
        return attempts_frame(self._store.attempts(self.id))

    def __repr__(self) -> str:
        return f"<Run {self.job_id}: {self.summary}>"

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


async def process(
    accounts: Accounts,
    researcher: Researcher,
    *,
    mode: str | None = None,
    concurrency: Concurrency | None = None,
    store: AnyStore | str | None = None,
    settings: Settings | None = None,
    budget_usd: float | None = None,
    deadline_seconds: float | None = None,
    refresh: bool = False,
) -> Run:
    """Researches every account and returns when all have ended.

    It runs on the caller's event loop. Cancelling it returns accounts in flight to
    pending; what has ended is in the store. A run that cannot go on (a bad key, the
    same failure ten times in a row) is stopped: its summary says why, and what is not
    done stays pending.

    Args:
        accounts: What `load_accounts` gave.
        researcher: Any callable from `Account` to `Research` or to a mapping of
            column to value: an async function, an object with `async __call__`, or a
            plain function, which runs in a thread. One that is an async context
            manager is entered for the run, unless its `is_open` is true.
        mode: `"parallel"` or `"sequential"` (one at a time, whatever concurrency
            says); None is as `ENABLE_PARALLEL_PROCESSING` says.
        concurrency: How many at once, 1 to `MAX_CONCURRENCY`, or `"auto"`, which looks
            for the best number up to `AUTO_MAX_CONCURRENCY`; None is
            `PROCESSING_CONCURRENCY`.
        store: None is the settings' database, `"memory"` keeps nothing beyond the
            run, a URL or a `Store` names another.
        settings: None reads the environment and `.env`.
        budget_usd: What the run may cost in US dollars, above 0; None is `BUDGET_USD`,
            infinity no bound. When the next account would go beyond it, nothing more
            is started and the run is stopped: it has cost more at most by what was in
            flight. The researcher must say what its answers cost.
        deadline_seconds: After so many seconds from its start, above 0, nothing more
            is started and the run is stopped: what is in flight ends, and the rest
            stays pending. None is no deadline. It is this run's: a job that is gone on
            with has none, unless it is given another.
        refresh: Whether to research again what is stored and fresh: found by the same
            researcher, with the same brief and model, within `REUSE_DAYS`. If not, it
            is taken over and costs nothing.

    Returns:
        The run: `.frame`, `.evidence`, `.attempts`, `.usage`, `.summary`.

    Raises:
        TypeError: `accounts` or `researcher` is of another kind.
        ValueError: Mode, concurrency, budget, deadline or a setting outside its range.
        StoreError: The database cannot be used.
    """
    request = Request(
        accounts,
        researcher,
        mode,
        concurrency,
        store,
        settings,
        budget_usd,
        deadline_seconds=deadline_seconds,
        refresh=refresh,
    )
    if request.blocks:
        engine = await asyncio.to_thread(request.engine, attended=False)
    else:
        engine = request.engine(attended=False)
    await engine.run()
    return run_of(request, engine)


def run_of(request: Request, engine: Engine) -> Run:
    """Gives the run of an engine that has ended."""
    return Run(
        request.accounts,
        request.store,
        request.job_id,
        _asked(request),
        summary=engine.summary(),
        history=engine.tally.history.samples,
        diagnosis=engine.diagnosis(),
    )


def _asked(request: Request) -> Asked:
    briefs = getattr(request.researcher, "briefs", ())
    return Asked(
        name=name_of(request.researcher),
        synthetic=request.synthetic,
        briefs=tuple(each.name for each in briefs),
        time_scale=time_scale_of(request.researcher),
        provider=provider_of(request.researcher),
    )


def start(
    accounts: Accounts,
    researcher: Researcher,
    *,
    mode: str | None = None,
    concurrency: Concurrency | None = None,
    store: AnyStore | str | None = None,
    settings: Settings | None = None,
    budget_usd: float | None = None,
    deadline_seconds: float | None = None,
    refresh: bool = False,
    sample: int | None = None,
) -> Job:
    """Starts a run on a thread of its own and returns its handle at once.

    The arguments and errors are those of `process`. With `sample`, 1 to 1,000, so many
    accounts, spread over the list, are researched first; then the job pauses and asks:
    `job.estimate()` says what the others will take, `job.resume()` goes on with them. A
    script waits for the job at its end, unless it was cancelled.
    """
    if sample is not None:
        check_sample(sample)
    request = Request(
        accounts,
        researcher,
        mode,
        concurrency,
        store,
        settings,
        budget_usd,
        deadline_seconds=deadline_seconds,
        refresh=refresh,
    )
    engine = request.engine(attended=True, sample=sample or 0)
    return Job(engine, request)


def check_sample(sample: int) -> int:
    """Gives the number of accounts of a sample back when it is one.

    Raises:
        ValueError: It is no whole number from 1 to 1,000; an estimate is drawn from no
            more.
    """
    if type(sample) is not int or not 1 <= sample <= KNOWN:
        raise ValueError(
            f"sample is {sample!r}; it must be a whole number from 1 to {KNOWN:,}"
        )
    return sample


class Job(JobResults):
    """The handle of a run on its own thread. All of it may be used from any thread.

    A handle whose job was retried goes on saying what its own run came to
    (`progress`, `history`, `wait`). What it is asked to do (`pause`, `resume`,
    `cancel`, `retry`, another `concurrency`) is done to the job as it runs now.
    """

    def __init__(self, engine: Engine, request: Request) -> None:
        super().__init__(
            request.accounts, request.store, request.job_id, _asked(request)
        )
        self._engine = engine
        self._request = request
        self._next: Job | None = None  # where the job went on
        self._ended: Future[Run] = Future()
        self._loop: asyncio.AbstractEventLoop
        began = threading.Event()
        thread = threading.Thread(
            target=self._run, args=(began,), name=f"sdr_kit job {self.id}"
        )
        thread.start()
        began.wait()
        _jobs[str(request.store), self.id] = self

    @property
    def concurrency(self) -> Concurrency:
        """How many accounts may run at once, as it was chosen last; set it at any time.

        Raised, more start at once; lowered, what runs above it finishes.

        Raises:
            ValueError: Set to anything but a whole number from 1 to
                `MAX_CONCURRENCY`, or `"auto"`.
            RuntimeError: Set to another number than 1 of a sequential job; once it has
                ended, `retry` takes another mode.
        """
        return self._newest._engine.concurrency

    @concurrency.setter
    def concurrency(self, concurrency: Concurrency) -> None:
        chosen = self._request.settings.check_choice(concurrency)
        newest = self._newest
        if newest.progress.sequential:
            check_sequential(self.id, chosen)
        newest._engine.concurrency = chosen
        newest._tell(lambda engine: engine.resize(chosen))

    @property
    def budget_usd(self) -> float | None:
        """What the job may cost in US dollars in all; set it at any time.

        None is no bound. A job that its budget has stopped goes on with a higher one
        by `retry(job.unfinished())`.

        Raises:
            ValueError: Set to what is no amount above 0.
        """
        return self._newest.progress.budget_usd

    @budget_usd.setter
    def budget_usd(self, usd: float | None) -> None:
        chosen = self._request.settings.chosen_budget(math.inf if usd is None else usd)
        self._newest._engine.tally.budget.usd = chosen  # also of a job that has ended
        self._newest._tell(lambda engine: engine.set_budget(chosen))

    def estimate(self) -> Estimate | None:
        """Says what the accounts without a result will take, from those that have one.

        None before the first was answered.
        """
        return self._estimated(self.concurrency, self._request.settings)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the researcher noticed about its provider, a sentence each."""
        return notices_of(self._request.researcher)

    @property
    def progress(self) -> Progress:
        """A snapshot of how it is doing."""
        return self._engine.progress()

    @property
    def history(self) -> Sequence[Sample]:
        """The run over time, in at most 1,000 samples."""
        return self._engine.tally.history.samples

    @property
    def diagnosis(self) -> Diagnosis:
        """What has kept it from being faster so far: `.cause`, and `.sentence`."""
        return self._engine.diagnosis()

    @property
    def summary(self) -> RunSummary:
        """What it has come to so far."""
        return self._engine.summary()

    @property
    def frame(self) -> pd.DataFrame:
        """The results so far: the columns of `Run.frame`, one row an account."""
        outcomes, at_work = self.results(), tuple(self._engine.at_work)
        return results_frame(self.accounts.frame, outcomes, at_work, self.edits)

    @property
    def at_work(self) -> frozenset[int]:
        """Positions of the accounts whose researcher is at work."""
        return frozenset(tuple(self._engine.at_work))

    def pause(self) -> None:
        """Starts nothing more until `resume`; what runs finishes."""
        self._newest._tell(Engine.pause)

    def resume(self) -> None:
        """Goes on after a pause, or after a question that paused the run."""
        self._newest._tell(Engine.resume)

    def cancel(self) -> None:
        """Ends the run; accounts in flight return to pending."""
        self._newest._tell(Engine.cancel)

    def retry(
        self,
        positions: Iterable[int] | None = None,
        *,
        mode: str | None = None,
        concurrency: Concurrency | None = None,
        deadline_seconds: float | None = None,
    ) -> Job:
        """Takes up the job again, once it has ended, on accounts without research.

        Their attempts are counted on, and so are the job's clock, books and history,
        but for the time between. A retried account is pending until it ends again,
        also when the process is killed meanwhile. A job that ended in the middle of its
        sample asks when the rest of the sample is done.

        Args:
            positions: Failed or unfinished accounts by their places in the list
                (`unfinished()` is what a cancelled run left); None is all that failed.
            mode: `"parallel"` or `"sequential"`; None is as before, or parallel when
                a concurrency is given.
            concurrency: How many at once, or `"auto"`; None is what was chosen last.
            deadline_seconds: After so many seconds from now nothing more is started;
                see `process`. The one before does not count.

        Returns:
            A new handle of the same job, to keep in place of this one.

        Raises:
            RuntimeError: The job has not ended, or another retry of it is under way.
            ValueError: There is nothing to retry, a position is completed or none of
                the list, the budget has no room for one more account, or another
                argument is outside its range.
            StoreError: The database cannot be used.
        """
        return self._go_on(
            positions,
            again=False,
            mode=mode,
            concurrency=concurrency,
            deadline_seconds=deadline_seconds,
        )

    def reprocess(
        self,
        positions: Iterable[int],
        *,
        mode: str | None = None,
        concurrency: Concurrency | None = None,
        deadline_seconds: float | None = None,
    ) -> Job:
        """Takes up the job again, once it has ended, on accounts as if they were new.

        Completed ones may be among them; what was found of them stays until there is a
        new result, if it fails, and when the run ends before its turn. What people
        have set stays. `older_than(60)` are the positions of what is sixty days old.

        Args:
            positions: Accounts by their places in the list.
            mode: As for `retry`.
            concurrency: As for `retry`.
            deadline_seconds: As for `retry`.

        Returns:
            A new handle of the same job, to keep in place of this one.

        Raises:
            RuntimeError: As `retry`.
            ValueError: There is no position, one is none of the list, the budget has
                no room for one more account, or another argument is outside its range.
            StoreError: The database cannot be used.
        """
        return self._go_on(
            positions,
            again=True,
            mode=mode,
            concurrency=concurrency,
            deadline_seconds=deadline_seconds,
        )

    def _go_on(
        self,
        positions: Iterable[int] | None,
        *,
        again: bool,
        mode: str | None,
        concurrency: Concurrency | None,
        deadline_seconds: float | None,
    ) -> Job:
        with self._request.retrying:
            newest = self._newest
            if not newest.progress.ended:
                raise RuntimeError(
                    f"job {self.id} has not ended; cancel it or wait for it first"
                )
            if mode is None and concurrency is not None:
                mode = "parallel"
            if concurrency is None and not newest.progress.sequential:
                concurrency = newest._engine.concurrency
            engine = self._request.engine_for_retry(
                positions,
                again=again,
                mode=mode,
                concurrency=concurrency,
                deadline_seconds=deadline_seconds,
                so_far=newest._engine.tally,
                sample=newest._engine.unasked,
            )
            newest._next = Job(engine, self._request)
            return newest._next

    def wait(self, timeout: float | None = None) -> Run:
        """Blocks until the job has ended and gives its run.

        Raises:
            TimeoutError: It has not ended within so many seconds; it goes on.
            Exception: What crashed the run.
        """
        return self._ended.result(timeout)

    async def finished(self) -> Run:
        """Waits for the job to end, without blocking; a cancelled wait lets it go on.

        Raises:
            Exception: What crashed the run.
        """
        return await asyncio.shield(asyncio.wrap_future(self._ended))

    def __repr__(self) -> str:
        now = self.progress
        return f"<Job {self.id}: {now.state}, {now.done:,} of {now.total:,} accounts>"

    @property
    def _newest(self) -> Job:
        """The handle on which the job went on last."""
        job = self
        while job._next is not None:
            job = job._next
        return job

    def _run(self, began: threading.Event) -> None:
        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            self._loop.set_default_executor(Threads())
            began.set()
            await self._engine.run()

        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 (raised to whoever waits)
            self._ended.set_exception(error)
        else:
            self._ended.set_result(run_of(self._request, self._engine))

    def _tell(self, wish: Callable[[Engine], None]) -> None:
        if self._ended.done():
            return  # there is nothing left to tell it
        try:
            self._loop.call_soon_threadsafe(wish, self._engine)
        except RuntimeError:
            if not self._loop.is_closed():
                raise


def maybe_job(store: AnyStore, job_id: int, *, fence: int) -> Job | None:
    """Gives the handle of a job, if nobody else has taken the job since."""
    job = _jobs.get((str(store), job_id))
    return job if job is not None and job._request.fence == fence else None


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end and gives its result, wherever it is called.

    For scripts, and for people who must call synchronously inside a notebook; a cell
    of a notebook can simply `await`. Inside a running event loop it nests, which
    patches asyncio for the whole process (nest-asyncio2).

    Raises:
        Exception: What the coroutine raises.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    import nest_asyncio2

    nest_asyncio2.apply(loop)
    return loop.run_until_complete(coroutine)
