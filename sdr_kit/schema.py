"""The tables of the store, and how values stand in their rows.

An account without a row in `results` is pending. A change here is a change of
`SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from sdr_kit.account import Account, Attempt, Edit, Outcome, Research, plain

SCHEMA_VERSION = 2  # 1 had no edits

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
)
results = _of_account(
    "results",
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
    sa.Column("fields", sa.Text),  # the research columns, as JSON
    sa.Column("tier", sa.Text),
    sa.Column("priority_score", sa.Integer),
    sa.Column("cost_usd", sa.Float),
    sa.Column("error_kind", sa.Text),
    sa.Column("error_message", sa.Text),
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


def account_row(job_id: int, account: Account) -> tuple[Any, ...]:
    """Gives the row of `accounts` for an account of a job."""
    extra = json.dumps(plain(account.extra)) if account.extra else "{}"
    return (
        job_id,
        account.position,
        account.company_name,
        account.domain,
        account.industry,
        account.owner,
        extra,
    )


def attempt_row(job_id: int, attempt: Attempt) -> tuple[Any, ...]:
    """Gives the row of `attempts` for an attempt of a job."""
    return (
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


def result_row(job_id: int, outcome: Outcome) -> tuple[Any, ...]:
    """Gives the row of `results` for an outcome of a job."""
    research = outcome.research
    return (
        job_id,
        outcome.position,
        outcome.status,
        outcome.attempts,
        outcome.seconds,
        outcome.finished,
        None if research is None else json.dumps(research.fields),
        None if research is None else research.tier,
        None if research is None else research.priority_score,
        None if research is None else research.cost_usd,
        outcome.error_kind,
        outcome.error_message,
    )


def edit_row(key: str, edit: Edit, *, edited_at: str) -> tuple[Any, ...]:
    """Gives the row of `edits` for what a person has set."""
    return (key, edit.tier, edit.priority_score, edit.owner, edit.notes, edited_at)


def outcome_of(row: sa.Row[Any]) -> Outcome:
    """Reads a row of `results`."""
    columns = _without_job(row)
    fields = columns.pop("fields")
    found = {name: columns.pop(name) for name in ("tier", "priority_score", "cost_usd")}
    research = None if fields is None else Research(fields=json.loads(fields), **found)
    return Outcome(**columns, research=research)


def attempt_of(row: sa.Row[Any]) -> Attempt:
    """Reads a row of `attempts`."""
    return Attempt(**_without_job(row))


def edit_of(row: sa.Row[Any]) -> tuple[str, Edit]:
    """Reads a row of `edits`: its key and what was set."""
    columns = dict(row._mapping)
    del columns["edited_at"]
    return columns.pop("key"), Edit(**columns)


def _without_job(row: sa.Row[Any]) -> dict[str, Any]:
    columns = dict(row._mapping)
    del columns["job_id"]
    return columns
