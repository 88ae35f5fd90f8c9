from __future__ import annotations

import asyncio
import gc
import json
import math
import statistics
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sdr_kit.account import Account, Research
from sdr_kit.errors import RateLimited, SdrKitError, Transient, classify
from sdr_kit.research.brief import BRIEFS
from sdr_kit.research.http import open_client
from sdr_kit.research.sandbox import Sandbox
from sdr_kit.research.sandbox_server import SandboxCall
from sdr_kit.settings import Settings


@pytest.fixture
def anyio_backend(
    virtual_time: tuple[str, dict[str, object]],
) -> tuple[str, dict[str, object]]:
    """The server's waits take no time here, and are exact."""
    return virtual_time


def accounts(count: int) -> list[Account]:
    return [Account(company_name=f"Company {n}", position=n) for n in range(count)]


async def ask(
    sandbox: Sandbox, asked: Sequence[Account], *, at_once: int = 50
) -> list[Any]:
    """Asks about each once; gives a Research or an exception for each."""
    gate = asyncio.Semaphore(at_once)

    async def one(account: Account) -> Research:
        async with gate:
            return await sandbox(account)

    return await asyncio.gather(*map(one, asked), return_exceptions=True)


def said(results: Sequence[object]) -> list[str]:
    """Tells results apart by what they are; when, and request ids, left out."""
    return [
        f"{result.fields} {result.tier} {result.priority_score} {sources(result)}"
        if isinstance(result, Research)
        else f"{type(result).__name__} {str(result).partition('request req')[0]}"
        for result in results
    ]


def sources(research: Research) -> list[str | None]:
    return [each.source for proof in research.evidence.values() for each in proof]


async def test_everything_it_says_is_visibly_synthetic() -> None:
    async with Sandbox(latency=0) as sandbox:
        research = await sandbox(Account(company_name="Acme <b>", industry="anvils"))
    summary, findings = research.fields["summary"], str(research.fields["findings"])
    assert str(summary).startswith("SYNTHETIC: Acme <b> is an invented company")
    assert 2 <= len(findings.splitlines()) <= 4
    assert all(line.startswith("SYNTHETIC: ") for line in findings.splitlines())
    assert sources(research)
    for source in sources(research):
        assert str(source).startswith("https://sandbox.invalid/")
    for proof in research.evidence.values():
        assert all(each.quote.startswith("SYNTHETIC: ") for each in proof)
    assert str(research.fields["tier_reason"]).startswith("SYNTHETIC: ")
    assert Sandbox.synthetic
    assert not Sandbox.paid
    assert sandbox.fingerprint is None  # nothing invented stands for a fact
    assert sandbox.name == "Sandbox"


@pytest.mark.parametrize("brief", BRIEFS)
async def test_it_answers_every_brief_and_says_what_the_call_took(brief: str) -> None:
    async with Sandbox(brief, latency=0) as sandbox:
        results = await ask(sandbox, accounts(60))
    assert not [result for result in results if isinstance(result, Exception)]
    assert {result.tier for result in results} == {"A", "B", "C"}
    assert sandbox.requests == 60  # every answer fits at once
    questions = sandbox.briefs[0].questions
    for result in results:
        assert set(questions) < set(result.fields)
        assert result.usage.input_tokens > 0
        assert result.usage.output_tokens > 0
        assert result.usage.searches == 1
        assert result.cost_usd == 0
        assert result.request_id.startswith("req_sandbox_")
    known = [result.fields[field] for result in results for field in questions]
    assert 0 < known.count(None) < len(known) / 4  # nobody finds everything


async def test_it_says_what_is_left_of_the_minute() -> None:
    async with Sandbox(latency=0, requests_per_minute=5) as sandbox:
        for left in (4, 3):
            research = await sandbox(accounts(1)[0])
            assert research.limits is not None
            assert research.limits.requests_limit == 5
            assert research.limits.requests_remaining == left
            assert research.limits.requests_reset_seconds == 60


async def test_it_speaks_to_no_other_server_and_with_no_key_of_the_settings() -> None:
    settings = Settings(
        openai_api_key=SecretStr("sk-real"), openai_api="chat", openai_model="sandbox"
    )
    async with Sandbox(latency=0, settings=settings) as sandbox:
        research = await sandbox(accounts(1)[0])
        assert sandbox.log[0].status == 200
    assert research.cost_usd == 0


