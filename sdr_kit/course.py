"""What the rooms of one run share: its clock, its books, and who is at work.

It is made for one run and lives as long as that. The rules stand elsewhere: who comes
next in the feed, when in the gate, what follows from a call in the aftermath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sdr_kit.feed import Feed
from sdr_kit.limits import Gate
from sdr_kit.progress import State
from sdr_kit.tally import Tally
from sdr_kit.worker import Work


@dataclass(kw_only=True, slots=True)
class Course:
    """One run under way.

    Attributes:
        job_id: The job in its store.
        attended: Whether somebody can answer when the run asks.
        gate: When the next attempt may start.
        feed: Who is next.
        tally: What the run has come to.
        sequential: Whether it is one at a time, whatever concurrency says.
        at_work: Who has a slot, by position.
        workers: What each worker is to begin with, until it has begun.
        now: The running loop's clock; it stands still until there is a loop.
        began: When the run began, on that clock.
        ended_at: When it ended; None before that.
        end: How it is to end, and why; None is by itself.
    """

    job_id: int
    attended: bool
    gate: Gate
    feed: Feed
    tally: Tally
    sequential: bool = False
    at_work: dict[int, Work] = field(default_factory=dict)
    workers: dict[asyncio.Task[None], Work | None] = field(default_factory=dict)
    now: Callable[[], float] = lambda: 0.0
    began: float = 0.0
    ended_at: float | None = None
    end: tuple[State, str | None] | None = None

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begins now; the clock of the run goes on where an earlier one ended."""
        self.began = self.now() - self.tally.seconds

    @property
    def seconds(self) -> float:
        """How long the run takes so far, or took."""
        return (self.now() if self.ended_at is None else self.ended_at) - self.began

    @property
    def found_limit(self) -> int | None:
        """How many at once were found to be best; None: not found, or not fewer."""
        gate = self.gate
        known = [gate.learned.cap, gate.learned.knee if gate.auto else None]
        least = min(filter(None, known), default=gate.limit)
        allowed = gate.allowed  # something less may be a guess
        return least if least == allowed < gate.limit else None

    def slots_changed(self) -> None:
        """Notes how many slots there are from now on."""
        slots = 0 if self.gate.paused else self.gate.allowed
        if slots != self.tally.slots.slots:
            self.tally.slots.change(self.now() - self.began, slots)
