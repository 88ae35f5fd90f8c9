"""Tables and samples as Plotly figures, all in one look.

The figures are readable on JupyterLab's light and dark theme: no background of their
own, and a grey for text that stands out from both. The colours are those of Okabe and
Ito (https://jfly.uni-koeln.de/color/), which colour-blind people can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sdr_kit.progress import Sample

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
TEXT = "#7A7A7A"  # contrast 4.3 : 1 on white, 4.4 : 1 on JupyterLab's dark grey
LINES = "rgba(128, 128, 128, 0.25)"


def comparison_figure(frame: pd.DataFrame) -> go.Figure:
    """Shows how much faster each concurrency was, beside the best possible.

    Args:
        frame: What `Comparison.frame` holds.

    Returns:
        Bars: x is how many accounts ran at once, y the speedup over the sequential
        run (a ratio). Grey bars are the ideal, list scheduling of the same latencies.
    """
    names = [f"{n} at once" if n > 1 else "sequential" for n in frame["concurrency"]]
    figure = go.Figure(
        [
            _bars("ideal", names, frame["ideal_speedup"], LINES, TEXT),
            _bars("measured", names, frame["speedup"], BLUE, BLUE),
        ]
    )
    figure.update_layout(
        title=f"{frame['accounts'].iloc[0]} accounts, sequential against parallel",
        barmode="group",
        height=380,
    )
    figure.update_yaxes(title="speedup (× sequential)", rangemode="tozero")
    figure.update_xaxes(title="accounts at a time")
    return _styled(figure)


def live_figure() -> go.FigureWidget:
    """Makes the empty chart of a run over time; `draw_live` fills it.

    x is seconds since the start of the run. From the top: accounts per minute; how
    many accounts are in flight, under the limit that the slider sets, shaded while
    the provider holds the run; accounts failed so far.
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
        figure.add_trace(go.Scatter(mode="lines", x=[], y=[], **trace), row, 1)
    figure.update_traces(selector={"name": "held"}, fillcolor="rgba(230, 159, 0, 0.3)")
    figure.update_layout(height=420, title="The run over time")
    for row, title in enumerate(("accounts/min", "accounts", "failed"), start=1):
        figure.update_yaxes(title=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(
        nticks=3, tickformat=",d", autorangeoptions={"include": 2}, row=3, col=1
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title="seconds since the start", row=3, col=1)
    widget = go.FigureWidget(_styled(figure))
    widget._config = {**widget._config, "responsive": True}  # follows the page's width
    return widget


def draw_live(figure: go.FigureWidget, samples: Sequence[Sample]) -> None:
    """Puts the samples of a run into a figure that `live_figure` made."""
    columns = {
        "throughput": [each.accounts_per_minute for each in samples],
        "held": [each.limit if each.held else 0 for each in samples],
        "in flight": [each.running for each in samples],
        "limit": [each.limit for each in samples],
        "failed": [each.failed for each in samples],
    }
    seconds = np.array([each.seconds for each in samples])  # arrays travel as binary
    with figure.batch_update():
        for trace in figure.data:
            trace.x = seconds
            trace.y = np.array(columns[trace.name])


def _bars(
    name: str, x: Sequence[str], y: pd.Series[float], fill: str, line: str
) -> go.Bar:
    return go.Bar(
        name=name,
        x=x,
        y=y,
        text=[f"{value:.1f}×" for value in y],
        textposition="outside",
        textfont={"color": TEXT},
        marker={"color": fill, "line": {"color": line, "width": 1}},
        cliponaxis=False,
    )


def _styled(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": TEXT},
        title_font={"size": 15},
        title_x=0,
        title_xref="paper",
        title_pad={"l": 0},
        margin={"l": 70, "r": 20, "t": 60, "b": 50},
        legend={
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1.02,
            "yanchor": "bottom",
        },
        hovermode="x unified",
        autosize=True,
    )
    axis = {"gridcolor": LINES, "zerolinecolor": LINES, "linecolor": LINES}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