async def test_tiers_have_sensible_shares_and_priorities_agree_with_them() -> None:
    async with Sandbox(latency=0) as sandbox:
        results = await ask(sandbox, accounts(400))
    tiers = Counter(result.tier for result in results)
    assert 40 <= tiers["A"] <= 80
    assert 110 <= tiers["B"] <= 170
    ranges = {"A": range(8, 11), "B": range(5, 8), "C": range(1, 5)}
    for result in results:
        assert result.priority_score in ranges[result.tier]


FAULTS: dict[str, Any] = {
    "server_error_rate": 0.15,
    "overloaded_rate": 0.15,
    "drop_rate": 0.15,
    "broken_json_rate": 0.15,
}


async def test_the_same_accounts_meet_the_same_fate_at_every_concurrency() -> None:
    """At every opening, too, and in any order."""
    sandbox = Sandbox(latency=0.001, seed=3, **FAULTS)
    asked = accounts(60)
    async with sandbox:
        first = said(await ask(sandbox, asked, at_once=50))
        again = said(await ask(sandbox, asked, at_once=50))
    async with sandbox:
        slowly = said(await ask(sandbox, asked, at_once=3))
    async with sandbox:
        backwards = said(await ask(sandbox, asked[::-1], at_once=7))[::-1]
    assert first == slowly == backwards
    assert first != again  # another try is another fate
    assert len({line.split()[0] for line in first}) >= 3


async def test_another_seed_is_another_provider() -> None:
    results = []
    for seed in (1, 2):
        async with Sandbox(latency=0, seed=seed) as sandbox:
            results.append(said(await ask(sandbox, accounts(5))))
    assert results[0] != results[1]


@pytest.mark.parametrize(
    ("rate", "message", "status"),
    [
        ("server_error_rate", "The server had an error. (HTTP 500", 500),
        ("overloaded_rate", "Overloaded; try later. (HTTP 503", 503),
        ("drop_rate", "Server disconnected", None),
        ("broken_json_rate", "Invalid JSON", None),
    ],
)
async def test_each_fault_is_passing_trouble_that_says_what_it_is(
    rate: str, message: str, status: int | None
) -> None:
    options: dict[str, Any] = {rate: 1.0}
    async with Sandbox(latency=0.001, **options) as sandbox:
        (error,) = await ask(sandbox, accounts(1))
    verdict = classify(error)
    assert (verdict.kind, verdict.http_status) == ("transient", status)
    assert message in verdict.message
    assert "OpenAI" not in verdict.message


@pytest.mark.slow
async def test_latency_is_the_mean_and_scales_with_time() -> None:
    slow = await seconds_of(Sandbox(latency=2.0, sigma=0.5, seed=5), 400)
    quick = await seconds_of(
        Sandbox(latency=2.0, sigma=0.5, seed=5, time_scale=0.05), 400
    )
    # 400 draws have a standard error of 0.5 / sqrt(400) of the mean.
    assert statistics.mean(slow) == pytest.approx(2.0, rel=0.08)
    assert statistics.median(slow) == pytest.approx(2.0 * math.exp(-0.125), rel=0.1)
    assert quick == pytest.approx([0.05 * seconds for seconds in slow])
    steady = await seconds_of(Sandbox(latency=2.0, sigma=0), 3)
    assert steady == pytest.approx([2.0] * 3)


async def seconds_of(sandbox: Sandbox, count: int) -> list[float]:
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(50)

    async def one(account: Account) -> float:
        async with gate:
            started = loop.time()
            await sandbox(account)
            return loop.time() - started

    async with sandbox:
        return await asyncio.gather(*map(one, accounts(count)))


async def test_more_than_the_cap_at_once_are_refused() -> None:
    async with Sandbox(latency=0.2, sigma=0, concurrency_cap=3) as sandbox:
        results = await ask(sandbox, accounts(8))
        refused = [result for result in results if isinstance(result, RateLimited)]
        assert len(refused) == 5
        assert {error.retry_after for error in refused} == {None}
        assert classify(refused[0]).http_status == 429
        # All slots are free again by the time the answers are here.
        assert not any(
            isinstance(result, Exception)
            for result in await ask(sandbox, accounts(3), at_once=3)
        )
    assert sandbox.requests == 11


