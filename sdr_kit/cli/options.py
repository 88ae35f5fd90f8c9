"""The options that several commands have, with what their help says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from sdr_kit import words


def whole_number(text: str) -> int:
    """Reads a whole number; its range is checked by who knows it."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None


def concurrency(text: str) -> int | str:
    """Reads how many at once: a number, or a word; who knows the range checks both."""
    try:
        return int(text)
    except ValueError:
        return text.strip().lower()


def whole_number_from(low: int, high: int) -> Callable[[str], int]:
    """Gives what reads a whole number of a range."""

    def read(text: str) -> int:
        number = whole_number(text)
        if not low <= number <= high:
            raise typer.BadParameter(
                f"{number} must be a whole number from {low:,} to {high:,}"
            )
        return number

    return read


def amount(text: str) -> float:
    """Reads a number."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number") from None


def time_span(text: str) -> float:
    """Reads a time like `2h`, `1h 30min` or `90s`; a number alone is seconds."""
    try:
        return words.time_span(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{error}; write 2h, 90min, 1h30m or a number of seconds"
        ) from None


Number = Annotated[
    int,
    typer.Argument(
        metavar="ID",
        parser=whole_number,
        help="The job's number; `sdr-kit jobs` has them.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where results are kept, for instance sqlite:///results.db; "
        "else DATABASE_URL, else sdr_kit.db of the project.",
    ),
]
ResearcherName = Annotated[
    str | None,
    typer.Option(
        "--researcher",
        metavar="NAME",
        help="Who is asked: sandbox (offline, invented answers), openai or anthropic.",
    ),
]
BriefNames = Annotated[
    list[str] | None,
    typer.Option(
        "--brief",
        metavar="NAME",
        help="What is asked: general, customer-identity, workforce-identity, or the "
        "path of a TOML file. Given again, all of them.",
    ),
]
Concurrency = Annotated[
    Any,  # `int | Literal["auto"]`; Typer knows no unions
    typer.Option(
        metavar="N|auto",
        parser=concurrency,
        help="How many accounts at once, 1 to MAX_CONCURRENCY (10); auto finds the "
        "best number while it runs, up to AUTO_MAX_CONCURRENCY (50).",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget-usd",
        metavar="USD",
        parser=amount,
        help="What the job may cost in all, in US dollars above 0; inf is no bound.",
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="TIME",
        parser=time_span,
        help="After this time nothing more is started, and the rest stays pending: "
        "2h, 90min, 1h30m.",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Write the results there at the end: .csv, .xlsx, .jsonl or .html.",
    ),
]
Merged = Annotated[
    bool,
    typer.Option(
        "--merged",
        help="Write your own table, every row of it, with the results behind "
        "(.csv, .xlsx).",
    ),
]
Invented = Annotated[
    bool,
    typer.Option(
        "--invented", help="Also write what the sandbox made up; else it is blank."
    ),
]
AccountsList = Annotated[
    str | None,
    typer.Option(
        "--accounts",
        metavar="PATH",
        help="The job's list as it was loaded, for --merged; else as the database "
        "has it.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document; progress and messages go to standard error.",
    ),
]
