"""For how long each bound of the gate has kept the next start back.

The gate notes what keeps starts back whenever that may change; until it notes something
else, that bound counts. Seconds at a limit are kept for each limit, since it may be
changed during a run. Time in which a pause left nothing at work counts for itself.
"""

from __future__ import annotations

from typing import Literal

# What keeps the next start back. `trial` is auto before it knows what the provider
# takes, `ramp` the slow start after a hold.
Bound = Literal[
    "limit",
    "cap",
    "pace",
    "hold",
    "knee",
    "trial",
    "ramp",
    "gap",
    "outage",
    "disk",
    "paused",
]
Limit = tuple[int, bool]  # how many at once, and whether in auto


class WaitTimes:
    """Adds up seconds by what kept the next start back.

    Attributes:
        spent: Seconds by bound, without the one that still lasts.
        at_limit: Those of `limit`, by limit.
    """

    def __init__(self) -> None:
        self.spent: dict[Bound, float] = {}
        self.at_limit: dict[Limit, float] = {}
        self._bound: Bound | None = None
        self._since = 0.0
        self._limit, self._auto = 0, False

    def begin(self, now: float) -> None:
        """Counts from now on; what was before does not count."""
        self.spent, self.at_limit = {}, {}
        self._since = now

    def note(self, now: float, bound: Bound | None, *, limit: int, auto: bool) -> None:
        """Notes what keeps the next start back from now on; None is nothing.

        Args:
            now: Seconds on the run's clock.
            bound: That.
            limit: How many at once are allowed by choice.
            auto: Whether the best number below that is looked for.
        """
        last, seconds = self._bound, now - self._since
        if last is not None and seconds:
            self.spent[last] = self.spent.get(last, 0.0) + seconds
            if last == "limit":
                at = self._limit, self._auto
                self.at_limit[at] = self.at_limit.get(at, 0.0) + seconds
        self._bound, self._since = bound, now
        self._limit, self._auto = limit, auto

    def until(self, now: float) -> WaitTimes:
        """Gives a copy that counts what still lasts; from any thread."""
        copy = WaitTimes()
        copy.spent, copy.at_limit = dict(self.spent), dict(self.at_limit)
        copy._bound, copy._since = self._bound, self._since
        copy._limit, copy._auto = self._limit, self._auto
        copy.note(max(now, copy._since), None, limit=0, auto=False)
        return copy
