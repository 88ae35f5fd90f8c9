"""Stays with a job until it has ended, or until somebody wants it to.

The first Ctrl-C (or SIGTERM) ends the run as `cancel` does; the second leaves at once,
which loses nothing that is stored. A run that asks gets its answer here, and without
anybody to ask it ends.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, Self

import typer

from sdr_kit.cli.bar import Bar, bar_for
from sdr_kit.cli.problems import visible
from sdr_kit.cli.screen import Screen
from sdr_kit.progress import Progress

LOOK_SECONDS = 0.25  # between two looks at the job
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Followed(Protocol):
    """A job, here or elsewhere."""

    id: int

    @property
    def progress(self) -> Progress:
        """How it is doing."""

    def resume(self) -> None:
        """Goes on after a question."""

    def cancel(self) -> None:
        """Ends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How the following ended.

    Attributes:
        left: Whether the job is still at work: somebody did not want to wait.
        question: What the run asked, and was answered with an end.
    """

    left: bool = False
    question: str | None = None


class Interrupts:
    """Hears Ctrl-C and SIGTERM while it is entered, in the main thread.

    Attributes:
        heard: How often.
        asking: Whether a question is on the screen, which a signal breaks off.
    """

    def __init__(self) -> None:
        self.heard = 0
        self.asking = False
        self._rung = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for each in SIGNALS:
            # A shell has what it runs in the background ignore Ctrl-C.
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._before[each] = signal.signal(each, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)

    def wait(self, seconds: float) -> None:
        """Waits, and no longer than until the next signal."""
        self._rung.wait(seconds)
        self._rung.clear()

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.heard += 1
        self._rung.set()
        if self.asking:
            raise KeyboardInterrupt


def follow(job: Followed, screen: Screen, interrupts: Interrupts) -> Ending:
    """Shows a job that runs here, and sees to signals and questions.

    Args:
        job: The job.
        screen: Where it is shown.
        interrupts: Entered before the job began.
    """
    question: str | None = None
    stopping = False
    with bar_for(screen, job.id) as bar:
        while not (now := job.progress).ended:
            bar.show(now)
            if interrupts.heard and not stopping:
                stopping = True
                job.cancel()
                with bar.away():
                    screen.errors.print(
                        "Stopping: accounts in flight return to pending. "
                        "Ctrl-C again leaves at once.",
                        soft_wrap=True,
                    )
            elif interrupts.heard > 1:
                return Ending(left=True)
            elif now.state == "paused" and now.reason and not stopping:
                if _goes_on(now.reason, bar, screen, interrupts):
                    job.resume()
                else:
                    question, stopping = now.reason, True
                    job.cancel()
            interrupts.wait(LOOK_SECONDS)
    return Ending(question=question)


def watch(job: Followed, screen: Screen, interrupts: Interrupts) -> Ending:
    """Shows a job that runs elsewhere; a signal lets it go on there."""
    with bar_for(screen, job.id) as bar:
        while not (now := job.progress).ended:
            bar.show(now)
            if interrupts.heard:
                return Ending(left=True)
            interrupts.wait(LOOK_SECONDS)
    return Ending()


def _goes_on(question: str, bar: Bar, screen: Screen, interrupts: Interrupts) -> bool:
    """Asks whether to go on; nobody there is a no."""
    if not screen.attended:
        return False
    with bar.away():
        interrupts.asking = True
        try:
            return typer.confirm(f"{visible(question)}\nGo on?", err=True)
        except (KeyboardInterrupt, typer.Abort):
            return False
        finally:
            interrupts.asking = False
