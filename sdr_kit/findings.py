"""What is told of a run outside: in a table, in a report.

What a sandbox invented is left out unless it is asked for: its accounts are then told
as if they had not been researched, and what failed and what people set stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sdr_kit.account import Attempt, Edit, Outcome
from sdr_kit.accounts import Accounts
from sdr_kit.progress import RunSummary, Sample
from sdr_kit.results import evidence_frame, results_frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """How a run went.

    Attributes:
        job_id: Its number.
        asked: Who was asked.
        briefs: What about.
        summary: What it came to.
        history: The run over time.
        attempts: Every call.
    """

    job_id: int
    asked: str
    briefs: Sequence[str]
    summary: RunSummary
    history: Sequence[Sample]
    attempts: Sequence[Attempt]


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """A list and what is told of it.

    Attributes:
        accounts: The list.
        outcomes: How accounts ended.
        edits: What people have set, by position.
        synthetic: Whether what was found is invented.
        left_out: Whether it is not told for that.
    """

    accounts: Accounts
    outcomes: Sequence[Outcome] = ()
    edits: Mapping[int, Edit]
    synthetic: bool = False
    left_out: bool = False

    @property
    def frame(self) -> pd.DataFrame:
        """The columns of `Run.frame`."""
        source = self.accounts.frame
        return results_frame(source, self.outcomes, edits=self.edits)

    @property
    def evidence(self) -> pd.DataFrame:
        """The columns of `Run.evidence`."""
        return evidence_frame(self.accounts.frame, self.outcomes)
