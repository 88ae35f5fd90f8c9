"""The run as it happens: the live chart, and the accounts around the work."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as widgets

from sdr_kit.charts import draw_live, live_figure
from sdr_kit.recovery import AnyJob
from sdr_kit.workbench import account_markup, markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import column, replace, show, text

# The chart costs most of what the panel costs, and the table is read.
CHART_SECONDS = 0.5
TABLE_SECONDS = 1.0
ROWS_SHOWN = 12
ROWS_BEFORE = 2  # of them, so many before the first account at work
ROWS_MOVED = 5  # the table moves on by so many at a time


class RunView:
    """The tab of the run.

    Args:
        desk: Whose run it shows.
    """

    title = "Run"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._drawn_at = {CHART_SECONDS: -math.inf, TABLE_SECONDS: -math.inf}
        self._front = 0  # the first account at work
        self._of: object = None
        self._empty = text()
        self._table = text()
        self._chart: Any = None  # made with the first run
        self._chart_box = widgets.VBox(layout={"overflow": "hidden"})
        self._chart_box.add_class("sdr-kit-chart")
        self.box = column([self._empty, self._chart_box, self._table])

    def draw(self) -> None:
        """Draws the run as it is now."""
        desk, job = self._desk, self._desk.job
        self._empty.value = markup.nothing_run(desk.total) if job is None else ""
        for part in (self._chart_box, self._table):
            show(part, visible=job is not None)
        if job is None:
            return
        if self._of is not desk.accounts:
            self._of, self._front = desk.accounts, 0
        now = job.progress
        if now.ended or self._is_due(CHART_SECONDS, now.seconds):
            self._draw_chart(job)
        if now.ended or self._is_due(TABLE_SECONDS, now.seconds):
            self._draw_table(job)

    def redraw(self) -> None:
        """Puts a fresh chart in place, for a page that was drawn anew."""
        if self._desk.job is not None and self._chart is not None:
            self._show_fresh_chart(self._desk.job)

    def _draw_chart(self, job: AnyJob) -> None:
        if self._chart is None:
            self._show_fresh_chart(job)
        else:
            draw_live(self._chart, job.history)

    def _show_fresh_chart(self, job: AnyJob) -> None:
        self._chart = live_figure()
        draw_live(self._chart, job.history)
        replace(self._chart_box, [self._chart])

    def _is_due(self, every: float, seconds: float) -> bool:
        """Says whether what changes that often may change again."""
        due = not 0 <= seconds - self._drawn_at[every] < every
        if due:
            self._drawn_at[every] = seconds
        return due

    def _draw_table(self, job: AnyJob) -> None:
        accounts = self._desk.accounts
        if accounts is None:
            return
        at_work, total = job.at_work, len(accounts)
        self._front = min(at_work, default=self._front)  # a hold or the end keeps it
        # It moves a page at a time, or nobody could read it.
        page = (self._front - ROWS_BEFORE) // ROWS_MOVED * ROWS_MOVED
        first = max(0, min(page, total - ROWS_SHOWN))
        frame = accounts.frame.iloc[first : first + ROWS_SHOWN]
        last = first + len(frame) - 1
        outcomes = job.results(first=first, last=last)
        table = account_markup.accounts_table(frame, first, outcomes, at_work)
        self._table.value = account_markup.accounts_block(
            table, first=first, shown=len(frame), total=total
        )
