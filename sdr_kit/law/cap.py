"""How many at once a provider takes, found by its refusals.

What is known lies between two numbers: so many have been taken (`proven`), and more
than so many are refused (`ceiling`). Below the one, starts are free; between the two
they are tried a few at a time; above, one goes as a probe now and then, and the more
rarely the more of them were in vain.
"""

from __future__ import annotations

import math
from typing import Literal

FALL = 0.85  # to which part the ceiling falls when what was proven is refused
# Answers before a probe: so many times the ceiling when it has just changed, and when a
# probe was in vain so many at least, which bounds the calls that are wasted on them.
PROBE_CEILING, PROBE_ANSWERS = 0.7, 30
GROWTH = 16  # by so much the ceiling grows at most when a probe was taken

# More than was ever taken; less than that, which may be chance (the provider has not
# heard yet that another call has ended); and less again before anything was taken.
Refusal = Literal["above", "once", "again"]


class Cap:
    """Bounds how many are in flight.

    Args:
        known: The most that an earlier run found to be taken; None when nothing is.

    Attributes:
        proven: So many at once have been taken.
        ceiling: More than so many are refused; infinity before any refusal.
        answers: How many there have been.
        falls: How often what was proven was refused since anything was taken.
        confirmed: Whether this run has met the ceiling, or has seen that there is none
            where it was; None is neither.
    """

    def __init__(self, known: int | None = None) -> None:
        self.proven = known or 0
        self.ceiling: float = known or math.inf
        self.answers = 0
        self.confirmed: bool | None = None
        # What was known before may be outdated: it is probed at once, in large steps.
        self._growth = GROWTH if known else 1
        self.falls = 0  # in a row, before anything was taken
        self._refused_at = math.inf  # the lowest probe that was refused lately
        self._probe = 0  # the n-th in flight that was tried above the ceiling
        # When a probe was made last, and how many answers must come before the next.
        self._probed, self._patience = 0, 0.0

    def forget(self) -> None:
        """Takes the ceiling back: it was something else that refused."""
        self.ceiling, self.falls, self.confirmed = math.inf, 0, False

    def allows(self, number: int) -> bool:
        """Whether so many may be in flight."""
        if number <= self.ceiling:
            return True
        return (
            number == self.ceiling + 1 and self.answers - self._probed >= self._patience
        )

    def started(self, number: int) -> None:
        """Notes a start as the n-th in flight."""
        if number > self.ceiling:
            self._probe, self._probed = number, self.answers

    def succeeded(self) -> None:
        """Notes an answer."""
        self.answers += 1

    def taken(self, number: int) -> None:
        """Notes that so many in flight were not refused."""
        self.falls = 0
        self.proven = max(self.proven, number)
        if number >= self._refused_at:
            self._refused_at = math.inf
        if number <= self.ceiling:
            return
        self.confirmed = number + 1 == self._refused_at
        if self.confirmed:  # back at what was known
            self.ceiling, self._patience = number, PROBE_ANSWERS
            return
        self.ceiling = number + self._growth - 1
        self._growth = min(2 * self._growth, GROWTH)
        self._patience = 0.0

    def refused(self, number: int) -> Refusal:
        """Notes that the n-th in flight was refused, and says what that is.

        What had been taken before is refused when the cap has fallen, or when something
        else refuses.
        """
        self._growth, self._probed, self.confirmed = 1, self.answers, True
        if number > self.proven and not self.falls:
            self.ceiling = max(1, min(self.ceiling, number - 1))
            self._patience = PROBE_CEILING * self.ceiling
            if number == self._probe:
                self._refused_at = number
                self._patience = max(self._patience, PROBE_ANSWERS)
            return "above"
        self.falls += 1
        fall = 1.0 if self.falls == 1 else FALL
        self.ceiling = max(1, math.floor(fall * (number - 1)))
        self.proven = int(self.ceiling) if self.falls == 1 else 0
        self._patience = PROBE_CEILING * self.ceiling
        return "once" if self.falls == 1 else "again"
