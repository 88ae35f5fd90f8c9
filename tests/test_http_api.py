"""The HTTP API as its users see it: lists in, jobs steered, results out."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Research
from sdr_kit.export import EXCEL_COLUMNS
from sdr_kit.lease import Holder, this_process
from sdr_kit.recovery import open_job
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.serving import DATABASE, Api, served

JSON = {"Content-Type": "application/json"}
MANY = b"company_name\n" + b"".join(b"Company %d\n" % n for n in range(400))


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as api:
        yield api


def test_an_upload_says_what_became_of_each_row(api: Api) -> None:
    contents = "Company Name;Webseite\nAcme GmbH;acme.de\nACME;acme.de\n;x.de\nÖl AG;\n"
    files = {"file": ("kunden.csv", contents.encode("cp1252"))}
    answer = api.http.post("/jobs", files=files)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/jobs/1"
    told = answer.json()
    assert told["source"] == "kunden.csv"
    assert (told["rows_read"], told["ready"]) == (4, 2)
    assert told["duplicates"][0]["repeats_row"] == 2
    assert told["rejected"][0]["reason"] == "no company name"
    assert told["columns"][1]["source_columns"] == "Webseite"
    assert api.state(1)["state"] == "ready"


def test_a_workbook_is_a_list_too(api: Api) -> None:
    file = io.BytesIO()
    pd.DataFrame({"company": ["Acme", "Globex"]}).to_excel(file, index=False)
    job_id = api.upload(file.getvalue(), "list.xlsx")
    assert api.state(job_id)["total"] == 2


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "empty"),
        (b"name_of_dog\nRex\n", "company_name"),
        (b"\x00\x01\x02\xff", "x.csv"),
        (b"company_name\n\n\n", "x.csv"),
    ],
)
def test_what_is_no_list_is_refused(api: Api, contents: bytes, said: str) -> None:
    answer = api.http.post("/jobs", files={"file": ("x.csv", contents)})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert api.http.get("/jobs").json()["total"] == 0


def test_a_job_is_begun_as_it_is_told_and_answers_at_once(api: Api) -> None:
    job_id = api.upload()
    began = time.monotonic()
    answer = api.start(job_id, mode="parallel", concurrency=8)
    assert time.monotonic() - began < 5
    assert answer.status_code == 200
    assert answer.json() == {
        "job_id": job_id,
        "mode": "parallel",
        "concurrency": 8,
        "researcher": "Sandbox",
        "budget_usd": None,
        "total": 8,
        "pending": 8,
        "reused": 0,
    }
    ended = api.until(job_id, "finished")
    assert (ended["completed"], ended["failed"]) == (8, 0)
    assert ended["concurrency"] == 8
    assert ended["synthetic"]
    stored = api.store.job(job_id)
    assert (stored.concurrency, stored.researcher) == (8, "Sandbox")


def test_sequential_is_one_at_a_time_whatever_concurrency_says(api: Api) -> None:
    answer = api.http.post(
        "/process/start",
        json={"jobId": api.upload(), "mode": "sequential", "concurrency": 9},
    )
    assert answer.json()["mode"] == "sequential"
    assert answer.json()["concurrency"] == 1
    for _ in range(10):
        assert api.state(1)["running"] <= 1
        time.sleep(0.1)


def test_a_job_finds_by_itself_how_many_at_once(api: Api) -> None:
    job_id = api.upload(MANY)
    assert api.state(job_id)["concurrency"] is None
    told = api.start(job_id, concurrency="auto").json()
    assert (told["mode"], told["concurrency"]) == ("parallel", "auto")
    deadline = time.monotonic() + 20
    while (state := api.state(job_id))["running"] <= 10:  # more than may be chosen
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert state["concurrency"] == "auto"
    assert 10 < state["at_once"] <= 50
    (listed,) = api.http.get("/jobs").json()["jobs"]
    assert listed["concurrency"] == "auto"
    changed = api.http.patch(f"/jobs/{job_id}", json={"concurrency": 3}).json()
    assert (changed["concurrency"], changed["at_once"]) == (3, 3)
    changed = api.http.patch(f"/jobs/{job_id}", json={"concurrency": "auto"}).json()
    assert changed["concurrency"] == "auto"
    assert changed["at_once"] > 3
    api.http.post(f"/jobs/{job_id}/cancel")
    again = api.http.post(f"/jobs/{job_id}/resume").json()
    assert again["concurrency"] == "auto"
    api.http.post(f"/jobs/{job_id}/cancel")


def test_sequential_is_one_at_a_time_in_auto_too(api: Api) -> None:
    told = api.start(api.upload(), mode="sequential", concurrency="auto").json()
    assert (told["mode"], told["concurrency"]) == ("sequential", 1)


def test_the_document_says_what_concurrency_may_be(api: Api) -> None:
    schemas = api.http.get("/openapi.json").json()["components"]["schemas"]
    for name in ("Start", "Sampling", "Change", "Again"):
        assert schemas[name]["properties"]["concurrency"]["anyOf"] == [
            {"type": "integer", "minimum": 1, "maximum": 10},
            {"const": "auto"},
        ]


def test_the_settings_decide_what_is_not_said() -> None:
    with served(processing_concurrency=3, budget_usd=7.5) as modest:
        told = modest.start(modest.upload()).json()
    assert (told["mode"], told["concurrency"]) == ("parallel", 3)
    assert told["budget_usd"] == 7.5
    with served(enable_parallel_processing=False) as slow:
        told = slow.start(slow.upload()).json()
    assert (told["mode"], told["concurrency"]) == ("sequential", 1)


def test_a_brief_is_asked_by_its_name(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, brief="customer-identity", concurrency=8)
    api.until(job_id, "finished")
    (first, *_) = pages(api, job_id)
    assert "auth" in " ".join(first)


TEN = "a whole number from 1 to 10 (MAX_CONCURRENCY), or 'auto'"
NO_CONCURRENCY = (11, 0, -1, "5", "AUTO", "fast", "", 5.5, True, None, [5], ["auto"])
WRONG: list[tuple[str, Any, str]] = [
    *(("concurrency", value, TEN) for value in NO_CONCURRENCY),
    ("mode", "fast", "'parallel' or 'sequential'"),
    ("mode", None, "'parallel' or 'sequential'"),
    ("researcher", "../../etc/passwd", "one of 'sandbox'"),
    ("researcher", 5, "string"),
    ("brief", "mine.toml", "one of 'general'"),
    ("budget_usd", 0, "greater than 0"),
    ("budget_usd", "5", "number"),
    ("budget_usd", True, "number"),
    ("refresh", "yes", "boolean"),
    ("speed", 9, "not permitted"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), WRONG)
def test_a_wrong_value_is_said_with_its_field_and_what_is_allowed(
    api: Api, field: str, value: Any, allowed: str
) -> None:
    answer = api.start(api.upload(), **{field: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity")
    (error,) = problem["errors"]
    assert error["field"] == field
    assert error["value"] == value
    assert allowed in error["allowed"]
    assert field in problem["detail"]
    assert api.state(1)["state"] == "ready"


@pytest.mark.parametrize("value", [11, 0, "5", "fast", 5.5, True, None])
def test_a_wrong_concurrency_does_not_reach_a_job_at_work(api: Api, value: Any) -> None:
    job_id = api.upload(MANY)
    api.start(job_id, concurrency=2)
    answer = api.http.patch(f"/jobs/{job_id}", json={"concurrency": value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0] == {
        "field": "concurrency",
        "value": value,
        "allowed": TEN,
    }
    assert api.state(job_id)["concurrency"] == 2


@pytest.mark.parametrize("job_id", [None, "1", 0, -1, 1.5, True, 2**64, [1]])
def test_what_is_no_number_of_a_job_is_refused(api: Api, job_id: Any) -> None:
    answer = api.http.post("/process/start", json={"job_id": job_id})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "job_id"


def test_what_is_no_json_is_refused(api: Api) -> None:
    for body in (b"{", b"[]", b"5", b"\xff", b""):
        answer = api.http.post("/process/start", content=body)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = api.http.post("/process/start", content=b'{"job_id": 1,}', headers=JSON)
    (error,) = answer.json()["errors"]
    assert error["field"] == "body"
    assert "JSON; at character 13" in error["allowed"]


def test_a_body_of_another_kind_is_told_which_is_meant(api: Api) -> None:
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = api.http.post(
            "/process/start", content=b'{"job_id": 1}', headers=headers
        )
        assert answer.status_code == 422
        assert "Content-Type: application/json" in answer.json()["detail"]
    without_a_file: list[dict[str, Any]] = [
        {"data": {"file": "accounts.csv"}},
        {"files": {"list": ("x.csv", b"company_name\nAcme\n")}},
        {},
    ]
    for sent in without_a_file:
        answer = api.http.post("/jobs", **sent)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "file"
        assert "-F file=@accounts.csv" in answer.json()["detail"]


@pytest.mark.parametrize("field", ["mode", "concurrency", "speed"])
def test_a_value_that_is_nested_deeply_is_a_wrong_value(api: Api, field: str) -> None:
    nested = b"[" * 900 + b"]" * 900
    body = b'{"job_id": %d, "%s": %s}' % (api.upload(), field.encode(), nested)
    answer = api.http.post("/process/start", content=body, headers=JSON)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == (field, None)
    assert "recursion" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/7"),
        ("PATCH", "/jobs/7"),
        ("DELETE", "/jobs/7"),
        ("GET", "/jobs/7/accounts"),
        ("GET", "/jobs/7/events"),
        ("GET", "/jobs/7/export"),
        ("POST", "/jobs/7/pause"),
        ("POST", "/jobs/7/resume"),
        ("POST", "/jobs/7/cancel"),
        ("POST", "/jobs/7/retry"),
        ("POST", "/process/start"),
    ],
)
def test_an_unknown_job_is_not_found(api: Api, method: str, path: str) -> None:
    body: Any = {"concurrency": 2}
    if path == "/process/start":
        body = {"job_id": 7}
    elif method != "PATCH":
        body = None
    answer = api.http.request(method, path, json=body)
    assert answer.status_code == 404
    assert "there is no job 7" in answer.json()["detail"]


def test_an_unknown_path_or_method_is_a_problem_too(api: Api) -> None:
    assert api.http.get("/nothing").status_code == 404
    answer = api.http.put("/jobs/1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PATCH"
    assert answer.headers["content-type"] == "application/problem+json"


def held_elsewhere(api: Api) -> int:
    """A job at work in another process that lives."""
    job_id = api.upload()
    parent = this_process()
    holder = Holder(host=f"not-{parent.host}", pid=os.getppid(), began=1.0)
    with closing(sqlite3.connect("api.db")) as file, file:
        file.execute(
            "UPDATE jobs SET state = 'running', researcher = 'Sandbox', fence = 1, "
            "concurrency = 5, holder = ?, lease_until = ?",
            (holder.written(), time.time() + 60),
        )
    return job_id


def test_a_job_that_another_process_holds_is_watched_and_steered(api: Api) -> None:
    job_id = held_elsewhere(api)
    state = api.state(job_id)
    assert (state["state"], state["holder"].startswith("process ")) == ("running", True)
    for answer in (
        api.start(job_id),
        api.http.post(f"/jobs/{job_id}/retry", json={"positions": [0]}),
        api.http.delete(f"/jobs/{job_id}"),
    ):
        assert answer.status_code == 409
        assert state["holder"] in answer.json()["detail"]
    assert api.http.post(f"/jobs/{job_id}/pause").status_code == 200
    assert api.http.patch(f"/jobs/{job_id}", json={"concurrency": 8}).status_code == 200
    wanted = {name: value for name, (_, value) in api.store.wanted(job_id).items()}
    assert wanted == {"state": "paused", "limit": 8}
    told = api.http.patch(f"/jobs/{job_id}", json={"concurrency": "auto"}).json()
    assert told["concurrency"] == "auto"
    assert api.store.wanted(job_id)["limit"][1] == "auto"


def test_a_job_that_ends_while_it_is_steered_is_a_conflict(api: Api) -> None:
    job_id = held_elsewhere(api)
    with (
        closing(sqlite3.connect("api.db", isolation_level=None)) as file,
        ThreadPoolExecutor() as threads,
    ):
        file.execute("BEGIN IMMEDIATE")  # others may look, and write after it
        paused = threads.submit(api.http.post, f"/jobs/{job_id}/pause")
        file.execute("UPDATE jobs SET holder = NULL")
        with pytest.raises(TimeoutError):
            paused.result(1)
        file.execute("COMMIT")
        answer = paused.result(10)
    assert answer.status_code == 409
    assert f"nobody works on job {job_id}" in answer.json()["detail"]


def test_a_job_is_steered_while_it_runs(api: Api) -> None:
    job_id = api.upload(MANY)
    api.start(job_id, concurrency=2)
    changed = api.http.patch(
        f"/jobs/{job_id}", json={"concurrency": 9, "budget_usd": 3}
    )
    assert changed.status_code == 200
    deadline = time.monotonic() + 10
    while api.state(job_id)["running"] < 9:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert api.state(job_id)["budget_usd"] == 3
    assert api.http.post(f"/jobs/{job_id}/pause").status_code == 200
    api.until(job_id, "paused")
    assert api.http.post(f"/jobs/{job_id}/resume").status_code == 200
    api.until(job_id, "running")
    assert api.http.post(f"/jobs/{job_id}/cancel").status_code == 200
    ended = api.until(job_id, "cancelled")
    assert ended["completed"] + ended["failed"] + ended["pending"] == 400
    assert ended["in_flight"] == 0
    for path in ("pause", "cancel"):
        answer = api.http.post(f"/jobs/{job_id}/{path}")
        assert answer.status_code == 409
        assert "nobody works on job 1: cancelled" in answer.json()["detail"]


def test_a_job_with_accounts_left_goes_on(api: Api) -> None:
    job_id = api.upload(MANY[: MANY.index(b"Company 20\n")])
    api.start(job_id, concurrency=4)
    api.until(job_id, "running")
    api.http.post(f"/jobs/{job_id}/cancel")
    before = api.until(job_id, "cancelled")
    assert before["completed"] < 20
    assert api.http.post(f"/jobs/{job_id}/resume").status_code == 200
    assert api.until(job_id, "finished")["completed"] == 20
    for again in (api.http.post(f"/jobs/{job_id}/resume"), api.start(job_id)):
        assert again.status_code == 409
        assert "nothing is left to do" in again.json()["detail"]


def test_a_retry_asks_what_was_asked_before(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, brief="workforce-identity", concurrency=8)
    api.until(job_id, "finished")
    before = set(pages(api, job_id)[0])
    api.http.post(f"/jobs/{job_id}/retry", json={"positions": [0]})
    api.until(job_id, "finished")
    assert set(pages(api, job_id)[0]) == before


def test_a_retry_has_a_deadline_too(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=8)
    api.until(job_id, "finished")
    chosen = {"positions": [*range(8)], "concurrency": 1, "deadline_seconds": 0.01}
    answer = api.http.post(f"/jobs/{job_id}/retry", json=chosen)
    assert answer.status_code == 200, answer.text
    assert "deadline" in api.until(job_id, "stopped")["reason"]


def test_a_job_that_has_not_begun_is_started_not_resumed(api: Api) -> None:
    job_id = api.upload()
    for path, said in (("resume", "start it"), ("retry", "nothing to retry")):
        answer = api.http.post(f"/jobs/{job_id}/{path}")
        assert answer.status_code == 409
        assert said in answer.json()["detail"]


def failed_job() -> int:
    """A job of a function of somebody's notebook, with one failure."""

    async def mine(account: Account) -> Research:
        if account.position == 1:
            raise sdr_kit.Permanent("no such page")
        return Research(fields={"answer": "=1+1"}, tier="A", priority_score=9)

    return sdr_kit.start(made_up(4), mine, store=DATABASE).wait(30).job_id


