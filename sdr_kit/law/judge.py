"""What a refusal means: too many at once, or too often.

A provider that says how long to wait is taken to count calls in time, one that says
nothing to count those in flight. Both are found out when it is the other way round:

* who waits as asked, and is refused all the same whenever more are in flight than were
  ever taken, has met a cap;
* where what was taken before is refused again and again, although each time fewer are
  in flight, no cap falls, but something counts in time.
"""

from __future__ import annotations

CAP_MARKS = 3  # refusals in a row above all that was taken: a cap that asks to wait
# So many falls of the cap, each within so many answers of the one before: a rate.
RATE_FALLS, RATE_ANSWERS = 3, 60


class Judge:
    """Remembers the latest refusals."""

    def __init__(self) -> None:
        self._above: list[int] = []  # the n-th in flight, refused and never taken
        self._falls, self._answers = 0, 0

    def taken(self, number: int) -> None:
        """Notes that the n-th in flight was not refused."""
        if self._above and number >= min(self._above):
            self._above.clear()

    def is_cap(self, number: int, *, proven: int, sent: int, late: bool) -> bool:
        """Whether a refusal that asks to wait is due to how many are in flight.

        Args:
            number: The n-th in flight was refused.
            proven: So many have been taken.
            sent: Calls since the last wait, with it. When those are all that are in
                flight, it may as well be a quota that is used up.
            late: Whether it is one of a burst whose first refusal is known.
        """
        if late:
            if self._above:
                self._above[-1] = min(self._above[-1], number)
        elif number <= proven:
            self._above.clear()
        elif sent != number:
            self._above.append(number)
        return len(self._above) >= CAP_MARKS

    def is_rate(self, answers: int) -> bool:
        """Notes that the cap fell after so many answers; says whether it is none."""
        if answers > self._answers + RATE_ANSWERS:
            self._falls = 0
        self._falls, self._answers = self._falls + 1, answers
        return self._falls >= RATE_FALLS
