"""The jobs of a store: begun, held by one process, steered by others, ended.

A job has one holder, by a lease; see `sdr_kit.lease`. Whatever the holder writes is
guarded by the fence under which it has the job.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from itertools import islice, repeat
from typing import Any

import sqlalchemy as sa

from sdr_kit import schema, wishes
from sdr_kit.account import Account, Usage
from sdr_kit.database import (
    Database,
    insert,
)
from sdr_kit.dates import now
from sdr_kit.errors import JobHeldError, NoJobError
from sdr_kit.lease import FIRST_FENCE, LEASE_SECONDS, Lease, this_process
from sdr_kit.progress import Progress, Sample
from sdr_kit.settings import Concurrency, Settings
from sdr_kit.stored_job import Beginning, Past, StoredJob, job_number
from sdr_kit.words import duration

PAGE = 1_000  # accounts that are held at a time on their way into the database

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


# What was to be researched again and was not is as it was found, but for what it took.
_STAND = sa.text(f"""
    UPDATE results SET status = 'completed',
        (attempts, seconds, account_cost_usd) = (
            SELECT count(*), total(tried.seconds), sum(tried.cost_usd)
            FROM attempts AS tried
            WHERE tried.job_id = results.job_id AND tried.position = results.position)
    WHERE job_id = :job AND status = '{schema.AGAIN}'
