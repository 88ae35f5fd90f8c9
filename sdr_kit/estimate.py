"""What the rest of a list will take at one concurrency, from what some accounts took.

The accounts researched so far are taken as a random sample of the others; the ranges
are those of `sdr_kit.outlook`, which hold the truth in 80 of 100 cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from sdr_kit.account import Outcome
from sdr_kit.outlook import Known, Outlook, Range
from sdr_kit.settings import AUTO, Concurrency
from sdr_kit.words import between, counted, dollars_between, duration

T = TypeVar("T")

SAMPLE = 10  # accounts that are researched first when nothing is known
KNOWN = 1_000  # accounts that an estimate is drawn from, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What researching some accounts will take.

    Attributes:
        accounts: How many.
        concurrency: How many at once, or `"auto"`.
        sample: From how many accounts it is drawn.
        seconds: By the clock, retries included.
        cost_usd: US dollars; None when nobody says what it costs.
        failing: How many are given up.
    """

    accounts: int
    concurrency: Concurrency
    sample: int
    seconds: Range
    cost_usd: Range | None
    failing: Range

    @classmethod
    def of(
        cls, outlook: Outlook, seconds: Range, *, concurrency: Concurrency, sample: int
    ) -> Estimate:
        """Gives what was drawn, as ranges."""
        return cls(
            accounts=outlook.accounts,
            concurrency=concurrency,
            sample=sample,
            seconds=seconds,
            cost_usd=None if outlook.costs is None else Range.of(outlook.costs),
            failing=outlook.failing,
        )

    @property
    def said(self) -> tuple[str, str, str]:
        """Time, cost and failures as a person writes them."""
        time, cost, failing = self.seconds, self.cost_usd, self.failing
        return (
            between(duration(time.low), duration(time.high)),
            "cost unknown" if cost is None else dollars_between(cost.low, cost.high),
            between(f"{failing.low:,.0f}", f"{failing.high:,.0f}"),
        )

    def __str__(self) -> str:
        *parts, failing = self.said
        if self.failing.high >= 1:
            parts.append(f"{failing} failing")
        accounts = counted(self.accounts, "account")
        auto = self.concurrency == AUTO
        at_once = "in auto" if auto else f"at {self.concurrency}"
        return f"{accounts} {at_once}: {', '.join(parts)}"


def known_of(outcomes: Iterable[Outcome]) -> list[Known]:
    """Gives how accounts went of which only the outcome is at hand: as one call."""
    asked = [each for each in outcomes if not each.reused]
    return [
        Known(
            legs=[(0.0, each.seconds)],
            cost_usd=each.cost_usd,
            failed=each.status == "failed",
        )
        for each in thinned(asked)
    ]


def thinned(known: Sequence[T]) -> list[T]:
    """Gives at most `KNOWN` of them, evenly over the list."""
    places = np.linspace(0, len(known) - 1, min(len(known), KNOWN))
    return [known[round(place)] for place in places]