def test_who_cannot_be_asked_here_is_said(api: Api) -> None:
    job_id = failed_job()
    answer = api.http.post(f"/jobs/{job_id}/retry")
    assert answer.status_code == 409
    assert "mine, which cannot be asked here" in answer.json()["detail"]
    answer = api.start(job_id, researcher="sandbox")
    assert answer.status_code == 409


def test_accounts_are_researched_again(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=8)
    api.until(job_id, "finished")
    assert api.http.post(f"/jobs/{job_id}/retry").status_code == 409
    answer = api.http.post(f"/jobs/{job_id}/retry", json={"positions": [0, 3]})
    assert answer.json()["pending"] == 2
    api.until(job_id, "finished")
    tried = [len(api.store.attempts(job_id, position=place)) for place in range(8)]
    assert [place for place, calls in enumerate(tried) if calls > 1] == [0, 3]
    answer = api.http.post(f"/jobs/{job_id}/retry", json={"positions": [8]})
    assert answer.status_code == 404
    assert "no account at position 8" in answer.json()["detail"]


def test_a_job_is_deleted(api: Api) -> None:
    job_id = api.upload()
    assert api.http.delete(f"/jobs/{job_id}").status_code == 204
    assert api.http.get(f"/jobs/{job_id}").status_code == 404
    assert api.http.delete(f"/jobs/{job_id}").status_code == 404


