from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from sdr_kit import charts
from sdr_kit.account import Attempt
from sdr_kit.progress import Sample
from sdr_kit.results import attempts_frame

Draw = Callable[[pd.DataFrame], Any]

COMPARED: list[Draw] = [
    charts.comparison_figure,
    charts.throughput_figure,
    charts.speedup_figure,
]


NASTY = '<a href="javascript:alert(1)">$x$</a> & Söhne'


def evidence_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A page for every second account's summary."""
    rows = range(0, len(frame), 2)
    return pd.DataFrame(
        {
            "field": "summary",
            "position": list(rows),
            "source": "https://acme.de",
            "confidence": [0.5 + each % 5 / 10 for each in rows],
        }
    )


def covered(frame: pd.DataFrame) -> go.Figure:
    return charts.coverage_figure(frame, evidence_of(frame))


DRAWN: list[Draw] = [
    *COMPARED,
    covered,
    charts.sizes_figure,
    charts.latency_figure,
    charts.timeline_figure,
    charts.tiers_figure,
]


def compared(*levels: int) -> pd.DataFrame:
    rows = [
        {
            "concurrency": level,
            "accounts": 20,
            "accounts_per_minute": 90.0 * level,
            "speedup": 0.9 * level,
            "ideal_speedup": 0.95 * level,
            "batches_speedup": 0.5 * level,
            "ideal_accounts_per_minute": 95.0 * level,
            "batches_accounts_per_minute": 50.0 * level,
        }
        for level in levels
    ]
    return pd.DataFrame(rows)


def sized(*sizes: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "accounts": sizes,
            "concurrency": 5,
            "claimed_speedup": [3.0] + [np.nan] * (len(sizes) - 1),
            "batches_speedup": 2.7,
            "speedup": 4.8,
            "ideal_speedup": 4.9,
        }
    )


def attempted(number: int) -> pd.DataFrame:
    """Accounts one after the other; every tenth needs a second attempt."""
    attempts = []
    for position in range(number):
        failed = position % 10 == 9
        attempts.append(
            Attempt(
                position=position,
                number=1,
                started=float(position),
                seconds=0.5,
                outcome="transient" if failed else "completed",
                waited=float(position),
                message=f"503 {NASTY}" if failed else None,
            )
        )
        if failed:
            again = Attempt(
                position=position,
                number=2,
                started=position + 2.0,
                seconds=1.5,
                outcome="completed",
            )
            attempts.append(again)
    return attempts_frame(attempts)


def rated(number: int) -> pd.DataFrame:
    tiers = ["A", "B", "C", None]
    return pd.DataFrame(
        {
            "tier": [tiers[i % 4] for i in range(number)],
            "priority_score": pd.array(
                [None if i % 5 == 4 else i % 10 + 1 for i in range(number)],
                dtype="Int64",
            ),
        }
    )


def researched(number: int) -> pd.DataFrame:
    return rated(number).assign(
        summary=["" if i % 3 == 2 else "It makes anvils." for i in range(number)],
        error_kind=None,
        status="completed",
    )


def samples(number: int) -> list[Sample]:
    return [
        Sample(
            seconds=each / 4,
            accounts_per_minute=100.0,
            running=4,
            limit=5,
            failed=each // 100,
            held=each == 1,
        )
        for each in range(number)
    ]


def frame_for(draw: Draw, rows: int) -> pd.DataFrame:
    if draw in COMPARED:
        return compared(*range(1, rows + 1))
    if draw is charts.sizes_figure:
        return sized(*range(10, 10 * rows + 1, 10))
    if draw is covered:
        return researched(rows)
    return rated(rows) if draw is charts.tiers_figure else attempted(rows)


def traces(figure: go.Figure) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def written(figure: go.Figure) -> str:
    """All that a figure says, apart from its look."""
    return str(figure.to_plotly_json())


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("columns", ["its columns", "no columns"])
def test_with_nothing_to_show_it_says_so(draw: Draw, columns: str) -> None:
    empty = frame_for(draw, 1).iloc[:0]
    figure = draw(empty if columns == "its columns" else pd.DataFrame())
    (note,) = figure.layout.annotations
    assert note.visible
    assert " yet" in note.text
    assert not figure.layout.showlegend
    assert figure.layout.xaxis.visible is False


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("rows", [1, 7])
def test_with_something_to_show_it_has_titles_and_units(draw: Draw, rows: int) -> None:
    figure = draw(frame_for(draw, rows))
    assert figure.layout.title.text
    assert not figure.layout.annotations[0].visible
    assert figure.layout.showlegend
    for trace in figure.data:
        assert trace.name
    titled = [
        axis.title.text
        for axis in [*figure.select_xaxes(), *figure.select_yaxes()]
        if axis.title.text
    ]
    # The names of accounts need no title.
    assert len(titled) >= (1 if draw is charts.timeline_figure else 2)


