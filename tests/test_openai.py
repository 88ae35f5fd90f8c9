"""OpenAI's two formats, and the servers that are compatible with them, more or less."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sdr_kit.errors import Permanent, SettingsError, Verdict, classify
from sdr_kit.research.openai import OpenAIResearcher
from sdr_kit.settings import Settings
from tests.providers import (
    ACME,
    CHAT,
    FITS,
    KEY,
    RESPONSES,
    SAID,
    UNFIT,
    Speaker,
    chat_says,
    openai_problem,
    responses_says,
    today,
)
from tests.servers import Act, Exchange, RawServer, answer, in_turn


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


def asked(exchange: Exchange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(exchange.body)
    return body


def paths(server: RawServer) -> list[str]:
    return [exchange.target.removeprefix("/v1/") for exchange in server.exchanges]


async def failure(server: RawServer, speaker: Speaker, act: Act) -> Verdict:
    server.on(speaker.path, act)
    async with speaker.open(server) as researcher:
        with pytest.raises(Exception, match=speaker.called) as caught:
            await researcher(ACME)
    return classify(caught.value)


async def test_the_responses_api_searches_and_has_a_strict_schema(
    server: RawServer,
) -> None:
    server.on(RESPONSES.path, answer(responses_says(FITS)))
    async with RESPONSES.open(server) as researcher:
        await researcher(ACME)
    (exchange,) = server.exchanges
    assert exchange.method == "POST"
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    body = asked(exchange)
    assert body["model"] == "gpt-5-mini"
    assert body["store"] is False
    assert body["tools"] == [{"type": "web_search"}]
    form = body["text"]["format"]
    assert (form["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"] == researcher.briefs[0].schema()
    assert body["instructions"] == researcher.briefs[0].instructions()
    assert body["input"] == researcher.briefs[0].question(ACME, on=today())


async def test_chat_completions_have_a_strict_schema_and_are_told_not_to_guess(
    server: RawServer,
) -> None:
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with CHAT.open(server) as researcher:
        await researcher(ACME)
    body = asked(server.exchanges[0])
    system, user = body["messages"]
    assert system["role"] == "system"
    assert system["content"].startswith(researcher.briefs[0].instructions())
    assert "You cannot search the web here" in system["content"]
    assert user == {
        "role": "user",
        "content": researcher.briefs[0].question(ACME, on=today()),
    }
    form = body["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"] == researcher.briefs[0].schema()
    assert "tools" not in body


async def test_a_model_that_searches_by_itself_is_not_told_that_it_cannot(
    server: RawServer,
) -> None:
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with CHAT.open(server, model="openai/gpt-5:online") as researcher:
        await researcher(ACME)
    assert "cannot search" not in server.exchanges[0].body.decode()


@pytest.mark.parametrize(
    ("address", "api", "setting", "path"),
    [
        ("https://api.openai.com/v1", None, None, "responses"),
        ("https://eu.api.openai.com/v1", None, None, "responses"),
        ("https://api.openai.com/v1", "chat", None, "chat/completions"),
        ("https://api.openai.com/v1", None, "chat", "chat/completions"),
        ("http://localhost:11434/v1", None, None, "chat/completions"),
        ("https://openrouter.ai/api/v1", None, None, "chat/completions"),
        ("https://not-api.openai.com.example/v1", None, None, "chat/completions"),
        ("http://localhost:1234/v1", None, "responses", "responses"),
        ("http://localhost:1234/v1", "responses", "chat", "responses"),
    ],
)
def test_the_interface_is_chosen_by_the_address_unless_told(
    address: str, api: Any, setting: Any, path: str
) -> None:
    settings = Settings(openai_api=setting)
    researcher = OpenAIResearcher(
        api_key=KEY, base_url=address, api=api, settings=settings
    )
    assert f"|{path}|" in researcher.fingerprint


def test_another_interface_is_refused() -> None:
    wrong: Any = "completions"
    with pytest.raises(SettingsError, match="'responses' or 'chat'"):
        OpenAIResearcher(api_key=KEY, api=wrong)


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("http://localhost:11434/v1", False),
        ("https://openrouter.ai/api/v1", False),
    ],
)
def test_only_openai_itself_must_have_a_key(*, address: str, needed: bool) -> None:
    if needed:
        with pytest.raises(SettingsError, match="OPENAI_API_KEY is not set"):
            OpenAIResearcher(base_url=address)
    else:
        OpenAIResearcher(base_url=address)


@pytest.mark.parametrize(
    ("address", "paid"),
    [
        ("http://localhost:11434/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://0.0.0.0:8000/v1", False),
        ("http://10.0.0.1:8000/v1", True),
        ("https://api.openai.com/v1", True),
    ],
)
def test_what_runs_on_this_machine_costs_nothing(*, address: str, paid: bool) -> None:
    assert OpenAIResearcher(api_key=KEY, base_url=address).paid is paid


def test_settings_say_what_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-7")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.1:8000/v1")
    researcher = OpenAIResearcher()
    assert researcher.name == "OpenAI gpt-7"
    assert repr(researcher) == (
        "OpenAIResearcher(brief='general', model='gpt-7', "
        "base_url='http://10.0.0.1:8000/v1')"
    )
    assert OpenAIResearcher(model="other").name == "OpenAI other"
    assert not researcher.synthetic
    assert researcher.paid


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_without_the_responses_api_is_asked_through_chat(
    server: RawServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.on(RESPONSES.path, answer(b"404 page not found", status=status))
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with RESPONSES.open(server) as researcher:
        for _ in range(3):
            assert (await researcher(ACME)).tier == "A"
        (notice,) = researcher.notices
    assert paths(server) == ["responses", *["chat/completions"] * 3]
    assert "has no Responses API with web search: Chat Completions is" in notice
    assert "without web search" in notice
    assert caplog.messages == [notice]


# As LM Studio, gateways and vLLM say it.
NO_SEARCH: list[tuple[int, object]] = [
    (400, openai_problem("Hosted tool 'web_search' is not supported with llama.")),
    (400, openai_problem("Invalid value: 'web_search'. Supported: 'function'.")),
    (400, {"error": "Unsupported tool type"}),
    (422, {"detail": [{"loc": ["body", "tools", 0], "msg": "Field required"}]}),
    (501, {"message": "tools are not implemented"}),
]


@pytest.mark.parametrize(("status", "body"), NO_SEARCH, ids=str)
async def test_a_server_that_refuses_to_search_is_asked_through_chat(
    server: RawServer, status: int, body: object
) -> None:
    server.on(RESPONSES.path, answer(body, status=status))
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with RESPONSES.open(server) as researcher:
        for _ in range(3):
            assert (await researcher(ACME)).tier == "A"
        (notice,) = researcher.notices
    assert paths(server) == ["responses", *["chat/completions"] * 3]
    assert "without web search" in notice


async def test_who_is_refused_late_goes_the_way_that_others_have_found(
    server: RawServer,
) -> None:
    found = asyncio.Event()

    async def refuse(exchange: Exchange) -> None:
        if len(server.exchanges) > 1:
            await found.wait()
        await exchange.answer(openai_problem("Unsupported tool type"), status=400)

    server.on(RESPONSES.path, refuse)
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with RESPONSES.open(server) as researcher, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(researcher(ACME))
        second = tasks.create_task(researcher(ACME))
        await first
        found.set()
        assert (await second).tier == "A"
    assert len(researcher.notices) == 1


async def test_a_server_that_has_searched_is_not_taken_for_one_that_cannot(
    server: RawServer,
) -> None:
    refusal = answer(openai_problem("Bad tool call."), status=400)
    server.on(RESPONSES.path, in_turn(answer(responses_says(FITS)), refusal))
    async with RESPONSES.open(server) as researcher:
        await researcher(ACME)
        with pytest.raises(Permanent, match="Bad tool call"):
            await researcher(ACME)
        assert researcher.notices == ()
    assert paths(server) == ["responses"] * 2


async def test_an_address_with_neither_interface_stops_the_run(
    server: RawServer,
) -> None:
    server.on(CHAT.path, answer(b"not found", status=404))
    verdict = await failure(server, RESPONSES, answer(b"not found", status=404))
    assert verdict.kind == "stop"
    assert "check OPENAI_MODEL and OPENAI_BASE_URL" in verdict.message
    assert len(server.exchanges) == 2


async def test_a_model_that_does_not_exist_is_not_taken_for_a_missing_interface(
    server: RawServer,
) -> None:
    body = openai_problem("The model `x` does not exist.", 404, "NotFoundError")
    verdict = await failure(server, RESPONSES, answer(body, status=404))
    assert verdict.kind == "stop"
    assert len(server.exchanges) == 1


# As LM Studio, vLLM, llama.cpp and others say it.
REJECTIONS: list[tuple[int, object]] = [
    (400, {"error": "'response_format.type' must be 'text'"}),
    (400, openai_problem("response_format is not supported by this model")),
    (422, {"detail": "guided decoding is not available"}),
    (400, openai_problem('Either "json_schema" or "grammar" can be specified')),
    (501, {"message": "Structured outputs are not implemented"}),
    (500, openai_problem("Internal server error", 500)),
]


@pytest.mark.parametrize(("status", "body"), REJECTIONS, ids=str)
async def test_a_server_that_refuses_a_schema_gets_it_in_words(
    server: RawServer,
    status: int,
    body: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def act(exchange: Exchange) -> None:
        if "response_format" in asked(exchange):
            await exchange.answer(body, status=status)
        else:
            await exchange.answer(chat_says(f"Here you are:\n```json\n{FITS}\n```"))

    server.on(CHAT.path, act)
    async with CHAT.open(server) as researcher:
        for _ in range(3):
            assert (await researcher(ACME)).tier == "A"
        (notice,) = researcher.notices
        schema = json.dumps(researcher.briefs[0].schema())
    assert "it refuses a JSON schema" in notice
    assert caplog.messages == [notice]
    assert len(server.exchanges) == 4
    for exchange in server.exchanges[1:]:
        assert schema in asked(exchange)["messages"][0]["content"]


async def test_an_outage_is_not_taken_for_a_refused_schema_for_long(
    server: RawServer,
) -> None:
    server.on(CHAT.path, answer(openai_problem("Oops."), status=500))
    async with CHAT.open(server) as researcher:
        for _ in range(10):
            with pytest.raises(Exception, match="Oops") as caught:
                await researcher(ACME)
            assert classify(caught.value).kind == "transient"
        assert len(server.exchanges) == 13
        assert researcher.notices == ()
        server.on(CHAT.path, answer(chat_says(FITS)))
        await researcher(ACME)
    assert "response_format" in asked(server.exchanges[-1])


async def test_a_server_that_ignores_the_schema_is_told_it_in_words_once(
    server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    prose = answer(chat_says("Acme is a nice company."))
    server.on(CHAT.path, in_turn(prose, answer(chat_says(FITS))))
    async with CHAT.open(server) as researcher:
        for _ in range(3):
            assert (await researcher(ACME)).tier == "A"
        (notice,) = researcher.notices
        schema = json.dumps(researcher.briefs[0].schema())
    assert "ignores the JSON schema" in notice
    assert caplog.messages == [notice]
    first, again, *later = map(asked, server.exchanges)
    assert schema not in first["messages"][0]["content"]
    assert schema in again["messages"][-1]["content"]
    assert again["messages"][-2]["content"] == "Acme is a nice company."
    for each in later:
        assert schema in each["messages"][0]["content"]


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{FITS}\n```",
        f"Sure! Here it is: {FITS} Anything else?",
        f"<think>A form {{like this}}?</think>\n{FITS}",
        f"A form {{like this}}?</think>\n\n{FITS}",
    ],
    ids=["fence", "prose", "thoughts", "thoughts without a beginning"],
)
async def test_an_answer_among_words_is_found(server: RawServer, text: str) -> None:
    server.on(CHAT.path, answer(chat_says(text)))
    async with CHAT.open(server) as researcher:
        assert (await researcher(ACME)).tier == "A"
    assert len(server.exchanges) == 1


async def test_what_an_answer_quotes_is_not_taken_for_thoughts(
    server: RawServer,
) -> None:
    quote = "They write <think>aloud</think>."
    said = {**SAID, "summary": {"answer": quote, "evidence": []}}
    server.on(CHAT.path, answer(chat_says(json.dumps(said))))
    async with CHAT.open(server) as researcher:
        assert (await researcher(ACME)).fields["summary"] == quote


def responses_with(**changes: Any) -> dict[str, Any]:
    return {**responses_says(FITS), **changes}


def chat_with(**changes: Any) -> dict[str, Any]:
    body = chat_says(FITS)
    body["choices"][0].update(changes)
    return body


REFUSAL = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}
UNUSABLE: dict[str, tuple[Speaker, object, str, str]] = {
    "refusal": (RESPONSES, responses_with(output=[REFUSAL]), "permanent", "I cannot"),
    "too long": (
        RESPONSES,
        responses_with(
            status="incomplete", incomplete_details={"reason": "max_output_tokens"}
        ),
        "permanent",
        "max_output_tokens",
    ),
    "filtered": (
        RESPONSES,
        responses_with(
            status="incomplete", incomplete_details={"reason": "content_filter"}
        ),
        "permanent",
        "content_filter",
    ),
    "incomplete": (
        RESPONSES,
        responses_with(status="incomplete"),
        "permanent",
        "no reason given",
    ),
    "failed, their fault": (
        RESPONSES,
        responses_with(status="failed", **openai_problem("Oops.", "server_error")),
        "transient",
        "Oops",
    ),
    "failed, busy": (
        RESPONSES,
        responses_with(
            status="failed", **openai_problem("Slow.", "rate_limit_exceeded")
        ),
        "rate_limited",
        "Slow",
    ),
    "failed, no quota": (
        RESPONSES,
        responses_with(status="failed", **openai_problem("x", "insufficient_quota")),
        "stop",
        "insufficient_quota",
    ),
    "failed, no word": (
        RESPONSES,
        responses_with(status="failed"),
        "transient",
        "status failed",
    ),
    "cancelled": (
        RESPONSES,
        responses_with(status="cancelled"),
        "transient",
        "status cancelled",
    ),
    "queued": (RESPONSES, responses_with(status="queued"), "transient", "queued"),
    "truncated chat": (CHAT, chat_with(finish_reason="length"), "permanent", "max_tok"),
    "filtered chat": (
        CHAT,
        chat_with(finish_reason="content_filter"),
        "permanent",
        "content_filter",
    ),
    "refused chat": (
        CHAT,
        chat_with(message={"content": None, "refusal": "I cannot."}),
        "permanent",
        "I cannot",
    ),
    "broken off": (CHAT, chat_with(finish_reason="error"), "transient", "an error"),
    "error in a choice": (
        CHAT,
        chat_with(error={"code": 429, "message": "Upstream is busy."}),
        "rate_limited",
        "Upstream is busy",
    ),
    "no choices": (CHAT, {"choices": []}, "transient", "no message"),
}


@pytest.mark.parametrize(
    ("speaker", "body", "kind", "says"), UNUSABLE.values(), ids=UNUSABLE
)
async def test_an_answer_with_status_200_can_still_be_a_failure(
    server: RawServer, speaker: Speaker, body: object, kind: str, says: str
) -> None:
    verdict = await failure(server, speaker, answer(body))
    assert verdict.kind == kind
    assert says in verdict.message
    assert len(server.exchanges) == 1
    if body != {"choices": []}:
        assert verdict.usage is not None
        assert verdict.usage.input_tokens == 1000  # it has been paid for


async def test_other_items_than_the_last_message_are_passed_over(
    server: RawServer,
) -> None:
    body = responses_says("I shall search for Acme.")
    half = len(FITS) // 2
    parts = [
        {"type": "output_text", "text": FITS[:half]},
        {"type": "note"},
        {"type": "output_text", "text": FITS[half:]},
    ]
    body["output"] += [{"kind": "?"}, 7, {"type": "message", "content": parts}]
    server.on(RESPONSES.path, answer(body))
    async with RESPONSES.open(server) as researcher:
        assert (await researcher(ACME)).tier == "A"


async def test_a_text_beside_the_output_will_do(server: RawServer) -> None:
    server.on(RESPONSES.path, answer({"output_text": FITS}))
    async with RESPONSES.open(server) as researcher:
        assert (await researcher(ACME)).tier == "A"


def searching(*statuses: str) -> dict[str, Any]:
    body = responses_says(FITS)
    calls = [{"type": "web_search_call", "status": each} for each in statuses]
    body["output"] = [*calls, body["output"][-1]]
    return body


async def test_a_search_that_failed_does_no_harm_when_another_did_not(
    server: RawServer,
) -> None:
    server.on(RESPONSES.path, answer(searching("failed", "completed")))
    async with RESPONSES.open(server) as researcher:
        research = await researcher(ACME)
    assert research.usage is not None
    assert research.usage.searches == 1


async def test_an_answer_without_any_search_that_succeeded_rests_on_nothing(
    server: RawServer,
) -> None:
    verdict = await failure(server, RESPONSES, answer(searching("failed", "failed")))
    assert verdict.kind == "transient"
    assert "no search succeeded" in verdict.message
    assert verdict.usage is not None
    assert verdict.usage.input_tokens == 1000
    assert len(server.exchanges) == 1


async def test_the_providers_own_price_counts(server: RawServer) -> None:
    body = chat_says(FITS)
    body["usage"]["cost"] = 0.25
    server.on(CHAT.path, answer(body))
    async with CHAT.open(server) as researcher:
        assert (await researcher(ACME)).cost_usd == 0.25


@pytest.mark.parametrize(
    ("usage", "written"),
    [
        ({"total_tokens": 1100}, 100),
        ({"total_tokens": 1486}, 486),  # 386 of thoughts, in the total alone
        ({"total_tokens": 7}, 100),
        ({"total_tokens": None}, 100),
        ({"total_tokens": 1486, "prompt_tokens": 0, "input_tokens": 0}, 100),
    ],
)
async def test_thoughts_that_stand_in_the_total_alone_are_counted(
    server: RawServer, usage: dict[str, object], written: int
) -> None:
    for speaker in (CHAT, RESPONSES):
        body = speaker.says(FITS)
        body["usage"] |= usage
        server.on(speaker.path, answer(body))
        async with speaker.open(server) as researcher:
            took = (await researcher(ACME)).usage
            assert took is not None
            assert took.output_tokens == written


@pytest.mark.parametrize(
    ("is_byok", "dollars"), [(True, 0.45), (False, 0.05), ("yes", 0.05)]
)
async def test_with_a_key_of_ones_own_a_gateways_fee_is_not_the_whole_price(
    server: RawServer, is_byok: object, dollars: float
) -> None:
    for speaker in (CHAT, RESPONSES):
        body = speaker.says(FITS)
        body["usage"] |= {
            "cost": 0.05,
            "is_byok": is_byok,
            "cost_details": {"upstream_inference_cost": 0.4},
        }
        server.on(speaker.path, answer(body))
        async with speaker.open(server) as researcher:
            assert (await researcher(ACME)).cost_usd == pytest.approx(dollars)


async def test_tokens_from_the_cache_have_a_price_of_their_own(
    server: RawServer,
) -> None:
    body = responses_says(FITS)
    body["usage"]["input_tokens_details"] = {"cached_tokens": 500}
    server.on(RESPONSES.path, answer(body))
    prices = "input=1,output=0,cached=0.1,as_of=2026-11-01"
    async with RESPONSES.open(server, prices=prices) as researcher:
        research = await researcher(ACME)
    assert research.cost_usd == pytest.approx(0.00055)


async def test_tokens_put_into_the_cache_have_a_price_of_their_own(
    server: RawServer,
) -> None:
    prices = "input=1,output=0,cache_write=1.25,as_of=2026-11-01"
    details = {RESPONSES: "input_tokens_details", CHAT: "prompt_tokens_details"}
    for speaker, name in details.items():
        body = speaker.says(FITS)
        body["usage"][name] = {"cached_tokens": 100, "cache_write_tokens": 400}
        server.on(speaker.path, answer(body))
        async with speaker.open(server, prices=prices) as researcher:
            assert (await researcher(ACME)).cost_usd == pytest.approx(0.0011)


async def test_the_conversation_goes_on_in_each_format(server: RawServer) -> None:
    for speaker in (RESPONSES, CHAT):
        unfit, fits = speaker.says(UNFIT), speaker.says(FITS)
        server.on(speaker.path, in_turn(answer(unfit), answer(fits)))
        async with speaker.open(server) as researcher:
            await researcher(ACME)
    _, responses, _, chat = map(asked, server.exchanges)
    roles = ["user", "assistant", "user"]
    assert [each["role"] for each in responses["input"]] == roles
    assert [each["role"] for each in chat["messages"]] == ["system", *roles]
    assert responses["input"][1]["content"] == chat["messages"][2]["content"] == UNFIT
    assert responses["text"]["format"]["strict"] is True


async def test_an_opening_forgets_what_the_last_one_found_out(
    server: RawServer,
) -> None:
    server.on(RESPONSES.path, answer(b"", status=404))
    server.on(CHAT.path, answer(chat_says(FITS)))
    researcher = RESPONSES.open(server)
    async with researcher:
        await researcher(ACME)
    server.on(RESPONSES.path, answer(responses_says(FITS)))
    async with researcher:
        await researcher(ACME)
        assert researcher.notices == ()
    assert paths(server) == ["responses", "chat/completions", "responses"]


async def test_many_at_once_find_out_together_and_tell_it_once(
    server: RawServer,
) -> None:
    server.on(RESPONSES.path, answer(b"", status=404))
    server.on(CHAT.path, answer(chat_says(FITS)))
    async with RESPONSES.open(server) as researcher:
        await asyncio.gather(*(researcher(ACME) for _ in range(8)))
        assert len(researcher.notices) == 1
        await researcher(ACME)
    assert paths(server)[-1] == "chat/completions"
    assert len(server.exchanges) <= 17


async def test_an_address_that_is_none_is_no_source(server: RawServer) -> None:
    said = copy.deepcopy(SAID)
    proof = {"source": "javascript:x()", "quote": "q", "confidence": 1}
    said["summary"]["evidence"] = [proof]
    server.on(RESPONSES.path, answer(responses_says(json.dumps(said))))
    async with RESPONSES.open(server) as researcher:
        (found,) = (await researcher(ACME)).evidence["summary"]
    assert (found.source, found.quote) == (None, "q")
    assert len(server.exchanges) == 1
