"""What a job has found, as the store has it: as frames, and as files.

A run that has ended, a job at work and one of another day share all of this.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from sdr_kit.account import Attempt, Edit, Outcome
from sdr_kit.accounts import Accounts
from sdr_kit.comparison import CONCURRENCIES, Comparison, several
from sdr_kit.dates import days_ago
from sdr_kit.estimate import Estimate
from sdr_kit.findings import Findings, Story
from sdr_kit.law.learned import Learned
from sdr_kit.merge import merged_frame
from sdr_kit.planned import Plan, Terms, maybe_plan
from sdr_kit.progress import RunSummary, Sample
from sdr_kit.replay import replayed
from sdr_kit.results import attempts_frame, evidence_frame, results_frame
from sdr_kit.schedules import BATCH_PAUSE_SECONDS
from sdr_kit.settings import Concurrency, Settings, check_deadline
from sdr_kit.store import AnyStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who does the research of a job.

    Attributes:
        name: What the researcher is called.
        synthetic: Whether what it says is invented.
        briefs: What it is asked about, where it says so.
        time_scale: By what factor it shortens all times; 1 is not at all, or unknown.
        provider: Whose limits it meets; None when nobody can say.
    """

    name: str
    synthetic: bool
    briefs: Sequence[str] = ()
    time_scale: float = 1.0
    provider: str | None = None


