"""What the attempts of a run show: how long they take, and who did what when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sdr_kit.charts.look import (
    BLUE,
    LINES,
    ORANGE,
    RED,
    WHOLE_NUMBERS,
    hover_text,
    label_text,
    named,
    styled,
)
from sdr_kit.words import counted

BINS = 40
ACCOUNTS_SHOWN = 40  # bars that can be told apart on one screen
ATTEMPTS_SHOWN = 1_000  # in all; an account may be refused again and again
_LABEL_CHARACTERS = 26
_NOTHING_YET = "No account has been attempted yet"


def latency_figure(attempts: pd.DataFrame) -> go.Figure:
    """Shows how long attempts take.

    Args:
        attempts: One row an attempt: `seconds` and `outcome`, as `Run.attempts` has
            them. Seconds that are negative or infinite are left out.

    Returns:
        A histogram: x is seconds an attempt, y attempts; what did not complete is
        stacked above what did. Two lines mark the p50 and p95 of the completed (of
        all, if none did). What takes more than three times the p95 is counted in the
        last bar.
    """
    known = attempts.reindex(columns=["seconds", "outcome"])
    known = known[known["seconds"].between(0, np.inf, inclusive="left")]
    seconds = known["seconds"].to_numpy(float)
    completed = (known["outcome"] == "completed").to_numpy(bool)
    measured = seconds[completed] if completed.any() else seconds
    p50, p95 = np.quantile(measured, (0.5, 0.95)) if len(known) else (np.nan, np.nan)
    end = min(3 * p95, 1.05 * seconds.max()) if len(known) else 0.0
    edges = np.linspace(0, end or 1.0, BINS + 1)
    inside = np.minimum(seconds, edges[-1])
    done, not_done = (
        np.histogram(inside[chosen], edges)[0] for chosen in (completed, ~completed)
    )
    top = (done + not_done).max()
    figure = go.Figure(
        [
            _histogram("completed", edges, done, BLUE),
            _histogram("not completed", edges, not_done, ORANGE),
            _mark("p50", p50, top, "dash"),
            _mark("p95", p95, top, "dot"),
        ]
    )
    figure.update_layout(barmode="stack", bargap=0.04, hovermode="x")
    figure.update_xaxes(
        title="seconds an attempt", range=[0, edges[-1]], hoverformat=",.2f"
    )
    figure.update_yaxes(title="attempts", **WHOLE_NUMBERS)
    title = "How long attempts took"
    if len(known):
        title = f"How long {counted(len(known), 'attempt')} took"
    if (seconds > edges[-1]).any():
        title += f" (last bar: {edges[-2]:,.1f} s and more)"
    return styled(
        figure,
        title,
        height=360,
        empty="" if len(known) else _NOTHING_YET,
    )


def timeline_figure(
    attempts: pd.DataFrame, names: Iterable[object] | None = None
) -> go.Figure:
    """Shows the attempts at each account as one bar: waiting, working, retrying.

    Of more than 40 accounts it shows the 40 that began last; of more than 1,000
    attempts at these, the last.

    Args:
        attempts: One row an attempt, as `Run.attempts` has them.
        names: The accounts' names, by their positions from 0; None shows positions.

    Returns:
        Bars from left to right: x is seconds since the start of the run, y the
        accounts, first to begin at the top. Under the mouse: the name, which attempt
        it is, its seconds, and what went wrong.
    """
    columns = ["position", "number", "started", "seconds", "waited", "outcome"]
    known = attempts.reindex(columns=[*columns, "message"])
    known = known.dropna(subset=["position", "started", "seconds"])
    begun = known.groupby("position")["started"].min().sort_values(kind="stable")
    shown = begun.iloc[-ACCOUNTS_SHOWN:]
    rows = {position: row for row, position in enumerate(shown.index)}
    chosen = known[known["position"].isin(rows)].sort_values("started")
    chosen = chosen.iloc[-ATTEMPTS_SHOWN:]
    begin = shown.min() if len(begun) > len(shown) else 0.0
    listed = [] if names is None else list(names)
    called = [_called(position, listed) for position in rows]
    figure = go.Figure(
        list(_bars_and_crosses(chosen, rows=rows, called=called, begin=begin))
    )
    end = (chosen["started"] + chosen["seconds"]).max() if rows else 1.0
    figure.update_layout(barmode="overlay", hovermode="closest")
    figure.update_xaxes(
        title="seconds since the start", range=[begin, end + 0.02 * (end - begin)]
    )
    figure.update_yaxes(
        tickvals=list(rows.values()),
        ticktext=[label_text(name, length=_LABEL_CHARACTERS) for name in called],
        range=[max(len(rows), 1) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        automargin=True,
    )
    title = "Who was worked on when"
    if len(begun) > len(rows):
        title += f": the last {len(rows)} of {counted(len(begun), 'account')}"
    return styled(
        figure,
        title,
        height=150 + 20 * max(len(rows), 8),
        empty="" if rows else _NOTHING_YET,
    )


def _called(position: float, names: list[object]) -> str:
    place = int(position)
    known = 0 <= place < len(names)
    return str(names[place]) if known else f"account {place + 1:,}"


class _Bars:
    """The bars of one kind, collected one by one."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.starts: list[float] = []
        self.seconds: list[float] = []
        self.texts: list[str] = []

    def add(self, row: int, start: float, seconds: float, text: str) -> None:
        self.rows.append(row)
        self.starts.append(start)
        self.seconds.append(seconds)
        self.texts.append(text)

    def drawn(self, name: str, colour: str) -> go.Bar:
        return go.Bar(
            name=name,
            orientation="h",
            y=self.rows,
            base=self.starts,
            x=self.seconds,
            customdata=self.texts,
            hovertemplate="%{customdata}<extra></extra>",
            width=0.72,
            marker={"color": colour, "line": {"width": 0.5, "color": colour}},
        )


