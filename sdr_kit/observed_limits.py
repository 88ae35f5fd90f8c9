"""What is known of a provider's limits: from some attempts, and from earlier runs.

Pure: attempts and what was learned in, a value out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sdr_kit.account import Attempt
from sdr_kit.at_once import at_once
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.observed_cap import maybe_cap
from sdr_kit.observed_knee import maybe_knee
from sdr_kit.observed_rate import maybe_starts_per_minute


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedLimits:
    """The limits of a provider, as far as they are known.

    Attributes:
        per_minute: So many calls a minute are taken; None is not known.
        cap: So many calls at once are taken, and no more; None is not known.
        knee: More at once than so many only make each slower; None is not known.
        taken: So many at once have been taken, 1 at least.
    """

    per_minute: float | None
    cap: int | None
    knee: int | None
    taken: int

    @property
    def at_once(self) -> float:
        """More at once than so many are no faster; infinity when that is not known."""
        return min(self.cap or math.inf, self.knee or math.inf)

    def sentences(self, most: int) -> list[str]:
        """What bounds a run of at most so many at once, a sentence each."""
        said = []
        if self.per_minute is not None:
            said.append(
                f"The provider takes about {self.per_minute:,.0f} calls a minute; more "
                "at once does not make it faster than that."
            )
        if self.cap is not None and self.cap < most:
            said.append(
                f"The provider takes {self.cap:,} calls at once and refuses more; a "
                "higher concurrency is no faster."
            )
        if self.knee is not None and self.knee < most:
            said.append(f"More than {self.knee:,} at once only make each slower.")
        return said


def observed_limits(
    attempts: Sequence[Attempt], learned: Learned = NOTHING_LEARNED
) -> ObservedLimits:
    """Puts together what the attempts of a run and earlier runs say."""
    calls = at_once(attempts)
    return ObservedLimits(
        per_minute=maybe_starts_per_minute(
            attempts, calls=calls, learned=learned.per_minute
        ),
        cap=maybe_cap(calls, learned=learned.cap),
        knee=maybe_knee(calls, learned=learned.knee),
        taken=max(1, calls.most, learned.harmless or 0),
    )
