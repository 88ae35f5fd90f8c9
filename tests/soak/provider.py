"""A provider on the loopback that counts what it is asked, and by whom.

It lives in the process that kills, not in the ones that are killed: a request counts
when it has arrived, whatever becomes of who sent it.
"""

from __future__ import annotations

import asyncio
import random
from typing import Self

import httpx
from aiohttp import web

from sdr_kit.account import Account, Research
from sdr_kit.research.http import open_client

DOLLARS = 0.5  # an answer; a sum of halves is exact


class Provider:
    """Answers every request after a moment.

    Args:
        seconds: The mean of the moments.
        chance: Where they come from.

    Attributes:
        asked: What was asked for: in which life of the worker, and which account.
        address: Where it is.
    """

    def __init__(self, seconds: float, chance: random.Random) -> None:
        self.asked: list[tuple[int, int]] = []
        self.address = ""
        self._seconds = seconds
        self._chance = chance
        self._runner: web.ServerRunner

    def requests(self, life: int) -> list[int]:
        """The accounts that were asked for in one life."""
        return [position for asker, position in self.asked if asker == life]

    async def __aenter__(self) -> Self:
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        life, position = map(int, request.path.strip("/").split("/"))
        self.asked.append((life, position))
        await asyncio.sleep(self._chance.uniform(0, 2 * self._seconds))
        return web.Response(text=str(position))


class Asking:
    """A researcher that asks the provider, and says under which fence it works."""

    def __init__(self, address: str, life: int) -> None:
        self.fence = 1
        self._address = f"{address}/{life}/"
        self._client: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        self._client = open_client(base_url=self._address, timeout_seconds=30)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._client.aclose()

    async def __call__(self, account: Account) -> Research:
        answer = await self._client.get(str(account.position))
        return Research(
            fields={"said": int(answer.text), "fence": self.fence}, cost_usd=DOLLARS
        )
