"""What can go wrong, named by what the caller can do about it.

    SdrKitError
     ├─ AccountsError      the list cannot be loaded: mend the file
     ├─ SettingsError      a setting is wrong (also a ValueError): mend `.env`
     ├─ StoreError         the database cannot be used
     ├─ RateLimited        the provider asks to wait: every start waits with it
     ├─ Transient          passing trouble of the provider: try again
     ├─ Permanent          this account fails, the others go on
     └─ StopRun            no account can succeed (a bad key): the run ends

A researcher raises one of the last four, or anything else: `classify` is the one
place that says what an exception means. It knows the libraries that analysts call
(httpx, requests, aiohttp, the providers' own SDKs) by the names of their
exceptions, so none of them needs to be installed or imported.
"""

from __future__ import annotations

import math
import os
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Self, TypeVar

from sdr_kit.account import RAW_CHARACTERS, ErrorKind, RateLimits, Research, Usage

_Value = TypeVar("_Value")
MESSAGE_LIMIT = 500  # characters; an error page of a proxy can be a megabyte


class SdrKitError(Exception):
    """The root of everything this package raises on purpose.

    Attributes:
        usage: What the failed call took, when it is known: it was paid for.
        limits: What the provider says remains, when it says so.
        request_id: What the provider calls the request, for its support.
        raw: An answer that could not be used, as it came.
        found: What was found before it failed.
    """

    usage: Usage | None = None
    limits: RateLimits | None = None
    request_id: str | None = None
    raw: str | None = None
    found: Research | None = None

    def about(
        self,
        *,
        usage: Usage | None = None,
        limits: RateLimits | None = None,
        request_id: str | None = None,
        raw: str | None = None,
        found: Research | None = None,
    ) -> Self:
        """Adds what is known about the failed call, and gives the error back.

        `raw` is cut at `RAW_CHARACTERS`. Of `found` the columns, the scores and the
        evidence are kept; what the call took is said by `usage`. What is None leaves in
        place what was there.
        """
        self.usage = self.usage if usage is None else usage
        self.limits = self.limits if limits is None else limits
        self.request_id = self.request_id if request_id is None else request_id
        self.raw = self.raw if raw is None else raw[:RAW_CHARACTERS]
        if found is not None:
            self.found = replace(found.without_call(), cost_usd=None)
        return self


class AccountsError(SdrKitError):
    """A list of accounts cannot be loaded; the message says why and where."""


class SettingsError(SdrKitError, ValueError):
    """A setting is wrong; the message names the variable, the value, the range."""


class StoreError(SdrKitError):
    """The database cannot be opened, read or written."""


class NoJobError(StoreError):
    """There is no such job in the store."""


class JobHeldError(StoreError):
    """Another process works on the job; the message names it."""


