"""A table of any length: what a page cannot take is left out, and said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from sdr_kit.workbench import grid as room
from sdr_kit.workbench.grid import Grid


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_ROWS", 3)


def table(rows: int, told: list[object] | None = None) -> Grid:
    heard = [] if told is None else told
    grid = Grid("accounts", on_select=heard.append, order=[("Priority", True)])
    priorities = [None if place % 3 == 0 else place for place in range(rows)]
    frame = pd.DataFrame(
        {
            "Company": [f"Company {place}" for place in range(rows)],
            "Priority": pd.array(priorities, dtype="Int64"),
        }
    )
    grid.show(frame, selected=[rows - 1])
    return grid


def widget(grid: Grid) -> Any:
    assert grid._table is not None
    return grid._table


def test_a_short_table_has_all_its_rows() -> None:
    grid = table(3)
    assert grid._note.value == ""
    assert grid.selected == [2]


def test_a_long_one_has_the_rows_that_stand_first_and_says_so() -> None:
    grid = table(9)
    assert list(grid._rows) == [5, 7, 8]
    assert "The first 3 of 9 rows" in grid._note.value
    assert widget(grid).selected_rows == [2]
    assert grid.selected == [8]


def test_what_is_not_in_the_table_can_be_selected_until_a_person_selects() -> None:
    told: list[object] = []
    grid = table(9, told)
    grid.select([0, 1, 7])
    assert grid.selected == [0, 1, 7]
    widget(grid).selected_rows = [0]
    assert grid.selected == [5]
    assert told