def test_jobs_are_listed_the_newest_first(api: Api) -> None:
    for _ in range(3):
        api.upload()
    page = api.http.get("/jobs", params={"limit": 2}).json()
    assert (page["total"], [each["job_id"] for each in page["jobs"]]) == (3, [3, 2])
    page = api.http.get("/jobs", params={"limit": 2, "offset": 2}).json()
    assert [each["job_id"] for each in page["jobs"]] == [1]
    for wrong in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "x"}):
        assert api.http.get("/jobs", params=wrong).status_code == 422


def pages(api: Api, job_id: int, **asked: Any) -> list[dict[str, Any]]:
    answer = api.http.get(f"/jobs/{job_id}/accounts", params=asked)
    assert answer.status_code == 200, answer.text
    accounts: list[dict[str, Any]] = answer.json()["accounts"]
    return accounts


def test_accounts_are_filtered_sorted_and_paged(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=8)
    api.until(job_id, "finished")
    frame = open_job(job_id, api.store, settings=sdr_kit.Settings()).frame
    everybody = pages(api, job_id)
    assert [each["position"] for each in everybody] == list(range(8))
    assert [each["tier"] for each in everybody] == list(frame["tier"])
    assert everybody[0]["evidence"]["summary"][0]["quote"].startswith("SYNTHETIC")
    for tier in "ABC":
        found = pages(api, job_id, tier=tier)
        assert len(found) == (frame["tier"] == tier).sum()
    best = pages(api, job_id, sort="priority_score", descending=True)
    scores = [each["priority_score"] for each in best]
    assert scores == sorted(scores, reverse=True)
    assert pages(api, job_id, priority_min=min(scores) + 1) != everybody
    assert [each["position"] for each in pages(api, job_id, text="COMPANY 3")] == [3]
    assert pages(api, job_id, status="failed") == []
    assert pages(api, job_id, status="failed", text="3", sort="company_name") == []
    assert pages(api, job_id, offset=6, limit=5) == everybody[6:]
    backwards = pages(api, job_id, descending=True)
    assert backwards == everybody[::-1]
    for wrong in ({"tier": "D"}, {"priority_min": 11}, {"sort": "x"}, {"limit": 0}):
        answer = api.http.get(f"/jobs/{job_id}/accounts", params=wrong)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == next(iter(wrong))


