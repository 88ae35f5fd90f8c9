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
a run keeps one open for its writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from sdr_kit import schema
from sdr_kit.account import Account, Attempt, Edit, Outcome, Status
from sdr_kit.database import (
    Database,
    all_or_nothing,
    insert,
    listed,
    waiting_while_busy,
)
from sdr_kit.dates import now
from sdr_kit.memory_store import MemoryStore, Record
from sdr_kit.settings import Settings

_PAID = sa.func.coalesce(
    schema.results.c.saved_usd,
    schema.results.c.account_cost_usd,
    schema.results.c.cost_usd,
).label("paid")
# Of the columns beside max() SQLite takes those of the row that has it
# (https://sqlite.org/lang_select.html#bareagg).
_TAKE_OVER = sa.text("""
    INSERT INTO results (
        job_id, position, status, attempts, seconds, finished, fields, tier,
        priority_score, evidence, found_at, found_by, reused_from, saved_usd)
    SELECT :job, ours.position, 'completed', 0, 0, 0, found.fields, found.tier,
        found.priority_score, found.evidence, max(found.found_at), found.found_by,
        coalesce(found.reused_from, found.job_id),
        coalesce(found.saved_usd, found.account_cost_usd, found.cost_usd)
    FROM accounts AS ours
    JOIN accounts AS theirs ON theirs.key = ours.key AND theirs.job_id <> ours.job_id
    JOIN results AS found
        ON found.job_id = theirs.job_id AND found.position = theirs.position
    WHERE ours.job_id = :job AND found.status = 'completed'
        AND found.found_by = :by AND found.found_at >= :since
    GROUP BY ours.position
""")


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
        self._db = Database(url or Settings().database)

    def __repr__(self) -> str:
        return f"Store({self})"

    def __str__(self) -> str:
        return str(self._db)

    def create_job(
        self,
        accounts: Sequence[Account],
        *,
        researcher: str,
        concurrency: int,
        keys: Sequence[str] | None = None,
        fingerprint: str | None = None,
        reuse_since: str | None = None,
    ) -> int:
        """Stores a new job with all its accounts and gives its number.

        When the file was deleted meanwhile, it begins a new one. What earlier jobs have
        found of the same companies by the same fingerprint is taken over, all in one
        transaction: the newest of each company that is new enough.

        Args:
            accounts: The list.
            researcher: What the researcher is called.
            concurrency: How many at once, to begin with.
            keys: What identifies the company of each account; see
                `sdr_kit.loading.names.account_key`. None takes nothing over.
            fingerprint: Who answers and what is asked; None when nobody knows.
            reuse_since: What was found before is too old (ISO 8601, UTC); None takes
                nothing over.
        """
        names: Sequence[str | None] = keys or [None] * len(accounts)
        job = schema.jobs.insert().values(
            created_at=now(),
            researcher=researcher,
            concurrency=concurrency,
            total=len(accounts),
            state="running",
            fingerprint=fingerprint,
        )

        def create(connection: sa.Connection) -> int:
            self._db.upgrade(connection)
            job_id = int(connection.execute(job).lastrowid)
            insert(
                connection,
                schema.accounts,
                [
                    schema.account_row(job_id, account, key)
                    for account, key in zip(accounts, names, strict=True)
                ],
            )
            if fingerprint is not None and reuse_since is not None:
                same = {"by": schema.short(fingerprint), "since": reuse_since}
                connection.execute(_TAKE_OVER, {"job": job_id, **same})
            return job_id

        return self._db.write(create, anew=True)

    def end_job(
        self, job_id: int, *, state: str, reason: str | None, seconds: float
    ) -> None:
        """Notes how a job ended: its state, why, and its seconds."""
        job = schema.jobs.update().where(schema.jobs.c.id == job_id)
        end = job.values(state=state, reason=reason, seconds=seconds)
        self._db.write(lambda connection: connection.execute(end))

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
            results.position.in_(listed(positions)),
        )

        def reopen(connection: sa.Connection) -> None:
            connection.execute(failed)
            connection.execute(begin)

        self._db.write(reopen)

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
        rows = self._db.read(query)
        return {row.position: (row.attempts, row.seconds) for row in rows}

    def spent(self, job_id: int) -> dict[int, float]:
        """Reads what was paid for the accounts that have no result.

        Returns:
            By position: US dollars of all attempts; without those of which nobody
            knows.
        """
        cost = sa.func.sum(schema.attempts.c.cost_usd).label("usd")
        rows = self._db.read(_of_the_unfinished(job_id, cost))
        return {row.position: row.usd for row in rows if row.usd is not None}

    def open_writer(
        self, job_id: int, fingerprint: str | None = None
    ) -> tuple[Record, Callable[[], None]]:
        """Opens the one connection a run writes through.

        Args:
            job_id: The job.
            fingerprint: Of the researcher whose results will be written.

        Returns:
            A function that writes a batch of attempts and outcomes in one
            transaction, and a function that closes the connection.
        """
        by = None if fingerprint is None else schema.short(fingerprint)
        with self._db.translated():
            connection = waiting_while_busy(self._db.opened)(to_write=True)

        @waiting_while_busy
        def write(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with all_or_nothing(connection):
                insert(
                    connection,
                    schema.attempts,
                    [schema.attempt_row(job_id, a) for a in attempts],
                )
                insert(
                    connection,
                    schema.results,
                    [schema.result_row(job_id, o) for o in outcomes],
                    found_at=now(),
                    found_by=by,
                )

        def record(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with self._db.translated():
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
        return [schema.outcome_of(row) for row in self._db.read(query.limit(limit))]

    def latest(self, fingerprint: str, *, limit: int) -> list[Outcome]:
        """Reads how the last accounts ended that a researcher was asked about.

        Args:
            fingerprint: Of the researcher; see `create_job`.
            limit: At most so many, of the newest jobs.
        """
        same = sa.select(schema.jobs.c.id).where(
            schema.jobs.c.fingerprint == fingerprint
        )
        table = schema.results.c
        query = sa.select(schema.results).where(table.job_id.in_(same))
        query = query.where(table.reused_from.is_(None))
        query = query.order_by(table.job_id.desc(), table.finished.desc()).limit(limit)
        return [schema.outcome_of(row) for row in self._db.read(query)]

    def taken_over(self, job_id: int) -> dict[int, float | None]:
        """Reads which accounts earlier jobs have paid for, and what, by position."""
        table = schema.results.c
        query = sa.select(table.position, table.saved_usd)
        rows = self._db.read(
            query.where(table.job_id == job_id, table.reused_from.is_not(None))
        )
        return {row.position: row.saved_usd for row in rows}

    def fresh(
        self, keys: Sequence[str], *, fingerprint: str, since: str
    ) -> dict[str, float | None]:
        """Reads which companies a new job would not have to pay for, and what."""
        asked = sa.select(
            schema.accounts.c.key, sa.func.max(schema.results.c.found_at), _PAID
        )
        found = schema.results.c
        query = asked.join_from(
            schema.accounts,
            schema.results,
            (found.job_id == schema.accounts.c.job_id)
            & (found.position == schema.accounts.c.position),
        ).where(
            schema.accounts.c.key.in_(listed(keys)),
            found.status == "completed",
            found.found_by == schema.short(fingerprint),
            found.found_at >= since,
        )
        rows = self._db.read(query.group_by(schema.accounts.c.key))
        return {row.key: row.paid for row in rows}

    def statuses(self, job_id: int) -> dict[int, Status]:
        """Reads which accounts have ended, and how, by position."""
        table = schema.results.c
        query = sa.select(table.position, table.status).where(table.job_id == job_id)
        return {row.position: row.status for row in self._db.read(query)}

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
        return [schema.attempt_of(row) for row in self._db.read(query)]

    def edit(self, key: str, edit: Edit) -> None:
        """Keeps what a person has set for a company, in place of what was set before.

        It belongs to the company, not to a job: the next list has it too.

        Args:
            key: See `sdr_kit.loading.names.account_key`.
            edit: All that is set; an empty one removes what was.
        """
        if edit:
            row = schema.edit_row(key, edit, edited_at=now())
            self._db.write(lambda connection: insert(connection, schema.edits, [row]))
        else:
            removal = schema.edits.delete().where(schema.edits.c.key == key)
            self._db.write(lambda connection: connection.execute(removal))

    def edits(self, keys: Iterable[str] | None = None) -> dict[str, Edit]:
        """Reads what people have set, by key; None is all of it."""
        query = sa.select(schema.edits)
        if keys is not None:
            query = query.where(schema.edits.c.key.in_(listed(keys)))
        return dict(schema.edit_of(row) for row in self._db.read(query))


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
