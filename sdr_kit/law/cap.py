"""How many at once a provider takes, found by its refusals.

What is known lies between two numbers: so many have been taken (`proven`), and more
than so many are refused (`ceiling`). Below the one, starts are free; between the two
they are tried a few at a time; above, one goes as a probe now and then, and the more
rarely the more of them were in vain.
"""

from __future__ import annotations

import math
from typing import Literal

FIRST_STEP = (4, 16, 0.03)  # starts to be tried at once: at least, at most, of the list
FALL = 0.85  # to which part the ceiling falls when what was proven is refused
# Answers before a probe: so many times the ceiling when it has just changed, and when a
# probe was in vain so many at least, which bounds the calls that are wasted on them.
PROBE_CEILING, PROBE_ANSWERS = 0.7, 30
GROWTH = 16  # by so much the ceiling grows at most when a probe was taken

# More than was ever taken; less than that; and again before anything was taken.
Refusal = Literal["above", "fell", "falling"]


class Cap:
    """Bounds how many are in flight.

    Args:
        known: The most that an earlier run found to be taken; None when nothing is.

    Attributes:
        proven: So many at once have been taken.
        ceiling: More than so many are refused; infinity before any refusal.
        answers: How many there have been.
    """

    def __init__(self, known: int | None = None) -> None:
        self.proven = known or 0
        self.ceiling: float = known or math.inf
        self.answers = 0
        # What was known before may be outdated: it is probed at once, in large steps.
        self._growth = GROWTH if known else 1
        self._falling = False  # nothing has been taken since the cap fell
        self._probe = 0  # the n-th in flight that was tried above the ceiling
        # When a probe was made last, and how many answers must come before the next.
        self._probed, self._patience = 0, 0.0

    def forget(self) -> None:
        """Takes the ceiling back: it was something else that refused."""
        self.ceiling, self._falling = math.inf, False

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
        self._falling = False
        self.proven = max(self.proven, number)
        if number > self.ceiling:
            self.ceiling = number + self._growth - 1
            self._growth = min(2 * self._growth, GROWTH)
            self._patience = 0.0

    def refused(self, number: int) -> Refusal:
        """Notes that the n-th in flight was refused, and says what that is.

        What had been taken before is refused when the cap has fallen, or when something
        else refuses.
        """
        self._growth, self._probed = 1, self.answers
        if number > self.proven and not self._falling:
            self.ceiling = max(1, min(self.ceiling, number - 1))
            self._patience = PROBE_CEILING * self.ceiling
            if number == self._probe:
                self._patience = max(self._patience, PROBE_ANSWERS)
            return "above"
        before, self._falling = self._falling, True
        self.ceiling = max(1, math.floor(FALL * (number - 1)))
        self.proven, self._patience = 0, PROBE_CEILING * self.ceiling
        return "falling" if before else "fell"
