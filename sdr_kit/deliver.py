"""A run as a file: what is in it, and which kind of file says it.

What a sandbox invented is left out unless it is asked for: its accounts are then told
as if they had not been researched, and what failed and what people set stays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sdr_kit.account import Edit, Outcome
from sdr_kit.accounts import Accounts
from sdr_kit.batch import Run
from sdr_kit.errors import SdrKitError
from sdr_kit.export import to_csv, to_excel, to_json_lines, write_whole
from sdr_kit.merge import merged_sheet
from sdr_kit.results import evidence_frame, results_frame

SUFFIXES = (".csv", ".xlsx", ".jsonl", ".html")
SHEETS = {".csv": to_csv, ".xlsx": to_excel}  # what merges back


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """A list and what is told of it.

    Attributes:
        accounts: The list.
        outcomes: How accounts ended.
        edits: What people have set, by position.
        left_out: Whether what a sandbox invented is not told.
    """

    accounts: Accounts
    outcomes: Sequence[Outcome] = ()
    edits: Mapping[int, Edit]
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


def export_run(
    run: Run, path: str | os.PathLike[str], *, merged: bool, invented: bool
) -> Path:
    """Writes a run as a file, whole or not at all.

    Args:
        run: Ended, or as it stands now.
        path: Where; its suffix is one of `SUFFIXES`. What stands there is replaced.
        merged: Whether the source's own table is written, every row and column of it
            as it came, with the results behind (`.csv` and `.xlsx`).
        invented: Whether what a sandbox made up is told; else it is left blank.

    Returns:
        Where it was written.

    Raises:
        ValueError: Another suffix, or one that merges nothing.
        SdrKitError: It cannot be written there.
    """
    place = Path(path).expanduser()
    kind = place.suffix.lower()
    _check(place, kind, merged=merged)
    findings = findings_of(run, invented=invented)
    if kind == ".html":
        from sdr_kit.report import report  # loads Plotly

        contents = report(run, findings)
    else:
        contents = table_file(findings, kind, merged=merged)
    write_whole(place, contents)
    return place


def findings_of(run: Run, *, invented: bool) -> Findings:
    """Gives what is told of a run, with or without what a sandbox made up."""
    outcomes = run.results()
    left_out = not invented and bool(getattr(run.researcher, "synthetic", False))
    if left_out:
        failed = (each for each in outcomes if each.status == "failed")
        outcomes = [replace(each, research=None) for each in failed]
    return Findings(
        accounts=run.accounts, outcomes=outcomes, edits=run.edits, left_out=left_out
    )


def table_file(findings: Findings, kind: str, *, merged: bool = False) -> bytes:
    """Writes the accounts as `.csv`, `.xlsx` or `.jsonl`."""
    frame = findings.frame
    if kind == ".jsonl":
        return to_json_lines(frame, findings.evidence)
    if not merged:
        return SHEETS[kind](frame)
    table, own = merged_sheet(findings.accounts, frame, findings.edits)
    return SHEETS[kind](table, own=own)


def _check(place: Path, kind: str, *, merged: bool) -> None:
    if kind not in SUFFIXES:
        raise ValueError(
            f"{place.name!r} has no known suffix; it must end in {', '.join(SUFFIXES)}"
        )
    if merged and kind not in SHEETS:
        raise ValueError(
            f"{kind} has no columns of the source to merge into; "
            f"merged=True takes {' or '.join(SHEETS)}"
        )
    if place.is_dir():
        raise SdrKitError(f"{place} is a folder; name a file in it")
    if not place.parent.is_dir():
        raise SdrKitError(f"there is no folder {place.parent}; make it first")
