"""A comparison on a thread and event loop of its own: no cell waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from sdr_kit.accounts import Accounts
from sdr_kit.benchmark import compare
from sdr_kit.comparison import Comparison
from sdr_kit.settings import Settings
from sdr_kit.worker import Researcher


class Trial:
    """Runs `compare` and tells how it goes; it has begun when it is made.

    Args:
        accounts: The list a sample is taken of.
        researcher: See `compare`; what it costs has been agreed to.
        levels: How many at once, several numbers.
        sample: How many accounts.
        settings: As for `compare`.
        budget_usd: As for `compare`.
        on_progress: Called with the comparison so far, on the trial's thread.
        on_end: Called last, on the trial's thread, with what went wrong:
            `CancelledError` when it was stopped, None when nothing did.

    Attributes:
        running: Whether it is under way; false when `on_end` is called.
    """

    def __init__(
        self,
        accounts: Accounts,
        researcher: Researcher,
        *,
        levels: Sequence[int],
        sample: int,
        settings: Settings,
        budget_usd: float,
        on_progress: Callable[[Comparison], None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        self.running = True
        self._on_end = on_end
        self._comparison = compare(
            accounts,
            researcher,
            concurrency=levels,
            sample=sample,
            settings=settings,
            spend=True,
            budget_usd=budget_usd,
            on_progress=on_progress,
        )
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[Comparison]
        self._begun = threading.Event()
        threading.Thread(target=self._run, name="sdr_kit compare").start()
        self._begun.wait()

    def stop(self) -> None:
        """Ends it; what is measured has been told."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        problem: BaseException | None = None
        try:
            asyncio.run(self._measure())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (told)
            problem = error
        self.running = False
        self._on_end(problem)

    async def _measure(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._comparison, name="compare")
        self._begun.set()
        await self._task
