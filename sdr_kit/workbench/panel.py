"""The panel: a list, a researcher, a slider, and a run that one can watch and steer.

It holds no rule of its own. Handlers hand a request over to the desk and return; they
may be called on any thread, and show their own errors. What is on screen is drawn from
snapshots of the job, four times a second, on a thread that lives as long as the run;
of the tabs, the one in sight.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd

from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.estimate import SAMPLE
from sdr_kit.progress import Progress
from sdr_kit.recovery import AnyJob
from sdr_kit.settings import AUTO, Concurrency, Settings
from sdr_kit.store import AnyStore, open_store
from sdr_kit.workbench import markup
from sdr_kit.workbench.accounts_view import AccountsView
from sdr_kit.workbench.charts_view import ChartsView
from sdr_kit.workbench.chooser import WIDTH, Chooser
from sdr_kit.workbench.compare_view import CompareView
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.failures_view import FailuresView
from sdr_kit.workbench.jobs_view import JobsView
from sdr_kit.workbench.list_view import ListView
from sdr_kit.workbench.page import Page
from sdr_kit.workbench.parts import (
    LABEL_WIDTH,
    Question,
    View,
    button,
    row,
    show,
    text,
)
from sdr_kit.workbench.resumption import Resumption
from sdr_kit.workbench.run_view import RunView
from sdr_kit.worker import Researcher

AT_ONCE = 5  # where the slider stands when the settings choose auto
DRAW_SECONDS = 0.25  # four times a second; faster costs the browser half a core


class Workbench(widgets.VBox):
    """The panel. Display it as the last line of a cell; the cell returns at once.

    Args:
        accounts: What `load_accounts` gave; None shows a panel that asks for a list.
        researchers: Name → researcher, offered beside the sandbox and the providers
            that the settings have a key for.
        store: See `process`.
        settings: None reads the environment and `.env`.

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
        settings = settings or Settings()
        self._desk = Desk(
            None if accounts is None else check_accounts(accounts),
            store=open_store(store, settings),
            settings=settings,
        )
        # A kernel may call two handlers at once, and a run is drawn on its own thread.
        self._lock = threading.RLock()
        # The concurrency that the controls and the job agree on, and whether the
        # controls are moved to what the job says rather than by a person.
        self._told: Concurrency = 0
        self._following = False
        self._headline, self._problem, self._notice, self._progress = (
            text() for _ in range(4)
        )
        self._page = Page(self._guard(self._on_drawn))
        self._make_controls(researchers or {})
        self._make_views()
        super().__init__(
            [
                self._headline,
                self._controls(),
                self._question,
                self._problem,
                self._notice,
                self._progress,
                self._tabs,
                self._page,
            ],
            layout={"width": "100%", "overflow": "hidden"},
        )
        self.add_class("sdr-kit-panel")
        self._draw()
        self._guard(self._resumption.offer_last)()

    @property
    def accounts(self) -> Accounts | None:
        """The list the panel works on."""
        return self._desk.accounts

    @property
    def job(self) -> AnyJob | None:
        """The handle of the last run of this list; None before the first."""
        return self._desk.job

    @property
    def frame(self) -> pd.DataFrame:
        """The accounts with the results so far: the columns of `Run.frame`.

        Before the first run these are the columns of the list.
        """
        return self._desk.frame

    def __repr__(self) -> str:
        return f"<Workbench: {self.job or self.accounts or 'no list yet'}>"

    def _make_controls(self, researchers: Mapping[str, Researcher]) -> None:
        settings = self._desk.settings
        self._chooser = Chooser(
            researchers,
            settings=settings,
            changed=self._guard(self._draw),
            budgeted=self._guard(self._on_budget),
            timed=self._guard(lambda: self._chooser.write_deadline()),
        )
        self._question = Question(self._guard)
        self._asked: Researcher | None = None  # whom the question is about
        self._mode = widgets.ToggleButtons(
            options=["Sequential", "Parallel"],
            value="Parallel" if settings.enable_parallel_processing else "Sequential",
            tooltips=["One account at a time", "Several accounts at once"],
            tooltip="Mode",
            style={"button_width": "110px"},
        )
        chosen = settings.processing_concurrency
        self._slider = widgets.IntSlider(
            value=min(AT_ONCE, settings.max_concurrency) if chosen == AUTO else chosen,
            min=1,
            max=settings.max_concurrency,
            description="Accounts at once",
            style={"description_width": LABEL_WIDTH},
            layout=WIDTH,
        )
        self._auto = widgets.Checkbox(
            value=chosen == AUTO,
            description="Auto",
            tooltip="Let the run find how many at once is best, up to "
            f"{settings.auto_max_concurrency}",
            indent=False,
            layout={"width": "auto"},
        )
        self._allowed = text()  # what auto has come to
        self._run = self._button(
            "Run", self._on_run, "play", "Research the accounts", "primary"
        )
        self._pause = self._button(
            "Pause", self._on_pause, "pause", "Start nothing more; running ones end"
        )
        self._cancel = self._button(
            "Cancel", self._on_cancel, "stop", "End the run; keep what is done"
        )
        self._continue = self._button(
            "Continue", self._on_continue, "forward", "Research what the run left"
        )
        self._mode.observe(self._guard(self._draw_head), "value")
        for each in (self._slider, self._auto):
            each.observe(self._guard(self._on_choice), "value")

    def _button(
        self, label: str, act: Callable[[], None], icon: str, tip: str, style: str = ""
    ) -> widgets.Button:
        return button(
            label,
            self._guard(act),
            icon=icon,
            tooltip=tip,
            style=style,
            width="96px",
        )

    def _controls(self) -> widgets.VBox:
        who = row([self._chooser.dropdown, self._mode])
        at_once = row([self._slider, self._auto, self._allowed])
        steering = row([self._run, self._pause, self._cancel, self._continue])
        # A line of their own: beside words that change, buttons would move away.
        return widgets.VBox([who, self._chooser.box, at_once, steering])

    def _make_views(self) -> None:
        desk, guard = self._desk, self._guard
        self._resumption = Resumption(
            desk,
            chooser=self._chooser,
            choice=lambda: self._choice,
            ask=self._put,
            go_on=self._go_on,
            opened=self._opened,
        )
        self._list_view = ListView(desk, guard=guard, changed=self._list_changed)
        self._run_view = RunView(desk)
        self._accounts_view = AccountsView(
            desk,
            guard=guard,
            download=self._page.download,
            changed=self._list_changed,
            reprocess=self._resumption.reprocess,
        )
        self._failures_view = FailuresView(
            desk, guard=guard, retry=self._resumption.retry
        )
        self._compare_view = CompareView(
            desk,
            guard=guard,
            researcher=lambda: self._chooser.researcher,
            budget_usd=lambda: self._chooser.budget_usd,
            changed=self._draw,
            failed=self._show_problem,
        )
        self._charts_view = ChartsView(desk, guard=guard)
        self._jobs_view = JobsView(
            desk, guard=guard, open_job=self._resumption.open, deleted=self._draw
        )
        self._views: list[View] = [
            self._list_view,
            self._run_view,
            self._accounts_view,
            self._failures_view,
            self._compare_view,
            self._charts_view,
            self._jobs_view,
        ]
        self._tabs = widgets.Tab(
            [view.box for view in self._views],
            titles=[view.title for view in self._views],
        )
        self._go_to(self._run_view if desk.total else self._list_view)
        self._tabs.observe(guard(self._turned), "selected_index")

    def _guard(self, act: Callable[[], None]) -> Callable[..., None]:
        """Shows what a handler raises; a kernel would drop it in silence."""

        def guarded(*_event: Any) -> None:
            with self._lock:
                try:
                    act()
                except Exception as problem:  # noqa: BLE001 (shown to the person)
                    self._show_problem(problem)
                else:
                    self._problem.value = ""

        return guarded

    def _show_problem(self, problem: Exception) -> None:
        self._problem.value = markup.error(problem)

    # Requests.

    def _on_run(self) -> None:
        if not self._desk.total or self._desk.active:
            return  # a second click
        researcher = self._chooser.researcher
        paid = getattr(researcher, "paid", False)
        known = paid and not self._desk.needs_sample(researcher)
        if known or self._desk.fresh(researcher).accounts:
            self._asked = researcher
            self._ask()
        else:
            self._begin(researcher)

    def _ask(self) -> None:
        """Asks, with the numbers for how the controls stand now."""
        desk, researcher = self._desk, self._asked
        if researcher is None:
            return
        fresh, estimate = desk.fresh(researcher), None
        left = desk.total - fresh.accounts
        if left and getattr(researcher, "paid", False):
            estimate = desk.forecast(researcher, concurrency=self._choice, calls=left)
        again = ("Research all again", lambda: self._begin(researcher, refresh=True))
        self._question.ask(
            markup.before_a_run(
                estimate,
                fresh,
                desk.total,
                days=desk.settings.reuse_days,
            ),
            lambda: self._begin(researcher),
            yes=f"Reuse {fresh.accounts:,}" if fresh.accounts else "Go ahead",
            other=again if fresh.accounts else None,
        )

    def _begin(self, researcher: Researcher, *, refresh: bool = False) -> None:
        self._told = self._choice
        job = self._desk.run(
            researcher,
            mode=self._mode.value.lower(),
            concurrency=self._told,
            budget_usd=self._chooser.budget_usd,
            deadline_seconds=self._chooser.deadline_seconds,
            sample=SAMPLE if self._desk.needs_sample(researcher) else None,
            refresh=refresh,
        )
        self._watch(job)

    def _put(
        self,
        words: str,
        act: Callable[[], None],
        *,
        yes: str,
        other: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Asks what has nothing to do with how the controls stand."""
        self._asked = None
        self._question.ask(words, act, yes=yes, other=other)

    def _opened(self) -> None:
        job = self._desk.job
        if job is None:
            return
        now = job.progress
        if now.state != "ready":  # nothing was chosen for it yet
            self._follow_choice(job.concurrency)
            self._mode.value = "Sequential" if now.sequential else "Parallel"
        self._watch(job)

    def _go_on(self, positions: list[int] | None, *, again: bool) -> None:
        self._told = self._choice
        self._watch(
            self._desk.retry(
                positions,
                again=again,
                researcher=self._chooser.researcher,
                mode=self._mode.value.lower(),
                concurrency=self._told,
                budget_usd=self._chooser.budget_usd,
                deadline_seconds=self._chooser.deadline_seconds,
            )
        )

    @property
    def _choice(self) -> Concurrency:
        """How many at once, as the controls say."""
        if self._mode.value == "Sequential":
            return 1
        return AUTO if self._auto.value else int(self._slider.value)

    @property
    def _at_once(self) -> int:
        """The most there may be at once."""
        return self._desk.settings.most(self._choice)

    def _watch(self, job: AnyJob) -> None:
        self._question.hide()
        self._go_to(self._run_view)
        self._draw()
        threading.Thread(target=self._follow, args=(job,), name="sdr_kit panel").start()

    def _on_continue(self) -> None:
        self._resumption.finish()

    def _on_pause(self) -> None:
        if self._desk.job is None:
            return
        if self._desk.job.progress.state == "paused":
            self._desk.job.resume()
        else:
            self._desk.job.pause()

    def _on_cancel(self) -> None:
        if self._desk.job is not None:
            self._desk.job.cancel()

    def _on_choice(self) -> None:
        if self._following:
            return
        if self._desk.active and self._desk.job is not None:
            self._told = self._choice
            self._desk.job.concurrency = self._told
        self._draw_head()

    def _on_budget(self) -> None:
        usd = self._chooser.budget_usd
        if self._desk.active and self._desk.job is not None:
            self._desk.job.budget_usd = usd
            self._draw_head()

    def _on_drawn(self) -> None:
        """Puts fresh charts into a page that has just drawn the panel."""
        self._run_view.redraw()
        self._compare_view.redraw()
        self._charts_view.refresh()

    def _list_changed(self) -> None:
        self._question.hide()  # it was about another list
        self._draw()
        if self._desk.job is None:
            self._resumption.offer_last()

    def _go_to(self, view: View) -> None:
        self._tabs.selected_index = self._views.index(view)

    def _turned(self) -> None:
        self._draw_view()
        self._page.refit()

    # Drawing.

    def _follow(self, job: AnyJob) -> None:
        """Draws the job until it has ended."""
        while job is self._desk.job and not job.progress.ended:
            self._draw()
            with contextlib.suppress(BaseException):  # a crash is drawn, as a state
                job.wait(DRAW_SECONDS)
        self._draw()

    def _draw(self) -> None:
        with self._lock:
            try:
                self._draw_head()
                self._draw_view()
            except Exception as problem:  # noqa: BLE001 (there is nobody to raise it to)
                self._show_problem(problem)

    def _draw_head(self) -> None:
        desk = self._desk
        job = desk.job
        now = None if job is None else job.progress
        self._headline.value = markup.headline(desk.accounts, str(desk.store))
        self._enable()
        self._renew_question()
        self._notice.value = markup.notice(
            now,
            prospect=desk.prospect(deadline_seconds=self._deadline_seconds),
            noticed=() if job is None else job.notices,
        )
        self._progress.value = markup.progress(
            now,
            desk.total,
            choice=None if job is None else job.concurrency,
        )
        titles = tuple(view.title for view in self._views)
        if self._tabs.titles != titles:
            self._tabs.titles = titles

    @property
    def _deadline_seconds(self) -> float | None:
        """The deadline of a run to come; None too while what is written is none."""
        with contextlib.suppress(ValueError):
            return self._chooser.deadline_seconds
        return None

    def _draw_view(self) -> None:
        self._views[self._tabs.selected_index or 0].draw()

    def _enable(self) -> None:
        """Disables the controls that make no sense now."""
        desk = self._desk
        job, active, comparing = desk.job, desk.active, self._desk.comparing
        paused = job is not None and job.progress.state == "paused"
        left = job is not None and not active and job.progress.pending > 0
        self._run.disabled = active or comparing or not desk.total
        self._pause.disabled = self._cancel.disabled = not active
        self._pause.description = "Resume" if paused else "Pause"
        self._pause.icon = "play" if paused else "pause"
        show(self._continue, visible=left)
        self._continue.disabled = comparing
        self._mode.disabled = active or comparing
        self._chooser.enable(free=not (active or comparing))
        sequential = self._mode.value == "Sequential"
        now = None
        if active and not sequential and job is not None:
            self._follow_choice(job.concurrency)
            now = job.progress
        self._auto.disabled = sequential
        self._slider.disabled = sequential or self._auto.value
        self._show_what_auto_allows(now)

    def _renew_question(self) -> None:
        """Asks with new numbers, or takes a question back that is another one now."""
        if self._asked is None:
            return
        busy = self._desk.active or self._desk.comparing or not self._desk.total
        if (
            busy
            or not self._question.visible
            or self._chooser.researcher is not self._asked
        ):
            self._asked = None
            self._question.hide()
        else:
            self._ask()

    def _follow_choice(self, choice: Concurrency) -> None:
        """Moves the controls when the job was told elsewhere, in a cell perhaps."""
        if choice == self._told:
            return
        self._told = choice
        with self._moved_from_here():
            self._auto.value = choice == AUTO
            if choice != AUTO:
                self._slider.value = choice

    def _show_what_auto_allows(self, now: Progress | None) -> None:
        """Says beside the slider what auto has come to; the slider goes along."""
        shown = self._choice == AUTO
        # More than the slider has can be allowed: the number stands in the words.
        self._slider.readout = not shown
        show(self._allowed, visible=shown)
        if not shown:
            return
        self._allowed.value = markup.auto(now, most=self._at_once)
        if now is not None:
            come_to = now.found_limit or max(now.running, self._slider.value)
            with self._moved_from_here():
                self._slider.value = min(come_to, self._slider.max)

    @contextlib.contextmanager
    def _moved_from_here(self) -> Iterator[None]:
        """Has what moves meanwhile be no wish of a person; the lock is held."""
        self._following = True
        try:
            yield
        finally:
            self._following = False
