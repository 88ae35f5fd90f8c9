"""Group commit: one transaction takes all that wait, and only then is it counted.

While one transaction is on its way to the disk the next records queue up, so the
slower the disk the larger the groups, and accounts need not wait for it. A store that
ends with the process takes all that have ended in one turn of the loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Self, TypeVar

import anyio

from sdr_kit.account import Attempt, Outcome
from sdr_kit.errors import JobHeldError, StoreError
from sdr_kit.law.learned import Lessons
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.memory_store import Record
from sdr_kit.store import AnyStore
from sdr_kit.words import counted

# So many outcomes may be on their way to the disk before no more accounts are begun; as
# a rule it is what comes in during one commit. That takes as long for 500 as for 100
# (three syncs of the disk), so this is what sets how fast accounts that are answered at
# once can be stored. A crash can repeat at most this and the limit.
UNCOMMITTED = 1_000
# And so many when the disk does not answer: a commit has lasted longer than that. Then
# what has been paid for may be lost.
UNCOMMITTED_WHEN_STUCK = 200
STUCK_SECONDS = 0.1

T = TypeVar("T")


class Writer:
    """Takes records from the workers and commits them in groups.

    It is an async context manager: leaving it writes all that still waits.

    Args:
        store: Where they go.
        job_id: The job in that store.
        fence: Under which the job was taken.
        fingerprint: Of the researcher whose results they are.
        on_commit: Is told of the attempts and outcomes of each committed group.
    """

    def __init__(
        self,
        store: AnyStore,
        job_id: int,
        *,
        fence: int = FIRST_FENCE,
        fingerprint: str | None = None,
        on_commit: Callable[[Sequence[Attempt], Sequence[Outcome]], None],
    ) -> None:
        self.uncommitted = 0
        self._store = store
        self._job_id = job_id
        self._fence = fence
        self._fingerprint = fingerprint
        self._on_commit = on_commit
        self._attempts: list[Attempt] = []
        self._outcomes: list[Outcome] = []
        self._work = asyncio.Event()
        self._stopping = False
        self._broken = False
        self._writing_since = math.inf  # on the loop's clock; infinity when it does not
        self._record: Record
        self._close: Callable[[], None]

    async def __aenter__(self) -> Self:
        self._record, self._close = await self._where_it_may_block(
            lambda: self._store.open_writer(
                self._job_id, self._fingerprint, fence=self._fence
            )
        )
        return self

    async def __aexit__(self, _kind: object, error: object, _trace: object) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await self.flush()
            except JobHeldError:
                raise
            except StoreError as late:
                error = late
            finally:
                await self._where_it_may_block(self._close)
        if type(error) is StoreError:
            raise StoreError(f"{error}{self._lost}") from error

    @property
    def _lost(self) -> str:
        if not self.uncommitted:
            return ""
        results = f"the results of {counted(self.uncommitted, 'account')}"
        return f". Not stored are {results}, which stay pending"

    def full(self, now: float) -> bool:
        """Whether so much is uncommitted that no more should be begun.

        Args:
            now: Seconds on the clock of the running loop.
        """
        if self.uncommitted < UNCOMMITTED_WHEN_STUCK:
            return False
        stuck = now - self._writing_since > STUCK_SECONDS
        return stuck or self.uncommitted >= UNCOMMITTED

    def put(self, attempt: Attempt | None, outcome: Outcome | None) -> None:
        """Takes an attempt, and the account's outcome when that is known."""
        if attempt is not None:
            self._attempts.append(attempt)
        if outcome is not None:
            self._outcomes.append(outcome)
            self.uncommitted += 1
        if not self._work.is_set():
            self._work.set()

    def stop(self) -> None:
        """Lets `run` end when everything is written."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Commits until told to stop.

        Raises:
            StoreError: The database failed; what it has not taken is not stored.
        """
        while not self._stopping:
            await self._work.wait()
            self._work.clear()
            await self.flush()

    async def flush(self) -> None:
        """Commits all that wait."""
        while (self._attempts or self._outcomes) and not self._broken:
            attempts, outcomes = self._take()
            try:
                cancelled = await self._write(attempts, outcomes)
            except BaseException:
                self._broken = True
                raise
            self._writing_since = math.inf
            self._committed(attempts, outcomes)
            if cancelled is not None:
                raise cancelled

    async def _write(
        self, attempts: Sequence[Attempt], outcomes: Sequence[Outcome]
    ) -> asyncio.CancelledError | None:
        """Writes a group; gives the cancellation that came meanwhile."""
        if not self._store.durable:
            self._record(attempts, outcomes)
            return None
        loop = asyncio.get_running_loop()
        self._writing_since = loop.time()
        writing = loop.run_in_executor(None, self._record, attempts, outcomes)
        cancelled = await _maybe_cancelled_until_done(writing)
        writing.result()
        return cancelled

    async def end_job(self, **how: Any) -> tuple[int, Collection[float | None]]:
        """Notes how the job ended; see `Store.end_job`.

        Returns:
            How many accounts' earlier results stand again, and, if there are any, what
            each reused account of the job cost elsewhere.
        """
        # Who could not write has waited long enough.
        how |= {"fence": self._fence, "patient": not self._broken}

        def end() -> tuple[int, Collection[float | None]]:
            stand = self._store.end_job(self._job_id, **how)
            return stand, self._store.taken_over(self._job_id).values() if stand else ()

        return await self._where_it_may_block(end)

    async def keep_limits(self, provider: str | None, lessons: Lessons) -> None:
        """Keeps what was found out about a provider, for the next run."""
        if provider is not None and lessons:
            await self._where_it_may_block(lambda: self._store.learn(provider, lessons))

    async def _where_it_may_block(self, call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call) if self._store.durable else call()

    def _take(self) -> tuple[list[Attempt], list[Outcome]]:
        taken = self._attempts, self._outcomes
        self._attempts, self._outcomes = [], []
        return taken

    def _committed(
        self, attempts: Sequence[Attempt], outcomes: Sequence[Outcome]
    ) -> None:
        self.uncommitted -= len(outcomes)
        self._on_commit(attempts, outcomes)


async def _maybe_cancelled_until_done(
    writing: asyncio.Future[None],
) -> asyncio.CancelledError | None:
    """Waits for a thread, which cannot be stopped, even when cancelled meanwhile.

    Until it has ended nobody else may write: the connection is not for two.
    """
    cancelled = None
    while not writing.done():
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
