"""Stored jobs: listed, written as files, and steered where somebody runs them."""

from __future__ import annotations

import json as json_of
import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from sdr_kit.accounts import load_accounts
from sdr_kit.cli import named
from sdr_kit.cli.bar import at_once
from sdr_kit.cli.problems import as_wrong_use
from sdr_kit.cli.screen import Screen, cell
from sdr_kit.database import is_there
from sdr_kit.dates import local
from sdr_kit.errors import SdrKitError
from sdr_kit.progress import Progress
from sdr_kit.recovery import jobs, open_job
from sdr_kit.settings import Concurrency
from sdr_kit.words import dollars

HEARD_SECONDS = 5.0  # within which whoever runs a job says what it has heard
LOOK_SECONDS = 0.1


def list_jobs(database: str | None, *, json: bool) -> None:
    """Shows the jobs of a database."""
    screen, settings = Screen(json=json), named.settings_for(database)
    frame = pd.DataFrame()
    if is_there(settings.database):  # else it would be made
        frame = jobs(named.store_of(settings), settings=settings)
    if json:
        screen.document(
            json_of.loads(frame.to_json(orient="records", date_format="iso"))
        )
    elif frame.empty:
        where = settings.database.removeprefix("sqlite:///")
        screen.say(f"There are no jobs in {where}")
    else:
        screen.show(_table(frame))


def pause(job_id: int, database: str | None) -> None:
    """Has whoever runs a job start nothing more."""
    _steer(job_id, database, lambda now: now.state == "paused", state="paused")


def cancel(job_id: int, database: str | None) -> None:
    """Has whoever runs a job end it."""
    _steer(job_id, database, lambda now: now.ended, state="cancelled")


def change(
    job_id: int,
    database: str | None,
    *,
    concurrency: Concurrency | None,
    budget_usd: float | None,
) -> None:
    """Has whoever runs a job run more or fewer at once, or spend more or less."""
    if concurrency is None and budget_usd is None:
        raise SdrKitError("nothing is wanted; give --concurrency or --budget-usd")

    def heard(now: Progress) -> bool:
        return concurrency in (None, now.concurrency) and (
            budget_usd in (None, now.budget_usd or float("inf"))
        )

    _steer(job_id, database, heard, limit=concurrency, budget_usd=budget_usd)


def export(
    job_id: int,
    path: str,
    database: str | None,
    *,
    accounts: str | None,
    merged: bool,
    invented: bool,
) -> None:
    """Writes the results of a job."""
    screen, settings = Screen(), named.settings_for(database)
    own = None if accounts is None else load_accounts(accounts)
    store = named.store_with(settings, job_id)
    job = open_job(job_id, store, settings=settings, accounts=own)
    if own is not None and job.accounts is not own:
        raise SdrKitError(f"{own.source} is not the list of job {job_id}")
    with as_wrong_use():
        place = job.export(path, merged=merged, invented=invented)
    left_out = job.asked.synthetic and not invented
    blank = " (what the sandbox invented is left blank without --invented)"
    screen.say(f"Written: {place}{blank if left_out else ''}")


def _steer(
    job_id: int,
    database: str | None,
    heard: Callable[[Progress], bool],
    *,
    state: str | None = None,
    limit: Concurrency | None = None,
    budget_usd: float | None = None,
) -> None:
    """Tells whoever runs a job, and waits a moment until it is done.

    Raises:
        SdrKitError: Nobody runs it, or a value is outside its range.
    """
    settings = named.settings_for(database)
    with as_wrong_use():
        if limit is not None:
            settings.check_choice(limit)
    store = named.store_with(settings, job_id)
    with as_wrong_use():
        store.steer(job_id, state=state, limit=limit, budget_usd=budget_usd)
    until = time.monotonic() + HEARD_SECONDS
    job = open_job(job_id, store, settings=settings)
    while not heard(now := job.progress) and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    if heard(now):
        Screen().say(f"Job {job_id}: {_standing(now)}")
    else:
        Screen().say(f"Job {job_id} was told; it has not answered yet")


def _standing(now: Progress) -> str:
    bound = "" if now.budget_usd is None else f" of {dollars(now.budget_usd)}"
    cost = f", {dollars(now.cost_usd)}{bound}" if now.cost_usd or bound else ""
    most = "" if now.ended else f", {at_once(now)}"
    return f"{now.state}, {now.done:,} of {now.total:,} accounts{most}{cost}"


def _table(frame: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "begun", "list", "researcher", "state"):
        table.add_column(name, no_wrap=name in ("job", "begun"))
    for name in ("at once", "done", "failed", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why")
    for row in frame.to_dict(orient="records"):
        table.add_row(*map(cell, _cells(row)))
    return table


def _cells(row: Mapping[Any, Any]) -> list[str]:
    cost = row["cost_usd"]
    return [
        str(row["job"]),
        local(row["created_at"].isoformat()),
        row["source"],
        row["researcher"],
        row["state"],
        f"{row['concurrency'] or ''}",
        f"{row['completed'] + row['failed']:,} of {row['total']:,}",
        f"{row['failed']:,}",
        "" if pd.isna(cost) else dollars(cost),
        row["holder"] or row["reason"] or "",
    ]
