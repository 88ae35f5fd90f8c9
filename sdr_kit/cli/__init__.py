"""The command line `sdr-kit`: thin, with no rules of its own.

Each file holds a family of commands, and what a command needs beyond its options is
imported when it runs, so that help is there at once. `named` makes objects of names,
`screen` is where all output goes, `follow` stays with a job to its end, `account` tells
what it has come to.

Exit codes: 0 all accounts are completed (or the command did what it says), 1 some have
failed or are left, 2 wrong use. What goes wrong is one sentence on the standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from sdr_kit.cli import bench, jobs, lab, runs, serve
from sdr_kit.cli.problems import FAILED, WRONG_USE, visible
from sdr_kit.errors import SdrKitError

NAME = "sdr-kit"
INTERRUPTED = 130  # what Typer makes of Ctrl-C; other versions let it through
# The root of what Typer says of wrong use; it has moved from one version to the next.
_Refused: Any = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException"
)

app = typer.Typer(
    help="Research a list of company accounts, several at a time.",
    add_completion=False,
    rich_markup_mode=None,  # what is in angle or square brackets is meant so
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(runs.run)
app.command("jobs")(jobs.listed)
app.command()(runs.resume)
app.command()(runs.retry)
app.command()(runs.watch)
app.command()(jobs.pause)
app.command()(jobs.cancel)
app.command("set")(jobs.change)
app.command()(jobs.export)
app.command(context_settings=lab.PASSES_ON)(lab.lab)
app.command()(serve.serve)
app.command()(bench.bench)


def _version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{NAME} {version('sdr_kit')}")
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command that this process was given, and ends with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no × or … must not end the run.
        if callable(reconfigure := getattr(stream, "reconfigure", None)):
            reconfigure(errors="replace")
    sys.exit(_code(sys.argv[1:] or ["--help"]))


def _code(arguments: Sequence[str]) -> int:
    try:
        code: Any = app(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except _Refused as refusal:
        return _say(refusal.format_message(), WRONG_USE)
    except SdrKitError as problem:
        return _say(str(problem), WRONG_USE)
    except (KeyboardInterrupt, typer.Abort):
        return _say("stopped", FAILED)
    except BrokenPipeError:  # `sdr-kit jobs --json | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if code == INTERRUPTED:
        return _say("stopped", FAILED)
    return code if isinstance(code, int) else 0


def _say(sentence: str, code: int) -> int:
    typer.echo(f"{NAME}: {visible(sentence)}", err=True)
    return code
