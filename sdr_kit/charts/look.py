"""What all charts have in common: colours, title, legend, and how they reach a page.

The figures are readable on JupyterLab's light and dark theme: no background of their
own, and a grey for text that stands out from both. The colours are those of Okabe and
Ito (https://jfly.uni-koeln.de/color/), which colour-blind people can tell apart; lines
that mean different things differ in dash or marker too.
"""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
TEXT = "#7A7A7A"  # contrast 4.3 : 1 on white, 4.4 : 1 on JupyterLab's dark grey
LINES = "rgba(128, 128, 128, 0.25)"
_FONT = "system-ui, sans-serif"
_NOTHING = "rgba(0, 0, 0, 0)"
_BOX = "#2B2B2B"  # what appears under the mouse has a ground of its own, on both themes

# An axis of counts begins at 0 and is high enough to have no ticks between them.
WHOLE_NUMBERS = {"rangemode": "tozero", "autorangeoptions": {"include": 5}}

# Plotly reads some HTML in names and labels, and what stands between two dollars as
# LaTeX; it decodes entities after both.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
_HOVER_CHARACTERS, _HOVER_WIDTH = 300, 60


def styled(figure: go.Figure, title: str, *, height: int, empty: str = "") -> go.Figure:
    """Gives a figure the look of all.

    Args:
        figure: Changed in place, and given back.
        title: What it shows. Not foreign text.
        height: In pixels; the width is that of the page.
        empty: What to say instead of an empty chart; `""` when there is something
            to show.
    """
    figure.update_layout(
        template="none",
        paper_bgcolor=_NOTHING,
        plot_bgcolor=_NOTHING,
        font={"family": _FONT, "size": 13, "color": TEXT},
        title={
            "text": title,
            "font": {"size": 15},
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 12},
        },
        margin={"l": 70, "r": 20, "t": 76, "b": 54},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": _NOTHING,
            "traceorder": "normal",
        },
        hoverlabel={
            "bgcolor": _BOX,
            "bordercolor": _BOX,
            "font": {"color": "#FFFFFF", "family": _FONT, "size": 13},
            "align": "left",
        },
        # Account names stay here: no button that uploads the chart.
        modebar={"remove": ["sendChartToCloud", "sendDataToCloud"]},
        height=height,
        autosize=True,
        annotations=[
            {
                "xref": "paper",
                "yref": "paper",
                "x": 0.5,
                "y": 0.5,
                "showarrow": False,
                "font": {"size": 14},
            }
        ],
    )
    axis = {
        "gridcolor": LINES,
        "zerolinecolor": LINES,
        "linecolor": LINES,
        "title_font": {"size": 13},
        "separatethousands": True,
    }
    figure.update_xaxes(**axis, spikecolor=TEXT, spikethickness=1, spikedash="dot")
    figure.update_yaxes(**axis)
    say_empty(figure, empty)
    return figure


def say_empty(figure: go.Figure, empty: str) -> None:
    """Says in a styled figure why it shows nothing; `""` when it shows something."""
    figure.layout.annotations[0].update(text=empty, visible=bool(empty))
    figure.layout.showlegend = not empty
    figure.update_xaxes(visible=not empty)
    figure.update_yaxes(visible=not empty)


def label_text(text: object, *, length: int) -> str:
    """Makes foreign text a label: cut to a length, and nothing in it is markup."""
    return _cut(text, length).translate(_ENTITIES)


def named(template: str) -> str:
    """Puts the name of the trace before what appears under the mouse."""
    return f"%{{fullData.name}}: {template}<extra></extra>"


def hover_text(text: object) -> str:
    """Makes foreign text fit for what appears under the mouse: in lines, not markup."""
    lines = textwrap.wrap(_cut(text, _HOVER_CHARACTERS), _HOVER_WIDTH)
    return "<br>".join(line.translate(_ENTITIES) for line in lines)


def as_widget(figure: go.Figure) -> go.FigureWidget:
    """Makes a figure a widget, which follows the width of its page."""
    widget = go.FigureWidget(figure)
    ours = {"responsive": True, "displaylogo": False, "showSendToCloud": False}
    widget._config = {**widget._config, **ours}
    return widget


def _cut(text: object, length: int) -> str:
    """Puts text on one line, and an ellipsis where it is cut."""
    whole = " ".join(str(text).split())
    return whole if len(whole) <= length else f"{whole[: length - 1].rstrip()}…"
