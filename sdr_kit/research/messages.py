"""Anthropic's Messages format: web search, and the answer as the call of a tool.

The answer is asked for as the input of a tool, `report`, that the model calls when it
has searched. `output_config.format` would be shorter, but its documentation excludes
citations, which a web search always makes; and a tool that is forced (`tool_choice`)
keeps the model from searching, and is refused by those that always think (Claude 5.5).
So the model may choose, and is told. What it writes as text in place of the tool is
read as well.
https://platform.claude.com/docs/en/api/messages
https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
"""

from __future__ import annotations

import json
from typing import Any

from sdr_kit.account import Usage
from sdr_kit.research.loose import count, listed, rows, table, words
from sdr_kit.research.reply import (
    Ask,
    Failure,
    Reply,
    maybe_failure,
    not_of_the_format,
)

VERSION = "2023-06-01"
TOOL = "report"
WEB_SEARCH = "web_search_20250305"
MAX_SEARCHES = 10  # an account; what a person would do at most, and what it may cost
MAX_OUTPUT_TOKENS = 16_000  # an answer has 2,000; models think in the same budget
_HOW = f"""
When you have searched, call the tool `{TOOL}` once: its input is your answer.
"""
_ONCE_MORE = f"\nCall the tool `{TOOL}` with it."
_STOPPED = {
    "max_tokens": "incomplete answer (max_tokens)",
    "model_context_window_exceeded": "incomplete answer (the context is full)",
    "refusal": "the model refused",
}


class Messages:
    """Writes and reads the Messages format."""

    path = "messages"

    def request(self, ask: Ask) -> dict[str, Any]:
        """Writes the body of the request."""
        search = {"type": WEB_SEARCH, "name": "web_search", "max_uses": MAX_SEARCHES}
        report = {
            "name": TOOL,
            "description": "Takes the answer in the given form.",
            "input_schema": ask.schema,
        }
        return {
            "model": ask.model,
            "max_tokens": MAX_OUTPUT_TOKENS,
            "system": ask.told + _HOW,
            "messages": [{"role": "user", "content": ask.question}],
            "tools": [search, report],
        }

    def repaired(
        self, request: dict[str, Any], reply: Reply, wish: str
    ) -> dict[str, Any]:
        """Continues the conversation, and reminds of the tool.

        Each call of a tool wants its result before anything else is said, and no text
        may be blank.
        """
        wish += _ONCE_MORE
        results = [
            {
                "type": "tool_result",
                "tool_use_id": words(block.get("id")),
                "is_error": True,
                "content": wish,
            }
            for block in rows(reply.turn)
            if block.get("type") == "tool_use"
        ]
        said = list(filter(_says_something, rows(reply.turn)))
        said = said or [{"type": "text", "text": "(nothing)"}]
        return {
            **request,
            "tools": _tools_left(request, reply),
            "messages": [
                *request["messages"],
                {"role": "assistant", "content": said},
                {"role": "user", "content": results or wish},
            ],
        }

    def resumed(self, request: dict[str, Any], reply: Reply) -> dict[str, Any]:
        """Sends a paused turn back as it came, so that it goes on."""
        turn = {"role": "assistant", "content": reply.turn}
        return {
            **request,
            "tools": _tools_left(request, reply),
            "messages": [*request["messages"], turn],
        }

    def read(self, body: object) -> Reply:
        """Reads an answer with status 200; never raises."""
        known = table(body)
        content = known.get("content")
        stopped = words(known.get("stop_reason"))
        failure = maybe_failure(known) or _maybe_cut_off(known, stopped)
        if not listed(content) and failure is None:
            return not_of_the_format("Messages", "no content")
        blocks = rows(content)
        found, errors = _searched(blocks)
        usage = table(known.get("usage"))
        return Reply(
            text="" if _awaits_a_search(blocks) else _answer(blocks),
            usage=_usage(usage),
            cached_tokens=count(usage.get("cache_read_input_tokens")),
            cache_write_tokens=count(usage.get("cache_creation_input_tokens")),
            found=found,
            search_errors=errors,
            failure=failure,
            paused=stopped == "pause_turn" and bool(blocks),
            turn=blocks,
        )


def _tools_left(request: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """Gives the tools with the searches that an account has left.

    The provider counts anew with each request. One stays, as 0 is no number for it.
    """
    search, *others = request["tools"]
    left = max(search["max_uses"] - reply.usage.searches, 1)
    return [{**search, "max_uses": left}, *others]


def _maybe_cut_off(body: dict[str, Any], stopped: str) -> Failure | None:
    if stopped not in _STOPPED:
        return None
    why = words(table(body.get("stop_details")).get("explanation"))
    said = _STOPPED[stopped] + (f": {why}" if why else "")
    return Failure(kind="permanent", message=said, code=stopped)


def _says_something(block: dict[str, Any]) -> bool:
    return block.get("type") != "text" or bool(words(block.get("text")).strip())


def _answer(blocks: list[dict[str, Any]]) -> str:
    """Gives the input of the last call of the tool, or else the last text.

    There is no other tool of ours, so whatever the model calls it, it is meant. A text
    is in pieces where pages are cited; what stands before a search is commentary.
    """
    text = ""
    for block in reversed(blocks):
        if block.get("type") == "tool_use":
            return json.dumps(block.get("input"))
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            text += words(block.get("text"))
        elif kind not in ("thinking", "redacted_thinking"):
            text = ""
    return text


def _awaits_a_search(blocks: list[dict[str, Any]]) -> bool:
    """Whether it reported in the same breath as it began to search.

    Such a search runs when the report has got its result, and is known by having none.
    What was reported before it rests on nothing, however well it fits.
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools
    """
    begun = [block for block in blocks if block.get("type") == "server_tool_use"]
    ended = {words(block.get("tool_use_id")) for block in blocks}
    return any(words(block.get("id")) not in ended for block in begun)


def _searched(blocks: list[dict[str, Any]]) -> tuple[int, tuple[str, ...]]:
    """Gives how many searches found something, and what the others said."""
    found, errors = 0, []
    for block in blocks:
        if block.get("type") != "web_search_tool_result":
            continue
        content = block.get("content")
        if listed(content):
            found += 1
        else:
            errors.append(words(table(content).get("error_code")) or "no result")
    return found, tuple(errors)


def _usage(usage: dict[str, Any]) -> Usage:
    inputs = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(
        input_tokens=sum(count(usage.get(name)) for name in inputs),
        output_tokens=count(usage.get("output_tokens")),
        searches=count(table(usage.get("server_tool_use")).get("web_search_requests")),
    )
