"""What holds for every provider, whichever format it speaks."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

import sdr_kit
from sdr_kit.account import RateLimits, Research
from sdr_kit.errors import SdrKitError, SettingsError, Verdict, classify
from sdr_kit.research.brief import Brief
from sdr_kit.research.http import MAX_BODY_BYTES
from sdr_kit.research.provider import ProviderResearcher
from tests.accounts import made_up
from tests.providers import (
    ACME,
    FITS,
    KEY,
    PRICES,
    SPEAKERS,
    UNFIT,
    Speaker,
    anthropic_problem,
    openai_problem,
)
from tests.servers import (
    Act,
    Exchange,
    RawServer,
    answer,
    hang_up,
    in_turn,
    keep_silent,
    reset,
)


@pytest.fixture(params=SPEAKERS)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return SPEAKERS[request.param]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


@pytest.fixture
async def researcher(
    server: RawServer, speaker: Speaker
) -> AsyncIterator[ProviderResearcher]:
    async with speaker.open(server) as opened:
        yield opened


def shown(error: BaseException) -> str:
    """Everything that a traceback, a log or a curious person could show of it."""
    seen = "".join(traceback.format_exception(error))
    each: BaseException | None = error
    while each is not None:
        parts = [getattr(each, name, None) for name in ("response", "_request")]
        seen += f"{each!r} {vars(each)}"
        for part in filter(None, parts):
            raw = getattr(part, "headers", httpx.Headers()).raw
            seen += f"{part!r} {vars(part)} {raw}"
        each = each.__cause__ or each.__context__
    return seen


async def failure(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher, act: Act
) -> Verdict:
    """Asks once, and gives what the failure means; it never shows the key."""
    server.on(speaker.path, act)
    with pytest.raises((SdrKitError, httpx.HTTPError)) as caught:
        await researcher(ACME)
    verdict = classify(caught.value)
    assert KEY not in f"{shown(caught.value)} {verdict!r}"
    return verdict


async def test_an_answer_becomes_a_research_with_its_evidence_and_its_bill(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    act = answer(speaker.says(FITS), headers={"x-request-id": "req_1"})
    server.on(speaker.path, act)
    research = await researcher(ACME)
    assert research.fields["summary"] == "Acme makes anvils."
    assert research.fields["decision_makers"] is None
    assert (research.tier, research.priority_score) == ("A", 9)
    (proof,) = research.evidence["summary"]
    assert (proof.source, proof.quote) == ("https://acme.de/news", "We raised.")
    assert research.usage is not None
    assert research.usage.input_tokens == 1000
    assert research.usage.output_tokens == 100
    assert research.usage.searches == speaker.searches
    assert research.cost_usd == pytest.approx(speaker.dollars)
    assert research.request_id == "req_1"
    (exchange,) = server.exchanges
    asked = exchange.body.decode()
    assert "Acme GmbH" in asked
    assert "arr" not in json.loads(asked)
    assert exchange.headers["content-type"] == "application/json"
    assert researcher.notices == ()


REFUSED: dict[str, tuple[int, object, str]] = {
    "wrong key": (401, openai_problem(f"Bad {KEY}.", "invalid_api_key"), "stop"),
    "wrong key, other": (401, anthropic_problem("x", "authentication_error"), "stop"),
    "no money": (402, openai_problem("Insufficient balance"), "stop"),
    "no money, other": (402, anthropic_problem("Pay.", "billing_error"), "stop"),
    "forbidden": (403, b"<html>Blocked</html>", "stop"),
    "no permission": (403, anthropic_problem("No.", "permission_error"), "stop"),
    "country": (403, openai_problem("x", "unsupported_country_region"), "stop"),
    "moderated": (403, openai_problem("Your input was flagged", 403), "permanent"),
    "no quota": (429, openai_problem("Pay.", "insufficient_quota"), "stop"),
    "by type": (429, openai_problem("Pay.", None, "insufficient_quota"), "stop"),
    "credit": (
        429,
        openai_problem("Pay.", "credit_balance_exhausted", "insufficient_quota"),
        "stop",
    ),
    "project": (429, openai_problem("x", "project_spend_limit_exceeded"), "stop"),
    "usage": (429, openai_problem("x", "organization_usage_limit_exceeded"), "stop"),
    "billing": (429, openai_problem("x", "billing_not_active"), "stop"),
    "spend limit": (
        429,
        anthropic_problem("x", "rate_limit_error", "enforced_spend_limit_reached"),
        "stop",
    ),
    "contract": (
        429,
        anthropic_problem("x", "rate_limit_error", "contract_spend_limit_reached"),
        "stop",
    ),
    "own limit": (
        400,
        anthropic_problem("You have reached your specified API usage limits."),
        "stop",
    ),
    "no credit": (
        400,
        anthropic_problem("Your credit balance is too low to access the API."),
        "stop",
    ),
    "spend limit, in words": (
        429,
        anthropic_problem(
            "This request would exceed your account's monthly spend limit.",
            "rate_limit_error",
        ),
        "stop",
    ),
    "rate limit, in words": (
        429,
        anthropic_problem(
            "This request would exceed your organization's rate limit of 30,000 input "
            "tokens per minute.",
            "rate_limit_error",
        ),
        "rate_limited",
    ),
    "no such model": (404, openai_problem("No gpt-9.", "model_not_found"), "stop"),
    "no such model, other": (
        404,
        anthropic_problem("model: m", "not_found_error"),
        "stop",
    ),
    "no model, by Ollama": (404, openai_problem('model "x" not found'), "stop"),
    "ramp": (
        429,
        anthropic_problem("x", "rate_limit_error", "ramp_limit_exceeded"),
        "rate_limited",
    ),
    "slow down": (503, openai_problem("x", "slow_down"), "rate_limited"),
    "overloaded": (529, anthropic_problem("x", "overloaded_error"), "rate_limited"),
    "overloaded, no word": (529, b"[" * 100_000, "rate_limited"),
    "rate limit": (429, openai_problem("Slow.", "rate_limit_exceeded"), "rate_limited"),
    "rate limit, no word": (429, b"", "rate_limited"),
    "bad request": (400, openai_problem("Unknown tool.", 400), "permanent"),
    "bad request, other": (400, anthropic_problem("max_tokens: no"), "permanent"),
    "too large": (413, {"error": "a text where an object should be"}, "permanent"),
    "a list": (422, {"detail": [{"loc": ["body"]}]}, "permanent"),
    "redirect": (308, b"", "permanent"),
    "request timeout": (408, b"", "transient"),
    "conflict": (409, openai_problem("Locked."), "transient"),
    "api error": (500, anthropic_problem("Oops.", "api_error"), "transient"),
    "bad gateway": (502, b"\xff\xfe" + b"<html>" * 999, "transient"),
    "unavailable": (503, openai_problem("x", "server_is_overloaded"), "transient"),
    "gateway timeout": (504, anthropic_problem("x", "timeout_error"), "transient"),
}


@pytest.mark.parametrize(("status", "body", "kind"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_means_what_its_status_and_code_say(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    status: int,
    body: object,
    kind: str,
) -> None:
    # Once it has answered, nobody wonders whether it is the schema that it cannot do.
    server.on(speaker.path, answer(speaker.says(FITS)))
    await researcher(ACME)
    act = answer(body, status=status, headers={"request-id": "req_42"})
    verdict = await failure(server, speaker, researcher, act)
    assert (verdict.kind, verdict.http_status) == (kind, status)
    assert verdict.message.startswith(f"{speaker.called}: ")
    assert f"HTTP {status}" in verdict.message
    assert "req_42" in verdict.message
    assert verdict.request_id == "req_42"
    assert len(verdict.message) < 500
    assert len(server.exchanges) == 2


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "true", "transient"),
        (401, "true", "transient"),
        (429, "true", "rate_limited"),
        (500, "true", "transient"),
        (429, "false", "permanent"),
        (529, "false", "permanent"),
        (503, "FALSE ", "permanent"),
        (401, "false", "stop"),
        (400, "perhaps", "permanent"),
    ],
)
async def test_the_providers_own_word_on_retries_is_taken(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    status: int,
    said: str,
    kind: str,
) -> None:
    act = answer(b"{}", status=status, headers={"x-should-retry": said})
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.kind == kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, openai_problem("Pay.", "insufficient_quota")),
        (429, anthropic_problem("x", "rate_limit_error", "spend_limit_reached")),
        (429, anthropic_problem("You have reached your API usage limits: …")),
        (400, anthropic_problem("Your credit balance is too low.")),
        (401, openai_problem("Incorrect key.", "invalid_api_key")),
    ],
)
async def test_no_word_on_retries_brings_money_or_a_key(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    status: int,
    body: object,
) -> None:
    act = answer(body, status=status, headers={"x-should-retry": "true"})
    assert (await failure(server, speaker, researcher, act)).kind == "stop"


@pytest.mark.parametrize("charset", ["hex", "zlib", "undefined", "utf-16", "rot13"])
async def test_a_refusal_in_a_strange_encoding_is_understood_all_the_same(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher, charset: str
) -> None:
    act = answer(
        openai_problem("Slow down."),
        status=429,
        headers={"Content-Type": f"text/html; charset={charset}"},
    )
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.kind == "rate_limited"
    assert "Slow down." in verdict.message


@pytest.mark.parametrize("before", [[], [UNFIT]], ids=["first", "second"])
async def test_an_answer_that_is_too_large_is_final_for_the_account(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    before: list[str],
) -> None:
    paid = [answer(speaker.says(text)) for text in before]
    act = in_turn(*paid, answer(b" " * (MAX_BODY_BYTES + 1)))
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.kind == "permanent"
    assert verdict.message.startswith(f"{speaker.called}: BodyTooLarge")
    assert (verdict.usage is not None) == bool(before)


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = {
    "Date": format_datetime(NOW, usegmt=True),
    "Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"retry-after-ms": "120", "Retry-After": "1"}, 0.12),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        (LATER, 90.0),
    ],
    ids=str,
)
async def test_a_refusal_says_how_long_to_wait(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    status: int,
    headers: dict[str, str],
    seconds: float | None,
) -> None:
    act = answer(openai_problem("Slow down."), status=status, headers=headers)
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.retry_after == seconds


OPENAI_LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "29000",
    "x-ratelimit-reset-tokens": "6m0s",
}
ANTHROPIC_LIMITS = {
    "Date": format_datetime(NOW, usegmt=True),
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:30Z",
    "anthropic-ratelimit-tokens-limit": "90000",
    "anthropic-ratelimit-tokens-remaining": "80000",
    "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:05.5Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "100",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-23T13:01:00+01:00",
}


def reset_in(seconds: float) -> dict[str, float]:
    return {"requests_reset_seconds": seconds}


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        (
            OPENAI_LIMITS,
            RateLimits(
                requests_limit=500,
                requests_remaining=499,
                requests_reset_seconds=0.12,
                tokens_limit=30_000,
                tokens_remaining=29_000,
                tokens_reset_seconds=360,
            ),
        ),
        (
            ANTHROPIC_LIMITS,
            RateLimits(
                requests_limit=50,
                requests_remaining=49,
                requests_reset_seconds=30,
                tokens_limit=8_000,
                tokens_remaining=100,
                tokens_reset_seconds=60,
            ),
        ),
        ({"x-ratelimit-remaining-requests": "0"}, RateLimits(requests_remaining=0)),
        ({"x-ratelimit-remaining-requests": "many"}, None),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, RateLimits(**reset_in(3723.5))),
        ({"x-ratelimit-reset-requests": "20ms"}, RateLimits(**reset_in(0.02))),
        ({"x-ratelimit-reset-requests": "1.5"}, RateLimits(**reset_in(1.5))),
        ({"x-ratelimit-reset-requests": "soon 5s"}, None),
        ({"x-ratelimit-reset-requests": "9" * 400 + "s"}, None),
        ({"anthropic-ratelimit-requests-reset": "2026-13-45T99:00:00Z"}, None),
        ({}, None),
    ],
    ids=range(11),
)
async def test_what_remains_is_read_from_answers_and_refusals(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    headers: dict[str, str],
    limits: RateLimits | None,
) -> None:
    server.on(speaker.path, answer(speaker.says(FITS), headers=headers))
    assert (await researcher(ACME)).limits == limits
    act = answer(b"{}", status=429, headers=headers)
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.limits == limits


async def test_a_request_id_in_the_body_is_kept_as_well(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    act = answer(anthropic_problem("max_tokens: no"), status=400)
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.request_id == "req_body"
    assert "request req_body" in verdict.message


async def test_a_refusal_says_nothing_unseen_and_nothing_endless(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    body = anthropic_problem("No\x1b[31m\u202e\x00 way\nat all") | {
        "request_id": "r\x1b" + "9" * 1000
    }
    verdict = await failure(server, speaker, researcher, answer(body, status=400))
    assert verdict.message.startswith(f"{speaker.called}: No[31m way at all (HTTP 400")
    assert verdict.message.isprintable()
    assert verdict.request_id is not None
    assert verdict.request_id.startswith("r999")
    assert len(verdict.request_id) <= 100


async def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    acts = (answer(speaker.says(UNFIT)), answer(speaker.says(FITS)))
    server.on(speaker.path, in_turn(*acts))
    research = await researcher(ACME)
    assert research.tier == "A"
    assert research.usage is not None
    assert research.usage.input_tokens == 2000
    assert research.cost_usd == pytest.approx(2 * speaker.dollars)
    first, second = (exchange.body.decode() for exchange in server.exchanges)
    assert "does not fit the form: tier: " in second
    assert "does not fit the form" not in first
    for part in ("Acme GmbH", '"D', "Acme makes anvils."):
        assert part.replace('"', '\\"') in second or part in second


async def test_a_second_answer_that_does_not_fit_fails_and_keeps_the_text(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    act = answer(speaker.says(UNFIT), headers={"x-request-id": "req_2"})
    verdict = await failure(server, speaker, researcher, act)
    assert len(server.exchanges) == 2
    assert verdict.kind == "permanent"
    assert "the answer does not fit the brief (tier: " in verdict.message
    assert "req_2" in verdict.message
    assert json.loads(str(verdict.raw)) == json.loads(UNFIT)
    assert verdict.usage is not None
    assert verdict.usage.output_tokens == 200
    assert verdict.usage.cost_usd == pytest.approx(2 * speaker.dollars)


@pytest.mark.parametrize(
    "then", [answer(b"{}", status=500), hang_up, reset], ids=["500", "close", "reset"]
)
async def test_what_was_paid_before_a_failure_is_not_forgotten(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher, then: Act
) -> None:
    act = in_turn(answer(speaker.says(UNFIT)), then)
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.kind == "transient"
    assert verdict.usage is not None
    assert verdict.usage.input_tokens == 1000
    assert len(server.exchanges) == 2


async def test_what_was_paid_before_a_cut_is_not_forgotten(
    server: RawServer, speaker: Speaker
) -> None:
    """The first answer does not fit, and the second is not waited for."""
    server.on(speaker.path, in_turn(answer(speaker.says(UNFIT)), keep_silent))
    settings = sdr_kit.Settings(account_timeout_seconds=0.5, max_api_retries=0)
    run = await sdr_kit.process(
        made_up(1),
        speaker.open(server, settings=settings),
        store="memory",
        settings=settings,
    )
    assert len(server.exchanges) == 2
    assert "ACCOUNT_TIMEOUT_SECONDS" in run.frame["error_message"].iloc[0]
    assert run.summary.cost_usd == pytest.approx(speaker.dollars)


def several(server: RawServer, speaker: Speaker) -> ProviderResearcher:
    general = Brief.load("general")
    other = general.model_copy(update={"name": "other"})
    address = f"{server.address}/v1"
    return speaker.make([general, other], api_key=KEY, base_url=address, prices=PRICES)


async def test_what_was_paid_before_a_cut_is_counted_once_for_several_briefs(
    server: RawServer, speaker: Speaker
) -> None:
    fits = answer(speaker.says(FITS))
    server.on(speaker.path, in_turn(fits, keep_silent, fits))
    settings = sdr_kit.Settings(account_timeout_seconds=0.5, max_api_retries=1)
    researcher = several(server, speaker)
    run = await sdr_kit.process(
        made_up(1), researcher, store="memory", settings=settings
    )
    assert run.summary.completed == 1
    assert len(server.exchanges) == 3
    assert run.summary.cost_usd == pytest.approx(2 * speaker.dollars)


async def test_what_was_answered_before_the_last_cut_is_kept_for_several_briefs(
    server: RawServer, speaker: Speaker
) -> None:
    server.on(speaker.path, in_turn(answer(speaker.says(FITS)), keep_silent))
    run = await sdr_kit.process(
        made_up(1),
        several(server, speaker),
        store="memory",
        settings=sdr_kit.Settings(account_timeout_seconds=0.5, max_api_retries=0),
    )
    assert run.summary.failed == 1
    assert run.frame["general.summary"].iloc[0] == "Acme makes anvils."
    assert run.frame["cost_usd"].iloc[0] == pytest.approx(speaker.dollars)
    assert run.summary.cost_usd == pytest.approx(speaker.dollars)


@pytest.mark.parametrize("briefs", [1, 2])
async def test_what_was_paid_before_the_run_was_cancelled_is_not_forgotten(
    server: RawServer, speaker: Speaker, briefs: int
) -> None:
    first = UNFIT if briefs == 1 else FITS
    arrived = asyncio.Event()

    async def arrive(exchange: Exchange) -> None:
        arrived.set()
        await keep_silent(exchange)

    server.on(speaker.path, in_turn(answer(speaker.says(first)), arrive))
    researcher = several(server, speaker) if briefs > 1 else speaker.open(server)
    job = sdr_kit.start(made_up(1), researcher, store="memory")
    async with asyncio.timeout(10):
        await arrived.wait()
    job.cancel()
    run = await job.finished()
    assert run.attempts["outcome"].tolist() == ["cancelled"]
    assert run.attempts["message"].tolist() == [None]
    assert run.summary.cost_usd == pytest.approx(speaker.dollars)


GARBAGE: dict[str, tuple[object, str, str]] = {
    "half a document": (b'{"status": "comple', "transient", "Invalid JSON"),
    "no document": (b"", "transient", "Invalid JSON"),
    "a page": (b"<html>Log in</html>", "transient", "Invalid JSON"),
    "no UTF-8": (b'{"status": "\xff"}', "transient", "Invalid JSON"),
    "deep": (b"[" * 100_000, "transient", "Invalid JSON"),
    "a list": ([], "transient", "not of the"),
    "null": (None, "transient", "not of the"),
    "nothing": ({}, "transient", "not of the"),
    "another format": ({"hello": "world"}, "transient", "not of the"),
    "error, overloaded": (
        anthropic_problem("Busy.", "overloaded_error"),
        "rate_limited",
        "Busy",
    ),
    "error, by number": (openai_problem("Gone.", 502), "transient", "Gone"),
    "error, no credit": (openai_problem("Pay.", 402), "stop", "Pay"),
    "error, wrong": (
        openai_problem("Bad prompt.", "invalid_prompt"),
        "permanent",
        "Bad prompt",
    ),
    "error, unheard of": (openai_problem("Hm.", "hm"), "transient", "Hm"),
    "no such page": (
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        "stop",
        "Unexpected endpoint",
    ),
    "error, a text": ({"error": "Oops."}, "transient", "Oops"),
    "not gzip": (b"", "transient", "ontent"),
}


@pytest.mark.parametrize(("body", "kind", "says"), GARBAGE.values(), ids=GARBAGE)
async def test_what_comes_with_status_200_may_be_no_answer(
    server: RawServer,
    speaker: Speaker,
    researcher: ProviderResearcher,
    request: pytest.FixtureRequest,
    body: object,
    kind: str,
    says: str,
) -> None:
    headers = {"retry-after-ms": "1500"}
    if "not gzip" in request.node.name:
        headers["Content-Encoding"] = "gzip"
        body = b"not gzip"
    act = answer(body, headers=headers)
    verdict = await failure(server, speaker, researcher, act)
    assert verdict.kind == kind
    assert says in verdict.message
    assert verdict.retry_after == (1.5 if kind == "rate_limited" else None)
    assert len(server.exchanges) == 1


async def test_a_dropped_connection_is_passing_trouble(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    verdict = await failure(server, speaker, researcher, hang_up)
    assert verdict.kind == "transient"
    assert verdict.message.startswith("RemoteProtocolError")
    assert len(server.exchanges) == 1


async def test_without_prices_tokens_are_counted_and_that_is_told_once(
    server: RawServer, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    server.on(speaker.path, answer(speaker.says(FITS)))
    async with speaker.open(server, prices=None) as local:
        research = await local(ACME)
        assert not local.paid
        assert research.cost_usd == 0  # this machine charges nothing
        assert local.notices == ()
    far = speaker.make(api_key=KEY, base_url="http://10.0.0.1:8000/v1")
    assert far.paid
    async with far, far:
        (notice,) = far.notices
    assert "_PRICES is not set" in notice
    assert caplog.messages == [notice]


async def test_prices_of_the_settings_are_for_their_own_model_alone(
    server: RawServer, speaker: Speaker
) -> None:
    prices = "input=1,output=1,as_of=2026-11-01"
    settings = sdr_kit.Settings(openai_prices=prices, anthropic_prices=prices)
    server.on(speaker.path, answer(speaker.says(FITS)))
    async with speaker.open(server, prices=None, settings=settings) as known:
        assert known.paid
        assert (await known(ACME)).cost_usd == pytest.approx(0.0011)
    async with speaker.open(
        server, prices=None, settings=settings, model="other"
    ) as unknown:
        assert (await unknown(ACME)).cost_usd == 0


def test_wrong_prices_are_refused(speaker: Speaker) -> None:
    with pytest.raises(SettingsError, match=r"_PRICES: .* is missing"):
        speaker.make(api_key=KEY, prices="input=1")


async def test_a_server_that_needs_no_key_is_sent_none(
    server: RawServer, speaker: Speaker
) -> None:
    server.on(speaker.path, answer(speaker.says(FITS)))
    async with speaker.open(server, api_key=None) as researcher:
        await researcher(ACME)
    headers = server.exchanges[0].headers
    assert not {"authorization", "x-api-key"} & set(headers)


def test_the_fingerprint_tells_who_is_asked_for_what(speaker: Speaker) -> None:
    first = speaker.make(api_key=KEY)
    assert first.fingerprint == speaker.make(api_key="sk-other").fingerprint
    assert KEY not in first.fingerprint
    others = [
        speaker.make("customer-identity", api_key=KEY),
        speaker.make(api_key=KEY, model="other"),
        speaker.make(api_key=KEY, base_url="http://localhost:11434/v1"),
    ]
    assert len({first.fingerprint, *(each.fingerprint for each in others)}) == 4


@pytest.mark.parametrize("key", ["sk-1 sk-2", "sk-1\r\nX: y", "sk-ä"])
def test_an_impossible_key_is_refused_at_once(speaker: Speaker, key: str) -> None:
    with pytest.raises(SettingsError, match="_API_KEY") as caught:
        speaker.make(api_key=key)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_any_key_the_variable_is_named(
    speaker: Speaker, key: str | None
) -> None:
    with pytest.raises(SettingsError, match="_API_KEY is not set"):
        speaker.make(api_key=key)


@pytest.mark.parametrize(
    "address", ["api.openai.com/v1", "ftp://x/v1", "http://", "http://jo:pw@x/v1"]
)
def test_an_address_that_cannot_be_is_refused_at_once(
    speaker: Speaker, address: str
) -> None:
    with pytest.raises(SettingsError, match="_BASE_URL") as caught:
        speaker.make(api_key=KEY, base_url=address)
    assert "pw" not in str(caught.value)


async def test_it_cannot_be_called_before_it_is_open(speaker: Speaker) -> None:
    researcher = speaker.make(api_key=KEY)
    with pytest.raises(SdrKitError, match=f"{speaker.called} is not open"):
        await researcher(ACME)


async def test_the_key_appears_nowhere(
    server: RawServer, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the provider repeats it, in whatever it says."""
    caplog.set_level(logging.DEBUG)
    echoes = [json.dumps(body).replace("Hm.", KEY) for _, body, _ in _documents()]
    acts = [answer(echo.encode(), status=200) for echo in echoes]
    acts += [
        answer(openai_problem(KEY, KEY, KEY), status=status, headers={"x-note": KEY})
        for status in (400, 401, 403, 404, 408, 429, 500, 529)
    ]
    acts += [hang_up, reset, answer(speaker.says(json.dumps({"summary": KEY})))]
    async with speaker.open(server) as researcher:
        for act in acts:
            verdict = await failure(server, speaker, researcher, act)
            assert KEY not in repr(verdict)
        assert KEY not in f"{researcher!r} {researcher} {vars(researcher)}"
    assert server.exchanges[0].headers.get("x-api-key", KEY) == KEY
    assert KEY not in caplog.text