""")  # noqa: S608


class JobStore:
    """What a store keeps of jobs themselves; see `Store`."""

    def __init__(self, url: str | None = None) -> None:
        self._db = Database(url or Settings().database)

    def __repr__(self) -> str:
        return f"Store({self})"

    def __str__(self) -> str:
        return str(self._db)

    def create_job(
        self,
        accounts: Sequence[Account],
        beginning: Beginning | None,
        *,
        keys: Sequence[str] | None = None,
        source: str = "",
        layout: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Stores a new job with all its accounts and gives its number.

        When the file was deleted meanwhile, it begins a new one.

        Args:
            accounts: The list.
            beginning: How it begins, in the same transaction; None: it is to be begun
                by `begin`.
            keys: What identifies the company of each account; see
                `sdr_kit.loading.names.account_key`. None takes nothing over.
            source: What the list is called.
            layout: Its other columns in their order, with their dtypes.
        """
        names: Iterable[str | None] = keys or repeat(None, len(accounts))
        job = schema.jobs.insert().values(
            created_at=now(),
            researcher="",
            concurrency=0,
            total=len(accounts),
            state="ready",
            source=source,
            layout=json.dumps(layout),
            fence=0,
        )

        def create(connection: sa.Connection) -> int:
            self._db.upgrade(connection)
            job_id = int(connection.execute(job).lastrowid)
            rows = (
                schema.account_row(job_id, account, key)
                for account, key in zip(accounts, names, strict=True)
            )
            while page := list(islice(rows, PAGE)):
                insert(connection, schema.accounts, page)
            if beginning is not None:
                _begin(connection, job_id, beginning)
            return job_id

        return self._db.write(create, anew=True)

    def begin(self, job_id: int, beginning: Beginning) -> None:
        """Begins a job that was only stored, and takes it for this process.

        It may write under the first fence.

        Raises:
            JobHeldError: It was begun meanwhile.
            NoJobError: There is no such job.
        """

        def begin(connection: sa.Connection) -> None:
            if self._free_lease(connection, job_id).fence:
                raise JobHeldError(f"job {job_id} was begun meanwhile")
            _begin(connection, job_id, beginning)

        self._db.write(begin)

    def claim(self, job_id: int) -> int:
        """Takes a job for this process, and gives the fence under which it may write.

        Raises:
            JobHeldError: Another one holds it, or this one already.
            NoJobError: There is no such job.
        """

        def claim(connection: sa.Connection) -> int:
            fence = self._free_lease(connection, job_id).fence + 1
            taken = {
                "fence": fence,
                "state": "running",
                "reason": None,
                "progress": None,
            }
            change = schema.jobs.update().where(schema.jobs.c.id == job_id)
            connection.execute(change.values(**taken, **_lease(), wanted=None))
            return fence

        return self._db.write(claim)

    def _free_lease(self, connection: sa.Connection, job_id: int) -> Lease:
        """Reads the lease of a job that may be taken.

        Raises:
            JobHeldError: Another process works on it.
            NoJobError: There is no such job.
        """
        jobs = schema.jobs
        row = connection.execute(jobs.select().where(jobs.c.id == job_id)).first()
        if row is None:
            raise NoJobError(f"there is no job {job_id} in {self}")
        lease = schema.job_of(row).lease
        if not lease.free:
            left = duration(max(lease.until - time.time(), 1.0))
            raise JobHeldError(
                f"job {job_id} is being worked on by {lease.holder}; cancel it there, "
                "or wait until it has ended; if nothing more is heard of it, the job "
                f"is free in {left}"
            )
        return lease

    def beat(
        self,
        job_id: int,
        fence: int,
        *,
        progress: Progress,
        slot_seconds: float,
        samples: Sequence[Sample],
    ) -> bool:
        """Renews the lease of a job, and notes how it is doing and what was chosen.

        Args:
            job_id: The job.
            fence: Under which it was taken.
            progress: How it is doing.
            slot_seconds: Slots allowed × the seconds they were.
            samples: The points of its chart since the last time.

        Returns:
            False when another process has taken the job; nothing is written then.
        """
        change = _held(job_id, fence).values(
            **_lease(),
            progress=json.dumps(asdict(progress)),
            seconds=progress.seconds,
            slot_seconds=slot_seconds,
            budget_usd=progress.budget_usd,
            **_choice(progress),
        )

        def beat(connection: sa.Connection) -> bool:
            if not connection.execute(change).rowcount:
                return False
            rows = [schema.sample_row(job_id, each) for each in samples]
            insert(connection, schema.samples, rows)
            return True

        # The next one comes soon, and who leaves waits for this one.
        return self._db.write(beat, patient=False)

    def taken_by(self, job_id: int) -> str:
        """Says who has taken a job over, or that it is no more."""
        why = "because nothing was heard of this one"
        found = self._jobs(schema.jobs.c.id == job_id)
        if not found:
            return f"Job {job_id} was deleted by another process, {why}."
        holder = found[0].lease.holder or "another process"
        return (
            f"Job {job_id} was taken over by {holder}, {why}; what is not stored is "
            "done there."
        )

    def steer(
        self,
        job_id: int,
        *,
        limit: Concurrency | None = None,
        state: str | None = None,
        budget_usd: float | None = None,
    ) -> None:
        """Notes what the holder of a job shall do; it hears it within a second.

        What is None stays as it is.

        Args:
            job_id: The job.
            limit: How many accounts may run at once: `"auto"`, or from 1 to what the
                holder's `MAX_CONCURRENCY` allows; above that is as many as it allows.
            state: `"running"`, `"paused"` or `"cancelled"`.
            budget_usd: What it may cost in US dollars in all, above 0; infinity is no
                bound.

        Raises:
            ValueError: Nothing is wanted, or a value is outside its range.
            RuntimeError: Nobody works on the job, or it is sequential and another
                limit is wanted.
            NoJobError: There is no such job.
        """
        job_id, jobs = job_number(job_id), schema.jobs
        wanted = wishes.checked(limit=limit, state=state, budget_usd=budget_usd)

        def steer(connection: sa.Connection) -> None:
            row = connection.execute(jobs.select().where(jobs.c.id == job_id)).first()
            if row is None:
                raise NoJobError(f"there is no job {job_id} in {self}")
            job = schema.job_of(row)
            if not job.held:
                raise RuntimeError(f"nobody works on job {job_id}; continue it first")
            if limit is not None and job.sequential:
                wishes.check_sequential(job_id, limit)
            all_of_it = wishes.added(json.loads(row.wanted or "{}"), wanted)
            change = jobs.update().where(jobs.c.id == job_id)
            connection.execute(change.values(wanted=json.dumps(all_of_it)))

        self._db.write(steer)

    def wanted(self, job_id: int) -> wishes.Wishes:
        """Reads what the holder of a job shall do."""
        query = sa.select(schema.jobs.c.wanted).where(schema.jobs.c.id == job_id)
        row = next(iter(self._db.read(query)), None)
        return {} if row is None else json.loads(row.wanted or "{}")

    def end_job(
        self,
        job_id: int,
        *,
        state: str,
        reason: str | None,
        seconds: float,
        slot_seconds: float = 0.0,
        samples: Sequence[Sample] = (),
        progress: Progress | None = None,
        fence: int = FIRST_FENCE,
        patient: bool = True,
    ) -> int:
        """Notes how a job ended and gives its lease back, if it is still held.

        Args:
            job_id: The job.
            state: How it ended.
            reason: Why it ended early; else None.
            seconds: How long it has run.
            slot_seconds: Slots allowed × the seconds they were.
            samples: The points of its chart.
            progress: Its last snapshot, which has what was chosen; None leaves that.
            fence: Under which it was taken.
            patient: Whether to wait for a busy database for longer than SQLite does.

        Returns:
            How many accounts were to be researched again and were not: their earlier
            results stand.
        """
        end = _held(job_id, fence).values(
            state=state,
            reason=reason,
            seconds=seconds,
            slot_seconds=slot_seconds,
            progress=None,
            holder=None,
            lease_until=None,
            wanted=None,
            **({} if progress is None else _choice(progress)),
        )

        def note(connection: sa.Connection) -> int:
            if not connection.execute(end).rowcount:
                return 0
            rows = [schema.sample_row(job_id, each) for each in samples]
            insert(connection, schema.samples, rows)
            return connection.execute(_STAND, {"job": job_id}).rowcount

        return self._db.write(note, patient=patient)

    def job(self, job_id: int) -> StoredJob:
        """Reads a job.

        Raises:
            NoJobError: There is no such job.
        """
        job_id = job_number(job_id)
        found = self._jobs(schema.jobs.c.id == job_id)
        if not found:
            raise NoJobError(f"there is no job {job_id} in {self}")
        return found[0]

    def jobs(self) -> list[StoredJob]:
        """Reads all jobs, the newest first."""
        return self._jobs(sa.true())

    def _jobs(self, which: sa.ColumnElement[bool]) -> list[StoredJob]:
        query = schema.jobs.select().where(which).order_by(schema.jobs.c.id.desc())
        return [schema.job_of(row) for row in self._db.read(query)]

    def accounts(self, job_id: int) -> list[Account]:
        """Reads the list of a job, in its order."""
        table = schema.accounts
        query = table.select().where(table.c.job_id == job_id)
        rows = self._db.read(query.order_by(table.c.position))
        return [schema.account_of(row) for row in rows]

    def past(self, job_id: int) -> Past:
        """Reads what a job has come to so far."""
        ended, tried, jobs = schema.results.c, schema.attempts.c, schema.jobs.c
        samples = schema.samples
        (books,) = self._db.read(
            sa.select(
                _count(ended.status == "completed").label("completed"),
                _count(ended.status == "failed").label("failed"),
                _count(ended.reused_from.is_not(None)).label("reused"),
                _sum(ended.saved_usd).label("saved_usd"),
            ).where(ended.job_id == job_id, schema.ENDED)
        )
        (calls,) = self._db.read(
            sa.select(
                _sum(tried.seconds).label("work_seconds"),
                sa.func.max(tried.started + tried.seconds).label("ended"),
                _count(tried.number > 1).label("retries"),
                _count(tried.cost_usd.is_not(None)).label("priced_calls"),
                *(_sum(tried[each.name]).label(each.name) for each in fields(Usage)),
            ).where(tried.job_id == job_id)
        )
        clock = sa.select(jobs.seconds, jobs.slot_seconds, jobs.concurrency)
        (times,) = self._db.read(clock.where(jobs.id == job_id))
        # A process that died has noted its last attempts, perhaps not their time.
        noted = times.seconds or 0.0
        seconds = max(noted, calls.ended or 0.0)
        slot_seconds = (times.slot_seconds or 0.0) + times.concurrency * (
            seconds - noted
        )
        chart = samples.select().where(samples.c.job_id == job_id)
        return Past(
            **books._mapping,
            work_seconds=calls.work_seconds,
            retries=calls.retries,
            priced_calls=calls.priced_calls,
            usage=Usage(
                **{each.name: getattr(calls, each.name) for each in fields(Usage)}
            ),
            seconds=seconds,
            slot_seconds=slot_seconds,
            samples=[
                schema.sample_of(row)
                for row in self._db.read(chart.order_by(samples.c.seconds))
            ],
        )

    def delete_job(self, job_id: int) -> None:
        """Removes a job and all that belongs to it; what others took over stays.

        Raises:
            JobHeldError: A process works on it.
            NoJobError: There is no such job.
        """
        job_id = job_number(job_id)
        belongings = (schema.results, schema.attempts, schema.samples, schema.accounts)

        def delete(connection: sa.Connection) -> None:
            self._free_lease(connection, job_id)
            for table in belongings:
                connection.execute(table.delete().where(table.c.job_id == job_id))
            connection.execute(schema.jobs.delete().where(schema.jobs.c.id == job_id))

        self._db.write(delete)


