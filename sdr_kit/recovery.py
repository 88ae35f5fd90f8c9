"""Jobs of earlier days: which there are, and going on with one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.batch import Job, check_sample, maybe_job
from sdr_kit.errors import StoreError
from sdr_kit.request import Request, maybe_researcher
from sdr_kit.settings import AUTO, Concurrency, Settings
from sdr_kit.store import AnyStore, Store, open_store
from sdr_kit.stored_job import Past, StoredJob, job_number
from sdr_kit.watched import WatchedJob
from sdr_kit.worker import Researcher

AnyJob = Job | WatchedJob

JOBS = {
    "job": "int64",
    "created_at": "datetime64[ns, UTC]",
    "source": "object",
    "researcher": "object",
    "state": "object",
    "total": "int64",
    "completed": "int64",
    "failed": "int64",
    "pending": "int64",
    "reused": "int64",
    "seconds": "float64",
    "cost_usd": "float64",
    "reason": "object",
    "holder": "object",
    "concurrency": "object",
}


def jobs(
    store: AnyStore | str | None = None, *, settings: Settings | None = None
) -> pd.DataFrame:
    """Lists the jobs of a store, the newest first.

    Args:
        store: None is the settings' database; a URL or a `Store` names another.
        settings: None reads the environment and `.env`.

    Returns:
        One row a job: `job` (its number), `created_at` (UTC), `source` (what its list
        is called), `researcher`, `state` (`ready` to begin, `running`, `held`,
        `paused`, `interrupted` when the process that ran it is gone, or how it ended:
        `finished`, `stopped`, `cancelled`, `crashed`), `total`, `completed`, `failed`,
        `pending`, `reused` (accounts), `seconds`, `cost_usd` (of all attempts),
        `reason` (why it ended early), `holder` (the process that works on it now) and
        `concurrency` (a number, `"auto"`, or None before it has begun).

    Raises:
        StoreError: The database cannot be used.
    """
    where = _durable(store, settings or Settings())
    rows = [job_row(job, where.past(job.id)) for job in where.jobs()]
    return pd.DataFrame(rows, columns=list(JOBS), dtype=object).astype(JOBS)


def job_row(job: StoredJob, past: Past) -> dict[str, Any]:
    """Gives a row of `jobs`, with the time as the store has it."""
    return {
        "job": job.id,
        "created_at": job.created_at,
        "source": job.source,
        "researcher": job.researcher,
        "state": job.shown_state,
        "total": job.total,
        "completed": past.completed,
        "failed": past.failed,
        "pending": job.total - past.completed - past.failed,
        "reused": past.reused,
        "seconds": past.seconds,
        "cost_usd": past.usage.cost_usd,
        "reason": job.reason,
        "holder": str(job.lease.holder) if job.held else None,
        "concurrency": job.choice,
    }


def resume(
    job_id: int,
    researcher: Researcher | None = None,
    store: AnyStore | str | None = None,
    *,
    positions: Iterable[int] | None = None,
    accounts: Accounts | None = None,
    mode: str | None = None,
    concurrency: Concurrency | None = None,
    budget_usd: float | None = None,
    deadline_seconds: float | None = None,
    refresh: bool = False,
    sample: int | None = None,
    settings: Settings | None = None,
) -> AnyJob:
    """Goes on with a job where it stopped: all that has no result is researched.

    One whose list was only stored (state `ready`) begins.

    Its attempts, clock, costs and chart go on. What failed stays failed unless it is
    named. When nothing is left to do, the job is handed back as it is, for its `frame`,
    `export` or `older_than`.

    Args:
        job_id: Its number; `jobs()` lists them.
        researcher: Who goes on; None is the one it was begun with, where this process
            knows it.
        store: Where it is; None is the settings' database.
        positions: The accounts to work on, by their places in the list, failed and
            completed ones too; None is all that have no result.
        accounts: Its list as it was loaded, with the source's own columns and rows;
            None is as the store has it.
        mode: `"parallel"` or `"sequential"`; None is as before, or parallel when a
            concurrency is given.
        concurrency: How many at once, or `"auto"`; None is what was chosen last, or
            what the settings say when nothing was.
        budget_usd: What it may cost in all, with what it has cost; None is as before.
        deadline_seconds: After so many seconds from now nothing more is started; see
            `process`.
        refresh: Whether a job that begins reuses nothing that is stored.
        sample: Of a job that begins, so many accounts come first, 1 to 1,000; see
            `start`.
        settings: None reads the environment and `.env`.

    Raises:
        ValueError: The researcher is not known or invents where the first did not,
            `accounts` is another list, or an argument is outside its range.
        JobHeldError: Another process works on it; the message names it.
        StoreError: There is no such job, or the database cannot be used.
    """
    settings, job_id = settings or Settings(), job_number(job_id)
    where = _durable(store, settings)
    job = where.job(job_id)
    if positions is None and len(where.statuses(job_id)) == job.total:
        rows = None if accounts is None else _list_of(where, job, accounts)
        _note_end(where, job)
        return open_job(job_id, where, settings=settings, accounts=rows)
    researcher = researcher or maybe_researcher(where, job_id)
    if researcher is None:
        with_whom = f"with {job.researcher}, which this process does not know"
        raise ValueError(
            f"job {job_id} was begun {with_whom if job.researcher else 'by nobody'}; "
            f"pass who is asked: resume({job_id}, researcher)"
        )
    begins = job.state == "ready"
    if mode is None and concurrency is not None:
        mode = "parallel"
    if not begins:
        mode = mode or ("sequential" if job.sequential else "parallel")
        if concurrency is None and not job.sequential:
            top = settings.max_concurrency
            concurrency = AUTO if job.auto else min(job.concurrency, top)
    if budget_usd is None and not begins:
        budget_usd = math.inf if job.budget_usd is None else job.budget_usd
    request = Request(
        _list_of(where, job, accounts),
        researcher,
        mode=mode,
        concurrency=concurrency,
        store=where,
        settings=settings,
        budget_usd=budget_usd,
        deadline_seconds=deadline_seconds,
        refresh=refresh,
    )
    if begins:
        first = 0 if sample is None else check_sample(sample)
        engine = request.engine_to_begin(job_id, where, positions, sample=first)
        return Job(engine, request)
    if request.synthetic != job.synthetic:
        raise ValueError(
            f"job {job_id} was begun with {job.researcher}, and what is invented does "
            "not mix with what is true; begin a new job"
        )
    return Job(request.engine_to_resume(job_id, positions), request)


def _note_end(store: Store, job: StoredJob) -> None:
    """Notes that a job is finished whose process died when it had stored the last."""
    if job.shown_state == "interrupted":
        fence, past = store.claim(job.id), store.past(job.id)
        store.end_job(
            job.id,
            state="finished",
            reason=None,
            seconds=past.seconds,
            slot_seconds=past.slot_seconds,
            fence=fence,
        )


def open_job(
    job_id: int,
    store: Store,
    *,
    settings: Settings,
    accounts: Accounts | None = None,
) -> AnyJob:
    """Gives a handle of a stored job, whoever works on it.

    Args:
        job_id: Its number.
        store: Where it is.
        settings: The bounds of what it can be told.
        accounts: A list that was loaded, and may be the job's.

    Raises:
        StoreError: There is no such job.
    """
    job = store.job(job_id)
    ours = maybe_job(store, job_id, fence=job.lease.fence)
    if ours is not None:
        return ours
    if accounts is not None and not _same(accounts, store.accounts(job_id)):
        accounts = None
    return WatchedJob(store, job_id, settings=settings, accounts=accounts)


def maybe_last_job(store: AnyStore, accounts: Accounts) -> StoredJob | None:
    """Gives the newest job over a list; None when there is none."""
    if not isinstance(store, Store):
        return None
    same_size = (job for job in store.jobs() if job.total == len(accounts))
    return next(
        (job for job in same_size if _same(accounts, store.accounts(job.id))), None
    )


def _list_of(store: Store, job: StoredJob, accounts: Accounts | None) -> Accounts:
    rows = store.accounts(job.id)
    if accounts is None:
        return Accounts.stored(rows, source=job.source, others=job.layout)
    if not _same(check_accounts(accounts), rows):
        raise ValueError(f"{accounts.source} is not the list of job {job.id}")
    return accounts


def _same(accounts: Accounts, rows: Sequence[Account]) -> bool:
    """Whether a list has the same companies in the same order."""
    return [(each.company_name, each.domain) for each in accounts] == [
        (each.company_name, each.domain) for each in rows
    ]


def _durable(store: AnyStore | str | None, settings: Settings) -> Store:
    opened = open_store(store, settings)
    if not isinstance(opened, Store):
        raise StoreError("what is kept in memory ends with its run; name a database")
    return opened
