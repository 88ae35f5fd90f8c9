"""What went wrong at a provider, as an error that says so.

A message has what the provider said, bounded, the status, its code, the request's id
and the way out. The key is in none of it, nor in what the errors carry.
"""

from __future__ import annotations

import json
from dataclasses import replace

import httpx

from sdr_kit.errors import (
    Permanent,
    RateLimited,
    SdrKitError,
    StopRun,
    Transient,
    retry_after_seconds,
)
from sdr_kit.research.answer import visible
from sdr_kit.research.endpoint import Endpoint
from sdr_kit.research.refusal import Problem, kind_of_refusal, maybe_problem
from sdr_kit.research.reply import Reply

MAX_DETAIL_CHARACTERS = 300  # of what a provider says; leaves room for the rest
MAX_ID_CHARACTERS = 100
SECRET_CHARACTERS = 16  # of a key; a shorter one is a word for servers that need none
WAITS = ("retry-after", "retry-after-ms", "date")
REQUEST_IDS = ("x-request-id", "request-id")

_ERRORS: dict[str, type[SdrKitError]] = {
    "transient": Transient,
    "permanent": Permanent,
    "stop": StopRun,
}


class Refused(Exception):
    """The provider refused the request itself; perhaps there is another way.

    Attributes:
        status: The HTTP status.
        problem: What it said.
        error: What is raised if there is none.
    """

    def __init__(self, status: int, problem: Problem, error: SdrKitError) -> None:
        super().__init__(str(error))
        self.status = status
        self.problem = problem
        self.error = error


class Failures:
    """Makes the errors of one provider.

    Args:
        name: What the researcher is called.
        where: The provider.
    """

    def __init__(self, name: str, where: Endpoint) -> None:
        self._name = name
        self._where = where

    def refused(self, response: httpx.Response) -> Refused:
        """Gives what an answer other than 2xx means.

        The cause carries the status and when to come back, for `errors.classify`, and
        nothing else: the request holds the key, and some answers repeat it.
        """
        problem = _problem_of(response)
        status = response.status_code
        kind = kind_of_refusal(problem, status, response.headers)
        request_id = request_id_of(response) or problem.request_id
        request_id = request_id and visible(request_id[:MAX_ID_CHARACTERS])
        said = self.says(
            problem.message,
            status=status,
            code=problem.code,
            request_id=request_id,
            hint=self._hint(status, problem) if kind == "stop" else "",
        )
        error: SdrKitError
        if kind == "rate_limited":
            wait = retry_after_seconds(response.headers)
            error = RateLimited(said, retry_after=wait)
        else:
            error = _ERRORS[kind](said)
        bare = httpx.Request("POST", self._where.url)
        error.__cause__ = httpx.HTTPStatusError(
            f"HTTP {status}",
            request=bare,
            response=httpx.Response(status, headers=_waits(response), request=bare),
        )
        return Refused(status, problem, error.about(request_id=request_id))

    def failed(self, reply: Reply, response: httpx.Response) -> SdrKitError:
        """Gives what a reply means that was sent with 200 and is no answer."""
        assert reply.failure is not None  # noqa: S101 (the caller has looked)
        failure = reply.failure
        said = self.says(
            failure.message, code=failure.code, request_id=request_id_of(response)
        )
        error: SdrKitError
        if failure.kind == "rate_limited":
            wait = retry_after_seconds(response.headers)
            error = RateLimited(said, retry_after=wait)
        else:
            error = _ERRORS[failure.kind](said)
        return error.about(raw=self.without_key(reply.text) or None)

    def _hint(self, status: int, problem: Problem) -> str:
        """Says what to look at when no account can succeed."""
        prefix = self._where.prefix
        if status == 401 or "invalid_api_key" in problem.codes:
            return f"check {prefix}_API_KEY, then run the notebook's cells again"
        if status in (404, 405) or "model_not_found" in problem.codes:
            return f"check {prefix}_MODEL and {prefix}_BASE_URL"
        if status == 403:
            return f"check what {prefix}_API_KEY may do"
        return "check the billing at the provider"

    def says(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str | None = None,
        hint: str = "",
    ) -> str:
        """Writes a message: who, what, and in brackets what support asks for."""
        detail = self.without_key(visible(detail))
        if len(detail) > MAX_DETAIL_CHARACTERS:
            detail = detail[: MAX_DETAIL_CHARACTERS - 1] + "…"
        request_id = (request_id or "")[:MAX_ID_CHARACTERS]
        notes = (
            f"HTTP {status}" if status else "",
            self.without_key(code)[:MAX_ID_CHARACTERS],
            f"request {self.without_key(request_id)}" if request_id else "",
            hint,
        )
        shown = ", ".join(filter(None, notes))
        return f"{self._name}: {detail}" + (f" ({shown})" if shown else "")

    def bare(self, response: httpx.Response) -> httpx.Response:
        """Takes the key out of an answer: some servers repeat what they were sent.

        A key that is no secret (`ollama`) may be a word of the answer, and stays.
        """
        key = self._where.key
        if key is None or len(key) < SECRET_CHARACTERS:
            return response
        sent = key.get_secret_value().encode()
        parts = [
            response.content,
            *(part for pair in response.headers.raw for part in pair),
        ]
        echoes = [sent, sent.replace(b"/", b"\\/")]  # JSON may escape a slash
        if not any(each in part for each in echoes for part in parts):
            return response
        for each in echoes:
            parts = [part.replace(each, b"[key]") for part in parts]
        headers = zip(parts[1::2], parts[2::2], strict=True)
        return httpx.Response(
            response.status_code,
            headers=[pair for pair in headers if pair[0].lower() != b"content-length"],
            content=parts[0],
        )

    def without_key(self, text: str) -> str:
        """Takes the key out: some servers repeat it in their complaint about it."""
        key = self._where.key
        return text if key is None else text.replace(key.get_secret_value(), "[key]")


def document(response: httpx.Response) -> object:
    """Reads the JSON of an answer; NaN and infinity, which are none, become null."""
    found: object = json.loads(response.content, parse_constant=lambda _: None)
    return found


def request_id_of(response: httpx.Response) -> str | None:
    """Gives what the provider calls a request, if it says so."""
    for name in REQUEST_IDS:
        if name in response.headers:
            return response.headers[name][:MAX_ID_CHARACTERS]
    return None


def _waits(response: httpx.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in WAITS if name in response.headers}


def _problem_of(response: httpx.Response) -> Problem:
    try:
        problem = maybe_problem(document(response))
    except (ValueError, RecursionError):  # a proxy's page, perhaps
        problem = None
    # Not `response.text`: it decodes as the header says, which may be anything.
    start = response.content[: 10 * MAX_DETAIL_CHARACTERS].decode("utf-8", "replace")
    text = " ".join(start.split())
    if problem is None:
        return Problem(message=text or response.reason_phrase)
    return problem if problem.message else replace(problem, message=text)
