"""The sandbox's server: OpenAI's Responses format, slow and broken to order.

What it does to an account depends on the seed, the account, and how often the account
has been let in since opening; not on order, concurrency or time. So two runs over the
same accounts meet the same latencies and faults, whatever their concurrency. (How many
calls are refused, by a limit or in an outage, depends on the caller, therefore refused
calls do not count.) Everything it says is marked SYNTHETIC.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sdr_kit.research.inventor import DEFAULT_SCHEMA, invented
from sdr_kit.research.loose import table

LATENCY_SECONDS = 0.6  # a web search takes 10; the sandbox is for people who wait
LATENCY_SIGMA = 0.5  # the slowest of 100 takes about 3 times the mean
WINDOW_SECONDS = 60.0  # of the limit on requests a minute
# A 500 or 503 comes sooner than an answer.
_SHARE_OF_LATENCY = {"server_error_rate": 0.2, "overloaded_rate": 0.2}
BACKLOG = 1024  # a connection too many waits a second for its next chance
LOG_LENGTH = 10_000  # calls that are remembered; 2 MB

_ACCOUNT = re.compile(r"<account>\s*(.*?)\s*</account>", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """How the sandbox behaves; see `Sandbox` for what each means.

    Raises:
        ValueError: One is outside its range; the message has both.
    """

    latency: float = LATENCY_SECONDS
    sigma: float = LATENCY_SIGMA
    time_scale: float = 1.0
    concurrency_cap: int | None = None
    requests_per_minute: int | None = None
    server_error_rate: float = 0.0
    overloaded_rate: float = 0.0
    drop_rate: float = 0.0
    broken_json_rate: float = 0.0
    outage: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _in_range("latency", self.latency, 0, 600)
        _in_range("sigma", self.sigma, 0, 3)
        _in_range("time_scale", self.time_scale, 0.05, 10)
        _whole_or_none("concurrency_cap", self.concurrency_cap)
        _whole_or_none("requests_per_minute", self.requests_per_minute)
        for name in _RATES:
            _in_range(name, getattr(self, name), 0, 1)
        total = sum(getattr(self, name) for name in _RATES)
        _in_range(f"the sum of {', '.join(_RATES)}", total, 0, 1 + 1e-9)
        if self.outage is not None:
            start, length = self.outage
            _in_range("the start of the outage", start, 0, 86_400)
            _in_range("the length of the outage", length, 0, 86_400)


_RATES = ("server_error_rate", "overloaded_rate", "drop_rate", "broken_json_rate")


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxCall:
    """One request as the server saw it.

    Attributes:
        seconds: When it arrived, in real seconds from the opening.
        status: What it is answered with; None when its connection is dropped.
        account: The account's domain, or its name when it has none.
        retry_after: Real seconds it was asked to wait; None when it was not.
    """

    seconds: float
    status: int | None
    account: str
    retry_after: float | None = None


class SandboxServer:
    """The server; made anew for each opening, because it counts from there."""

    def __init__(self, options: SandboxOptions) -> None:
        self.requests = 0
        self.log: deque[SandboxCall] = deque(maxlen=LOG_LENGTH)
        self._options = options
        self._asked: Counter[str] = Counter()
        self._working: set[asyncio.Task[Any] | None] = set()
        self._opened = 0.0
        self._window_start = -math.inf
        self._window_count = 0
        self._runner: web.ServerRunner  # once it is started

    @property
    def base_url(self) -> str:
        """Where it listens."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    async def start(self) -> None:
        """Listens on a free port of 127.0.0.1."""
        server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=BACKLOG).start()
        self._opened = self._now()

    async def stop(self) -> None:
        """Closes the port and all connections, answered or not."""
        # Who still waits for an answer would otherwise be waited for.
        for task in filter(None, self._working):
            task.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.requests += 1
        request_id = f"req_sandbox_{self.requests}"
        response = await self._route(request)
        response.headers["x-request-id"] = request_id
        return response

    async def _route(self, request: web.BaseRequest) -> web.Response:
        if request.path != "/v1/responses":
            return _error(404, "invalid_request_error", "unknown_url", "No such page.")
        if request.method != "POST":
            return _error(405, "invalid_request_error", None, "Use POST.")
        try:
            body = json.loads(await request.read())
            account = _account_of(body["input"])
            schema = _schema_of(body)
        except (ValueError, TypeError, KeyError, RecursionError):
            return _error(400, "invalid_request_error", None, "No input in JSON.")
        answer = invented(schema, account, self._options.seed)
        response = await self._decide(request, str(body.get("model")), account, answer)
        response.headers.update(self._remaining())
        return response

    async def _decide(
        self,
        request: web.BaseRequest,
        model: str,
        account: dict[str, str],
        answer: object,
    ) -> web.Response:
        name = account.get("domain") or account["company_name"]
        # The seed, the account and the count alone: not the order of arrival.
        draw = _dice(self._options.seed, name, self._asked[name])
        latency, fate = self._latency(draw), self._fate(draw)
        if self._is_out():
            fate = draw.choice(("overloaded_rate", "drop_rate"))
            latency = 0.0
        elif refusal := self._refusal(name):
            return refusal
        else:
            self._count_in(name)
        self._note(name, _STATUS[fate])
        await self._work(latency * _SHARE_OF_LATENCY.get(fate, 1))
        if fate == "drop_rate":
            return _dropped(request)
        return _answer(fate, model, answer)

    async def _work(self, seconds: float) -> None:
        task = asyncio.current_task()
        self._working.add(task)
        try:
            await asyncio.sleep(seconds)
        finally:  # also when the client has gone
            self._working.discard(task)

    def _count_in(self, name: str) -> None:
        self._asked[name] += 1
        if self._window_count == 0:
            self._window_start = self._now()
        self._window_count += 1

    def _latency(self, draw: random.Random) -> float:
        """Draws seconds from a lognormal distribution by its mean.

        The mean of exp(N(mu, sigma²)) is exp(mu + sigma²/2).
        """
        sigma = self._options.sigma
        factor = draw.lognormvariate(-(sigma**2) / 2, sigma)
        return self._options.latency * factor * self._options.time_scale

    def _fate(self, draw: random.Random) -> str:
        left = draw.random()
        for name in _RATES:
            left -= getattr(self._options, name)
            if left < 0:
                return name
        return "answer"

    def _is_out(self) -> bool:
        if self._options.outage is None:
            return False
        start, length = self._options.outage
        since = (self._now() - self._opened) / self._options.time_scale
        return start <= since < start + length

    def _refusal(self, name: str) -> web.Response | None:
        """Gives the 429 that the limits ask for, if they do."""
        per_minute = self._options.requests_per_minute
        cap = self._options.concurrency_cap
        left = WINDOW_SECONDS * self._options.time_scale
        left -= self._now() - self._window_start
        if left <= 0:
            self._window_count = 0
        if per_minute is not None and self._window_count >= per_minute:
            wait_ms = math.ceil(left * 1000)
            self._note(name, 429, retry_after=wait_ms / 1000)
            return _limited(f"Limit: {per_minute} requests a minute.", wait_ms)
        if cap is not None and len(self._working) >= cap:
            self._note(name, 429)
            return _limited(f"Limit: {cap} requests at once.")
        return None

    def _remaining(self) -> dict[str, str]:
        """Gives what is left of the minute, in OpenAI's headers."""
        limit = self._options.requests_per_minute
        if limit is None:
            return {}
        left = WINDOW_SECONDS * self._options.time_scale
        left = max(left - (self._now() - self._window_start), 0.0)
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(max(limit - self._window_count, 0)),
            "x-ratelimit-reset-requests": f"{math.ceil(left * 1000)}ms",
        }

    def _note(
        self, account: str, status: int | None, *, retry_after: float | None = None
    ) -> None:
        self.log.append(
            SandboxCall(
                seconds=self._now() - self._opened,
                status=status,
                account=account,
                retry_after=retry_after,
            )
        )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


