"""Grouped reports: a group's owner stands on its first row alone, or above its rows.

It is filled down only where the report says where each group ends: a subtotal below
every one, with its value on the first row and no other, or a value that counts its
rows (`Jane Doe (2)`). Where there are subtotals and the groups are not clear all the
same, cells stay as they came, and the blank ones are named so that a person can look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

NOT_CERTAIN = "blank in a grouped report; whose group it is in is not certain"

_COUNTED = re.compile(r"(.*\S)\s*\((\d+)\)")

_Run = list[int]  # the positions of a group's rows


def fill_groups(
    cells: Sequence[str],
    names: Sequence[str],
    no_data: Collection[int],
    closing: Collection[int],
) -> tuple[list[str], list[int]]:
    """Fills a column down where the groups of its report are certain.

    Args:
        cells: A column that stands left of the company's.
        names: The companies, `""` for none.
        no_data: Positions of rows that are none of the list's.
        closing: Those of subtotals that close a group of this column.

    Returns:
        The cells, and the positions of the accounts that may lack their group's.
    """
    blank = [at for at, cell in enumerate(cells) if not cell.strip() and names[at]]
    blank = [at for at in blank if at not in no_data]
    filled = list(cells)
    if not blank:
        return filled, []
    rows = [at for at, cell in enumerate(cells) if cell.strip() or names[at]]
    runs, all_closed = _runs(cells, rows, no_data, closing)
    counted = all(_counts(cells[run[0]], names, run) for run in runs)
    if not (counted or (closing and all_closed and _first_alone(cells, runs))):
        return filled, blank if closing else []
    for run in runs:
        value = cells[run[0]]
        found = _COUNTED.fullmatch(value.strip()) if counted else None
        for at in run:
            filled[at] = found[1] if found else value
    return filled, [at for at in blank if not filled[at].strip()]


def _runs(
    cells: Sequence[str],
    rows: Sequence[int],
    no_data: Collection[int],
    closing: Collection[int],
) -> tuple[list[_Run], bool]:
    """Splits the rows into groups, and says whether a subtotal closes each.

    Without subtotals a group begins wherever the column has a value.
    """
    runs: list[_Run] = []
    run: _Run = []
    for at in sorted({*rows, *closing}):
        if at in closing or (not closing and cells[at].strip()):
            runs.append(run)
            run = []
        if at not in no_data:
            run.append(at)
    return [some for some in (*runs, run) if some], not run


def _counts(value: str, names: Sequence[str], run: _Run) -> bool:
    """Says whether the first cell of a group counts its accounts."""
    found = _COUNTED.fullmatch(value.strip())
    return found is not None and int(found[2]) == sum(bool(names[at]) for at in run)


def _first_alone(cells: Sequence[str], runs: Sequence[_Run]) -> bool:
    """Says whether no row of a group has another value than its first one."""
    return all(
        cells[at].strip() in ("", cells[run[0]].strip()) for run in runs for at in run
    )
