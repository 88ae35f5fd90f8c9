"""Commands that work through a list: `run`, `plan`, `resume`, `retry`, and `watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from sdr_kit.cli import options


def run(
    accounts: Annotated[
        str,
        typer.Argument(
            metavar="ACCOUNTS", help="The list: a CSV, or an Excel workbook."
        ),
    ],
    *,
    researcher: options.ResearcherName = "sandbox",
    brief: options.BriefNames = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="parallel, or sequential (one at a time); else as "
            "ENABLE_PARALLEL_PROCESSING says.",
        ),
    ] = None,
    concurrency: options.Concurrency = None,
    budget_usd: options.Budget = None,
    deadline: options.Deadline = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Ask again what is stored and fresh (REUSE_DAYS)."
        ),
    ] = False,
    database: options.Database = None,
    output: options.Output = None,
    merged: options.Merged = False,
    invented: options.Invented = False,
    json: options.Json = False,
) -> int:
    """Research a list, and show how it goes.

    Ctrl-C ends the run: accounts in flight return to pending, and `sdr-kit resume` goes
    on with them.
    """
    from sdr_kit.cli import work

    return work.run(
        accounts,
        work.Wanted(
            researcher=researcher,
            briefs=brief,
            mode=mode,
            concurrency=concurrency,
            budget_usd=budget_usd,
            deadline_seconds=deadline,
            refresh=refresh,
            database=database,
        ),
        work.Delivery(path=output, merged=merged, invented=invented),
        json=json,
    )


def plan(
    accounts: Annotated[
        str,
        typer.Argument(
            metavar="ACCOUNTS", help="The list: a CSV, or an Excel workbook."
        ),
    ],
    *,
    sample: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=options.whole_number_from(1, 1_000),
            help="How many accounts, spread over the list, 1 to 1000; more make it "
            "more certain.",
        ),
    ] = 10,
    researcher: options.ResearcherName = "sandbox",
    brief: options.BriefNames = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="TIME",
            parser=options.time_span,
            help="In what time the list is to be done, the sample too: 2h, 90min.",
        ),
    ] = None,
    budget_usd: options.Budget = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Ask again what is stored and fresh (REUSE_DAYS)."
        ),
    ] = False,
    database: options.Database = None,
    json: options.Json = False,
) -> int:
    """Research a sample of a list, and say what the others will take.

    Time, cost and failures at each concurrency, as ranges. The sample is the beginning
    of a job: what it finds is kept, and `sdr-kit resume` goes on with the others.
    """
    from sdr_kit.cli import foresee, work

    return foresee.plan(
        accounts,
        work.Wanted(
            researcher=researcher,
            briefs=brief,
            budget_usd=budget_usd,
            deadline_seconds=deadline,
            refresh=refresh,
            database=database,
        ),
        sample=sample,
        json=json,
    )


def resume(
    job: options.Number,
    *,
    researcher: options.ResearcherName = None,
    brief: options.BriefNames = None,
    concurrency: options.Concurrency = None,
    budget_usd: options.Budget = None,
    deadline: options.Deadline = None,
    accounts: options.AccountsList = None,
    database: options.Database = None,
    output: options.Output = None,
    merged: options.Merged = False,
    invented: options.Invented = False,
    json: options.Json = False,
) -> int:
    """Go on with a job where it stopped.

    The researcher and the brief are those it was begun with, unless they are named. A
    job that is paused in another process is told to go on there.
    """
    from sdr_kit.cli import work

    return work.resume(
        job,
        work.Wanted(
            researcher=researcher,
            briefs=brief,
            concurrency=concurrency,
            budget_usd=budget_usd,
            deadline_seconds=deadline,
            accounts=accounts,
            database=database,
        ),
        work.Delivery(path=output, merged=merged, invented=invented),
        json=json,
    )


def retry(
    job: options.Number,
    *,
    researcher: options.ResearcherName = None,
    brief: options.BriefNames = None,
    concurrency: options.Concurrency = None,
    budget_usd: options.Budget = None,
    deadline: options.Deadline = None,
    accounts: options.AccountsList = None,
    database: options.Database = None,
    output: options.Output = None,
    merged: options.Merged = False,
    invented: options.Invented = False,
    json: options.Json = False,
) -> int:
    """Ask again about the accounts of a job that failed."""
    from sdr_kit.cli import work

    return work.retry(
        job,
        work.Wanted(
            researcher=researcher,
            briefs=brief,
            concurrency=concurrency,
            budget_usd=budget_usd,
            deadline_seconds=deadline,
            accounts=accounts,
            database=database,
        ),
        work.Delivery(path=output, merged=merged, invented=invented),
        json=json,
    )


def watch(
    job: options.Number,
    *,
    database: options.Database = None,
    json: options.Json = False,
) -> int:
    """Show how a job goes that another process runs. Ctrl-C lets it go on."""
    from sdr_kit.cli import work

    return work.watch(job, database=database, json=json)