async def test_at_the_cap_nothing_is_refused_however_many_follow() -> None:
    async with Sandbox(latency=0.002, concurrency_cap=4) as sandbox:
        results = await ask(sandbox, accounts(100), at_once=4)
    assert all(isinstance(result, Research) for result in results)


async def test_a_client_that_leaves_frees_its_slot() -> None:
    async with Sandbox(latency=30, sigma=0, concurrency_cap=1) as sandbox:
        waiting = asyncio.create_task(sandbox(accounts(1)[0]))
        await until_asked(sandbox, 1)
        with pytest.raises(RateLimited):
            await sandbox(accounts(2)[1])
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0.01)  # for the server to notice
        assert isinstance(await sandbox(accounts(3)[2]), Research)


async def until_asked(sandbox: Sandbox, count: int) -> None:
    async with asyncio.timeout(5):
        while sandbox.requests < count:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.001)


async def test_requests_above_the_minutes_limit_are_told_when_to_come_back() -> None:
    async with Sandbox(latency=0, requests_per_minute=5, time_scale=0.05) as sandbox:
        results = await ask(sandbox, accounts(9), at_once=1)
        refused = [result for result in results if isinstance(result, RateLimited)]
        assert len(refused) == 4
        # The window of 60 s takes 3 s here, and has just begun.
        waits = [error.retry_after or 0 for error in refused]
        assert waits == [3.0] * 4
        response = await post(sandbox)
        assert response.status_code == 429
        assert response.headers["Retry-After"] == "3"
        assert response.headers["retry-after-ms"] == "3000"
        assert response.json()["error"]["code"] == "rate_limit_exceeded"
        assert response.headers["x-request-id"]
    assert [call.status for call in sandbox.log] == [200] * 5 + [429] * 5
    assert sandbox.log[5].retry_after == waits[0]


async def post(sandbox: Sandbox, **changes: object) -> httpx.Response:
    body = {"model": "m", "input": "Who is Acme?", **changes}
    async with open_client(base_url=sandbox.base_url, timeout_seconds=5) as client:
        return await client.post("responses", json=body)


async def test_who_obeys_retry_after_is_let_in_at_once() -> None:
    async with Sandbox(
        latency=1, requests_per_minute=2, time_scale=0.05
    ) as sandbox:  # windows of 3 s
        await asyncio.sleep(100)
        for _ in range(20):
            assert all(
                isinstance(result, Research)
                for result in await ask(sandbox, accounts(2), at_once=1)
            )
            (error,) = await ask(sandbox, accounts(1))
            assert isinstance(error, RateLimited)
            assert 2.5 < (error.retry_after or 0) < 3
            await asyncio.sleep(error.retry_after or 0)


async def test_in_an_outage_every_request_fails_at_once_and_then_none() -> None:
    async with Sandbox(latency=0, time_scale=0.05, outage=(0, 6)) as sandbox:
        out = await ask(sandbox, accounts(20))
        assert {type(error) for error in out} == {Transient, httpx.RemoteProtocolError}
        await asyncio.sleep(0.31)  # 6 s, scaled, and a little
        back = await ask(sandbox, accounts(20))
        assert all(isinstance(result, Research) for result in back)
    assert {call.status for call in list(sandbox.log)[:20]} == {503, None}


async def test_an_outage_comes_when_it_is_due() -> None:
    async with Sandbox(latency=0, time_scale=0.05, outage=(2, 600)) as sandbox:
        assert isinstance((await ask(sandbox, accounts(1)))[0], Research)
        await asyncio.sleep(0.1)
        assert isinstance((await ask(sandbox, accounts(1)))[0], Exception)


