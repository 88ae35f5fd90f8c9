"""How a run is doing: what the panel shows, and how the numbers are made.

Nothing here knows a clock or a thread; times are passed in, in seconds.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sdr_kit.account import Usage
from sdr_kit.settings import AUTO, Concurrency
from sdr_kit.words import dollars, duration

State = Literal[
    "ready",
    "running",
    "held",
    "paused",
    "finished",
    "stopped",
    "cancelled",
    "crashed",
    "interrupted",
]
# Of a job that nobody works on.
ENDED = frozenset(
    {"ready", "finished", "stopped", "cancelled", "crashed", "interrupted"}
)

# The window of the rate follows the latency: eight accounts' time smooths the rate at
# one account a time and still shows a moved slider soon.
WINDOW_LATENCIES = 8
WINDOW_SECONDS = (3.0, 120.0)
RATE_SECONDS = 0.02  # what finishes closer together is kept as one, or it were millions

HISTORY_SAMPLES = 1_000  # when so many are kept, every second one is dropped
HISTORY_NOTES = 200  # samples that are kept because they say something
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A run at one moment. Counts are of what is committed, nothing else.

    `completed + failed + pending == total` holds in every snapshot.

    Attributes:
        state: `ready` (to be begun), `running`, `held` (the provider refuses or is
            down), `paused`, or how it ended: `finished`, `stopped` (no account could
            succeed, or the budget is reached), `cancelled`, `crashed` (a bug),
            `interrupted` (its process is gone).
        reason: Why it is held, paused by itself, stopped or crashed, or that a sample
            comes first; else None.
        total: Accounts in the run.
        completed: Accounts with research.
        failed: Accounts given up.
        pending: All others, those in flight among them.
        in_flight: Accounts started and not yet committed: what a crash could repeat.
        running: Accounts whose researcher is at work; never started above `limit`.
        waiting: Accounts that failed and wait for another try.
        retries: Attempts beyond each account's first.
        reused: Completed accounts whose research an earlier job has paid for.
        limit: How many may run at once, by what was chosen and by all that is known of
            the provider; in auto a first guess until `found_limit` is there.
        auto: Whether the best number is looked for.
        most: The number chosen; in auto the highest that may be tried. 0: an older
            version took the snapshot, which says no more than `limit`.
        sequential: Whether it is one at a time, whatever concurrency says.
        deadline_seconds: What is left until the deadline, in seconds; None is none.
        found_limit: How many at once were found to be best, when those are fewer than
            may be chosen: the provider refuses more, or is no faster. None: not found.
        held_back: What has kept the run from being faster so far, a sentence; None
            before that can be said.
        accounts_per_minute: Rate over the last window (3 to 120 s); a pause in it
            counts.
        seconds: Since the start of the run.
        eta_seconds: Until the end at this rate; None when that cannot be said.
        blocked_seconds: The longest time for which the run's event loop was held up
            (an `async def` that calls `time.sleep`), also while it is, measured up to
            0.1 s too short; 0.0 when that is never more than half a second.
        cost_usd: What all attempts so far cost, where the researcher says so.
        budget_usd: What the job may cost in all; None is no bound.
        projected_cost_usd: What the whole list will have cost at this rate; None
            before any cost.
    """

    state: State
    reason: str | None
    total: int
    completed: int
    failed: int
    pending: int
    in_flight: int
    running: int
    waiting: int
    retries: int
    limit: int
    accounts_per_minute: float
    seconds: float
    eta_seconds: float | None
    blocked_seconds: float = 0.0
    cost_usd: float = 0.0
    budget_usd: float | None = None
    projected_cost_usd: float | None = None
    reused: int = 0
    auto: bool = False
    held_back: str | None = None
    most: int = 0
    sequential: bool = False
    found_limit: int | None = None
    deadline_seconds: float | None = None

    @property
    def concurrency(self) -> Concurrency:
        """What was chosen and taken up: how many at once, or `"auto"`.

        The provider may take fewer, see `limit`.
        """
        return AUTO if self.auto else self.most or self.limit

    @property
    def held(self) -> bool:
        """Whether the provider keeps the run from starting accounts."""
        return self.state == "held"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more, or nothing yet."""
        return self.state in ENDED

    @property
    def done(self) -> int:
        """Accounts completed or failed."""
        return self.completed + self.failed


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What a run came to.

    Attributes:
        total: Accounts in the run.
        completed: Accounts with research.
        failed: Accounts given up.
        pending: Accounts left undone because the run was stopped or cancelled.
        reused: Accounts answered from stored results; completed ones.
        saved_usd: What those cost when they were researched, where it is known.
        seconds: From the start to the last account, by the clock, with all pauses.
        accounts_per_minute: Finished accounts ÷ minutes of that. A paused run has a
            lower one; what its diagnosis says leaves pauses out.
        speedup: Σ seconds of the attempts ÷ seconds elapsed: how many accounts were
            worked on at once, on average.
        efficiency: speedup ÷ the mean number of slots allowed, 0 to 1.
        retries: Attempts beyond each account's first.
        cost_usd: What all attempts cost, failed ones too, where the researcher says so.
        stopped: Why the run ended early; None when it did not.
        usage: What all attempts took: tokens, searches, and their cost.
        notices: What the researcher noticed about its provider, a sentence each.
        held_back: What has kept the run from being faster; None when no call tells.
    """

    total: int
    completed: int
    failed: int
    pending: int
    reused: int
    seconds: float
    accounts_per_minute: float
    speedup: float
    efficiency: float
    retries: int
    cost_usd: float
    stopped: str | None = None
    usage: Usage = field(default_factory=Usage)
    notices: tuple[str, ...] = ()
    saved_usd: float = 0.0
    held_back: str | None = None

    def __str__(self) -> str:
        text = (
            f"{self.completed:,} of {self.total:,} accounts completed, "
            f"{self.failed:,} failed, in {duration(self.seconds)} "
            f"({self.accounts_per_minute:,.0f} a minute"
        )
        if self.completed and self.speedup > 1.05:
            text += f", {self.speedup:.1f}× as fast as one by one"
        text += ")"
        if self.cost_usd:
            text += f", for {dollars(self.cost_usd)}"
        if self.reused:
            saved = f", which saved {dollars(self.saved_usd)}" if self.saved_usd else ""
            text += f". {self.reused:,} reused from earlier runs{saved}"
        if self.stopped:
            text += f". Stopped early: {self.stopped}"
        more = (*self.notices, *filter(None, (self.held_back,)))
        return ". ".join([text.rstrip("."), *more]) if more else text

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One point of the live chart.

    Attributes:
        seconds: Since the start of the run.
        accounts_per_minute: Rate over the last window.
        running: Accounts at work.
        limit: How many may run at once; 0 while paused. In auto the most that the
            provider has taken, until it is found how many are best.
        failed: Accounts given up so far.
        held: Whether the provider kept the run from starting accounts.
        note: What was found out about the provider since the last one; None: nothing.
    """

    seconds: float
    accounts_per_minute: float
    running: int
    limit: int
    failed: int
    held: bool
    note: str | None = None


class Rate:
    """Accounts per minute over a window that follows their latency."""

    def __init__(self) -> None:
        self._finished: deque[tuple[float, int]] = deque()
        self._latency = 0.0

    def add(self, now: float, *, accounts: int, latency: float) -> None:
        """Notes accounts that finished, and their mean seconds of work."""
        weight = 0.2 if self._latency else 1.0
        self._latency += weight * (latency - self._latency)
        at, count = self._finished[-1] if self._finished else (-RATE_SECONDS, 0)
        if now - at < RATE_SECONDS:
            self._finished[-1] = (at, count + accounts)
        else:
            self._finished.append((now, accounts))
        while self._finished[0][0] < now - WINDOW_SECONDS[1]:
            self._finished.popleft()

    def per_minute(self, now: float) -> float:
        """Gives the rate at a time; `now` counts from the start of the run."""
        low, high = WINDOW_SECONDS
        window = min(max(low, WINDOW_LATENCIES * self._latency), high)
        # A copy, because the panel asks from another thread than the run adds on.
        counted = sum(n for at, n in tuple(self._finished) if at > now - window)
        return 60 * counted / min(window, now) if now > 0 else 0.0


class SlotMeter:
    """The mean number of slots allowed over a run; a pause allows none."""

    def __init__(self, *, now: float, slots: int, slot_seconds: float = 0.0) -> None:
        self._slot_seconds = slot_seconds
        self._since = now
        self.slots = slots

    def change(self, now: float, slots: int) -> None:
        """Notes that from now on so many slots are allowed."""
        self._slot_seconds = self.slot_seconds(now)
        self._since, self.slots = now, slots

    def slot_seconds(self, now: float) -> float:
        """Gives the slots allowed × the seconds they were, up to a time."""
        return self._slot_seconds + self.slots * (now - self._since)


class History:
    """The samples of a run, thinned out as it grows so that it stays bounded."""

    def __init__(self, samples: Sequence[Sample] = ()) -> None:
        self.samples = list(samples)
        self.every = SAMPLE_SECONDS
        while len(self.samples) >= HISTORY_SAMPLES:
            self.samples = self.samples[:: self._stride()]

    def add(self, sample: Sample) -> None:
        """Keeps a sample; halves the history and its pace when it is full."""
        stride = self._stride()
        kept = self.samples
        if stride > 1:  # what was found out is kept, as long as it is not too much
            noted = {i for i, each in enumerate(kept) if each.note}
            noted = noted if len(noted) <= HISTORY_NOTES else set()
            kept = [each for i, each in enumerate(kept) if not i % stride or i in noted]
        self.samples = [*kept, sample]

    def _stride(self) -> int:
        if len(self.samples) < HISTORY_SAMPLES:
            return 1
        self.every *= 2
        return 2
