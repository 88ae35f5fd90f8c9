"""What a provider's refusal means.

As OpenAI and Anthropic document them, and as compatible servers (OpenRouter, Ollama,
LM Studio, vLLM) send them:

- waited for: 429 and 529, and what is called a rate limit, a ramp or an overload;
- tried again: other 5xx, 408, 409;
- the end of the run: a bad key, no permission, no money, no such model or address.
  A spend limit comes as 429 or 400 and looks like something else, so its code, and
  with Anthropic its words, count more than its status;
- final for the account: everything else, among it a question that was moderated.

`x-should-retry` is the provider's own word on it, and is taken, but for what is said
of the key or the money: no try again brings those.
https://platform.openai.com/docs/guides/error-codes
https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sdr_kit.account import ErrorKind
from sdr_kit.errors import classify_status
from sdr_kit.research.loose import table, words

# Parts of codes and types with which no account can succeed.
_STOP = re.compile(
    r"insufficient_quota|spend_limit|usage_limit_exceeded|credit_balance|billing"
    r"|payment_required|invalid_api_key|account_deactivated|authentication_error"
    r"|permission_error|model_not_found|unsupported_country"
)
# How Anthropic says it with status 400 and the type of a wrong request, or with 429
# and that of a rate limit.
_NO_MONEY = re.compile(
    r"(?i)credit balance is too low|(api usage|spend(ing)?) limits?\b"
    r"|out of .{0,20}usage"
)
# How LM Studio says 404, with 200: an address without its `/v1`, mostly.
_NO_PAGE = re.compile(r"(?i)unexpected endpoint or method")
_MODERATED = re.compile(r"(?i)moderation|flagged")
_WAIT = frozenset(
    {
        "overloaded_error",
        "ramp_limit_exceeded",
        "rate_limit_error",
        "rate_limit_exceeded",
        "slow_down",
    }
)
# The status that an error stands for which is sent with 200, by its name.
_NAMED = {
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "content_filter": 400,
    "content_policy_violation": 400,
    "context_length_exceeded": 400,
    "not_found_error": 404,
    "request_too_large": 413,
    "string_above_max_length": 400,
}
_STOP_STATUS = frozenset({401, 402, 403, 404, 405})


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What a provider says is wrong.

    Attributes:
        message: In its words; may be empty.
        codes: How it calls it, the most telling first.
        status: The HTTP status that the body names; None when it names none.
        request_id: What the provider calls the request, as Anthropic says it here too.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    status: int | None = None
    request_id: str | None = None

    @property
    def code(self) -> str:
        """The most telling name, or nothing."""
        return self.codes[0] if self.codes else ""


def maybe_problem(body: object) -> Problem | None:
    """Finds the error in a body, in whichever of the known forms it is.

    `{"error": {"message", "code", "type", "details": {"error_code"}}}`, `{"error":
    "…"}` (LM Studio), `{"detail": "…"}` (FastAPI), `{"message": "…"}`.
    """
    known = table(body)
    said = known.get("error")
    if said is None or said is False or said == {} or said == "":
        message = words(known.get("detail")) or words(known.get("message"))
        return Problem(message=message) if message else None
    inner = table(said)
    if not inner:
        return Problem(message=words(said))
    code = inner.get("code")
    details = table(inner.get("details"))
    codes = (words(details.get("error_code")), words(code), words(inner.get("type")))
    numeric = re.fullmatch("[45][0-9][0-9]", words(code))
    return Problem(
        message=words(inner.get("message")),
        codes=tuple(each for each in codes if each),
        status=int(words(code)) if numeric else None,
        request_id=words(known.get("request_id")) or None,
    )


def kind_of_refusal(
    problem: Problem, status: int, headers: Mapping[str, str]
) -> ErrorKind:
    """Says what an answer means whose status is no success."""
    kind = _kind(problem, status)
    if _is_hopeless(problem, status):
        return kind
    retry = headers.get("x-should-retry", "").strip().lower()
    if retry == "true" and kind in ("permanent", "stop"):
        return "transient"
    if retry == "false" and kind in ("rate_limited", "transient"):
        return "permanent"
    return kind


def kind_of_problem(problem: Problem) -> ErrorKind:
    """Says what an error means that was sent with status 200.

    One that nobody has heard of is passing trouble: the request had been taken.
    """
    named = (
        400 if code.startswith("invalid_") else _NAMED.get(code)
        for code in problem.codes
    )
    status = problem.status or next(filter(None, named), None)
    if _NO_PAGE.search(problem.message):
        status = 404
    return _kind(problem, status or 500)


def _is_hopeless(problem: Problem, status: int) -> bool:
    """Whether the key or the money is what is wrong, by its name or its words."""
    if any(map(_STOP.search, problem.codes)):
        return True
    return status in (400, 429) and bool(_NO_MONEY.search(problem.message))


def _kind(problem: Problem, status: int) -> ErrorKind:
    if _is_hopeless(problem, status):
        return "stop"
    if status == 403 and _MODERATED.search(problem.message):
        return "permanent"
    if status in _STOP_STATUS:
        return "stop"
    if _WAIT.intersection(problem.codes) and not 400 <= status < 409:
        return "rate_limited"
    return classify_status(status)
