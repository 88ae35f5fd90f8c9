"""What is said of a run, before it begins and when it has ended."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sdr_kit.accounts import Accounts
from sdr_kit.causes import Cause, group_failures
from sdr_kit.cli.screen import Screen, fields_of
from sdr_kit.estimate import Estimate
from sdr_kit.forecast import Fresh
from sdr_kit.job_results import JobResults
from sdr_kit.progress import Progress, RunSummary
from sdr_kit.settings import AUTO, Concurrency
from sdr_kit.words import counted, dollars

REJECTED_SHOWN = 3  # rows; `accounts.rejected` has all of them
CAUSES_SHOWN = 3


def tell_list(screen: Screen, accounts: Accounts) -> None:
    """Says what became of the rows of a list."""
    books = accounts.books
    parts = [
        f"{counted(books['ready'], 'account')} ready of {books['rows_read']:,} rows "
        f"read from {accounts.source}"
    ]
    if books["duplicates"]:
        parts.append(counted(books["duplicates"], "duplicate"))
    if books["rejected"]:
        parts.append(f"{counted(books['rejected'], 'row')} rejected")
    screen.say(", ".join(parts))
    rejected = accounts.rejected.head(REJECTED_SHOWN)
    for row, reason in zip(rejected["row"], rejected["reason"], strict=True):
        screen.say(f"  row {row}: {reason}", "dim")
    if (more := books["rejected"] - len(rejected)) > 0:
        screen.say(f"  and {more:,} more", "dim")


def tell_choice(
    screen: Screen,
    *,
    researcher: str,
    briefs: Sequence[str],
    concurrency: Concurrency,
    most: int,
    database: str,
    budget_usd: float | None,
) -> None:
    """Says who is asked what, how many at once (at most), and where it is kept."""
    asked = f"{researcher}, asked: {', '.join(briefs)}" if briefs else researcher
    bound = "" if budget_usd is None else f"; at most {dollars(budget_usd)}"
    at_once = f"auto, at most {most}" if concurrency == AUTO else f"{concurrency}"
    screen.say(f"{asked}; {at_once} at once{bound}; kept in {database}")


def tell_cost(
    screen: Screen, estimate: Estimate | None, fresh: Fresh, *, paid: bool
) -> None:
    """Says what it will cost and take, as far as anybody knows."""
    if fresh.accounts:
        saved = f", which saves {dollars(fresh.saved_usd)}" if fresh.saved_usd else ""
        screen.say(
            f"{counted(fresh.accounts, 'account')} known already and reused{saved} "
            "(--refresh asks again)"
        )
    if estimate is not None:
        screen.say(str(estimate))
    elif paid:
        screen.say("What it will cost is not known yet; --budget-usd is a bound")


def to_type(*words: object, database: str | None) -> str:
    """Writes what to type next, on the database that was named this time."""
    named = [] if database is None else ["--database", database]
    return shlex.join(["sdr-kit", *map(str, words), *named])


def tell_end(
    screen: Screen,
    job: JobResults,
    summary: RunSummary,
    causes: Sequence[Cause],
    *,
    database: str | None,
) -> None:
    """Says what a run has come to, why accounts failed, and how to go on."""
    screen.say(f"Job {job.id}: {summary}")
    for cause in causes[:CAUSES_SHOWN]:
        screen.say(f"  {counted(len(cause.positions), 'account')}: {cause.title}")
        screen.say(f"    {cause.meaning} {cause.advice}", "dim")
    if (more := len(causes) - CAUSES_SHOWN) > 0:
        screen.say(f"  and {counted(more, 'other cause')}")
    if summary.pending:
        screen.say(f"Go on with: {to_type('resume', job.id, database=database)}")
    elif summary.failed:
        again = to_type("retry", job.id, database=database)
        screen.say(f"Try the failed ones again with: {again}")


def tell_export(screen: Screen, job: JobResults, *, database: str | None) -> None:
    """Says how the results are had as a file."""
    invented = ["--invented"] if job.asked.synthetic else []
    export = to_type("export", job.id, "results.xlsx", *invented, database=database)
    screen.say(f"Write the results with: {export}")


def causes_of(job: JobResults) -> list[Cause]:
    """Groups what failed, the most frequent first."""
    failed = job.results(status="failed")
    names = job.accounts.frame["company_name"].tolist() if failed else []
    return group_failures(failed, names=names)


def document_of(
    job: JobResults,
    *,
    now: Progress,
    summary: RunSummary,
    causes: Sequence[Cause],
    database: str,
    **more: object,
) -> dict[str, Any]:
    """Makes what `--json` prints of a job.

    Args:
        job: The job.
        now: How it stands.
        summary: What it has come to.
        causes: Why accounts failed.
        database: Where it is kept.
        more: What else is known of it.
    """
    return {
        "job": job.id,
        "source": job.accounts.source,
        "database": database,
        "researcher": job.asked.name,
        "briefs": list(job.asked.briefs),
        "synthetic": job.asked.synthetic,
        **more,
        "progress": fields_of(now),
        "summary": fields_of(summary),
        "failures": [
            {
                "kind": cause.kind,
                "title": cause.title,
                "meaning": cause.meaning,
                "advice": cause.advice,
                "accounts": len(cause.positions),
            }
            for cause in causes
        ],
    }


def asked(summary: RunSummary, question: str | None) -> RunSummary:
    """Gives the summary of a run that was ended because of what it asked."""
    return summary if question is None else replace(summary, stopped=question)