def _documents() -> Iterator[tuple[str, object, str]]:
    for name, (body, kind, _) in GARBAGE.items():
        if not isinstance(body, bytes):
            yield name, body, kind


KEYS = re.findall(
    r"\w+",
    "error status output content choices message text type name input refusal usage "
    "stop_reason finish_reason output_text incomplete_details code details id role "
    "input_tokens server_tool_use web_search_requests action annotations detail",
)
WORDS = re.findall(
    r"\S+",
    "completed failed incomplete message output_text refusal tool_use report text "
    "web_search_call web_search_tool_result stop length pause_turn end_turn max_tokens "
    "rate_limit_error \ud800 { }",
)


def any_json(draw: random.Random, depth: int = 0) -> object:
    kind = draw.randrange(9 if depth < 6 else 6)
    if kind == 0:
        return draw.choice([None, True, False])
    if kind == 1:
        return draw.choice([0, -1, 7, 429, 10**30, -0.5, 1e300, float("nan")])
    if kind < 4:
        return draw.choice([*WORDS, FITS, UNFIT, ""])
    size = draw.randrange(4)
    if kind < 6:
        return [any_json(draw, depth + 1) for _ in range(size)]
    return {draw.choice(KEYS): any_json(draw, depth + 1) for _ in range(size)}


