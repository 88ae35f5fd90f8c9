"""The tables of the store, and how values stand in their rows.

An account without a row in `results` is pending. A change here is a change of
`SCHEMA_VERSION`. A new column stands last in its table and may be null, so that older
files can be given it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, fields
from typing import Any

import sqlalchemy as sa

from sdr_kit.account import (
    Account,
    Attempt,
    Edit,
    Evidence,
    Outcome,
    RateLimits,
    Research,
    Usage,
)
from sdr_kit.law.learned import Learned
from sdr_kit.lease import Holder, Lease
from sdr_kit.plain import plain
from sdr_kit.progress import Progress, Sample
from sdr_kit.stored_job import StoredJob

# 1 had no edits, 2 no evidence and usage, 3 no terms, 4 no leases and no reuse, 5 no
# auto, 6 no learned limits with an age of their own and no sequential.
SCHEMA_VERSION = 7

metadata = sa.MetaData()
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("created_at", sa.Text, nullable=False),  # ISO 8601, UTC
    sa.Column("researcher", sa.Text, nullable=False),
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("terms", sa.Text),  # who answered what at which prices; null: unknown
    sa.Column("synthetic", sa.Boolean),  # whether what was found is invented
    sa.Column("source", sa.Text),  # what the list is called
    sa.Column("layout", sa.Text),  # its columns and their dtypes, as JSON
    sa.Column("budget_usd", sa.Float),
    sa.Column("slot_seconds", sa.Float),
    sa.Column("progress", sa.Text),  # the holder's last snapshot, as JSON
    sa.Column("holder", sa.Text),  # as JSON; null: nobody
    sa.Column("lease_until", sa.Float),  # seconds since 1970
    sa.Column("fence", sa.Integer),  # how often it was taken
    sa.Column("wanted", sa.Text),  # what others want of the holder, as JSON
    sa.Column("auto", sa.Boolean),  # whether concurrency is the most; null: no
    sa.Column("sequential", sa.Boolean),  # whether it stays 1; null: no
    sqlite_autoincrement=True,  # the number of a deleted job is not given again
)


def _of_account(name: str, *columns: sa.Column[Any], **options: Any) -> sa.Table:
    """A table whose rows belong to one account of one job."""
    return sa.Table(
        name,
        metadata,
        sa.Column("job_id", sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        *columns,
        sqlite_with_rowid=False,
        **options,
    )


accounts = _of_account(
    "accounts",
    sa.Column("company_name", sa.Text, nullable=False),
    sa.Column("domain", sa.Text),
    sa.Column("industry", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("extra", sa.Text, nullable=False),  # the other columns, as JSON
    sa.Column("key", sa.Text, index=True),  # of the company, from list to list
)
results = _of_account(
    "results",
    # `again`: completed, and wanted once more; it counts as pending until then.
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
    sa.Column("fields", sa.Text),  # the research columns, as JSON
    sa.Column("tier", sa.Text),
    sa.Column("priority_score", sa.Integer),
    sa.Column("cost_usd", sa.Float),  # of the answer
    sa.Column("error_kind", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("evidence", sa.Text),  # by field, as JSON
    sa.Column("raw", sa.Text),
    sa.Column("account_cost_usd", sa.Float),  # of all attempts
    sa.Column("found_at", sa.Text),  # ISO 8601, UTC
    sa.Column("found_by", sa.Text),  # the fingerprint, as `short` writes it
    sa.Column("reused_from", sa.Integer),  # the job it was paid for in
    sa.Column("saved_usd", sa.Float),  # what it cost there
)
AGAIN = "again"  # the status of what is completed and wanted once more
ENDED = results.c.status != AGAIN
learned_limits = sa.Table(  # what runs have found out about providers
    "learned_limits",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # see `Learned`
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("learned_at", sa.Text, nullable=False),  # ISO 8601, UTC
    sqlite_with_rowid=False,
)
samples = sa.Table(  # a run over time
    "samples",
    metadata,
    sa.Column("job_id", sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("seconds", sa.Float, primary_key=True),
    sa.Column("sample", sa.Text, nullable=False),  # as JSON
    sqlite_with_rowid=False,
)
attempts = _of_account(
    "attempts",
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("waited", sa.Float, nullable=False),
    sa.Column("message", sa.Text),
    sa.Column("input_tokens", sa.Integer),
    sa.Column("output_tokens", sa.Integer),
    sa.Column("searches", sa.Integer),
    sa.Column("cost_usd", sa.Float),
    sa.Column("request_id", sa.Text),
    sa.Column("limits", sa.Text),  # as JSON
)

edits = sa.Table(  # of a company, in whatever list it stands
    "edits",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("tier", sa.Text),
    sa.Column("priority_score", sa.Integer),
    sa.Column("owner", sa.Text),
    sa.Column("notes", sa.Text),
    sa.Column("edited_at", sa.Text, nullable=False),  # ISO 8601, UTC
    sqlite_with_rowid=False,
)


_RESEARCH = ("fields", "tier", "priority_score", "cost_usd", "evidence")


def short(fingerprint: str) -> str:
    """Writes a fingerprint as it stands in each row of `results`."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:16]


def account_row(job_id: int, account: Account, key: str | None) -> tuple[Any, ...]:
    """Gives the row of `accounts` for an account of a job, and its company's key."""
    extra = json.dumps(plain(account.extra)) if account.extra else "{}"
    return (
        job_id,
        account.position,
        account.company_name,
        account.domain,
        account.industry,
        account.owner,
        extra,
        key,
    )


