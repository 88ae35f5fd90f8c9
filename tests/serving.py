"""The HTTP API on 127.0.0.1, for as long as a test wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import uvicorn

from sdr_kit import Settings
from sdr_kit.server.app import create_app
from sdr_kit.store import Store

DATABASE = "sqlite:///api.db"
TOKEN = "a-token-for-the-tests"  # noqa: S105 (it guards nothing)
LIST = b"company_name,domain,industry\n" + b"".join(
    f"Company {number},company-{number}.com,Retail\n".encode() for number in range(8)
)


class Api:
    """A client that has the token, and what the tests ask most."""

    def __init__(self, address: str, store: Store, *, token: str = TOKEN) -> None:
        self.address = address
        self.store = store
        self.http = httpx.Client(
            base_url=f"{address}/api",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def upload(self, contents: bytes = LIST, name: str = "list.csv") -> int:
        answer = self.http.post("/jobs", files={"file": (name, contents)})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["job_id"])

    def start(self, job_id: int, **chosen: Any) -> httpx.Response:
        return self.http.post("/process/start", json={"job_id": job_id, **chosen})

    def state(self, job_id: int) -> dict[str, Any]:
        answer = self.http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def until(self, job_id: int, *states: str, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (state := self.state(job_id))["state"] not in states:
            assert time.monotonic() < deadline, state
            time.sleep(0.05)
        return state


@contextmanager
def served(**values: Any) -> Iterator[Api]:
    """Serves the store of this folder from a thread."""
    settings = Settings(database_url=DATABASE, **values)
    store = Store(settings.database)
    app = create_app(store, settings, token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="HTTP API")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with Api(f"http://127.0.0.1:{port}", store) as api:
            yield api
    finally:
        app.state.office.leaving.set()
        server.should_exit = True
        thread.join(30)
