"""What a plan says: the time at each concurrency, and the deadline."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from sdr_kit.charts.look import BLUE, RED, TEXT, named, styled
from sdr_kit.words import between, duration

# The largest unit in which the longest time is at least two.
_UNITS = ((7_200.0, 3_600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def plan_figure(frame: pd.DataFrame, deadline_seconds: float | None) -> go.Figure:
    """Shows how long the rest of a list takes at each concurrency.

    Args:
        frame: What `Plan.frame` holds.
        deadline_seconds: What is left until the deadline; None is none.

    Returns:
        Points with bars: x is how many accounts run at once, y the time by the clock
        (hours, minutes or seconds): the median, and the range that holds in 80 of 100
        cases. A dashed line is the deadline.
    """
    longest = frame["seconds_high"].max() if len(frame) else 0.0
    _, unit, name = next(each for each in _UNITS if longest >= each[0])
    low, mid, high = (
        frame[column] / unit for column in ("seconds_low", "seconds", "seconds_high")
    )
    levels = [
        f"auto, up to {level}" if mode == "auto" else str(level)
        for level, mode in zip(frame["concurrency"], frame["mode"], strict=True)
    ]
    figure = go.Figure(
        go.Scatter(
            name="in 80 of 100 cases",
            x=levels,
            y=mid,
            mode="markers+lines",
            line={"color": BLUE, "width": 2},
            marker={"size": 9},
            error_y={
                "type": "data",
                "array": high - mid,
                "arrayminus": mid - low,
                "color": BLUE,
                "thickness": 2,
            },
            customdata=[
                between(duration(low), duration(high))
                for low, high in zip(
                    frame["seconds_low"], frame["seconds_high"], strict=True
                )
            ],
            hovertemplate=named("%{customdata}"),
        )
    )
    if deadline_seconds is not None and math.isfinite(deadline_seconds):
        figure.add_hline(
            y=deadline_seconds / unit,
            line={"color": RED, "width": 2, "dash": "dash"},
            annotation={"text": "deadline", "font": {"color": TEXT}},
        )
    figure.update_xaxes(title="accounts at once", type="category")
    figure.update_yaxes(title=name, rangemode="tozero")
    return styled(figure, "What the rest will take", height=380)
