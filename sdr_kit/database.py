"""The file under the store: opened, prepared, waited for, upgraded.

SQLite before 3.51.3 can corrupt a write-ahead log that several processes share
(https://sqlite.org/wal.html, "the WAL-reset bug"), so those versions use a rollback
journal. Every call opens a connection of its own, so all of it is thread-safe.

A file of an older version is upgraded when it is opened: what it lacks (tables,
columns, indexes) is added, what it has is kept. That is all that has ever been needed,
and less than a tool for migrations would bring along.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import sqlalchemy as sa
import tenacity
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from sdr_kit import schema
from sdr_kit.errors import StoreError

BUSY_TIMEOUT_MS = 5_000  # SQLite's own wait for a lock, before we wait on top of it
BUSY_PATIENCE_SECONDS = 60.0  # then somebody holds the database and will not let go
WAL_SINCE = (3, 51, 3)
TOGETHER = 50  # rows of one statement; times its columns below 999, SQLite's old bound
AUTOCHECKPOINT_PAGES = 8_000  # keeps the cost of a commit flat in long runs

_GONE = (
    "the file was deleted, moved or replaced since it was opened, and what it held "
    "with it; put it back, or start a new run, which begins a new file"
)

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """An SQLite file with our tables.

    Args:
        url: An SQLAlchemy URL (`sqlite:///results.db`). The file is made when it is not
            there.

    Raises:
        StoreError: It cannot be opened, is no database of ours, or was written by a
            newer version.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            shown = str(url).rpartition("@")[2]  # a password may stand before it
            raise StoreError(
                f"{shown!r} is no database URL; write for instance sqlite:///results.db"
            ) from None
        name = self.url.database
        ours = self.url.drivername in ("sqlite", "sqlite+pysqlite")
        if not ours or name in (None, "", ":memory:"):
            what = "without a file" if ours else f"of {self.url.drivername}"
            raise StoreError(
                f"a database {what} is not supported; write sqlite:/// and the path of "
                'a file, or "memory"'
            )
        # Every call opens a connection, wherever the process has moved to by then.
        self.url = self.url.set(database=str(Path(str(name)).absolute()))
        self._engine = sa.create_engine(
            self.url,
            poolclass=sa.NullPool,
            # A run opens its connection on one thread and writes on others, one at
            # a time.
            connect_args={"check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        sa.event.listen(self._engine, "begin", _begin)
        self.write(self.upgrade, anew=True)

    def __str__(self) -> str:
        return str(self.url.database)

    @property
    def _is_gone(self) -> bool:
        """Whether the file was deleted or moved."""
        return not Path(str(self)).exists()

    def read(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Gives the rows of a query."""
        with self.translated(), self.opened() as connection:
            return connection.execute(query).all()

    def opened(self, *, to_write: bool = False, anew: bool = False) -> sa.Connection:
        """Opens a connection; one that is to write takes the lock when it begins."""
        if not anew and self._is_gone:  # SQLite would make an empty file
            raise StoreError(f"{self} cannot be used: {_GONE}")
        return self._engine.connect().execution_options(immediate=to_write)

    def write(
        self,
        change: Callable[[sa.Connection], T],
        *,
        anew: bool = False,
        patient: bool = True,
    ) -> T:
        """Makes one change in a transaction, waiting for others to let it.

        Args:
            change: Makes it.
            anew: Whether the file may be made for it.
            patient: Whether to wait for longer than SQLite does.
        """

        def write() -> T:
            connection = self.opened(to_write=True, anew=anew)
            with connection, all_or_nothing(connection):
                return change(connection)

        with self.translated():
            return waiting_while_busy(write)() if patient else write()

    def copy(self, place: Path) -> None:
        """Copies the file as it is at one moment, whole or not at all.

        Whoever writes meanwhile waits. In the copy nobody holds a job.

        Args:
            place: Where to. What stands there is replaced, unless it is in use.

        Raises:
            StoreError: It cannot be read, or not be written there.
        """
        self._check_place(place)
        beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        try:
            with self.translated():
                waiting_while_busy(self._copy)(beside)
            shutil.copymode(str(self), beside)
            beside.replace(place)
        except (sqlite3.Error, OSError) as error:
            why = getattr(error, "strerror", None) or error
            raise StoreError(
                f"{self} cannot be copied to {place}: {why}; name another place, or "
                "make space there"
            ) from error
        finally:
            for name in (beside, *_journals(beside)):
                name.unlink(missing_ok=True)

    def _copy(self, beside: Path) -> None:
        with self.opened() as connection:
            # From here on nobody changes it. Who holds it is waited for here: the
            # copying itself would wait without end.
            connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one()
            source = connection.connection.driver_connection
            with closing(sqlite3.connect(beside)) as target:
                cast("sqlite3.Connection", source).backup(target)
                target.execute("PRAGMA journal_mode = DELETE").close()
                target.execute("UPDATE jobs SET holder = NULL, lease_until = NULL")
                target.commit()

    def _check_place(self, place: Path) -> None:
        own = Path(str(self)).resolve()
        here = place in (own, *_journals(own))
        if here or (place.exists() and place.samefile(own)):
            raise StoreError(f"{place} is {self} itself; name another place for a copy")
        for journal in _journals(place):
            if journal.exists() and journal.stat().st_size:
                raise StoreError(
                    f"{place} cannot be replaced by a copy of {self}: {journal.name} "
                    "says that it is in use, or was when its process was killed; name "
                    "another place"
                )

    def upgrade(self, connection: sa.Connection) -> None:
        """Makes what is missing, tables and columns; refuses a file newer or not ours.

        What is there is kept: a column that comes later is empty in older rows.
        """
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > schema.SCHEMA_VERSION:
            raise StoreError(
                f"{self} was written by a newer sdr_kit (schema {version}, this one "
                f"knows {schema.SCHEMA_VERSION}); update sdr_kit or name another file"
            )
        if version == 0 and sa.inspect(connection).get_table_names():
            raise StoreError(
                f"{self} is a database of another program; name another file"
            )
        if version < schema.SCHEMA_VERSION:
            schema.metadata.create_all(connection)
            _add_columns(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what the database says into one of our errors with a way out."""
        try:
            yield
        except OperationalError as error:
            raise StoreError(
                f"{self} cannot be used: {error.orig}; {_way_out(error)}"
            ) from error
        except DatabaseError as error:
            raise StoreError(
                f"{self} cannot be used: {error.orig}; name another database"
            ) from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self} cannot be used: {error}") from error


def is_there(url: str) -> bool:
    """Whether a URL is that of a file that exists; also when it is wrong."""
    prefix = "sqlite:///"
    name = sa.make_url(url).database if url.startswith(prefix) else None
    return not name or Path(name).exists()


def _journals(file: Path) -> list[Path]:
    """Gives what SQLite keeps beside a file."""
    return [file.with_name(file.name + end) for end in ("-journal", "-wal", "-shm")]


def _prepare_connection(connection: sqlite3.Connection, _record: object) -> None:
    """Sets what SQLite keeps for each connection.

    The driver's own transactions are switched off: `_begin` says how each begins.
    """
    connection.isolation_level = None
    journal = "WAL" if sqlite3.sqlite_version_info >= WAL_SINCE else "TRUNCATE"
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}",
        f"journal_mode = {journal}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A read transaction that wants to write is refused at once, whatever the busy
    # timeout says, so what will write takes the lock at its beginning.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _add_columns(connection: sa.Connection) -> None:
    """Adds what older files lack, in the order of the tables, at their ends."""
    known = sa.inspect(connection)
    for table in schema.metadata.sorted_tables:
        there = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(
                    f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"
                )


@contextmanager
def all_or_nothing(connection: sa.Connection) -> Iterator[None]:
    """One transaction, after which the connection can begin another."""
    try:
        with connection.begin():
            yield
    except BaseException:
        # SQLite keeps a transaction open when a reader did not let it be committed.
        connection.connection.rollback()
        raise


def insert(
    connection: sa.Connection,
    table: sa.Table,
    rows: list[tuple[Any, ...]],
    **same: str | None,
) -> None:
    """Writes tuples straight through the driver: twice as fast as dicts here.

    Many rows are one statement: at each statement the driver lets other threads run,
    and where one is busy (a notebook's cell) it would wait for its turn at every row.

    A row may be shorter than the table: the last columns are empty then, and cost
    nothing. `same` are columns that have one value in all rows.
    """
    shared = tuple(same.values())
    for width in {len(row) for row in rows}:
        names = (*table.columns.keys()[:width], *same)
        wide = [(*row, *shared) for row in rows if len(row) == width]
        together = len(wide) - len(wide) % TOGETHER
        for first in range(0, together, TOGETHER):
            part = chain.from_iterable(wide[first : first + TOGETHER])
            connection.exec_driver_sql(
                _insertion(table.name, names, TOGETHER), tuple(part)
            )
        if wide[together:]:
            connection.exec_driver_sql(
                _insertion(table.name, names, 1), wide[together:]
            )


@lru_cache(maxsize=64)
def _insertion(table: str, names: tuple[str, ...], rows: int) -> str:
    marks = f"({', '.join('?' * len(names))})"
    return (
        f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) "  # noqa: S608
        f"VALUES {', '.join([marks] * rows)}"
    )


def listed(values: Iterable[object]) -> sa.Select[Any]:
    """One parameter, where thousands may be too many for a statement."""
    rows = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return sa.select(rows.c.value)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def waiting_while_busy(call: Callable[P, T]) -> Callable[P, T]:
    """Repeats a call while somebody else holds the file, for so long as it may be."""
    return tenacity.retry(
        retry=tenacity.retry_if_exception(_is_busy),
        stop=tenacity.stop_after_delay(BUSY_PATIENCE_SECONDS),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
        reraise=True,
    )(call)


def _way_out(error: OperationalError) -> str:
    if _is_busy(error):
        return "another process holds it; close that one or name another database"
    moved = getattr(error.orig, "sqlite_errorname", "") == "SQLITE_READONLY_DBMOVED"
    if moved or "no such table" in str(error.orig):
        return _GONE
    return "check that its folder exists, can be written and has space"
