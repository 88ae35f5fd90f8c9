"""One run on one event loop: what others may ask of it, and its life.

Its rooms: the feed says who is next, the gate when, the crew works, the aftermath sees
to what follows from each call, the writer commits, and the ending notices when all is
done. An account that has to wait for another try goes back to the feed, without a slot,
and comes out again ahead of the untouched ones.

Sequential and parallel are this one path. All time is the running loop's clock, and
randomness is passed in, so a run can be replayed in virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    nullcontext,
)
from types import MappingProxyType

import anyio

from sdr_kit.account import Account, Attempt, Outcome, Research
from sdr_kit.aftermath import Aftermath
from sdr_kit.backoff import Backoff
from sdr_kit.course import Course
from sdr_kit.crew import Crew
from sdr_kit.diagnosis import Diagnosis
from sdr_kit.ending import Ending
from sdr_kit.errors import JobHeldError, StoreError, classify
from sdr_kit.feed import NOTHING_TRIED, Feed, Tried
from sdr_kit.fingerprint import fingerprint_of, provider_of
from sdr_kit.keeper import Keeper, Snapshot, Wanted
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.limits import Gate
from sdr_kit.progress import Progress, RunSummary
from sdr_kit.sample_first import SampleFirst
from sdr_kit.settings import AUTO, Concurrency, Settings
from sdr_kit.standing import Recorder, Standing
from sdr_kit.store import AnyStore, Store
from sdr_kit.tally import Tally
from sdr_kit.watch import Watch
from sdr_kit.worker import Researcher, RetryPolicy, Work, caller, notices_of
from sdr_kit.writer import Writer

logger = logging.getLogger(__name__)

NOTHING_SPENT: Mapping[int, float] = MappingProxyType({})
NOTHING_FOUND: Mapping[int, Research] = MappingProxyType({})


class Engine:
    """Works through a list of accounts, or the chosen ones of a list, once.

    Args:
        accounts: What to research; `position` is the place in the whole list.
        researcher: See `sdr_kit.process`.
        limit: How many at once, to begin with; in auto the highest to be tried.
        auto: Whether the best number below the limit is looked for.
        sequential: Whether it is one at a time, whatever concurrency says.
        learned: What earlier runs have found out about the provider's limits.
        settings: Retries, waits, delays.
        store: Where outcomes go.
        job_id: The job in that store.
        fence: Under which the job was taken.
        so_far: The books of the job when it is taken up again; None begins them.
        tried: Attempts made before at accounts that have no result.
        spent: What those cost in US dollars, by position, where it is known.
        found: What those found, by position, where they did.
        attended: Whether somebody can answer when the run pauses by itself to ask;
            if not, it stops instead.
        sample: So many accounts are researched first; then the run pauses and asks, or
            stops when nobody can answer. 0 is no sample.
        budget_usd: What the job may cost in all, where `so_far` does not say.
        deadline_seconds: From the start of this run on, after which nothing more is
            started, and the run stops; infinity is no deadline.
        rng: Where the jitter of the waits comes from.

    Attributes:
        concurrency: How many accounts may run at once, as it was last told.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        researcher: Researcher,
        *,
        limit: int,
        auto: bool = False,
        sequential: bool = False,
        learned: Learned = NOTHING_LEARNED,
        settings: Settings,
        store: AnyStore,
        job_id: int,
        fence: int = FIRST_FENCE,
        attended: bool,
        sample: int = 0,
        budget_usd: float = math.inf,
        deadline_seconds: float = math.inf,
        so_far: Tally | None = None,
        tried: Tried = NOTHING_TRIED,
        spent: Mapping[int, float] = NOTHING_SPENT,
        found: Mapping[int, Research] = NOTHING_FOUND,
        rng: random.Random | None = None,
    ) -> None:
        backoff = Backoff(
            initial=settings.retry_initial_seconds,
            maximum=settings.retry_max_seconds,
            rng=rng or random.Random(),  # noqa: S311 (jitter, not a secret)
        )
        self.concurrency: Concurrency = AUTO if auto else limit
        self._settings = settings
        self._researcher = researcher
        self._job_id = job_id
        self._fence = fence
        self._store = store
        self._sample = SampleFirst(accounts, sample)
        tally = so_far or Tally(total=len(accounts), slots=limit, budget_usd=budget_usd)
        self._course = course = Course(
            job_id=job_id,
            attended=attended,
            gate=Gate(
                limit=limit,
                gap=settings.account_delay_ms / 1000,
                backoff=backoff,
                max_hold=settings.max_hold_seconds,
                auto=auto,
                accounts=len(accounts),
                learned=learned,
            ),
            feed=Feed(self._sample.first, now=0.0, tried=tried),
            tally=tally,
            sequential=sequential,
        )
        self._writer = Writer(
            store,
            job_id,
            fence=fence,
            fingerprint=fingerprint_of(researcher),
            on_commit=self._committed,
        )
        self._ending = Ending(
            course,
            self._writer,
            self._sample,
            left_alone=tally.pending - len(accounts),
            deadline_seconds=deadline_seconds,
        )
        policy = RetryPolicy(
            max_retries=settings.max_api_retries,
            max_refused=settings.max_hold_seconds,
            backoff=backoff,
        )
        self._watch = Watch(course.at_work, timeout=settings.account_timeout_seconds)
        self._crew = Crew(
            course,
            caller(researcher),
            writer=self._writer,
            watch=self._watch,
            aftermath=Aftermath(course, self._writer, policy, self._ending),
            ending=self._ending,
            spent=spent,
            found=found,
        )
        self._standing = Standing(
            course,
            self._writer,
            self._watch,
            self._ending,
            delay_ms=settings.account_delay_ms,
            remembered=provider_of(researcher) is not None,
        )
        self._opening: anyio.CancelScope

    # Questions: from any thread.

    @property
    def tally(self) -> Tally:
        """What the run has come to."""
        return self._course.tally

    @property
    def at_work(self) -> Mapping[int, Work]:
        """Who has a slot, by position."""
        return self._course.at_work

    def progress(self) -> Progress:
        """Takes a snapshot of the run."""
        return self._standing.progress()

    def diagnosis(self) -> Diagnosis:
        """Says what has kept the run from being faster."""
        return self._standing.diagnosis()

    def summary(self) -> RunSummary:
        """Says what the run has come to."""
        now = self.progress()
        stopped = None if now.state == "finished" else now.reason
        return self.tally.summary(
            seconds=now.seconds,
            stopped=stopped,
            notices=notices_of(self._researcher),
            held_back=now.held_back,
        )

    @property
    def unasked(self) -> frozenset[int]:
        """Positions of the sample, until the run has asked whether to go on."""
        return self._sample.unasked

    # Requests: on the run's loop.

    def resize(self, concurrency: Concurrency) -> None:
        """Changes how many run at once; what runs above it finishes."""
        logger.info("resized job=%d concurrency=%s", self._job_id, concurrency)
        limit = self._settings.most(concurrency)
        self._course.gate.resize(limit, auto=concurrency == AUTO)
        self._course.slots_changed()
        self._crew.pump()

    def set_budget(self, usd: float) -> None:
        """Changes what the job may cost in all."""
        logger.info("budget job=%d usd=%g", self._job_id, usd)
        self.tally.budget.usd = usd
        self._crew.pump()

    def pause(self) -> None:
        """Starts nothing more until `resume`; what runs finishes."""
        logger.info("paused job=%d", self._job_id)
        self._course.gate.pause(self._course.now())
        self._course.slots_changed()

    def resume(self) -> None:
        """Goes on after a pause."""
        logger.info("resumed job=%d", self._job_id)
        course = self._course
        course.gate.resume(course.now())
        course.feed.forgive(course.now())
        course.slots_changed()
        self._crew.pump()
        self._ending.settle()

    def cancel(self) -> None:
        """Ends the run; accounts in flight return to pending."""
        self._ending.close("cancelled", "Cancelled.")
        self._opening.cancel()
        self._crew.cancel()

    # The run.

    async def run(self) -> None:
        """Works through the list; returns when the run has ended.

        Raises:
            StoreError: The database failed; what is committed stays.
            Exception: A bug, or the researcher could not be entered.
        """
        course = self._course
        course.now = asyncio.get_running_loop().time
        course.begin()
        self._opening = anyio.CancelScope()
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._writer)
                await stack.enter_async_context(self._keeper())
                with self._opening:
                    await stack.enter_async_context(self._entered_researcher())
                if not self._opening.cancelled_caught:
                    await self._work_through()
        except JobHeldError as error:
            course.end = ("stopped", str(error))
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
            crash = ("crashed", classify(error).message)
            course.end = ("cancelled", "Cancelled.") if cancelled else crash
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._note_end()

    def _keeper(self) -> AbstractAsyncContextManager[object]:
        """Holds the lease, where there is one, and hears other processes."""
        if not isinstance(self._store, Store):
            return nullcontext()
        loop = asyncio.get_running_loop()

        def tell(request: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(request)

        return Keeper(
            self._store,
            self._job_id,
            self._fence,
            snapshot=self._snapshot,
            choice=lambda: self.concurrency,
            obey=lambda wanted: tell(lambda: self._obey(wanted)),
            lost=lambda message: tell(lambda: self._lose(message)),
        )

    def _snapshot(self) -> Snapshot:
        now = self.progress()
        return Snapshot(
            progress=now,
            slot_seconds=self.tally.slots.slot_seconds(now.seconds),
            samples=self.tally.history.samples,
        )

    def _obey(self, wanted: Wanted) -> None:
        """Does what another process wants."""
        limit = wanted.get("limit")
        if limit is not None and not self._course.sequential:
            most = self._settings.max_concurrency
            self.concurrency = AUTO if limit == AUTO else min(limit, most)
            self.resize(self.concurrency)
        if (usd := wanted.get("budget_usd")) is not None:
            self.set_budget(usd)
        state, paused = wanted.get("state"), self._course.gate.paused
        if state == "cancelled":
            self.cancel()
        elif state == "paused" and not paused:
            self.pause()
        elif state == "running" and paused:
            self.resume()

    def _lose(self, message: str) -> None:
        """Stops at once: somebody else has the job."""
        self._ending.close("stopped", message)
        self._crew.cancel()

    def _entered_researcher(self) -> AbstractAsyncContextManager[object]:
        researcher = self._researcher
        if not isinstance(researcher, AbstractAsyncContextManager):
            return nullcontext()
        # Ours may be entered again, and notice a wrong loop when they are.
        open_already = getattr(researcher, "is_open", False)
        again = not open_already or getattr(researcher, "reentrant", False)
        return researcher if again else nullcontext()

    async def _work_through(self) -> None:
        course = self._course
        course.begin()
        course.feed.begin(course.now())
        course.gate.waits.begin(course.now())
        course.slots_changed()  # it may have been paused before it began
        recorder = Recorder(course, self.progress)
        logger.info("started job=%d accounts=%d", self._job_id, self.tally.total)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._writer.run(), name="writer")
                self._watch.start()
                self._crew.begin(tasks)
                self._ending.begin()
                recorder.begin()
                await self._ending.come()
                self._writer.stop()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise
        finally:
            self._crew.end()
            self._ending.end()
            self._watch.stop()
            course.ended_at = course.now()
            recorder.end()

    def _committed(
        self, attempts: Sequence[Attempt], outcomes: Sequence[Outcome]
    ) -> None:
        course = self._course
        self.tally.committed(attempts, outcomes, now=course.now() - course.began)
        self._crew.go_on()
        if self._sample.others:
            self._ending.settle()

    async def _note_end(self) -> None:
        course = self._course
        if course.ended_at is None:  # it never began
            course.ended_at = course.now()
        if course.end is not None and self.tally.pending == self._ending.left_alone:
            course.end = None  # the last account had ended when it was to be stopped
        state, reason = course.end or ("finished", None)
        seconds = self.tally.seconds = course.ended_at - course.began
        logger.info("%s job=%d seconds=%.1f", state, self._job_id, seconds)
        try:
            stand, reused = await self._writer.end_job(
                state=state,
                reason=reason,
                seconds=seconds,
                slot_seconds=self.tally.slots.slot_seconds(seconds),
                samples=self.tally.history.samples,
                progress=self.progress(),
            )
            await self._writer.keep_limits(
                provider_of(self._researcher), course.gate.lessons
            )
            self.tally.stood(stand, reused)
        except StoreError:
            if state != "crashed":  # else that is the error to be seen
                raise
        finally:
            self._standing.over = True
