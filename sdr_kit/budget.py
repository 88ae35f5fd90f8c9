"""What a job may cost: whether another call may be made, counting what is in flight.

Nobody knows what a call costs before it has ended. So each one in flight, and the next,
is taken to cost what the calls so far have cost on average; a budget is overrun by what
was in flight at most, and as a rule by nothing. Until the first cost is known there is
one call at a time.
"""

from __future__ import annotations

import math

from sdr_kit.account import Attempt
from sdr_kit.words import dollars

ROUNDING = 1e-9  # sums of cents are no whole cents in binary


class Budget:
    """The money of one job, over all its runs.

    Args:
        usd: US dollars that it may cost in all; infinity is no bound.

    Attributes:
        usd: The same; it may be changed at any time.
        spent: What the calls that have ended cost, where somebody says so.
    """

    def __init__(self, usd: float) -> None:
        self.usd = usd
        self.spent = 0.0
        self._priced = 0  # calls whose cost is known
        self._unpriced = False  # an answer came, and nobody said what it cost

    @property
    def bounded(self) -> bool:
        """Whether there is a budget at all."""
        return self.usd < math.inf

    def take_up(self, usd: float, *, calls: int) -> None:
        """Goes on from what so many calls have cost."""
        self.spent, self._priced = usd, calls

    def spend(self, attempt: Attempt) -> None:
        """Counts a call that has ended."""
        cost = None if attempt.usage is None else attempt.usage.cost_usd
        if cost is not None:
            self.spent += cost
            self._priced += 1
        elif attempt.outcome == "completed":
            self._unpriced = True

    def allows(self, in_flight: int) -> bool:
        """Says whether one more call may be made beside those in flight."""
        if not self.bounded:
            return True
        if not self._priced and in_flight:
            return False
        expected = self.spent / self._priced if self._priced else 0.0
        after = self.spent + expected * (in_flight + 1)
        return not self._unpriced and after <= self.usd * (1 + ROUNDING)

    @property
    def reason(self) -> str:
        """Says why no more calls are made."""
        budget = f"The budget of {dollars(self.usd)}"
        if self._unpriced:
            return (
                f"{budget} cannot be held, because the researcher does not say what an "
                "answer costs. Set the prices of its model (OPENAI_PRICES, "
                "ANTHROPIC_PRICES; your own function: return cost_usd), or run without "
                "a budget."
            )
        return (
            f"{budget} is reached: {dollars(self.spent)} spent, and the next account "
            "would go beyond it. Raise the budget to go on where it stopped."
        )
