"""Research by a model of OpenAI, or of a provider that speaks its Responses API.

One account is one request: instructions, the account, web search, and a strict schema
for the answer. What comes back is believed in nothing: an answer with status 200 may
be a failure, and "compatible" servers ignore the schema. Each failure is named by what
the caller can do about it (see `errors`), and says what the provider said, bounded,
with its request id and never with the key.
"""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from sdr_kit.account import Account, Research
from sdr_kit.errors import (
    Permanent,
    RateLimited,
    SdrKitError,
    SettingsError,
    StopRun,
    Transient,
    classify_status,
    retry_after_seconds,
)
from sdr_kit.research.brief import (
    INSTRUCTIONS,
    Answer,
    answer_schema,
    question,
    to_research,
)
from sdr_kit.research.client import ReadyMadeResearcher
from sdr_kit.research.http import open_client
from sdr_kit.settings import Settings

MAX_DETAIL_CHARACTERS = 300  # of what a provider says; leaves room for the rest

# With these no account can succeed. 402 is how compatible providers say "no money".
_STOP_STATUS = frozenset({401, 402, 403})
_STOP_CODES = frozenset(
    {
        "account_deactivated",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
    }
)


class OpenAIResearcher(ReadyMadeResearcher):
    """Asks a model with web search about one account at a time.

    Called with an `Account` it gives a `Research`. Nothing is stored at the provider
    (`store: false`). It does not retry and has no limit of how many at once: the run
    does and has.

    Args:
        api_key: The provider's key; None takes `OPENAI_API_KEY` of the settings.
        base_url: Where the API is, with its version (`https://api.openai.com/v1`);
            None takes `OPENAI_BASE_URL`.
        model: Which model to ask; None takes `OPENAI_MODEL`.
        settings: None reads the environment and `.env`. `request_timeout_seconds`
            bounds each request.

    Raises:
        SettingsError: There is no key, or it cannot be one; or `base_url` is not an
            http(s) address without a password in it.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or Settings()
        self.model = model or settings.openai_model
        self._key = _checked_key(api_key, settings.openai_api_key)
        self._base_url = _checked_url(base_url or settings.openai_base_url)
        # Made once: merging a relative address at each request costs more.
        self._url = httpx.URL(f"{self._base_url}/responses")
        self._timeout_seconds = settings.request_timeout_seconds
        self._client: httpx.AsyncClient  # while it is open

    def __repr__(self) -> str:
        return f"OpenAIResearcher(model={self.model!r}, base_url={self._base_url!r})"

    @property
    def name(self) -> str:
        """How the researcher is called on screen: `OpenAI` and the model."""
        return f"OpenAI {self.model}"

    async def __call__(self, account: Account) -> Research:
        """Researches one account.

        Raises:
            RateLimited: The provider asks to wait (429).
            Transient: Its trouble (5xx), or an answer that cannot be used.
            Permanent: It will not answer about this account.
            StopRun: It will answer about none: bad key, no money, no such model.
            httpx.TransportError: No whole answer came back.
            SdrKitError: The researcher is not open.
        """
        self._check_open()
        try:
            response = await self._client.post(self._url, json=self._request(account))
        except httpx.DecodingError as error:
            raise Transient(f"{self.name}: {error}") from error
        if not response.is_success:
            self._raise_refused(response)
        return to_research(self._answer(response))

    async def _open(self) -> None:
        self._client = open_client(
            base_url=self._base_url,
            timeout_seconds=self._timeout_seconds,
            headers={"Authorization": f"Bearer {self._key.get_secret_value()}"},
        )

    async def _close(self) -> None:
        await self._client.aclose()

    def _request(self, account: Account) -> dict[str, Any]:
        return {
            "model": self.model,
            "instructions": INSTRUCTIONS,
            "input": question(account),
            "tools": [{"type": "web_search"}],
            "text": {"format": _FORMAT},
            "store": False,
        }

    def _raise_refused(self, response: httpx.Response) -> None:
        """Raises what an answer other than 2xx means, from its HTTPStatusError.

        The cause carries status and headers for `errors.classify`.
        """
        problem = _problem(response)
        kind = classify_status(response.status_code)
        message = self._says(response, problem.message, problem.code or problem.type)
        try:
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            codes = {problem.code, problem.type}
            if response.status_code in _STOP_STATUS or codes & _STOP_CODES:
                raise StopRun(message) from error
            if kind == "rate_limited":
                wait = retry_after_seconds(response.headers)
                raise RateLimited(message, retry_after=wait) from error
            if kind == "transient":
                raise Transient(message) from error
            raise Permanent(message) from error

    def _answer(self, response: httpx.Response) -> Answer:
        """Reads the model's answer out of a response with status 200."""
        try:
            reply = _Reply.model_validate_json(response.content)
            if reply.status not in ("completed", None):
                raise self._unfinished(response, reply)
            text = self._last_text(response, reply)
        except ValidationError as error:
            message = f"the answer is not of the Responses format ({_first(error)})"
            raise Transient(self._says(response, message)) from error
        try:
            return Answer.model_validate_json(text)
        except ValidationError as error:
            message = f"the answer does not fit the brief ({_first(error)})"
            raise Transient(self._says(response, message)) from error

    def _unfinished(self, response: httpx.Response, reply: _Reply) -> SdrKitError:
        """Says what a response means that was sent with 200 and is not complete."""
        if reply.status == "incomplete":
            reason = (reply.incomplete_details or _Incomplete()).reason
            return Permanent(self._says(response, f"incomplete answer ({reason})"))
        problem = reply.error or _Problem()
        message = self._says(
            response, problem.message or f"status {reply.status}", problem.code
        )
        if problem.code in _STOP_CODES:
            return StopRun(message)
        if problem.code == "rate_limit_exceeded":
            wait = retry_after_seconds(response.headers)
            return RateLimited(message, retry_after=wait)
        if reply.status == "failed" and problem.code not in (None, "server_error"):
            return Permanent(message)  # invalid_prompt and its like
        return Transient(message)

    def _last_text(self, response: httpx.Response, reply: _Reply) -> str:
        """Gives the text of the last message; what precedes it is commentary."""
        text = ""
        for item in reply.output or ():
            if item.get("type") != "message":
                continue  # reasoning, web_search_call, and what is yet to come
            parts = _Message.model_validate(item).content
            for part in parts:
                if part.type == "refusal":
                    message = f"the model refused: {part.refusal}"
                    raise Permanent(self._says(response, message))
            text = "".join(part.text for part in parts if part.type == "output_text")
        return text

    def _says(
        self, response: httpx.Response, detail: str, code: str | None = None
    ) -> str:
        # Some servers repeat the key in their complaint about it.
        detail = detail.replace(self._key.get_secret_value(), "[key]")
        if len(detail) > MAX_DETAIL_CHARACTERS:
            detail = detail[: MAX_DETAIL_CHARACTERS - 1] + "…"
        request_id = response.headers.get("x-request-id")
        notes = [
            "" if response.is_success else f"HTTP {response.status_code}",
            (code or "")[:100],
            f"request {request_id[:100]}" if request_id else "",
        ]
        shown = ", ".join(note for note in notes if note)
        return f"{self.name}: {detail}" + (f" ({shown})" if shown else "")


