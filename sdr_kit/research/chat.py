"""The Chat Completions format, which every "compatible" server speaks.

Ollama, vLLM, LM Studio, OpenRouter and others. It has no web search of its own, so the
model is told that it has none, unless its name asks for one (OpenRouter's `:online`).
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import Any

from sdr_kit.account import Usage
from sdr_kit.research.loose import count, rows, table, words
from sdr_kit.research.reply import (
    Ask,
    Failure,
    Reply,
    maybe_cost,
    maybe_failure,
    not_of_the_format,
    written_tokens,
)
from sdr_kit.research.responses import SCHEMA_NAME

SEARCHES = ":online"  # at the end of the names of models that search the web
NO_SEARCH = """
You cannot search the web here. Say only what you know for certain, and name a page only
if you know that it says so; leave its address empty otherwise.
"""
_TRUNCATED = {
    "length": "max_tokens",
    "content_filter": "content_filter",
}


class Chat:
    """Writes and reads the Chat Completions format."""

    path = "chat/completions"

    def request(self, ask: Ask) -> dict[str, Any]:
        """Writes the body of the request."""
        told = ask.told if ask.model.endswith(SEARCHES) else ask.told + NO_SEARCH
        body: dict[str, Any] = {
            "model": ask.model,
            "messages": [
                {"role": "system", "content": told},
                {"role": "user", "content": ask.question},
            ],
            "stream": False,
        }
        if ask.strict:
            form = {"name": SCHEMA_NAME, "strict": True, "schema": ask.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def repaired(
        self, request: dict[str, Any], reply: Reply, wish: str
    ) -> dict[str, Any]:
        """Continues the conversation: what was said, and what is wished instead."""
        said = {"role": "assistant", "content": reply.text or "(nothing)"}
        again = {"role": "user", "content": wish}
        return {**request, "messages": [*request["messages"], said, again]}

    def resumed(self, request: dict[str, Any], reply: Reply) -> dict[str, Any]:
        """Is never needed: turns do not pause in this format."""
        del reply
        return request

    def read(self, body: object) -> Reply:
        """Reads an answer with status 200; never raises."""
        known = table(body)
        choices = rows(known.get("choices"))
        choice = choices[0] if choices else {}
        # A gateway that lost its model in mid-answer says so here, with status 200.
        failure = (
            maybe_failure(known) or maybe_failure(choice) or _maybe_cut_off(choice)
        )
        if failure is None and not isinstance(choice.get("message"), dict):
            return not_of_the_format("Chat Completions", "no message")
        message = table(choice.get("message"))
        if failure is None and (refusal := words(message.get("refusal"))):
            failure = Failure(kind="permanent", message=f"the model refused: {refusal}")
        usage = table(known.get("usage"))
        read = table(usage.get("prompt_tokens_details"))
        return Reply(
            text=_text(message.get("content")),
            usage=Usage(
                input_tokens=count(usage.get("prompt_tokens")),
                output_tokens=written_tokens(
                    usage, read="prompt_tokens", wrote="completion_tokens"
                ),
                searches=count(
                    table(usage.get("server_tool_use")).get("web_search_requests")
                ),
                cost_usd=maybe_cost(usage),
            ),
            cached_tokens=count(read.get("cached_tokens")),
            cache_write_tokens=count(read.get("cache_write_tokens")),
            failure=failure,
        )


def _text(content: object) -> str:
    return words(content) or "".join(words(each.get("text")) for each in rows(content))


def _maybe_cut_off(choice: dict[str, Any]) -> Failure | None:
    reason = words(choice.get("finish_reason"))
    if reason in _TRUNCATED:
        message = f"incomplete answer ({_TRUNCATED[reason]})"
        return Failure(kind="permanent", message=message)
    if reason == "error":
        return Failure(kind="transient", message="the answer ended with an error")
    return None
