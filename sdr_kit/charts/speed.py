"""How fast: throughput, speedup and efficiency, beside the ideal and the original."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sdr_kit.charts.look import BLUE, LINES, RED, TEXT, named, styled
from sdr_kit.words import counted

_IDEAL, _MEASURED, _BATCHES = "ideal", "measured", "original's batches"
_SIMULATED = "simulated"
_NOTHING_YET = "Nothing has been compared yet"
_AT_ONCE = "accounts at once"


def throughput_figure(frame: pd.DataFrame) -> go.Figure:
    """Shows throughput against concurrency.

    Args:
        frame: What `Comparison.frame` holds.

    Returns:
        Lines: x is how many accounts ran at once, y accounts per minute: measured,
        with the ideal and the original's batches on the same latencies.
    """
    frame = _with(
        frame,
        "concurrency",
        "accounts_per_minute",
        "ideal_accounts_per_minute",
        "batches_accounts_per_minute",
    )
    at_once, measured, ideal, batches = (frame[name] for name in frame)
    figure = go.Figure(_lines(at_once, ideal, batches, measured, unit="accounts/min"))
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title=_AT_ONCE, tickvals=at_once, rangemode="tozero")
    figure.update_yaxes(title="accounts/min", rangemode="tozero")
    return styled(
        figure,
        "Throughput against concurrency",
        height=380,
        empty="" if len(frame) else _NOTHING_YET,
    )


def speedup_figure(frame: pd.DataFrame) -> go.Figure:
    """Shows speedup and efficiency against concurrency.

    Args:
        frame: What `Comparison.frame` holds.

    Returns:
        Two charts above each other: x is how many accounts ran at once; y above is
        the speedup over the sequential run (a ratio), below the efficiency, speedup
        ÷ concurrency, in %. Both with the ideal and the original's batches.
    """
    names = ("speedup", "ideal_speedup", "batches_speedup")
    frame = _with(frame, "concurrency", *names)
    at_once = frame["concurrency"]
    measured, ideal, batches = (frame[name] for name in names)
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08)
    for trace in _lines(at_once, ideal, batches, measured, unit="×"):
        figure.add_trace(trace, 1, 1)
    shares = [100 * each / at_once for each in (ideal, batches, measured)]
    for trace in _lines(at_once, *shares, unit="%"):
        figure.add_trace(trace.update(showlegend=False), 2, 1)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(tickvals=at_once, rangemode="tozero")
    figure.update_xaxes(title=_AT_ONCE, row=2, col=1)
    figure.update_yaxes(title="speedup (×)", rangemode="tozero", row=1, col=1)
    top = 1.08 * max([100, *(each.max() for each in shares if each.notna().any())])
    figure.update_yaxes(title="efficiency (%)", range=[0, top], row=2, col=1)
    return styled(
        figure,
        "Speedup and efficiency against concurrency",
        height=520,
        empty="" if len(frame) else _NOTHING_YET,
    )


def comparison_figure(frame: pd.DataFrame, *, simulated: bool = False) -> go.Figure:
    """Shows how much faster each concurrency was, beside the best possible.

    Args:
        frame: What `Comparison.frame` holds.
        simulated: Whether it was worked out and not measured; the title says so.

    Returns:
        Bars: x is how many accounts ran at once, y the speedup over the sequential
        run (a ratio). Grey bars are the ideal, list scheduling of the same latencies;
        hollow ones the original's batches.
    """
    frame = _with(
        frame, "concurrency", "accounts", "speedup", "ideal_speedup", "batches_speedup"
    )
    ours = _SIMULATED if simulated else _MEASURED
    names = [f"{n} at once" if n > 1 else "sequential" for n in frame["concurrency"]]
    figure = go.Figure(
        [
            _bars(_IDEAL, names, frame["ideal_speedup"], LINES, TEXT),
            _bars(ours, names, frame["speedup"], BLUE, BLUE),
            _bars(_BATCHES, names, frame["batches_speedup"], "rgba(0, 0, 0, 0)", RED),
        ]
    )
    figure.update_xaxes(title="accounts at a time", type="category")
    title = "One by one against parallel"
    if len(frame):
        title += f": {counted(frame['accounts'].iloc[0], 'account')}"
    if simulated:
        title += ", simulated from recorded calls"
    return _compared(figure, title, len(frame))


def sizes_figure(frame: pd.DataFrame) -> go.Figure:
    """Shows the speedups for lists of several lengths.

    Args:
        frame: What `Throughput.frame` holds.

    Returns:
        Bars: x is how many accounts the list has, y the speedup over running it one
        by one (a ratio): the ideal, ours, the original's batches, its claim.
    """
    frame = _with(
        frame,
        "accounts",
        "concurrency",
        "ideal_speedup",
        "speedup",
        "batches_speedup",
        "claimed_speedup",
    )
    names = [counted(number, "account") for number in frame["accounts"]]
    figure = go.Figure(
        [
            _bars(_IDEAL, names, frame["ideal_speedup"], LINES, TEXT),
            _bars("sdr_kit", names, frame["speedup"], BLUE, BLUE),
            _bars(_BATCHES, names, frame["batches_speedup"], "rgba(0, 0, 0, 0)", RED),
            _bars("its claim", names, frame["claimed_speedup"], LINES, RED),
        ]
    )
    figure.update_xaxes(title="length of the list", type="category")
    title = "One by one against parallel"
    if len(frame):
        title += f": {frame['concurrency'].iloc[0]} at once"
    return _compared(figure, title, len(frame))


def _with(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Gives these columns of a frame that may have none at all."""
    return frame.reindex(columns=list(names))


def _compared(figure: go.Figure, title: str, rows: int) -> go.Figure:
    figure.update_layout(barmode="group", bargap=0.12, hovermode="x unified")
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(title="speedup (× sequential)", rangemode="tozero")
    return styled(figure, title, height=380, empty="" if rows else _NOTHING_YET)


def _lines(
    x: pd.Series[int],
    ideal: pd.Series[float],
    batches: pd.Series[float],
    measured: pd.Series[float],
    *,
    unit: str,
) -> list[go.Scatter]:
    grey = {"color": TEXT, "width": 2, "dash": "dash"}
    red = {"color": RED, "width": 2, "dash": "dot"}
    blue = {"color": BLUE, "width": 3}
    form = ",.0f" if unit != "×" else ".2f"
    return [
        go.Scatter(
            name=name,
            x=x,
            y=y,
            mode="lines+markers",
            line=line,
            marker={"symbol": symbol, "size": 8},
            hovertemplate=named(f"%{{y:{form}}} {unit}"),
        )
        for name, y, line, symbol in (
            (_IDEAL, ideal, grey, "diamond"),
            (_BATCHES, batches, red, "square"),
            (_MEASURED, measured, blue, "circle"),
        )
    ]


def _bars(
    name: str, x: Sequence[str], y: pd.Series[float], fill: str, line: str
) -> go.Bar:
    return go.Bar(
        name=name,
        x=x,
        y=y,
        text=["" if math.isnan(value) else f"{value:.1f}×" for value in y],
        textposition="outside",
        textangle=0,
        textfont={"color": TEXT, "size": 11},
        hovertemplate=named("%{y:.2f} ×"),
        marker={"color": fill, "line": {"color": line, "width": 1.5}},
        cliponaxis=False,
    )