def spoiled(draw: random.Random, body: object) -> object:
    """Gives the body with some of its parts replaced by anything."""
    if draw.random() < 0.08:
        return any_json(draw, 3)
    if isinstance(body, dict):
        return {key: spoiled(draw, value) for key, value in body.items()}
    if isinstance(body, list):
        return [spoiled(draw, value) for value in body]
    return body


async def test_whatever_comes_back_is_a_research_or_one_of_our_errors(
    server: RawServer, speaker: Speaker, researcher: ProviderResearcher
) -> None:
    draw = random.Random(4)

    async def act(exchange: Any) -> None:
        wild = draw.random() < 0.3
        body = any_json(draw) if wild else spoiled(draw, speaker.says(FITS))
        await exchange.answer(json.dumps(body).encode())

    server.on(speaker.path, act)
    ends: list[Research | SdrKitError] = []
    for _ in range(400):
        try:
            ends.append(await researcher(ACME))
        except SdrKitError as error:
            classify(error)
            ends.append(error)
    found = [end for end in ends if isinstance(end, Research)]
    assert 20 < len(found) < 380
    assert len({type(end) for end in ends}) >= 3


async def test_a_bad_key_ends_a_run_of_5000_at_once(
    server: RawServer, speaker: Speaker
) -> None:
    body = openai_problem("Incorrect key.", "invalid_api_key")
    server.on(speaker.path, answer(body, status=401))
    run = await sdr_kit.process(
        made_up(5000),
        speaker.open(server),
        concurrency=10,
        store="memory",
        settings=sdr_kit.Settings(),
    )
    assert len(server.exchanges) <= 11
    assert run.summary.pending == 5000
    assert run.summary.failed == run.summary.completed == 0
