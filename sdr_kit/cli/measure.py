"""Measures sequential against parallel runs, as a table and a picture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
from rich.live import Live
from rich.table import Table

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.benchmark import compare
from sdr_kit.cli.problems import as_wrong_use
from sdr_kit.cli.screen import Screen, cell
from sdr_kit.comparison import Comparison
from sdr_kit.errors import SdrKitError
from sdr_kit.export import write_whole
from sdr_kit.research.sandbox import Sandbox
from sdr_kit.settings import Settings
from sdr_kit.words import counted

PICTURES = (".html", ".png")
SCALE = 2  # pixels of a PNG for each of the figure's, so that it is sharp


def bench(
    *,
    accounts: int,
    concurrency: str,
    time_scale: float,
    picture: str | None,
    json: bool,
) -> None:
    """Measures, shows and draws it; see the command's help."""
    screen, settings = Screen(json=json), Settings()
    place = None if picture is None else _checked(Path(picture).expanduser())
    levels = _levels(concurrency)
    with as_wrong_use():
        sandbox = Sandbox(time_scale=time_scale, settings=settings)
        for level in levels:
            settings.check_concurrency(level)
    made_up = _made_up(accounts)
    screen.say(
        f"{counted(accounts, 'account')} on the sandbox, whose times are multiplied by "
        f"{time_scale:g}"
    )
    comparison = _measured(made_up, sandbox, levels, settings, screen)
    screen.show(_table(comparison.frame))
    if place is not None:
        _draw(comparison, place)
        screen.say(f"Written: {place}")
    screen.document(
        {
            "accounts": accounts,
            "time_scale": time_scale,
            "picture": None if place is None else str(place),
            "rows": comparison.frame.to_dict(orient="records"),
        }
    )


def _measured(
    accounts: Accounts,
    sandbox: Sandbox,
    levels: Sequence[int],
    settings: Settings,
    screen: Screen,
) -> Comparison:
    """Measures, and shows each run when it has ended."""
    with Live(console=screen.errors, auto_refresh=False, transient=True) as live:

        def show(so_far: Comparison) -> None:
            if screen.errors.is_terminal:
                live.update(_table(so_far.frame), refresh=True)

        return asyncio.run(
            compare(
                accounts,
                sandbox,
                concurrency=levels,
                sample=len(accounts),
                settings=settings,
                on_progress=show,
            )
        )


def _checked(place: Path) -> Path:
    """Refuses before the measure what could not be drawn after it."""
    if place.suffix.lower() not in PICTURES:
        raise SdrKitError(
            f"{place.name!r} has no known suffix; a picture ends in "
            f"{' or '.join(PICTURES)}"
        )
    if place.suffix.lower() == ".png" and find_spec("kaleido") is None:
        raise SdrKitError(
            "a .png needs kaleido (pip install kaleido) and Chrome or Chromium; "
            f"without them: --picture {place.with_suffix('.html').name}"
        )
    if not place.parent.is_dir():
        raise SdrKitError(f"there is no folder {place.parent}; make it first")
    return place


def _levels(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SdrKitError(
            f"--concurrency is {text!r}; write numbers with commas: 1,5,10"
        ) from None


def _made_up(number: int) -> Accounts:
    names = [f"Company {place}" for place in range(1, number + 1)]
    domains = [f"company-{place}.com" for place in range(1, number + 1)]
    return load_accounts(pd.DataFrame({"company_name": names, "domain": domains}))


def _draw(comparison: Comparison, place: Path) -> None:
    figure = comparison.figure()
    if place.suffix.lower() == ".html":
        contents = figure.to_html(include_plotlyjs=True).encode()
    else:
        try:
            contents = figure.to_image(format="png", scale=SCALE)
        except Exception as error:  # kaleido raises whatever its Chrome does
            raise SdrKitError(
                f"the picture could not be drawn: {error}. An .html always can"
            ) from error
    write_whole(place, contents)


_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("at once", "concurrency", "d"),
    ("seconds", "seconds", ",.1f"),
    ("accounts/min", "accounts_per_minute", ",.0f"),
    ("speedup ×", "speedup", ".2f"),
    ("efficiency", "efficiency", ".0%"),
    ("ideal ×", "ideal_speedup", ".2f"),
    ("batches ×", "batches_speedup", ".2f"),
    ("p50 s", "p50_seconds", ".2f"),
    ("p95 s", "p95_seconds", ".2f"),
    ("failed", "failed", "d"),
)


def _table(frame: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, _name, _form in _COLUMNS:
        table.add_column(title, justify="right")
    for row in frame.to_dict(orient="records"):
        table.add_row(*(_written(row[name], form) for _title, name, form in _COLUMNS))
    return table


def _written(value: Any, form: str) -> Any:
    return cell(format(value, form))
