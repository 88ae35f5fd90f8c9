"""The shared HTTP client: httpx above, aiohttp below.

httpx's own transport collapses with many connections (100 at once: about 125
requests/s, against 1,250 and more through aiohttp), so requests travel through
aiohttp. The rules of the seam:

- What goes wrong comes out as the httpx exception that says how far the request got:
  `ConnectError` and `ConnectTimeout` only when it cannot have been sent, since
  everything after that may have been delivered, and paid for.
- Every request is bounded: in total time, in time to connect, in size of the answer
  after decompression.
- Nothing is kept between requests but connections: no cookies, so that one account
  cannot colour another. Redirects are not followed, `.netrc` is not read.
- The proxies of the environment are used, but never for this machine itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.http_exceptions import ContentEncodingError
from httpx import USE_CLIENT_DEFAULT
from yarl import URL

MAX_BODY_BYTES = 16 * 2**20  # an answer of a provider is some 10 KB, a website 2 MB
CONNECT_SECONDS = 10.0  # DNS, TCP and TLS together; a provider needs under one
USER_AGENT = "sdr_kit"
# What aiohttp decodes without further packages; httpx would offer what it could.
ACCEPT_ENCODING = "gzip, deflate"


class BodyTooLarge(httpx.RequestError):
    """An answer is larger than the client takes; another try would not help."""


def open_client(
    *,
    base_url: str,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> httpx.AsyncClient:
    """Opens a client; whoever opens it closes it (`aclose`, or `async with`).

    To be called where an event loop runs; the client belongs to that loop. How many
    requests run at once is the caller's matter: the client has no limit of its own.
    Cookies are neither kept nor sent, and redirects come back as they are.

    Args:
        base_url: What relative addresses are relative to.
        timeout_seconds: How long a request may take in all, from the first name
            lookup to the last byte. At most half of it, and at most
            `CONNECT_SECONDS`, goes into connecting. The `timeout` of a single httpx
            call can shorten its connecting and its waiting for bytes, not the whole.
        headers: Sent with every request.
        max_body_bytes: How large a decompressed answer may be.

    Raises:
        ValueError: `timeout_seconds` is not above 0.
    """
    if not timeout_seconds > 0:
        raise ValueError(f"timeout_seconds is {timeout_seconds!r}; it must be above 0")
    transport = AiohttpTransport(
        total_seconds=timeout_seconds, max_body_bytes=max_body_bytes
    )
    return _Client(
        transport,
        base_url=base_url,
        headers={
            "User-Agent": USER_AGENT,
            **(headers or {}),
            "Accept-Encoding": ACCEPT_ENCODING,
        },
        timeout=httpx.Timeout(
            timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds / 2)
        ),
        trust_env=False,  # httpx would put its own transport in front for proxies
    )


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Carries the requests of an httpx client through an aiohttp session.

    Answers come back read and decompressed, without the headers that described them
    as they were on the wire.
    """

    def __init__(self, *, total_seconds: float, max_body_bytes: int) -> None:
        self._total = total_seconds
        self._max_body_bytes = max_body_bytes
        self._proxies = _Proxies()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request and reads the whole answer.

        Raises:
            httpx.TransportError: The request did not get through, or no whole answer
                came back; the class says which.
            httpx.DecodingError: The answer cannot be decompressed.
            BodyTooLarge: The answer is larger than allowed.
        """
        wanted = request.extensions.get("timeout", {})
        try:
            url = URL(str(request.url), encoded=True)
            if url.raw_user is not None:  # httpx has made a header of it
                url = url.with_user(None)
            async with self._session.request(
                request.method,
                url,
                data=await request.aread() or None,
                headers=_as_text(request.headers),
                allow_redirects=False,
                proxy=self._proxies.proxy_for(url),
                timeout=_timeout(
                    self._total, wanted.get("connect"), wanted.get("read")
                ),
            ) as response:
                body = await _read(response, at_most=self._max_body_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = translated(error, total_seconds=self._total)
        else:
            return _read_already(response, body)
        # Not chained: the other one, and the frames that it came through, hold the
        # headers of the request, and with them the key; verbose tracebacks show both.
        raise problem

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._session.close()


# The nearest class in the method resolution order wins, as in `errors.classify`.
_MEANINGS: dict[type[Exception], type[httpx.RequestError]] = {
    # Not sent.
    aiohttp.ClientConnectorError: httpx.ConnectError,
    aiohttp.ConnectionTimeoutError: httpx.ConnectTimeout,
    aiohttp.ServerFingerprintMismatch: httpx.ConnectError,
    aiohttp.ClientProxyConnectionError: httpx.ProxyError,
    aiohttp.ClientHttpProxyError: httpx.ProxyError,
    aiohttp.InvalidURL: httpx.UnsupportedProtocol,
    aiohttp.NonHttpUrlClientError: httpx.UnsupportedProtocol,
    ValueError: httpx.LocalProtocolError,  # a line break in a header, say
    # Sent in part.
    aiohttp.ClientConnectionResetError: httpx.WriteError,
    aiohttp.UploadAbortedError: httpx.WriteError,
    # Sent; no answer, or not the whole of it.
    aiohttp.ServerDisconnectedError: httpx.RemoteProtocolError,
    aiohttp.ClientConnectionError: httpx.ReadError,
    OSError: httpx.ReadError,
    TimeoutError: httpx.ReadTimeout,
    aiohttp.ServerTimeoutError: httpx.ReadTimeout,
    aiohttp.ClientPayloadError: httpx.RemoteProtocolError,
    ContentEncodingError: httpx.DecodingError,
    # Answered with what is not HTTP, or not what was asked for.
    aiohttp.ClientResponseError: httpx.RemoteProtocolError,
    aiohttp.TooManyRedirects: httpx.TooManyRedirects,
    aiohttp.RedirectClientError: httpx.RemoteProtocolError,
}


def translated(error: Exception, *, total_seconds: float) -> httpx.RequestError:
    """Gives the httpx exception that means the same as one of aiohttp's."""
    # A broken compression arrives as the cause of a payload error.
    real = error.__cause__ if isinstance(error, aiohttp.ClientPayloadError) else None
    for cls in type(real if isinstance(real, ContentEncodingError) else error).__mro__:
        meaning = _MEANINGS.get(cls)
        if meaning is not None:
            silence = f"no answer within {total_seconds:g} s"
            return meaning(str(error) or silence)
    return httpx.TransportError(f"{type(error).__name__}: {error}")


