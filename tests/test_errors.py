"""What an exception means, whichever library it comes from."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import io
import socket
import ssl
import time
import urllib.error
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import aiohttp.client_exceptions
import httpx
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sdr_kit.account import RAW_CHARACTERS, ErrorKind, RateLimits, Usage
from sdr_kit.errors import (
    MESSAGE_LIMIT,
    AccountsError,
    Permanent,
    RateLimited,
    SdrKitError,
    SettingsError,
    StopRun,
    StoreError,
    Transient,
    classify,
    classify_status,
    retry_after_seconds,
)


def exceptions_of(module: Any) -> dict[str, type[Exception]]:
    return {
        name: cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, Exception)
    }


def bare(cls: type[BaseException]) -> BaseException:
    """Makes an exception of a class without knowing its arguments."""
    return cls.__new__(cls)


def httpx_error(status: int, headers: Mapping[str, str] | None = None) -> Exception:
    request = httpx.Request("GET", "https://api.example/v1")
    response = httpx.Response(status, headers=headers, request=request)
    return httpx.HTTPStatusError("failed", request=request, response=response)


def aiohttp_error(status: int, headers: Mapping[str, str] | None = None) -> Exception:
    info = aiohttp.RequestInfo(
        URL("https://api.example/v1?key=SECRET"),
        "GET",
        CIMultiDictProxy(CIMultiDict()),
        URL("https://api.example/v1"),
    )
    return aiohttp.ClientResponseError(
        info, (), status=status, headers=CIMultiDict(headers or {})
    )


def urllib_error(status: int, headers: Mapping[str, str] | None = None) -> Exception:
    message = Message()
    for name, value in (headers or {}).items():
        message[name] = value
    return urllib.error.HTTPError(
        "https://api.example/", status, "failed", message, io.BytesIO()
    )


def stand_in(
    module: str, name: str, *bases: type[BaseException]
) -> type[BaseException]:
    """An exception class as a library that is not installed here would have it."""
    return type(name, bases or (Exception,), {"__module__": module})


RequestException = stand_in("requests.exceptions", "RequestException", OSError)
RequestsTimeout = stand_in("requests.exceptions", "Timeout", RequestException)
RequestsConnection = stand_in(
    "requests.exceptions", "ConnectionError", RequestException
)
OpenAIError = stand_in("openai", "OpenAIError")


class FalsyResponse:
    """As `requests.Response` is when the status is an error."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}

    def __bool__(self) -> bool:
        return False


def requests_error(status: int, headers: Mapping[str, str] | None = None) -> Exception:
    error = stand_in("requests.exceptions", "HTTPError", RequestException)("failed")
    error.response = FalsyResponse(status, headers)  # type: ignore[attr-defined]
    assert isinstance(error, Exception)
    return error


BY_LIBRARY = [httpx_error, aiohttp_error, urllib_error, requests_error]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimited("slow down"), "rate_limited"),
        (Transient("try again"), "transient"),
        (Permanent("no such company"), "permanent"),
        (StopRun("bad key"), "stop"),
        (SdrKitError("something"), "permanent"),
        (AccountsError("file"), "permanent"),
        (StoreError("database"), "permanent"),
        (ValueError("wrong"), "permanent"),
        (KeyError("name"), "permanent"),
        (TimeoutError(), "transient"),
        (ConnectionResetError("reset"), "transient"),
        (BrokenPipeError(), "transient"),
        (EOFError(), "transient"),
        (asyncio.IncompleteReadError(b"", 5), "transient"),
        (socket.gaierror(-2, "Name or service not known"), "transient"),
        (http.client.RemoteDisconnected("closed"), "transient"),
        (http.client.IncompleteRead(b""), "transient"),
        (http.client.InvalidURL("spaces"), "permanent"),
        (urllib.error.URLError("no route"), "transient"),
        (urllib.error.ContentTooShortError("half", ("", Message())), "transient"),
        (FileNotFoundError("x"), "permanent"),
        (ssl.SSLError("wrong version"), "permanent"),
    ],
)
def test_an_exception_is_classified(error: Exception, kind: str) -> None:
    assert classify(error).kind == kind


