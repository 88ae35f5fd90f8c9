"""Commands about stored jobs: `jobs`, `pause`, `cancel`, `set`, `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from sdr_kit.cli import options


def listed(*, database: options.Database = None, json: options.Json = False) -> None:
    """List the jobs of the database, the newest first."""
    from sdr_kit.cli import steer

    steer.list_jobs(database, json=json)


def pause(job: options.Number, *, database: options.Database = None) -> None:
    """Pause a job that another process runs: what is at work finishes.

    `sdr-kit resume` lets it go on.
    """
    from sdr_kit.cli import steer

    steer.pause(job, database)


def cancel(job: options.Number, *, database: options.Database = None) -> None:
    """End a job that another process runs.

    Accounts in flight return to pending; `sdr-kit resume` goes on with them.
    """
    from sdr_kit.cli import steer

    steer.cancel(job, database)


def change(
    job: options.Number,
    *,
    concurrency: options.Concurrency = None,
    budget_usd: options.Budget = None,
    database: options.Database = None,
) -> None:
    """Change a job that another process runs, while it runs."""
    from sdr_kit.cli import steer

    steer.change(job, database, concurrency=concurrency, budget_usd=budget_usd)


def export(
    job: options.Number,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="Where to; .csv, .xlsx, .jsonl or .html (a report) says as what. "
            "What stands there is replaced.",
        ),
    ],
    *,
    merged: options.Merged = False,
    invented: options.Invented = False,
    accounts: options.AccountsList = None,
    database: options.Database = None,
) -> None:
    """Write the results of a job as a file, also while it runs."""
    from sdr_kit.cli import steer

    steer.export(
        job, path, database, accounts=accounts, merged=merged, invented=invented
    )
