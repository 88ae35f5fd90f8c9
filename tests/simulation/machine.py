"""How long a simulated provider works on a call, with so many others at work."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Sequence
from typing import Protocol


class Machine(Protocol):
    """Does the work."""

    async def work(self, seconds: float) -> None:
        """Takes as long as a call that takes so many seconds alone."""


class Constant:
    """How long a call takes is settled when it begins, by how many are at work then.

    Args:
        knee: With so many at work a call takes twice as long; inf is no knee.
        slower: Times, and by which factor everything takes longer from then on.
    """

    def __init__(
        self, knee: float, slower: Sequence[tuple[float, float]] = ((0.0, 1.0),)
    ) -> None:
        self._knee = knee
        self._slower = slower
        self._working = 0

    async def work(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        factor = [by for since, by in self._slower if since <= now][-1]
        self._working += 1
        try:
            crowd = (self._working / self._knee) ** 2
            await asyncio.sleep(seconds * factor * (1 + crowd))
        finally:
            self._working -= 1


class Shared:
    """All who are at work share its speed, and each start slows the others too.

    Args:
        knee: With so many at work all go half as fast.
    """

    def __init__(self, knee: float) -> None:
        self._knee = knee
        self._done = 0.0  # seconds of work that each at work has got, since ever
        self._at = 0.0
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _speed(self) -> float:
        return 1 / (1 + (len(self._queue) / self._knee) ** 2)

    async def work(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._advance(loop)
        done = loop.create_future()
        heapq.heappush(self._queue, (self._done + seconds, next(self._order), done))
        self._set_timer(loop)
        await done

    def _advance(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._done += (now - self._at) * self._speed
        self._at = now

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._queue:
            left = (self._queue[0][0] - self._done) / self._speed
            self._timer = loop.call_later(max(left, 0.0), self._finish, loop)

    def _finish(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the call that is due."""
        self._advance(loop)
        done = heapq.heappop(self._queue)[2]
        if not done.done():
            done.set_result(None)
        self._set_timer(loop)