class JobResults:
    """The results of a job.

    Attributes:
        id: The job's number in the store.
        accounts: The list.
        asked: Who does the research.
    """

    def __init__(
        self, accounts: Accounts, store: AnyStore, job_id: int, asked: Asked
    ) -> None:
        self.id = job_id
        self.accounts = accounts
        self.asked = asked
        self._store = store

    @property
    def summary(self) -> RunSummary:
        """What it has come to."""
        raise NotImplementedError

    @property
    def history(self) -> Sequence[Sample]:
        """The run over time, in at most 1,000 samples."""
        raise NotImplementedError

    @property
    def frame(self) -> pd.DataFrame:
        """One row an account, in the source's order.

        The source's columns, then status, attempts, seconds, reused, tier,
        priority_score, the research columns, error_kind, error_message, cost_usd.
        """
        return results_frame(self.accounts.frame, self.results(), edits=self.edits)

    @property
    def merged(self) -> pd.DataFrame:
        """The source's own table, every row read as it came, with the results behind.

        The columns are those of `merged_frame`: the source's, then tier,
        priority_score, the research columns, status, status_reason, and owner and
        notes where people have set any.
        """
        return merged_frame(self.accounts, self.frame, self.edits)

    @property
    def attempts(self) -> pd.DataFrame:
        """One row an attempt; the columns are those of `attempts_frame`."""
        return attempts_frame(self._store.attempts(self.id))

    @property
    def evidence(self) -> pd.DataFrame:
        """One row a field and source, in the order of the accounts.

        The columns are those of `evidence_frame`: company_name, position, field,
        value, source, quote, confidence, at.
        """
        return evidence_frame(self.accounts.frame, self.results())

    @property
    def usage(self) -> dict[str, float | None]:
        """What all attempts took: input_tokens, output_tokens, searches, cost_usd."""
        return asdict(self.summary.usage)

    def plan(
        self,
        *,
        concurrency: Sequence[Concurrency] | None = None,
        deadline_seconds: float | None = None,
        budget_usd: float | None = None,
        settings: Settings | None = None,
    ) -> Plan | None:
        """Says what the accounts without a result will take, from those that have one.

        Nothing is researched for it. None before the first account was answered.

        Args:
            concurrency: See `sdr_kit.plan`.
            deadline_seconds: When the others must have ended, in seconds from now, as
                if they began now; None is no deadline.
            budget_usd: What the job may cost in all; None is no bound.
            settings: None reads the environment and `.env`.

        Raises:
            TypeError: `concurrency` is a single number.
            ValueError: A concurrency, the deadline or the budget outside its range.
        """
        settings = settings or Settings()
        terms = Terms(
            settings=settings,
            levels=concurrency and several(concurrency),
            deadline_seconds=check_deadline(deadline_seconds),
            budget_usd=settings.chosen_budget(
                math.inf if budget_usd is None else budget_usd
            ),
            learned=self._learned,
        )
        terms.check()
        return self._planned(terms)

    def _estimated(
        self, concurrency: Concurrency, settings: Settings
    ) -> Estimate | None:
        """Says what the others will take at one concurrency."""
        terms = Terms(settings=settings, levels=[concurrency], learned=self._learned)
        plan = self._planned(terms)
        return None if plan is None else plan.estimates[0]

    @property
    def _learned(self) -> Learned:
        """What this run, or an earlier one, has found out about the provider."""
        return self._store.learned(self.asked.provider)

    def _planned(self, terms: Terms) -> Plan | None:
        return maybe_plan(
            self.id,
            self.results(),
            self._store.attempts(self.id),
            accounts=len(self.unfinished()),
            terms=terms,
        )

    def replay(
        self,
        *,
        concurrency: Sequence[int] = CONCURRENCIES,
        settings: Settings | None = None,
    ) -> Comparison:
        """Says what the same accounts would have taken at several concurrencies.

        Worked out from the calls of this job as they are stored: nobody is asked, and
        nothing is paid. Calls are taken to last as long as they did. See
        `sdr_kit.replay`.

        Args:
            concurrency: How many at once, each 1 or more; one by one is always there,
                as the measure of the others.
            settings: Its `ACCOUNT_DELAY_MS` lies between two starts; None reads the
                environment and `.env`.

        Returns:
            The table (`.frame`) and chart (`.figure()`) of `compare`.

        Raises:
            TypeError: `concurrency` is a single number.
            ValueError: No account was researched, or a concurrency is below 1.
        """
        return replayed(
            self.results(),
            self._store.attempts(self.id),
            concurrency=several(concurrency),
            gap=(settings or Settings()).account_delay_ms / 1_000,
            pause=BATCH_PAUSE_SECONDS * self.asked.time_scale,
            learned=self._learned,
        )

    @property
    def edits(self) -> dict[int, Edit]:
        """What people have set, by position."""
        return edits_by_position(self.accounts, self._store)

    def results(
        self,
        *,
        first: int = 0,
        last: int | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Outcome]:
        """Reads how accounts ended, by position; see `Store.results`."""
        return self._store.results(
            self.id, first=first, last=last, status=status, limit=limit
        )

    def attempts_of(self, position: int) -> list[Attempt]:
        """Reads every attempt at one account, the first one first."""
        return self._store.attempts(self.id, position=position)

    def unfinished(self) -> list[int]:
        """Reads the positions of the accounts that have no result yet."""
        ended = self._store.statuses(self.id)
        places = range(len(self.accounts))
        return [place for place in places if place not in ended]

    def older_than(self, days: float) -> list[int]:
        """Reads the positions of the accounts researched longer ago than that.

        Reused research is as old as it was where it was found.
        """
        return self._store.found_before(self.id, days_ago(days))

    def findings(self, *, invented: bool) -> Findings:
        """Gives what is told of it, with or without what a sandbox made up."""
        outcomes = self.results()
        left_out = self.asked.synthetic and not invented
        if left_out:
            failed = (each for each in outcomes if each.status == "failed")
            outcomes = [replace(each, research=None) for each in failed]
        return Findings(
            accounts=self.accounts,
            outcomes=outcomes,
            edits=self.edits,
            synthetic=self.asked.synthetic,
            left_out=left_out,
        )

    @property
    def story(self) -> Story:
        """How it went."""
        return Story(
            job_id=self.id,
            asked=self.asked.name,
            briefs=self.asked.briefs,
            summary=self.summary,
            history=self.history,
            attempts=self._store.attempts(self.id),
        )

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        merged: bool = False,
        invented: bool = False,
    ) -> Path:
        """Writes the results as a file, whole or not at all.

        Args:
            path: Where; its suffix chooses: `.csv`, `.xlsx`, `.jsonl` (an object an
                account), or `.html` (a report). What stands there is replaced.
            merged: Whether to write the source's own table as it came, with the
                results behind (`.csv` and `.xlsx`).
            invented: Whether to tell what a sandbox made up; else it is left blank.

        Returns:
            Where it was written.

        Raises:
            ValueError: Another suffix, or one that merges nothing.
            SdrKitError: It cannot be written there.
        """
        from sdr_kit.deliver import kind_of  # reports load Plotly
        from sdr_kit.export import write_whole

        place = Path(path).expanduser()
        kind = kind_of(place, merged=merged)
        write_whole(place, self.contents(kind, merged=merged, invented=invented))
        return place

    def contents(self, kind: str, *, merged: bool, invented: bool) -> bytes:
        """Gives what `export` writes, by its suffix.

        Raises:
            ValueError: `merged` of what is no table.
        """
        from sdr_kit.deliver import check_merged, written

        check_merged(kind, merged=merged)
        findings = self.findings(invented=invented)
        return written(findings, lambda: self.story, kind, merged=merged)


def edits_by_position(accounts: Accounts, store: AnyStore) -> dict[int, Edit]:
    """Gives what people have set for these accounts; one query when that is nothing."""
    edits = store.edits()
    keys = accounts.keys if edits else []
    return {position: edits[key] for position, key in enumerate(keys) if key in edits}
