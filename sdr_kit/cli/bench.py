"""The command `bench`: sequential against parallel, on the sandbox."""

from __future__ import annotations

from typing import Annotated

import typer

from sdr_kit.cli import options


def bench(
    *,
    accounts: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=options.whole_number_from(1, 10_000),
            help="How many, 1 to 10,000.",
        ),
    ] = 60,
    concurrency: Annotated[
        str,
        typer.Option(
            metavar="N,N,…",
            help="How many at once, each 1 to MAX_CONCURRENCY (10). One at a time is "
            "always measured too.",
        ),
    ] = "1,3,5,8,10",
    time_scale: Annotated[
        float,
        typer.Option(
            metavar="X",
            parser=options.amount,
            help="By how much the sandbox's times (0.6 s an account) are shrunk or "
            "stretched, 0.05 to 10.",
        ),
    ] = 0.5,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Draw it: .html (opens offline), or .png where kaleido is installed.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure sequential against parallel, on the sandbox.

    Without options it takes about half a minute. Nothing is asked of anybody, and
    nothing is stored.
    """
    from sdr_kit.cli import measure

    measure.bench(
        accounts=accounts,
        concurrency=concurrency,
        time_scale=time_scale,
        picture=picture,
        json=json,
    )
