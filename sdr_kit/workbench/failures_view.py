"""Failed accounts, grouped by what went wrong, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from sdr_kit.causes import Cause, group_failures
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import Guard, button, column, row, show, text

CAUSES_SHOWN = 12
NAMES_SHOWN = 5


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
        self._shown_of: tuple[object, int, bool] | None = None
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
        if state == self._shown_of:
            return
        self._shown_of = state
        self._head.value = markup.failures_head(failed, ran=job is not None)
        show(self._all, visible=failed > 0)
        self._all.disabled = self._desk.active
        if job is None or self._desk.accounts is None:
            self._groups.children = ()
            return
        names = self._desk.accounts.frame["company_name"].tolist()
        causes = group_failures(job.results(status="failed"), names=names)
        self._groups.children = [
            self._group(cause, names) for cause in causes[:CAUSES_SHOWN]
        ]

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
