"""What a request costs through our client, beside aiohttp's own.

A server in another process answers every POST after 50 ms; 100 requests are under way
at once: `python -m sdr_kit.costs.client` is that server.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

import aiohttp
import httpx
from aiohttp import web

from sdr_kit.costs.figure import Figure, ratio
from sdr_kit.research.http import open_client

DELAY_SECONDS = 0.05
AT_ONCE = 100
REQUESTS = 1_500
ROUNDS = 5
FASTER, CHEAPER = 0.9, 2.2  # of aiohttp's throughput at least, of its CPU at most
QUESTION = {"model": "m", "input": "x" * 1_000}
ANSWER = json.dumps({"output": "y" * 2_000}).encode()

Post = Callable[[], Awaitable[object]]
Pair = tuple[float, float]  # requests a second, microseconds of CPU a request


def client_figures() -> list[Figure]:
    """Measures requests a second and CPU a request, in turns with aiohttp."""
    with subprocess.Popen(  # noqa: S603 (ourselves)
        [sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = int((server.stdout or sys.stdin).readline())
            theirs, ours = asyncio.run(_compared(port))
        finally:
            server.terminate()
    rates, cpu = ([each[what] for each in ours] for what in (0, 1))
    rates_there, cpu_there = ([each[what] for each in theirs] for what in (0, 1))
    return [
        Figure(
            what="requests/s, 100 at once, answered after 50 ms",
            ours=f"{median(rates):,.0f}/s",
            peer=f"{median(rates_there):,.0f}/s aiohttp's own client",
            ratio=ratio(rates, rates_there),
            target=FASTER,
            at_most=False,
        ),
        Figure(
            what="CPU a request",
            ours=f"{median(cpu):.0f} µs",
            peer=f"{median(cpu_there):.0f} µs aiohttp's own client",
            ratio=ratio(cpu, cpu_there),
            target=CHEAPER,
        ),
    ]


async def _compared(port: int) -> tuple[list[Pair], list[Pair]]:
    address = f"http://127.0.0.1:{port}/v1/responses"
    url = httpx.URL(address)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        open_client(base_url=address, timeout_seconds=60) as client,
    ):

        async def with_aiohttp() -> object:
            async with session.post(address, json=QUESTION) as response:
                return json.loads(await response.read())

        async def with_ours() -> object:
            return (await client.post(url, json=QUESTION)).json()

        await _measured(with_aiohttp)  # connections open, caches warm
        await _measured(with_ours)
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(await _measured(with_aiohttp))
            ours.append(await _measured(with_ours))
    return theirs, ours


async def _measured(post: Post) -> Pair:
    left = REQUESTS

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await post()

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - began
    return REQUESTS / seconds, (time.process_time() - cpu) / REQUESTS * 1e6


async def serve() -> None:
    """Answers every request after 50 ms, until it is ended."""

    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        await asyncio.sleep(DELAY_SECONDS)
        return web.Response(body=ANSWER, content_type="application/json")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")  # for the parent
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