@pytest.mark.parametrize("draw", DRAWN)
def test_it_has_the_look_of_all(draw: Draw) -> None:
    layout = draw(frame_for(draw, 3)).layout
    for ground in (layout.paper_bgcolor, layout.plot_bgcolor):
        assert ground == "rgba(0, 0, 0, 0)"
    assert layout.font.color == "#7A7A7A"
    assert layout.title.x == 0
    assert layout.height >= 300


@pytest.mark.parametrize("draw", DRAWN)
def test_what_is_missing_leaves_a_gap_not_an_error(draw: Draw) -> None:
    frame = frame_for(draw, 12)
    numbers = frame.select_dtypes("float").columns
    frame.loc[3, numbers] = np.nan
    assert "nan×" not in written(draw(frame))


@pytest.mark.parametrize("draw", DRAWN)
def test_it_is_the_same_as_a_widget(draw: Draw) -> None:
    figure = draw(frame_for(draw, 3))
    widget = charts.as_widget(figure)
    assert isinstance(widget, go.FigureWidget)
    assert json.loads(widget.to_json()) == json.loads(figure.to_json())
    assert widget._config["responsive"]  # follows the width of its page


def test_throughput_stands_beside_the_ideal_and_the_batches() -> None:
    lines = traces(charts.throughput_figure(compared(1, 5)))
    assert list(lines["measured"].x) == [1, 5]
    assert list(lines["measured"].y) == [90, 450]
    assert list(lines["ideal"].y) == [95, 475]
    assert list(lines["original's batches"].y) == [50, 250]
    assert len({line.line.dash for line in lines.values()}) == 3


def test_efficiency_is_the_share_of_the_speedup_in_the_concurrency() -> None:
    figure = charts.speedup_figure(compared(1, 5))
    measured = [trace for trace in figure.data if trace.name == "measured"]
    above, below = (
        next(trace for trace in measured if trace.yaxis == axis) for axis in ("y", "y2")
    )
    assert list(above.y) == pytest.approx([0.9, 4.5])
    assert list(below.y) == pytest.approx([90, 90])


@pytest.mark.parametrize(("speedup", "top"), [(0.9, 108), (1.5, 162)])
def test_an_efficiency_above_all_is_not_cut_off(speedup: float, top: float) -> None:
    frame = compared(1, 5)
    frame.loc[1, "speedup"] = speedup * 5
    axis = charts.speedup_figure(frame).layout.yaxis2
    assert list(axis.range) == pytest.approx([0, top])


def test_a_length_without_a_claim_has_no_bar_for_it() -> None:
    claim = traces(charts.sizes_figure(sized(10, 77)))["its claim"]
    assert list(claim.text) == ["3.0×", ""]


def test_a_run_over_time_shows_rate_slots_holds_and_failures() -> None:
    lines = traces(charts.run_figure(samples(201)))
    assert lines["throughput"].y[0] == 100
    assert list(lines["held"].y[:3]) == [0, 5, 0]
    assert lines["in flight"].y[0] == 4
    assert lines["limit"].y[0] == 5
    assert lines["failed"].y[-1] == 2
    assert lines["failed"].x[-1] == 50


def test_a_live_chart_is_drawn_again_and_again() -> None:
    figure = charts.live_figure()
    assert figure.layout.annotations[0].visible
    for number in (3, 1000):
        charts.draw_live(figure, samples(number))
        assert not figure.layout.annotations[0].visible
        *lines, marks = figure.data
        assert {len(trace.x) for trace in lines} == {number}
        # Lists would travel as text, three times as slow.
        assert all(isinstance(trace.y, np.ndarray) for trace in lines)
        assert not marks.visible


