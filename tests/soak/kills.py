"""Kills one job at random moments, many times, and counts what was paid for.

    uv run python -m tests.soak.kills --accounts 2000 --kills 50

A process works on the job and asks a provider that counts; it is killed with -9, the
database is read, and another process goes on. It prints a table and fails when a line
of it does not hold. An account is in flight when it was asked for and is not committed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sdr_kit.store import Store
from sdr_kit.writer import UNCOMMITTED
from tests.soak.holder import CONCURRENCY, JOB
from tests.soak.notary import Notary
from tests.soak.nursery import Nursery
from tests.soak.provider import DOLLARS, Provider
from tests.soak.table import Line, at_most, exactly, written

ANSWER_SECONDS = 0.01
STARTUP_SECONDS = 0.1  # about as long as a process takes to ask for the first account
PATIENCE_SECONDS = 60.0


class Killer:
    """Starts workers on one job and kills them.

    Args:
        folder: Where the database is made.
        accounts: How many the job has.
        kills: How often it is killed.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, *, accounts: int, kills: int, seed: int) -> None:
        self._path = folder / "kills.db"
        self._url = f"sqlite:///{self._path}"
        self._accounts = accounts
        self._kills = kills
        self._chance = random.Random(seed)
        self._provider = Provider(ANSWER_SECONDS, self._chance)
        self._committed: list[set[int]] = []  # when each life had ended
        self._killed = 0
        self._half_way = 0  # kills that left a transaction to be rolled back

    async def run(self) -> list[Line]:
        """Kills, goes on to the end, and says what it has come to."""
        self._store = Store(self._url)
        notary = Notary(self._path)
        async with self._provider, Nursery() as nursery:
            for life in range(self._kills):
                await self._kill(life, nursery)
            await nursery.born(self._words(self._kills))
            (code,) = await nursery.ended()
            self._note()
        return self._lines(notary, ended=code == 0)

    def _words(self, life: int) -> tuple[object, ...]:
        more = () if life else ("--accounts", self._accounts)
        return self._url, self._provider.address, life, *more

    async def _kill(self, life: int, nursery: Nursery) -> None:
        """Waits for a random moment of a life, and ends it."""
        (pid,) = await nursery.born(self._words(life))
        ending = asyncio.create_task(nursery.ended())
        share = self._accounts // (self._kills + 1)
        if life and self._chance.random() < 0.1:
            await asyncio.sleep(self._chance.uniform(0, STARTUP_SECONDS))
        else:
            await self._asked(life, ending, self._chance.randint(1, 1 + 2 * share))
            await asyncio.sleep(self._chance.uniform(0, 2 * ANSWER_SECONDS))
        if not ending.done():
            os.kill(pid, signal.SIGKILL)
        (code,) = await ending
        self._killed += code == -signal.SIGKILL
        journal = self._path.with_name(f"{self._path.name}-journal")
        self._half_way += journal.exists() and journal.stat().st_size > 0
        self._note()

    async def _asked(self, life: int, ending: asyncio.Task[Any], wanted: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self._provider.requests(life)) < wanted and not ending.done():
            assert time.monotonic() < deadline, "the worker asks for nothing"
            await asyncio.sleep(0.002)

    def _note(self) -> None:
        self._committed.append(set(self._store.statuses(JOB)))

    def _lines(self, notary: Notary, *, ended: bool) -> list[Line]:
        lives = [self._provider.requests(life) for life in range(self._kills + 1)]
        requests = sum(map(len, lives))
        before: Sequence[set[int]] = [set(), *self._committed]
        again = sum(
            position in before[life]
            for life, asked in enumerate(lives)
            for position in asked
        )
        in_flight = [
            len(set(asked) - before[life + 1]) for life, asked in enumerate(lives)
        ]
        repeats = requests - len(set().union(*lives))
        lost = sum(len(old - new) for old, new in pairwise(before))
        once = notary.completed(JOB)
        past = self._store.past(JOB)
        cents = int(100 * (past.usage.cost_usd or 0))
        attempts = Counter(each.position for each in self._store.attempts(JOB))
        return [
            exactly("kills -9", self._killed, self._kills),
            Line("  of these in the middle of a transaction", self._half_way),
            Line("requests", requests),
            at_most("repeats", repeats, sum(in_flight)),
            Line("accounts in flight at the kills", sum(in_flight)),
            at_most("  most at one kill", max(in_flight), CONCURRENCY + UNCOMMITTED),
            exactly("requests for what was committed before", again, 0),
            exactly("results that were there and are not", lost, 0),
            exactly("results", past.completed, self._accounts),
            exactly(
                "accounts completed exactly once",
                sum(times == 1 for times in once.values()),
                self._accounts,
            ),
            exactly("attempts stored", attempts.total(), self._accounts),
            exactly("cents stored", cents, int(100 * DOLLARS) * self._accounts),
            exactly("faults noted by the database", notary.faults().total(), 0),
            exactly("the last process ended well", int(ended), 1),
        ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(
            Path(folder), accounts=asked.accounts, kills=asked.kills, seed=asked.seed
        )
        lines = asyncio.run(killer.run())
    print(written(lines))
    sys.exit(not all(line.holds for line in lines))


if __name__ == "__main__":
    main()