def test_accounts_without_a_score_are_in_no_range_of_scores(api: Api) -> None:
    job_id = api.upload()
    assert len(pages(api, job_id)) == 8
    assert len(pages(api, job_id, status="pending")) == 8
    assert pages(api, job_id, priority_min=2) == []
    assert pages(api, job_id, sort="priority_score")[0]["tier"] is None


def test_events_say_how_it_goes_and_end_with_the_job(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=4)
    heard: list[tuple[float, str, dict[str, Any]]] = []
    with api.http.stream("GET", f"/jobs/{job_id}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                heard.append((time.monotonic(), kind, told))
    assert [kind for _, kind, _ in heard[:-1]] == ["progress"] * (len(heard) - 1)
    assert heard[-1][1] == "end"
    assert heard[-1][2] == api.state(job_id)
    done = [told["completed"] for _, _, told in heard]
    assert done == sorted(done)
    assert done[-1] == 8
    assert len(heard) <= 4 * (heard[-1][0] - heard[0][0]) + 2


def test_a_stream_ends_when_its_job_is_deleted(api: Api) -> None:
    job_id = held_elsewhere(api)
    with api.http.stream("GET", f"/jobs/{job_id}/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: progress"
        with closing(sqlite3.connect("api.db")) as file, file:
            file.execute("UPDATE jobs SET holder = NULL")
        api.store.delete_job(job_id)
        assert not [line for line in lines if "finished" in line]


def test_results_are_exported_in_every_format(api: Api) -> None:
    job_id = failed_job()

    def export(**asked: Any) -> httpx.Response:
        return api.http.get(f"/jobs/{job_id}/export", params=asked)

    csv = export()
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert "job-1.csv" in csv.headers["content-disposition"]
    assert list(pd.read_csv(io.BytesIO(csv.content))["answer"][:1]) == ["'=1+1"]
    book = pd.read_excel(io.BytesIO(export(format="xlsx").content), engine="calamine")
    assert list(book["status"]).count("failed") == 1
    lines = export(format="jsonl").text.splitlines()
    assert json.loads(lines[1])["error_message"] == "no such page"
    assert "<html" in export(format="html").text
    merged = pd.read_csv(io.BytesIO(export(merged=True).content))
    assert "status_reason" in merged.columns
    refused = export(merged=True, format="html")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "merged"


@pytest.mark.soak
def test_a_table_that_is_more_than_a_sheet_is_no_workbook(api: Api) -> None:
    columns = ["company_name", *(f"c{number}" for number in range(EXCEL_COLUMNS - 2))]
    job_id = api.upload(
        f"{','.join(columns)}\nAcme{',1' * (len(columns) - 1)}\n".encode()
    )
    answer = api.http.get(f"/jobs/{job_id}/export", params={"format": "xlsx"})
    assert answer.status_code == 422
    assert "Export it as CSV" in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "format"
    assert api.http.get(f"/jobs/{job_id}/export").status_code == 200


def test_what_a_sandbox_made_up_is_left_out_of_files(api: Api) -> None:
    job_id = api.upload()
    api.start(job_id, concurrency=8)
    api.until(job_id, "finished")
    path = f"/jobs/{job_id}/export"
    assert "SYNTHETIC" not in api.http.get(path).text
    assert "SYNTHETIC" in api.http.get(path, params={"invented": True}).text


def test_two_jobs_run_side_by_side(api: Api) -> None:
    one, other = api.upload(), api.upload()
    assert api.start(one, concurrency=4).status_code == 200
    assert api.start(other, concurrency=4).status_code == 200
    assert api.until(one, "finished")["completed"] == 8
    assert api.until(other, "finished")["completed"] == 8


def test_a_job_begun_in_a_notebook_is_seen_at_once(api: Api) -> None:
    job_id = failed_job()
    state = api.state(job_id)
    assert (state["completed"], state["failed"], state["researcher"]) == (3, 1, "mine")
    assert not state["synthetic"]
    assert Store(DATABASE).job(job_id).state == "finished"
