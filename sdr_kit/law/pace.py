"""How often a provider takes a call, found by its refusals.

A *mark* is a refusal that says: all that was allowed so far is used up. Between two
marks as many calls were taken as the provider allows in that time, so the pace is the
calls taken ÷ the time; one more than were taken, so that it is rather too fast than too
slow. That bit of optimism makes marks rarer, the more of them there are: each rests on
twice as many calls as the one before. Starts then come out of a bucket of tokens that
fills at that pace (https://en.wikipedia.org/wiki/Token_bucket), and the pace grows
little by little until the next mark, in case the provider allows more by now.

A provider that counts in fixed windows asks for a long wait after many calls; then its
whole quota may go at once. One that never takes two calls at once has no room for what
is not used: there, calls taken ÷ time is too slow, and the pace goes half way to the
one that was refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FADING = 0.7  # the weight of what was learned before the latest mark
# What is further off than so many calls, or such a share of what was expected, shows
# that the provider allows another pace by now.
OUTDATED_CALLS, OUTDATED_SHARE = 3.0, 0.35
WINDOW_SECONDS, WINDOW_CALLS = 5.0, 5.0  # a wait that long, worth so many: a window
SHALLOW = 3  # fewer taken before the first refusal: never two at once
RESERVE = 2.0  # calls that are kept back after a mark: what calls use up differs
# The pace grows while nothing is refused: hardly in as many calls as it rests on (or so
# many, if those are fewer), and steeply after twice as many, when a mark is overdue; to
# so many times as much. A very slow one grows by the time too: its calls are few.
SEARCH, SEARCH_CALLS, SEARCH_SECONDS = 0.01, 30.0, 1_200.0
STEEP, FASTEST = 3, 100.0
REMEMBERED = 8.0  # calls that a pace known from before rests on
# A remembered pace is wrong when so many times more were taken, none of them refused,
# than it allows in the time and in a minute, all at once (or so many, if that is less).
REFUTED, BURST_SECONDS, BURST_LEAST = 1.5, 60.0, 10.0


@dataclass(slots=True)
class _Lesson:
    """Two marks. Refusals of one burst come one by one, so it is drawn from later.

    Attributes:
        since: The earlier one; None when there is none.
        at: The later one.
        taken: Calls between them.
        speed: The pace just before the later one.
        wait: How long after it nothing is to be started.
    """

    since: float | None
    at: float
    taken: int
    speed: float
    wait: float


class Pace:
    """Spaces starts.

    Args:
        per_second: What is known from an earlier run; infinity is nothing.

    Attributes:
        per_second: What has been learned; infinity before it is known.
        enacted: Whether it is kept to: not while it is unclear what refusals mean.
        confirmed: Whether this run has found it to be so, or not to be; None is
            neither.
    """

    def __init__(self, per_second: float = math.inf) -> None:
        self.per_second = per_second
        self.enacted = True
        self.confirmed: bool | None = None
        # Calls and seconds that the pace rests on.
        self._base = (REMEMBERED, REMEMBERED / per_second) if self.known else (0.0, 0.0)
        # Tokens, and when there were so many. Before the first mark nobody knows how
        # many calls are taken at once, even when it is known how often one is.
        self._level, self._at, self._most = math.inf, -math.inf, math.inf
        self._deep: bool | None = None
        self._doubted = False  # whether the latest lesson was far too slow to believe
        self._sent = 0  # since the mark, and not refused
        self._since: float | None = None  # when, or when the first of them was sent
        self._idle = False  # whether tokens were left unused since the mark
        self._mark: float | None = None  # when
        self._longest = 0.0  # wait; one call is taken in so long, as the provider says
        self._lesson: _Lesson | None = None

    @property
    def known(self) -> bool:
        """Whether there is a pace."""
        return self.per_second < math.inf

    @property
    def seen(self) -> float:
        """The same, or what was taken since the mark, if that is more."""
        since = self._mark
        if since is None or self._at <= since or self._sent < REMEMBERED:
            return self.per_second
        return max(self.per_second, self._sent / (self._at - since))

    def opens(self, now: float) -> float:
        """Gives when another may start."""
        if not (self.enacted and self.known):
            return now
        level = self._filled(now)
        return now if level >= 1 - 1e-9 else now + (1 - level) / self._speed

    def started(self, now: float) -> None:
        """Takes a token."""
        if self._lesson is not None:
            self._learn(self._lesson)
            self._lesson = None
        self._sent += 1
        if self._since is None:
            self._since = now
        if self.known and self._mark is None and self.confirmed is None:
            self._doubt(now - self._since)
        if self.known:
            level = self._level + (now - self._at) * self._speed
            self._idle = self._idle or level > self._most + 1
            self._level, self._at = min(level, self._most) - 1, now

    def _doubt(self, seconds: float) -> None:
        """Gives up a remembered pace that was passed by far without a refusal."""
        burst = max(BURST_SECONDS * self.per_second, BURST_LEAST)
        if self._sent > REFUTED * (self.per_second * seconds + burst):
            self.per_second, self._base, self.confirmed = math.inf, (0.0, 0.0), False

    def sent(self, number: int) -> None:
        """Notes how many have started while nobody told it."""
        self._sent = number

    def refused(self, *, late: bool) -> None:
        """Notes that a start was not taken; `late` is one from before the mark."""
        if not late:
            self._sent -= 1
        elif self._lesson is not None:
            self._lesson.taken -= 1

    def marked(self, at: float, wait: float) -> None:
        """Notes that what was allowed is used up.

        Args:
            at: When the call was made that was refused.
            wait: How long after that nothing is to be started.
        """
        self._lesson = _Lesson(self._mark, at, self._sent, self._speed, wait)
        self._mark, self._since, self._sent = at, at, 0
        self._longest = max(self._longest, wait)

    def interrupted(self) -> None:
        """Notes that starts were kept back by something else for a while."""
        self._mark, self._since, self._lesson, self._sent = None, None, None, 0

    def _learn(self, lesson: _Lesson) -> None:
        """Draws the pace from two marks, once all refusals of the later are known."""
        if self._deep is None:
            self._deep = lesson.taken >= SHALLOW
        # When nothing was taken, the wait was too short; that says nothing of the pace.
        if lesson.since is not None and lesson.at > lesson.since and lesson.taken > 0:
            self._adapt(lesson, lesson.at - lesson.since)
        self._idle = False
        if self.known:
            self._empty(lesson)

    def _adapt(self, lesson: _Lesson, seconds: float) -> None:
        taken = lesson.taken
        calls, time = self._base
        expected = calls / time * seconds if calls else taken
        off = taken - expected
        if abs(off) > max(OUTDATED_CALLS, OUTDATED_SHARE * expected):
            # Far fewer, once: something else kept starts back (the provider was away
            # and asked for a long wait). Twice in a row it is the pace.
            self._doubted = off < 0 and not self._doubted
            if self._doubted:
                return
            calls, time = 0.0, 0.0
        self._doubted = False
        # Two marks may be chance, and the pace that of those who asked; a third that
        # comes where it was expected is none.
        agreed = calls > 0
        calls, time = FADING * calls + taken, FADING * time + seconds
        fresh = (calls + 1) / time
        if not self._deep and lesson.speed < math.inf:
            fresh = max(fresh, (taken / seconds + lesson.speed) / 2)
        if self._longest > 0:
            fresh = max(fresh, 1 / self._longest)
        if not self._idle or fresh > self.per_second:
            self._base, self.per_second = (calls, time), fresh
            self.confirmed = agreed or self.confirmed

    def _empty(self, lesson: _Lesson) -> None:
        """Takes the bucket for empty at the mark."""
        self._at, self._level = lesson.at, -RESERVE if self._deep else 0.0
        refilled = lesson.wait * self.per_second
        self._most = max(1.0, refilled)
        if lesson.wait >= WINDOW_SECONDS and refilled >= WINDOW_CALLS:
            self._most = max(refilled, lesson.taken)
            self._level = self._most - refilled

    @property
    def _speed(self) -> float:
        since = self._sent / (min(self._base[0], SEARCH_CALLS) + 1)
        if self._since is not None:
            since += max(0.0, self._at - self._since) / SEARCH_SECONDS
        growth = 1 + SEARCH * since * (1 + since**STEEP)
        return self.per_second * min(growth, FASTEST)

    def _filled(self, now: float) -> float:
        return min(self._most, self._level + (now - self._at) * self._speed)