def _bars_and_crosses(
    attempts: pd.DataFrame, *, rows: dict[float, int], called: list[str], begin: float
) -> Iterator[object]:
    waiting, working, retrying, wrong = _Bars(), _Bars(), _Bars(), _Bars()
    ended: dict[float, float] = {}
    for position, number, started, seconds, waited, outcome, message in attempts[
        ["position", "number", "started", "seconds", "waited", "outcome", "message"]
    ].itertuples(index=False):
        row = rows[position]
        name = f"<b>{hover_text(called[row])}</b><br>"
        since = ended.get(position, started - np.nan_to_num(waited))
        if started > max(begin, since):
            text = f"{name}waits {started - since:,.2f} s for attempt {number}"
            waiting.add(row, max(begin, since), started - max(begin, since), text)
        text = f"{name}attempt {number}: {seconds:,.2f} s, {outcome}"
        if isinstance(message, str):
            text += f"<br>{hover_text(message)}"
        bars = working if number == 1 else retrying
        bars.add(row, started, seconds, text)
        ended[position] = started + seconds
        if outcome != "completed":
            wrong.add(row, started + seconds, 0.0, text)
    yield waiting.drawn("waiting", LINES)
    yield working.drawn("working", BLUE)
    yield retrying.drawn("retrying", ORANGE)
    yield go.Scatter(
        name="went wrong",
        mode="markers",
        x=wrong.starts,
        y=wrong.rows,
        customdata=wrong.texts,
        hovertemplate="%{customdata}<extra></extra>",
        marker={"symbol": "x", "size": 8, "color": RED},
    )


def _histogram(name: str, edges: np.ndarray, counts: np.ndarray, colour: str) -> go.Bar:
    return go.Bar(
        name=name,
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges) * 0.94,
        customdata=np.column_stack([edges[:-1], edges[1:]]),
        hovertemplate=named(
            "%{y:,} took %{customdata[0]:,.2f} to %{customdata[1]:,.2f} s"
        ),
        marker={"color": colour},
    )


def _mark(name: str, at: float, top: float, dash: str) -> go.Scatter:
    text = "–" if np.isnan(at) else f"{at:,.2f} s"
    return go.Scatter(
        name=f"{name} {text}",
        x=[at, at],
        y=[0, top],
        mode="lines",
        line={"color": RED, "width": 3, "dash": dash},
        hoverinfo="skip",
    )
