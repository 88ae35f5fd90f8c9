"""Measures what the kit itself costs, as one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.live import Live
from rich.table import Table

from sdr_kit.cli.screen import Screen, cell
from sdr_kit.costs.client import client_figures
from sdr_kit.costs.durable import durable_figures
from sdr_kit.costs.engine import engine_figures
from sdr_kit.costs.figure import Figure
from sdr_kit.costs.loading import loading_figures
from sdr_kit.costs.sizes import MILLION, SIZES, size_figures

_STYLES = {"met": "green", "missed": "red", "": ""}


def costs(*, million: bool, json: bool) -> None:
    """Measures and shows it; see the command's help."""
    screen = Screen(json=json)
    figures: list[Figure] = []
    with Live(console=screen.errors, auto_refresh=False, transient=True) as live:
        for figure in _measured(million=million):
            figures.append(figure)
            if screen.errors.is_terminal:
                live.update(_table(figures), refresh=True)
    screen.show(_table(figures))
    screen.say("Each ratio is the median of measures taken in turns in this run.")
    screen.document(
        {"rows": [{**asdict(each), "result": each.result} for each in figures]}
    )


def _measured(*, million: bool) -> Iterator[Figure]:
    yield from engine_figures()
    yield from durable_figures()
    yield from client_figures()
    yield from size_figures((*SIZES, MILLION) if million else SIZES)
    yield from loading_figures()


def _table(figures: list[Figure]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what")
    table.add_column("here", justify="right")
    table.add_column("beside")
    table.add_column("ratio", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for each in figures:
        table.add_row(
            cell(each.what),
            cell(each.ours),
            cell(" · ".join(filter(None, (each.peer, each.note)))),
            cell("" if each.ratio is None else f"{each.ratio:.2f}×"),
            cell(_target(each)),
            cell(each.result, _STYLES[each.result]),
        )
    return table


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    sign = "≤" if figure.at_most else "≥"
    unit = "×" if figure.value is None else ""
    return f"{sign} {figure.target:,g}{unit}"
