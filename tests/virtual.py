"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
import threading
from typing import Any

THREAD_SECONDS = 0.002


def _plain_functions() -> bool:
    return any("AnyIO worker" in thread.name for thread in threading.enumerate())


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs hours of timers in milliseconds; threads and sockets still take their time.

    It jumps only when nothing is ready and no socket has anything to say. While there
    are threads for plain functions it gives them a moment before each jump, or hours
    would pass until one has begun.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(THREAD_SECONDS if _plain_functions() else 0)
        if not ready:
            self._loop.jump(timeout)
        return ready
