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

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sdr_kit import schema
from sdr_kit.account import Attempt, Edit, Outcome, Research, Status
from sdr_kit.database import (
    all_or_nothing,
    insert,
    listed,
    waiting_while_busy,
)
from sdr_kit.dates import days_ago, now
from sdr_kit.errors import JobHeldError
from sdr_kit.job_store import JobStore
from sdr_kit.law.learned import FRESH_DAYS, NOTHING_LEARNED, Learned, Lessons
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.memory_store import MemoryStore, Record
from sdr_kit.settings import Settings

logger = logging.getLogger(__name__)

_PAID = sa.func.coalesce(
    schema.results.c.saved_usd,
    schema.results.c.account_cost_usd,
    schema.results.c.cost_usd,
).label("paid")


class Store(JobStore):
    """Jobs, accounts, results and attempts in SQL.

    Args:
        url: An SQLAlchemy URL (`sqlite:///results.db`); None is the settings'
            database. The file is made when it is not there.

    Raises:
        StoreError: It cannot be opened, is no database of ours, or was written by a
            newer version.
    """

    durable = True

    def reopen(
        self,
        job_id: int,
        positions: Iterable[int],
        *,
        again: bool = False,
        fence: int = FIRST_FENCE,
    ) -> None:
        """Makes accounts that have ended pending again, all in one transaction.

        Their attempts stay. What a completed one has found is paid for, and stays until
        there is a new result; when the job ends without one, it stands again.

        Args:
            job_id: The job.
            positions: The accounts.
            again: Whether completed ones are reopened too, or left alone.
            fence: Under which the job was taken.

        Raises:
            JobHeldError: Another process has taken it.
        """
        table, results = schema.results, schema.results.c
        chosen = (results.job_id == job_id) & results.position.in_(listed(positions))

        def reopen(connection: sa.Connection) -> None:
            if connection.execute(_held(job_id, fence)).first() is None:
                raise JobHeldError(self.taken_by(job_id))
            connection.execute(table.delete().where(chosen, results.status == "failed"))
            if again:
                change = table.update().where(chosen)
                connection.execute(change.values(status=schema.AGAIN))

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
        self, job_id: int, fingerprint: str | None = None, *, fence: int = FIRST_FENCE
    ) -> tuple[Record, Callable[[], None]]:
        """Opens the one connection a run writes through.

        Args:
            job_id: The job.
            fingerprint: Of the researcher whose results will be written.
            fence: Under which the job was taken.

        Returns:
            A function that writes a batch of attempts and outcomes in one
            transaction, and a function that closes the connection. The first raises
            JobHeldError when another process has taken the job, and writes nothing.
        """
        held = _held(job_id, fence)
        by = None if fingerprint is None else schema.short(fingerprint)
        with self._db.translated():
            connection = waiting_while_busy(self._db.opened)(to_write=True)

        @waiting_while_busy
        def write(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with all_or_nothing(connection):
                if connection.execute(held).first() is None:
                    raise JobHeldError(self.taken_by(job_id))
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
        query = sa.select(schema.results).where(table.job_id == job_id, schema.ENDED)
        query = query.where(table.position >= first).order_by(table.position)
        if last is not None:
            query = query.where(table.position <= last)
        if status is not None:
            query = query.where(table.status == status)
        return [schema.outcome_of(row) for row in self._db.read(query.limit(limit))]

    def latest(self, terms: str, *, limit: int) -> list[Outcome]:
        """Reads how the last accounts ended that were researched on the same terms.

        Args:
            terms: See `Beginning`.
            limit: At most so many, of the newest jobs.
        """
        same = sa.select(schema.jobs.c.id).where(schema.jobs.c.terms == terms)
        table = schema.results.c
        query = sa.select(schema.results).where(table.job_id.in_(same))
        query = query.where(table.reused_from.is_(None), schema.ENDED)
        query = query.order_by(table.job_id.desc(), table.finished.desc()).limit(limit)
        return [schema.outcome_of(row) for row in self._db.read(query)]

    def taken_over(self, job_id: int) -> dict[int, float | None]:
        """Reads which accounts earlier jobs have paid for, and what, by position."""
        table = schema.results.c
        query = sa.select(table.position, table.saved_usd)
        query = query.where(table.job_id == job_id, table.reused_from.is_not(None))
        rows = self._db.read(query.where(schema.ENDED))
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

    def known(
        self, keys: Sequence[str], *, fingerprint: str, since: str, limit: int
    ) -> list[Outcome]:
        """Reads how companies ended where they were paid for, the last time each.

        Args:
            keys: Of the companies.
            fingerprint: Of the researcher.
            since: What ended before is left out (ISO 8601, UTC).
            limit: At most so many.
        """
        found = schema.results.c
        of_ours = (found.job_id == schema.accounts.c.job_id) & (
            found.position == schema.accounts.c.position
        )
        last = sa.select(found.job_id, found.position, sa.func.max(found.found_at))
        last = last.join_from(schema.accounts, schema.results, of_ours).where(
            schema.accounts.c.key.in_(listed(keys)),
            found.found_by == schema.short(fingerprint),
            found.found_at >= since,
            found.reused_from.is_(None),
            schema.ENDED,
        )
        chosen = last.group_by(schema.accounts.c.key).limit(limit).subquery().c
        query = sa.select(schema.results).where(
            found.job_id == chosen.job_id, found.position == chosen.position
        )
        return [schema.outcome_of(row) for row in self._db.read(query)]

    def statuses(self, job_id: int) -> dict[int, Status]:
        """Reads which accounts have ended, and how, by position."""
        table = schema.results.c
        query = sa.select(table.position, table.status)
        query = query.where(table.job_id == job_id, schema.ENDED)
        return {row.position: row.status for row in self._db.read(query)}

    def found(self, job_id: int, positions: Iterable[int]) -> dict[int, Research]:
        """Reads what is known of some accounts, failed ones too, by position."""
        table = schema.results.c
        query = sa.select(schema.results).where(
            table.job_id == job_id,
            table.position.in_(listed(positions)),
            table.fields.is_not(None),
        )
        found = {
            row.position: schema.maybe_research(row) for row in self._db.read(query)
        }
        return {place: each for place, each in found.items() if each is not None}

    def found_before(self, job_id: int, when: str) -> list[int]:
        """Reads the positions of the accounts whose research is older than that.

        Args:
            job_id: The job.
            when: ISO 8601, UTC.
        """
        table = schema.results.c
        query = sa.select(table.position).where(
            table.job_id == job_id, table.status == "completed", table.found_at < when
        )
        return [row.position for row in self._db.read(query.order_by(table.position))]

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

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copies the database to another file, also while jobs run in it.

        The copy is whole, as it was at one moment, or there is none. Nobody holds the
        jobs in it, so those that were running can be resumed there.

        Args:
            path: Where to. What stands there is replaced.

        Returns:
            Where it was written.

        Raises:
            StoreError: It cannot be written there, or that is the database itself.
        """
        place = Path(path).expanduser().resolve()
        self._db.copy(place)
        return place

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

    def learn(self, provider: str, lessons: Lessons) -> None:
        """Keeps what a run has found out about a provider's limits.

        Args:
            provider: See `sdr_kit.fingerprint.provider_of`.
            lessons: That; what is not among them stands, as old as it is.
        """
        at, table = now(), schema.learned_limits
        found = [
            (provider, name, float(value), at)
            for name, value in lessons.items()
            if value is not None
        ]
        old = table.delete().where(
            table.c.provider == provider, table.c.name.in_(listed(lessons))
        )

        def write(connection: sa.Connection) -> None:
            connection.execute(old)
            insert(connection, table, found)

        self._db.write(write)

    def learned(self, provider: str | None) -> Learned:
        """Gives what is known of a provider's limits, as far as it is not too old."""
        table = schema.learned_limits
        fresh = table.c.learned_at >= days_ago(FRESH_DAYS)
        query = sa.select(table).where(table.c.provider == provider, fresh)
        try:
            return schema.learned_of(self._db.read(query))
        except ValueError as error:  # they are found out again
            logger.warning("unreadable_limits provider=%s %s", provider, error)
            return NOTHING_LEARNED


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


def _held(job_id: int, fence: int) -> sa.Select[Any]:
    """Finds a job, if it is still held under this fence."""
    jobs = schema.jobs.c
    return sa.select(jobs.id).where(jobs.id == job_id, jobs.fence == fence)


def _of_the_unfinished(job_id: int, *sums: sa.Label[Any]) -> sa.Select[Any]:
    """Sums over the attempts of each account that has no result."""
    tried, ended = schema.attempts.c, schema.results.c
    result = sa.select(ended.position).where(
        ended.job_id == tried.job_id, ended.position == tried.position, schema.ENDED
    )
    return (
        sa.select(tried.position, *sums)
        .where(tried.job_id == job_id, ~result.exists())
        .group_by(tried.position)
    )
