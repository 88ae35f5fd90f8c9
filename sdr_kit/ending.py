"""How a run ends: by itself when nothing is left, or because somebody says so.

Whoever ends it, what is at work may finish. Accounts whose failure may be the
provider's wait for the end of the others, or for an answer: then it was their own.
"""

from __future__ import annotations

import asyncio
import logging
import math

from sdr_kit.course import Course
from sdr_kit.progress import State
from sdr_kit.sample_first import SampleFirst
from sdr_kit.words import counted, duration
from sdr_kit.writer import Writer

logger = logging.getLogger(__name__)


class Ending:
    """Notices when a run has ended.

    Args:
        course: The run.
        writer: Takes the outcomes of those whose failure was their own.
        sample: Who comes first.
        left_alone: How many accounts are pending and not this run's.
        deadline_seconds: After which nothing more is started; infinity is none.
    """

    def __init__(
        self,
        course: Course,
        writer: Writer,
        sample: SampleFirst,
        *,
        left_alone: int,
        deadline_seconds: float = math.inf,
    ) -> None:
        self.left_alone = left_alone
        self._course = course
        self._writer = writer
        self._sample = sample
        self._done = asyncio.Event()
        self._deadline_seconds = deadline_seconds
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def deadline_left(self) -> float | None:
        """Seconds until the deadline; None without one, and before the run begins."""
        if self._deadline is None:
            return None
        return max(0.0, self._deadline.when() - self._course.now())

    def begin(self) -> None:
        """Looks after the end from now on, on the running loop."""
        if self._deadline_seconds < math.inf:
            self._deadline = asyncio.get_running_loop().call_later(
                self._deadline_seconds,
                self.close,
                "stopped",
                f"The deadline of {duration(self._deadline_seconds)} is reached. "
                "Continue the job to go on where it stopped.",
            )
        self.settle()

    def end(self) -> None:
        """Looks after nothing any more."""
        if self._deadline is not None:
            self._deadline.cancel()

    async def come(self) -> None:
        """Waits for the end."""
        await self._done.wait()

    def close(self, state: State, reason: str) -> None:
        """Starts nothing more; the run ends when nothing is in flight."""
        course = self._course
        if course.end is None:
            logger.warning("%s job=%d %s", state, course.job_id, reason)
            course.end = (state, reason)
        course.gate.closed = True
        self.settle()

    def settle(self) -> None:
        """Ends the run when nothing is in flight and nothing will be."""
        course = self._course
        if course.workers:
            return
        if course.feed.empty and not course.gate.closed:
            self.give_up_parked()
        if course.gate.closed:
            self._done.set()
        elif course.feed.empty and self._sample.others:
            self._ask_about_the_others()
        elif course.feed.empty:
            self._done.set()

    def give_up_parked(self) -> None:
        """Ends the accounts whose failure has turned out to be their own."""
        now = self._course.now() - self._course.began
        for work, verdict in self._course.feed.take_parked():
            self._writer.put(None, work.outcome(verdict, finished=now))

    @property
    def sample_said(self) -> str | None:
        """Says that a sample comes first, while it does."""
        return self._sample.said(self._sample_size)

    @property
    def _sample_size(self) -> int:
        """How large the sample is, with what an earlier run has done of it."""
        books = self._course.tally
        return books.total - books.reused - self.left_alone - len(self._sample.others)

    def _ask_about_the_others(self) -> None:
        """Pauses once the sample is in the store, and nothing else is asked.

        When nobody can answer, the run stops.
        """
        course, sample = self._course, self._sample
        if self._writer.uncommitted or course.gate.question is not None:
            return
        done, left = self._sample_size, len(sample.others)
        question = sample.question(done)
        if not course.attended:
            sample.take_others()
            tried = f"A sample of {counted(done, 'account')} is done"
            self.close("stopped", f"{tried}; {counted(left, 'account')} to go.")
            return
        course.feed.extend(sample.take_others())
        course.gate.ask(question, course.now())
        course.slots_changed()
