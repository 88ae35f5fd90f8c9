"""The list: taken from a file, and what became of each of its rows."""

from __future__ import annotations

import io
from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from sdr_kit.loading.tables import Source
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.grid import Grid
from sdr_kit.workbench.parts import Guard, button, column, row, show, text

KINDS = ".csv,.tsv,.tab,.txt,.xlsx,.xlsm,.xlsb,.xls,.ods"

READY, DUPLICATES, SHARED, REJECTED, NOTES = (
    "Ready",
    "Duplicates",
    "Shared domains",
    "Rejected",
    "Kept out",
)
_ABOUT = {
    READY: "These are researched. Select rows to leave them out.",
    DUPLICATES: "Each repeats an earlier row. Select rows to keep them after all.",
    SHARED: "Different names on one domain: one of them may have the wrong domain. "
    "They are researched; select rows to leave them out.",
    REJECTED: "These are no accounts. What was dropped by hand can be kept again.",
    NOTES: "Cells that were kept out, while their row stayed.",
}


class ListView:
    """The tab of the list.

    Args:
        desk: Whose list it is.
        guard: See `Guard`.
        changed: Called after the list has changed.
    """

    title = "List"

    def __init__(
        self, desk: Desk, *, guard: Guard, changed: Callable[[], None]
    ) -> None:
        self._desk = desk
        self._changed = changed
        self._shown_of: object = None
        self._offering = False
        self._upload = widgets.FileUpload(
            accept=KINDS, multiple=False, description="Upload a file"
        )
        self._upload.tooltip = "CSV or Excel, up to about 10 MB"
        self._upload.layout.width = "150px"
        self._upload.observe(guard(self._take_upload), "value")
        self._path = widgets.Text(
            description="or its path",
            placeholder="accounts.csv",
            continuous_update=False,
            style={"description_width": "80px"},
            layout={"width": "380px", "max_width": "100%"},
        )
        self._load = button(
            "Load",
            guard(self._take_path),
            icon="folder-open",
            tooltip="Load the list from this path",
        )
        self._company = widgets.Text(
            description="Company column",
            placeholder="if it is not recognised",
            continuous_update=False,
            style={"description_width": "110px"},
            layout={"width": "300px", "max_width": "100%"},
        )
        self._report = text()
        self._which = widgets.ToggleButtons(
            options=[READY], tooltip="Rows", style={"button_width": "auto"}
        )
        self._which.observe(guard(self._show_rows), "value")
        self._about = text()
        self._act = button("Drop selected", guard(self._do), tooltip="", width="170px")
        self._grid = Grid(
            "Rows of the list", on_select=guard(self._enable), several=True
        )
        self._rows = column(
            [self._which, row([self._about, self._act]), self._grid.box]
        )
        self.box = column(
            [
                row([self._upload, self._path, self._load, self._company]),
                self._report,
                self._rows,
            ]
        )

    def draw(self) -> None:
        """Shows what became of the rows, when the list is another one."""
        desk = self._desk
        busy = desk.engaged
        self._upload.disabled = self._path.disabled = self._load.disabled = busy
        self._enable()
        if self._shown_of is desk.accounts and self._shown_of is not None:
            return
        self._shown_of = desk.accounts
        self._report.value = markup.load_report(desk.accounts)
        show(self._rows, visible=desk.accounts is not None)
        if desk.accounts is not None:
            self._offer()

    def _offer(self) -> None:
        """Offers the groups of rows that there are, and shows one of them."""
        groups = self._groups()
        options = [
            (f"{name} ({len(frame):,})", name)
            for name, frame in groups.items()
            if name == READY or len(frame)
        ]
        was = self._which.value
        self._offering = True  # a new table is made once, not for each step
        self._which.options = options
        self._which.value = was if was in [name for _, name in options] else READY
        self._offering = False
        self._show_rows()

    def _groups(self) -> dict[str, pd.DataFrame]:
        accounts = self._desk.accounts
        assert accounts is not None  # noqa: S101 (the groups are hidden without)
        ready = accounts.frame.reset_index(drop=True)
        ready.insert(0, "row", pd.Series(list(accounts.rows)))
        return {
            READY: ready.drop(columns="shared_domain"),
            DUPLICATES: accounts.duplicates,
            SHARED: ready[ready["shared_domain"]]
            .drop(columns="shared_domain")
            .sort_values("domain", kind="stable"),
            REJECTED: accounts.rejected,
            NOTES: accounts.notes,
        }

    def _show_rows(self) -> None:
        if self._desk.accounts is None or self._which.value is None or self._offering:
            return
        self._about.value = markup.quiet(_ABOUT[self._which.value])
        self._shown = self._groups()[self._which.value]
        self._grid.show(self._shown)
        keeps = self._which.value in (DUPLICATES, REJECTED)
        self._act.description = "Keep selected" if keeps else "Drop selected"
        self._act.icon = "check" if keeps else "trash"
        self._act.tooltip = (
            "Make the selected rows accounts"
            if keeps
            else "Leave the selected rows out of the run"
        )
        show(self._act, visible=self._which.value != NOTES)
        self._enable()

    def _enable(self) -> None:
        self._act.disabled = self._desk.job is not None or not self._grid.selected

    def _do(self) -> None:
        rows = [self._shown["row"].iloc[place] for place in self._grid.selected]
        if self._which.value in (DUPLICATES, REJECTED):
            self._desk.keep(rows)
        else:
            self._desk.drop(rows)
        self._changed()

    def _take_upload(self) -> None:
        if not self._upload.value:
            return
        uploaded = self._upload.value[0]
        self._upload.value = ()  # so that the same file can be chosen again
        file = io.BytesIO(bytes(uploaded["content"]))
        file.name = uploaded["name"]
        self._take(file)

    def _take_path(self) -> None:
        path = self._path.value.strip().strip("\"'")
        if not path:
            raise ValueError("write the path of a file, for instance accounts.csv")
        self._take(path)

    def _take(self, source: Source) -> None:
        name = self._company.value.strip()
        self._desk.load(source, columns={"company_name": name} if name else None)
        self._company.value = ""
        self._changed()