async def test_the_server_answers_others_in_the_format_of_openai() -> None:
    async with Sandbox(latency=0) as sandbox:
        response = await post(sandbox, input=[{"role": "user", "content": "Acme?"}])
        body = response.json()
        assert body["status"] == "completed"
        assert body["model"] == "m"
        assert body["usage"]["total_tokens"] == (
            body["usage"]["input_tokens"] + body["usage"]["output_tokens"]
        )
        message = body["output"][-1]["content"][0]
        assert json.loads(message["text"])["tier"] in "ABC"
        async with open_client(base_url=sandbox.base_url, timeout_seconds=5) as client:
            statuses = [
                (await client.post("responses", content=b"{")).status_code,
                (await client.post("responses", json={"model": "m"})).status_code,
                (await client.post("responses", json=[1])).status_code,
                (await client.get("responses")).status_code,
                (await client.post("chat/completions", json={})).status_code,
            ]
    assert statuses == [400, 400, 400, 405, 404]


async def test_the_log_has_every_call_since_opening() -> None:
    async with Sandbox(latency=0) as sandbox:
        await sandbox(Account(company_name="Acme", domain="acme.example"))
        assert sandbox.requests == 1
        (call,) = sandbox.log
        assert call == SandboxCall(
            seconds=call.seconds, status=200, account="acme.example"
        )
        assert call.seconds == 0.0
    async with sandbox:
        assert (sandbox.requests, len(sandbox.log)) == (0, 0)


async def test_it_has_an_address_only_while_it_is_open() -> None:
    sandbox = Sandbox()
    with pytest.raises(SdrKitError, match="only while it is open"):
        _ = sandbox.base_url
    with pytest.raises(SdrKitError, match="Sandbox is not open"):
        await sandbox(accounts(1)[0])
    async with sandbox:
        address = sandbox.base_url
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/v1")
    async with open_client(base_url=address, timeout_seconds=5) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("responses", json={})


async def test_it_closes_at_once_with_requests_under_way() -> None:
    sandbox = Sandbox(latency=60)
    async with sandbox:
        asking = [asyncio.create_task(sandbox(account)) for account in accounts(20)]
        await until_asked(sandbox, 20)
        async with open_client(base_url=sandbox.base_url, timeout_seconds=60) as client:
            others = asyncio.create_task(client.post("responses", json={"input": "x"}))
            await until_asked(sandbox, 21)
            started = asyncio.get_running_loop().time()
            await sandbox.__aexit__(None, None, None)
            assert asyncio.get_running_loop().time() - started < 0.5
            results = await asyncio.gather(*asking, others, return_exceptions=True)
            await sandbox.__aenter__()
    assert all(isinstance(result, httpx.TransportError) for result in results)


def test_a_cancelled_run_leaves_nothing_behind() -> None:
    """No task, no socket, no warning, also in asyncio's debug mode."""
    complaints: list[dict[str, Any]] = []

    async def run(sandbox: Sandbox) -> None:
        async with sandbox, asyncio.TaskGroup() as group:
            for account in accounts(10):
                group.create_task(sandbox(account))

    async def cancel_in_the_middle() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        sandbox = Sandbox(latency=60)
        running = asyncio.create_task(run(sandbox))
        await until_asked(sandbox, 10)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert not sandbox.is_open
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(cancel_in_the_middle(), debug=True)
        gc.collect()
    assert not complaints
    assert not caught


def test_it_may_be_opened_on_one_loop_after_another() -> None:
    sandbox = Sandbox(latency=0)

    async def once() -> list[str]:
        async with sandbox:
            return said(await ask(sandbox, accounts(3)))

    assert asyncio.run(once()) == asyncio.run(once())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latency": -1}, "latency is -1; it must be 0 to 600"),
        ({"latency": "fast"}, "latency is 'fast'; it must be a number"),
        ({"sigma": float("nan")}, "sigma is nan; it must be 0 to 3"),
        ({"time_scale": 0.01}, "time_scale is 0.01; it must be 0.05 to 10"),
        ({"concurrency_cap": 0}, "concurrency_cap is 0; it must be a whole number"),
        ({"requests_per_minute": 1.5}, "requests_per_minute is 1.5; it must be a wh"),
        ({"drop_rate": 1.1}, "drop_rate is 1.1; it must be 0 to 1"),
        ({"drop_rate": 0.6, "overloaded_rate": 0.6}, "the sum of .* is 1.2; it must"),
        ({"outage": (-1, 5)}, "the start of the outage is -1; it must be 0 to"),
        ({"outage": (1, True)}, "the length of the outage is True; it must be"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_option_outside_its_range_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Sandbox(**options)
