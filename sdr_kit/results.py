"""Outcomes, attempts and evidence as tables.

The columns that a run adds stand behind those of the source. Where names meet, the
run's keep theirs: a column `status` of the source becomes `source_status`, a research
column `owner` becomes `research_owner`. What a person has set stands above both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType

import pandas as pd

from sdr_kit.account import Attempt, Edit, Outcome

BEFORE_RESEARCH = (
    "status",
    "attempts",
    "seconds",
    "reused",
    "tier",
    "priority_score",
)
AFTER_RESEARCH = ("error_kind", "error_message", "cost_usd")
EVIDENCE = (
    "company_name",
    "position",
    "field",
    "value",
    "source",
    "quote",
    "confidence",
    "at",
)
NOTES = "notes"
_NO_EDITS: Mapping[int, Edit] = MappingProxyType({})
_DTYPES = {
    "attempts": "int64",
    "seconds": "float64",
    "reused": "bool",
    "priority_score": "Int64",
    "cost_usd": "float64",
}
_USAGE_DTYPES = {
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "searches": "Int64",
    "cost_usd": "float64",
}
_LIMITS_DTYPES = {"requests_remaining": "float64", "tokens_remaining": "float64"}


def results_frame(
    source: pd.DataFrame,
    outcomes: Iterable[Outcome],
    processing: Iterable[int] = (),
    edits: Mapping[int, Edit] = _NO_EDITS,
) -> pd.DataFrame:
    """Puts the source's columns and the outcomes side by side.

    Args:
        source: One row an account, in the order of their positions.
        outcomes: How accounts ended, in any order.
        processing: Positions of the accounts at work.
        edits: What people have set, by position. Their tier and priority_score stand
            in place of the research's, their owner and notes in place of the source's.

    Returns:
        One row an account, with the source's index and columns, then `status`
        (`pending`, `processing`, `completed`, `failed`), `attempts` (int64),
        `seconds` (float64, of all attempts), `reused` (bool), `tier`,
        `priority_score` (Int64, 1 to 10), the research columns in the order in which
        they first appear, `error_kind`, `error_message`, `cost_usd` (float64, of all
        attempts, failed ones too). A failed account has what was found before it
        failed. When the source has no column `notes` and a person has written some,
        `notes` is the very last column.
    """
    by_position = {outcome.position: outcome for outcome in outcomes}
    at_work = set(processing)
    rows = [by_position.get(position) for position in range(len(source))]
    research = [None if row is None else row.research for row in rows]
    own: dict[str, list[object]] = {
        "status": [
            row.status if row else "processing" if position in at_work else "pending"
            for position, row in enumerate(rows)
        ],
        "attempts": [row.attempts if row else 0 for row in rows],
        "seconds": [row.seconds if row else 0.0 for row in rows],
        "reused": [row is not None and row.reused for row in rows],
        "tier": [each.tier if each else None for each in research],
        "priority_score": [each.priority_score if each else None for each in research],
        "error_kind": [row.error_kind if row else None for row in rows],
        "error_message": [row.error_message if row else None for row in rows],
        "cost_usd": [row.cost_usd if row else None for row in rows],
    }
    for name in ("tier", "priority_score"):
        for position, value in _set_by_people(edits, name).items():
            own[name][position] = value
    source = _with_values(source, "owner", _set_by_people(edits, "owner"))
    behind: tuple[str, ...] = AFTER_RESEARCH
    notes = _set_by_people(edits, NOTES)
    if NOTES in source.columns:
        source = _with_values(source, NOTES, notes)
    elif notes:
        behind = (*behind, NOTES)
        own[NOTES] = [notes.get(position) for position in range(len(rows))]
    found = _research_columns([each.fields if each else {} for each in research])
    reserved = {str(name) for name in source.columns} | set(own)
    unlike = reserved | set(found)
    renamed = {n: _free(n, "research", unlike) if n in reserved else n for n in found}
    columns = {
        **{name: own[name] for name in BEFORE_RESEARCH},
        **{renamed[name]: values for name, values in found.items()},
        **{name: own[name] for name in behind},
    }
    added = pd.DataFrame(
        {
            name: pd.Series(
                values,
                index=source.index,
                dtype=_DTYPES.get(name) or _maybe_dtype(values),
            )
            for name, values in columns.items()
        },
        index=source.index,
    )
    taken = set(added.columns) | set(source.columns)
    kept = source.rename(
        columns={
            name: _free(str(name), "source", taken)
            for name in source.columns
            if name in added.columns
        }
    )
    return pd.concat([kept, added], axis="columns")


def attempts_frame(attempts: Sequence[Attempt]) -> pd.DataFrame:
    """Gives one row an attempt: what `Attempt` has, times in seconds.

    In place of `usage` stand its `input_tokens`, `output_tokens`, `searches` (Int64)
    and `cost_usd` (float64), in place of `limits` the `requests_remaining` and
    `tokens_remaining` (float64).
    """
    names = [field.name for field in fields(Attempt)]
    columns = {name: [getattr(each, name) for each in attempts] for name in names}
    usage, limits = columns.pop("usage"), columns.pop("limits")
    columns |= {name: _each(usage, name) for name in _USAGE_DTYPES}
    columns |= {name: _each(limits, name) for name in _LIMITS_DTYPES}
    dtypes = {"http_status": "Int64", **_USAGE_DTYPES, **_LIMITS_DTYPES}
    return pd.DataFrame(columns).astype(dtypes)


def evidence_frame(source: pd.DataFrame, outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Gives one row a field and piece of evidence, in the order of the list.

    A field that nothing speaks for has no row.

    Args:
        source: One row an account, in the order of their positions.
        outcomes: How accounts ended, in any order.

    Returns:
        The account's `company_name` and `position` (int64), the `field` and its
        `value`, then `source` (an address), `quote`, `confidence` (float64, 0 to 1)
        and `at` (ISO 8601, UTC).
    """
    names = source["company_name"].tolist()
    rows = [
        (
            names[outcome.position],
            outcome.position,
            field,
            outcome.research.fields.get(field),
            each.source,
            each.quote,
            each.confidence,
            each.at,
        )
        for outcome in sorted(outcomes, key=lambda each: each.position)
        if outcome.research is not None
        for field, proofs in outcome.research.evidence.items()
        for each in proofs
    ]
    frame = pd.DataFrame(rows, columns=list(EVIDENCE), dtype=object)
    return frame.astype({"position": "int64", "confidence": "float64"})


