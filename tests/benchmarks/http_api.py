"""What watching costs a run: `uv run python -m tests.benchmarks.http_api`.

A server runs a job 50 at once against a provider that takes 200 ms. In every pair it
does so alone, and while 200 clients ask once a second how it goes and 50 hold a stream
of events. Server, provider and clients are processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.providers import FITS, chat_says

ACCOUNTS = 2_000
CONCURRENCY = 50
PROVIDER_SECONDS = 0.2
POLLERS = 200
STREAMS = 50
PAIRS = 5
TOKEN = "a-token-for-the-benchmark"  # noqa: S105 (it guards nothing)

SERVE = """
import json
from sdr_kit import Settings
from sdr_kit.server import serve
from sdr_kit.store import Store

settings = Settings()
serve(
    Store(settings.database), settings, host="127.0.0.1", port=0,
    announce=lambda url, _token: print(url, flush=True),
)
"""


async def provider() -> None:
    """Answers every request after 200 ms, until it is killed."""

    async def say(request: web.BaseRequest) -> web.Response:
        await request.read()
        await asyncio.sleep(PROVIDER_SECONDS)
        return web.json_response(chat_says(FITS))

    runner = web.ServerRunner(web.Server(say, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def process(*arguments: str, **variables: str) -> AsyncIterator[str]:
    """Another process; gives the address that it prints."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdout=subprocess.PIPE,
        env={**os.environ, **variables},
    )
    try:
        assert running.stdout is not None
        yield (await running.stdout.readline()).decode().strip()
    finally:
        running.kill()
        await running.wait()


class Client:
    """Asks the server, and counts the answers by their status."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.answers: Counter[object] = Counter()

    async def begin(self) -> int:
        names = "".join(f"Company {number}\n" for number in range(ACCOUNTS))
        form = aiohttp.FormData()
        form.add_field("file", f"company_name\n{names}".encode(), filename="list.csv")
        async with self.http.post("/api/jobs", data=form) as answer:
            job_id = int((await answer.json())["job_id"])
        how = {"job_id": job_id, "researcher": "openai", "concurrency": CONCURRENCY}
        async with self.http.post("/api/process/start", json=how) as answer:
            assert answer.status == 200, await answer.text()
        return job_id

    async def poll(self, job_id: int, begin: float) -> None:
        await asyncio.sleep(begin)
        while True:
            async with self.http.get(f"/api/jobs/{job_id}") as answer:
                self.answers[answer.status] += 1
                if (await answer.json())["state"] != "running":
                    return
            await asyncio.sleep(1)

    async def listen(self, job_id: int) -> None:
        async with self.http.get(f"/api/jobs/{job_id}/events") as answer:
            self.answers[f"stream {answer.status}"] += 1
            async for line in answer.content:
                self.answers["events"] += line.startswith(b"event")

    async def ended(self, job_id: int) -> float:
        """Waits for a run, and gives its accounts a second."""
        while True:
            await asyncio.sleep(0.5)
            async with self.http.get(f"/api/jobs/{job_id}") as answer:
                state = await answer.json()
            if state["state"] == "finished":
                assert state["completed"] == ACCOUNTS, state
                return ACCOUNTS / float(state["seconds"])


async def one(address: str, *, watched: bool) -> tuple[float, Counter[object]]:
    async with aiohttp.ClientSession(
        address,
        headers={"Authorization": f"Bearer {TOKEN}"},
        connector=aiohttp.TCPConnector(limit=0),
    ) as http:
        client = Client(http)
        job_id = await client.begin()
        async with asyncio.TaskGroup() as others:
            if watched:
                for number in range(POLLERS):
                    others.create_task(client.poll(job_id, number / POLLERS))
                for _ in range(STREAMS):
                    others.create_task(client.listen(job_id))
            return await client.ended(job_id), client.answers


async def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with process("-m", "tests.benchmarks.http_api", "provider") as answers:
            variables = {
                "DATABASE_URL": f"sqlite:///{Path(folder) / 'api.db'}",
                "API_TOKEN": TOKEN,
                "MAX_CONCURRENCY": str(CONCURRENCY),
                "OPENAI_BASE_URL": f"{answers}/v1",
                "OPENAI_MODEL": "local",
                "REUSE_DAYS": "0",
            }
            async with process("-c", SERVE, **variables) as address:
                ratios = [await pair(address, number) for number in range(PAIRS)]
    print(
        f"median of {PAIRS}: a watched run has {statistics.median(ratios):.1%} of the "
        f"throughput of one alone ({min(ratios):.1%} to {max(ratios):.1%})"
    )


async def pair(address: str, number: int) -> float:
    """Measures once alone and once watched, in turns, and gives the ratio."""
    speeds: dict[bool, float] = {}
    for watched in (number % 2 == 0, number % 2 == 1):
        speeds[watched], answers = await one(address, watched=watched)
        told = json.dumps({str(key): count for key, count in answers.items()})
        print(f"{'watched' if watched else 'alone':8} {speeds[watched]:6.1f}/s {told}")
    return speeds[True] / speeds[False]


if __name__ == "__main__":
    asyncio.run(provider() if sys.argv[1:] == ["provider"] else measure())
