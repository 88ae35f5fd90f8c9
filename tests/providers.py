"""The three formats in which models are asked, as their providers document them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sdr_kit.account import Account
from sdr_kit.research.anthropic import AnthropicResearcher
from sdr_kit.research.openai import OpenAIResearcher
from sdr_kit.research.provider import ProviderResearcher
from sdr_kit.settings import Settings
from tests.servers import RawServer

KEY = "sk-test-0123456789-marked"
PRICES = "input=1,output=10,search=10,as_of=2026-11-01"
ACME = Account(company_name="Acme GmbH", domain="acme.de", owner="Jo", extra={"arr": 9})
PROOF = [{"source": "https://acme.de/news", "quote": "We raised.", "confidence": 0.9}]
SAID: dict[str, Any] = {
    "summary": {"answer": "Acme makes anvils.", "evidence": PROOF},
    "findings": {"answer": "Acme is hiring.", "evidence": PROOF},
    "decision_makers": {"answer": "unknown", "evidence": []},
    "triggers": [{"trigger": "new_funding", "evidence": PROOF}],
    "tier_reasons": ["It has raised money."],
    "tier": "A",
    "priority_reasons": ["It is fresh."],
    "priority_score": 9,
}
FITS = json.dumps(SAID)
UNFIT = json.dumps({**SAID, "tier": "D"})
QUICK = Settings(request_timeout_seconds=1)


def responses_says(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "role": "assistant", "content": [part]}
    return {
        "id": "resp_1",
        "status": "completed",
        "error": None,
        "output": [
            {"type": "reasoning", "summary": [], "content": None},
            {
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": "Acme"},
            },
            {
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "open_page", "url": "https://acme.de"},
            },
            message,
        ],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 100,
            "total_tokens": 1100,
        },
    }


def chat_says(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
        },
    }


SEARCHED: list[dict[str, Any]] = [
    {"type": "text", "text": "I shall search."},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "Acme"},
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "url": "https://acme.de"}],
    },
]


def messages_says(text: str) -> dict[str, Any]:
    reported = {"type": "tool_use", "id": "toolu_1", "name": "report"}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [*copy.deepcopy(SEARCHED), {**reported, "input": json.loads(text)}],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 700,
            "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 100,
            "output_tokens": 100,
            "server_tool_use": {"web_search_requests": 1},
        },
    }


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """One format: where it is spoken, how an answer looks, who asks."""

    path: str
    says: Callable[[str], dict[str, Any]]
    make: Callable[..., ProviderResearcher]
    called: str
    dollars: float  # for one answer at PRICES
    searches: int = 1

    def open(self, server: RawServer, **options: Any) -> ProviderResearcher:
        """Gives a researcher to be opened; with a key and prices, unless told."""
        options = {"api_key": KEY, "prices": PRICES, "settings": QUICK} | options
        return self.make(base_url=f"{server.address}/v1/", **options)


def _with_api(api: str) -> Callable[..., ProviderResearcher]:
    def make(*brief: str, **options: Any) -> ProviderResearcher:
        return OpenAIResearcher(*brief, **({"api": api} | options))

    return make


RESPONSES = Speaker(
    path="/v1/responses",
    says=responses_says,
    make=_with_api("responses"),
    called="OpenAI gpt-5-mini",
    dollars=0.012,
)
CHAT = Speaker(
    path="/v1/chat/completions",
    says=chat_says,
    make=_with_api("chat"),
    called="OpenAI gpt-5-mini",
    dollars=0.002,
    searches=0,
)
MESSAGES = Speaker(
    path="/v1/messages",
    says=messages_says,
    make=AnthropicResearcher,
    called="Anthropic claude-sonnet-5",
    dollars=0.012,
)
SPEAKERS = {"responses": RESPONSES, "chat": CHAT, "messages": MESSAGES}


def openai_problem(
    said: str, code: object = None, kind: str | None = None
) -> dict[str, object]:
    return {"error": {"message": said, "type": kind, "param": None, "code": code}}


def anthropic_problem(
    said: str, kind: str = "invalid_request_error", code: str | None = None
) -> dict[str, object]:
    details = {"details": {"error_code": code}} if code else {}
    error = {"type": kind, "message": said, **details}
    return {"type": "error", "error": error, "request_id": "req_body"}


def today() -> date:
    """The day that a model is told."""
    return datetime.now(UTC).date()
