"""Holds a job's lease while it runs, and hears what other processes want of it.

It has a thread of its own, because the run's loop may be held up by a researcher that
blocks it, and then somebody else would take the job over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio

from sdr_kit.errors import StoreError
from sdr_kit.progress import Progress, Sample
from sdr_kit.settings import Concurrency
from sdr_kit.store import Store
from sdr_kit.wishes import after

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25  # how soon the wish of another process is heard
BEAT_SECONDS = 2.0  # how often the lease is renewed; it lasts fifteen times as long

Wanted = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What the database is told of a run.

    Attributes:
        progress: How it is doing.
        slot_seconds: Slots allowed × the seconds they were.
        samples: All points of its chart so far.
    """

    progress: Progress
    slot_seconds: float
    samples: Sequence[Sample]


class Keeper:
    """Renews a lease until it is left.

    Args:
        store: Where the job is.
        job_id: The job.
        fence: The number under which it was taken.
        snapshot: Says how the run is doing; called on the keeper's thread.
        choice: Says what concurrency is chosen; another one is noted at once.
        obey: Is told what another process wants: `limit` (int or `"auto"`), `state`
            (`"running"`, `"paused"`, `"cancelled"`), `budget_usd`; on the keeper's
            thread.
        lost: Is told that somebody else has the job now; on the keeper's thread.
    """

    def __init__(
        self,
        store: Store,
        job_id: int,
        fence: int,
        *,
        snapshot: Callable[[], Snapshot],
        choice: Callable[[], Concurrency],
        obey: Callable[[Wanted], None],
        lost: Callable[[str], None],
    ) -> None:
        self._store = store
        self._job_id = job_id
        self._fence = fence
        self._snapshot = snapshot
        self._choice = choice
        self._noted: Concurrency | None = None  # of what is chosen
        self._obey = obey
        self._lost = lost
        self._heard = 0  # the number of the last wish
        self._sampled = -1.0  # up to when the chart is stored
        self._leaving = threading.Event()
        self._thread = threading.Thread(
            target=self._keep, name=f"sdr_kit lease of job {job_id}", daemon=True
        )

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leaving.set()
        # It may be at the database; and it must not renew what is then given back.
        with anyio.CancelScope(shield=True):
            await asyncio.to_thread(self._thread.join)

    def _keep(self) -> None:
        beats = int(BEAT_SECONDS / LOOK_SECONDS)
        turn, heard, looked = 0, False, time.time()
        while not self._leaving.wait(LOOK_SECONDS):
            turn += 1
            # Who has slept for so long may have lost the job, and should ask first.
            slept = time.time() - looked > BEAT_SECONDS
            looked = time.time()
            try:
                due = heard or slept or turn % beats == 0
                due = due or self._choice() != self._noted
                heard = self._listen()
                if due and not self._beat():
                    self._lost(self._store.taken_by(self._job_id))
                    return
            except StoreError as error:  # the writer meets it too, and says it
                logger.warning("lease job=%d %s", self._job_id, error)

    def _listen(self) -> bool:
        """Whether there was something new to hear."""
        wishes = self._store.wanted(self._job_id)
        self._heard, wanted = after(wishes, self._heard)
        if wanted:
            self._obey(wanted)
        return bool(wanted)

    def _beat(self) -> bool:
        now = self._snapshot()
        fresh = [each for each in now.samples if each.seconds > self._sampled]
        kept = self._store.beat(
            self._job_id,
            self._fence,
            progress=now.progress,
            slot_seconds=now.slot_seconds,
            samples=fresh,
        )
        self._noted = now.progress.concurrency
        if fresh:
            self._sampled = fresh[-1].seconds
        return kept
