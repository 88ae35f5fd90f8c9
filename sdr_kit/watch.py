"""Two timers beside a run: who is at work for too long, and whether the loop moves.

A timeout of its own for each attempt would cost more than all else that the engine does
for an account. So one timer looks at everybody, when the next of them would be late.
Another beats, and how late it comes is how long something has held up the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from sdr_kit.account import Research
from sdr_kit.errors import Verdict
from sdr_kit.words import duration
from sdr_kit.worker import Work

BEAT_SECONDS = 0.1  # how exactly a hold-up is measured
BLOCKED_SECONDS = 0.5  # what holds up the loop for less is not worth a word


class Watch:
    """Cuts off attempts that take too long, and notices a loop that is held up.

    An attempt that goes on all the same is cut off again, each time after as long as
    it has taken so far: it may be cleaning up, or about to answer. One that never lets
    itself be cut off keeps its slot until the process ends.

    Args:
        at_work: Who is at work, by position; the engine's own.
        timeout: How long an attempt may take, in seconds.

    Attributes:
        late_seconds: For how long in all the loop was held up.
    """

    def __init__(self, at_work: Mapping[int, Work], *, timeout: float) -> None:
        self._at_work = at_work
        self._timeout = timeout
        self._too_late = Verdict(
            kind="transient",
            message=f"No answer within {duration(timeout)} "
            f"(ACCOUNT_TIMEOUT_SECONDS={timeout:g}).",
        )
        self._blocked = 0.0
        self.late_seconds = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._sweeping: asyncio.TimerHandle | None = None
        self._beating: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to watch, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._sweep()
        self._beat()

    def stop(self) -> None:
        """Ends it; what was noticed is kept."""
        for timer in (self._sweeping, self._beating):
            if timer is not None:
                timer.cancel()
        self._sweeping = self._beating = None

    @property
    def blocked_seconds(self) -> float:
        """The longest time the loop was held up, also while it is; from any thread.

        Up to `BEAT_SECONDS` of it are not seen; 0.0 when what is seen is no more than
        `BLOCKED_SECONDS`.
        """
        longest = self._longest()
        return longest if longest > BLOCKED_SECONDS else 0.0

    def judged(
        self, work: Work, result: Research | Verdict | None
    ) -> Research | Verdict | None:
        """Says what an attempt has come to that was cut off.

        An answer that came all the same is taken, since it may be paid for. None means
        that somebody else has cancelled it as well, which goes above being late.
        """
        cancelled = False
        for _ in range(work.cuts):
            cancelled = work.task is not None and work.task.uncancel() > 0
        work.cuts = 0
        if isinstance(result, Research):
            return result
        if cancelled:
            return None
        if result is None:
            return self._too_late
        # What it took until then was paid for.
        return replace(
            self._too_late,
            usage=result.usage,
            limits=result.limits,
            request_id=result.request_id,
            found=result.found,
        )

    def _sweep(self) -> None:
        """Cuts off who is late, and comes again when the next one would be.

        Who is not at work yet is not due before that; who has been cut off is due
        again when it has taken twice as long.
        """
        now = self._loop.time()
        following = now + self._timeout
        for work in self._at_work.values():
            if work.task is None:
                continue
            if self._due(work) <= now:
                work.cuts += 1
                work.cut_again = now + (now - work.started)
                work.task.cancel()
            following = min(following, self._due(work))
        self._sweeping = self._loop.call_at(following, self._sweep)

    def _due(self, work: Work) -> float:
        return work.cut_again if work.cuts else work.started + self._timeout

    def _beat(self) -> None:
        self._blocked = self._longest()
        if self._beating is not None:
            self.late_seconds += max(self._loop.time() - self._beating.when(), 0.0)
        self._beating = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _longest(self) -> float:
        beating = self._beating
        late = 0.0 if beating is None else self._loop.time() - beating.when()
        return max(self._blocked, late)
