"""Prints what the law reaches in the simulator, and keeps it in a file.

    uv run python -m tests.simulation.report

takes some minutes. With names of a set and parts of names of scenarios it prints those
only, and keeps nothing: `... report "chosen on" "cap 12"`. The file is the same on each
machine, so that a change of the law shows as a difference.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean

from tests.simulation.figures import (
    PARTS,
    SEEDS,
    SETS,
    Figures,
    Ours,
    Part,
    measure,
)
from tests.simulation.rivals import RIVALS

FILE = Path(__file__).with_name("report.txt")
COMMAND = "uv run python -m tests.simulation.report"
NAME = 61  # characters of a scenario's name
INTRODUCTION = f"""\
What the law of `auto` reaches against providers with hidden limits, in virtual time.
Written by `{COMMAND}`; do not edit.

Means over {len(SEEDS)} seeds. seconds: of our run. waste: refused calls an account.
settled: seconds until answers come as fast as in the middle of the run. oracle: seconds
of the best fixed number and pace with perfect knowledge. of it: the efficiency, oracle
÷ ours. lowest: of a seed. Of the rivals: efficiency / waste. remembered: the run begins
with what a run of another seed has learned. Those not judged have no target.
"""

Key = tuple[str, int, int]  # the set, the part, the scenario


def main(*chosen: str) -> None:
    """Measures all, or what is chosen."""
    keys = [key for key in all_keys() if not chosen or _is_chosen(key, chosen)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        # The longest first, so that none of them is left over at the end.
        order = sorted(keys, key=lambda key: -PARTS[key[1]].accounts)
        found = dict(zip(order, pool.map(measured, order), strict=True))
    text = render({key: found[key] for key in keys})
    print(text)  # noqa: T201 (it is what the command is for)
    if not chosen:
        FILE.write_text(text, encoding="utf-8")


def render(found: dict[Key, Figures]) -> str:
    """Writes the report."""
    tables: dict[tuple[str, int], list[Figures]] = {}
    for (name, part, _), figures in found.items():
        tables.setdefault((name, part), []).append(figures)
    lines = [INTRODUCTION, _summary_head()]
    lines += [
        _summary(name, PARTS[part], each) for (name, part), each in tables.items()
    ]
    for name, part in tables:
        lines += ["", f"# {name}, {PARTS[part].name}", _head(PARTS[part])]
        lines += [
            line_of(SETS[name][key[2]].name, figures)
            for key, figures in found.items()
            if key[:2] == (name, part)
        ]
    return "\n".join(lines) + "\n"


def line_of(name: str, figures: Figures) -> str:
    """Writes a scenario's line."""
    best = f"{fmean(figures.best):8.1f} {_percent(figures.efficiency)}"
    rivals = (f"{_percent(a)} /{b:6.3f}" for a, b in figures.rivals.values())
    parts = [beginning(name, figures.ours), f"{best} {_percent(figures.lowest)}"]
    return " | ".join([*parts, *rivals])


def beginning(name: str, ours: Ours) -> str:
    """Writes what of a scenario's line our own runs alone decide."""
    figures = f"{fmean(ours.seconds):8.1f} {ours.waste:6.3f} {ours.settled:7.1f}"
    return f"{name:{NAME}} | {figures}"


def _head(part: Part) -> str:
    ours, best = (
        f"{'seconds':>8} {'waste':>6} {'settled':>7}",
        f"{'oracle':>8} {'of it':>7} {'lowest':>7}",
    )
    rivals = [f"{each:>15}" for each in RIVALS] if part.rivals else []
    return " | ".join([f"{'scenario':{NAME}}", ours, best, *rivals])


def _summary_head() -> str:
    return f"{'set, accounts':{NAME}} |    mean   worst  waste |  target"


def _summary(name: str, part: Part, figures: Sequence[Figures]) -> str:
    mean = fmean(each.efficiency for each in figures)
    worst = min(each.efficiency for each in figures)
    waste = fmean(each.ours.waste for each in figures)
    title, target = f"{name}, {part.name}", part.target
    line = f"{title:{NAME}} | {_three(mean, worst, waste)} | "
    if name == "not judged":
        return f"{line}none"
    return line + _three(target.mean, target.worst, target.waste)


def _three(mean: float, worst: float, waste: float) -> str:
    return f"{_percent(mean)} {_percent(worst)} {waste:6.3f}"


def _percent(share: float) -> str:
    return f"{share:7.1%}"


def all_keys() -> Iterator[Key]:
    for name, scenarios in SETS.items():
        for part in range(len(PARTS)):
            for number in range(len(scenarios)):
                yield name, part, number


def _is_chosen(key: Key, chosen: Sequence[str]) -> bool:
    name, part, number = key
    full = f"{name}, {PARTS[part].name}: {SETS[name][number].name}"
    return all(each in full for each in chosen)


def measured(key: Key) -> Figures:
    name, part, number = key
    return measure(SETS[name][number], PARTS[part])


if __name__ == "__main__":
    main(*sys.argv[1:])
