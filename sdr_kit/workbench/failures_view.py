"""Failed accounts, grouped by what went wrong, with what to do about it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import ipywidgets as widgets

from sdr_kit.causes import Cause, group_failures
from sdr_kit.words import counted
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import Guard, button, column, replace, row, show, text

CAUSES_SHOWN = 12
NAMES_SHOWN = 5
DRAW_SECONDS = 2.0  # while more fail: grouping thousands takes a while


class FailuresView:
    """The tab of failures.

    Args:
        desk: What it shows.
        guard: See `Guard`.
        retry: Tries accounts again, by position; None is all that failed.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        guard: Guard,
        retry: Callable[[list[int] | None], None],
    ) -> None:
        self._desk = desk
        self._guard = guard
        self._retry = retry
        self._shown_of: tuple[object, int, bool] = (self, 0, False)
        self._drawn_at = -math.inf
        self._head = text()
        self._all = button(
            "Retry all",
            guard(lambda: retry(None)),
            icon="repeat",
            tooltip="Try every failed account again",
        )
        self._groups = column([])
        self.box = column([row([self._head, self._all]), self._groups])

    @property
    def title(self) -> str:
        """What stands on the tab."""
        job = self._desk.job
        failed = 0 if job is None else job.progress.failed
        return f"Failures ({failed:,})" if failed else "Failures"

    def draw(self) -> None:
        """Groups the failures anew when there are others."""
        job = self._desk.job
        failed = 0 if job is None else job.progress.failed
        state = (job, failed, self._desk.active)
        soon = time.monotonic() < self._drawn_at + DRAW_SECONDS
        if state == self._shown_of or (soon and state[::2] == self._shown_of[::2]):
            return
        self._drawn_at = time.monotonic()
        self._shown_of = state
        self._head.value = markup.failures_head(failed, ran=job is not None)
        show(self._all, visible=failed > 0)
        self._all.disabled = self._desk.active
        if job is None or self._desk.accounts is None:
            replace(self._groups, [])
            return
        names = self._desk.accounts.frame["company_name"].tolist()
        causes = group_failures(job.results(status="failed"), names=names)
        groups = [self._group(cause, names) for cause in causes[:CAUSES_SHOWN]]
        more = len(causes) - CAUSES_SHOWN
        if more > 0:
            groups.append(text(markup.quiet(f"and {counted(more, 'more cause')}")))
        replace(self._groups, groups)

    def _group(self, cause: Cause, names: list[str]) -> widgets.Widget:
        some = [names[place] for place in cause.positions[:NAMES_SHOWN]]
        again = button(
            f"Retry these {len(cause.positions):,}"
            if len(cause.positions) > 1
            else "Retry this one",
            self._guard(lambda: self._retry(list(cause.positions))),
            icon="repeat",
            tooltip=f"Try again: {cause.title}",
        )
        again.disabled = self._desk.active
        box = column([text(markup.cause(cause, some)), row([again])])
        box.add_class("sdr-kit-cause")
        return box