class _Part(BaseModel):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Message(BaseModel):
    content: list[_Part] = []


class _Problem(BaseModel):
    # Compatible servers send numbers as codes.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    message: str = ""
    type: str | None = None
    code: str | None = None


class _Incomplete(BaseModel):
    reason: str = "no reason given"


class _Reply(BaseModel):
    """The parts of a Responses answer that are read.

    https://platform.openai.com/docs/api-reference/responses/object
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    status: str | None = None  # compatible servers leave it out when all went well
    output: list[dict[str, Any]] | None = None
    error: _Problem | None = None
    incomplete_details: _Incomplete | None = None


class _Refusal(BaseModel):
    error: _Problem


_FORMAT = {
    "type": "json_schema",
    "name": "account_research",
    "strict": True,
    "schema": answer_schema(),
}


def _problem(response: httpx.Response) -> _Problem:
    try:
        return _Refusal.model_validate_json(response.content).error
    except ValidationError:  # a proxy's page, perhaps
        text = " ".join(response.text[: 10 * MAX_DETAIL_CHARACTERS].split())
        return _Problem(message=text or response.reason_phrase)


def _first(error: ValidationError) -> str:
    """Says the first thing that is wrong, without the value itself."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _checked_key(api_key: str | None, from_settings: SecretStr | None) -> SecretStr:
    if api_key is None and from_settings is not None:
        api_key = from_settings.get_secret_value()
    key = (api_key or "").strip()
    if not key:
        raise SettingsError(
            "OPENAI_API_KEY is not set: put it into .env or the environment, or pass "
            "api_key=; the sandbox needs none"
        )
    # The value is not shown: most of it may be the key.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            "OPENAI_API_KEY has characters that no key has (a space, a line break, an "
            "accented letter); copy it again"
        )
    return SecretStr(key)


def _checked_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError(
            f"OPENAI_BASE_URL={base_url!r}: must be an http:// or https:// address"
        )
    if url.userinfo:
        raise SettingsError(
            "OPENAI_BASE_URL holds a user or password; keys go into OPENAI_API_KEY"
        )
    return base_url.rstrip("/")
