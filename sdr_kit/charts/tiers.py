"""What the research came to: tiers and priorities."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sdr_kit.account import PRIORITIES, TIERS
from sdr_kit.charts.look import (
    BLUE,
    LINES,
    ORANGE,
    TEXT,
    WHOLE_NUMBERS,
    named,
    styled,
)
from sdr_kit.words import counted

_NO_TIER = "none"
_SKY = "#56B4E9"
_COLOURS = {"A": BLUE, "B": _SKY, "C": ORANGE, _NO_TIER: LINES}


def tiers_figure(frame: pd.DataFrame) -> go.Figure:
    """Shows how many accounts are in each tier, and their priorities.

    Args:
        frame: What `Run.frame` holds; `tier` and `priority_score` are read, and rows
            that have neither are left out.

    Returns:
        Bars, y is accounts. Left: x is the tier. Right: x is the priority, 1 to 10
        (highest), one colour a tier.
    """
    known = frame.reindex(columns=["tier", "priority_score"]).dropna(how="all")
    tier = known["tier"].where(known["tier"].isin(TIERS), _NO_TIER)
    priority = pd.to_numeric(known["priority_score"], errors="coerce")
    figure = make_subplots(cols=2, column_widths=[0.3, 0.7], horizontal_spacing=0.12)
    for name, colour in _COLOURS.items():
        chosen = tier == name
        counts = priority[chosen].value_counts().reindex(PRIORITIES, fill_value=0)
        label = "no tier" if name == _NO_TIER else f"tier {name}"
        look = {"name": label, "marker": {"color": colour}}
        look["hovertemplate"] = named("%{y:,} accounts")
        number = int(chosen.sum())
        bar = go.Bar(x=[name], y=[number], showlegend=False, **look)
        bar.update(text=[f"{number:,}" if number else ""])
        bar.update(textposition="outside", textangle=0)
        bar.update(textfont={"color": TEXT}, cliponaxis=False)
        figure.add_trace(bar, 1, 1)
        figure.add_trace(go.Bar(x=list(PRIORITIES), y=counts.to_numpy(), **look), 1, 2)
    figure.update_layout(barmode="stack", hovermode="x unified")
    figure.update_yaxes(**WHOLE_NUMBERS)
    figure.update_yaxes(title="accounts", col=1)
    figure.update_xaxes(showgrid=False)
    figure.update_xaxes(title="tier", type="category", col=1)
    figure.update_xaxes(title="priority (10 is highest)", dtick=1, col=2)
    title = "Tiers and priorities"
    if len(known):
        title += f" of {counted(len(known), 'account')}"
    return styled(
        figure,
        title,
        height=340,
        empty="" if len(known) else "No account has a tier or a priority yet",
    )
