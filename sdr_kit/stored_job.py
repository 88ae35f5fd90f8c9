"""What the store knows of a job besides its accounts and results."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsIndex

from sdr_kit.account import Usage
from sdr_kit.lease import Lease
from sdr_kit.progress import ENDED, Progress, Sample, State
from sdr_kit.settings import AUTO, Concurrency


def job_number(job_id: SupportsIndex) -> int:
    """Gives the number of a job as SQLite knows it, also when a frame had it.

    Raises:
        TypeError: It is no whole number.
    """
    try:
        return operator.index(job_id)
    except TypeError:
        raise TypeError(f"job_id is {job_id!r}; it must be a whole number") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Beginning:
    """How a job begins.

    Attributes:
        researcher: What the researcher is called.
        concurrency: How many at once, to begin with; in auto at most.
        auto: Whether the best number is looked for.
        sequential: Whether it is one at a time, whatever concurrency says.
        synthetic: Whether what it says is invented.
        terms: Who answers, what is asked, and at which prices; None when nobody knows.
        fingerprint: Who answers and what is asked; None when nobody knows.
        reuse_since: What was found before is too old (ISO 8601, UTC); None takes
            nothing over.
        budget_usd: What the job may cost in all; None is no bound.
    """

    researcher: str
    concurrency: int
    synthetic: bool = False
    terms: str | None = None
    fingerprint: str | None = None
    reuse_since: str | None = None
    budget_usd: float | None = None
    auto: bool = False
    sequential: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredJob:
    """A job as it stands in the store.

    Attributes:
        id: Its number.
        created_at: When it was begun, ISO 8601 in UTC.
        source: What its list is called.
        layout: The list's other columns in their order, with their dtypes.
        researcher: What the researcher is called; empty before the job has begun.
        synthetic: Whether what the researcher says is invented.
        terms: Who answers, what is asked, and at which prices; None: nobody knows.
        concurrency: How many at once, as it was chosen last, in auto at most; 0 before
            anything was.
        auto: Whether the best number is looked for.
        sequential: Whether it is one at a time, whatever concurrency says.
        total: Accounts in the list.
        state: As it was last noted; `running` may be one whose process has died.
        reason: Why it ended early; else None.
        budget_usd: What it may cost in all; None is no bound.
        lease: Who holds it.
        progress: The holder's last snapshot; None when there has been none.
    """

    id: int
    created_at: str
    source: str
    layout: Sequence[tuple[str, str]]
    researcher: str
    synthetic: bool
    terms: str | None
    concurrency: int
    total: int
    state: State
    reason: str | None
    budget_usd: float | None
    lease: Lease
    progress: Progress | None
    auto: bool = False
    sequential: bool = False

    @property
    def choice(self) -> Concurrency | None:
        """What concurrency was chosen last; None before anything was."""
        return AUTO if self.auto else self.concurrency or None

    def begun_by(self, name: str, terms: str | None) -> bool:
        """Whether it was begun with a researcher of that name, asked the same.

        Args:
            name: What the researcher is called.
            terms: See `terms_of`; the prices in it may have changed since.
        """
        if self.terms is None or terms is None:
            return self.researcher == name
        return _without_prices(self.terms) == _without_prices(terms)

    @property
    def held(self) -> bool:
        """Whether a process works on it now."""
        return self.state not in ENDED and not self.lease.free

    @property
    def shown_state(self) -> State:
        """How it stands: `interrupted` when the process that ran it is gone.

        Of one at work, whoever works on it has said so at most two seconds ago.
        """
        if self.state in ENDED:
            return self.state
        if self.lease.free:
            return "interrupted"
        return self.state if self.progress is None else self.progress.state


def _without_prices(terms: str) -> str:
    return terms.rpartition("|")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What a job has come to so far, as the store has it.

    Attributes:
        completed: Accounts with research, the reused ones among them.
        failed: Accounts given up.
        reused: Accounts that earlier jobs have paid for.
        saved_usd: What those cost there.
        seconds: How long it has run.
        work_seconds: Σ seconds of its attempts.
        slot_seconds: Slots allowed × the seconds they were.
        retries: Attempts beyond each account's first.
        usage: What all attempts took.
        priced_calls: Attempts whose cost is known.
        samples: The points of its chart.
    """

    completed: int
    failed: int
    reused: int
    saved_usd: float
    seconds: float
    work_seconds: float
    slot_seconds: float
    retries: int
    usage: Usage
    priced_calls: int
    samples: Sequence[Sample]