def _each(values: Iterable[object], name: str) -> list[object]:
    return [None if value is None else getattr(value, name) for value in values]


def _set_by_people(edits: Mapping[int, Edit], name: str) -> dict[int, object]:
    """Gives what people have set of one kind, by position."""
    values = {position: getattr(edit, name) for position, edit in edits.items()}
    return {position: each for position, each in values.items() if each is not None}


def _with_values(
    source: pd.DataFrame, name: str, values: Mapping[int, object]
) -> pd.DataFrame:
    """Puts values into a column of the source, by position; made when missing."""
    if not values:
        return source
    cells = list(source[name]) if name in source.columns else [None] * len(source)
    for position, value in values.items():
        cells[position] = value
    # A column of numbers with a text in it is one of objects.
    was_text = name in source.columns and pd.api.types.is_string_dtype(source[name])
    dtype = source[name].dtype if was_text else object
    return source.assign(**{name: pd.Series(cells, index=source.index, dtype=dtype)})


def _maybe_dtype(values: Sequence[object]) -> str | None:
    """Gives the type of a research column that pandas would get wrong.

    Whole numbers and truth values with gaps would become floats and objects, and
    large numbers lose digits on the way.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    whole = kinds == {int} and all(
        -(2**63) <= value < 2**63 for value in values if isinstance(value, int)
    )
    return "Int64" if whole else None


def _research_columns(
    rows: Sequence[Mapping[str, object]],
) -> dict[str, list[object]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _free(name: str, prefix: str, taken: set[str]) -> str:
    """Gives the name, with as many prefixes as it needs to be unlike the taken.

    The name given is taken from then on.
    """
    while name in taken:
        name = f"{prefix}_{name}"
    taken.add(name)
    return name
