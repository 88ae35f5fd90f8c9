"""How a run stands, from its parts: the snapshot, the state in words, the chart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sdr_kit.course import Course
from sdr_kit.diagnosis import Diagnosis, Symptoms, diagnose
from sdr_kit.ending import Ending
from sdr_kit.progress import Progress, Sample, State
from sdr_kit.watch import Watch
from sdr_kit.words import counted, duration
from sdr_kit.writer import Writer


class Standing:
    """Says how a run stands; from any thread.

    Attributes:
        over: Whether nothing will change any more.
    """

    def __init__(
        self,
        course: Course,
        writer: Writer,
        watch: Watch,
        ending: Ending,
        *,
        delay_ms: float,
        remembered: bool,
    ) -> None:
        self.over = False
        self._delay_ms = delay_ms
        self._remembered = remembered
        books = course.tally
        self._earlier = books.seconds, books.work_seconds, books.answered
        self._course = course
        self._writer = writer
        self._watch = watch
        self._ending = ending

    def progress(self) -> Progress:
        """Takes a snapshot of the run."""
        course, tally = self._course, self._course.tally
        completed, failed = tally.counts
        now = course.seconds
        state, reason = self._state()
        rate = tally.rate.per_minute(now)
        pending = tally.total - completed - failed
        left = pending - self._ending.left_alone
        running = len(course.at_work)
        return Progress(
            state=state,
            reason=reason,
            total=tally.total,
            completed=completed,
            failed=failed,
            pending=pending,
            in_flight=running + self._writer.uncommitted,
            running=running,
            waiting=course.feed.waiting,
            reused=tally.reused,
            retries=tally.retries,
            limit=course.gate.allowed,
            auto=course.gate.auto,
            most=course.gate.limit,
            sequential=course.sequential,
            found_limit=course.found_limit,
            deadline_seconds=None if self.over else self._ending.deadline_left,
            held_back=self._maybe_held_back(),
            accounts_per_minute=rate,
            seconds=now,
            eta_seconds=60 * left / rate if rate and state == "running" else None,
            blocked_seconds=self._watch.blocked_seconds,
            cost_usd=tally.cost_usd,
            budget_usd=tally.budget.usd if tally.budget.bounded else None,
            projected_cost_usd=tally.projected_cost_usd,
        )

    def diagnosis(self) -> Diagnosis:
        """Says what has kept the run from being faster so far.

        Earlier runs of the job do not count.
        """
        course, gate, tally = self._course, self._course.gate, self._course.tally
        earlier, worked, answered = self._earlier
        waits = gate.waits.until(course.began + course.seconds)
        seconds = course.seconds - earlier - waits.spent.get("paused", 0.0)
        per_second = 1 / seconds if seconds > 0 else 0.0
        return diagnose(
            Symptoms(
                spent=waits.spent,
                at_limit=waits.at_limit,
                seconds=max(seconds, 0.0),
                late_seconds=self._watch.late_seconds,
                limit=gate.limit,
                auto=gate.auto,
                sequential=self._course.sequential,
                at_once=(tally.work_seconds - worked) * per_second,
                answered_per_minute=60 * (tally.answered - answered) * per_second,
                latency=tally.latency,
                delay_ms=self._delay_ms,
                learned=gate.learned,
                remembered=self._remembered,
                refused=gate.hold if gate.question is not None else None,
            )
        )

    def _maybe_held_back(self) -> str | None:
        """Says what the diagnosis does; None when no call says anything."""
        found, answered = self.diagnosis(), self._course.tally.answered
        silent = found.cause == "nothing" and answered == self._earlier[-1]
        return None if silent else found.sentence

    def _state(self) -> tuple[State, str | None]:
        course = self._course
        if self.over:
            return course.end or ("finished", None)
        end, at_work = course.end, len(course.at_work)
        if end is not None and at_work:
            left = counted(at_work, "account")
            return "running", f"{end[1]} It ends when {left} at work have ended."
        if course.gate.paused:
            return "paused", course.gate.question
        hold = course.gate.hold
        if hold is None:
            return "running", self._ending.sample_said
        what = "is down" if hold.kind == "outage" else "asks to wait"
        seconds = hold.until - course.now()
        then = f"in {duration(seconds)}" if seconds > 0 else "now"
        said = f"The last failure: {hold.reason}"
        return "held", f"The provider {what}; one account goes ahead {then}. {said}"


class Recorder:
    """Draws a run over time: a sample every so often, and one at its end."""

    def __init__(self, course: Course, progress: Callable[[], Progress]) -> None:
        self._gate = course.gate
        self._history = course.tally.history
        self._progress = progress
        self._sampling: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Takes the first sample, on the running loop, and goes on by itself."""
        self._sample()
        loop = asyncio.get_running_loop()
        self._sampling = loop.call_later(self._history.every, self.begin)

    def end(self) -> None:
        """Takes the last one."""
        if self._sampling is not None:
            self._sampling.cancel()
        self._sample()

    def _sample(self) -> None:
        now = self._progress()
        self._history.add(
            Sample(
                seconds=now.seconds,
                accounts_per_minute=now.accounts_per_minute,
                running=now.running,
                limit=self._limit(now),
                failed=now.failed,
                held=now.held,
                note="; ".join(self._gate.notes.take()) or None,
            )
        )

    def _limit(self, now: Progress) -> int:
        if now.state == "paused":
            return 0
        if now.auto and now.found_limit is None:
            return min(max(now.running, self._gate.cap.proven, 1), now.limit)
        return now.limit
