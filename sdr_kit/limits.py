"""How many accounts at once, and not before when.

The gate is told what happens (a start, an end and how it ended) and answers one
question: how long must the next start wait? It reads no clock, sleeps nowhere and
knows no account; `now` is passed in, so a whole run can be replayed. It keeps four
rules:

* never more than `limit` at once, never two starts closer than `gap`;
* a rate limit belongs to the provider: when one call is refused, all starts are held
  for as long as the provider asked;
* so does an outage: when everything has failed for a while, all starts are held and
  single probes go out at growing intervals;
* after a hold one account goes ahead (the canary), and as answers come in the others
  follow, one more for each answer: the slow start of TCP (RFC 5681), so that a
  provider that has just recovered is not hit by everyone at once.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, replace
from typing import Literal

import tenacity

from sdr_kit.account import AttemptOutcome, RateLimits
from sdr_kit.law.cap import FIRST_STEP, Cap
from sdr_kit.law.knee import Knee
from sdr_kit.law.pace import Pace
from sdr_kit.law.quota import Quota
from sdr_kit.law.ramp import Ramp

OUTAGE_ATTEMPTS = 10  # at least so many failures in a row before an outage is assumed
# A canary is taken as accepted when it was not refused for so long: a second, or three
# times as long as refusals take.
PROOF_SECONDS, PROOF_REFUSALS = 1.0, 3.0
SAME_FAILURES = 10  # so many equal permanent failures in a row raise a question

CAP_MARKS = 3  # refusals in a row above all that was taken: a cap that asks to wait

# So many falls of the cap, each within so many successes of the one before: a rate.
RATE_FALLS, RATE_SUCCESSES = 3, 60

_Start = tuple[int, float]  # how many were in flight with it, and when
_WORD_WITH_DIGIT = re.compile(r"\S*\d\S*")


class Backoff:
    """How long to wait before try n: exponential, capped, with full jitter.

    Args:
        initial: Upper end of the first wait, in seconds; it doubles each time.
        maximum: Where the doubling ends, in seconds.
        rng: Where the jitter comes from; pass a seeded one to replay a run.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, *, initial: float, maximum: float, rng: random.Random) -> None:
        self._ceiling = tenacity.wait_exponential(multiplier=initial, max=maximum)
        self._rng = rng

    def ceiling(self, tries: int) -> float:
        """Gives the longest wait after this many tries, in seconds."""
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = tries
        return float(self._ceiling(state))

    def jittered(self, tries: int) -> float:
        """Draws a wait from 0 to the ceiling, in seconds."""
        return self._rng.uniform(0, self.ceiling(tries))


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why nothing starts at the moment.

    Attributes:
        kind: The provider refuses (`rate_limit`) or fails (`outage`).
        since: When the provider last gave an answer to go by, on the run's clock.
        until: When the next account goes ahead, on the run's clock.
        reason: What the provider said, in plain words.
    """

    kind: Literal["rate_limit", "outage"]
    since: float
    until: float
    reason: str


class Gate:
    """Decides when the next attempt may start.

    Args:
        limit: How many at once; `resize` changes it at any time.
        gap: The smallest time between two starts, in seconds.
        backoff: How long to hold when the provider does not say.
        max_hold: Seconds a hold may last before it becomes a question.
        auto: Whether the law looks for the best number below the limit.
        accounts: How many there are; a short list is begun more carefully.
    """

    def __init__(
        self,
        *,
        limit: int,
        gap: float,
        backoff: Backoff,
        max_hold: float,
        auto: bool = False,
        accounts: int = 0,
    ) -> None:
        self.limit = limit
        self.auto = auto
        self.in_flight = 0
        self.hold: Hold | None = None
        self.paused = False
        self.closed = False
        self.question: str | None = None
        self.answered_at = -math.inf  # when the provider last said anything but 5xx
        self.cap, self.pace, self.knee = Cap(), Pace(), Knee()
        self.ramp, self.quota = Ramp(), Quota()
        self._gap = gap
        self._backoff = backoff
        self._max_hold = max_hold
        self._last_start = -math.inf
        # A round begins with each hold and each fall of the cap. Only what was started
        # since says how things are now; older answers are still on their way.
        self._tickets = 0
        self._round_began = 0
        self._starts: dict[int, _Start] = {}  # what is in flight, by ticket
        self._above: list[int] = []  # the n-th in flight that were refused, above P
        low, high, share = FIRST_STEP
        self._step = max(low, min(high, round(share * accounts)))
        if auto:
            self.ramp.allowance = self._step
        self._falls, self._fell_at = 0, 0
        self._holds_in_a_row = 0
        self._failures_in_a_row = 0
        self._same_failure = ("", 0)
        self._tolerated: set[str] = set()

    @property
    def in_outage(self) -> bool:
        """Whether the provider is taken to be down."""
        return self.hold is not None and self.hold.kind == "outage"

    def wait(self, now: float) -> float:
        """Gives the seconds until the next start may be made.

        0 means now; infinity means not before something else changes.
        """
        if self.paused or self.closed or self.in_flight >= self.limit:
            return math.inf
        number = self.in_flight + 1
        if not self.in_outage:  # that ends with an answer only
            self._prove(now)
        if self.auto and number > self.knee.limit:
            return math.inf
        if not self.cap.allows(number):
            return self.ramp.next_proof - now
        opens = max(
            self._last_start + self._gap,
            self.pace.opens(now),
            self.quota.opens(self._tickets, now),
        )
        if self._is_tried(number) and self.ramp.full:
            opens = math.inf if self.in_outage else max(opens, self.ramp.next_proof)
        if self.hold is not None:
            opens = max(opens, self.hold.until)
        return max(0.0, opens - now)

    def _is_tried(self, number: int) -> bool:
        """Whether the n-th in flight goes without knowing that it will be taken."""
        return self.ramp.growing or (
            number > self.cap.proven and self.ramp.allowance < math.inf
        )

    def start(self, now: float) -> int:
        """Takes a slot; gives the ticket that `end` wants back."""
        self.in_flight += 1
        self._last_start = now
        self._tickets += 1
        number = self.in_flight
        self._starts[self._tickets] = (number, now)
        self.pace.started(now)
        self.cap.started(number)
        if self._is_tried(number):
            self.ramp.started(self._tickets, now)
        return self._tickets

    def end(
        self,
        ticket: int,
        outcome: AttemptOutcome,
        *,
        now: float,
        seconds: float = 0.0,
        retry_after: float | None = None,
        message: str = "",
        about: str = "",
        limits: RateLimits | None = None,
        tokens: float = 0.0,
    ) -> None:
        """Gives the slot back and learns from how the attempt ended.

        Args:
            ticket: What `start` gave.
            outcome: How the attempt ended.
            now: Seconds on the run's clock.
            seconds: How long the attempt took.
            retry_after: Seconds the provider asked to wait, if it did.
            message: The failure in plain words, for the reason of a hold.
            about: The account's name, which tells no two failures apart.
            limits: What the provider says remains, if it does.
            tokens: What the call took; 0 when nobody says.
        """
        self.in_flight -= 1
        current = ticket > self._round_began
        number, started = self._starts.pop(ticket)
        unproven = self.ramp.forget(ticket)
        if outcome == "rate_limited":
            self.quota.refused(ticket)
        if limits is not None:
            self.quota.told(limits, ticket=ticket, started=started, tokens=tokens)
        if outcome in ("completed", "permanent", "rate_limited"):
            self.answered_at = now
        if outcome in ("completed", "permanent"):
            self._failures_in_a_row = 0
            self.cap.succeeded()
            if outcome == "completed" and self.auto:
                self.knee.answered(number, seconds)
            if current:
                self._accepted(number, now, unproven=unproven)
            self._notice_same_failure(message if outcome == "permanent" else "", about)
        elif outcome == "rate_limited":
            self._failures_in_a_row = 0
            self.ramp.refused(seconds)
            self._refused(
                ticket, (number, started), now, retry_after, message, current=current
            )
        elif outcome == "transient":
            self._failed(
                ticket, (number, started), now, retry_after, message, current=current
            )

    def ask(self, question: str) -> None:
        """Pauses until `resume`, which is the answer."""
        self.question = question
        self.paused = True

    def resize(self, limit: int) -> None:
        """Changes how many may run at once; what runs above it finishes."""
        self.limit = limit

    def resume(self, now: float) -> None:
        """Lets starts go on after a pause, and takes a question as answered."""
        self.paused = False
        if self.question is None:
            return
        self.question = None
        gist, count = self._same_failure
        if count >= SAME_FAILURES:
            self._tolerated.add(gist)
        if self.hold is not None:
            self.hold = replace(self.hold, since=now)

    def _accepted(self, number: int, now: float, *, unproven: bool) -> None:
        """Notes that the provider takes calls; one more may go."""
        self._holds_in_a_row = 0
        # A late refusal may have lengthened the hold since this one started.
        if self.hold is not None and self.hold.until <= now:
            self.hold = None
        self.cap.taken(number)
        if self._above and number >= min(self._above):
            self._above.clear()
        if unproven:
            self.ramp.taken()
            if self.ramp.allowance >= (self._step if self.auto else self.limit):
                self._open_ramp()

    def _open_ramp(self) -> None:
        self.ramp.end(self._step if self.auto else math.inf)

    def _prove(self, now: float) -> None:
        """Takes as accepted what has not been refused for long enough."""
        while (ticket := self.ramp.maybe_proven(now)) is not None:
            self._accepted(self._starts[ticket][0], now, unproven=True)

    def _refused(
        self,
        ticket: int,
        start: _Start,
        now: float,
        retry_after: float | None,
        message: str,
        *,
        current: bool,
    ) -> None:
        number, started = start
        self.pace.refused(late=not current)
        capped = retry_after is None or self._is_cap(
            number, sent=ticket - self._round_began, current=current
        )
        found = self.cap.refused(number) if capped and current else None
        if self.hold is not None and not current:
            # One of a burst that met the same refusal: it may only lengthen the hold.
            until = now + (retry_after or 0.0)
            if until > self.hold.until:
                self.hold = replace(self.hold, until=until)
                self._ask_when_too_long(self.hold, now, message)
        elif found == "fell" and number > 1:
            self._fell(started, now)
        elif found == "falling" and number > 1:
            self._begin_round()
        elif not capped or number <= 1:
            self.pace.enacted = True
            if ticket != self._round_began + 1:  # others have been taken since
                self._holds_in_a_row = 0
            self._begin_hold("rate_limit", now, retry_after, message)
            self.pace.marked(started, now, self.hold.until - now)

    def _is_cap(self, number: int, *, sent: int, current: bool) -> bool:
        """Whether a provider that asks to wait does so for too many at once.

        Then it refuses three times what has never been taken, whatever time goes by.
        When all that are in flight have been sent since the last wait, it may as well
        be a quota that is used up.
        """
        if not current:
            if self._above:
                self._above[-1] = min(self._above[-1], number)
            return len(self._above) >= CAP_MARKS
        if number <= self.cap.proven:
            self._above.clear()
            return False
        if sent == number:
            return False
        self._above.append(number)
        if len(self._above) == CAP_MARKS:
            self.pace.forget()
        return len(self._above) >= CAP_MARKS

    def _fell(self, started: float, now: float) -> None:
        """Notes that what had been taken was refused, without a word about when.

        The cap has fallen; when it does so again and again, it is no cap but a rate.
        """
        self._begin_round()
        if self.cap.accepted > self._fell_at + RATE_SUCCESSES:
            self._falls = 0
        self._falls, self._fell_at = self._falls + 1, self.cap.accepted
        self.pace.enacted = self.pace.enacted and self.pace.known
        self.pace.marked(started, now, 0.0)
        if self._falls >= RATE_FALLS:
            self.pace.enacted = True
            self.cap.forget()

    def _begin_round(self) -> None:
        self._round_began = self._tickets
        self.ramp.begin()

    def _failed(
        self,
        ticket: int,
        start: _Start,
        now: float,
        retry_after: float | None,
        message: str,
        *,
        current: bool,
    ) -> None:
        self._failures_in_a_row += 1
        if self.in_outage:
            if current:
                self._begin_hold("outage", now, retry_after, message)
        elif self._failures_in_a_row >= max(OUTAGE_ATTEMPTS, 2 * self.in_flight):
            self._begin_hold("outage", now, retry_after, message)
        elif retry_after is not None:
            self._refused(ticket, start, now, retry_after, message, current=current)

    def _begin_hold(
        self,
        kind: Literal["rate_limit", "outage"],
        now: float,
        retry_after: float | None,
        message: str,
    ) -> None:
        # The first time the provider is taken at its word; when that did not help, it
        # is left alone for longer and longer.
        length = retry_after or self._backoff.ceiling(self._holds_in_a_row + 1)
        if self._holds_in_a_row:
            length = max(length, self._backoff.ceiling(self._holds_in_a_row))
        self._holds_in_a_row += 1
        since, until = now, now + length
        if self.hold is not None:  # what it asked for stands
            since, until = self.hold.since, max(self.hold.until, until)
        self.hold = Hold(kind=kind, since=since, until=until, reason=message)
        self._begin_round()
        self._ask_when_too_long(self.hold, now, message)

    def _ask_when_too_long(self, hold: Hold, now: float, message: str) -> None:
        if hold.until - hold.since > self._max_hold:
            self.ask(
                f"The provider has not taken a call for {now - hold.since:.0f} s and "
                f"the next try would be in {hold.until - now:.0f} s, past the "
                f"{self._max_hold:.0f} s of MAX_HOLD_SECONDS. The last failure: "
                f"{message}"
            )

    def _notice_same_failure(self, message: str, about: str) -> None:
        """Asks when account after account fails in the same way.

        The account's name and words with digits are left out of the comparison:
        request ids differ.
        """
        gist = message.replace(about, "#") if about else message
        gist = _WORD_WITH_DIGIT.sub("#", gist)
        known, count = self._same_failure
        self._same_failure = (gist, count + 1 if gist == known else 1)
        if not gist or gist in self._tolerated:
            return
        if self._same_failure[1] >= SAME_FAILURES:
            self.ask(
                f"{SAME_FAILURES} accounts in a row failed in the same way: {message}"
            )
