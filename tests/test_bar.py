"""The bar of a job at work, as it stands on a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from sdr_kit.cli.bar import LiveBar, at_once, pace
from sdr_kit.cli.screen import Screen
from sdr_kit.progress import Progress

NOW = Progress(
    state="running",
    reason=None,
    total=200,
    completed=19,
    failed=0,
    pending=175,
    in_flight=6,
    running=6,
    waiting=0,
    retries=0,
    limit=6,
    accounts_per_minute=503.0,
    seconds=2.3,
    eta_seconds=21.0,
)
TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\?\d+[hl]|(\r)|(\n)|([^\x1b\r\n]+)")


def seen(written: str) -> list[str]:
    """The lines on a terminal after this, which only goes up, erases and writes."""
    lines, row = [""], 0
    for count, order, _return, new_line, text in TOKEN.findall(written):
        if order == "A":
            row -= int(count or 1)
        elif order == "K":
            lines[row] = ""
        elif new_line:
            row += 1
            lines += [""] * (row == len(lines))
        else:
            lines[row] += text
    return [line for line in lines if line.strip()]


@pytest.fixture
def screen() -> Screen:
    made = Screen()
    made.errors = Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=80
    )
    return made


def test_what_is_said_while_the_bar_is_away_stays(screen: Screen) -> None:
    terminal = screen.errors.file
    assert isinstance(terminal, io.StringIO)
    with LiveBar(screen, 7) as bar:
        bar.show(NOW)
        with bar.away():
            screen.errors.print("Stopping.\nCtrl-C again leaves at once.")
        bar.show(NOW)
    assert seen(terminal.getvalue()) == ["Stopping.", "Ctrl-C again leaves at once."]


def test_auto_says_what_it_may_and_then_what_it_found() -> None:
    assert "6 of 6 at work" in pace(NOW)
    auto = replace(NOW, auto=True, limit=36, most=50)  # 36 is a first guess
    assert "6 at work (auto, at most 50)" in pace(auto)
    assert "6 at work (auto, 18 found)" in pace(replace(auto, found_limit=18))


def test_a_number_that_the_provider_does_not_take_is_said_so() -> None:
    now = replace(NOW, limit=4, most=10, found_limit=4)
    assert at_once(now) == "10 at once, the provider takes 4"
    assert at_once(replace(now, found_limit=None)) == "10 at once"


def test_what_is_typed_at_the_bar_finds_room_in_its_line(screen: Screen) -> None:
    """A terminal echoes ^C where the cursor stands."""
    terminal = screen.errors.file
    assert isinstance(terminal, io.StringIO)
    with LiveBar(screen, 7) as bar:
        bar.show(NOW)
        last = terminal.getvalue().rpartition("\n")[2]
    assert last == "  503 a minute, 21 s to go, 6 of 6 at work"
