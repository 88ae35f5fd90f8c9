"""How many calls were out when each of a run began, from its attempts.

Only calls that were taken count: a refused one was never at work. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdr_kit.account import Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class AtOnce:
    """A run's calls in the order in which they began.

    Attributes:
        started: When each began, in seconds from the start of the run.
        ended: When it ended.
        refused: Whether the provider refused it.
        number: It was the n-th at work, or would have been.
        burst: To which burst of refusals it belongs, counted from 0; a burst ends when
            a call is taken. -1 for calls that were taken.
    """

    started: NDArray[np.float64]
    ended: NDArray[np.float64]
    refused: NDArray[np.bool_]
    number: NDArray[np.int64]
    burst: NDArray[np.int64]

    @property
    def most(self) -> int:
        """The most that were taken at once."""
        return int(self.number[~self.refused].max(initial=0))

    @property
    def marks(self) -> NDArray[np.float64]:
        """When each burst of refusals began."""
        _, first = np.unique(self.burst[self.refused], return_index=True)
        return self.started[self.refused][first]

    def taken_between(self, since: float, until: float) -> int:
        """Gives how many calls that were taken began from `since` to before `until`."""
        own = self.started[~self.refused]
        return int(((own >= since) & (own < until)).sum())

    def busy_between(self, since: float, until: float) -> float:
        """Gives the share of the most at once that was at work, on average."""
        begin = np.clip(self.started[~self.refused], since, until)
        end = np.clip(self.ended[~self.refused], since, until)
        whole = (until - since) * self.most
        return float((end - begin).sum() / whole) if whole else 0.0


def at_once(attempts: Sequence[Attempt]) -> AtOnce:
    """Counts the calls of a run; those that were cancelled too."""
    refused = np.array([each.outcome == "rate_limited" for each in attempts], bool)
    started = np.array([each.started for each in attempts], float)
    ended = started + np.array([each.seconds for each in attempts], float)
    # Of calls that began in the same moment, the first were taken.
    order = np.lexsort((refused, started))
    started, ended, refused = started[order], ended[order], refused[order]
    begun = np.cumsum(~refused) - ~refused  # taken before this one
    over = np.searchsorted(np.sort(ended[~refused]), started, side="right")
    return AtOnce(
        started=started,
        ended=ended,
        refused=refused,
        number=np.maximum(begun - over, 0) + 1,
        burst=np.where(refused, np.unique(begun, return_inverse=True)[1], -1),
    )
