"""The HTTP API holds what its OpenAPI document promises, whatever it is sent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import LIST, TOKEN, Api, served
from tests.test_http_api import MANY

ROOT = Path(__file__).parents[1]
MINUTES = MANY[: MANY.index(b"Company 200\n")]


def fill(api: Api) -> None:
    """Makes the jobs that `schemathesis.toml` names, in every state."""
    finished, cancelled, paused, running = (
        api.upload(contents) for contents in (LIST, LIST, MINUTES, MINUTES)
    )
    api.upload()
    api.upload()
    for job_id in (finished, cancelled, paused, running):
        assert api.start(job_id, concurrency=2).status_code == 200
    assert api.http.post(f"/jobs/{cancelled}/cancel").status_code == 200
    assert api.http.post(f"/jobs/{paused}/pause").status_code == 200
    api.until(finished, "finished")


def cases(api: Api, *options: str) -> int:
    """Has schemathesis try all its checks, and gives how many cases it made."""
    fill(api)
    done = subprocess.run(  # noqa: S603 (an installed tool)
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(ROOT / "schemathesis.toml")),
            *("run", f"{api.address}/api/openapi.json", "--checks", "all"),
            *("--header", f"Authorization: Bearer {TOKEN}", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert found, done.stdout
    assert found[1] == found[2]
    return int(found[1])


@pytest.mark.slow
def test_it_answers_as_its_document_says() -> None:
    with served() as api:
        options = ("--max-examples", "5", "--generation-deterministic")
        assert cases(api, *options) > 300


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_answers_as_its_document_says_two_thousand_times() -> None:
    with served() as api:
        assert cases(api, "--max-examples", "100") >= 2_000
