"""A run over time, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sdr_kit.charts.look import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    as_widget,
    named,
    say_empty,
    styled,
)
from sdr_kit.progress import Sample

_NOTHING_YET = "The run has not begun"


def run_figure(samples: Sequence[Sample]) -> go.Figure:
    """Shows a run over time.

    Args:
        samples: What `Job.history` holds.

    Returns:
        Three charts above each other: x is seconds since the start of the run. From
        the top: accounts per minute; how many accounts are in flight, under the limit
        (the slider's, or lower where the provider takes no more; in auto what it has
        taken so far, until a limit is found), shaded while the provider holds the run,
        with a mark for each thing found out about it; accounts failed so far.
    """
    figure = make_subplots(
        rows=3,
        shared_xaxes=True,
        row_heights=[0.42, 0.38, 0.2],
        vertical_spacing=0.07,
    )
    line = {"shape": "hv", "width": 2}
    rate = {"name": "throughput", "line": {"width": 2, "color": BLUE}}
    held = {"name": "held", "line": {"width": 0, "shape": "hv"}, "fill": "tozeroy"}
    in_flight = {"name": "in flight", "line": {**line, "color": GREEN}}
    limit = {"name": "limit", "line": {**line, "color": ORANGE, "dash": "dot"}}
    failed = {"name": "failed", "line": {**line, "color": RED}}
    for row, trace in ((1, rate), (2, held), (2, in_flight), (2, limit), (3, failed)):
        figure.add_trace(
            go.Scatter(
                mode="lines", x=[], y=[], hovertemplate=named("%{y:,.0f}"), **trace
            ),
            row,
            1,
        )
    figure.add_trace(
        go.Scatter(
            name="found out",
            mode="markers",
            x=[],
            y=[],
            visible=False,
            marker={"symbol": "diamond", "size": 9, "color": ORANGE},
            hovertemplate=named("%{text}"),
        ),
        2,
        1,
    )
    figure.update_traces(selector={"name": "held"}, fillcolor="rgba(230, 159, 0, 0.3)")
    figure.update_layout(hovermode="x unified")
    for row, title in enumerate(("accounts/min", "accounts", "failed"), start=1):
        figure.update_yaxes(title=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(
        nticks=3, tickformat=",d", autorangeoptions={"include": 2}, row=3, col=1
    )
    figure.update_xaxes(rangemode="tozero", hoverformat=",.1f")
    figure.update_xaxes(title="seconds since the start", row=3, col=1)
    styled(figure, "The run over time", height=420)
    draw_live(figure, samples)
    return figure


def live_figure() -> go.FigureWidget:
    """Makes the empty chart of a run over time; `draw_live` fills it."""
    return as_widget(run_figure(()))


def draw_live(figure: go.Figure, samples: Sequence[Sample]) -> None:
    """Puts the samples of a run into a figure that this module made."""
    columns = {
        "throughput": [each.accounts_per_minute for each in samples],
        "held": [each.limit if each.held else 0 for each in samples],
        "in flight": [each.running for each in samples],
        "limit": [each.limit for each in samples],
        "failed": [each.failed for each in samples],
    }
    seconds = np.array([each.seconds for each in samples])  # arrays travel as binary
    noted = [each for each in samples if each.note]
    with figure.batch_update():
        if figure.layout.showlegend is not bool(
            samples
        ):  # it costs as much as the rest
            say_empty(figure, "" if samples else _NOTHING_YET)
        *lines, marks = figure.data
        for trace in lines:
            trace.x = seconds
            trace.y = np.array(columns[trace.name])
        notes = tuple(each.note for each in noted)
        if notes != (marks.text or ()):
            marks.x = np.array([each.seconds for each in noted])
            marks.y = np.array([each.limit for each in noted])
            marks.text = notes
        marks.visible = bool(notes)