def test_what_is_found_out_about_the_provider_is_marked() -> None:
    figure = charts.live_figure()
    run = samples(8)
    run[3] = replace(run[3], note="more than 12 at once are refused")
    for _ in range(2):
        charts.draw_live(figure, run)
        marks = traces(figure)["found out"]
        assert marks.visible
        assert list(marks.x) == [run[3].seconds]
        assert list(marks.text) == ["more than 12 at once are refused"]
    charts.draw_live(figure, samples(8))  # another run
    assert not traces(figure)["found out"].visible


def test_the_latencies_of_all_attempts_are_counted_once() -> None:
    figure = charts.latency_figure(attempted(100))
    bars = traces(figure)
    assert sum(bars["completed"].y) == 100
    assert sum(bars["not completed"].y) == 10
    assert list(bars["p50 0.50 s"].x) == [0.5, 0.5]
    assert list(bars["p95 1.50 s"].x) == [1.5, 1.5]


def test_a_very_long_attempt_does_not_squeeze_the_others() -> None:
    attempts = attempted(100)
    attempts.loc[0, "seconds"] = 1000.0
    figure = charts.latency_figure(attempts)
    assert figure.layout.xaxis.range[1] == pytest.approx(4.5)
    assert "last bar: 4.4 s and more" in figure.layout.title.text
    assert traces(figure)["completed"].y[-1] == 1


@pytest.mark.parametrize("seconds", [-1.0, -np.inf, np.inf, np.nan])
def test_seconds_that_cannot_be_are_left_out(seconds: float) -> None:
    attempts = attempted(20)
    attempts.loc[[0, 3], "seconds"] = seconds
    figure = charts.latency_figure(attempts)
    bars = traces(figure)
    assert sum(bars["completed"].y) + sum(bars["not completed"].y) == 20
    assert "p50 0.50 s" in bars
    attempts["seconds"] = seconds
    assert charts.latency_figure(attempts).layout.annotations[0].visible


def test_attempts_that_never_completed_have_a_distribution_too() -> None:
    attempts = attempted(20).query("outcome == 'transient'")
    assert "p50 0.50 s" in traces(charts.latency_figure(attempts))


def test_a_timeline_shows_who_waited_worked_and_was_tried_again() -> None:
    figure = charts.timeline_figure(attempted(10), [f"Company {i}" for i in range(10)])
    bars = traces(figure)
    assert list(figure.layout.yaxis.ticktext) == [f"Company {i}" for i in range(10)]
    assert list(bars["working"].base) == list(range(10))
    assert list(bars["retrying"].base) == [11]
    assert list(bars["retrying"].x) == [1.5]
    waiting = bars["waiting"]
    waits = list(zip(waiting.y, waiting.base, waiting.x, strict=True))
    assert waits[-1] == (9, 9.5, 1.5)  # from the failure to the next attempt
    assert (3, 0, 3) in waits
    assert "Company 9" in bars["went wrong"].customdata[0]
    assert "attempt 1: 0.50 s, transient<br>503" in bars["went wrong"].customdata[0]


def test_a_timeline_of_many_shows_the_last_and_says_so() -> None:
    attempts = attempted(10_000).sample(frac=1, random_state=0)
    figure = charts.timeline_figure(attempts)
    assert "the last 40 of 10,000 accounts" in figure.layout.title.text
    assert list(figure.layout.yaxis.ticktext)[::39] == [
        "account 9,961",
        "account 10,000",
    ]
    begin, end = figure.layout.xaxis.range
    assert begin == 9960
    assert end > 10_002
    waiting = traces(figure)["waiting"]
    assert min(waiting.base) >= begin
    # The bar is cut where the chart begins; what is said of it is not.
    assert "waits 9,998.00 s for attempt 1" in " ".join(waiting.customdata)


def test_a_timeline_is_bounded_though_an_account_is_refused_for_ever() -> None:
    refused = [
        Attempt(
            position=0,
            number=number,
            started=float(number),
            seconds=0.1,
            outcome="rate_limited",
        )
        for number in range(1, 5001)
    ]
    figure = charts.timeline_figure(attempts_frame(refused))
    assert sum(len(trace.y) for trace in figure.data) <= 3 * 1000
    assert traces(figure)["retrying"].base[-1] == 5000  # the last are shown
    assert traces(figure)["retrying"].base[0] == 4001
    assert "4,000" not in figure.layout.title.text


