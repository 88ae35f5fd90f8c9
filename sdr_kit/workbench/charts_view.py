"""Charts of a run beside the live one: tiers, coverage, latencies, a timeline."""

from __future__ import annotations

import ipywidgets as widgets

from sdr_kit.charts import (
    as_widget,
    coverage_figure,
    latency_figure,
    tiers_figure,
    timeline_figure,
)
from sdr_kit.recovery import AnyJob
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import Guard, button, column, replace, row, show, text

LATENCIES, TIMELINE, TIERS = "Latencies", "Timeline", "Tiers and priorities"
COVERAGE = "Coverage and sources"
ALWAYS = (TIERS, LATENCIES, TIMELINE)
LOOKED_AT = 20  # results; what names sources does so for nearly every account


class ChartsView:
    """The tab of charts.

    Args:
        desk: What they show.
        guard: See `Guard`.
    """

    title = "Charts"

    def __init__(self, desk: Desk, *, guard: Guard) -> None:
        self._desk = desk
        self._shown_of: tuple[object, str, bool] | None = None
        self._sourced: AnyJob | None = None  # the job that is known to name sources
        self._which = widgets.ToggleButtons(
            options=ALWAYS,
            tooltip="Chart",
            style={"button_width": "160px"},
        )
        self._which.observe(guard(self.draw), "value")
        self._refresh = button(
            "Refresh", guard(self.refresh), icon="refresh", tooltip="Draw it as of now"
        )
        self._empty = text(
            markup.hint("Nothing has run yet. Choose how many at once, then press Run.")
        )
        self._chart = widgets.VBox(layout={"overflow": "hidden"})
        self._chart.add_class("sdr-kit-chart")
        self._bar = row([self._which, self._refresh])
        self.box = column([self._empty, self._bar, self._chart])

    def draw(self) -> None:
        """Draws the chosen chart when it is another one, or the run has ended."""
        job = self._desk.job
        for widget in (self._bar, self._chart):
            show(widget, visible=job is not None)
        show(self._empty, visible=job is None)
        self._offer_coverage(job)
        if job is not None and self._shown_of != self._state():
            self.refresh()

    def refresh(self) -> None:
        """Draws the chosen chart with how things are now."""
        job, accounts = self._desk.job, self._desk.accounts
        if job is None or accounts is None:
            return
        self._shown_of = self._state()
        if self._which.value == TIERS:
            figure = tiers_figure(job.frame)
        elif self._which.value == COVERAGE:
            figure = coverage_figure(job.frame, job.evidence)
        elif self._which.value == LATENCIES:
            figure = latency_figure(job.attempts)
        else:
            figure = timeline_figure(job.attempts, accounts.frame["company_name"])
        replace(self._chart, [as_widget(figure)])

    def _offer_coverage(self, job: AnyJob | None) -> None:
        """Offers the chart of coverage as soon as the run has named a source."""
        if job is not None and job is not self._sourced:
            looked_at = job.results(status="completed", limit=LOOKED_AT)
            if any(each.research and each.research.evidence for each in looked_at):
                self._sourced = job
        sourced = job is not None and job is self._sourced
        options = (TIERS, COVERAGE, *ALWAYS[1:]) if sourced else ALWAYS
        if self._which.options != options:
            chosen = self._which.value
            self._which.options = options  # chooses the first
            self._which.value = chosen if chosen in options else TIERS

    def _state(self) -> tuple[object, str, bool]:
        return self._desk.job, self._which.value, self._desk.active
