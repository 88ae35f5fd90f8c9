"""Killed or robbed of its job at any moment, a process loses nothing and harms nothing.

The short form of `tests.soak.kills` and `tests.soak.fight`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.soak.fight import Fight
from tests.soak.kills import Killer
from tests.soak.table import written


@pytest.mark.slow
def test_what_is_stored_is_not_paid_for_again_after_kills(tmp_path: Path) -> None:
    killer = Killer(tmp_path, accounts=120, kills=4, seed=2)
    lines = asyncio.run(killer.run())
    assert all(line.holds for line in lines), f"\n{written(lines)}"


@pytest.mark.slow
def test_a_holder_that_was_overtaken_writes_nothing(tmp_path: Path) -> None:
    fight = Fight(tmp_path, seconds=2.5, seed=1)
    lines = asyncio.run(fight.run())
    assert all(line.holds for line in lines), f"\n{written(lines)}"
