"""The curl lines of the guide do what it says, as they are printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sdr_kit.server.document import DESCRIPTIONS
from tests.serving import TOKEN, Api, served

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "http-api.md").read_text()
CURL = [
    block
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if block.startswith("curl")
]


@pytest.fixture
def curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")


def typed(block: str, api: Api) -> list[str]:
    """What the lines print, an answer each."""
    done = subprocess.run(  # noqa: S603 (our own guide)
        ["bash", "-euc", block.replace("curl ", "curl -w '\\n' ")],  # noqa: S607
        env={**os.environ, "API": f"{api.address}/api", "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip().splitlines()


@pytest.mark.usefixtures("curl")
def test_the_lines_work_as_printed() -> None:
    shutil.copy(ROOT / "notebooks" / "sample_accounts.csv", "accounts.csv")
    upload, start, plan, look, steer, listen, accounts, export, again, wrong = CURL
    with served() as api:
        (uploaded,) = map(json.loads, typed(upload, api))
        assert uploaded["job_id"] == 1
        assert f'"rows_read": {uploaded["rows_read"]}, ' in PAGE
        assert f'"ready": {uploaded["ready"]},' in PAGE
        (started,) = map(json.loads, typed(start, api))
        assert (started["mode"], started["concurrency"]) == ("parallel", 5)
        assert api.store.job(1).concurrency == 5
        typed(upload, api)
        begun, planned = map(json.loads, typed(plan, api))
        assert begun["job_id"] == planned["job_id"] == 2
        assert planned["accounts"] + planned["sample"] <= 32
        (state,) = map(json.loads, typed(look, api))
        assert state["state"] == "running"
        found, changed, _, resumed = map(json.loads, typed(steer, api))
        assert found["concurrency"] == "auto"
        assert changed["concurrency"] == 8
        assert resumed["job_id"] == 1
        events = typed(listen, api)
        assert events[0] == "event: progress"
        assert "event: end" in events
        ended = json.loads(events[-1].removeprefix("data: "))
        assert (ended["completed"], ended["concurrency"]) == (32, 8)
        (page,) = map(json.loads, typed(accounts, api))
        assert {each["tier"] for each in page["accounts"]} == {"A"}
        typed(export, api)
        assert Path("results.xlsx").read_bytes().startswith(b"PK")
        (retried,) = map(json.loads, typed(again, api))
        assert retried["pending"] == 2
        (problem,) = map(json.loads, typed(wrong, api))
        printed = PAGE.split('{"type": "about:blank"')[1].split("```")[0]
        assert problem == json.loads('{"type": "about:blank"' + printed)


def test_the_guide_has_every_request_and_every_error() -> None:
    with served() as api:
        document = api.http.get("/openapi.json").json()
    named = {
        f"{method} {path.replace('{job_id}', '{id}')}".lower()
        for path, operations in document["paths"].items()
        for method in operations
    }
    rows = re.findall(r"^\| `([A-Z]+) (/api/[^`?]+)`(.*?)\|", PAGE, re.MULTILINE)
    told = {f"{method} {path}".lower() for method, path, _ in rows}
    for method, path, more in rows:
        base = path.rpartition("/")[0]
        told |= {
            f"{method} {base}{each}".lower() for each in re.findall("`(/.+?)`", more)
        }
    assert told == named | {"get /api/openapi.json"}
    statuses = {int(each) for each in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)}
    assert statuses == DESCRIPTIONS.keys() - {400}
