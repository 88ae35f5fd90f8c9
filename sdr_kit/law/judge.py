"""What a refusal means: too many at once, or too often.

A provider that says how long to wait is taken to count calls in time, one that says
nothing to count those in flight. Both are found out when it is the other way round:

* who waits as asked, and is refused all the same whenever more are in flight than were
  ever taken, has met a cap;
* where what was taken before is refused again and again, although each time fewer are
  in flight, no cap falls, but something counts in time.
"""

from __future__ import annotations

import math

CAP_MARKS = 3  # refusals in a row above all that was taken: a cap that asks to wait
# So many in a row of calls that went all at once after a wait, and at about as many: a
# cap that asks to wait for longer than answers take. A quota refuses the next one too,
# whatever is in flight; then it is known. Of a few at once nothing can be said.
FULL_MARKS, FULL_LEAST, FULL_SHARE = 2, 5, 0.75
# So many falls of the cap (what was taken is refused, and then less than that), each
# within so many answers of the one before: a rate.
RATE_FALLS, RATE_ANSWERS = 4, 60


class Judge:
    """Remembers the latest refusals.

    Attributes:
        rated: Whether one that says nothing was found to count calls in time.
    """

    def __init__(self) -> None:
        self.rated = False
        # Marks in a row above all that was taken, and the lowest number refused there.
        self._above, self._lowest = 0, math.inf
        self._full, self._full_at = 0, 0  # the same of calls that went all at once
        self._falls, self._answers = 0, 0

    def taken(self, number: int) -> None:
        """Notes that the n-th in flight was not refused."""
        if number >= self._lowest:
            self._forget()

    def is_cap(self, number: int, *, proven: int, sent: int, late: bool) -> bool:
        """Whether a refusal that asks to wait is due to how many are in flight.

        Args:
            number: The n-th in flight was refused.
            proven: So many have been taken.
            sent: Calls since the last wait, with it. When those are all that are in
                flight, it may as well be a quota that is used up.
            late: Whether it is one of a burst whose first refusal is known.
        """
        if not late and number <= proven:
            self._forget()
        elif not late and sent != number:
            self._above += 1
        elif not late and number >= FULL_LEAST:
            alike = number >= FULL_SHARE * self._full_at
            self._full, self._full_at = self._full + 1 if alike else 1, number
        if self._above or self._full:
            self._lowest = min(self._lowest, number)
        return self._above >= CAP_MARKS or self._full >= FULL_MARKS

    def _forget(self) -> None:
        self._above, self._lowest = 0, math.inf
        self._full, self._full_at = 0, 0

    def noticed_fall(self, answers: int) -> bool:
        """Notes that the cap fell after so many answers; says whether it is none."""
        if answers > self._answers + RATE_ANSWERS:
            self._falls = 0
        self._falls, self._answers = self._falls + 1, answers
        self.rated = self.rated or self._falls >= RATE_FALLS
        return self._falls >= RATE_FALLS
