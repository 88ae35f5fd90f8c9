"""How much of what was asked is known, and what it rests on."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sdr_kit.charts.look import BLUE, ORANGE, TEXT, hover_text, label_text, styled
from sdr_kit.coverage import coverage_frame
from sdr_kit.words import counted

_LABEL_CHARACTERS = 34
_BAR = "<b>%{customdata}</b><br>%{x:.0f} % of the accounts<extra></extra>"
_SURE = "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>"


def coverage_figure(frame: pd.DataFrame, evidence: pd.DataFrame) -> go.Figure:
    """Shows for each field how many accounts have a value, and a source for it.

    Args:
        frame: What `Run.frame` holds; only completed accounts count.
        evidence: What `Run.evidence` holds.

    Returns:
        Bars from left to right, a field each, under the name of its brief where it
        has one, the best known at the top: x is the share of the completed accounts
        in %, with a source and without. Beside them the confidence that the evidence
        claims, in %: the median as a mark, the middle half as a line.
    """
    known = _sorted(coverage_frame(frame, evidence))
    briefs = known["field"].map(_brief_of).tolist()
    names = [_called(name) for name in known["field"]]
    rows, headings = _places(briefs)
    sourced = 100 * known["sourced"] / known["accounts"]
    bare = 100 * (known["answered"] - known["sourced"]) / known["accounts"]
    figure = make_subplots(
        cols=2, shared_yaxes=True, column_widths=[0.7, 0.3], horizontal_spacing=0.07
    )
    for name, shares, colour in (
        ("with a source", sourced, BLUE),
        ("without a source", bare, ORANGE),
    ):
        figure.add_trace(_bars(name, rows, names, shares, colour), 1, 1)
    figure.add_trace(_confidences(rows, names, known), 1, 2)
    figure.update_layout(barmode="stack", bargap=0.3, hovermode="closest")
    percent = {"range": [0, 102], "ticksuffix": " %", "zeroline": False}
    figure.update_xaxes(**percent)
    figure.update_xaxes(title="accounts with a value", dtick=20, col=1)
    figure.update_xaxes(title="confidence", dtick=50, col=2)
    figure.update_yaxes(
        tickvals=[*rows, *headings],
        ticktext=[
            *(label_text(name, length=_LABEL_CHARACTERS) for name in names),
            *(
                f"<b>{label_text(brief, length=_LABEL_CHARACTERS)}</b>"
                for brief in headings.values()
            ),
        ],
        range=[max([*rows, 0]) + 0.6, -0.6],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(automargin=True, col=1)
    title = "What is known, and what it rests on"
    if rows:
        title += f": {counted(int(known['accounts'].iloc[0]), 'completed account')}"
    return styled(
        figure,
        title,
        height=150 + 26 * max(len(rows) + len(headings), 6),
        empty="" if rows else "No account has been researched yet",
    )


def _sorted(known: pd.DataFrame) -> pd.DataFrame:
    """Puts the best known at the top, within each brief."""
    known = known[known["accounts"] > 0]
    best = known.sort_values(["answered", "sourced"], ascending=False, kind="stable")
    order = list(dict.fromkeys(map(_brief_of, known["field"])))
    of_brief = best["field"].map(lambda name: order.index(_brief_of(name)))
    return best.iloc[of_brief.to_numpy().argsort(kind="stable")]


def _brief_of(column: str) -> str:
    return column.rpartition(".")[0]


def _called(column: str) -> str:
    return column.rpartition(".")[2].replace("_", " ")


def _places(briefs: list[str]) -> tuple[list[int], dict[int, str]]:
    """Gives the rows of the fields, and those that the names of their briefs take."""
    rows: list[int] = []
    headings: dict[int, str] = {}
    for place, brief in enumerate(briefs):
        new = place == 0 or brief != briefs[place - 1]
        if brief and new:
            headings[place + len(headings)] = brief
        rows.append(place + len(headings))
    return rows, headings


def _bars(
    name: str, rows: list[int], names: list[str], shares: pd.Series[float], colour: str
) -> go.Bar:
    return go.Bar(
        name=name,
        orientation="h",
        y=rows,
        x=shares.to_numpy(),
        customdata=[f"{hover_text(each)}: {name}" for each in names],
        hovertemplate=_BAR,
        marker={"color": colour},
    )


def _confidences(rows: list[int], names: list[str], known: pd.DataFrame) -> go.Scatter:
    low, middle, high = (100 * known[name] for name in ("low", "confidence", "high"))
    said = [
        [hover_text(name), f"confidence {one:.0f} %, mostly {a:.0f} to {b:.0f} %"]
        for name, a, one, b in zip(names, low, middle, high, strict=True)
    ]
    return go.Scatter(
        name="confidence",
        mode="markers",
        y=rows,
        x=middle.to_numpy(),
        error_x={
            "type": "data",
            "array": (high - middle).to_numpy(),
            "arrayminus": (middle - low).to_numpy(),
            "color": TEXT,
            "thickness": 2,
            "width": 0,
        },
        customdata=said,
        hovertemplate=_SURE,
        marker={"color": TEXT, "size": 9, "symbol": "diamond"},
    )