class RateLimited(SdrKitError):
    """The provider asks to wait (429, 529). Does not use up a retry.

    Args:
        message: What the provider said, in plain words.
        retry_after: Seconds it asks to wait; None when it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Transient(SdrKitError):
    """Passing trouble (a 5xx, a dropped connection): worth another try."""


class Permanent(SdrKitError):
    """This account cannot be researched; trying again would not help."""


class StopRun(SdrKitError):
    """No account can succeed (a bad key, no quota): the run ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an exception of a researcher means.

    Attributes:
        kind: `rate_limited`, `transient`, `permanent` or `stop`.
        message: The failure in plain words, bounded in length.
        retry_after: Seconds the provider asks everyone to wait, or None.
        http_status: The status of the answer, when there was one.
        usage: What the call took, when the researcher says so; likewise the others.
        limits: What the provider says remains.
        request_id: What the provider calls the request.
        raw: An answer that could not be used.
        found: What was found all the same.
    """

    kind: ErrorKind
    message: str
    retry_after: float | None = None
    http_status: int | None = None
    usage: Usage | None = None
    limits: RateLimits | None = None
    request_id: str | None = None
    raw: str | None = None
    found: Research | None = None


_OWN: tuple[tuple[type[SdrKitError], ErrorKind], ...] = (
    (RateLimited, "rate_limited"),
    (Transient, "transient"),
    (Permanent, "permanent"),
    (StopRun, "stop"),
)

# Nearest class in the method resolution order wins, so a special case may stand
# beside its general one.
_BY_NAME: dict[str, ErrorKind] = {
    "builtins.TimeoutError": "transient",
    "builtins.ConnectionError": "transient",
    "builtins.EOFError": "transient",
    "socket.gaierror": "transient",
    "httpx.TransportError": "transient",
    "httpx.UnsupportedProtocol": "permanent",
    "httpx.LocalProtocolError": "permanent",
    "requests.exceptions.ConnectionError": "transient",
    "requests.exceptions.Timeout": "transient",
    "requests.exceptions.ChunkedEncodingError": "transient",
    "aiohttp.client_exceptions.ClientConnectionError": "transient",
    "aiohttp.client_exceptions.ClientPayloadError": "transient",
    "urllib.error.URLError": "transient",
    "urllib3.exceptions.TimeoutError": "transient",
    "urllib3.exceptions.ProtocolError": "transient",
    "urllib3.exceptions.MaxRetryError": "transient",
    "http.client.HTTPException": "transient",
    "http.client.InvalidURL": "permanent",
    "openai.APIConnectionError": "transient",
    "anthropic.APIConnectionError": "transient",
    "asyncio.exceptions.IncompleteReadError": "transient",
}

# A key may stand in a URL, as user:password@ or in the query; httpx puts URLs into its
# messages, requests paths (`url: /v1?key=…`). An apostrophe may be part of a query, so
# it ends one only where the word ends too.
_URL_USER = re.compile(r"\b(\w+://)[^\s/?#\"]*@")
_URL_QUERY = re.compile(
    r"(/[^\s?#\"]*)[?#][^\s\"<>]*?(?=['),.;:\]]{0,9}(?:[\s\"<>]|$))"
)
# h11 and requests quote a header whose value is wrong, for instance a key with a line
# end in it.
_AUTHORIZATION = re.compile(r"(?i)\b(bearer\s+|basic\s+|sk-)[^\s'\"]{4,}")
# Where code is that nobody edits who writes a function in a cell.
_LIBRARIES = tuple(os.path.dirname(file) + os.sep for file in (os.__file__, __file__))
_INSTALLED = ("site-packages", "dist-packages", "<frozen ")
_READ_LIMIT = 4_000  # characters of an error that are looked at

_CONGESTION = frozenset({429, 529})
# What the providers' own SDKs repeat beside 5xx: request timeout, conflict, early.
_TRANSIENT_4XX = frozenset({408, 409, 425})


def classify(error: BaseException) -> Verdict:
    """Says what an exception means for the account and for the run.

    Of a group (a researcher's own TaskGroup) the first one counts; an exception that
    says nothing itself means what the one it was raised from means. One that nobody
    foresaw is likely a mistake in the researcher, so its message names the line.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    cause = error.__cause__
    status, headers = _answer(error)
    if status is None and isinstance(error, SdrKitError) and cause:
        status, headers = _answer(cause)
    kind = _maybe_kind(error, status)
    place = "" if kind else _place(error)
    retry_after = retry_after_seconds(headers)
    if isinstance(error, RateLimited) and error.retry_after is not None:
        retry_after = _seconds(error.retry_after)
    if kind is None and cause is not None and cause is not error:
        inner = classify(cause)
        kind, status = inner.kind, inner.http_status
        retry_after = inner.retry_after
    return Verdict(
        kind=kind or "permanent",
        message=_message(error, status, place),
        retry_after=retry_after,
        http_status=status,
        usage=_known(error, Usage, "usage"),
        limits=_known(error, RateLimits, "limits"),
        request_id=_known(error, str, "request_id"),
        raw=_known(error, str, "raw"),
        found=_known(error, Research, "found"),
    )


def _known(error: BaseException, kind: type[_Value], name: str) -> _Value | None:
    """Finds what the error, or the one that it was raised from, knows of the call."""
    for each in (error, error.__cause__):
        value = getattr(each, name, None)
        if isinstance(each, SdrKitError) and isinstance(value, kind):
            return value
    return None


def classify_status(status: int) -> ErrorKind:
    """Says what an HTTP status that is not a success means.

    429 and 529 are congestion; other 5xx are noise; other 4xx are final, but for
    the three that mean "again, please" (408, 409, 425).
    """
    if status in _CONGESTION:
        return "rate_limited"
    if status >= 500 or status in _TRANSIENT_4XX:
        return "transient"
    return "permanent"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Reads how long a provider asks to wait.

    `retry-after-ms` (milliseconds, exact) is preferred to `Retry-After` (seconds,
    or an HTTP date, which is measured against the answer's own `Date` when it has
    one). What cannot be understood, or is not in the future, is None.
    """
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    milliseconds = _seconds(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = lower.get("retry-after")
    seconds = _seconds(value)
    if seconds is not None or value is None:
        return seconds
    until, now = _epoch(value), _epoch(lower.get("date", ""))
    return _seconds(None if until is None else until - (now or time.time()))


def _maybe_kind(error: BaseException, status: int | None) -> ErrorKind | None:
    for own, kind in _OWN:
        if isinstance(error, own):
            return kind
    if status is not None and status >= 400:
        return classify_status(status)
    for cls in type(error).__mro__:
        named = _BY_NAME.get(f"{cls.__module__}.{cls.__qualname__}")
        if named is not None:
            return named
    return None


def _answer(error: BaseException) -> tuple[int | None, Mapping[str, str]]:
    """Finds the HTTP status and headers that an exception carries, if any.

    httpx, requests and the providers' SDKs keep the response; aiohttp has
    `status` and urllib has `code` on the exception itself.
    """
    carrier = getattr(error, "response", None)
    carrier = error if carrier is None else carrier
    headers = getattr(carrier, "headers", None)
    for name in ("status_code", "status", "code"):
        status = getattr(carrier, name, None)
        if isinstance(status, int):  # HTTPStatus is one too
            known = headers if isinstance(headers, Mapping) else _items(headers)
            return (int(status), known) if 100 <= status <= 599 else (None, {})
    return None, {}


def _items(headers: object) -> Mapping[str, str]:
    items = getattr(headers, "items", None)
    return dict(items()) if callable(items) else {}


def _place(error: BaseException) -> str:
    """Gives the line of the researcher's own code in which it went wrong, if known."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES) and not any(map(file.count, _INSTALLED)):
            place = f" (in {frame.f_code.co_name[:60]}, line {line})"
    return place


def _message(error: BaseException, status: int | None, place: str) -> str:
    text = " ".join(text_of(error)[:_READ_LIMIT].split())
    text = text.partition(" For more information check")[0]
    text = _URL_QUERY.sub(r"\1", _URL_USER.sub(r"\1", text))
    text = _AUTHORIZATION.sub(r"\1…", text)
    if not isinstance(error, SdrKitError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if status is not None and str(status) not in text:
        text = f"HTTP {status}: {text}"
    text = text.encode("utf-8", "replace").decode()  # lone surrogates cannot be stored
    limit = MESSAGE_LIMIT - len(place)
    return (text if len(text) <= limit else text[: limit - 1] + "…") + place


def text_of(error: BaseException) -> str:
    """Gives what an exception says; nothing when its own `__str__` fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (somebody's broken __str__ is not our crash)
        return ""


def _seconds(value: float | str | None) -> float | None:
    try:
        seconds = math.nan if value is None else float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if 0 < seconds < math.inf else None


def _epoch(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        # A date of HTTP is in UTC, and its oldest form does not say so.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