_STATUS = {
    "answer": 200,
    "broken_json_rate": 200,
    "server_error_rate": 500,
    "overloaded_rate": 503,
    "drop_rate": None,
}


def _account_of(question: Any) -> dict[str, str]:
    """Reads the account out of a question; any other question is one too."""
    text = question if isinstance(question, str) else json.dumps(question)
    marked = _ACCOUNT.search(text)
    if marked:
        try:
            account = json.loads(marked[1])
            return {"company_name": "?"} | {k: str(v) for k, v in account.items()}
        except (ValueError, AttributeError):
            pass
    return {"company_name": text[:80] or "?"}


def _schema_of(body: dict[str, Any]) -> dict[str, Any]:
    """Reads which form the answer is to have."""
    form = table(table(body.get("text")).get("format"))
    return table(form.get("schema")) or DEFAULT_SCHEMA


def _answer(fate: str, model: str, answer: object) -> web.Response:
    if fate == "server_error_rate":
        return _error(500, "server_error", "server_error", "The server had an error.")
    if fate == "overloaded_rate":
        return _overloaded()
    document = json.dumps(_response(model, answer))
    if fate == "broken_json_rate":
        document = document[: len(document) // 2]
    return _json(200, document)


def _response(model: str, said: object) -> dict[str, Any]:
    """Wraps an answer as OpenAI does."""
    text = json.dumps(said, ensure_ascii=False)
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "status": "completed", "role": "assistant"}
    usage = {"input_tokens": 900, "output_tokens": len(text) // 4}
    return {
        "id": "resp_sandbox",
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [
            {"type": "web_search_call", "id": "ws_sandbox", "status": "completed"},
            {"id": "msg_sandbox", **message, "content": [part]},
        ],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }


def _dice(*seed: object) -> random.Random:
    return random.Random(":".join(map(str, seed)))  # noqa: S311 - no secrets here


def _json(
    status: int, document: str, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status, text=document, content_type="application/json", headers=headers
    )


def _error(
    status: int,
    kind: str,
    code: str | None,
    message: str,
    headers: dict[str, str] | None = None,
) -> web.Response:
    problem = {"message": message, "type": kind, "param": None, "code": code}
    return _json(status, json.dumps({"error": problem}), headers)


def _overloaded() -> web.Response:
    return _error(503, "server_error", "server_is_overloaded", "Overloaded; try later.")


def _limited(message: str, wait_ms: int | None = None) -> web.Response:
    # Whole seconds as the standard wants it, and exactly, as OpenAI does: windows
    # may be compressed to fractions of a second.
    headers = {}
    if wait_ms is not None:
        seconds = math.ceil(wait_ms / 1000)
        headers = {"Retry-After": str(seconds), "retry-after-ms": str(wait_ms)}
    return _error(429, "requests", "rate_limit_exceeded", message, headers)


def _dropped(request: web.BaseRequest) -> web.Response:
    """Closes the connection; aiohttp finds nobody to send the response to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _in_range(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; it must be a number")  # noqa: TRY004
    if not low <= value <= high:  # NaN is in no range
        raise ValueError(f"{name} is {value!r}; it must be {low:g} to {high:g}")


def _whole_or_none(name: str, value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value is not None and not whole:
        raise ValueError(
            f"{name} is {value!r}; it must be a whole number from 1, or None"
        )