def test_settings_errors_are_value_errors_too() -> None:
    assert issubclass(SettingsError, ValueError)


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (RequestsConnection, "transient"),
        (stand_in("requests.exceptions", "SSLError", RequestsConnection), "transient"),
        (
            stand_in("requests.exceptions", "ConnectTimeout", RequestsTimeout),
            "transient",
        ),
        (stand_in("requests.exceptions", "ReadTimeout", RequestsTimeout), "transient"),
        (
            stand_in("requests.exceptions", "ChunkedEncodingError", RequestException),
            "transient",
        ),
        (stand_in("requests.exceptions", "InvalidURL", RequestException), "permanent"),
        (
            stand_in("requests.exceptions", "TooManyRedirects", RequestException),
            "permanent",
        ),
        (stand_in("urllib3.exceptions", "ProtocolError"), "transient"),
        (stand_in("urllib3.exceptions", "MaxRetryError"), "transient"),
        (stand_in("urllib3.exceptions", "LocationParseError"), "permanent"),
        (stand_in("openai", "APIConnectionError", OpenAIError), "transient"),
        (stand_in("anthropic", "APIConnectionError"), "transient"),
        (OpenAIError, "permanent"),
        (stand_in("somewhere_else", "ConnectionError"), "permanent"),
    ],
    ids=str,
)
def test_libraries_that_are_not_installed_are_known_by_name(
    cls: type[BaseException], kind: str
) -> None:
    assert classify(cls("failed")).kind == kind


HTTPX_TRANSIENT = {
    "CloseError",
    "ConnectError",
    "ConnectTimeout",
    "NetworkError",
    "PoolTimeout",
    "ProtocolError",
    "ProxyError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "TimeoutException",
    "TransportError",
    "WriteError",
    "WriteTimeout",
}
# A wrong call, or an answer that would be the same the next time.
HTTPX_PERMANENT = {
    "CookieConflict",
    "DecodingError",
    "HTTPError",
    "HTTPStatusError",  # by its status, when it has one
    "InvalidURL",
    "LocalProtocolError",
    "RequestError",
    "RequestNotRead",
    "ResponseNotRead",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "TooManyRedirects",
    "UnsupportedProtocol",
}


def test_every_exception_of_httpx_is_classified_on_purpose() -> None:
    found: dict[str, set[str]] = {"transient": set(), "permanent": set()}
    for name, cls in exceptions_of(httpx).items():
        found[classify(bare(cls)).kind].add(name)
    assert found == {"transient": HTTPX_TRANSIENT, "permanent": HTTPX_PERMANENT}


AIOHTTP_TRANSIENT = {
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientOSError",
    "ClientPayloadError",
    "ClientProxyConnectionError",
    "ClientSSLError",
    "ConnectionTimeoutError",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerFingerprintMismatch",
    "ServerTimeoutError",
    "SocketTimeoutError",
    "UnixClientConnectorError",
}
AIOHTTP_PERMANENT = {
    "ClientError",
    "ClientHttpProxyError",  # these by their status, when they have one
    "ClientResponseError",
    "ContentTypeError",
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
    "RedirectClientError",
    "TooManyRedirects",
    "UploadAbortedError",
    "WSMessageTypeError",
    "WSServerHandshakeError",
}


def test_every_client_exception_of_aiohttp_is_classified_on_purpose() -> None:
    found: dict[str, set[str]] = {"transient": set(), "permanent": set()}
    for name, cls in exceptions_of(aiohttp.client_exceptions).items():
        error = bare(cls)
        if isinstance(error, aiohttp.ClientResponseError):
            error.status = 0  # as it says when there was none
        found[classify(error).kind].add(name)
    # Older versions have fewer.
    assert found["transient"] <= AIOHTTP_TRANSIENT
    assert found["permanent"] <= AIOHTTP_PERMANENT
    assert "ClientResponseError" in found["permanent"]


