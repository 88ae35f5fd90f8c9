"""Jobs of earlier days: which there are, and going on with one."""

from __future__ import annotations

import math

import pandas as pd

from sdr_kit.accounts import Accounts
from sdr_kit.batch import Job
from sdr_kit.errors import StoreError
from sdr_kit.plan import Plan, maybe_researcher
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, Store, open_store
from sdr_kit.worker import Researcher

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
        is called), `researcher`, `state` (`running`, `interrupted` when the process
        that ran it is gone, or how it ended: `finished`, `stopped`, `cancelled`,
        `crashed`), `total`, `completed`, `failed`, `pending`, `reused` (accounts),
        `seconds`, `cost_usd` (of all attempts), `reason` (why it ended early) and
        `holder` (the process that works on it now).

    Raises:
        StoreError: The database cannot be used.
    """
    where = _durable(store, settings or Settings())
    rows = []
    for job in where.jobs():
        past = where.past(job.id)
        rows.append(
            (
                *(job.id, job.created_at, job.source, job.researcher),
                *(job.shown_state, job.total, past.completed, past.failed),
                *(job.total - past.completed - past.failed, past.reused),
                *(past.seconds, past.usage.cost_usd, job.reason),
                str(job.lease.holder) if job.held else None,
            )
        )
    frame = pd.DataFrame(rows, columns=list(JOBS), dtype=object)
    return frame.astype(JOBS)


def resume(
    job_id: int,
    researcher: Researcher | None = None,
    store: AnyStore | str | None = None,
    *,
    concurrency: int | None = None,
    budget_usd: float | None = None,
    settings: Settings | None = None,
) -> Job:
    """Goes on with a job where it stopped: all that has no result is researched.

    Its attempts, clock, costs and chart go on. What failed stays failed: `Job.retry`
    takes that up again once the job has ended.

    Args:
        job_id: Its number; `jobs()` lists them.
        researcher: Who goes on; None is the one it was begun with, where this process
            knows it.
        store: Where it is; None is the settings' database.
        concurrency: How many at once; None is as many as it began with.
        budget_usd: What it may cost in all, with what it has cost; None is as before.
        settings: None reads the environment and `.env`.

    Raises:
        ValueError: Nothing is left to do, the researcher is not known, or an argument
            is outside its range.
        JobHeldError: Another process works on it; the message names it.
        StoreError: There is no such job, or the database cannot be used.
    """
    settings = settings or Settings()
    where = _durable(store, settings)
    job = where.job(job_id)
    researcher = researcher or maybe_researcher(where, job_id)
    if researcher is None:
        raise ValueError(
            f"job {job_id} was begun with {job.researcher}, which this process does "
            f"not know; pass it: resume({job_id}, researcher)"
        )
    rows = where.accounts(job_id)
    # Files of earlier versions do not say which columns the list had.
    known = {name: "object" for row in rows for name in row.extra}
    accounts = Accounts.stored(
        rows, source=job.source, others=job.layout or tuple(known.items())
    )
    before = math.inf if job.budget_usd is None else job.budget_usd
    plan = Plan(
        accounts,
        researcher,
        mode=None if concurrency is None else "parallel",
        concurrency=concurrency or min(job.concurrency, settings.max_concurrency),
        store=where,
        settings=settings,
        budget_usd=before if budget_usd is None else budget_usd,
    )
    return Job(plan.engine_to_resume(job_id), plan, limit=plan.limit)


def _durable(store: AnyStore | str | None, settings: Settings) -> Store:
    opened = open_store(store, settings)
    if not isinstance(opened, Store):
        raise StoreError("what is kept in memory ends with its run; name a database")
    return opened
