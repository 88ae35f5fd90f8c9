"""Who is let in, how much, and how the server begins and ends."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sdr_kit import SdrKitError, Settings
from sdr_kit.server import serve
from sdr_kit.server.office import Office
from sdr_kit.store import Store
from tests.serving import DATABASE, LIST, TOKEN, Api, served
from tests.test_http_api import MANY

SERVE = """
import sys, json
from sdr_kit import Settings
from sdr_kit.server import serve
from sdr_kit.store import Store

def announce(url, token):
    print(json.dumps([url, token]), flush=True)

settings = Settings()
store = Store(settings.database)
serve(store, settings, host=settings.api_host, port=0, announce=announce)
"""


def every_operation(api: Api) -> Iterator[tuple[str, str]]:
    document = api.http.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method in operations:
            yield method.upper(), path.replace("{job_id}", "1")


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
def test_nobody_is_let_in_without_the_token(shown: str | None) -> None:
    with served() as api, httpx.Client(base_url=api.address) as stranger:
        headers = {} if shown is None else {"Authorization": shown}
        told = list(every_operation(api))
        assert len(told) > 12
        more = [("GET", "/api/openapi.json"), ("GET", "/"), ("GET", "/docs")]
        for method, path in [*told, *more]:
            answer = stranger.request(method, path, headers=headers)
            wanted = 200 if path == "/api/health" else 401
            assert answer.status_code == wanted, (method, path)
            if wanted == 401:
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.headers["content-type"] == "application/problem+json"
        # A page of somebody else's cannot ask either.
        asked = {"Origin": "https://evil.example", **headers}
        health = stranger.get("/api/health", headers=asked)
        assert not [each for each in health.headers if "access-control" in each]


def test_the_word_bearer_may_be_written_as_one_likes() -> None:
    with served() as api:
        headers = {"Authorization": f"bearer {TOKEN}"}
        assert api.http.get("/jobs", headers=headers).status_code == 200


def test_a_list_that_is_too_long_or_too_large_is_refused() -> None:
    with served(api_max_rows=5, api_max_upload_mb=0.05) as api:
        answer = api.http.post("/jobs", files={"file": ("x.csv", LIST)})
        assert answer.status_code == 413
        assert "8 rows; 5 are the most (API_MAX_ROWS)" in answer.json()["detail"]
        lines = b"company_name\n" + b"a\n" * 100
        assert api.http.post("/jobs", files={"file": ("x.csv", lines)}).status_code == (
            413
        )
        large = b"company_name\n" + b"a" * 70_000
        answer = api.http.post("/jobs", files={"file": ("x.csv", large)})
        assert answer.status_code == 413
        assert "larger than 60,000 bytes (API_MAX_UPLOAD_MB)" in answer.json()["detail"]
        api.upload(b"company_name\n" + b"Acme" * 10_000 + b"\n")


def test_lists_that_wait_their_turn_keep_nobody_else_waiting() -> None:
    more_than_threads = 50
    with served() as api, ThreadPoolExecutor(more_than_threads) as threads:
        api.upload()
        with closing(sqlite3.connect("api.db", isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")  # none can be stored before it ends
            lists = [threads.submit(api.upload) for _ in range(more_than_threads)]
            with pytest.raises(TimeoutError):
                lists[-1].result(1)
            assert api.http.get("/jobs", timeout=5).json()["total"] == 1
            assert api.http.get("/jobs/1/export", timeout=5).status_code == 200
            file.execute("COMMIT")
        assert sorted(each.result(30) for each in lists) == list(range(2, 52))


def test_an_upload_may_write_its_kind_as_it_likes() -> None:
    kind = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    with served() as api:
        many = b"company_name\n" + b"".join(b"Company %d\n" % n for n in range(90_000))
        assert len(many) > 1_000_000
        body = HEAD + many + b"\r\n--x--\r\n"
        answer = api.http.post("/jobs", content=body, headers=kind)
        assert answer.status_code == 201


HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'


def in_chunks() -> Iterator[bytes]:
    """A body whose length nobody is told."""
    yield HEAD
    for _ in range(200):
        yield b"x" * 10_000


def test_a_body_that_does_not_say_its_length_is_bounded_too() -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    with served(api_max_upload_mb=1) as api:
        answer = api.http.post("/jobs", content=in_chunks(), headers=kind)
        assert answer.status_code == 413
        long = b'{"job_id": 1, "x": "' + b"x" * 1_100_000 + b'"}'
        assert api.http.post("/process/start", content=long).status_code == 413


@contextmanager
def process(**variables: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The server as a process of its own; gives its address and token."""
    variables = {"DATABASE_URL": DATABASE, **variables}
    running = subprocess.Popen(  # noqa: S603 (our own code)
        [sys.executable, "-c", SERVE],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        url, token = json.loads(running.stdout.readline())
        yield running, url, token
    finally:
        running.kill()
        running.communicate()


def client(url: str, token: str) -> Api:
    return Api(url, Store(DATABASE), token=token)


def until_listening(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/api/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("it does not listen")


@pytest.mark.parametrize(
    "told", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_a_server_that_ends_gives_its_accounts_back(told: signal.Signals) -> None:
    with process() as (running, url, token):
        until_listening(url)
        assert len(token) >= 32
        with client(url, token) as api:
            job_id = api.upload(MANY)
            api.start(job_id, concurrency=5)
            api.until(job_id, "running")
            with api.http.stream("GET", f"/jobs/{job_id}/events") as events:
                lines = events.iter_lines()
                assert next(lines) == "event: progress"
                running.send_signal(told)
                assert running.wait(20) in (0, -told)
    job = Store(DATABASE).job(job_id)
    assert (job.state, job.held) == ("cancelled", False)
    past = Store(DATABASE).past(job_id)
    tried = Store(DATABASE).attempts(job_id)
    left_alone = {each.position for each in tried if each.outcome == "cancelled"}
    assert left_alone.isdisjoint(Store(DATABASE).statuses(job_id))
    assert past.completed + past.failed < 400


def test_a_job_that_begins_while_the_server_ends_is_cancelled_too() -> None:
    office = Office(Store(DATABASE), Settings(database_url=DATABASE))
    job_id, _ = office.add(io.BytesIO(MANY), "list.csv")
    office.close()
    office.start(job_id).wait(20)
    assert office.state(job_id)["state"] == "cancelled"


def test_a_token_that_was_set_is_not_told() -> None:
    with process(API_TOKEN=TOKEN) as (running, url, token):
        assert token is None
        until_listening(url)
        with client(url, TOKEN) as api:
            assert api.http.get("/jobs").status_code == 200
        running.terminate()
        out, complaints = running.communicate(timeout=20)
    assert TOKEN not in out + complaints


def test_200_megabytes_are_refused_at_once_and_take_no_memory() -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield HEAD
        for _ in range(2_000):
            sent += 100_000
            yield b"x" * 100_000

    with process() as (running, url, token):
        until_listening(url)
        memory = psutil.Process(running.pid).memory_info
        before = memory().rss
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        for more in ({}, {"Content-Length": str(200_000_000 + len(HEAD))}):
            with client(url, token) as asking:
                try:
                    answer = asking.http.post(
                        "/jobs", content=body(), headers=kind | more
                    )
                    assert answer.status_code == 413
                except httpx.TransportError:
                    pass  # it has hung up before all was sent
        assert memory().rss - before < 20_000_000
        assert sent < 100_000_000
        with client(url, token) as api:
            assert api.http.get("/jobs").status_code == 200


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SdrKitError, match=f"cannot listen on .*, port {port}"):
            serve(
                Store(DATABASE),
                Settings(),
                host="127.0.0.1",
                port=port,
                announce=lambda *_: None,
            )


@pytest.mark.parametrize("bug", [ZeroDivisionError, RuntimeError])
def test_a_bug_is_one_problem_and_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    bug: type[Exception],
) -> None:
    def broken(_store: Store) -> Any:
        raise bug("secret")

    with served() as api:
        monkeypatch.setattr(Store, "jobs", broken)
        answer = api.http.get("/jobs")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "GET /api/jobs" in caplog.text


def test_a_database_that_cannot_be_used_is_said() -> None:
    with served() as api:
        api.upload()
        api.store._db._engine.dispose()
        Path("api.db").unlink()
        answer = api.http.get("/jobs")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
