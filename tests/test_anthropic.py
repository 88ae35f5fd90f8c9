from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from sdr_kit.errors import SdrKitError, SettingsError, Verdict, classify
from sdr_kit.research.anthropic import AnthropicResearcher
from sdr_kit.research.messages import MAX_SEARCHES, TOOL
from sdr_kit.research.provider import MAX_RESUMES
from tests.providers import (
    ACME,
    FITS,
    KEY,
    MESSAGES,
    SEARCHED,
    UNFIT,
    messages_says,
    today,
)
from tests.servers import Act, Exchange, RawServer, answer, in_turn


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


@pytest.fixture
async def researcher(server: RawServer) -> AsyncIterator[AnthropicResearcher]:
    opened = MESSAGES.open(server)
    assert isinstance(opened, AnthropicResearcher)
    async with opened:
        yield opened


async def failure(
    server: RawServer, researcher: AnthropicResearcher, act: Act
) -> Verdict:
    server.on(MESSAGES.path, act)
    with pytest.raises(Exception, match=MESSAGES.called) as caught:
        await researcher(ACME)
    return classify(caught.value)


def asked(exchange: Exchange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(exchange.body)
    return body


def said(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    return {**messages_says(FITS), "content": [*blocks], "stop_reason": stop}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def failed_search(code: str) -> dict[str, Any]:
    error = {"type": "web_search_tool_result_error", "error_code": code}
    return {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": error,
    }


REPORT = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": TOOL,
    "input": json.loads(FITS),
}


async def test_it_may_search_first_and_then_reports(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    server.on(MESSAGES.path, answer(messages_says(FITS)))
    research = await researcher(ACME)
    assert research.usage is not None
    assert research.usage.input_tokens == 1000  # with what came from the cache
    assert research.usage.searches == 1
    (exchange,) = server.exchanges
    assert exchange.headers["x-api-key"] == KEY
    assert exchange.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in exchange.headers
    body = asked(exchange)
    assert body["model"] == "claude-sonnet-5"
    assert body["max_tokens"] > 4_000
    assert body["system"].startswith(researcher.briefs[0].instructions())
    question = researcher.briefs[0].question(ACME, on=today())
    assert body["messages"] == [{"role": "user", "content": question}]
    search, report = body["tools"]
    assert search["type"] == "web_search_20250305"
    assert search["max_uses"] == MAX_SEARCHES
    assert report["name"] == TOOL
    assert report["input_schema"] == researcher.briefs[0].schema()
    assert "tool_choice" not in body  # it would have to report before it searches


async def test_the_answer_may_also_be_a_text_in_pieces(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    half = len(FITS) // 2
    pieces = [text(FITS[:half]), {"type": "thinking"}, text(FITS[half:])]
    server.on(MESSAGES.path, answer(said(*SEARCHED, *pieces)))
    assert (await researcher(ACME)).tier == "A"
    assert len(server.exchanges) == 1


async def test_the_tool_may_be_called_by_another_name(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    server.on(MESSAGES.path, answer(said(*SEARCHED, {**REPORT, "name": "Report"})))
    assert (await researcher(ACME)).tier == "A"


async def test_asked_once_more_it_is_reminded_of_the_tool(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    prose = answer(said(*SEARCHED, text("Acme is nice.")))
    server.on(MESSAGES.path, in_turn(prose, answer(said(REPORT))))
    assert (await researcher(ACME)).tier == "A"
    body = asked(server.exchanges[1])
    assert "tool_choice" not in body  # models that always think refuse to be forced
    first, turn, wish = body["messages"]
    assert first["role"] == wish["role"] == "user"
    assert turn["content"][-1] == text("Acme is nice.")
    assert "does not fit the form" in wish["content"]
    assert f"Call the tool `{TOOL}`" in wish["content"]


@pytest.mark.parametrize(
    ("blocks", "sent_back"),
    [
        ([], [text("(nothing)")]),
        ([text(""), text(" \n")], [text("(nothing)")]),
        ([*SEARCHED, text("")], SEARCHED),
    ],
)
async def test_no_blank_text_is_sent_back(
    server: RawServer,
    researcher: AnthropicResearcher,
    blocks: list[dict[str, Any]],
    sent_back: list[dict[str, Any]],
) -> None:
    server.on(MESSAGES.path, in_turn(answer(said(*blocks)), answer(said(REPORT))))
    assert (await researcher(ACME)).tier == "A"
    assert asked(server.exchanges[1])["messages"][1]["content"] == sent_back


async def test_what_is_read_from_and_put_into_the_cache_has_prices_of_its_own(
    server: RawServer,
) -> None:
    server.on(MESSAGES.path, answer(messages_says(FITS)))
    prices = "input=1,cached=0.1,cache_write=1.25,output=0,as_of=2026-11-01"
    async with MESSAGES.open(server, prices=prices) as researcher:
        assert (await researcher(ACME)).cost_usd == pytest.approx(0.00096)


async def test_a_turn_too_deep_to_be_sent_back_is_no_crash(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    """Somewhere between what can be read and what can be written."""
    search = {"type": "server_tool_use", "name": "web_search", "input": "HERE"}
    paused = json.dumps(said(search, stop="pause_turn"))
    for depth in range(300, 1000, 2):
        deep = "[" * depth + "]" * depth
        raw = paused.replace('"HERE"', deep).encode()
        server.on(MESSAGES.path, in_turn(answer(raw), answer(said(REPORT))))
        with suppress(SdrKitError):
            await researcher(ACME)


async def test_a_report_that_does_not_fit_gets_its_result_before_the_next(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    acts = (answer(messages_says(UNFIT)), answer(messages_says(FITS)))
    server.on(MESSAGES.path, in_turn(*acts))
    await researcher(ACME)
    (result,) = asked(server.exchanges[1])["messages"][-1]["content"]
    assert result["type"] == "tool_result"
    assert result["tool_use_id"] == "toolu_1"
    assert result["is_error"] is True
    assert "tier: " in result["content"]


async def test_a_paused_turn_is_sent_back_as_it_came_and_goes_on(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    paused = answer(said(*SEARCHED, stop="pause_turn"))
    server.on(MESSAGES.path, in_turn(paused, paused, answer(said(REPORT))))
    research = await researcher(ACME)
    assert research.usage is not None
    assert research.usage.input_tokens == 3000
    assert research.usage.searches == 3
    turns = asked(server.exchanges[2])["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "assistant"]
    assert turns[1]["content"] == turns[2]["content"] == SEARCHED
    assert "tool_choice" not in asked(server.exchanges[2])


async def test_the_searches_of_an_account_are_bounded_over_all_its_requests(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    paused, unfit = said(*SEARCHED, stop="pause_turn"), messages_says(UNFIT)
    paused["usage"]["server_tool_use"]["web_search_requests"] = 4
    unfit["usage"]["server_tool_use"]["web_search_requests"] = 7
    acts = (answer(paused), answer(unfit), answer(said(REPORT)))
    server.on(MESSAGES.path, in_turn(*acts))
    await researcher(ACME)
    left = [asked(each)["tools"][0]["max_uses"] for each in server.exchanges]
    assert left == [MAX_SEARCHES, MAX_SEARCHES - 4, 1]
    assert [each["name"] for each in asked(server.exchanges[2])["tools"]] == [
        "web_search",
        TOOL,
    ]


async def test_a_turn_that_never_ends_is_given_up(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    act = answer(said(*SEARCHED, stop="pause_turn"))
    verdict = await failure(server, researcher, act)
    assert verdict.kind == "permanent"
    assert "did not end" in verdict.message
    assert len(server.exchanges) == MAX_RESUMES + 1
    assert verdict.usage is not None
    assert verdict.usage.input_tokens == 1000 * (MAX_RESUMES + 1)


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        ("refusal", "the model refused"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "the context is full"),
    ],
)
async def test_a_turn_that_was_cut_off_is_no_answer(
    server: RawServer, researcher: AnthropicResearcher, stop: str, says: str
) -> None:
    verdict = await failure(
        server, researcher, answer(said(text("Acme is"), stop=stop))
    )
    assert verdict.kind == "permanent"
    assert says in verdict.message
    assert verdict.raw == "Acme is"
    assert verdict.usage is not None
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("code", ["max_uses_exceeded", "unavailable"])
async def test_a_search_that_failed_does_no_harm_when_another_did_not(
    server: RawServer, researcher: AnthropicResearcher, code: str
) -> None:
    server.on(MESSAGES.path, answer(said(*SEARCHED, failed_search(code), REPORT)))
    assert (await researcher(ACME)).tier == "A"


async def test_an_answer_without_any_search_that_succeeded_rests_on_nothing(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    codes = ("too_many_requests", "unavailable")
    act = answer(said(*map(failed_search, codes), REPORT))
    verdict = await failure(server, researcher, act)
    assert verdict.kind == "transient"
    assert "no search succeeded: too_many_requests, unavailable" in verdict.message
    assert verdict.raw is not None
    assert len(server.exchanges) == 1


async def test_a_report_made_before_its_search_has_run_is_asked_for_again(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    """The search runs once the report has got its result."""
    both = [SEARCHED[1], REPORT]
    after = answer(said(SEARCHED[2], REPORT, stop="tool_use"))
    server.on(MESSAGES.path, in_turn(answer(said(*both, stop="tool_use")), after))
    assert (await researcher(ACME)).tier == "A"
    _, turn, results = asked(server.exchanges[1])["messages"]
    assert turn["content"] == both
    assert [each["type"] for each in results["content"]] == ["tool_result"]


async def test_a_search_before_a_pause_counts_for_what_comes_after_it(
    server: RawServer, researcher: AnthropicResearcher
) -> None:
    paused = answer(said(*SEARCHED, stop="pause_turn"))
    after = answer(said(failed_search("unavailable"), REPORT))
    server.on(MESSAGES.path, in_turn(paused, after))
    assert (await researcher(ACME)).tier == "A"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
async def test_the_address_may_have_the_version_or_not(
    server: RawServer, end: str
) -> None:
    server.on("/v1/messages", answer(messages_says(FITS)))
    async with AnthropicResearcher(base_url=server.address + end) as researcher:
        await researcher(ACME)
    assert len(server.exchanges) == 1


def test_settings_say_what_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("ANTHROPIC_MODEL", "claude-9")
    researcher = AnthropicResearcher("customer-identity")
    assert researcher.name == "Anthropic claude-9"
    assert repr(researcher) == (
        "AnthropicResearcher(brief='customer-identity', model='claude-9', "
        "base_url='https://api.anthropic.com/v1')"
    )
    assert researcher.paid
    assert not researcher.synthetic


def test_a_brief_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="there is no brief nothing-of-the-kind"):
        AnthropicResearcher("nothing-of-the-kind", api_key=KEY)
