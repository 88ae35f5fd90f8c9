"""The worklist: every account with its results, one of them open, and exports."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from sdr_kit.coverage import is_fact
from sdr_kit.results import AFTER_RESEARCH, BEFORE_RESEARCH
from sdr_kit.words import counted
from sdr_kit.workbench import markup
from sdr_kit.workbench.account_card import AccountCard
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.grid import Grid
from sdr_kit.workbench.parts import Guard, button, column, row, show, text

DAYS = 60.0  # after which research is old, where nothing is reused
RESEARCH_COLUMNS = 4  # in the table; all of them are in the account's details
EXPORTS = (
    ("CSV", "csv"),
    ("Excel", "xlsx"),
    ("Back into my file", "merged"),
    ("Report (HTML)", "html"),
    ("JSON Lines", "jsonl"),
)

Download = Callable[[str, bytes], None]


class AccountsView:
    """The tab of accounts.

    Args:
        desk: What it shows.
        guard: See `Guard`.
        download: Saves a file in the browser.
        changed: Called after the list itself has changed.
        reprocess: Asks whether to research the accounts at these positions again.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        guard: Guard,
        download: Download,
        changed: Callable[[], None],
        reprocess: Callable[[list[int]], None],
    ) -> None:
        self._desk = desk
        self._reprocess = reprocess
        self._download = download
        self._shown_of: tuple[object, int, bool] | None = None
        self._list = desk.accounts
        self._grid = Grid(
            "Accounts",
            on_select=guard(self._selection_changed),
            several=True,
            order=[("Priority", True), ("Tier", False)],
            ticked=["Tier", "Status", "Owner", "Industry"],
        )
        self._refresh = button(
            "Refresh", guard(self.refresh), icon="refresh", tooltip="Show new results"
        )
        self._news = text()
        self._kind = widgets.Dropdown(
            description="Export as",
            options=EXPORTS,
            value="csv",
            style={"description_width": "initial"},
            layout={"width": "250px"},  # of the longest, beside the label
        )
        self._save = button(
            "Download",
            guard(self._export),
            icon="download",
            tooltip="Download the accounts with their results",
        )
        self._again = button(
            "Research again",
            guard(lambda: self._reprocess(self._grid.selected)),
            icon="repeat",
            tooltip="Research what is selected; Ctrl or Shift selects several",
            width="170px",
        )
        self._days = widgets.BoundedFloatText(
            value=desk.settings.reuse_days or DAYS,
            min=0,
            max=10_000,
            step=1,
            description="Days",  # heard; what is seen stands around it
            layout={"width": "70px"},
        )
        self._days.add_class("sdr-kit-unseen")
        self._older = button(
            "Select older than",
            guard(self._select_older),
            icon="clock-o",
            tooltip="Select what was researched longer ago than so many days",
        )
        self._chosen = row(
            [self._again, self._older, self._days, text(markup.quiet("days"))]
        )
        self._invented = widgets.Checkbox(
            description="with the sandbox's invented answers",
            indent=False,
            layout={"width": "auto"},
        )
        self._empty = text()
        self._card = AccountCard(
            desk, guard=guard, edited=self.refresh, dropped=changed
        )
        self._work = column(
            [
                row(
                    [
                        self._refresh,
                        self._news,
                        self._kind,
                        self._save,
                        self._invented,
                    ]
                ),
                self._chosen,
                self._grid.box,
                self._card.box,
            ]
        )
        self.box = column([self._empty, self._work])

    @property
    def title(self) -> str:
        """What stands on the tab."""
        return f"Accounts ({self._desk.total:,})" if self._desk.total else "Accounts"

    def draw(self) -> None:
        """Fills the table when it is new or the run has ended; else offers to."""
        desk = self._desk
        show(self._work, visible=bool(desk.total))
        show(self._empty, visible=not desk.total)
        self._empty.value = markup.hint(
            "No accounts yet. Load a list in the tab <b>List</b>."
        )
        if not desk.total:
            return
        invented = desk.job is not None and desk.job.asked.synthetic
        show(self._invented, visible=invented)
        self._enable()
        of, done, ended = self._state()
        seen = self._shown_of
        if seen is None or seen[0] is not of or (ended and not seen[2]):
            self.refresh()
        elif done != seen[1]:
            new = counted(done - seen[1], "new result")
            self._news.value = markup.quiet(new)

    def refresh(self) -> None:
        """Fills the table with how things are now."""
        self._shown_of = self._state()
        worklist = self._desk.worklist
        if self._list is not self._desk.accounts:
            self._list = self._desk.accounts
            self._card.close()
        opened = self._card.position
        self._grid.show(
            worklist_columns(worklist), selected=[] if opened is None else [opened]
        )
        self._card.open(opened)
        self._news.value = ""

    def _state(self) -> tuple[object, int, bool]:
        job = self._desk.job
        if job is None:
            return self._desk.accounts, 0, False
        now = job.progress
        return job, now.done, now.ended

    def _selection_changed(self) -> None:
        """Opens the account that is selected; several are chosen, none is open."""
        selected = self._grid.selected
        self._card.open(selected[0] if len(selected) == 1 else None)
        self._enable()

    def _enable(self) -> None:
        job, chosen = self._desk.job, len(self._grid.selected)
        ended = job is not None and not self._desk.active
        show(self._chosen, visible=ended)
        self._again.disabled = not chosen
        self._again.description = f"Research again ({chosen:,})"

    def _select_older(self) -> None:
        job, days = self._desk.job, self._days.value
        if job is None:
            return
        older = job.older_than(days)
        self._card.close()
        self._grid.select(older)
        self._enable()
        if not older:
            self._news.value = markup.quiet(f"Nothing is older than {days:g} days.")

    def _export(self) -> None:
        name, contents = self._desk.export(
            self._kind.value, invented=self._invented.value
        )
        self._download(name, contents)


def worklist_columns(worklist: pd.DataFrame) -> pd.DataFrame:
    """Chooses what the table shows of a frame like `Run.frame`, one row an account."""
    own = set(BEFORE_RESEARCH) | set(AFTER_RESEARCH)
    names = list(worklist.columns)
    begins = names.index(BEFORE_RESEARCH[-1]) + 1
    ends = names.index(AFTER_RESEARCH[0])
    found = [name for name in names[begins:ends] if name not in own and is_fact(name)]
    columns = {
        "Company": worklist["company_name"],
        "Domain": worklist["domain"],
        "Tier": worklist["tier"],
        "Priority": worklist["priority_score"],
        "Status": worklist["status"],
        "Owner": worklist["owner"],
        "Industry": worklist["industry"],
    }
    if worklist["error_message"].notna().any():
        columns["What went wrong"] = worklist["error_message"]
    if names[-1] == "notes":
        columns["Notes"] = worklist["notes"]
    for name in found[:RESEARCH_COLUMNS]:
        heading = _heading(name)
        taken = heading in columns
        columns[f"Research: {heading}" if taken else heading] = worklist[name]
    return pd.DataFrame(columns)


def _heading(name: object) -> str:
    words = str(name).replace("_", " ").strip()
    return words[:1].upper() + words[1:]
