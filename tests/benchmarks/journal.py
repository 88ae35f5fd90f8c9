"""What the journal of the database costs: `uv run python -m tests.benchmarks.journal`.

Each round is a whole run over so many accounts, 50 at once, with a researcher that
answers at once and a commit that waits for the disk (`synchronous=FULL`). They take
turns, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

import sdr_kit
from sdr_kit import Account, Settings
from sdr_kit.accounts import Accounts
from sdr_kit.store import Store
from tests.accounts import made_up

MODES = ("TRUNCATE", "WAL", "DELETE")
ACCOUNTS = 10_000
ROUNDS = 7


async def at_once(_account: Account) -> dict[str, int]:
    return {"answer": 42}


def accounts_a_second(accounts: Accounts, mode: str) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = Store(f"sqlite:///{folder}/journal.db")

        def choose(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA journal_mode = {mode}").close()

        sa.event.listen(store._db._engine, "connect", choose)
        settings = Settings(max_concurrency=50)
        began = time.perf_counter()
        run = asyncio.run(
            sdr_kit.process(
                accounts, at_once, concurrency=50, store=store, settings=settings
            )
        )
        seconds = time.perf_counter() - began
        assert run.summary.completed == len(accounts)
        return len(accounts) / seconds


def sync_ms() -> float:
    """How long the disk takes to take something for good."""
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:
        began = time.perf_counter()
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return 10 * (time.perf_counter() - began)


def main() -> None:
    accounts = made_up(ACCOUNTS)
    accounts_a_second(accounts, MODES[0])  # warms up
    rates: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(ROUNDS):
        for mode in MODES:
            rates[mode].append(accounts_a_second(accounts, mode))
    print(f"SQLite {sqlite3.sqlite_version}, one fsync {sync_ms():.2f} ms")
    print(f"{ACCOUNTS:,} accounts, 50 at once, medians of {ROUNDS} rounds")
    base = statistics.median(rates["WAL"])
    for mode, found in rates.items():
        middle = statistics.median(found)
        print(
            f"{mode:9}{middle:8,.0f} accounts/s  {middle / base:5.2f} × WAL"
            f"  ({min(found):,.0f}–{max(found):,.0f})"
        )


if __name__ == "__main__":
    main()
