"""Findings as a file: which kind of file says what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sdr_kit.errors import SdrKitError
from sdr_kit.export import to_csv, to_excel, to_json_lines
from sdr_kit.findings import Findings, Story
from sdr_kit.merge import merged_sheet
from sdr_kit.report import report

SUFFIXES = (".csv", ".xlsx", ".jsonl", ".html")
SHEETS = {".csv": to_csv, ".xlsx": to_excel}  # what merges back


def written(
    findings: Findings, story: Callable[[], Story], kind: str, *, merged: bool
) -> bytes:
    """Writes findings as the contents of a file.

    Args:
        findings: What is told.
        story: Says how the run went; asked when that is told.
        kind: One of `SUFFIXES`.
        merged: Whether the source's own table is written, every row and column of it
            as it came, with the results behind (`.csv` and `.xlsx`).
    """
    if kind == ".html":
        return report(findings, story())
    return table_file(findings, kind, merged=merged)


def table_file(findings: Findings, kind: str, *, merged: bool = False) -> bytes:
    """Writes the accounts as `.csv`, `.xlsx` or `.jsonl`."""
    frame = findings.frame
    if kind == ".jsonl":
        return to_json_lines(frame, findings.evidence)
    if not merged:
        return SHEETS[kind](frame)
    table, own = merged_sheet(findings.accounts, frame, findings.edits)
    return SHEETS[kind](table, own=own)


def kind_of(place: Path, *, merged: bool) -> str:
    """Gives the kind of file that a path asks for.

    Raises:
        ValueError: Another suffix, or one that merges nothing.
        SdrKitError: Nothing can be written there.
    """
    kind = place.suffix.lower()
    if kind not in SUFFIXES:
        raise ValueError(
            f"{place.name!r} has no known suffix; it must end in {', '.join(SUFFIXES)}"
        )
    check_merged(kind, merged=merged)
    if place.is_dir():
        raise SdrKitError(f"{place} is a folder; name a file in it")
    if not place.parent.is_dir():
        raise SdrKitError(f"there is no folder {place.parent}; make it first")
    return kind


def check_merged(kind: str, *, merged: bool) -> None:
    """Refuses to merge into what is no table of the source.

    Raises:
        ValueError: That is asked for.
    """
    if merged and kind not in SHEETS:
        raise ValueError(
            f"{kind} has no columns of the source to merge into; "
            f"merged=True takes {' or '.join(SHEETS)}"
        )
