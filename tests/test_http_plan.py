"""Plans over HTTP: a sample is begun, and its plan is there when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sdr_kit import Settings
from sdr_kit.cli.named import researcher_for
from sdr_kit.fingerprint import provider_of
from tests.serving import LIST, Api, served


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as api:
        yield api


def plan_of(api: Api, job_id: int, **asked: Any) -> dict[str, Any]:
    answer = api.http.get(f"/jobs/{job_id}/plan", params=asked)
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def when_ready(api: Api, job_id: int, **asked: Any) -> dict[str, Any]:
    late = time.monotonic() + 60
    while not (told := plan_of(api, job_id, **asked))["ready"]:
        assert time.monotonic() < late
        time.sleep(0.05)
    return told


def test_a_sample_is_begun_at_once_and_its_plan_follows(api: Api) -> None:
    job_id = api.upload()
    total = api.state(job_id)["total"]
    answer = api.http.post("/plan", json={"jobId": job_id, "sample": 2})
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/jobs/{job_id}/plan"
    assert answer.json()["job_id"] == job_id
    told = when_ready(api, job_id, deadline_seconds=3_600)
    assert told["state"] == "paused"
    assert told["reason"].startswith("A sample of 2 accounts is done")
    assert (told["sample"], told["accounts"]) == (2, total - 2)
    assert [row["concurrency"] for row in told["rows"]] == [1, 3, 5, 8, 10, 50]
    for row in told["rows"]:
        assert row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
        assert 0 <= row["deadline_likelihood"] <= 1
        assert row["budget_likelihood"] is None
        at_once = "in auto" if row["mode"] == "auto" else f"at {row['concurrency']}"
        assert row["sentence"].startswith(f"{total - 2} accounts {at_once}: ")
    assert told["concurrency"] == 1
    api.http.post(f"/jobs/{job_id}/cancel")
    left = when_ready(api, job_id)
    assert left["accounts"] == total - 2
    assert left["concurrency"] is None


def test_a_sample_is_begun_with_a_deadline_and_its_plan_is_held_against_it(
    api: Api,
) -> None:
    job_id = api.upload()
    body = {"job_id": job_id, "sample": 2, "deadline_seconds": 3_600}
    assert api.http.post("/plan", json=body).status_code == 202
    told = when_ready(api, job_id)
    assert 3_500 < told["deadline_seconds"] < 3_600
    assert told["concurrency"] == 1
    assert "1 at once ends within 1 h 00 min: almost surely." in told["notes"]
    other = plan_of(api, job_id, deadline_seconds=0.02)
    assert (other["deadline_seconds"], other["concurrency"]) == (0.02, None)
    assert "The deadline has passed." in other["notes"]
    api.http.post(f"/jobs/{job_id}/cancel")


def test_a_plan_says_auto_where_only_that_meets_the_deadline() -> None:
    sandbox = provider_of(researcher_for(Settings(), "sandbox", None))
    assert sandbox is not None
    with served(max_concurrency=1, processing_concurrency=1) as api:
        api.store.learn(sandbox, {"harmless": 40})
        job_id = api.upload(
            LIST + b"".join(b"More %d,more-%d.com,Retail\n" % (n, n) for n in range(30))
        )
        answer = api.http.post("/plan", json={"job_id": job_id, "sample": 4})
        assert answer.status_code == 202
        when_ready(api, job_id)
        told = plan_of(api, job_id, deadline_seconds=12)
        assert told["concurrency"] == "auto"
        changed = {"concurrency": told["concurrency"]}
        assert api.http.patch(f"/jobs/{job_id}", json=changed).status_code == 200


def test_a_sample_and_the_others_run_as_many_at_once_as_is_said(api: Api) -> None:
    job_id = api.upload()
    body = {"job_id": job_id, "sample": 2, "concurrency": "auto"}
    assert api.http.post("/plan", json=body).status_code == 202
    when_ready(api, job_id)
    assert api.state(job_id)["concurrency"] == "auto"
    api.http.post(f"/jobs/{job_id}/resume")
    assert api.until(job_id, "finished")["concurrency"] == "auto"


def test_a_job_that_has_not_begun_has_no_plan_yet(api: Api) -> None:
    job_id = api.upload()
    told = plan_of(api, job_id)
    assert not told["ready"]
    assert (told["sample"], told["rows"]) == (0, [])


def test_a_job_that_has_been_begun_is_not_sampled_again(api: Api) -> None:
    job_id = api.upload()
    assert api.http.post("/plan", json={"job_id": job_id}).status_code == 202
    again = api.http.post("/plan", json={"job_id": job_id})
    assert again.status_code == 409
    api.http.post(f"/jobs/{job_id}/cancel")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"job_id": 99}, 404),
        ({"job_id": 1, "sample": 0}, 422),
        ({"job_id": 1, "deadline_seconds": 0}, 422),
        ({"job_id": 1, "researcher": "nobody"}, 422),
        ({"job_id": 1, "brief": "none"}, 422),
        ({"job_id": 1, "concurrency": 11}, 422),
        ({"job_id": 1, "concurrency": "fast"}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_planned_is_refused(
    api: Api, body: dict[str, Any], status: int
) -> None:
    api.upload()
    assert api.http.post("/plan", json=body).status_code == status
    assert api.state(1)["state"] == "ready"


def test_a_plan_of_no_job_and_a_deadline_in_the_past(api: Api) -> None:
    assert api.http.get("/jobs/9/plan").status_code == 404
    job_id = api.upload()
    wrong = api.http.get(f"/jobs/{job_id}/plan", params={"deadline_seconds": -1})
    assert wrong.status_code == 422


def test_a_run_over_http_has_a_deadline(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=1, deadline_seconds=0.01)
    assert when_ready(api, job_id)["state"] == "stopped"
    assert "deadline" in api.state(job_id)["reason"]
