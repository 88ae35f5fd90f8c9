"""How a researcher that owns a client is opened and closed.

A researcher may be entered by several users at once: a run enters it, a cell may hold
it open around several runs. It opens at the first entry and closes at the last, and
may be opened again afterwards, also on another loop. While it is open it belongs to
one event loop, because its connections do.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

import anyio

from sdr_kit.errors import SdrKitError

CLOSE_SECONDS = 5.0  # a peer that does not say goodbye is left behind after this


class ReadyMadeResearcher:
    """Base of the researchers that own a client: an async context manager.

    A subclass opens what it needs in `_open` and closes it in `_close`, and calls
    `_check_open` before it uses either.

    Attributes:
        synthetic: Whether what it says is invented.
        paid: Whether its answers cost money.
    """

    synthetic = False
    paid = True

    @property
    def fingerprint(self) -> str | None:
        """Who answers and what is asked; None: no answer stands for another."""
        return None

    def __init__(self) -> None:
        self._guard = threading.Lock()  # held for a moment: loops may be on threads
        self._entries = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._opened = False

    @property
    def name(self) -> str:
        """How the researcher is called on screen."""
        return type(self).__name__

    reentrant = True  # entered again while open, it is closed with the last

    @property
    def is_open(self) -> bool:
        """Whether it can be called now."""
        return self._opened

    async def __aenter__(self) -> Self:
        """Opens it, unless it is open on this loop already.

        Raises:
            SdrKitError: It is open on another event loop.
        """
        self._enter_on(asyncio.get_running_loop())
        try:
            await self._settle()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes it, if nobody else has it open."""
        with self._guard:
            self._entries = max(self._entries - 1, 0)
        # Closing must also be finished by a run that is being cancelled.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await self._settle()

    async def _open(self) -> None:
        raise NotImplementedError

    async def _close(self) -> None:
        raise NotImplementedError

    def _check_open(self) -> None:
        if not self._opened:
            raise SdrKitError(
                f"{self.name} is not open: use it within `async with`, or hand it to "
                "process() or start(), which open it"
            )
        if self._loop is not asyncio.get_running_loop():
            raise SdrKitError(f"{self.name} is open on another event loop, not on this")

    def _enter_on(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._guard:
            if self._loop is not None and self._loop.is_closed():
                self._entries, self._opened, self._loop = 0, False, None  # died with it
            if self._loop is None:
                self._loop, self._lock = loop, asyncio.Lock()
            elif self._loop is not loop:
                raise SdrKitError(
                    f"{self.name} is already open on another event loop: close it "
                    "there first, or make a second one for this run"
                )
            self._entries += 1

    async def _settle(self) -> None:
        """Opens or closes, whichever the number of entries asks for by now."""
        async with self._lock:
            if self._entries and not self._opened:
                await self._open()
                self._opened = True
            elif not self._entries and self._opened:
                self._opened = False
                await self._close()
            with self._guard:
                if not self._entries:
                    self._loop = None
