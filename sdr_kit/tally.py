"""What a run has come to so far: accounts, time, money.

The engine tells it what was attempted and what is committed; times are seconds from
the start of the run. It is read from other threads, so what belongs together is
replaced as one. A job that is taken up again goes on with what it had come to, and the
time between does not count.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sdr_kit.account import Attempt, Outcome, Status, Usage
from sdr_kit.budget import Budget
from sdr_kit.progress import History, Rate, RunSummary, SlotMeter
from sdr_kit.stored_job import Past


class Tally:
    """Counts a run.

    Args:
        total: Accounts in the list.
        slots: How many may run at once, to begin with.
        budget_usd: What the job may cost in all; infinity is no bound.
        reused: Accounts that earlier jobs have researched.
        saved_usd: What those cost there, where it is known.

    Attributes:
        total: Accounts in the list.
        reused: The same; they are completed, and count in no rate and no cost.
        saved_usd: The same.
        budget: Its money.
        counts: How many are committed as completed, and as failed.
        seconds: How long the run took, once it has ended.
        history: The run over time.
        usage: What the committed attempts took, failed ones too.
        work_seconds: Σ seconds of the attempts.
        answered: Calls that were answered, in this process.
        answered_seconds: Σ seconds of those.
    """

    def __init__(
        self,
        *,
        total: int,
        slots: int,
        budget_usd: float = math.inf,
        reused: int = 0,
        saved_usd: float = 0.0,
    ) -> None:
        self.total = total
        self.reused = reused
        self.saved_usd = saved_usd
        self.budget = Budget(budget_usd)
        self.counts = (reused, 0)
        self.seconds = 0.0
        self.history = History()
        self.retries = 0
        self.answered, self.answered_seconds = 0, 0.0
        self.rate = Rate()
        self.slots = SlotMeter(now=0.0, slots=slots)
        self.usage = Usage()
        self.work_seconds = 0.0
        self._before = (reused, 0.0)  # accounts ended and dollars spent by earlier runs

    @classmethod
    def of(cls, past: Past, *, total: int, slots: int, budget_usd: float) -> Tally:
        """Gives the books of a job as the store has them, to go on with.

        Args:
            past: What it has come to.
            total: Accounts in the list.
            slots: How many may run at once from now on.
            budget_usd: What the job may cost in all; infinity is no bound.
        """
        books = cls(
            total=total,
            slots=slots,
            budget_usd=budget_usd,
            reused=past.reused,
            saved_usd=past.saved_usd,
        )
        books.counts = (past.completed, past.failed)
        books.seconds, books.retries = past.seconds, past.retries
        books.usage, books.work_seconds = past.usage, past.work_seconds
        books.budget.take_up(past.usage.cost_usd or 0.0, calls=past.priced_calls)
        books.slots = SlotMeter(
            now=past.seconds, slots=slots, slot_seconds=past.slot_seconds
        )
        books.history = History(past.samples)
        return books

    @property
    def pending(self) -> int:
        """Accounts without a committed result."""
        completed, failed = self.counts
        return self.total - completed - failed

    def reopened(
        self, statuses: Iterable[Status], reused: Iterable[float | None]
    ) -> Tally:
        """Gives the books for taking the run up again.

        Args:
            statuses: Of the accounts that have ended; all others are pending.
            reused: What each reused account among them cost elsewhere.
        """
        again, saved = copy.deepcopy(self), list(reused)
        ended = Counter(statuses)
        completed, failed = ended["completed"], ended["failed"]
        again.counts = (completed, failed)
        again.reused, again.saved_usd = len(saved), sum(filter(None, saved))
        again._before = (completed + failed, self.cost_usd)
        return again

    def stood(self, accounts: int, reused: Collection[float | None]) -> None:
        """Counts accounts that were to be researched again and were not.

        Args:
            accounts: How many.
            reused: What each reused account of the job cost elsewhere; these may be
                among them.
        """
        if accounts:
            completed, failed = self.counts
            self.counts = (completed + accounts, failed)
            self.reused, self.saved_usd = len(reused), sum(filter(None, reused))

    def attempted(self, attempt: Attempt) -> None:
        """Counts a call of the researcher."""
        if attempt.outcome == "completed":
            self.answered += 1
            self.answered_seconds += attempt.seconds
        self.retries += attempt.number > 1
        self.work_seconds += attempt.seconds
        self.budget.spend(attempt)

    @property
    def latency(self) -> float:
        """Mean seconds of a call that was answered; infinity before the first."""
        return self.answered_seconds / self.answered if self.answered else math.inf

    @property
    def cost_usd(self) -> float:
        """What the committed attempts cost, where somebody says so."""
        return self.usage.cost_usd or 0.0

    @property
    def projected_cost_usd(self) -> float | None:
        """What the list will have cost if the others cost what this run's did."""
        (ended_before, spent_before), now = self._before, self.cost_usd
        ended, spent = sum(self.counts) - ended_before, now - spent_before
        return now + spent / ended * self.pending if ended and spent else None

    def committed(
        self, attempts: Iterable[Attempt], outcomes: Sequence[Outcome], *, now: float
    ) -> None:
        """Counts what is in the store: what attempts took, and how accounts ended."""
        for attempt in attempts:
            if attempt.usage is not None:
                self.usage += attempt.usage
        if not outcomes:
            return
        (completed, failed), seconds = self.counts, 0.0
        for outcome in outcomes:
            seconds += outcome.seconds
            if outcome.status == "completed":
                completed += 1
            else:
                failed += 1
        self.counts = (completed, failed)
        self.rate.add(now, accounts=len(outcomes), latency=seconds / len(outcomes))

    def summary(
        self,
        *,
        seconds: float,
        stopped: str | None,
        notices: tuple[str, ...],
        held_back: str | None,
    ) -> RunSummary:
        """Says what the run has come to after so many seconds."""
        completed, failed = self.counts
        done = completed + failed
        slot_seconds = self.slots.slot_seconds(seconds)
        return RunSummary(
            total=self.total,
            completed=completed,
            failed=failed,
            pending=self.total - done,
            reused=self.reused,
            saved_usd=self.saved_usd,
            seconds=seconds,
            accounts_per_minute=60 * (done - self.reused) / seconds if seconds else 0.0,
            speedup=self.work_seconds / seconds if seconds else 0.0,
            efficiency=self.work_seconds / slot_seconds if slot_seconds else 0.0,
            retries=self.retries,
            cost_usd=self.cost_usd,
            usage=self.usage,
            stopped=stopped,
            notices=notices,
            held_back=held_back,
        )
