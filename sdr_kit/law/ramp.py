"""How many starts may be out of which nobody knows yet whether they are taken.

A refusal comes at once and an answer may take a minute, so what has not been refused
for a while counts as taken: the ramp goes at the speed of refusals, not of answers.
After a hold it begins with one (the canary) and lets one more out for each that was
taken: the slow start of TCP (RFC 5681).
"""

from __future__ import annotations

import math

# Starts that auto may have out unproven: of the list, at least and at most. What is
# refused of them is lost, and a short list has few calls to lose.
STEP_SHARE, STEP_LEAST, STEP_MOST = 0.04, 4, 16
# What was not refused for so long counts as taken: half a second while no refusal has
# been seen, then a bit longer than the slowest of the latest took.
PROOF_SECONDS, PROOF_REFUSALS = 0.5, 1.4
FADING = 0.9  # by which the slowest refusal is forgotten with each that comes


def step_for(accounts: int) -> int:
    """Gives how many starts of a list may be out unproven."""
    return max(STEP_LEAST, min(STEP_MOST, round(STEP_SHARE * accounts)))


class Ramp:
    """Counts the starts that are out unproven.

    Args:
        allowance: So many may be out; infinity is no bound.

    Attributes:
        allowance: The same.
    """

    def __init__(self, allowance: float = math.inf) -> None:
        self.allowance = allowance
        self.growing = False
        self._unproven: dict[int, float] = {}  # start by ticket, oldest first
        self._slowest_refusal = 0.0

    @property
    def patience(self) -> float:
        """Seconds after which a start counts as taken."""
        return max(PROOF_SECONDS, PROOF_REFUSALS * self._slowest_refusal)

    def begin(self) -> None:
        """Begins with one, as after a hold; what was out before does not count."""
        self.allowance, self.growing = 1, True
        self._unproven.clear()

    def open(self, allowance: float) -> None:
        """Ends the slow start; so many may be out unproven from now on."""
        self.allowance, self.growing = allowance, False
        if math.isinf(allowance):
            self._unproven.clear()

    def started(self, ticket: int, now: float) -> None:
        """Notes a start that is not known to be taken."""
        self._unproven[ticket] = now

    def forget(self, ticket: int) -> bool:
        """Takes a start off, however it ended; says whether it was unproven."""
        return self._unproven.pop(ticket, None) is not None

    def taken(self) -> float:
        """Lets one more out, after a start that was taken; gives how many may be."""
        if self.growing:
            self.allowance += 1
        return self.allowance

    def refused(self, seconds: float) -> None:
        """Notes how long a refusal took."""
        self._slowest_refusal = max(seconds, FADING * self._slowest_refusal)

    def maybe_proven(self, now: float) -> int | None:
        """Takes off the oldest start that has not been refused for long enough."""
        for ticket, started in self._unproven.items():
            if started + self.patience > now:
                return None
            del self._unproven[ticket]
            return ticket
        return None

    @property
    def full(self) -> bool:
        """Whether as many are out as may be."""
        return len(self._unproven) >= self.allowance

    @property
    def next_proof(self) -> float:
        """When the oldest start counts as taken; infinity when none is out."""
        return next(iter(self._unproven.values()), math.inf) + self.patience
