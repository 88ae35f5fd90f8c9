"""How often a provider takes a call, found by its refusals.

A *mark* is a refusal that says: all that was allowed so far is used up. Between two
marks as many calls were taken as the provider allows in that time, so the pace is the
calls taken ÷ the time; one more than were taken, so that it is rather too fast than too
slow. That bit of optimism makes marks rarer, the more of them there are: each rests on
twice as many calls as the one before. Starts then come out of a bucket of tokens that
fills at that pace (https://en.wikipedia.org/wiki/Token_bucket).

A provider that counts in fixed windows asks for a long wait after many calls; then its
whole quota may go at once.
"""

from __future__ import annotations

import math

FADING = 0.7  # the weight of what was learned before the latest mark
OUTDATED = 3.0, 0.35  # calls, and share of what was expected: a pace so far off
WINDOW_SECONDS, WINDOW_CALLS = 5.0, 5.0  # a wait that long, worth so many: a window
SHALLOW = 3  # fewer taken before the first refusal: never two at once
RESERVE = 1.0
SEARCH = 0.05  # by so much it grows in as many calls as it rests on


class Pace:
    """Spaces starts.

    Attributes:
        per_second: What has been learned; infinity before it is known.
        enacted: Whether it is kept to; set it to false while it is not known whether
            refusals mean that.
    """

    def __init__(self) -> None:
        self.per_second = math.inf
        self.enacted = True
        self._mark: tuple[float, float] | None = None  # when, and the wait after it
        self._before: float | None = None  # the mark before that
        self._sent = 0  # since the mark, and not refused
        self._sent_before = 0  # up to it
        self._base = (0.0, 0.0)  # calls and seconds that the pace rests on
        self._level, self._at = 0.0, 0.0
        self._most = 1.0
        self._deep = True  # whether several may come at once

    @property
    def known(self) -> bool:
        """Whether there is a pace."""
        return self.per_second < math.inf

    def forget(self) -> None:
        """Takes it all back: something else refuses."""
        self.__init__()

    def opens(self, now: float) -> float:
        """Gives when another may start."""
        if not (self.enacted and self.known):
            return now
        level = self._filled(now)
        return now if level >= 1 - 1e-9 else now + (1 - level) / self._speed

    def started(self, now: float) -> None:
        """Takes a token."""
        if self._before is not None:
            self._learn()
        self._sent += 1
        if self.known:
            self._level, self._at = self._filled(now) - 1, now

    def refused(self, *, late: bool) -> None:
        """Notes that a start was not taken: one since the mark, or one before it."""
        if late:
            self._sent_before -= 1
        else:
            self._sent -= 1

    def marked(self, at: float, now: float, wait: float) -> None:
        """Notes that what was allowed is used up.

        Args:
            at: When the call was made that was refused.
            now: When that is known.
            wait: How long nothing is to be started from now.
        """
        if self._mark is not None:
            if not self.known:
                self._deep = self._sent_before >= SHALLOW
            self._before = self._mark[0]
        self._mark = (at, now + wait - at)
        self._speed_at_mark = self._speed
        self._sent_before, self._sent = self._sent, 0

    def _learn(self) -> None:
        """Draws the pace from the two latest marks, once all is known of them.

        Refusals of the same burst come one by one.
        """
        assert self._mark and self._before is not None
        (at, wait), since = self._mark, self._before
        self._before = None
        taken, seconds = max(self._sent_before, 0), at - since
        if seconds <= 0:
            return
        calls, time = self._base
        expected = calls / time * seconds if calls else taken
        if abs(taken - expected) > max(OUTDATED[0], OUTDATED[1] * expected):
            calls, time = 0.0, 0.0
        self._base = calls, time = FADING * calls + taken, FADING * time + seconds
        speed = self._speed_at_mark
        self.per_second = (calls + 1) / time
        if not self._deep and math.isfinite(speed):
            self.per_second = max(self.per_second, (taken / seconds + speed) / 2)
        self._at, self._level = at, 0.0
        self._most = max(1.0, wait * self.per_second)
        if wait >= WINDOW_SECONDS and self._most >= WINDOW_CALLS:
            self._most = max(self._most, taken)
            self._level = self._most - wait * self.per_second
        else:
            self._level = -RESERVE if self._deep else 0.0

    @property
    def _speed(self) -> float:
        return self.per_second * (1 + SEARCH * self._sent / (self._base[0] + 1))

    def _filled(self, now: float) -> float:
        return min(self._most, self._level + (now - self._at) * self._speed)
