"""Group commit: one transaction takes all that wait, and only then is it counted.

While one transaction is on its way to the disk the next records queue up, so the
slower the disk the larger the groups, and accounts need not wait for it. A store that
ends with the process is written at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sdr_kit.account import Attempt, Outcome
from sdr_kit.store import Record

# So many outcomes may be on their way to the disk before the workers wait for it: two
# groups at the usual pace. What a crash can repeat is at most this and the limit.
UNCOMMITTED = 200


class Writer:
    """Takes records from the workers and commits them in groups.

    Args:
        record: Writes a group in one transaction; may block.
        durable: Whether it blocks, so that it must be called on another thread.
        on_commit: Is told of the outcomes of each committed group.
    """

    def __init__(
        self,
        record: Record,
        *,
        durable: bool,
        on_commit: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self.uncommitted = 0
        self._record = record
        self._durable = durable
        self._on_commit = on_commit
        self._attempts: list[Attempt] = []
        self._outcomes: list[Outcome] = []
        self._work = asyncio.Event()
        self._space = asyncio.Event()
        self._stopping = False
        self._broken = False

    @property
    def full(self) -> bool:
        """Whether so much is uncommitted that no more should be begun."""
        return self.uncommitted >= UNCOMMITTED

    def put(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Takes an attempt, and the account's outcome when it was the last."""
        self._attempts.append(attempt)
        if outcome is not None:
            self._outcomes.append(outcome)
            self.uncommitted += 1
        if self._durable:
            self._work.set()
        else:
            taken = self._take()
            self._record(*taken)
            self._committed(taken[1])

    async def space(self) -> None:
        """Returns when there is room for more outcomes."""
        while self.full:
            self._space.clear()
            await self._space.wait()

    def stop(self) -> None:
        """Lets `run` end when everything is written."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Commits until told to stop.

        Raises:
            StoreError: The database failed; what it has not taken is kept.
        """
        while not self._stopping:
            await self._work.wait()
            self._work.clear()
            await self.flush()

    async def flush(self) -> None:
        """Commits all that wait."""
        while self._attempts and not self._broken:
            attempts, outcomes = self._take()
            loop = asyncio.get_running_loop()
            writing = loop.run_in_executor(None, self._record, attempts, outcomes)
            cancelled = await _maybe_cancelled_until_done(writing)
            try:
                writing.result()
            except BaseException:
                self._broken = True
                raise
            self._committed(outcomes)
            self._space.set()
            if cancelled is not None:
                raise cancelled

    def _take(self) -> tuple[list[Attempt], list[Outcome]]:
        taken = self._attempts, self._outcomes
        self._attempts, self._outcomes = [], []
        return taken

    def _committed(self, outcomes: Sequence[Outcome]) -> None:
        self.uncommitted -= len(outcomes)
        if outcomes:
            self._on_commit(outcomes)


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
