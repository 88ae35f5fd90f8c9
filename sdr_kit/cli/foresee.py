"""Researches a sample of a list and says what the others will take: `plan`."""

from __future__ import annotations

import asyncio

from rich.table import Table

from sdr_kit.accounts import load_accounts
from sdr_kit.cli import named, telling
from sdr_kit.cli.problems import as_wrong_use
from sdr_kit.cli.screen import Screen, cell
from sdr_kit.cli.work import Wanted
from sdr_kit.planned import Plan
from sdr_kit.planning import plan as plan_list
from sdr_kit.settings import check_deadline
from sdr_kit.words import counted


def plan(source: str, wanted: Wanted, *, sample: int, json: bool) -> int:
    """Plans a list; gives the exit code."""
    screen, settings = Screen(json=json), named.settings_for(wanted.database)
    with as_wrong_use():
        budget_usd = settings.chosen_budget(wanted.budget_usd)
        check_deadline(wanted.deadline_seconds)
    asked = wanted.researcher or "sandbox"
    researcher = named.researcher_for(settings, asked, wanted.briefs)
    accounts = load_accounts(source)
    store = named.store_of(settings)
    telling.tell_list(screen, accounts)
    first = counted(min(sample, len(accounts)), "account")
    screen.say(f"A sample of {first} comes first; kept in {store}")
    made = asyncio.run(
        plan_list(
            accounts,
            researcher,
            sample=sample,
            store=store,
            settings=settings,
            deadline_seconds=wanted.deadline_seconds,
            budget_usd=budget_usd,
            refresh=wanted.refresh,
        )
    )
    _show(made, screen, wanted.database)
    screen.document(
        {
            "job": made.job_id,
            "database": str(store),
            "accounts": made.accounts,
            "sample": made.sample,
            "deadline_seconds": made.deadline_seconds,
            "budget_usd": made.budget_usd,
            "spent_usd": made.spent_usd,
            "concurrency": made.concurrency,
            "starts_per_minute": made.starts_per_minute,
            "notes": [*made.verdicts, *made.notes],
            "rows": made.frame.to_dict(orient="records"),
        }
    )
    return 0


def _show(made: Plan, screen: Screen, database: str | None) -> None:
    """Says what the others will take, and what to type next."""
    screen.say(
        f"Job {made.job_id}: {counted(made.accounts, 'account')} to go, from a sample "
        f"of {made.sample:,}; each range holds in 80 of 100 cases"
    )
    rows = made.written
    if rows:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in rows[0]:
            table.add_column(title, justify="right")
        for row in rows:
            table.add_row(*map(cell, row.values()))
        screen.show(table)
    for sentence in (*made.verdicts, *made.notes):
        screen.say(sentence)
    if made.accounts:
        go_on = telling.to_type(
            "resume", made.job_id, *_options(made), database=database
        )
        screen.say(f"Go on with: {go_on}")


def _options(made: Plan) -> list[object]:
    """What to choose: the concurrency that meets the deadline, and what is left."""
    options: list[object] = []
    if made.concurrency is not None:
        options += ["--concurrency", made.concurrency]
    left = made.deadline_seconds
    if left is not None and left > 0:
        options += ["--deadline", f"{left:.3g}" if left < 10 else f"{left:.0f}"]
    return options
