"""Threads for what blocks, also while the interpreter ends.

A script that is at its end waits for its jobs, but the pools of the standard library
take nothing more from then on: no result would be written and no name looked up. So the
loop of a job is given threads of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A thread for each call; to be an event loop's executor, it has to be a pool."""

    def submit(
        self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Runs the call on a thread of its own."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # a thread cannot be stopped

        def run() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 (raised to whoever waits)
                future.set_exception(error)

        threading.Thread(target=run, name="sdr_kit call").start()
        return future
