"""Compares the shared client with aiohttp's own: throughput and CPU a request.

A server in another process answers every POST after 50 ms; 100 requests are kept in
flight. The two clients take turns, so that a slow moment of the machine meets both,
and the ratios of the medians are printed. Not a test: run it by hand,
`python tests/benchmarks/http_client.py`.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
from aiohttp import web

from sdr_kit.research.http import open_client

DELAY_SECONDS = 0.05
AT_ONCE = 100
REQUESTS = 4000
ROUNDS = 5
QUESTION = {"model": "m", "input": "x" * 1000}
ANSWER = json.dumps({"output": "y" * 2000}).encode()

Post = Callable[[], Awaitable[object]]


async def serve() -> None:
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


async def measure(post: Post) -> tuple[float, float]:
    """Gives requests a second, and microseconds of CPU a request."""
    left = REQUESTS

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await post()

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - started
    return REQUESTS / seconds, (time.process_time() - cpu) / REQUESTS * 1e6


async def compare(port: int) -> None:
    address = f"http://127.0.0.1:{port}/v1/responses"
    url = httpx.URL(address)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        open_client(base_url=address, timeout_seconds=60) as client,
    ):

        async def theirs() -> object:
            async with session.post(address, json=QUESTION) as response:
                return json.loads(await response.read())

        async def ours() -> object:
            return (await client.post(url, json=QUESTION)).json()

        await measure(theirs)  # connections open, caches warm
        await measure(ours)
        rounds = [(await measure(theirs), await measure(ours)) for _ in range(ROUNDS)]
    report(rounds)


def report(rounds: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    values = [
        [statistics.median(pair[who][what] for pair in rounds) for what in (0, 1)]
        for who in (0, 1)
    ]
    for name, (rate, cpu) in zip(("aiohttp", "ours"), values, strict=True):
        sys.stdout.write(f"{name:8} {rate:6.0f} requests/s  {cpu:5.0f} µs CPU each\n")
    rate, cpu = (ours / theirs for theirs, ours in zip(*values, strict=True))
    sys.stdout.write(f"ratios   {rate:6.2f} (>= 0.9)     {cpu:5.2f} (<= 2.2)\n")


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        asyncio.run(compare(int(server.stdout.readline())))
        server.terminate()


if __name__ == "__main__":
    main()
