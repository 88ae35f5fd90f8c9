"""What the panel works on, without a widget: a list, its job, what a person says.

The views ask it and tell it; it asks the rooms below. Positions are places in the list.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from sdr_kit.account import Attempt, Edit, Outcome
from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.batch import Job, start
from sdr_kit.comparison import Comparison
from sdr_kit.deliver import table_file
from sdr_kit.estimate import Estimate
from sdr_kit.export import file_name
from sdr_kit.findings import Findings
from sdr_kit.fingerprint import terms_of
from sdr_kit.forecast import Fresh, fresh, maybe_forecast
from sdr_kit.job_results import edits_by_position
from sdr_kit.loading.tables import Source
from sdr_kit.planned import Plan
from sdr_kit.recovery import AnyJob, jobs, maybe_last_job, open_job, resume
from sdr_kit.results import results_frame
from sdr_kit.settings import AUTO, Concurrency, Settings
from sdr_kit.store import AnyStore, Store
from sdr_kit.stored_job import StoredJob
from sdr_kit.workbench.trial import Trial
from sdr_kit.worker import Researcher, name_of

PLAN_SECONDS = 30.0  # by so much less until the deadline, and a plan is made anew
WORKBOOK = re.compile(r"(?i)\.(xls[xmb]?|ods)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Details:
    """All that is known about one account.

    Attributes:
        row: The account's row of the list, by column.
        outcome: How it ended; None when it has not.
        attempts: Every call of the researcher, in order.
        edit: What a person has set.
    """

    row: pd.Series[Any]
    outcome: Outcome | None
    attempts: list[Attempt]
    edit: Edit


@dataclass(frozen=True, kw_only=True, slots=True)
class Prospect:
    """What the rest of a job will take.

    Attributes:
        estimate: At the number chosen; None in auto, and when nobody knows.
        plan: At each concurrency; None when nobody knows.
    """

    estimate: Estimate | None = None
    plan: Plan | None = None


NO_PROSPECT = Prospect()


class Desk:
    """A list of accounts, the job that works on it, and where both are kept.

    Args:
        accounts: The list, or None.
        store: Where jobs and edits are kept.
        settings: How runs are made.

    Attributes:
        job: The last run of this list, or one of another day that was opened; None
            before the first.
        trial: The last comparison; None before the first.
    """

    def __init__(
        self, accounts: Accounts | None, *, store: AnyStore, settings: Settings
    ) -> None:
        self.accounts = accounts
        self.store = store
        self.settings = settings
        self.job: AnyJob | None = None
        self.trial: Trial | None = None
        self._prospect: tuple[object, Prospect] = (None, NO_PROSPECT)

    @property
    def active(self) -> bool:
        """Whether the job is at work, here or elsewhere."""
        return self.job is not None and not self.job.progress.ended

    @property
    def engaged(self) -> bool:
        """Whether it is at work here."""
        return self.active and isinstance(self.job, Job)

    @property
    def comparing(self) -> bool:
        """Whether a comparison is under way."""
        return self.trial is not None and self.trial.running

    @property
    def total(self) -> int:
        """How many accounts the list has."""
        return 0 if self.accounts is None else len(self.accounts)

    @property
    def frame(self) -> pd.DataFrame:
        """The accounts with the results so far: the columns of `Run.frame`.

        Before the first run these are the columns of the list; without a list there
        are none.
        """
        if self.job is not None:
            return self.job.frame
        return pd.DataFrame() if self.accounts is None else self.accounts.frame

    @property
    def worklist(self) -> pd.DataFrame:
        """The same, with all columns of `Run.frame` before the first run too."""
        if self.job is not None or self.accounts is None:
            return self.frame
        edits = edits_by_position(self.accounts, self.store)
        return results_frame(self.accounts.frame, (), edits=edits)

    def load(self, source: Source, *, columns: Mapping[str, str] | None = None) -> None:
        """Takes another list; results of the one before stay in the store.

        Raises:
            AccountsError: It cannot be loaded; the list before stays.
            RuntimeError: A run is under way.
        """
        self._check_idle("load another list", elsewhere=True)
        self.take(load_accounts(source, columns=columns))

    def take(self, accounts: Accounts) -> None:
        """Puts a list in the place of the one before, with nothing run yet."""
        self.accounts, self.job = accounts, None

    def keep(self, rows: Iterable[Any]) -> None:
        """Makes duplicates, or rows dropped by hand, accounts after all.

        Raises:
            RuntimeError: The list has been run.
        """
        self.take(self._unrun("keep a row").keep(rows))

    def drop(self, rows: Iterable[Any]) -> None:
        """Takes rows out of the list.

        Raises:
            RuntimeError: The list has been run.
        """
        self.take(self._unrun("drop a row").drop(rows))

    def run(
        self,
        researcher: Researcher,
        *,
        mode: str,
        concurrency: Concurrency,
        budget_usd: float | None,
        deadline_seconds: float | None,
        sample: int | None,
        refresh: bool = False,
    ) -> Job:
        """Starts a run of the whole list; no budget is none, whatever is set."""
        self._check_idle("start another run")
        self.job = start(
            self._list(),
            researcher,
            mode=mode,
            concurrency=concurrency,
            store=self.store,
            settings=self.settings,
            budget_usd=math.inf if budget_usd is None else budget_usd,
            deadline_seconds=deadline_seconds,
            sample=sample,
            refresh=refresh,
        )
        return self.job

    def retry(
        self,
        positions: Iterable[int] | None,
        *,
        again: bool = False,
        researcher: Researcher,
        mode: str,
        concurrency: Concurrency,
        budget_usd: float | None,
        deadline_seconds: float | None,
    ) -> AnyJob:
        """Takes the job up again.

        Args:
            positions: The accounts to work on; None is all that failed.
            again: Whether completed ones are among them.
            researcher: Who goes on with a job that was not run in this process; the
                others keep theirs.
            mode: `"parallel"` or `"sequential"`.
            concurrency: How many at once, or `"auto"`.
            budget_usd: What the job may cost in all; None is no bound.
            deadline_seconds: So long from now nothing more is started; None is never.
        """
        self._check_idle("go on with a job")
        job = self.job
        if job is None:
            raise RuntimeError("nothing has been run yet")
        if isinstance(job, Job):
            job.budget_usd = budget_usd
            if again:
                take_up = partial(job.reprocess, positions or ())
            else:
                take_up = partial(job.retry, positions)
            self.job = take_up(
                mode=mode, concurrency=concurrency, deadline_seconds=deadline_seconds
            )
            return self.job
        if positions is None:
            positions = [each.position for each in job.results(status="failed")]
        self.job = resume(
            job.id,
            researcher,
            self.store,
            positions=positions,
            accounts=self._list(),
            mode=mode,
            concurrency=concurrency,
            budget_usd=math.inf if budget_usd is None else budget_usd,
            deadline_seconds=deadline_seconds,
            settings=self.settings,
        )
        return self.job

    @property
    def jobs(self) -> pd.DataFrame:
        """The jobs of the store: the columns of `sdr_kit.jobs()`.

        There are none in a store in memory, which ends with the panel.
        """
        if isinstance(self.store, Store):
            return jobs(self.store, settings=self.settings)
        return pd.DataFrame()

    def maybe_last(self) -> AnyJob | None:
        """Gives the newest job over the list; without a list the newest of all."""
        if not isinstance(self.store, Store):
            return None
        if self.accounts is not None:
            last = maybe_last_job(self.store, self.accounts)
        else:
            last = next(iter(self.store.jobs()), None)
        return None if last is None else self._opened(last.id)

    def stored(self, job_id: int) -> StoredJob:
        """Gives what the store knows of a job."""
        assert isinstance(self.store, Store)  # noqa: S101 (others have no old jobs)
        return self.store.job(job_id)

    def began(self, job_id: int, researcher: Researcher) -> bool:
        """Whether a job of the store was begun with a researcher."""
        job = self.stored(job_id)
        return job.begun_by(name_of(researcher), terms_of(researcher))

    def open(self, job_id: int) -> AnyJob:
        """Shows a job of the store, with its list.

        Raises:
            RuntimeError: A run is under way here.
            StoreError: There is no such job.
        """
        self._check_idle("open another job", elsewhere=True)
        job = self._opened(job_id)
        self.accounts, self.job = job.accounts, job
        return job

    def _opened(self, job_id: int) -> AnyJob:
        assert isinstance(self.store, Store)  # noqa: S101 (others have no jobs to open)
        return open_job(
            job_id, self.store, settings=self.settings, accounts=self.accounts
        )

    def delete(self, job_id: int) -> None:
        """Removes a job of the store, and from the panel if it is there.

        Raises:
            JobHeldError: Somebody works on it.
            StoreError: There is no such job.
        """
        if isinstance(self.store, Store):
            self.store.delete_job(job_id)
        if self.job is not None and self.job.id == job_id:
            self.job = None

    def fresh(self, researcher: Researcher) -> Fresh:
        """Says how much of the list is stored and would be reused."""
        return fresh(self._list(), researcher, store=self.store, settings=self.settings)

    def forecast(
        self,
        researcher: Researcher,
        *,
        concurrency: Concurrency,
        calls: int | None = None,
    ) -> Estimate | None:
        """Estimates what asking a researcher will take, from what it took before.

        Args:
            researcher: Who would be asked.
            concurrency: How many at once, or `"auto"`.
            calls: How often; None is once for each account of the list.
        """
        return maybe_forecast(
            researcher,
            store=self.store,
            accounts=self.total if calls is None else calls,
            concurrency=concurrency,
            settings=self.settings,
        )

    def needs_sample(self, researcher: Researcher) -> bool:
        """Whether it costs money and nobody knows how much."""
        paid = getattr(researcher, "paid", False)
        return paid and self.forecast(researcher, concurrency=1) is None

    def prospect(self, *, deadline_seconds: float | None) -> Prospect:
        """Says what the rest will take, when a paid run asks or was stopped.

        Args:
            deadline_seconds: Of a run that would go on with one that was stopped; one
                that asks has its own.
        """
        job = self.job
        now = None if job is None else job.progress
        if job is None or now is None or not now.reason or not now.pending:
            return NO_PROSPECT
        if now.state not in ("paused", "stopped", "interrupted") or not now.cost_usd:
            return NO_PROSPECT
        left = now.deadline_seconds if now.state == "paused" else deadline_seconds
        subject = (
            *(job.id, now.done, job.concurrency, now.budget_usd),
            left and round(left / PLAN_SECONDS),
        )
        if self._prospect[0] != subject:  # the store is asked once for each question
            self._prospect = (subject, self._foreseen(job, now.budget_usd, left))
        return self._prospect[1]

    def _foreseen(
        self, job: AnyJob, budget_usd: float | None, left: float | None
    ) -> Prospect:
        return Prospect(
            estimate=None if job.concurrency == AUTO else job.estimate(),
            plan=job.plan(
                deadline_seconds=left or None,
                budget_usd=budget_usd,
                settings=self.settings,
            ),
        )

    def compare(
        self,
        researcher: Researcher,
        *,
        levels: Sequence[int],
        sample: int,
        budget_usd: float | None,
        on_progress: Callable[[Comparison], None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        """Starts a comparison on a sample of the list; see `Trial`."""
        self._check_idle("compare")
        self.trial = Trial(
            self._list(),
            researcher,
            levels=levels,
            sample=sample,
            settings=self.settings,
            budget_usd=math.inf if budget_usd is None else budget_usd,
            on_progress=on_progress,
            on_end=on_end,
        )

    def details(self, position: int) -> Details:
        """Gives all that is known about the account at a position."""
        accounts, job = self._list(), self.job
        key = accounts.keys[position]
        ended = [] if job is None else job.results(first=position, last=position)
        return Details(
            row=accounts.frame.iloc[position],
            outcome=ended[0] if ended else None,
            attempts=[] if job is None else job.attempts_of(position),
            edit=self.store.edits([key]).get(key, Edit()),
        )

    def edit(self, position: int, edit: Edit) -> None:
        """Keeps what a person says of an account; an empty edit is taken back."""
        self.store.edit(self._list().keys[position], edit)

    def export(self, kind: str, *, invented: bool) -> tuple[str, bytes]:
        """Writes the worklist as a file.

        Args:
            kind: `"csv"`, `"xlsx"`, `"jsonl"`, `"html"` (a report), or `"merged"`: the
                list as it came with the results behind, a workbook if it was one.
            invented: Whether to keep what a sandbox made up; if not, its accounts
                are written as if they had not been researched.

        Returns:
            The file's name and its contents.

        Raises:
            RuntimeError: There is no list, or nothing to report.
        """
        accounts, job = self._list(), self.job
        merged, source = kind == "merged", accounts.source
        if merged:
            kind = "xlsx" if WORKBOOK.search(source) else "csv"
            source = f"{source} with results"
        today = datetime.datetime.now().astimezone().date()
        name = file_name(source, None if job is None else job.id, kind, on=today)
        if job is not None:
            return name, job.contents(f".{kind}", merged=merged, invented=invented)
        if kind == "html":
            raise RuntimeError("nothing has been run yet; a report tells of a run")
        edits = edits_by_position(accounts, self.store)
        findings = Findings(accounts=accounts, edits=edits)
        return name, table_file(findings, f".{kind}", merged=merged)

    def _list(self) -> Accounts:
        if self.accounts is None:
            raise RuntimeError("there is no list yet; load one first")
        return self.accounts

    def _unrun(self, what: str) -> Accounts:
        if self.job is not None:
            raise RuntimeError(
                f"the list has been run, so it is too late to {what}; load it again"
            )
        return self._list()

    def _check_idle(self, what: str, *, elsewhere: bool = False) -> None:
        """Refuses what cannot be done during a run, unless one elsewhere is no matter.

        Raises:
            RuntimeError: A run or a comparison is under way.
        """
        running = self.engaged if elsewhere else self.active
        for busy, name in ((running, "run"), (self.comparing, "comparison")):
            if busy:
                raise RuntimeError(f"a {name} is under way; end it to {what}")
