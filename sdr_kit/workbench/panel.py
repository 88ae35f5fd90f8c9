"""The panel: a list, a researcher, a slider, and a run that one can watch and steer.

It holds no rule of its own. Handlers hand a request over to the job and return; they
may be called on any thread, and show their own errors. What is on screen is drawn from
snapshots of the job, four times a second, on a thread that lives as long as the run.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import pandas as pd

from sdr_kit.workbench import markup
from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.batch import Job, start
from sdr_kit.charts import draw_live, live_figure
from sdr_kit.research.sandbox import Sandbox
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, open_store
from sdr_kit.worker import Researcher, check_researcher

DRAW_SECONDS = 0.25  # four times a second; faster costs the browser half a core
TABLE_SECONDS = 1.0
ROWS_SHOWN = 100  # rows of the table; a larger list is shown around where the work is
ROWS_BEFORE = 4  # of them, so many before the first account at work
ROWS_MOVED = 20  # the table moves on by so many at a time
FAILURES_SHOWN = 20

SANDBOX = "Sandbox (offline, invented answers)"


class _Beacon(anywidget.AnyWidget):
    """Brings the panel's style, and tells the kernel when a page draws the panel.

    A chart that was drawn before a page was reloaded comes back blank: its widget
    keeps only the state it was made with (plotly `basewidget.py`). So a fresh one
    takes its place whenever this is heard. Plotly fits a chart to its place only when
    the window changes, so a panel that changes (a sidebar is opened) says it has.
    """

    _css = Path(__file__).with_name("panel.css")
    _esm = """
    function render({ model, el }) {
      model.send({ drawn: true });
      let width = 0;
      const observer = new ResizeObserver(([entry]) => {
        const now = Math.round(entry.contentRect.width);
        if (width && now !== width) window.dispatchEvent(new Event("resize"));
        width = now;
      });
      requestAnimationFrame(() => {
        const panel = el.closest(".sdr-kit-panel");
        if (panel) observer.observe(panel);
      });
      return () => observer.disconnect();
    }
    export default { render };
    """


def _shown(handler: Callable[..., None]) -> Callable[..., None]:
    """Shows what a handler raises; a kernel would drop it in silence."""

    @functools.wraps(handler)
    def guarded(self: Workbench, *arguments: Any) -> None:
        try:
            handler(self, *arguments)
        except Exception as problem:  # noqa: BLE001 (shown to the person instead)
            self._problem.value = markup.error(problem)
        else:
            if self._problem.value and handler.__name__ != "_draw":
                self._problem.value = ""

    return guarded


class Workbench(widgets.VBox):
    """The panel. Display it as the last line of a cell; the cell returns at once.

    Args:
        accounts: What `load_accounts` gave; None shows an empty panel.
        researchers: Name → researcher, offered beside the sandbox.
        store: See `process`.
        settings: None reads the environment and `.env`.

    Attributes:
        accounts: The list the panel works on.
        job: The handle of the last run started here; None before the first.

    Raises:
        SettingsError: A setting is wrong.
        StoreError: The database cannot be opened.
    """

    def __init__(
        self,
        accounts: Accounts | None = None,
        *,
        researchers: Mapping[str, Researcher] | None = None,
        store: AnyStore | str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.accounts = None if accounts is None else check_accounts(accounts)
        self.job: Job | None = None
        self._settings = settings or Settings()
        self._store = open_store(store, self._settings)
        self._drawing = threading.Lock()
        self._failures_drawn = -1
        self._table_drawn = -math.inf
        self._front = 0  # the first account at work
        self._told = 0  # the concurrency that the slider and the job agree on
        self._make_controls(researchers or {})
        self._make_displays()
        super().__init__(
            [
                self._headline,
                self._controls(),
                self._problem,
                self._notice,
                self._progress,
                self._chart_box,
                self._table,
                self._failures,
                self._beacon,
            ],
            layout={"width": "100%", "overflow": "hidden"},
        )
        self.add_class("sdr-kit-panel")
        self._draw(None)

    @property
    def frame(self) -> pd.DataFrame:
        """The accounts with the results so far: the columns of `Run.frame`.

        Before the first run these are the columns of the list.
        """
        if self.job is not None:
            return self.job.frame
        return pd.DataFrame() if self.accounts is None else self.accounts.frame

    def _make_controls(self, researchers: Mapping[str, Researcher]) -> None:
        options: dict[str, Researcher] = {SANDBOX: Sandbox(settings=self._settings)}
        for name, researcher in dict(researchers).items():
            options[name] = check_researcher(researcher)
        parallel = self._settings.enable_parallel_processing
        wide = {"description_width": "110px"}
        self._researcher = widgets.Dropdown(
            options=options,
            description="Researcher",
            style=wide,
            layout={"width": "420px", "max_width": "100%"},
        )
        self._mode = widgets.ToggleButtons(
            options=["Sequential", "Parallel"],
            value="Parallel" if parallel else "Sequential",
            tooltips=["One account at a time", "As many at once as the slider says"],
            style={"button_width": "110px"},
        )
        self._slider = widgets.IntSlider(
            value=self._settings.processing_concurrency,
            min=1,
            max=self._settings.max_concurrency,
            description="Accounts at once",
            style=wide,
            layout={"width": "420px", "max_width": "100%"},
        )
        self._run = _button("Run", "play", "Research the accounts", "primary")
        self._pause = _button("Pause", "pause", "Start nothing more; running ones end")
        self._cancel = _button("Cancel", "stop", "End the run; keep what is done")
        self._run.on_click(self._on_run)
        self._pause.on_click(self._on_pause)
        self._cancel.on_click(self._on_cancel)
        self._mode.observe(self._on_mode, "value")
        self._slider.observe(self._on_slider, "value")

    def _make_displays(self) -> None:
        self._headline = _text(markup.headline(self.accounts, str(self._store)))
        self._problem = _text()
        self._notice = _text()
        self._progress = _text()
        self._table = _text()
        self._failures = _text()
        self._chart: Any = None  # made with the first run
        self._chart_box = widgets.VBox(layout={"overflow": "hidden"})
        self._chart_box.add_class("sdr-kit-chart")
        self._beacon = _Beacon(layout={"display": "none"})
        self._beacon.on_msg(self._on_drawn)

    def _controls(self) -> widgets.VBox:
        row = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"}
        return widgets.VBox(
            [
                widgets.Box([self._researcher, self._mode], layout=row),
                widgets.Box(
                    [self._slider, self._run, self._pause, self._cancel], layout=row
                ),
            ]
        )

    @_shown
    def _on_run(self, _button: object) -> None:
        if self.accounts is None or self._active:
            return
        self._failures_drawn, self._front = -1, 0
        self._told = self._slider.value
        self.job = start(
            self.accounts,
            self._researcher.value,
            mode=self._mode.value.lower(),
            concurrency=self._slider.value,
            store=self._store,
            settings=self._settings,
        )
        threading.Thread(
            target=self._follow, args=(self.job,), name="sdr_kit panel"
        ).start()

    @_shown
    def _on_pause(self, _button: object) -> None:
        if self.job is None:
            return
        if self.job.progress.state == "paused":
            self.job.resume()
        else:
            self.job.pause()

    @_shown
    def _on_cancel(self, _button: object) -> None:
        if self.job is not None:
            self.job.cancel()

    @_shown
    def _on_mode(self, _change: object) -> None:
        self._enable()

    @_shown
    def _on_slider(self, change: Mapping[str, int]) -> None:
        if self._active and self.job is not None:
            self._told = change["new"]
            self.job.concurrency = self._told

    @_shown
    def _on_drawn(self, *_message: object) -> None:
        """Puts a fresh chart into a page that has just drawn the panel."""
        if self.job is not None and self._chart is not None:
            self._show_fresh_chart(self.job)

    def _show_fresh_chart(self, job: Job) -> None:
        with self._drawing:
            old, self._chart = self._chart, live_figure()
            draw_live(self._chart, job.history)
            self._chart_box.children = (self._chart,)
            if old is not None:
                old.close()

    @property
    def _active(self) -> bool:
        return self.job is not None and not self.job.progress.ended

    def _follow(self, job: Job) -> None:
        """Draws the job until it has ended."""
        while not job.progress.ended:
            self._draw(job)
            with contextlib.suppress(Exception):  # a crash is drawn, as a state
                job.wait(DRAW_SECONDS)
        self._draw(job)

    @_shown
    def _draw(self, job: Job | None) -> None:
        now = None if job is None else job.progress
        total = 0 if self.accounts is None else len(self.accounts)
        self._enable()
        self._progress.value = markup.progress(now, total)
        self._notice.value = markup.notice(now)
        if job is not None:
            self._draw_chart(job)
            self._draw_failures(job)
        if now is None or now.ended or self._table_is_due(now.seconds):
            self._draw_table(job)

    def _draw_chart(self, job: Job) -> None:
        if self._chart is None:
            self._show_fresh_chart(job)
            return
        with self._drawing:
            draw_live(self._chart, job.history)

    def _table_is_due(self, seconds: float) -> bool:
        """Says whether the table may change again: less often, since it is read."""
        due = not 0 <= seconds - self._table_drawn < TABLE_SECONDS
        if due:
            self._table_drawn = seconds
        return due

    def _draw_table(self, job: Job | None) -> None:
        if self.accounts is None:
            return
        at_work = frozenset() if job is None else job.at_work
        total = len(self.accounts)
        self._front = min(at_work, default=self._front)  # a hold or the end keeps it
        # It moves a page at a time, or nobody could read it.
        page = (self._front - ROWS_BEFORE) // ROWS_MOVED * ROWS_MOVED
        first = max(0, min(page, total - ROWS_SHOWN))
        frame = self.accounts.frame.iloc[first : first + ROWS_SHOWN]
        last = first + len(frame) - 1
        outcomes = [] if job is None else job.results(first=first, last=last)
        table = markup.accounts_table(frame, first, outcomes, at_work)
        self._table.value = markup.accounts_block(
            table, first=first, shown=len(frame), total=total
        )

    def _draw_failures(self, job: Job) -> None:
        failed = job.progress.failed
        if failed == self._failures_drawn or self.accounts is None:
            return
        outcomes = job.results(status="failed", limit=FAILURES_SHOWN)
        names = self.accounts.frame["company_name"]
        shown = [names.iloc[outcome.position] for outcome in outcomes]
        self._failures.value = markup.failures(outcomes, shown, failed)
        self._failures_drawn = failed

    def _enable(self) -> None:
        """Disables the controls that make no sense now."""
        active = self._active
        paused = active and self.job is not None and self.job.progress.state == "paused"
        self._run.disabled = active or self.accounts is None or not len(self.accounts)
        self._pause.disabled = self._cancel.disabled = not active
        self._pause.description = "Resume" if paused else "Pause"
        self._pause.icon = "play" if paused else "pause"
        self._researcher.disabled = self._mode.disabled = active
        sequential = self._mode.value == "Sequential"
        self._slider.disabled = sequential
        if active and not sequential and self.job is not None:
            self._follow_concurrency(self.job.concurrency)

    def _follow_concurrency(self, concurrency: int) -> None:
        """Moves the slider when the job was told elsewhere, in a cell perhaps."""
        if concurrency != self._told:
            self._told = concurrency
            self._slider.value = concurrency


def _text(value: str = "") -> widgets.HTML:
    return widgets.HTML(value, layout={"width": "auto", "margin": "2px 0"})


def _button(text: str, icon: str, tooltip: str, style: str = "") -> widgets.Button:
    return widgets.Button(
        description=text,
        icon=icon,
        tooltip=tooltip,
        button_style=style,
        layout={"width": "110px"},
    )
