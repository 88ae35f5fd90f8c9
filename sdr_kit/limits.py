"""How many accounts at once, and not before when.

The gate is told what happens (a start, an end and how it ended) and answers one
question: how long must the next start wait? It reads no clock, sleeps nowhere and
knows no account; `now` is passed in, so a whole run can be replayed. A start needs the
consent of all of these:

* never more than `limit` at once, never two starts closer than `gap`;
* never more than the provider was found to take at once (`cap`), nor more often than it
  takes a call (`pace`, `quota`); in auto, never more than do any good (`knee`);
* a rate limit belongs to the provider: when one call is refused with the wish to wait,
  all starts are held for as long as it asked;
* so does an outage: when everything has failed for a while, all starts are held and
  single probes go out at growing intervals;
* after a hold one account goes ahead (the canary), and then more and more (`ramp`), so
  that a provider that has just recovered is not hit by everyone at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Literal

from sdr_kit.account import AttemptOutcome, RateLimits
from sdr_kit.backoff import Backoff
from sdr_kit.law.alike import SAME_FAILURES, Alike
from sdr_kit.law.cap import Cap
from sdr_kit.law.judge import Judge
from sdr_kit.law.knee import Knee
from sdr_kit.law.learned import NOTHING_LEARNED, Learned, Lessons
from sdr_kit.law.notes import Notes
from sdr_kit.law.pace import Pace
from sdr_kit.law.quota import Quota
from sdr_kit.law.ramp import Ramp, step_for
from sdr_kit.wait_times import Bound, WaitTimes

OUTAGE_ATTEMPTS = 10  # at least so many failures in a row before an outage is assumed
LATEST = 0.1  # the weight of the latest answer in the mean time of one
CALL_SECONDS = 0.02  # what answers sooner is no provider, and says nothing of a knee


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    """An attempt that the provider refused, or that came to nothing.

    Attributes:
        ticket: Of its start.
        number: It began as the n-th in flight.
        started: When.
        now: When it ended.
        retry_after: Seconds the provider asked to wait, if it did.
        message: What it said, in plain words.
    """

    ticket: int
    number: int
    started: float
    now: float
    retry_after: float | None
    message: str


class Gate:
    """Decides when the next attempt may start.

    Args:
        limit: How many at once; `resize` changes it at any time.
        gap: The smallest time between two starts, in seconds.
        backoff: How long to hold when the provider does not say.
        max_hold: Seconds a hold may last before it becomes a question.
        auto: Whether the best number below the limit is looked for.
        accounts: How many there are; a short list is begun more carefully.
        learned: What earlier runs have found out about the provider.

    Attributes:
        free: Whether nothing but the limit and the gap keeps starts back.
        waits: For how long each bound has kept the next start back.
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
        learned: Learned = NOTHING_LEARNED,
    ) -> None:
        self.limit = limit
        self.auto = auto
        self.in_flight = 0
        self.hold: Hold | None = None
        self.paused = False
        self.closed = False
        self.question: str | None = None
        self.answered_at = -math.inf  # when the provider last said anything but 5xx
        self.waits = WaitTimes()
        self.cap = Cap(learned.cap)
        self.pace = Pace((learned.per_minute or math.inf) / 60)
        self.knee = Knee(learned.knee, learned.harmless)
        self.quota = Quota()
        self.notes = Notes()
        self._step = step_for(accounts)
        self.ramp = Ramp(self._step if auto else math.inf)
        self._judge = Judge()
        self._alike = Alike()
        self._gap = gap
        self._backoff = backoff
        self._max_hold = max_hold
        self._last_start = -math.inf
        self._latency = 0.0  # of an answer, about
        # While nothing has been learned there is nothing but the limit and the gap.
        self.free = not auto and not learned.refuses
        # A round begins with each hold and each fall of the cap. Only what was started
        # since says how things are now; older answers are still on their way.
        self._tickets = 0
        self._round_began = 0
        self._starts: dict[int, tuple[int, float]] = {}  # the n-th in flight, and when
        self._holds_in_a_row = 0
        self._failures_in_a_row = 0

    @property
    def in_outage(self) -> bool:
        """Whether the provider is taken to be down."""
        return self.hold is not None and self.hold.kind == "outage"

    @property
    def allowed(self) -> int:
        """How many may be in flight by all that is known."""
        knee = self.knee.limit if self.auto else math.inf
        return max(1, math.floor(min(self.limit, self.cap.ceiling, knee)))

    @property
    def learned(self) -> Learned:
        """What is known of the provider."""
        ceiling = math.inf if self.cap.confirmed is False else self.cap.ceiling
        rate = self.pace.seen if self.pace.enacted else math.inf
        rate = min(rate, self.quota.per_second)
        return Learned(
            cap=None if math.isinf(ceiling) else int(ceiling),
            per_minute=None if math.isinf(rate) else 60 * rate,
            knee=self.knee.at,
            harmless=self.knee.harmless,
        )

    @property
    def lessons(self) -> Lessons:
        """What this run has found out by itself, for the next one."""
        knee = self.knee.confirmed
        confirmed = {
            "cap": self.cap.confirmed,
            "per_minute": self.quota.per_second < math.inf or self.pace.confirmed,
            "knee": knee,
            "harmless": None if knee is None else not knee,
        }
        known = self.learned
        return {
            name: getattr(known, name) if so else None
            for name, so in confirmed.items()
            if so is not None
        }

    def wait(self, now: float) -> float:
        """Gives the seconds after which to ask again; 0 means that a start may be made.

        Infinity means not before something else changes.
        """
        opens, bound = self._opens(now)
        seconds = max(0.0, opens - now)
        self._note(now, bound if seconds else None)
        return seconds

    def kept_back(self, now: float) -> None:
        """Notes that nothing may start because results wait to be stored."""
        self._note(now, "disk")

    def nobody_waits(self, now: float) -> None:
        """Notes that no account is left whose start could be kept back."""
        if not self.paused:
            self._note(now, None)

    def start(self, now: float) -> int:
        """Takes a slot; gives the ticket that `end` wants back."""
        self.in_flight += 1
        self._last_start = now
        self._tickets += 1
        number = self.in_flight
        if number >= self.limit:  # nobody asks now when the next may go
            self._note(now, "limit")
        self._starts[self._tickets] = number, now
        if not self.free:
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
        tokens: int = 0,
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
        number, started = self._starts.pop(ticket)
        unproven = self.ramp.forget(ticket)
        if limits is not None:
            self._bind()
            self.quota.told(limits, ticket=ticket, started=started, tokens=tokens)
        if outcome == "completed" or outcome == "permanent":
            self.answered_at = now
            self._failures_in_a_row = 0
            self.cap.succeeded()
            weight = LATEST if self._latency else 1.0
            self._latency += weight * (seconds - self._latency)
            if seconds > CALL_SECONDS and outcome == "completed":
                self.knee.answered(number, seconds)
                if self.auto and self.knee.confirmed:
                    self.notes.knee(math.floor(self.knee.limit))
            if ticket > self._round_began:
                self._accepted(number, now, unproven=unproven)
            self._notice_same_failure(outcome, message, about, now=now)
        elif outcome == "rate_limited" or outcome == "transient":
            failure = _Failure(
                ticket=ticket,
                number=number,
                started=started,
                now=now,
                retry_after=retry_after,
                message=message,
            )
            if outcome == "transient":
                self._failed(failure)
                return
            self.answered_at = now
            self._failures_in_a_row = 0
            self.ramp.refused(seconds)
            self._refused(failure)

    def pause(self, now: float) -> None:
        """Starts nothing more until `resume`."""
        self.paused = True
        self._note(now, "paused")

    def ask(self, question: str, now: float) -> None:
        """Pauses until `resume`, which is the answer."""
        self.question = question
        self.pause(now)

    def resize(self, limit: int, *, auto: bool = False) -> None:
        """Changes how many may run at once; what runs above it finishes.

        Args:
            limit: That, or in auto the highest that may be tried.
            auto: Whether the best number below it is looked for.
        """
        if auto != self.auto:
            self.auto = auto
            self._bind()
            if not self.ramp.growing:
                self._open_ramp()
            # What is in flight and was not refused is what may be begun with; above
            # the ceiling it is what drains.
            self.cap.taken(math.floor(min(self.in_flight, self.cap.ceiling)))
        self.limit = limit

    def resume(self, now: float) -> None:
        """Lets starts go on after a pause, and takes a question as answered."""
        if self.paused:
            self.pace.interrupted()
        self.paused = False
        self._note(now, "limit" if self.in_flight >= self.limit else None)
        if self.question is None:
            return
        self.question = None
        self._alike.tolerate()
        if self.hold is not None:
            self.hold = replace(self.hold, since=now)

    def _opens(self, now: float) -> tuple[float, Bound]:
        """Gives when the next start may be made, and what keeps it back till then."""
        if self.paused or self.closed:
            return math.inf, "paused"
        if not self.free and not self.in_outage:
            self._prove(now)
        if self.in_flight >= self.limit:
            return math.inf, "limit"
        if self.free:
            return self._last_start + self._gap, "gap"
        number = self.in_flight + 1
        if self.auto and number > self.knee.limit:
            return math.inf, "trial" if self.knee.at is None else "knee"
        if not self.cap.allows(number):
            return self._next_proof, "cap"
        return max(self._times(number, now), key=itemgetter(0))

    def _times(self, number: int, now: float) -> Iterator[tuple[float, Bound]]:
        """Gives each time before which the n-th may not start, and what sets it."""
        yield self._last_start + self._gap, "gap"
        if number > self.cap.ceiling:
            # A probe goes half way between two starts, or what counts starts in time
            # refuses it for the start before.
            yield self._last_start + self._latency / (2 * number), "cap"
        yield self.pace.opens(now), "pace"
        yield self.quota.opens(self._tickets, now), "pace"
        if self._is_tried(number) and self.ramp.full:
            unproven: Bound = "ramp" if self.ramp.growing else "trial"
            yield self._next_proof, unproven
        if self.hold is not None:
            yield self.hold.until, "outage" if self.in_outage else "hold"

    def _note(self, now: float, bound: Bound | None) -> None:
        """Notes what keeps starts back.

        A pause does only while nothing is at work; in an outage it is that, also while
        a probe is out.
        """
        if bound == "paused":
            bound = None if self.in_flight else "paused"
        elif bound is not None and bound != "disk" and self.in_outage:
            bound = "outage"
        self.waits.note(now, bound, limit=self.limit, auto=self.auto)

    def _bind(self) -> None:
        """Lets the law keep starts back, which has not seen them so far."""
        if self.free:
            self.free = False
            self.pace.sent(self._tickets)

    def _is_tried(self, number: int) -> bool:
        """Whether the n-th in flight goes without knowing that it will be taken."""
        return self.ramp.growing or (
            number > self.cap.proven and self.ramp.allowance < math.inf
        )

    @property
    def _next_proof(self) -> float:
        """When the next start counts as taken; an outage ends with an answer only."""
        return math.inf if self.in_outage else self.ramp.next_proof

    def _prove(self, now: float) -> None:
        """Takes as accepted what has not been refused for long enough."""
        while (ticket := self.ramp.maybe_proven(now)) is not None:
            self._accepted(self._starts[ticket][0], now, unproven=True)

    def _accepted(self, number: int, now: float, *, unproven: bool) -> None:
        """Notes that the provider takes calls; one more may go."""
        self._holds_in_a_row = 0
        # A late refusal may have lengthened the hold since this one started.
        if self.hold is not None and self.hold.until <= now:
            self.hold = None
        if number > self.cap.proven or self.cap.falls:
            self.cap.taken(number)
        if self.free:
            return
        self._judge.taken(number)
        if unproven and self.ramp.taken() >= (self._step if self.auto else self.limit):
            self._open_ramp()

    def _open_ramp(self) -> None:
        self.ramp.open(self._step if self.auto else math.inf)

    def _begin_round(self) -> None:
        self._round_began = self._tickets
        self.ramp.begin()

    def _refused(self, failure: _Failure) -> None:
        self._bind()
        self._never_at_work(failure.ticket)
        late = failure.ticket <= self._round_began
        self.pace.refused(late=late)
        self.quota.refused(failure.ticket)
        silent = failure.retry_after is None and not self._judge.rated
        capped = silent or self._judge.is_cap(
            failure.number,
            proven=self.cap.proven,
            sent=failure.ticket - self._round_began,
            late=late,
        )
        if late:
            self._lengthen(failure, capped=capped)
            return
        if failure.number == 1:  # nobody else was in flight: no cap is that low
            self._judge.rated, capped = True, False
            self.cap.forget()
        found = self.cap.refused(failure.number) if capped else None
        if found is not None:
            self.notes.cap(int(self.cap.ceiling))
        if not capped:
            if failure.ticket != self._round_began + 1:  # others have been taken since
                self._holds_in_a_row = 0
            hold = self._begin_hold("rate_limit", failure)
            self.pace.enacted = True
            self.pace.marked(failure.started, hold.until - failure.started)
            self.notes.pace(self.learned.per_minute)
        elif found != "above":
            self._fell(failure.started)

    def _never_at_work(self, refused: int) -> None:
        """Counts a refused call out of what was in flight when others started."""
        for ticket, (number, started) in self._starts.items():
            if ticket > refused:
                self._starts[ticket] = number - 1, started

    def _lengthen(self, failure: _Failure, *, capped: bool) -> None:
        """Hears one of a burst that met the same refusal: it may wish for longer."""
        until = failure.now + (failure.retry_after or 0.0)
        if self.hold is not None and until > self.hold.until:
            self.hold = replace(self.hold, until=until)
            self._ask_when_too_long(self.hold, failure)
        elif self.hold is None and not capped:
            self._begin_hold("rate_limit", failure)

    def _fell(self, started: float) -> None:
        """Notes that what had been taken is refused, without a word about when."""
        chance = self.cap.falls == 1
        if chance:  # the burst that met it counts once
            self._round_began = self._tickets
        else:
            self._begin_round()
        if self.cap.falls > 2:
            return
        if not chance:
            self.pace.enacted = self.pace.enacted and self.pace.known
            self.pace.marked(started, 0.0)
        if self._judge.noticed_fall(self.cap.answers):
            self.pace.enacted = True
            self.cap.forget()

    def _failed(self, failure: _Failure) -> None:
        self._failures_in_a_row += 1
        if self.in_outage:
            if failure.ticket > self._round_began:
                self._begin_hold("outage", failure)
        elif self._failures_in_a_row >= max(OUTAGE_ATTEMPTS, 2 * self.allowed):
            self._bind()
            self.pace.interrupted()
            self._begin_hold("outage", failure)
        elif failure.retry_after is not None:
            self._refused(failure)

    def _begin_hold(
        self, kind: Literal["rate_limit", "outage"], failure: _Failure
    ) -> Hold:
        # The first time the provider is taken at its word; when that did not help, it
        # is left alone for longer and longer.
        length = failure.retry_after or self._backoff.ceiling(self._holds_in_a_row + 1)
        if self._holds_in_a_row:
            length = max(length, self._backoff.ceiling(self._holds_in_a_row))
        self._holds_in_a_row += 1
        since, until = failure.now, failure.now + length
        if self.hold is not None:  # what it asked for stands
            since, until = self.hold.since, max(self.hold.until, until)
        self.hold = Hold(kind=kind, since=since, until=until, reason=failure.message)
        self._begin_round()
        self._ask_when_too_long(self.hold, failure)
        return self.hold

    def _ask_when_too_long(self, hold: Hold, failure: _Failure) -> None:
        now = failure.now
        if hold.until - hold.since > self._max_hold:
            said, waited = "asks to wait", now - hold.since
            if waited >= 1:
                said = f"has not taken a call for {waited:.0f} s and the next try would"
                said += " be in"
            self.ask(
                f"The provider {said} {hold.until - now:.0f} s, past the "
                f"{self._max_hold:.0f} s of MAX_HOLD_SECONDS. The last failure: "
                f"{failure.message}",
                now,
            )

    def _notice_same_failure(
        self, outcome: AttemptOutcome, message: str, about: str, *, now: float
    ) -> None:
        """Asks when account after account fails in the same way."""
        if outcome == "completed":
            self._alike.succeeded()
        elif self._alike.failed(message, about):
            self.ask(
                f"{SAME_FAILURES} accounts in a row failed in the same way: {message}",
                now,
            )