class _NoCookies(httpx.Cookies):
    """Takes no cookie from an answer; taking them costs a fifth of the throughput."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _Client(httpx.AsyncClient):
    def __init__(self, transport: AiohttpTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._cookies = _NoCookies()
        self._carrier = transport

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Sends a request straight through the transport, which reads the answer.

        On its own way httpx looks for sign-in, redirects, cookies and hooks, which is
        a tenth of what a request costs; there are none here, unless a caller asks.
        """
        short = options.get("auth", USE_CLIENT_DEFAULT) is USE_CLIENT_DEFAULT
        followed = options.get("follow_redirects", USE_CLIENT_DEFAULT)
        hooks = self.event_hooks["request"] or self.event_hooks["response"]
        if (
            not short
            or followed is True
            or hooks
            or self.is_closed
            or request.url.userinfo
            or "timeout" not in request.extensions
        ):
            return await super().send(request, **options)
        try:
            response = await self._carrier.handle_async_request(request)
        except httpx.RequestError as error:
            error.request = request
            raise
        response.request = request
        return response


class _Proxies:
    """The proxies of the environment, as it was when the client was opened."""

    def __init__(self) -> None:
        self._by_scheme = getproxies()

    def proxy_for(self, url: URL) -> str | None:
        if not self._by_scheme or is_this_machine(url.host or ""):
            return None
        proxy = self._by_scheme.get(url.scheme) or self._by_scheme.get("all")
        return None if proxy is None or proxy_bypass(url.host or "") else proxy


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine, by its name alone: nothing is looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@lru_cache(maxsize=64)
def _timeout(
    total: float, connect: float | None, read: float | None
) -> aiohttp.ClientTimeout:
    """Makes the limits of a request; equal ones are made once.

    A wait for bytes as long as the whole request needs no clock of its own.
    """
    longest = min(CONNECT_SECONDS, total / 2)
    return aiohttp.ClientTimeout(
        total=total,
        connect=longest if connect is None else min(connect, longest),
        sock_read=None if read is None or read >= total else read,
    )


async def _read(response: aiohttp.ClientResponse, *, at_most: int) -> bytes:
    chunks, size = [], 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > at_most:
            raise BodyTooLarge(f"the answer is larger than {at_most:,} bytes")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _read_already(response: aiohttp.ClientResponse, body: bytes) -> httpx.Response:
    """Gives the answer as httpx would have read it.

    Given `content=`, it would look for an encoding and go through its chunks, which
    takes as long as all else about it.
    """
    answer = httpx.Response(
        response.status,
        headers=_described_headers(response),
        stream=httpx.ByteStream(body),
    )
    answer._content = body
    return answer


def _as_text(headers: httpx.Headers) -> list[tuple[str, str]]:
    encoding = headers.encoding  # asked once: it is found out anew for each header
    return [
        (name.decode(encoding), value.decode(encoding)) for name, value in headers.raw
    ]


_WIRE_HEADERS = frozenset({b"content-encoding", b"content-length"})


def _described_headers(
    response: aiohttp.ClientResponse,
) -> list[tuple[bytes, bytes]]:
    """Gives the headers without those that no longer describe the decoded body.

    httpx would take `Content-Encoding` at its word and decompress a second time.
    """
    headers = response.raw_headers
    if "Content-Encoding" not in response.headers:
        return list(headers)
    return [pair for pair in headers if pair[0].lower() not in _WIRE_HEADERS]
