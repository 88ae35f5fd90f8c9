"""The command `bench`: what the kit costs, or sequential against parallel."""

from __future__ import annotations

from typing import Annotated

import typer

from sdr_kit.cli import options


def bench(
    *,
    million: Annotated[
        bool,
        typer.Option(
            "--million", help="Measure a list of 1,000,000 accounts too: minutes."
        ),
    ] = False,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Measure sequential against parallel on the sandbox instead. The "
            "options below are of that, and mean it.",
        ),
    ] = False,
    accounts: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=options.whole_number_from(1, 10_000),
            help="How many, 1 to 10,000 (60).",
        ),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="How many at once, each 1 to MAX_CONCURRENCY (10). One at a time is "
            "always measured too (1,3,5,8,10).",
        ),
    ] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            parser=options.amount,
            help="By how much the sandbox's times (0.6 s an account) are shrunk or "
            "stretched, 0.05 to 10 (0.5).",
        ),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Draw it: .html (opens offline), or .png where kaleido is installed.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure what the kit itself costs on this machine, or with --sandbox its speed.

    CPU an account beside a bare loop, durable accounts a second, requests beside
    aiohttp, memory of long lists: a table, in about a minute. With --sandbox,
    sequential against parallel, as a table and a picture, in half a minute. Nothing is
    asked of anybody, and nothing is kept.
    """
    chosen = (accounts, concurrency, time_scale, picture)
    if not sandbox and all(each is None for each in chosen):
        from sdr_kit.cli.costs import costs

        costs(million=million, json=json)
        return
    from sdr_kit.cli import measure

    measure.bench(
        accounts=60 if accounts is None else accounts,
        concurrency=concurrency or "1,3,5,8,10",
        time_scale=0.5 if time_scale is None else time_scale,
        picture=picture,
        json=json,
    )
