"""OpenAI's Responses format: web search, and a strict schema for the answer.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from typing import Any

from sdr_kit.account import Usage
from sdr_kit.research.loose import count, listed, rows, table, words
from sdr_kit.research.reply import (
    Ask,
    Failure,
    Reply,
    maybe_cost,
    maybe_failure,
    not_of_the_format,
    written_tokens,
)

SCHEMA_NAME = "account_research"


class Responses:
    """Writes and reads the Responses format."""

    path = "responses"

    def request(self, ask: Ask) -> dict[str, Any]:
        """Writes the body of the request; nothing is stored at the provider."""
        body: dict[str, Any] = {
            "model": ask.model,
            "instructions": ask.told,
            "input": ask.question,
            "tools": [{"type": "web_search"}],
            "store": False,
        }
        if ask.strict:
            form = {"type": "json_schema", "name": SCHEMA_NAME, "strict": True}
            body["text"] = {"format": {**form, "schema": ask.schema}}
        return body

    def repaired(
        self, request: dict[str, Any], reply: Reply, wish: str
    ) -> dict[str, Any]:
        """Continues the conversation: what was said, and what is wished instead."""
        said = {"role": "assistant", "content": reply.text or "(nothing)"}
        asked = {"role": "user", "content": request["input"]}
        again = {"role": "user", "content": wish}
        return {**request, "input": [asked, said, again]}

    def resumed(self, request: dict[str, Any], reply: Reply) -> dict[str, Any]:
        """Is never needed: turns do not pause in this format."""
        del reply
        return request

    def read(self, body: object) -> Reply:
        """Reads an answer with status 200; never raises."""
        known = table(body)
        output = known.get("output")
        status = words(known.get("status"))
        failure = maybe_failure(known) or _maybe_unfinished(known, status)
        together = words(known.get("output_text"))  # as some servers send it
        if not listed(output) and not together and failure is None:
            return not_of_the_format("Responses", "no output")
        items = rows(output)
        calls = [item for item in items if item.get("type") == "web_search_call"]
        failed = [call for call in calls if call.get("status") == "failed"]
        text, refusal = _last_text(items)
        if refusal and failure is None:
            failure = Failure(kind="permanent", message=f"the model refused: {refusal}")
        usage = table(known.get("usage"))
        read = table(usage.get("input_tokens_details"))
        return Reply(
            text=text or together,
            usage=Usage(
                input_tokens=count(usage.get("input_tokens")),
                output_tokens=written_tokens(
                    usage, read="input_tokens", wrote="output_tokens"
                ),
                searches=sum(map(_is_search, calls)) - len(failed),
                cost_usd=maybe_cost(usage),
            ),
            cached_tokens=count(read.get("cached_tokens")),
            cache_write_tokens=count(read.get("cache_write_tokens")),
            found=len(calls) - len(failed),
            search_errors=("web_search_call failed",) * len(failed),
            failure=failure,
        )


def _maybe_unfinished(body: dict[str, Any], status: str) -> Failure | None:
    """Says why it is not complete. Compatible servers leave the status out."""
    if status in ("completed", ""):
        return None
    if status != "incomplete":
        return Failure(kind="transient", message=f"status {status}")
    reason = words(table(body.get("incomplete_details")).get("reason"))
    message = f"incomplete answer ({reason or 'no reason given'})"
    return Failure(kind="permanent", message=message)


def _is_search(call: dict[str, Any]) -> bool:
    """Whether it searched; opening a page that was found is not charged."""
    failed = call.get("status") == "failed"
    return failed or table(call.get("action")).get("type", "search") == "search"


def _last_text(items: list[dict[str, Any]]) -> tuple[str, str]:
    """Gives the text of the last message, and a refusal if there is one.

    What precedes the last message is commentary; reasoning and calls of tools are no
    messages.
    """
    text = ""
    for item in items:
        if item.get("type") != "message":
            continue
        content = item.get("content")
        parts = rows(content)
        for part in parts:
            if part.get("type") == "refusal":
                return text, words(part.get("refusal")) or "no reason given"
        said = [p for p in parts if p.get("type") in ("output_text", "text")]
        text = words(content) or "".join(words(part.get("text")) for part in said)
    return text, ""
