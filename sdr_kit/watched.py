"""A job as the store shows it: one of another day, or one at work elsewhere.

It is watched and steered through its row in the database. What holds it, a kernel, a
script or a server, hears within a second what it shall do, and notes every two seconds
how it is doing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from sdr_kit.accounts import Accounts
from sdr_kit.batch import Run
from sdr_kit.estimate import Estimate
from sdr_kit.job_results import Asked, JobResults
from sdr_kit.progress import Progress, RunSummary, Sample, State
from sdr_kit.settings import Concurrency, Settings
from sdr_kit.store import Store
from sdr_kit.stored_job import Past, StoredJob
from sdr_kit.tally import Tally

LOOK_SECONDS = 0.25
HEARD_SECONDS = 5.0  # within which whoever runs a job shows what it was told
INTERRUPTED = "The process that worked on it has ended before the run did."


class WatchedJob(JobResults):
    """A job that this process does not run.

    Args:
        store: Where it is.
        job_id: Its number.
        settings: The bounds of what it can be told.
        accounts: Its list as it was loaded; None is as the store has it.

    Raises:
        StoreError: There is no such job.
    """

    notices: tuple[str, ...] = ()  # they are told where it runs

    def __init__(
        self,
        store: Store,
        job_id: int,
        *,
        settings: Settings,
        accounts: Accounts | None = None,
    ) -> None:
        job = store.job(job_id)
        if accounts is None:
            accounts = Accounts.stored(
                store.accounts(job_id), source=job.source, others=job.layout
            )
        asked = Asked(name=job.researcher, synthetic=job.synthetic)
        super().__init__(accounts, store, job_id, asked)
        self._source = store
        self._settings = settings
        # What was asked for here and is not yet heard, and when.
        self._limit: Concurrency | None = None
        self._asked_at = 0.0
        self._read: tuple[object, Past] | None = None

    @property
    def progress(self) -> Progress:
        """How it is doing: up to two seconds old while somebody works on it."""
        job = self._job
        if job.held and job.progress is not None:
            return job.progress
        return _progress(job, self._past(job))

    @property
    def summary(self) -> RunSummary:
        """What it has come to."""
        job = self._job
        past, now = self._past(job), self.progress
        return self._books(job, past).summary(
            seconds=past.seconds,
            stopped=None if now.state == "finished" else now.reason,
            notices=(),
            held_back=now.held_back,
        )

    @property
    def history(self) -> Sequence[Sample]:
        """The run over time, in at most 1,000 samples."""
        job = self._job
        return self._books(job, self._past(job)).history.samples

    @property
    def at_work(self) -> frozenset[int]:
        """Nothing: the store does not know which accounts are at work."""
        return frozenset()

    @property
    def concurrency(self) -> Concurrency:
        """How many accounts may run at once, as it was chosen last.

        Set it while somebody works on it.

        Raises:
            ValueError: Set to anything but a whole number from 1 to
                `MAX_CONCURRENCY`, or `"auto"`.
            RuntimeError: Set while nobody works on it, or of a sequential job.
        """
        now = self.progress.concurrency
        late = time.monotonic() - self._asked_at >= HEARD_SECONDS
        if self._limit == now or late:  # heard, or something else was chosen since
            self._limit = None
        return now if self._limit is None else self._limit

    @concurrency.setter
    def concurrency(self, concurrency: Concurrency) -> None:
        limit = self._settings.check_choice(concurrency)
        self._source.steer(self.id, limit=limit)
        self._limit, self._asked_at = limit, time.monotonic()

    @property
    def budget_usd(self) -> float | None:
        """What it may cost in US dollars in all; set it while somebody works on it."""
        return self.progress.budget_usd

    @budget_usd.setter
    def budget_usd(self, usd: float | None) -> None:
        chosen = self._settings.chosen_budget(math.inf if usd is None else usd)
        self._source.steer(self.id, budget_usd=chosen)

    def estimate(self) -> Estimate | None:
        """Says what the accounts without a result will take; None when nobody knows."""
        return self._estimated(self.concurrency, self._settings)

    def pause(self) -> None:
        """Starts nothing more until `resume`; what runs finishes."""
        self._source.steer(self.id, state="paused")

    def resume(self) -> None:
        """Goes on after a pause, or after a question that paused the run."""
        self._source.steer(self.id, state="running")

    def cancel(self) -> None:
        """Ends the run; accounts in flight return to pending."""
        self._source.steer(self.id, state="cancelled")

    def wait(self, timeout: float | None = None) -> Run:
        """Blocks until it has ended and gives its run.

        Raises:
            TimeoutError: It has not ended within so many seconds; it goes on.
        """
        until = math.inf if timeout is None else time.monotonic() + timeout
        while not self.progress.ended:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            time.sleep(min(left, LOOK_SECONDS))
        return Run(
            self.accounts,
            self._source,
            self.id,
            self.asked,
            summary=self.summary,
            history=self.history,
        )

    async def finished(self) -> Run:
        """Waits for it to end, without blocking."""
        return await asyncio.to_thread(self.wait)

    def __repr__(self) -> str:
        now = self.progress
        return f"<Job {self.id}: {now.state}, {now.done:,} of {now.total:,} accounts>"

    @property
    def _job(self) -> StoredJob:
        return self._source.job(self.id)

    def _past(self, job: StoredJob) -> Past:
        """Reads what it has come to, anew when that may be something else by now."""
        subject = (job.lease.fence, job.state, job.held)
        if job.held or self._read is None or self._read[0] != subject:
            self._read = (subject, self._source.past(self.id))
        return self._read[1]

    def _books(self, job: StoredJob, past: Past) -> Tally:
        return Tally.of(
            past, total=job.total, slots=job.concurrency, budget_usd=math.inf
        )


def _progress(job: StoredJob, past: Past) -> Progress:
    """Says how a job stands on which nobody works, or whose holder just began."""
    done = past.completed + past.failed
    state: State = job.shown_state
    return Progress(
        state=state,
        reason=INTERRUPTED if state == "interrupted" else job.reason,
        total=job.total,
        completed=past.completed,
        failed=past.failed,
        pending=job.total - done,
        in_flight=0,
        running=0,
        waiting=0,
        reused=past.reused,
        retries=past.retries,
        limit=job.concurrency,
        auto=job.auto,
        most=job.concurrency,
        sequential=job.sequential,
        accounts_per_minute=0.0,
        seconds=past.seconds,
        eta_seconds=None,
        cost_usd=past.usage.cost_usd or 0.0,
        budget_usd=job.budget_usd,
    )
