"""The workers of a run: each takes an account, calls, and takes the next.

A worker takes an account from the feed when the gate lets it, calls the researcher
once, gives the slot back, and takes the next: nobody waits for the slowest. There are
never more workers than slots: one that gets no account leaves, and whatever opens the
gate (a moved slider, the end of a hold, an account that is due) starts new ones.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import cast

from sdr_kit.account import Research, sum_of_costs
from sdr_kit.aftermath import Aftermath
from sdr_kit.course import Course
from sdr_kit.ending import Ending
from sdr_kit.errors import Verdict
from sdr_kit.watch import Watch
from sdr_kit.worker import AsyncResearcher, Work, attempt, judged
from sdr_kit.writer import Writer

CANCEL_AGAIN_SECONDS = 5.0  # time to clean up; who goes on then is cancelled again
BREATH_SECONDS = 0.02  # a researcher that never suspends may keep the loop so long


class Crew:
    """Starts workers, as many as may be.

    Args:
        course: The run.
        call: The researcher.
        writer: Keeps workers from going on when it has too much to do.
        watch: Knows who is late.
        aftermath: Sees to what follows from an attempt.
        ending: Is told when a worker has left.
        spent: What earlier attempts at an account cost in US dollars, by position.
        found: What they found.
    """

    def __init__(
        self,
        course: Course,
        call: AsyncResearcher,
        *,
        writer: Writer,
        watch: Watch,
        aftermath: Aftermath,
        ending: Ending,
        spent: Mapping[int, float],
        found: Mapping[int, Research],
    ) -> None:
        self._course = course
        self._call = call
        self._writer = writer
        self._watch = watch
        self._aftermath = aftermath
        self._ending = ending
        # Both until the account comes up again.
        self._spent_before, self._found_before = dict(spent), dict(found)
        self._starved = False  # whether the writer kept a worker from going on
        self._breathed = 0.0
        self._breathing = 0
        self._tasks: asyncio.TaskGroup | None = None  # while accounts are worked on
        self._wake: asyncio.TimerHandle | None = None
        self._cancelling: asyncio.TimerHandle | None = None

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Starts the first workers."""
        self._breathed = self._course.now()
        self._tasks = tasks
        self.pump()

    def end(self) -> None:
        """Starts no more."""
        self._tasks = None
        for timer in (self._wake, self._cancelling):
            if timer is not None:
                timer.cancel()

    def pump(self) -> None:
        """Starts a worker for every account that may start now."""
        if self._tasks is None:
            return
        while self._may_add():
            work = self._maybe_take(self._course.now())
            if work is None:
                return
            name = f"account {work.account.position}"
            worker = self._tasks.create_task(self._work(work), name=name)
            self._course.workers[worker] = work
            worker.add_done_callback(self._gone)

    def go_on(self) -> None:
        """Starts those whom the writer has kept from going on."""
        if self._starved:
            self._starved = False
            self.pump()

    def cancel(self, patience: float = CANCEL_AGAIN_SECONDS) -> None:
        """Cancels what is at work, and again later what has swallowed it."""
        for worker in self._course.workers:
            worker.cancel()
        if self._course.workers:
            self._cancelling = asyncio.get_running_loop().call_later(
                patience, self.cancel, 2 * patience
            )

    def _may_add(self) -> bool:
        """Whether a worker that takes a breath does not need the free slot itself.

        Were each replaced meanwhile, they would become more and more.
        """
        gate = self._course.gate
        return gate.in_flight + self._breathing < gate.limit

    def _maybe_take(self, now: float) -> Work | None:
        """Takes a slot and an account; if there is none, sees to being woken."""
        course = self._course
        if self._writer.full(now):
            self._starved = True
            course.gate.kept_back(now)
            return None
        wait = course.gate.wait(now)
        if wait == 0 and course.tally.budget.bounded and not self._has_money():
            return None
        if wait == 0:
            work = course.feed.maybe_next(now)
            if work is not None:
                if self._spent_before or self._found_before:
                    self._remember(work)
                work.ticket = course.gate.start(now)
                course.at_work[work.account.position] = work
                if course.feed.empty:
                    course.gate.nobody_waits(now)
                return work
            wait = course.feed.seconds_to_next(now)
        elif course.feed.empty:
            course.gate.nobody_waits(now)
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
        """Whether the budget has room for one more.

        When it has none although nothing is under way, the run ends.
        """
        course = self._course
        budget = course.tally.budget
        if budget.allows(len(course.at_work)) or course.feed.empty:
            return True
        if not course.at_work:
            self._ending.close("stopped", budget.reason)
        return False

    def _wake_at(self, when: float) -> None:
        if self._wake is not None:
            if self._wake.when() <= when:
                return
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_at(when, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self.pump()

    async def _work(self, work: Work) -> None:
        """Works on one account after another for as long as the gate lets it."""
        worker = cast("asyncio.Task[None]", asyncio.current_task())
        course = self._course
        course.workers[worker] = None
        following: Work | None = work
        now = course.now()
        while following is not None:
            following.task, following.started = worker, now
            now = await self._attempt(following)
            if now - self._breathed > BREATH_SECONDS:
                await self._breathe()
                now = course.now()
            following = self._maybe_take(now)
            if following is not None and self._may_add():
                self.pump()  # after a hold, one answer lets more than one go

    def _gone(self, worker: asyncio.Task[None]) -> None:
        course = self._course
        work = course.workers.pop(worker)
        if work is not None:  # it was cancelled before it could begin
            del course.at_work[work.account.position]
            course.gate.end(work.ticket, "cancelled", now=course.now())
        self._ending.settle()

    async def _attempt(self, work: Work) -> float:
        """Calls the researcher once; gives when that ended, on the run's clock."""
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
            ended = self._course.now()
            self._aftermath.leave(work, result, cut, ended=ended)
        if result is None:
            raise asyncio.CancelledError
        return ended

    async def _breathe(self) -> None:
        """Lets others run, in case the researcher never does."""
        before = self._breathed
        self._breathing += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._breathing -= 1
        if self._breathed == before:  # who breathes at the same time begins no other
            self._breathed = self._course.now()


def _maybe_current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
