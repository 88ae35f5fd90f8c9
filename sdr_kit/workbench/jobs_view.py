"""The jobs of the store: which there are, and showing or deleting one."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from sdr_kit.dates import local
from sdr_kit.store import Store
from sdr_kit.words import dollars
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.grid import Grid
from sdr_kit.workbench.parts import Guard, Question, button, column, row, show, text


class JobsView:
    """The tab of jobs.

    Args:
        desk: Whose store it is.
        guard: See `Guard`.
        open_job: Shows a job.
        deleted: Called after a job was deleted.
    """

    title = "Jobs"

    def __init__(
        self,
        desk: Desk,
        *,
        guard: Guard,
        open_job: Callable[[int], None],
        deleted: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._deleted = deleted
        self._jobs = pd.DataFrame()
        self._shown_of: object = None
        self._open = button(
            "Open",
            guard(lambda: open_job(self._selected)),
            icon="folder-open",
            tooltip="Show the selected job: its list, results and charts",
        )
        self._delete = button(
            "Delete",
            guard(self._ask_to_delete),
            icon="trash",
            tooltip="Delete the selected job and its results",
        )
        self._again = button(
            "Refresh", guard(self.refresh), icon="refresh", tooltip="Look again"
        )
        self._question = Question(guard)
        self._grid = Grid("Jobs", on_select=guard(self._enable), ticked=["State"])
        self._empty = text()
        self._work = column(
            [
                row([self._open, self._delete, self._again]),
                self._question,
                self._grid.box,
            ]
        )
        self.box = column([self._empty, self._work])

    def draw(self) -> None:
        """Fills the table when it is new, or the panel's own job began or ended."""
        job = self._desk.job
        now = (job, self._desk.active)
        if now != self._shown_of:
            self._shown_of = now
            self.refresh()

    def refresh(self) -> None:
        """Fills the table with how things are now."""
        self._jobs = self._desk.jobs
        show(self._work, visible=len(self._jobs) > 0)
        show(self._empty, visible=not len(self._jobs))
        self._empty.value = markup.no_jobs(kept=isinstance(self._desk.store, Store))
        if len(self._jobs):
            self._grid.show(jobs_columns(self._jobs))
        self._enable()

    def _enable(self) -> None:
        selected = self._grid.selected if len(self._jobs) else []
        self._open.disabled = not selected or self._desk.engaged
        self._delete.disabled = not selected
        self._question.hide()

    @property
    def _selected(self) -> int:
        return int(self._jobs["job"].iloc[self._grid.selected[0]])

    def _ask_to_delete(self) -> None:
        chosen = self._jobs.iloc[self._grid.selected[0]]
        done = int(chosen["completed"] + chosen["failed"])
        self._question.ask(
            markup.before_deleting(int(chosen["job"]), done),
            lambda: self._do_delete(int(chosen["job"])),
            yes="Delete",
        )

    def _do_delete(self, job_id: int) -> None:
        self._desk.delete(job_id)
        self.refresh()
        self._deleted()


def jobs_columns(jobs: pd.DataFrame) -> pd.DataFrame:
    """Chooses what the table shows of a frame like `sdr_kit.jobs()`.

    Texts of any length stand last: what does not fit is there by scrolling.
    """
    columns = {
        "Job": jobs["job"],
        "Begun": [local(str(each)) for each in jobs["created_at"]],
        "State": jobs["state"],
        "Accounts": jobs["total"],
        "Left": jobs["pending"],
        "Failed": jobs["failed"],
        "Cost": jobs["cost_usd"].map(dollars).where(jobs["cost_usd"] > 0, ""),
        "List": jobs["source"],
        "Researcher": jobs["researcher"],
    }
    if jobs["holder"].notna().any():
        columns["At work in"] = jobs["holder"].fillna("")
    return pd.DataFrame(columns)
