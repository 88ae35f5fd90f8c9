"""How many accounts a second come to the disk, each one committed for good.

The peer writes the same rows with the driver alone, in groups of 500 and a commit
each: what the disk and SQLite let anybody do.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from sdr_kit import schema
from sdr_kit.account import Attempt, Outcome, Research
from sdr_kit.accounts import Accounts
from sdr_kit.batch import process
from sdr_kit.costs.figure import Figure, in_turns, ratio
from sdr_kit.costs.lists import AT_ONCE, made_up, one_turn, settings
from sdr_kit.store import Store
from sdr_kit.writer import STUCK_SECONDS, UNCOMMITTED, UNCOMMITTED_WHEN_STUCK

ACCOUNTS = 10_000
ROUNDS = 5
TARGET = 12_000.0
GROUP = 500
SYNCS = 50


@contextmanager
def new_store() -> Iterator[Store]:
    """A database of its own, on the disk of the working directory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".sdr_kit_") as folder:
        yield Store(f"sqlite:///{folder}/costs.db")


def durable_figures() -> list[Figure]:
    """Measures runs whose every account is committed with `synchronous=FULL`."""
    accounts = made_up(ACCOUNTS)
    found = in_turns({"ours": lambda: _ours(accounts), "bare": _bare}, rounds=ROUNDS)
    speed = median(found["ours"])
    stuck = f"{UNCOMMITTED_WHEN_STUCK} when it has not answered for {STUCK_SECONDS} s"
    return [
        Figure(
            what="durable accounts/s, begun and claimed",
            ours=f"{speed:,.0f}/s",
            peer=f"{median(found['bare']):,.0f}/s SQLite alone, the same rows",
            ratio=ratio(found["ours"], found["bare"]),
            target=TARGET,
            value=speed,
            at_most=False,
            note=f"one sync of this disk takes {_sync_ms():.1f} ms",
        ),
        Figure(
            what="uncommitted at most",
            ours=f"{UNCOMMITTED:,} + {AT_ONCE} at work",
            note=f"while the disk answers; {stuck}",
        ),
    ]


def _ours(accounts: Accounts) -> float:
    with new_store() as store:
        began = time.perf_counter()
        asyncio.run(
            process(
                accounts,
                one_turn,
                concurrency=AT_ONCE,
                store=store,
                settings=settings(),
            )
        )
        return len(accounts) / (time.perf_counter() - began)


def _bare() -> float:
    research = Research(fields={"answer": 42})
    tried = [schema.attempt_row(1, _attempt(place)) for place in range(ACCOUNTS)]
    ended = [
        schema.result_row(1, _outcome(place, research)) for place in range(ACCOUNTS)
    ]
    listed = [(1, place, f"Company {place}", "{}") for place in range(ACCOUNTS)]
    with new_store() as store, closing(sqlite3.connect(str(store))) as file:
        file.isolation_level = None
        file.execute("PRAGMA synchronous = FULL").close()
        file.execute(f"PRAGMA journal_mode = {_journal(store)}").close()
        began = time.perf_counter()
        with _transaction(file):
            _write(
                file,
                "accounts",
                ("job_id", "position", "company_name", "extra"),
                listed,
            )
        for first in range(0, ACCOUNTS, GROUP):
            with _transaction(file):
                for table, rows in (("attempts", tried), ("results", ended)):
                    names = schema.metadata.tables[table].columns.keys()
                    _write(file, table, names, rows[first : first + GROUP])
        return ACCOUNTS / (time.perf_counter() - began)


@contextmanager
def _transaction(file: sqlite3.Connection) -> Iterator[None]:
    file.execute("BEGIN IMMEDIATE").close()
    yield
    file.execute("COMMIT").close()


def _write(
    file: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    width = len(rows[0])  # a row ends where nothing more is known
    columns, marks = ", ".join(names[:width]), ", ".join("?" * width)
    insertion = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    file.executemany(insertion, rows).close()


def _journal(store: Store) -> str:
    with closing(sqlite3.connect(str(store))) as file:
        mode = file.execute("PRAGMA journal_mode").fetchone()[0]
    return "WAL" if mode == "wal" else "TRUNCATE"


def _attempt(place: int) -> Attempt:
    return Attempt(
        position=place, number=1, started=place / 7, seconds=0.1, outcome="completed"
    )


def _outcome(place: int, research: Research) -> Outcome:
    return Outcome(
        position=place,
        status="completed",
        attempts=1,
        seconds=0.1,
        finished=place / 7,
        research=research,
    )


def _sync_ms() -> float:
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:
        began = time.perf_counter()
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return (time.perf_counter() - began) / SYNCS * 1_000
