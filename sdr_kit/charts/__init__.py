"""Tables and samples as Plotly figures, all in one look.

This folder is the only place that imports Plotly. Each function takes a frame (or the
samples of a run) and gives a figure; none of them fails because there is nothing to
show yet: the figure says so instead.
"""

from sdr_kit.charts.attempts import latency_figure, timeline_figure
from sdr_kit.charts.coverage import coverage_figure
from sdr_kit.charts.live import draw_live, live_figure, run_figure
from sdr_kit.charts.look import as_widget
from sdr_kit.charts.outlook import plan_figure
from sdr_kit.charts.speed import (
    comparison_figure,
    sizes_figure,
    speedup_figure,
    throughput_figure,
)
from sdr_kit.charts.tiers import tiers_figure

__all__ = [
    "as_widget",
    "comparison_figure",
    "coverage_figure",
    "draw_live",
    "latency_figure",
    "live_figure",
    "plan_figure",
    "run_figure",
    "sizes_figure",
    "speedup_figure",
    "throughput_figure",
    "tiers_figure",
    "timeline_figure",
]
