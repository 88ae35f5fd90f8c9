"""One run on one event loop: feed → gate → worker → writer.

A worker takes an account from the feed when the gate lets it, calls the researcher
once, gives the slot back, and takes the next: nobody waits for the slowest. An account
that has to wait for another try goes back to the feed, without a slot, and comes out
again ahead of the untouched ones. There are never more workers than slots: one that
gets no account leaves, and whatever opens the gate (a moved slider, the end of a hold,
an account that is due) starts new ones.

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
from typing import cast

import anyio

from sdr_kit.account import (
    Account,
    Attempt,
    AttemptOutcome,
    Outcome,
    Research,
    sum_of_costs,
)
from sdr_kit.backoff import Backoff
from sdr_kit.errors import JobHeldError, StoreError, Verdict, classify
from sdr_kit.feed import NOTHING_TRIED, Feed, Tried
from sdr_kit.fingerprint import fingerprint_of
from sdr_kit.keeper import Keeper, Snapshot, Wanted
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.limits import Gate
from sdr_kit.progress import (
    Progress,
    RunSummary,
    Sample,
    State,
)
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, Store
from sdr_kit.tally import Tally
from sdr_kit.watch import Watch
from sdr_kit.words import counted, duration
from sdr_kit.worker import (
    Researcher,
    RetryPolicy,
    Work,
    attempt,
    caller,
    judged,
    notices_of,
)
from sdr_kit.writer import Writer

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 5.0  # time to clean up; who goes on then is cancelled again
NOTHING_SPENT: Mapping[int, float] = MappingProxyType({})
NOTHING_FOUND: Mapping[int, Research] = MappingProxyType({})
BREATH_SECONDS = 0.02  # a researcher that never suspends may keep the loop so long


class Engine:
    """Works through a list of accounts, or the chosen ones of a list, once.

    Args:
        accounts: What to research; `position` is the place in the whole list.
        researcher: See `sdr_kit.process`.
        limit: How many at once, to begin with.
        settings: Retries, waits, delays.
        store: Where outcomes go.
        job_id: The job in that store.
        fence: Under which the job was taken.
        so_far: The books of the job when it is taken up again; None begins them.
        tried: Attempts made before at accounts that have no result.
        spent: What those cost in US dollars, by position, where it is known.
        attended: Whether somebody can answer when the run pauses by itself to ask;
            if not, it stops instead.
        sample: So many accounts are researched first; then the run pauses and asks, or
            stops when nobody can answer. 0 is no sample.
        budget_usd: What the job may cost in all, where `so_far` does not say.
        deadline_seconds: From the start of this run on, after which nothing more is
            started, and the run stops; infinity is no deadline.
        rng: Where the jitter of the waits comes from.

    Attributes:
        limit: How many accounts may run at once, as it was last told.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        researcher: Researcher,
        *,
        limit: int,
        auto: bool = False,
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
        self.tally = so_far or Tally(
            total=len(accounts), slots=limit, budget_usd=budget_usd
        )
        self._deadline_seconds = deadline_seconds
        self.at_work: dict[int, Work] = {}  # by position
        self.limit = limit
        self._most = settings.max_concurrency
        self._watch = Watch(self.at_work, timeout=settings.account_timeout_seconds)
        self._accounts = accounts[:sample] if sample else accounts
        self._others = accounts[sample:] if sample else ()  # once somebody agrees
        self._researcher = researcher
        self._call = caller(researcher)
        self._job_id = job_id
        self._fence = fence
        self._store = store
        self._attended = attended
        self._gate = Gate(
            limit=limit,
            gap=settings.account_delay_ms / 1000,
            backoff=backoff,
            max_hold=settings.max_hold_seconds,
            auto=auto,
            accounts=len(accounts),
        )
        self._policy = RetryPolicy(
            max_retries=settings.max_api_retries,
            max_refused=settings.max_hold_seconds,
            backoff=backoff,
        )
        self._tried = tried
        # Both until the account comes up again.
        self._spent_before, self._found_before = dict(spent), dict(found)
        self._feed = Feed(self._accounts, now=0.0, tried=tried)
        self._left_alone = self.tally.pending - len(accounts)  # pending, and not ours
        self._end: tuple[State, str | None] | None = None  # how it is to end, and why
        self._ended_at: float | None = None
        self._over = False  # nothing will change any more
        self._in_flight = 0  # accounts started and not yet committed
        self._clock: Callable[[], float] = lambda: 0.0
        self._began = -self.tally.seconds  # the clock goes on where it ended
        self._breathed = 0.0
        self._breathing = 0
        # What each worker is to begin with, until it has begun.
        self._workers: dict[asyncio.Task[None], Work | None] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._sampling: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._cancelling: asyncio.TimerHandle | None = None
        self._writer = Writer(
            store,
            job_id,
            fence=fence,
            fingerprint=fingerprint_of(researcher),
            on_commit=self._committed,
        )
        self._starved = False  # whether the writer kept a worker from going on
        self._tasks: asyncio.TaskGroup | None = None  # while accounts are worked on
        self._done: asyncio.Event
        self._opening: anyio.CancelScope

    # Questions: from any thread.

    def progress(self) -> Progress:
        """Takes a snapshot of the run."""
        completed, failed = self.tally.counts
        ended_at = self._ended_at
        now = (self._clock() if ended_at is None else ended_at) - self._began
        state, reason = self._state()
        rate = self.tally.rate.per_minute(now)
        pending = self.tally.total - completed - failed
        left = pending - self._left_alone
        return Progress(
            state=state,
            reason=reason,
            total=self.tally.total,
            completed=completed,
            failed=failed,
            pending=pending,
            in_flight=self._in_flight,
            running=len(self.at_work),
            waiting=self._feed.waiting,
            reused=self.tally.reused,
            retries=self.tally.retries,
            limit=self._gate.limit,
            accounts_per_minute=rate,
            seconds=now,
            eta_seconds=60 * left / rate if rate and state == "running" else None,
            blocked_seconds=self._watch.blocked_seconds,
            cost_usd=self.tally.cost_usd,
            budget_usd=self.tally.budget.usd if self.tally.budget.bounded else None,
            projected_cost_usd=self.tally.projected_cost_usd,
        )

    def summary(self) -> RunSummary:
        """Says what the run has come to."""
        now = self.progress()
        stopped = None if now.state == "finished" else now.reason
        return self.tally.summary(
            seconds=now.seconds,
            stopped=stopped,
            notices=notices_of(self._researcher),
        )

    @property
    def unasked(self) -> frozenset[int]:
        """Positions of the sample, until the run has asked whether to go on."""
        return frozenset(each.position for each in self._accounts if self._others)

    # Requests: on the run's loop.

    def resize(self, limit: int) -> None:
        """Changes how many run at once; what runs above it finishes."""
        logger.info("resized job=%d limit=%d", self._job_id, limit)
        self._gate.resize(limit)
        self._slots_changed()
        self._pump()

    def set_budget(self, usd: float) -> None:
        """Changes what the job may cost in all."""
        logger.info("budget job=%d usd=%g", self._job_id, usd)
        self.tally.budget.usd = usd
        self._pump()

    def pause(self) -> None:
        """Starts nothing more until `resume`; what runs finishes."""
        logger.info("paused job=%d", self._job_id)
        self._gate.paused = True
        self._slots_changed()

    def resume(self) -> None:
        """Goes on after a pause."""
        logger.info("resumed job=%d", self._job_id)
        self._gate.resume(self._clock())
        self._feed.forgive(self._clock())
        self._slots_changed()
        self._pump()
        self._settle()

    def cancel(self) -> None:
        """Ends the run; accounts in flight return to pending."""
        self._close("cancelled", "Cancelled.")
        self._opening.cancel()
        self._cancel_workers(CANCEL_AGAIN_SECONDS)

    def _cancel_workers(self, patience: float) -> None:
        """Cancels what is at work, and again later what has swallowed it."""
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            self._cancelling = asyncio.get_running_loop().call_later(
                patience, self._cancel_workers, 2 * patience
            )

    # The run.

    async def run(self) -> None:
        """Works through the list; returns when the run has ended.

        Raises:
            StoreError: The database failed; what is committed stays.
            Exception: A bug, or the researcher could not be entered.
        """
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock() - self.tally.seconds
        self._done = asyncio.Event()
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
            self._end = ("stopped", str(error))
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
            crash = ("crashed", classify(error).message)
            self._end = ("cancelled", "Cancelled.") if cancelled else crash
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
        if (limit := wanted.get("limit")) is not None:
            self.limit = min(limit, self._most)
            self.resize(self.limit)
        if (usd := wanted.get("budget_usd")) is not None:
            self.set_budget(usd)
        state = wanted.get("state")
        if state == "cancelled":
            self.cancel()
        elif state == "paused" and not self._gate.paused:
            self.pause()
        elif state == "running" and self._gate.paused:
            self.resume()

    def _lose(self, message: str) -> None:
        """Stops at once: somebody else has the job."""
        self._close("stopped", message)
        self._cancel_workers(CANCEL_AGAIN_SECONDS)

    def _entered_researcher(self) -> AbstractAsyncContextManager[object]:
        researcher = self._researcher
        if not isinstance(researcher, AbstractAsyncContextManager):
            return nullcontext()
        # Ours may be entered again, and notice a wrong loop when they are.
        open_already = getattr(researcher, "is_open", False)
        again = not open_already or getattr(researcher, "reentrant", False)
        return researcher if again else nullcontext()

    async def _work_through(self) -> None:
        now = self._breathed = self._clock()
        self._began = now - self.tally.seconds
        self._feed = Feed(self._accounts, now=now, tried=self._tried)
        self._slots_changed()  # it may have been paused before it began
        logger.info("started job=%d accounts=%d", self._job_id, self.tally.total)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._writer.run(), name="writer")
                self._tasks = tasks
                self._watch.start()
                self._set_deadline()
                self._pump()
                self._settle()
                self._sample_again()
                await self._done.wait()
                self._writer.stop()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise
        finally:
            self._tasks = None
            self._watch.stop()
            for timer in (
                self._wake,
                self._sampling,
                self._cancelling,
                self._deadline,
            ):
                if timer is not None:
                    timer.cancel()
            self._ended_at = self._clock()
            self._sample()

    def _set_deadline(self) -> None:
        """Sees to it that nothing more is started once the time is over."""
        if self._deadline_seconds < math.inf:
            self._deadline = asyncio.get_running_loop().call_later(
                self._deadline_seconds,
                self._close,
                "stopped",
                f"The deadline of {duration(self._deadline_seconds)} is reached. "
                "Continue the job to go on where it stopped.",
            )

    def _pump(self) -> None:
        """Starts a worker for every account that may start now."""
        if self._tasks is None:
            return
        while self._may_add() and (work := self._maybe_take()) is not None:
            name = f"account {work.account.position}"
            worker = self._tasks.create_task(self._work(work), name=name)
            self._workers[worker] = work
            worker.add_done_callback(self._gone)

    def _may_add(self) -> bool:
        """Whether a worker that takes a breath does not need the free slot itself.

        Were each replaced meanwhile, they would become more and more.
        """
        return self._gate.in_flight + self._breathing < self._gate.limit

    def _maybe_take(self) -> Work | None:
        """Takes a slot and an account; if there is none, sees to being woken."""
        if self._writer.full:
            self._starved = True
            return None
        now = self._clock()
        wait = self._gate.wait(now)
        if wait == 0 and not self._has_money():
            return None
        if wait == 0:
            work = self._feed.maybe_next(now)
            if work is not None:
                if self._spent_before or self._found_before:
                    self._remember(work)
                work.ticket = self._gate.start(now)
                self.at_work[work.account.position] = work
                self._in_flight += 1
                return work
            wait = self._feed.seconds_to_next(now)
        if wait < math.inf:
            self._wake_at(now + wait)
        return None

    def _remember(self, work: Work) -> None:
        """Takes along what earlier runs have paid for an account, and what they found.

        It keeps that if it fails now.
        """
        position = work.account.position
        before = self._spent_before.pop(position, None)
        work.cost_usd = sum_of_costs(work.cost_usd, before)
        work.found = self._found_before.pop(position, work.found)

    def _has_money(self) -> bool:
        """Whether the budget has room for one more, if there is one.

        When it has none although nothing is under way, the run ends.
        """
        budget = self.tally.budget
        if budget.allows(len(self.at_work)) or self._feed.empty:
            return True
        if not self.at_work:
            self._close("stopped", budget.reason)
        return False

    def _wake_at(self, when: float) -> None:
        if self._wake is not None:
            if self._wake.when() <= when:
                return
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_at(when, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._pump()

    async def _work(self, work: Work) -> None:
        """Works on one account after another for as long as the gate lets it."""
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        self._workers[worker] = None
        following: Work | None = work
        while following is not None:
            following.task = worker
            await self._attempt(following)
            await self._breathe()
            following = self._maybe_take()
            if following is not None:
                self._pump()  # after a hold, one answer lets more than one go

    def _gone(self, worker: asyncio.Task[None]) -> None:
        work = self._workers.pop(worker)
        if work is not None:  # it was cancelled before it could begin
            del self.at_work[work.account.position]
            self._gate.end(work.ticket, "cancelled", now=self._clock())
            self._in_flight -= 1
        self._settle()

    async def _attempt(self, work: Work) -> None:
        work.started = self._clock()
        result: Research | Verdict | None = None
        cut: Verdict | None = None
        try:
            result = await attempt(self._call, work.account)
        except asyncio.CancelledError as error:
            cut = judged(error)  # it may know what the call took
            if not work.cuts:
                raise
        except GeneratorExit as error:
            if work.task is not _maybe_current_task():  # its loop is gone
                raise
            result = judged(error)
        finally:
            if work.cuts:
                result = self._watch.judged(work, result or cut)
            self._leave(work, result, cut)
        if result is None:
            raise asyncio.CancelledError

    def _leave(
        self, work: Work, result: Research | Verdict | None, cut: Verdict | None
    ) -> None:
        """Gives the slot back and sees to what follows.

        Args:
            work: The account.
            result: What came of it; None is a cancelled call.
            cut: What is known of a call that was cancelled.
        """
        now = self._clock()
        verdict = result if isinstance(result, Verdict) else None
        outcome: AttemptOutcome = "completed" if verdict is None else verdict.kind
        record = work.attempted(
            "cancelled" if result is None else outcome,
            result or cut,
            began=self._began,
            ended=now,
        )
        work.task = None
        del self.at_work[record.position]
        self.tally.attempted(record)
        self._tell_gate(work, record, verdict, now)
        ended = self._maybe_outcome(work, result, now)
        self._in_flight -= ended is None
        self._writer.put(record, ended)
        if self._gate.answered_at == now:
            self._give_up_parked()
        if verdict is not None:
            self._after_failure(record.position, verdict)

    def _tell_gate(
        self, work: Work, record: Attempt, verdict: Verdict | None, now: float
    ) -> None:
        was_in_outage = self._gate.in_outage
        self._gate.end(
            work.ticket,
            record.outcome,
            now=now,
            seconds=record.seconds,
            retry_after=None if verdict is None else verdict.retry_after,
            message="" if verdict is None else verdict.message,
            about=work.account.company_name,
            limits=record.limits,
            tokens=0 if record.usage is None else record.usage.tokens,
        )
        if self._gate.in_outage and not was_in_outage:
            self._feed.forgive(now)

    def _maybe_outcome(
        self, work: Work, result: Research | Verdict | None, now: float
    ) -> Outcome | None:
        """Gives how the account ended; None when it goes back or stays pending."""
        if isinstance(result, Research):
            return work.outcome(result, finished=now - self._began)
        if result is None or result.kind == "stop":
            return None
        wait = self._policy.maybe_wait(
            work, result, now=now, in_outage=self._gate.in_outage
        )
        if wait is None and result.kind == "transient" and self._may_be_down(work):
            self._feed.park(work, result)
            return None
        if wait is None:
            return work.outcome(result, finished=now - self._began)
        # A wait begins when the hold ends, or it would be over with the hold.
        hold = self._gate.hold
        begins = hold.until if hold is not None and work.refusals else now
        self._feed.put_back(work, due=begins + wait if wait else now)
        return None

    def _may_be_down(self, work: Work) -> bool:
        """Whether nobody has been answered since this account began to fail."""
        since = work.failing_since
        return since is not None and self._gate.answered_at <= since

    def _give_up_parked(self) -> None:
        """Ends the accounts whose failure has turned out to be their own."""
        now = self._clock() - self._began
        for work, verdict in self._feed.take_parked():
            self._in_flight += 1
            self._writer.put(None, work.outcome(verdict, finished=now))

    def _after_failure(self, position: int, verdict: Verdict) -> None:
        logger.info(
            "failed_attempt job=%d account=%d kind=%s status=%s retry_after=%s %s",
            self._job_id,
            position,
            verdict.kind,
            verdict.http_status,
            verdict.retry_after,
            verdict.message,
        )
        question = self._gate.question
        if verdict.kind == "stop":
            self._close("stopped", verdict.message)
        elif question is not None and not self._attended:
            self._close("stopped", question)
        elif question is not None:
            self._slots_changed()

    async def _breathe(self) -> None:
        """Now and then lets others run, in case the researcher never does."""
        before = self._breathed
        if self._clock() - before <= BREATH_SECONDS:
            return
        self._breathing += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._breathing -= 1
        if self._breathed == before:  # who breathes at the same time begins no other
            self._breathed = self._clock()

    def _close(self, state: State, reason: str) -> None:
        """Starts nothing more; the run ends when nothing is in flight."""
        if self._end is None:
            logger.warning("%s job=%d %s", state, self._job_id, reason)
            self._end = (state, reason)
        self._gate.closed = True
        self._settle()

    def _settle(self) -> None:
        """Ends the run when nothing is in flight and nothing will be."""
        if self._workers:
            return
        if self._feed.empty and not self._gate.closed:
            self._give_up_parked()  # a store in memory has them at once, and comes here
        if self._gate.closed:
            self._done.set()
        elif self._feed.empty and self._others:
            self._ask_about_the_others()
        elif self._feed.empty:
            self._done.set()

    def _ask_about_the_others(self) -> None:
        """Pauses once the sample is in the store, and nothing else is asked."""
        if self._in_flight or self._gate.question is not None:
            return
        tried = counted(self._sample_size, "account")
        left, others = counted(len(self._others), "account"), self._others
        self._others = ()
        if not self._attended:
            self._close("stopped", f"A sample of {tried} is done; {left} to go.")
            return
        self._feed.extend(others)
        self._gate.ask(f"A sample of {tried} is done. Go on with the other {left}?")
        self._slots_changed()

    def _committed(
        self, attempts: Sequence[Attempt], outcomes: Sequence[Outcome]
    ) -> None:
        self.tally.committed(attempts, outcomes, now=self._clock() - self._began)
        self._in_flight -= len(outcomes)
        if self._starved:
            self._starved = False
            self._pump()
        if self._others:
            self._settle()

    def _slots_changed(self) -> None:
        slots = 0 if self._gate.paused else self._gate.limit
        self.tally.slots.change(self._clock() - self._began, slots)

    def _state(self) -> tuple[State, str | None]:
        if self._over:
            return self._end or ("finished", None)
        if self._end is not None and self.at_work:
            left = counted(len(self.at_work), "account")
            return "running", f"{self._end[1]} It ends when {left} at work have ended."
        if self._gate.paused:
            return "paused", self._gate.question
        hold = self._gate.hold
        if hold is None:
            return "running", self._sample_said
        what = "is down" if hold.kind == "outage" else "asks to wait"
        seconds = hold.until - self._clock()
        then = f"in {duration(seconds)}" if seconds > 0 else "now"
        said = f"The last failure: {hold.reason}"
        return "held", f"The provider {what}; one account goes ahead {then}. {said}"

    @property
    def _sample_size(self) -> int:
        """How large the sample is, with what an earlier run has done of it."""
        books = self.tally
        return books.total - books.reused - self._left_alone - len(self._others)

    @property
    def _sample_said(self) -> str | None:
        """Says that a sample comes first, while it does."""
        if not self._others:
            return None
        return (
            f"A sample of {counted(self._sample_size, 'account')} comes first. Then "
            f"the run asks before it goes on with the other {len(self._others):,}."
        )

    def _sample(self) -> None:
        now = self.progress()
        self.tally.history.add(
            Sample(
                seconds=now.seconds,
                accounts_per_minute=now.accounts_per_minute,
                running=now.running,
                limit=0 if now.state == "paused" else now.limit,
                failed=now.failed,
                held=now.held,
            )
        )

    def _sample_again(self) -> None:
        self._sample()
        loop = asyncio.get_running_loop()
        self._sampling = loop.call_later(self.tally.history.every, self._sample_again)

    async def _note_end(self) -> None:
        if self._ended_at is None:  # it never began
            self._ended_at = self._clock()
        if self._end is not None and self.tally.pending == self._left_alone:
            self._end = None  # the last account had ended when it was to be stopped
        state, reason = self._end or ("finished", None)
        seconds = self.tally.seconds = self._ended_at - self._began
        logger.info("%s job=%d seconds=%.1f", state, self._job_id, seconds)
        try:
            stand, reused = await self._writer.end_job(
                state=state,
                reason=reason,
                seconds=seconds,
                slot_seconds=self.tally.slots.slot_seconds(seconds),
                samples=self.tally.history.samples,
            )
            self.tally.stood(stand, reused)
        except StoreError:
            if state != "crashed":  # else that is the error to be seen
                raise
        finally:
            self._over = True


def _maybe_current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