@pytest.mark.parametrize("status", range(400, 600))
def test_a_status_is_classified(status: int) -> None:
    expected: ErrorKind = "permanent"
    if status in (429, 529):
        expected = "rate_limited"
    elif status >= 500 or status in (408, 409, 425):
        expected = "transient"
    assert classify_status(status) == expected


@pytest.mark.parametrize("make", BY_LIBRARY)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "permanent"),
        (401, "permanent"),
        (404, "permanent"),
        (408, "transient"),
        (429, "rate_limited"),
        (503, "transient"),
        (529, "rate_limited"),
    ],
)
def test_the_status_is_found_in_the_errors_of_each_library(
    make: Any, status: int, kind: str
) -> None:
    verdict = classify(make(status, {"Retry-After": "7"}))
    assert (verdict.kind, verdict.http_status) == (kind, status)
    assert verdict.retry_after == 7
    assert verdict.message.startswith(("HTTP ", type(make(status)).__name__))
    assert str(status) in verdict.message


@pytest.mark.parametrize("name", ["status_code", "status", "code"])
@pytest.mark.parametrize("where", ["itself", "response"])
def test_a_status_on_an_error_or_its_response_is_found(name: str, where: str) -> None:
    error = RuntimeError("failed")
    carrier: Any = error
    if where == "response":
        carrier = error.response = SimpleNamespace()  # type: ignore[attr-defined]
    setattr(carrier, name, HTTPStatus.TOO_MANY_REQUESTS)
    verdict = classify(error)
    assert (verdict.kind, verdict.http_status) == ("rate_limited", 429)
    assert type(verdict.http_status) is int


@pytest.mark.parametrize("code", [0, 99, 600, 1006, True, "429", 4.29, None])
def test_a_code_that_is_no_http_status_is_not_taken_for_one(code: object) -> None:
    error = RuntimeError("failed")
    error.code = code  # type: ignore[attr-defined]
    verdict = classify(error)
    assert (verdict.kind, verdict.http_status) == ("permanent", None)


@pytest.mark.parametrize("status", [200, 302])
def test_an_answer_that_is_no_failure_is_judged_by_the_exception(status: int) -> None:
    verdict = classify(httpx_error(status))
    assert (verdict.kind, verdict.http_status) == ("permanent", status)


@pytest.mark.parametrize("own", [RateLimited, Transient, Permanent, StopRun])
def test_our_own_error_keeps_its_kind_and_takes_the_rest_from_its_cause(
    own: type[SdrKitError],
) -> None:
    error = own("in plain words")
    error.__cause__ = httpx_error(503, {"retry-after": "9"})
    verdict = classify(error)
    assert verdict.kind == classify(own("in plain words")).kind
    assert (verdict.http_status, verdict.retry_after) == (503, 9)
    assert verdict.message == "HTTP 503: in plain words"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(5, 5), (0.5, 0.5), (None, 9), (0, None), (-1, None), (float("nan"), None)],
)
def test_what_rate_limited_says_wins_over_the_headers(
    said: float | None, seconds: float | None
) -> None:
    error = RateLimited("slow down", retry_after=said)
    error.__cause__ = httpx_error(429, {"retry-after": "9"})
    assert classify(error).retry_after == seconds


@pytest.mark.parametrize("said", ["soon", [1], timedelta(seconds=3), {}])
def test_a_retry_after_of_the_wrong_kind_counts_as_none(said: Any) -> None:
    verdict = classify(RateLimited("slow down", retry_after=said))
    assert (verdict.kind, verdict.retry_after) == ("rate_limited", None)


DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "7"}, 7.0),
        ({"RETRY-AFTER": " 0.25 "}, 0.25),
        ({"retry-after": "2", "Retry-After-Ms": "1500"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "soon"}, 2.0),
        ({"retry-after": "2", "retry-after-ms": "0"}, 2.0),
        ({"retry-after-ms": "20"}, 0.02),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:49 GMT", "date": DATE}, 12.0),
        ({"retry-after": "Sun, 06 Nov 1994 09:49:37 +0100", "date": DATE}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:49 -0000", "date": DATE}, 12.0),
        # The two old forms that a recipient must accept (RFC 9110, 5.6.7).
        ({"retry-after": "Sunday, 06-Nov-94 08:49:49 GMT", "date": DATE}, 12.0),
        ({"retry-after": "Sun Nov  6 08:49:49 1994", "date": DATE}, 12.0),
        ({"retry-after": DATE, "date": DATE}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:36 GMT", "date": DATE}, None),
        ({"retry-after": DATE}, None),  # long past
        ({"retry-after": "Sun, 32 Nov 1994 08:49:37 GMT"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"x-other": "7"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@pytest.fixture(params=["America/New_York", "Asia/Tokyo"])
def _away_from_greenwich(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_away_from_greenwich")
def test_a_date_is_in_utc_wherever_this_machine_is() -> None:
    headers = {"retry-after": "Sun Nov  6 08:49:49 1994", "date": DATE}
    assert retry_after_seconds(headers) == 12.0


def test_a_date_without_a_date_header_is_measured_by_this_clock() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = retry_after_seconds({"retry-after": until})
    assert seconds is not None
    assert 55 < seconds <= 60


def message(text: str) -> str:
    return classify(Transient(text)).message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Permanent("No such company"), "No such company"),
        (ValueError("wrong"), "ValueError: wrong"),
        (ValueError(), "ValueError"),
        (KeyError("name"), "KeyError: 'name'"),
        (Permanent("two\nlines\tand   spaces "), "two lines and spaces"),
        (httpx_error(502), "HTTP 502: HTTPStatusError: failed"),
    ],
)
def test_a_message_is_one_line_of_plain_words(error: Exception, expected: str) -> None:
    assert classify(error).message == expected


def test_a_message_is_bounded() -> None:
    assert len(message("word " * 1000)) == MESSAGE_LIMIT
    assert message("x" * MESSAGE_LIMIT) == "x" * MESSAGE_LIMIT
    assert message("x" * (MESSAGE_LIMIT + 1))[-2:] == "x…"


@pytest.mark.parametrize("unit", ["a", "a:", "http://", "?'", "/?", "@", "a@/", " /?'"])
def test_a_megabyte_of_anything_is_read_in_a_moment(unit: str) -> None:
    began = time.perf_counter()
    message(unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - began < 0.25


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("at https://api.example/v1?key=SECRET", "at https://api.example/v1"),
        ("at https://api.example/v1#SECRET", "at https://api.example/v1"),
        ("at https://api.example?key=SECRET.", "at https://api.example."),
        ("https://me:SECRET@api.example/v1 is down", "https://api.example/v1 is down"),
        ("https://me:SE@SECRET@api.example/", "https://api.example/"),
        ("https://SECRET@api.example:8080/a", "https://api.example:8080/a"),
        ("https://api.example?mail=me@SECRET.com", "https://api.example"),
        (
            "https://medium.example/@acme is gone",
            "https://medium.example/@acme is gone",
        ),
        ("url 'https://a.example/?q=O'SECRET&key=SECRET'", "url 'https://a.example/'"),
        (
            'url "https://a.example/?key=SECRET", sorry',
            'url "https://a.example/", sorry',
        ),
        ("(https://a.example/?key=SECRET), sorry", "(https://a.example/), sorry"),
        ("<a href=/x?key=SECRET>", "<a href=/x>"),
        ("postgresql://me:SECRET@db.example/sdr", "postgresql://db.example/sdr"),
        # What requests says when it cannot connect: a path without a host.
        (
            "Max retries exceeded with url: /v1?key=SECRET (Caused by Timeout('x'))",
            "Max retries exceeded with url: /v1 (Caused by Timeout('x'))",
        ),
        ("Is that all? Yes: 1 and/or 2.", "Is that all? Yes: 1 and/or 2."),
    ],
)
def test_what_may_be_a_key_in_a_url_is_not_shown(said: str, shown: str) -> None:
    assert message(said) == shown
    assert classify(ValueError(said)).message == f"ValueError: {shown}"


def test_a_real_error_of_httpx_shows_neither_query_nor_password() -> None:
    url = "https://me:SECRET@api.example/v1?name=O'Reilly&key=SECRET"
    response = httpx.Response(401, request=httpx.Request("GET", url))
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    shown = classify(caught.value).message
    assert shown == (
        "HTTPStatusError: Client error '401 Unauthorized' for url "
        "'https://api.example/v1'"
    )


def test_a_real_error_of_aiohttp_shows_no_query() -> None:
    shown = classify(aiohttp_error(401)).message
    assert "SECRET" not in shown
    assert "https://api.example/v1" in shown


def test_half_a_surrogate_pair_does_not_get_into_a_message() -> None:
    said = message("Caf\ud83d is closed")
    assert said == "Caf? is closed"
    said.encode()


def test_an_exception_that_cannot_be_shown_is_classified_all_the_same() -> None:
    class Unshowable(TimeoutError):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    verdict = classify(Unshowable())
    assert verdict.kind == "transient"
    assert verdict.message.endswith("Unshowable")


def test_of_a_group_the_first_error_counts() -> None:
    group = ExceptionGroup("several", [RateLimited("wait", retry_after=3), KeyError()])
    assert classify(ExceptionGroup("outer", [group])).retry_after == 3


def test_an_error_that_says_nothing_means_what_it_was_raised_from() -> None:
    error = ValueError("no answer")
    error.__cause__ = RateLimited("wait", retry_after=3)
    verdict = classify(error)
    assert (verdict.kind, verdict.retry_after) == ("rate_limited", 3)
    assert verdict.message == "ValueError: no answer"


def test_a_quoted_authorization_header_does_not_show_its_key() -> None:
    error = ValueError("Illegal header value b'Bearer sk-secret-1234\\n'")
    assert "secret" not in classify(error).message
    assert "Bearer …" in classify(error).message


SPENT = {
    "usage": Usage(input_tokens=9, output_tokens=2, searches=1, cost_usd=0.5),
    "limits": RateLimits(requests_remaining=3),
    "request_id": "req_42",
    "raw": '{"tier": "D"}',
}


def known(error: BaseException) -> dict[str, object]:
    verdict = classify(error)
    return {name: getattr(verdict, name) for name in SPENT}


@pytest.mark.parametrize("own", [RateLimited, Transient, Permanent, StopRun])
def test_what_is_known_of_a_failed_call_is_in_the_verdict(
    own: type[SdrKitError],
) -> None:
    error = own("no")
    assert known(error) == dict.fromkeys(SPENT)
    assert error.about(**SPENT) is error  # type: ignore[arg-type]
    assert known(error) == SPENT
    wrapped = ValueError("no answer")
    wrapped.__cause__ = error
    assert known(wrapped) == SPENT
    assert known(ExceptionGroup("several", [error, KeyError()])) == SPENT


def test_what_is_told_later_does_not_take_away_what_was_told_before() -> None:
    error = Permanent("no").about(raw="x" * 50_000, request_id="req_1")
    error.about(request_id="req_2")
    assert error.request_id == "req_2"
    assert error.raw == "x" * RAW_CHARACTERS


def test_a_request_id_of_another_library_is_not_taken_for_ours() -> None:
    error = RuntimeError("failed")
    error.request_id = "req_1"  # type: ignore[attr-defined]
    error.usage = {"tokens": 1}  # type: ignore[attr-defined]
    assert known(error) == dict.fromkeys(SPENT)
