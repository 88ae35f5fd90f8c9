"""One job through every door: HTTP, a notebook, the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdr_kit import Workbench
from sdr_kit.store import Store
from sdr_kit.watched import WatchedJob
from tests.serving import DATABASE, TOKEN, Api
from tests.test_http_api import MANY
from tests.test_recovery import until
from tests.test_workbench import turn_to

COMMAND = str(Path(sys.executable).with_name("sdr-kit"))


def typed(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 (our own command)
        [COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("API_TOKEN", TOKEN)
    monkeypatch.setenv("MAX_CONCURRENCY", "50")


@contextmanager
def serving() -> Iterator[Api]:
    """The server, as the command starts it."""
    server = subprocess.Popen(  # noqa: S603 (our own command)
        [COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        assert TOKEN not in said + server.stdout.readline()
        address = said.split("/api;")[0].split()[-1]
        with Api(address, Store(DATABASE)) as api:
            yield api
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert server.returncode in (0, -15)


@pytest.mark.slow
@pytest.mark.usefixtures("_database")
def test_a_job_of_the_server_is_slid_in_a_notebook_and_paused_by_command() -> None:
    with serving() as api:
        job_id = api.upload(MANY)  # more than is done before a slow machine types
        api.start(job_id, concurrency=2)
        workbench = Workbench(store=api.store)
        workbench._question._yes.click()  # Watch
        assert isinstance(workbench.job, WatchedJob)
        turn_to(workbench, "Run")
        workbench._slider.value = 8
        until(lambda: api.state(job_id)["concurrency"] == 8)
        until(lambda: api.state(job_id)["running"] == 8)
        said = typed("pause", str(job_id))
        assert f"Job {job_id}: paused" in said
        assert api.state(job_id)["state"] == "paused"
        listed = json.loads(typed("jobs", "--json"))
        assert [(each["job"], each["state"]) for each in listed] == [(job_id, "paused")]
        assert workbench.job.progress.state == "paused"
        assert api.http.post(f"/jobs/{job_id}/resume").status_code == 200
        api.http.patch(f"/jobs/{job_id}", json={"concurrency": 50})
        ended = api.until(job_id, "finished")
        until(lambda: workbench.job is not None and workbench.job.progress.ended)
    assert ended["completed"] + ended["failed"] == 400
    assert len(api.store.jobs()) == 1
    results = Counter(api.store.statuses(job_id).values())
    assert results["completed"] == ended["completed"]
    calls = api.store.attempts(job_id)
    answered = [each.position for each in calls if each.outcome == "completed"]
    assert len(answered) == len(set(answered)) == results["completed"]
