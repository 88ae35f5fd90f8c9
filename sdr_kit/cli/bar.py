"""How a job at work looks: a live bar at a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sdr_kit.cli.problems import visible
from sdr_kit.cli.screen import Screen
from sdr_kit.progress import Progress
from sdr_kit.words import dollars, duration

LINE_SECONDS = 15.0  # between two lines of a log in which nothing special happens
BAR_COLUMNS = 40


class Bar(Protocol):
    """Shows how a job is doing, until it is left."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def show(self, now: Progress) -> None:
        """Shows it as it is now."""

    @contextmanager
    def away(self) -> Iterator[None]:
        """Makes room for a question."""
        yield


def bar_for(screen: Screen, job_id: int) -> Bar:
    """Gives the bar that suits where it is shown."""
    live = screen.errors.is_terminal and not screen.errors.is_dumb_terminal
    return LiveBar(screen, job_id) if live else Log(screen, job_id)


class LiveBar:
    """A bar that is drawn anew in place."""

    def __init__(self, screen: Screen, job_id: int) -> None:
        self._job_id = job_id
        self._console = screen.errors
        self._live = self._fresh()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, now: Progress) -> None:
        """Draws it."""
        self._live.update(self._drawn(now), refresh=True)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Takes it from the screen for a while."""
        self._live.stop()
        try:
            yield
        finally:
            # One that is started again would wipe the lines written meanwhile: it takes
            # them for those that it drew before.
            self._live = self._fresh()
            self._live.start()

    def _fresh(self) -> Live:
        return Live(console=self._console, auto_refresh=False, transient=True)

    def _drawn(self, now: Progress) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=max(now.total, 1), completed=now.done, width=BAR_COLUMNS
        )
        grid.add_row(Text(f"Job {self._job_id}"), bar, Text(counts(now)))
        parts: list[RenderableType] = [grid, _below(Text(pace(now)))]
        if said := standing(now):
            parts.append(_below(Text(said, "yellow")))
        return Group(*parts)


def _below(text: Text) -> Padding:
    """Indents a line; not filled up to the edge, where a typed ^C would begin another.

    Then the bar would be a line longer than is known here, and one of it would stay.
    """
    return Padding(text, (0, 0, 0, 2), expand=False)


class Log:
    """A line every quarter of a minute, and when the job's state changes."""

    def __init__(self, screen: Screen, job_id: int) -> None:
        self._screen = screen
        self._job_id = job_id
        self._state = ""
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, now: Progress) -> None:
        """Writes a line when one is due."""
        if now.state == self._state and time.monotonic() < self._due:
            return
        self._state, self._due = now.state, time.monotonic() + LINE_SECONDS
        parts = [counts(now), pace(now), standing(now)]
        line = f"Job {self._job_id}: {'; '.join(part for part in parts if part)}"
        self._screen.errors.print(Text(line), soft_wrap=True)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Is never in the way."""
        yield


def counts(now: Progress) -> str:
    """Writes how far it is: `412 of 5,000 completed, 3 failed`."""
    text = f"{now.completed:,} of {now.total:,} completed"
    return f"{text}, {now.failed:,} failed" if now.failed else text


def pace(now: Progress) -> str:
    """Writes how fast it is, how long it will take, and what it has cost."""
    parts = [
        f"{now.accounts_per_minute:,.0f} a minute",
        f"{now.running:,} at work ({at_once(now)})"
        if now.auto or now.found_limit is not None
        else f"{now.running:,} of {now.limit:,} at work",
    ]
    if now.eta_seconds is not None:
        parts.insert(1, f"{duration(now.eta_seconds)} to go")
    if now.waiting:
        parts.append(f"{now.waiting:,} to be tried again")
    if now.reused:
        parts.append(f"{now.reused:,} reused")
    if now.cost_usd or now.budget_usd:
        bound = f" of {dollars(now.budget_usd)}" if now.budget_usd else ""
        parts.append(dollars(now.cost_usd) + bound)
    return ", ".join(parts)


def at_once(now: Progress) -> str:
    """Writes how many may run at once: `8 at once`, or `auto, at most 50`.

    And what was found: `auto, 18 at once found`, or `8 at once, the provider takes 4`.
    """
    found, most = now.found_limit, now.most or now.limit
    if now.auto:
        return f"auto, at most {most:,}" if found is None else f"auto, {found:,} found"
    return f"{most:,} at once" + (f", the provider takes {found:,}" if found else "")


def standing(now: Progress) -> str:
    """Says why it does not go on, if so."""
    if now.state == "running":
        return visible(now.reason or "")
    return visible(f"{now.state}: {now.reason}" if now.reason else now.state)