def attempt_row(job_id: int, attempt: Attempt) -> tuple[Any, ...]:
    """Gives the row of `attempts` for an attempt of a job.

    It ends before the columns about the call when nothing is known of that.
    """
    row = (
        job_id,
        attempt.position,
        attempt.number,
        attempt.started,
        attempt.seconds,
        attempt.outcome,
        attempt.http_status,
        attempt.waited,
        attempt.message,
    )
    usage, limits, request_id = attempt.usage, attempt.limits, attempt.request_id
    if usage is None and limits is None and request_id is None:
        return row
    return (
        *row,
        *((None,) * 4 if usage is None else astuple(usage)),
        request_id,
        None if limits is None else json.dumps(asdict(limits)),
    )


def result_row(job_id: int, outcome: Outcome) -> tuple[Any, ...]:
    """Gives the row of `results` for an outcome of a job.

    It ends before evidence, raw answer and the account's cost when there is none of
    them; a cost that is the answer's is read from there.
    """
    research = outcome.research
    cost = None if research is None else research.cost_usd
    row = (
        job_id,
        outcome.position,
        outcome.status,
        outcome.attempts,
        outcome.seconds,
        outcome.finished,
        None if research is None else json.dumps(research.fields),
        None if research is None else research.tier,
        None if research is None else research.priority_score,
        cost,
        outcome.error_kind,
        outcome.error_message,
    )
    evidence = None if research is None or not research.evidence else research.evidence
    if evidence is None and outcome.raw is None and outcome.cost_usd == cost:
        return row
    return (*row, evidence and _evidence_json(evidence), outcome.raw, outcome.cost_usd)


def learned_of(rows: Iterable[sa.Row[Any]]) -> Learned:
    """Reads what is known of a provider; each row is one limit.

    Raises:
        ValueError: They were not written by us.
    """
    kinds = {"cap": int, "per_minute": float, "knee": int, "harmless": int}
    try:
        return Learned(**{row.name: kinds[row.name](row.value) for row in rows})
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error


def edit_row(key: str, edit: Edit, *, edited_at: str) -> tuple[Any, ...]:
    """Gives the row of `edits` for what a person has set."""
    return (key, edit.tier, edit.priority_score, edit.owner, edit.notes, edited_at)


def outcome_of(row: sa.Row[Any]) -> Outcome:
    """Reads a row of `results`."""
    columns = _without_job(row)
    for name in (*_RESEARCH, "found_at", "found_by"):
        del columns[name]
    cost = columns.pop("account_cost_usd")
    return Outcome(**columns, research=maybe_research(row), cost_usd=cost)


def maybe_research(row: sa.Row[Any]) -> Research | None:
    """Reads what a row of `results` has of research; None when it has none."""
    if row.fields is None:
        return None
    evidence = json.loads(row.evidence or "{}")
    return Research(
        fields=json.loads(row.fields),
        tier=row.tier,
        priority_score=row.priority_score,
        cost_usd=row.cost_usd,
        evidence={
            name: tuple(Evidence(**each) for each in proofs)
            for name, proofs in evidence.items()
        },
    )


def account_of(row: sa.Row[Any]) -> Account:
    """Reads a row of `accounts`."""
    columns = _without_job(row)
    del columns["key"]
    return Account(**{**columns, "extra": json.loads(columns["extra"])})


def job_of(row: sa.Row[Any]) -> StoredJob:
    """Reads a row of `jobs`."""
    holder, progress = row.holder, row.progress
    lease = Lease(
        holder=None if holder is None else Holder.read(holder),
        until=row.lease_until or 0.0,
        fence=row.fence or 0,
    )
    same = (
        *("id", "created_at", "researcher", "terms", "concurrency", "total"),
        *("state", "reason", "budget_usd"),
    )
    return StoredJob(
        **{name: getattr(row, name) for name in same},
        synthetic=_synthetic(row),
        source=row.source or "",
        layout=[tuple(each) for each in json.loads(row.layout or "[]")],
        lease=lease,
        progress=None if progress is None else Progress(**json.loads(progress)),
        auto=bool(row.auto),
        sequential=bool(row.sequential),
    )


def _synthetic(row: sa.Row[Any]) -> bool:
    """Whether a job's answers are invented; older files tell by the name alone."""
    if row.synthetic is None:
        return str(row.researcher).casefold().startswith("sandbox")
    return bool(row.synthetic)


def sample_row(job_id: int, sample: Sample) -> tuple[Any, ...]:
    """Gives the row of `samples` for a point of a job's chart."""
    return (job_id, sample.seconds, json.dumps(asdict(sample)))


def sample_of(row: sa.Row[Any]) -> Sample:
    """Reads a row of `samples`."""
    return Sample(**json.loads(row.sample))


def attempt_of(row: sa.Row[Any]) -> Attempt:
    """Reads a row of `attempts`."""
    columns = _without_job(row)
    amounts = {each.name: columns.pop(each.name) for each in fields(Usage)}
    limits = columns.pop("limits")
    return Attempt(
        **columns,
        usage=None if amounts["input_tokens"] is None else Usage(**amounts),
        limits=None if limits is None else RateLimits(**json.loads(limits)),
    )


def edit_of(row: sa.Row[Any]) -> tuple[str, Edit]:
    """Reads a row of `edits`: its key and what was set."""
    columns = dict(row._mapping)
    del columns["edited_at"]
    return columns.pop("key"), Edit(**columns)


def _evidence_json(evidence: Mapping[str, tuple[Evidence, ...]]) -> str:
    return json.dumps(
        {name: [asdict(each) for each in proofs] for name, proofs in evidence.items()}
    )


def _without_job(row: sa.Row[Any]) -> dict[str, Any]:
    columns = dict(row._mapping)
    del columns["job_id"]
    return columns
