"""What goes wrong on purpose: a bad line, a held lock, a full disk, a wrong clock."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa

from sdr_kit import Account
from sdr_kit.store import Store

ROOT = Path(__file__).parents[1]
DATABASE = "sqlite:///faults.db"
FILE = Path("faults.db")


class Paid:
    """Answers after a moment, for half a dollar, and notes whom it was asked about."""

    name = "paid"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[int] = []

    async def __call__(self, account: Account) -> dict[str, object]:
        self.calls.append(account.position)
        await asyncio.sleep(self.seconds)
        return {"position": account.position, "cost_usd": 0.5}


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def books(store: Store | str = DATABASE, job_id: int = 1) -> Counter[str]:
    """Counts how the accounts of a job stand, and checks that nothing is half there.

    SQLite finds the file sound; every result is of an account of the job, and has its
    own last attempt.
    """
    store = Store(store) if isinstance(store, str) else store
    with closing(sqlite3.connect(str(store))) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    places = {each.position for each in store.accounts(job_id)}
    made = {(each.position, each.number) for each in store.attempts(job_id)}
    results = store.results(job_id)
    for each in results:
        assert each.position in places
        assert not each.attempts or (each.position, each.attempts) in made
    statuses = Counter[str](each.status for each in results)
    statuses["pending"] = len(places) - len(results)
    assert store.job(job_id).total == len(places)
    return +statuses


# A script of its own.


@contextmanager
def script(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs code in another process, in this folder; ends it with the block."""
    process = subprocess.Popen(  # noqa: S603 (our own code)
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Waits for it, and gives what it printed and what it complained of."""
    return process.communicate(timeout=60)


_HOLD = """
import sqlite3, sys
db = sqlite3.connect("faults.db", isolation_level=None)
db.execute(sys.argv[1])
db.execute("SELECT count(*) FROM jobs").fetchone()
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def lock_held(lock: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Another process holds the database for as long as the block takes."""
    with script(_HOLD, lock) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield


# A disk that does not take what it is given.


def pragma(store: Store, text: str) -> Callable[[], None]:
    """Sets a pragma on every later connection of a store, until it is taken back."""

    def tell(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA {text}").close()

    engine = store._db._engine
    sa.event.listen(engine, "connect", tell)
    return lambda: sa.event.remove(engine, "connect", tell)


def full_soon(store: Store, *, pages: int) -> Callable[[], None]:
    """Lets the file grow by so many pages more."""
    with closing(sqlite3.connect(str(store))) as db:
        (now,) = db.execute("PRAGMA page_count").fetchone()
    return pragma(store, f"max_page_count = {now + pages}")


@contextmanager
def quota(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# A clock that is wrong.


class WallClock:
    """Stands in for the module `time` where the wall clock is read."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock can be set forward, as that of a laptop which was asleep."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


# A line that is bad.

Fault = Literal["", "delay", "cut", "cut_late", "reset", "reset_late", "black_hole"]


class Proxy:
    """Carries bytes between a client and a server, and spoils some connections.

    Args:
        port: Where the server is, on 127.0.0.1.
        faults: What happens to one connection after another; the last one from then
            on. `delay` lets the answer wait; `cut` and `reset` end the connection (FIN,
            RST) when the request has come, before the server has seen it, the `late`
            ones in the middle of the answer; `black_hole` takes everything and says
            nothing.
        seconds: How long a delay is.
    """

    def __init__(
        self, port: int, faults: Sequence[Fault], *, seconds: float = 0.2
    ) -> None:
        self.address = ""
        self.met: Counter[Fault] = Counter()
        self.faults = list(faults)
        self._port = port
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = "http://{}:{}".format(*server.sockets[0].getsockname())
        async with server:
            yield self
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault = self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
        self.met[fault] += 1
        try:
            first = await reader.read(65_536)
            if fault == "black_hole":
                while await reader.read(65_536):
                    pass
            elif fault in ("cut", "reset"):
                _end(writer, at_once=fault == "reset")
            else:
                await self._exchange(first, reader, writer, fault)
        except ConnectionError:
            pass
        finally:
            await _closed(writer)

    async def _exchange(
        self,
        first: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault,
    ) -> None:
        """Carries on, or ends it after the first half of the first answer."""
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        back.write(first)
        onward = asyncio.get_running_loop().create_task(_pass_on(reader, back))
        try:
            while part := await there.read(65_536):
                if fault == "delay":
                    await asyncio.sleep(self._seconds)
                if fault in ("cut_late", "reset_late"):
                    writer.write(part[: len(part) // 2])
                    await writer.drain()
                    _end(writer, at_once=fault == "reset_late")
                    return
                writer.write(part)
                await writer.drain()
        finally:
            onward.cancel()
            await _closed(back)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _end(writer: asyncio.StreamWriter, *, at_once: bool) -> None:
    if not at_once:
        writer.close()
        return
    linger = struct.pack("ii", 1, 0)  # RST in place of FIN
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a lease last for 0.6 s, and be renewed in proportion."""
    monkeypatch.setattr("sdr_kit.job_store.LEASE_SECONDS", 0.6)
    monkeypatch.setattr("sdr_kit.keeper.BEAT_SECONDS", 0.1)
    monkeypatch.setattr("sdr_kit.keeper.LOOK_SECONDS", 0.05)


def impatient(monkeypatch: pytest.MonkeyPatch, *, patience: float = 60.0) -> None:
    """Lets SQLite wait but a moment for a lock, and us for so long."""
    monkeypatch.setattr("sdr_kit.database.BUSY_TIMEOUT_MS", 10)
    monkeypatch.setattr("sdr_kit.database.BUSY_PATIENCE_SECONDS", patience)
