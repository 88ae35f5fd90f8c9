"""Where runs are kept: jobs, their accounts, results and attempts.

The rules:

* What is written is written whole: one transaction takes a batch of attempts and
  results, and an account counts as finished only when its result is committed.
* Writing the same record again changes nothing, so a writer that does not know
  whether its last transaction went through may repeat it.
* An account without a result is pending. There is no "processing" in the database
  that a killed process could leave behind.
* Opening a store and a new job make the file where there is none. All else needs what
  was in it, so when the file is gone that is an error, and no empty one is left.

`Store` is synchronous and thread-safe: every call opens a connection of its own, and
a run keeps one open for its writes. SQLite before 3.51.3 can corrupt a write-ahead log
that several processes share (https://sqlite.org/wal.html, "the WAL-reset bug"), so
those versions use a rollback journal.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from sdr_kit import schema
from sdr_kit.account import Account, Attempt, Edit, Outcome, Status
from sdr_kit.errors import StoreError
from sdr_kit.memory_store import MemoryStore, Record
from sdr_kit.settings import Settings

BUSY_TIMEOUT_MS = 5_000  # SQLite's own wait for a lock, before we wait on top of it
BUSY_PATIENCE_SECONDS = 60.0  # then somebody holds the database and will not let go
WAL_SINCE = (3, 51, 3)
AUTOCHECKPOINT_PAGES = 8_000  # keeps the cost of a commit flat in long runs

_GONE = (
    "the file was deleted, moved or replaced since it was opened, and what it held "
    "with it; put it back, or start a new run, which begins a new file"
)

T = TypeVar("T")


class Store:
    """Jobs, accounts, results and attempts in SQL.

    Args:
        url: An SQLAlchemy URL (`sqlite:///results.db`); None is the settings'
            database. The file is made when it is not there.

    Raises:
        StoreError: It cannot be opened, is no database of ours, or was written by a
            newer version.
    """

    durable = True

    def __init__(self, url: str | None = None) -> None:
        url = url or Settings().database
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
        self._write(self._migrate, anew=True)

    def __repr__(self) -> str:
        return f"Store({self})"

    def __str__(self) -> str:
        return str(self.url.database)

    def create_job(
        self,
        accounts: Sequence[Account],
        *,
        researcher: str,
        concurrency: int,
        terms: str | None = None,
    ) -> int:
        """Stores a new job with all its accounts and gives its number.

        When the file was deleted meanwhile, it begins a new one.

        Args:
            accounts: The list.
            researcher: What the researcher is called.
            concurrency: How many at once, to begin with.
            terms: Who answers, what is asked, and at which prices; None when nobody
                knows.
        """
        job = schema.jobs.insert().values(
            created_at=_now(),
            researcher=researcher,
            concurrency=concurrency,
            total=len(accounts),
            state="running",
            terms=terms,
        )

        def create(connection: sa.Connection) -> int:
            self._migrate(connection)
            job_id = int(connection.execute(job).lastrowid)
            _insert(
                connection,
                schema.accounts,
                [schema.account_row(job_id, a) for a in accounts],
            )
            return job_id

        return self._write(create, anew=True)

    def end_job(
        self, job_id: int, *, state: str, reason: str | None, seconds: float
    ) -> None:
        """Notes how a job ended: its state, why, and its seconds."""
        job = schema.jobs.update().where(schema.jobs.c.id == job_id)
        end = job.values(state=state, reason=reason, seconds=seconds)
        self._write(lambda connection: connection.execute(end))

    def reopen(self, job_id: int, positions: Iterable[int]) -> None:
        """Makes failed accounts pending again, all in one transaction.

        Their attempts stay. What is completed stays, whoever names it: it is paid for.
        """
        job = schema.jobs.update().where(schema.jobs.c.id == job_id)
        begin = job.values(state="running", reason=None)
        results = schema.results.c
        failed = schema.results.delete().where(
            results.job_id == job_id,
            results.status == "failed",
            results.position.in_(_listed(positions)),
        )

        def reopen(connection: sa.Connection) -> None:
            connection.execute(failed)
            connection.execute(begin)

        self._write(reopen)

    def tried(self, job_id: int) -> dict[int, tuple[int, float]]:
        """Reads what was tried of the accounts that have no result.

        Returns:
            By position: how many attempts were made, and their seconds together.
        """
        tried = schema.attempts.c
        query = _of_the_unfinished(
            job_id,
            sa.func.max(tried.number).label("attempts"),
            sa.func.sum(tried.seconds).label("seconds"),
        )
        rows = self._read(query)
        return {row.position: (row.attempts, row.seconds) for row in rows}

    def spent(self, job_id: int) -> dict[int, float]:
        """Reads what was paid for the accounts that have no result.

        Returns:
            By position: US dollars of all attempts; without those of which nobody
            knows.
        """
        cost = sa.func.sum(schema.attempts.c.cost_usd).label("usd")
        rows = self._read(_of_the_unfinished(job_id, cost))
        return {row.position: row.usd for row in rows if row.usd is not None}

    def open_writer(self, job_id: int) -> tuple[Record, Callable[[], None]]:
        """Opens the one connection a run writes through.

        Returns:
            A function that writes a batch of attempts and outcomes in one
            transaction, and a function that closes the connection.
        """
        with _translated(self):
            connection = _waiting_while_busy(self._opened)(to_write=True)

        @_waiting_while_busy
        def write(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with _all_or_nothing(connection):
                _insert(
                    connection,
                    schema.attempts,
                    [schema.attempt_row(job_id, a) for a in attempts],
                )
                _insert(
                    connection,
                    schema.results,
                    [schema.result_row(job_id, o) for o in outcomes],
                )

        def record(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with _translated(self):
                write(attempts, outcomes)

        return record, connection.close

    def results(
        self,
        job_id: int,
        *,
        first: int = 0,
        last: int | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Outcome]:
        """Reads how accounts ended, in the order of the list.

        Args:
            job_id: The job.
            first: The first position to read.
            last: The last position to read; None is the end.
            status: `"completed"` or `"failed"`; None is both.
            limit: At most so many.
        """
        table = schema.results.c
        query = sa.select(schema.results).where(table.job_id == job_id)
        query = query.where(table.position >= first).order_by(table.position)
        if last is not None:
            query = query.where(table.position <= last)
        if status is not None:
            query = query.where(table.status == status)
        return [schema.outcome_of(row) for row in self._read(query.limit(limit))]

    def latest(self, terms: str, *, limit: int) -> list[Outcome]:
        """Reads how the last accounts ended that were researched on the same terms.

        Args:
            terms: See `create_job`.
            limit: At most so many, of the newest jobs.
        """
        same = sa.select(schema.jobs.c.id).where(schema.jobs.c.terms == terms)
        table = schema.results.c
        query = sa.select(schema.results).where(table.job_id.in_(same))
        query = query.order_by(table.job_id.desc(), table.finished.desc()).limit(limit)
        return [schema.outcome_of(row) for row in self._read(query)]

    def statuses(self, job_id: int) -> dict[int, Status]:
        """Reads which accounts have ended, and how, by position."""
        table = schema.results.c
        query = sa.select(table.position, table.status).where(table.job_id == job_id)
        return {row.position: row.status for row in self._read(query)}

    def attempts(self, job_id: int, *, position: int | None = None) -> list[Attempt]:
        """Reads the attempts of a job, by account and number.

        Args:
            job_id: The job.
            position: One account's alone; None is all.
        """
        table = schema.attempts.c
        query = sa.select(schema.attempts).where(table.job_id == job_id)
        query = query.order_by(table.position, table.number)
        if position is not None:
            query = query.where(table.position == position)
        return [schema.attempt_of(row) for row in self._read(query)]

    def edit(self, key: str, edit: Edit) -> None:
        """Keeps what a person has set for a company, in place of what was set before.

        It belongs to the company, not to a job: the next list has it too.

        Args:
            key: See `sdr_kit.loading.names.account_key`.
            edit: All that is set; an empty one removes what was.
        """
        if edit:
            row = schema.edit_row(key, edit, edited_at=_now())
            self._write(lambda connection: _insert(connection, schema.edits, [row]))
        else:
            removal = schema.edits.delete().where(schema.edits.c.key == key)
            self._write(lambda connection: connection.execute(removal))

    def edits(self, keys: Iterable[str] | None = None) -> dict[str, Edit]:
        """Reads what people have set, by key; None is all of it."""
        query = sa.select(schema.edits)
        if keys is not None:
            query = query.where(schema.edits.c.key.in_(_listed(keys)))
        return dict(schema.edit_of(row) for row in self._read(query))

    @property
    def _is_gone(self) -> bool:
        """Whether the file was deleted or moved."""
        return not Path(str(self)).exists()

    def _read(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with _translated(self), self._opened() as connection:
            return connection.execute(query).all()

    def _opened(self, *, to_write: bool = False, anew: bool = False) -> sa.Connection:
        if not anew and self._is_gone:  # SQLite would make an empty file
            raise StoreError(f"{self} cannot be used: {_GONE}")
        return self._engine.connect().execution_options(immediate=to_write)

    def _write(self, change: Callable[[sa.Connection], T], *, anew: bool = False) -> T:
        """Makes one change in a transaction, waiting for others to let it.

        Args:
            change: Makes it.
            anew: Whether the file may be made for it.
        """

        @_waiting_while_busy
        def write() -> T:
            connection = self._opened(to_write=True, anew=anew)
            with connection, _all_or_nothing(connection):
                return change(connection)

        with _translated(self):
            return write()

    def _migrate(self, connection: sa.Connection) -> None:
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


AnyStore = Store | MemoryStore


def open_store(store: AnyStore | str | None, settings: Settings) -> AnyStore:
    """Gives the store that a caller named.

    Args:
        store: None for the settings' database, `"memory"` for one that ends with the
            run, an SQLAlchemy URL, or a store.
        settings: Where the default database is.

    Raises:
        StoreError: The database cannot be opened.
    """
    if store is None:
        return Store(settings.database)
    if isinstance(store, Store | MemoryStore):
        return store
    if not isinstance(store, str):
        raise TypeError(
            f'store is {store!r}; it must be a Store, a database URL or "memory"'
        )
    return MemoryStore() if store == "memory" else Store(store)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


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
def _all_or_nothing(connection: sa.Connection) -> Iterator[None]:
    """One transaction, after which the connection can begin another."""
    try:
        with connection.begin():
            yield
    except BaseException:
        # SQLite keeps a transaction open when a reader did not let it be committed.
        connection.connection.rollback()
        raise


def _insert(
    connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]]
) -> None:
    """Writes tuples straight through the driver: twice as fast as dicts here.

    A row may be shorter than the table: the last columns are empty then, and cost
    nothing.
    """
    for width in {len(row) for row in rows}:
        names = ", ".join(table.columns.keys()[:width])
        marks = ", ".join("?" * width)
        connection.exec_driver_sql(
            f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({marks})",  # noqa: S608
            [row for row in rows if len(row) == width],
        )


def _of_the_unfinished(job_id: int, *sums: sa.Label[Any]) -> sa.Select[Any]:
    """Sums over the attempts of each account that has no result."""
    tried, ended = schema.attempts.c, schema.results.c
    result = sa.select(ended.position).where(
        ended.job_id == tried.job_id, ended.position == tried.position
    )
    return (
        sa.select(tried.position, *sums)
        .where(tried.job_id == job_id, ~result.exists())
        .group_by(tried.position)
    )


def _listed(values: Iterable[object]) -> sa.Select[Any]:
    """One parameter, where thousands may be too many for a statement."""
    rows = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return sa.select(rows.c.value)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


_waiting_while_busy = tenacity.retry(
    retry=tenacity.retry_if_exception(_is_busy),
    stop=tenacity.stop_after_delay(BUSY_PATIENCE_SECONDS),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    reraise=True,
)


def _way_out(error: OperationalError) -> str:
    if _is_busy(error):
        return "another process holds it; close that one or name another database"
    moved = getattr(error.orig, "sqlite_errorname", "") == "SQLITE_READONLY_DBMOVED"
    if moved or "no such table" in str(error.orig):
        return _GONE
    return "check that its folder exists, can be written and has space"


@contextmanager
def _translated(store: Store) -> Iterator[None]:
    """Turns what the database says into one of our errors with a way out."""
    try:
        yield
    except OperationalError as error:
        raise StoreError(
            f"{store} cannot be used: {error.orig}; {_way_out(error)}"
        ) from error
    except DatabaseError as error:
        raise StoreError(
            f"{store} cannot be used: {error.orig}; name another database"
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{store} cannot be used: {error}") from error