def _begin(connection: sa.Connection, job_id: int, how: Beginning) -> None:
    """Begins a job.

    What earlier jobs have found of the same companies by the same fingerprint is taken
    over: the newest of each company that is new enough.
    """
    change = schema.jobs.update().where(schema.jobs.c.id == job_id)
    connection.execute(
        change.values(
            researcher=how.researcher,
            concurrency=how.concurrency,
            auto=how.auto,
            sequential=how.sequential,
            state="running",
            synthetic=how.synthetic,
            terms=how.terms,
            budget_usd=how.budget_usd,
            fence=FIRST_FENCE,
            **_lease(),
        )
    )
    if how.fingerprint is not None and how.reuse_since is not None:
        same = {"by": schema.short(how.fingerprint), "since": how.reuse_since}
        connection.execute(_TAKE_OVER, {"job": job_id, **same})


def _choice(now: Progress) -> dict[str, Any]:
    """Gives what was chosen last, which a job that is gone on with begins with."""
    most = now.most or now.limit
    return {"concurrency": most, "auto": now.auto, "sequential": now.sequential}


def _lease() -> dict[str, Any]:
    until = time.time() + LEASE_SECONDS
    return {"holder": this_process().written(), "lease_until": until}


def _held(job_id: int, fence: int) -> sa.Update:
    """Changes a job, if it is still held under this fence."""
    jobs = schema.jobs
    return jobs.update().where(jobs.c.id == job_id, jobs.c.fence == fence)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count().filter(condition)


def _sum(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.sum(column), 0)
