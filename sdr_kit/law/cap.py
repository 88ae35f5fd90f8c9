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
PROBE_SUCCESSES = 0.7  # so many times the ceiling must succeed before a probe
PROBE_FADE = 1.5  # by which probes become rarer with each that is refused
RAREST = 2.0  # how much rarer they become at most
GROWTH = 16  # by so much the ceiling grows at most when a probe was taken
SPARE = 1.0, 0.02  # refusals allowed to probes: so many, and so many a success

# More than was ever taken; less than that; and again before anything was taken.
Refusal = Literal["above", "fell", "falling"]


class Cap:
    """Bounds how many are in flight.

    Attributes:
        proven: So many at once have been taken.
        ceiling: More than so many are refused; infinity before any refusal.
    """

    def __init__(self) -> None:
        self.proven = 0
        self.ceiling = math.inf
        self._growth = 1
        self._rarity = 1.0
        self._falling = False  # nothing has been taken since the cap fell
        self._successes = 0  # since the last probe or refusal
        self._probe = 0  # the n-th in flight that was tried above the ceiling
        self._refused, self.accepted = 0, 0

    def forget(self) -> None:
        """Takes the ceiling back: it was something else that refused."""
        self.ceiling, self._falling = math.inf, False

    def allows(self, number: int) -> bool:
        """Whether so many may be in flight."""
        if number <= self.ceiling:
            return True
        low, share = SPARE
        return (
            number == self.ceiling + 1
            and self._successes >= PROBE_SUCCESSES * self._rarity * self.ceiling
            and self._refused <= low + share * self.accepted
        )

    def started(self, number: int) -> None:
        """Notes a start as the n-th in flight."""
        if number > self.ceiling:
            self._probe, self._successes = number, 0

    def succeeded(self) -> None:
        """Notes an answer."""
        self._successes += 1
        self.accepted += 1

    def taken(self, number: int) -> None:
        """Notes that so many in flight were not refused."""
        self._falling = False
        self.proven = max(self.proven, number)
        if number > self.ceiling:
            self.ceiling = number + self._growth - 1
            self._growth = min(2 * self._growth, GROWTH)
            self._rarity = 1.0
            self._successes = 10**9 if self._growth > 1 else 0

    def refused(self, number: int) -> Refusal:
        """Notes that the n-th in flight was refused, and says what that is.

        What had been taken before is refused when the cap has fallen, or when something
        else refuses.
        """
        self._growth, self._successes = 1, 0
        if number > self.proven and not self._falling:
            if number == self._probe:
                self._refused += 1
                self._rarity = min(PROBE_FADE * self._rarity, RAREST)
            self.ceiling = max(1, min(self.ceiling, number - 1))
            return "above"
        before, self._falling = self._falling, True
        self.ceiling = max(1, math.floor(FALL * (number - 1)))
        self.proven, self._rarity = 0, 1.0
        return "falling" if before else "fell"
