"""The command `lab`: JupyterLab on the workbench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path
from typing import Annotated, Any

import typer

from sdr_kit.cli import options
from sdr_kit.errors import SdrKitError

PACKAGE = Path(__file__).parents[1]
SHIPPED = PACKAGE / "notebooks"  # in a wheel
CHECKOUT = PACKAGE.parent / "notebooks"
WORKBENCH = "01-workbench.ipynb"
# What is not ours is JupyterLab's: `--allow-root`, `--ip=…`.
PASSES_ON: dict[str, Any] = {"allow_extra_args": True, "ignore_unknown_options": True}


def lab(
    context: typer.Context,
    *,
    folder: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Copy the notebooks and the sample list there first, unless they are "
            "there; else this folder, and in a checkout its own notebooks.",
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")
    ] = True,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=options.whole_number_from(0, 65_535),
            help="JupyterLab's port, 0 to 65535.",
        ),
    ] = None,
) -> int:
    """Open JupyterLab on the workbench.

    Every other option is passed on to JupyterLab, for instance --allow-root.
    """
    notebook = _notebook(folder)
    words = [
        f"--ServerApp.root_dir={notebook.parent}",
        # In the address that it prints, too: `--no-browser` opens none.
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
    ]
    words += [] if browser else ["--no-browser"]
    words += [] if port is None else [f"--port={port}"]
    return _become([sys.executable, "-m", "jupyterlab", *words, *context.args])


def _notebook(folder: str | None) -> Path:
    """Gives the workbench to open, copied to where it may be changed."""
    if folder is None and not SHIPPED.is_dir() and (CHECKOUT / WORKBENCH).is_file():
        return CHECKOUT / WORKBENCH
    source = SHIPPED if SHIPPED.is_dir() else CHECKOUT
    place = Path(folder or ".").expanduser().resolve()
    for line in copied(source, place):
        typer.echo(line)
    return place / WORKBENCH


def copied(source: Path, place: Path) -> list[str]:
    """Copies the notebooks and the sample list to a folder, and says what it did.

    What is there and is not as it was shipped belongs to whoever changed it, and stays.

    Raises:
        SdrKitError: There are none to copy, or the folder cannot be written.
    """
    files = sorted([*source.glob("[0-9]*.ipynb"), *source.glob("sample_*.csv")])
    if not files:
        raise SdrKitError(f"there are no notebooks in {source}; install sdr_kit again")
    try:
        place.mkdir(parents=True, exist_ok=True)
        fresh = [each for each in files if not (place / each.name).exists()]
        kept = [
            each.name
            for each in files
            if each not in fresh and not cmp(each, place / each.name, shallow=False)
        ]
        for each in fresh:
            shutil.copyfile(each, place / each.name)
    except OSError as error:
        raise SdrKitError(f"{place} cannot be written: {error.strerror}") from error
    lines = [f"Copied to {place}: {_listed(fresh)}"] if fresh else []
    if kept:
        lines.append(f"Left as you have changed them: {', '.join(kept)}")
    return lines


def _listed(files: Sequence[Path]) -> str:
    return ", ".join(each.name for each in files)


def _become(command: Sequence[str]) -> int:
    """Runs JupyterLab in place of this process, so that every signal is its own."""
    sys.stdout.flush()
    if os.name == "nt":  # where a process cannot become another
        return subprocess.run(command, check=False).returncode  # noqa: S603
    return os.execv(command[0], list(command))  # noqa: S606
