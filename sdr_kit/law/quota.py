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


class Quota:
    """Says when the next call may go, by what the provider says."""

    def __init__(self) -> None:
        self._requests, self._tokens = _Meter(), _Meter()
        self._tokens_of_a_call = 0.0  # mean

    @property
    def per_second(self) -> float:
        """Calls that come back a second; infinity when nobody has said."""
        return min(self._requests.per_second, self._tokens.per_second)

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
        left, reset = limits.requests_remaining, limits.requests_reset_seconds
        if left is not None and reset:
            said = _Said(limits.requests_limit or math.inf, left, reset)
            self._requests.told(said, ticket=ticket, at=started)
        if tokens:
            weight = WEIGHT if self._tokens_of_a_call else 1.0
            self._tokens_of_a_call += weight * (tokens - self._tokens_of_a_call)
        left, reset = limits.tokens_remaining, limits.tokens_reset_seconds
        each = self._tokens_of_a_call
        if left is not None and reset and each:
            most = (limits.tokens_limit or math.inf) / each
            said = _Said(most, max(left / each - RESERVE, 0), reset)
            self._tokens.told(said, ticket=ticket, at=started)

    def refused(self, ticket: int) -> None:
        """Notes that a call was not taken, so that it used up nothing."""
        self._requests.refused(ticket)
        self._tokens.refused(ticket)

    def opens(self, ticket: int, now: float) -> float:
        """Gives when another may start; `ticket` is that of the latest start."""
        return max(self._requests.opens(ticket, now), self._tokens.opens(ticket, now))


@dataclass(frozen=True, slots=True)
class _Said:
    """What one answer said of one limit, in calls; an unknown limit is infinite."""

    limit: float
    remaining: float
    reset: float

    @property
    def rate(self) -> float:
        """Calls a second that come back, were it a bucket; 0 when nobody can say."""
        used = self.limit - self.remaining
        return used / self.reset if 0 < used < math.inf else 0.0


class _Meter:
    """One limit, as the answers tell it.

    Attributes:
        per_second: Calls that come back a second; infinity when that is not known.
    """

    def __init__(self) -> None:
        self.per_second = math.inf
        self._said: _Said | None = None
        self._ticket, self._at = 0, 0.0
        self._refused = 0  # of what was started since
        self._first: tuple[_Said, float] | None = None  # of this window, and when
        self._window = False
        self._longest = 0.0  # time until more was to come

    def told(self, said: _Said, *, ticket: int, at: float) -> None:
        """Takes what an answer says; one that tells of an earlier time is old news."""
        if ticket <= self._ticket:
            return
        self._longest = max(self._longest, said.reset)
        self._tell_apart(said, at)
        self._said, self._ticket, self._at, self._refused = said, ticket, at, 0

    def refused(self, ticket: int) -> None:
        """Notes that a call was not taken."""
        if ticket > self._ticket:
            self._refused += 1

    def opens(self, ticket: int, now: float) -> float:
        """Gives when another may start."""
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
            rate = said.limit / self._longest if self._window else said.rate
            self.per_second = rate or self.per_second