def test_foreign_text_is_neither_markup_nor_formula() -> None:
    """Plotly reads tags in labels, and dollars as LaTeX."""
    figure = charts.timeline_figure(attempted(10), [f"{i} {NASTY}" for i in range(10)])
    said = [
        *figure.layout.yaxis.ticktext,
        *(text for trace in figure.data for text in trace.customdata),
    ]
    assert said
    for text in said:
        assert "<a" not in text
        assert "$" not in text
    assert any("&lt;a href" in text and "&#36;x&#36;" in text for text in said)


@pytest.mark.parametrize("message", ["much " * 1000, "https://" + "x" * 1000])
def test_a_long_name_is_cut_and_a_long_message_is_broken_into_lines(
    message: str,
) -> None:
    attempts = attempted(10)
    attempts["message"] = attempts["message"].where(attempts["message"].isna(), message)
    figure = charts.timeline_figure(attempts, ["Very " * 100] * 10)
    assert all(len(label) < 40 for label in figure.layout.yaxis.ticktext)
    (text,) = traces(figure)["went wrong"].customdata
    assert max(map(len, text.split("<br>"))) <= 80
    assert len(text) < 800
    assert message[:50] in text


def test_tiers_and_priorities_are_counted() -> None:
    figure = charts.tiers_figure(rated(40))
    left = {t.x[0]: t.y[0] for t in figure.data if t.xaxis == "x"}
    assert left == {"A": 10, "B": 10, "C": 10, "none": 8}
    right = [trace for trace in figure.data if trace.xaxis == "x2"]
    assert sum(sum(trace.y) for trace in right) == 32
    assert all(list(trace.x) == list(range(1, 11)) for trace in right)
    assert "38 accounts" in figure.layout.title.text


@pytest.mark.parametrize(
    "draw",
    [charts.latency_figure, charts.timeline_figure, charts.tiers_figure, covered],
)
def test_ten_thousand_rows_make_a_small_figure(draw: Draw) -> None:
    """What is drawn is counted or chosen, so a page need not carry every row."""
    assert len(draw(frame_for(draw, 10_000)).to_json()) < 40_000


def said(trace: Any) -> list[str]:
    """What appears under the mouse."""
    return [str(each) for each in trace.customdata]


def bars(figure: go.Figure) -> dict[str, dict[str, float]]:
    """By the words on the axis, what stands under each name of the legend."""
    labels = list(figure.layout.yaxis.ticktext)
    return {
        trace.name: dict(zip(labels, trace.x, strict=True)) for trace in figure.data
    }


def test_coverage_shows_what_is_known_and_what_of_it_has_a_source() -> None:
    frame = researched(12)
    frame.insert(3, "founded", [1999, *[None] * 11])  # among the research columns
    figure = covered(frame)
    shown = bars(figure)
    assert shown["with a source"]["summary"] == pytest.approx(100 * 4 / 12)
    assert shown["without a source"]["summary"] == pytest.approx(100 * 4 / 12)
    assert shown["with a source"]["founded"] == 0
    assert shown["without a source"]["founded"] == pytest.approx(100 / 12)
    assert list(figure.layout.yaxis.ticktext) == ["summary", "founded"]  # best first
    assert "12 completed accounts" in figure.layout.title.text


@pytest.mark.parametrize("fields", [3, 30])
def test_coverage_is_readable_with_few_and_with_many_fields(fields: int) -> None:
    frame = rated(4)
    for number in range(fields):
        frame[f"a_rather_long_question_{number}_{NASTY}"] = "yes"
    figure = covered(frame.assign(error_kind=None, status="completed"))
    labels = figure.layout.yaxis.ticktext
    assert len(labels) == fields
    assert all(len(html.unescape(label)) <= 34 for label in labels)
    assert labels[0].startswith("a rather long question 0")
    assert figure.layout.height - 150 >= 20 * fields
    for text in [*labels, *(each for trace in figure.data for each in said(trace))]:
        assert "<a" not in text
        assert "$" not in text


def test_coverage_of_two_briefs_stands_under_their_names() -> None:
    frame = rated(4)
    for name, known in (("a.news", 1), ("b.news", 4), ("a.size", 3)):
        frame[name] = ["yes"] * known + [""] * (4 - known)
    axis = covered(frame.assign(error_kind=None, status="completed")).layout.yaxis
    shown = dict(zip(axis.tickvals, axis.ticktext, strict=True))
    assert [shown[row] for row in sorted(shown)] == [
        *("<b>a</b>", "size", "news"),
        *("<b>b</b>", "news"),
    ]
