"""Where the command line writes: what people read, and what scripts read.

With `--json` the standard output has one document and nothing else, and what people
read goes to the standard error. The bar and questions are always there. Whoever listens
may leave (`sdr-kit run list.csv | head -1`) without ending a run.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sdr_kit.cli.problems import visible
from sdr_kit.plain import plain

PIPE_COLUMNS = 200  # a table in a pipe is not folded to a screen that is not there


class Screen:
    """What a command writes to.

    Args:
        json: Whether the standard output is for one JSON document.

    Attributes:
        attended: Whether somebody sees the bar and can answer.
        errors: The standard error.
    """

    def __init__(self, *, json: bool = False) -> None:
        self.errors = _console(stderr=True)
        self.attended = self.errors.is_terminal and sys.stdin.isatty()
        self._json = json
        self._people = self.errors if json else _console(stderr=False)

    def say(self, text: object, style: str = "") -> None:
        """Writes a line for people; a long one is folded by the terminal."""
        self._people.print(Text(visible(text), style), soft_wrap=True)

    def show(self, table: Table) -> None:
        """Writes a table for people."""
        self._people.print(table)

    def document(self, value: object) -> None:
        """Writes the JSON document, if one is wanted."""
        if self._json:
            print(json.dumps(plain(value), indent=2), flush=True)  # noqa: T201


def fields_of(value: Any) -> dict[str, Any]:
    """Gives a value of ours as JSON has it."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r} is no value of ours")
    return asdict(value)


def cell(text: object, style: str = "") -> Text:
    """Makes a cell of a table; nothing in the text is taken for markup."""
    return Text(visible(text), style)


class _Patient(Console):
    """A console that goes on when nobody reads it any more; Rich's ends the process."""

    def on_broken_pipe(self) -> None:
        """Sends what is still said nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def _console(*, stderr: bool) -> Console:
    console = _Patient(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_COLUMNS
    return console
