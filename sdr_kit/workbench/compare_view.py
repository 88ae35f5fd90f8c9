"""Sequential against parallel on a sample, with what it costs asked for first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import ipywidgets as widgets

from sdr_kit.accounts import Accounts
from sdr_kit.benchmark import SAMPLE, calls
from sdr_kit.charts import as_widget, speedup_figure, throughput_figure
from sdr_kit.comparison import CONCURRENCIES, Comparison
from sdr_kit.workbench import markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import (
    LABEL_WIDTH,
    Guard,
    Question,
    button,
    column,
    replace,
    row,
    show,
    text,
)
from sdr_kit.worker import Researcher

MAX_SAMPLE = 1_000


class CompareView:
    """The tab that compares.

    Args:
        desk: Whose list is sampled.
        guard: See `Guard`.
        researcher: Gives the one that is chosen.
        budget_usd: Gives what it may cost; None is no bound.
        changed: Called when a comparison has begun or ended.
        failed: Shows what went wrong.
    """

    title = "Compare"

    def __init__(
        self,
        desk: Desk,
        *,
        guard: Guard,
        researcher: Callable[[], Researcher],
        budget_usd: Callable[[], float | None],
        changed: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._desk = desk
        self._guard = guard
        self._researcher = researcher
        self._budget_usd = budget_usd
        self._changed = changed
        self._failed = failed
        self._of: Accounts | None = desk.accounts  # whose comparison is shown
        self._comparison: Comparison | None = None
        wide = {"description_width": LABEL_WIDTH}
        self._sample = widgets.BoundedIntText(
            value=SAMPLE,
            min=1,
            max=MAX_SAMPLE,
            description="Accounts",
            style=wide,
            layout={"width": "200px"},
        )
        most = desk.settings.max_concurrency
        fitting = [str(level) for level in CONCURRENCIES if level <= most]
        self._levels = widgets.Text(
            value=", ".join(fitting),
            description="At once",
            style=wide,
            layout={"width": "300px"},
        )
        self._go = button(
            "Compare",
            guard(self._ask),
            icon="balance-scale",
            style="primary",
            tooltip="Research the sample at each of these numbers",
        )
        self._stop = button(
            "Stop",
            guard(self._end),
            icon="stop",
            tooltip="End the comparison; what is measured stays",
        )
        self._question = Question(guard)
        self._empty = text(markup.hint("Load a list first; a sample is taken of it."))
        self._asked: tuple[object, ...] = ()
        for field in (self._sample, self._levels):
            field.observe(guard(self.draw), "value")
        self._status = text()
        self._table = text()
        self._figure = widgets.ToggleButtons(
            options={"Throughput": throughput_figure, "Speedup": speedup_figure},
            tooltip="Chart",
            style={"button_width": "120px"},
        )
        self._figure.observe(guard(self.redraw), "value")
        show(self._figure, visible=False)
        self._chart = widgets.VBox(layout={"overflow": "hidden"})
        self._chart.add_class("sdr-kit-chart")
        self.box = column(
            [
                text(markup.COMPARE),
                self._empty,
                row([self._sample, self._levels, self._go, self._stop]),
                self._question,
                self._status,
                self._table,
                self._figure,
                self._chart,
            ]
        )

    def draw(self) -> None:
        """Disables what makes no sense now, and forgets another list's comparison."""
        desk, running = self._desk, self._desk.comparing
        self._go.disabled = not desk.total or desk.active or running
        self._stop.disabled = not running
        self._sample.disabled = self._levels.disabled = running
        show(self._empty, visible=not desk.total)
        if self._asked != self._subject() or desk.active:
            self._question.hide()
        if self._of is not desk.accounts and not running:
            self._clear()

    def redraw(self) -> None:
        """Puts a fresh chart in place: another one, or for a page drawn anew."""
        if self._comparison is not None:
            self._show(self._comparison)

    def _subject(self) -> tuple[object, ...]:
        """What a comparison would be about now."""
        chosen = (self._levels.value, self._sample.value)
        return (self._desk.accounts, self._researcher(), *chosen)

    def _ask(self) -> None:
        levels, sample = self._chosen(), self._sample.value
        accounts, researcher = self._desk.accounts, self._researcher()
        self._asked = self._subject()
        if accounts is None:
            return
        number = calls(accounts, concurrency=levels, sample=sample)
        estimate = self._desk.forecast(researcher, concurrency=1, calls=number)
        if getattr(researcher, "paid", False):
            self._question.ask(
                markup.before_comparing(number, estimate),
                lambda: self._begin(accounts, researcher, levels, sample),
            )
        else:
            self._begin(accounts, researcher, levels, sample)

    def _chosen(self) -> list[int]:
        words = re.split(r"[\s,;]+", self._levels.value.strip())
        if not all(word.isdecimal() for word in words):
            raise ValueError(
                f"{self._levels.value!r} is no list of numbers; write for instance "
                "1, 3, 5"
            )
        return [self._desk.settings.check_concurrency(int(word)) for word in words]

    def _begin(
        self, of: Accounts, researcher: Researcher, levels: list[int], sample: int
    ) -> None:
        if self._desk.accounts is not of:
            raise RuntimeError("the list is another one by now; press Compare again")
        wanted = sorted({1, *levels})
        self._clear()
        self._status.value = markup.comparing(wanted, 0)
        self._desk.compare(
            researcher,
            levels=levels,
            sample=sample,
            budget_usd=self._budget_usd(),
            on_progress=lambda so_far: self._guard(
                lambda: self._progressed(of, so_far, wanted)
            )(),
            on_end=self._ended,
        )
        self._changed()

    def _ended(self, problem: BaseException | None) -> None:
        stopped = isinstance(problem, asyncio.CancelledError)
        self._status.value = markup.quiet("Stopped.") if stopped else ""
        self._changed()
        if isinstance(problem, Exception):
            self._failed(problem)

    def _progressed(self, of: Accounts, so_far: Comparison, wanted: list[int]) -> None:
        self._of = of
        self._show(so_far)
        done = len(so_far.frame)
        if done < len(wanted):
            self._status.value = markup.comparing(wanted, done)

    def _show(self, comparison: Comparison) -> None:
        self._comparison = comparison
        table = comparison._repr_html_()
        table = table.replace("<table", '<table aria-label="Comparison"', 1)
        self._table.value = markup.block(f'<div class="wide">{table}</div>')
        replace(self._chart, [as_widget(self._figure.value(comparison.frame))])
        show(self._figure, visible=True)

    def _clear(self) -> None:
        self._comparison, self._of = None, self._desk.accounts
        self._status.value = self._table.value = ""
        show(self._figure, visible=False)
        replace(self._chart, [])

    def _end(self) -> None:
        if self._desk.trial is not None:
            self._desk.trial.stop()
