"""How much of what was asked is known, and how much of that has a source.

A fact about a company can have a source; a judgement of ours, a tier and its reasons,
has none and is not missing one.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import pandas as pd

from sdr_kit.results import AFTER_RESEARCH, BEFORE_RESEARCH

COVERAGE = ("field", "accounts", "answered", "sourced")
CONFIDENCES = {"low": 0.25, "confidence": 0.5, "high": 0.75}  # column → quantile
_JUDGEMENTS = frozenset({"tier", "priority_score", "tier_reason", "priority_reason"})
_RENAMED = "research_"  # before a column whose name the list or the run has


def is_fact(field: str) -> bool:
    """Whether a field of research is a fact, for which there can be a source."""
    return field.rpartition(".")[2] not in _JUDGEMENTS


def coverage_frame(frame: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Counts for each field how many accounts have a value, and a source for it.

    Args:
        frame: What `Run.frame` holds; only completed accounts count.
        evidence: What `Run.evidence` holds.

    Returns:
        One row a fact, in the order of the columns: `field`, `accounts` (completed),
        `answered` (of these, with a value), `sourced` (of these, with an address that
        says so), all int64; `low`, `confidence`, `high` (float64, 0 to 1, the
        quartiles of what the pieces of evidence claim).
    """
    proofs = evidence.reindex(columns=["field", "position", "source", "confidence"])
    kept = frame.reset_index(drop=True)
    if "status" in kept.columns:
        kept = kept[kept["status"] == "completed"]
    proofs = proofs[proofs["position"].isin(kept.index)]
    known = set(proofs["field"])
    rows = []
    for place, name in research_columns(frame):
        field = field_of(name, known)
        if not is_fact(field):
            continue
        answered = kept.index[kept.iloc[:, place].map(_says_something).astype(bool)]
        own = proofs[(proofs["field"] == field) & proofs["position"].isin(answered)]
        sourced = own.loc[own["source"].notna(), "position"].nunique()
        sure = pd.to_numeric(own["confidence"]).quantile(list(CONFIDENCES.values()))
        rows.append((name, len(kept), len(answered), sourced, *sure))
    return pd.DataFrame(rows, columns=[*COVERAGE, *CONFIDENCES])


def research_columns(frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Gives the place and name of each column that the research added."""
    names = [str(name) for name in frame.columns]
    first, behind = BEFORE_RESEARCH[-1], AFTER_RESEARCH[0]
    if first in names and behind in names:
        begin, end = names.index(first) + 1, names.index(behind)
        yield from enumerate(names[begin:end], start=begin)


def field_of(column: str, known: Container[str]) -> str:
    """Gives the name under which evidence speaks of a column."""
    field = column
    while field not in known and field.startswith(_RENAMED):
        field = field.removeprefix(_RENAMED)
    return field if field in known else column


def _says_something(value: object) -> bool:
    if isinstance(value, list | dict):
        return bool(value)
    return not pd.isna(value) and str(value).strip() != ""  # type: ignore[call-overload]
