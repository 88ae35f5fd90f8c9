"""What a provider says remains of its limits, and when there is more.

Answers carry it in their headers, but come late: a call that took a minute tells what
remained a minute ago. So each is dated back to its start, and what was started since
is taken off. What remains is there again little by little (a token bucket, whose reset
grows with what is used) or all at once (a fixed window, whose reset does not); two
answers tell them apart. Tokens are counted in calls, by what calls took on average.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sdr_kit.account import RateLimits

APART = 0.1  # of the reset: two ends further apart can be told apart
# A window is taken to end so much later than was said, of its rest and at most in
# seconds: calls on their way would come just before its end, and all be refused.
MARGIN, MARGIN_SECONDS = 0.02, 0.5
WEIGHT = 0.1  # of each answer in the mean tokens of a call
RESERVE = 2.0  # calls of an average size that are left when tokens are counted


@dataclass(frozen=True, slots=True)
class _Said:
    """What one answer said, in calls."""

    limit: float
    remaining: float
    reset: float

    @property
    def rate(self) -> float:
        """Calls a second that come back, were it a bucket; 0 when none are missing."""
        used = self.limit - self.remaining
        return used / self.reset if used > 0 and self.reset > 0 else 0.0


class Quota:
    """Says when the next call may go, by what the provider says.

    Attributes:
        per_second: Calls that come back a second; infinity when nobody has said.
    """

    def __init__(self) -> None:
        self.per_second = math.inf
        self._said: _Said | None = None
        self._ticket, self._at = 0, 0.0
        self._refused = 0  # of what was started since
        self._first: tuple[_Said, float] | None = None  # of this window, and when
        self._window = False
        self._longest = 0.0  # time until more was to come
        self._tokens = 0.0  # mean of a call

    def told(
        self, limits: RateLimits, *, ticket: int, started: float, tokens: int = 0
    ) -> None:
        """Takes what an answer says.

        Args:
            limits: That.
            ticket: Of the call.
            started: When it was made, on the run's clock.
            tokens: What it took; 0 when nobody says.
        """
        if tokens:
            self._tokens += (WEIGHT if self._tokens else 1.0) * (tokens - self._tokens)
        if ticket <= self._ticket:
            return
        said = min(self._all(limits), key=lambda each: each.remaining, default=None)
        if said is None:
            return
        self._tell_apart(said, started)
        self._longest = max(self._longest, said.reset)
        self._said, self._ticket, self._at, self._refused = said, ticket, started, 0

    def _tell_apart(self, said: _Said, at: float) -> None:
        """Judges by two answers whether what remains comes back at once.

        A window ends when it was said to; a bucket is full later, the more was used.
        """
        if self._first is None or at > self._first[1] + self._first[0].reset:
            self._first = said, at
            return
        (first, began), end = self._first, at + said.reset
        if not first.rate:
            self._first = said, at
            return
        as_window = began + first.reset
        as_bucket = at + (said.limit - said.remaining) / first.rate
        if abs(as_bucket - as_window) > APART * said.reset:
            self._window = abs(end - as_window) < abs(end - as_bucket)
            self.per_second = math.inf if self._window else said.rate

    def refused(self, ticket: int) -> None:
        """Notes that a call was not taken, so that it used up nothing."""
        if ticket > self._ticket:
            self._refused += 1

    def opens(self, ticket: int, now: float) -> float:
        """Gives when another may start; `ticket` is that of the latest start."""
        said = self._said
        if said is None:
            return now
        left = said.remaining - (ticket - self._ticket - self._refused)
        if left >= 1:
            return now
        if not self._window and said.rate:
            return max(now, self._at + (1 - left) / said.rate)
        again = self._at + said.reset + min(MARGIN * said.reset, MARGIN_SECONDS)
        if again > now:
            return again
        # The next window has begun, with all of its calls. It lasts as long as any, if
        # no answer says more: all may fail.
        self._said = _Said(said.limit, said.limit, self._longest)
        self._ticket, self._at, self._refused = ticket, now, 0
        return now

    def _all(self, limits: RateLimits) -> list[_Said]:
        found = []
        if limits.requests_remaining is not None and limits.requests_reset_seconds:
            most = limits.requests_limit or math.inf
            found.append(
                _Said(most, limits.requests_remaining, limits.requests_reset_seconds)
            )
        if (
            limits.tokens_remaining is not None
            and limits.tokens_reset_seconds
            and self._tokens
        ):
            most = (limits.tokens_limit or math.inf) / self._tokens
            left = limits.tokens_remaining / self._tokens
            found.append(
                _Said(most, max(left - RESERVE, 0), limits.tokens_reset_seconds)
            )
        return found
