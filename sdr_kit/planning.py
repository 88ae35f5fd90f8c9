"""A sample of a list for real, and what the others will take: `plan`.

The sample is the beginning of a job like any other, on the path of `process`: what it
found is kept, and going on with the job, or another job over the same list, does not
pay for it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar

from sdr_kit.accounts import Accounts
from sdr_kit.batch import check_sample, run_of
from sdr_kit.comparison import several
from sdr_kit.errors import StopRun
from sdr_kit.estimate import KNOWN, SAMPLE, known_of
from sdr_kit.fingerprint import provider_of
from sdr_kit.memory_store import MemoryStore
from sdr_kit.outlook import Known
from sdr_kit.planned import Plan, Terms, maybe_plan
from sdr_kit.request import Request
from sdr_kit.settings import Concurrency, Settings, check_deadline
from sdr_kit.store import AnyStore, open_store
from sdr_kit.words import counted
from sdr_kit.worker import Researcher

__all__ = ["Plan", "plan"]

P = ParamSpec("P")
T = TypeVar("T")


async def plan(
    accounts: Accounts,
    researcher: Researcher,
    *,
    sample: int = SAMPLE,
    concurrency: Sequence[Concurrency] | None = None,
    store: AnyStore | str | None = None,
    settings: Settings | None = None,
    deadline_seconds: float | None = None,
    budget_usd: float | None = None,
    refresh: bool = False,
) -> Plan:
    """Researches a sample of a list and says what the others will take.

    The sample is spread over the list and researched for real, on the caller's event
    loop, as the beginning of a job: its results are kept, and a later
    `resume(plan.job_id)`, or a `process` of the same list, does not pay for them again.
    Accounts of the list that are stored and fresh count as known, so that planning
    again costs one account, which shows that the researcher still answers.

    Args:
        accounts: What `load_accounts` gave.
        researcher: See `process`. One that costs money is paid for the sample.
        sample: How many accounts; 1 or more. More of them make the ranges narrower.
        concurrency: How many at once to plan for, each 1 to `MAX_CONCURRENCY`; None is
            1, 3, 5, 8, 10 and so on up to `MAX_CONCURRENCY`, and `"auto"` where it may
            go beyond. The sample runs as the settings say.
        store: See `process`.
        settings: None reads the environment and `.env`.
        deadline_seconds: When the whole list is to be done, in seconds from this call,
            above 0: the time of the sample counts, and the others are taken to begin
            as soon as the plan is there. For a time of day, pass `(when -
            datetime.now()).total_seconds()`. None is no deadline.
        budget_usd: What the job may cost in all, the sample too; see `process`.
        refresh: See `process`.

    Returns:
        The plan: `.frame`, `.figure()`, `.concurrency`, `.job_id`.

    Raises:
        TypeError: `accounts` or `researcher` is of another kind.
        ValueError: The sample, a concurrency, the deadline, the budget or a setting
            outside its range, or a list without accounts.
        StopRun: No account of the sample was answered, so there is nothing to plan by.
        StoreError: The database cannot be used.
    """
    settings = settings or Settings()
    terms = Terms(
        settings=settings,
        levels=concurrency and several(concurrency),
        deadline_seconds=check_deadline(deadline_seconds),
        budget_usd=settings.chosen_budget(budget_usd),
    )
    terms.check()
    if not len(accounts):
        raise ValueError("accounts is an empty list: there is nothing to plan")
    clock = asyncio.get_running_loop().time
    began = clock()
    where = await _done(store, open_store, store, settings)
    request = Request(
        accounts,
        researcher,
        mode=None,
        concurrency=None,
        store=where,
        settings=settings,
        budget_usd=budget_usd,
        refresh=refresh,
    )
    earlier = await _done(where, _earlier, request, where)
    wanted = max(1, check_sample(sample) - len(earlier))
    begin = partial(request.engine, attended=False, sample=wanted)
    engine = await _done(where, begin)
    await engine.run()
    run = run_of(request, engine)
    provider = provider_of(researcher)
    learned = await _done(where, where.learned, provider)
    stopped = run.summary.stopped if engine.unasked else None
    made = maybe_plan(
        run.job_id,
        run.results(),
        where.attempts(run.job_id),
        accounts=len(run.unfinished()),
        terms=replace(terms.after(clock() - began), learned=learned),
        earlier=earlier,
        notes=() if stopped is None else (stopped,),
    )
    if made is None:
        why = stopped or f"{counted(run.summary.failed, 'account')} failed"
        raise StopRun(
            f"Nothing to plan by: no account of the sample was answered (job "
            f"{run.job_id}). {why}"
        )
    return made


def _earlier(request: Request, store: AnyStore) -> list[Known]:
    """Reads how accounts of the list went in earlier jobs, as far as they are fresh."""
    how = request.beginning
    if how.fingerprint is None or how.reuse_since is None:
        return []
    return known_of(
        store.known(
            request.accounts.keys,
            fingerprint=how.fingerprint,
            since=how.reuse_since,
            limit=KNOWN,
        )
    )


async def _done(
    store: AnyStore | str | None, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Does what may wait for a disk: not on the loop, unless there is none."""
    if store == "memory" or isinstance(store, MemoryStore):
        return act(*args, **kwargs)
    return await asyncio.to_thread(act, *args, **kwargs)
