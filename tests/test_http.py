from __future__ import annotations

import asyncio
import base64
import gzip
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import anyio
import httpx
import pytest
from aiohttp import client_exceptions
from aiohttp.http_exceptions import ContentEncodingError

from sdr_kit.errors import SdrKitError, classify
from sdr_kit.research.client import ReadyMadeResearcher
from sdr_kit.research.http import BodyTooLarge, open_client, translated
from tests.servers import (
    Act,
    RawServer,
    answer,
    hang_up,
    keep_silent,
    reset,
    say_ok,
    send,
)

TOTAL = 0.3  # seconds a request may take in these tests
HEAD = b"HTTP/1.1 200 OK\r\n"
GZIP = {"Content-Encoding": "gzip"}

MEANINGS = {
    "ClientConnectionError": httpx.ReadError,
    "ClientConnectionResetError": httpx.WriteError,
    "ClientConnectorCertificateError": httpx.ConnectError,
    "ClientConnectorDNSError": httpx.ConnectError,
    "ClientConnectorError": httpx.ConnectError,
    "ClientConnectorSSLError": httpx.ConnectError,
    "ClientHttpProxyError": httpx.ProxyError,
    "ClientOSError": httpx.ReadError,
    "ClientPayloadError": httpx.RemoteProtocolError,
    "ClientProxyConnectionError": httpx.ProxyError,
    "ClientResponseError": httpx.RemoteProtocolError,
    "ClientSSLError": httpx.ConnectError,
    "ConnectionTimeoutError": httpx.ConnectTimeout,
    "ContentTypeError": httpx.RemoteProtocolError,
    "InvalidURL": httpx.UnsupportedProtocol,
    "InvalidUrlClientError": httpx.UnsupportedProtocol,
    "InvalidUrlRedirectClientError": httpx.UnsupportedProtocol,
    "NonHttpUrlClientError": httpx.UnsupportedProtocol,
    "NonHttpUrlRedirectClientError": httpx.UnsupportedProtocol,
    "RedirectClientError": httpx.RemoteProtocolError,
    "ServerConnectionError": httpx.ReadError,
    "ServerDisconnectedError": httpx.RemoteProtocolError,
    "ServerFingerprintMismatch": httpx.ConnectError,
    "ServerTimeoutError": httpx.ReadTimeout,
    "SocketTimeoutError": httpx.ReadTimeout,
    "TooManyRedirects": httpx.TooManyRedirects,
    "UnixClientConnectorError": httpx.ConnectError,
    "UploadAbortedError": httpx.WriteError,
    "WSServerHandshakeError": httpx.RemoteProtocolError,
}


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(
        base_url=server.address, timeout_seconds=TOTAL, max_body_bytes=100_000
    ) as opened:
        yield opened


def _subclasses(cls: type[Exception]) -> Iterator[type[Exception]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def test_every_client_exception_of_aiohttp_has_its_meaning_in_httpx() -> None:
    raised = {
        cls
        for cls in _subclasses(aiohttp.ClientError)
        if cls.__module__ == client_exceptions.__name__
    }
    meanings = {
        cls.__name__: type(translated(_bare(cls), total_seconds=1)) for cls in raised
    }
    unknown = raised - {getattr(client_exceptions, name, None) for name in MEANINGS}
    assert not unknown
    assert meanings == {name: MEANINGS[name] for name in meanings}


def _bare(cls: type[Exception]) -> Exception:
    silent = {"__init__": lambda _: None, "__str__": lambda _: ""}
    error: Exception = type(cls.__name__, (cls,), silent)()
    return error


def test_a_timeout_and_an_unknown_error_have_a_meaning_too() -> None:
    late = translated(TimeoutError(), total_seconds=2.5)
    assert isinstance(late, httpx.ReadTimeout)
    assert str(late) == "no answer within 2.5 s"
    assert type(translated(aiohttp.ClientError("?"), total_seconds=1)) is (
        httpx.TransportError
    )
    broken = aiohttp.ClientPayloadError("400, Can not decode")
    broken.__cause__ = ContentEncodingError("gzip")
    assert isinstance(translated(broken, total_seconds=1), httpx.DecodingError)


TROUBLE = {
    "no answer": (keep_silent, httpx.ReadTimeout),
    "dropped": (hang_up, httpx.RemoteProtocolError),
    "reset": (reset, httpx.ReadError),
    "half a body": (
        send(HEAD + b"Content-Length: 9\r\n\r\nhalf"),
        httpx.RemoteProtocolError,
    ),
    "half a chunk": (
        send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        httpx.RemoteProtocolError,
    ),
    "half a head": (send(HEAD + b"Content-Le"), httpx.RemoteProtocolError),
    "not HTTP": (send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), httpx.RemoteProtocolError),
    "not gzip": (answer(b"not gzip at all", headers=GZIP), httpx.DecodingError),
    "spoilt gzip": (
        answer(gzip.compress(b"x" * 999)[:-8] + b"checksum", headers=GZIP),
        httpx.DecodingError,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("act", "meaning"), TROUBLE.values(), ids=TROUBLE)
async def test_what_goes_wrong_on_the_way_back_says_how(
    server: RawServer,
    client: httpx.AsyncClient,
    act: Act,
    meaning: type[httpx.RequestError],
) -> None:
    server.on("/", act)
    with pytest.raises(meaning) as caught:
        await client.post("/", json={})
    assert len(server.exchanges) == 1
    assert caught.value.request.url == f"{server.address}/"
    assert classify(caught.value).message


@pytest.mark.slow
async def test_a_server_that_drips_is_left_at_the_total_time(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    drops = [HEAD + b"Content-Length: 999\r\n\r\n", *[b"x"] * 99]
    server.on("/", send(*drops, pause=0.02))
    started = asyncio.get_running_loop().time()
    with pytest.raises(httpx.ReadTimeout, match=r"within 0\.3 s"):
        await client.post("/")
    assert asyncio.get_running_loop().time() - started < 2 * TOTAL


async def test_a_call_may_shorten_its_wait_for_bytes(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/", keep_silent)
    started = asyncio.get_running_loop().time()
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/", timeout=0.05)
    assert asyncio.get_running_loop().time() - started < TOTAL


async def test_a_refused_port_and_an_unknown_name_are_connect_errors() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        port = taken.getsockname()[1]
        async with open_client(base_url="http://x", timeout_seconds=5) as client:
            for host in (f"127.0.0.1:{port}", "nobody.invalid"):
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"http://{host}/")


async def test_a_connection_that_is_never_taken_is_a_connect_timeout() -> None:
    with _full_backlog() as address:
        async with open_client(base_url=address, timeout_seconds=TOTAL) as client:
            with pytest.raises(httpx.ConnectTimeout):
                await client.post("/")


@contextmanager
def _full_backlog() -> Iterator[str]:
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's
            waiting.connect_ex(listening.getsockname())
        yield "http://{}:{}".format(*listening.getsockname())


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
async def test_an_address_that_cannot_be_is_permanent(
    client: httpx.AsyncClient, address: str
) -> None:
    with pytest.raises((httpx.UnsupportedProtocol, httpx.LocalProtocolError)) as caught:
        await client.get(address)
    assert classify(caught.value).kind == "permanent"


async def test_a_line_break_in_a_header_is_our_error(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.LocalProtocolError) as caught:
        await client.get("/", headers={"X-Note": "sk-secret\r\nHost: elsewhere"})
    assert "sk-secret" not in str(caught.value)


async def test_a_compressed_answer_is_decoded_once(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/once", answer(gzip.compress(b'{"a": 1}'), headers=GZIP))
    twice = gzip.compress(gzip.compress(b"inner"))
    server.on("/twice", answer(twice, headers=GZIP))
    response = await client.get("/once")
    assert response.json() == {"a": 1}
    assert "content-encoding" not in response.headers
    assert gzip.decompress((await client.get("/twice")).content) == b"inner"
    assert server.exchanges[0].headers["accept-encoding"] == "gzip, deflate"


TOO_LARGE = {
    "by a byte": answer(b"x" * 100_001),
    "a gzip bomb": answer(gzip.compress(b"x" * 10_000_000), headers=GZIP),
    "length not told": send(HEAD + b"\r\n", b"x" * 200_000),
}


@pytest.mark.parametrize("act", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_an_answer_that_unpacks_too_large_is_not_taken(
    server: RawServer, client: httpx.AsyncClient, act: Act
) -> None:
    server.on("/", act)
    with pytest.raises(BodyTooLarge, match="larger than 100,000 bytes") as caught:
        await client.get("/")
    assert classify(caught.value).kind == "permanent"


async def test_the_largest_allowed_answer_is_taken(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/", answer(b"x" * 100_000))
    assert len((await client.get("/")).content) == 100_000


async def test_nothing_is_kept_between_requests_but_the_connection(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/", answer(b"", headers={"Set-Cookie": "account=acme"}))
    await client.post("/", json={"company": "Müller"})
    await client.post("/")
    first, second = server.exchanges
    assert first.body.decode() == '{"company":"Müller"}'
    assert "cookie" not in second.headers
    assert server.connections == 1


async def test_a_redirect_is_not_followed(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    away = {"Location": f"{server.address}/elsewhere"}
    server.on("/", answer(b"", status=307, headers=away))
    response = await client.post("/")
    assert response.status_code == 307
    assert [exchange.target for exchange in server.exchanges] == ["/"]


async def test_a_cancelled_request_leaves_the_client_usable(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/silent", keep_silent)
    server.on("/", say_ok)
    task = asyncio.create_task(client.post("/silent"))
    await server.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.post("/")).text == "ok"


async def test_the_proxy_of_the_environment_carries_what_goes_outside(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not what stays on this machine, nor what NO_PROXY names."""
    proxy = server.address.replace("http://", "http://jo:secret@")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "inside.invalid")
    server.on("/", say_ok)
    async with open_client(base_url=server.address, timeout_seconds=5) as client:
        await client.get("http://outside.invalid/")
        await client.get("/")
        with pytest.raises(httpx.ConnectError):
            await client.get("http://inside.invalid/")
    targets = [exchange.target for exchange in server.exchanges]
    assert targets == ["http://outside.invalid/", "/"]
    login = base64.b64encode(b"jo:secret").decode()
    assert server.exchanges[0].headers["proxy-authorization"] == f"Basic {login}"


async def test_netrc_is_not_read(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login jo password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.on("/", say_ok)
    async with open_client(base_url=server.address, timeout_seconds=5) as client:
        await client.get("/")
        await client.get("/", auth=("ada", "own"))
    first, second = (exchange.headers for exchange in server.exchanges)
    assert "authorization" not in first
    assert second["authorization"].startswith("Basic ")


async def test_a_login_in_the_address_becomes_a_header(
    server: RawServer, client: httpx.AsyncClient
) -> None:
    server.on("/", say_ok)
    await client.get(server.address.replace("http://", "http://jo:secret@"))
    assert server.exchanges[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
async def test_a_timeout_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="timeout_seconds is"):
        open_client(base_url="http://x", timeout_seconds=seconds)


class Counting(ReadyMadeResearcher):
    """Counts how often it is opened and closed, and can be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.closed = 0
        self.trouble: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def _open(self) -> None:
        await self.go_on.wait()
        if self.trouble is not None:
            raise self.trouble
        self.opened += 1

    async def _close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


async def test_a_researcher_opens_at_the_first_entry_and_closes_at_the_last() -> None:
    researcher = Counting()
    assert not researcher.is_open
    async with researcher as entered, researcher:
        assert entered is researcher
        assert researcher.is_open
    async with researcher:
        assert researcher.opened == 2
    assert not researcher.is_open
    assert researcher.closed == 2


async def test_entries_while_it_is_opening_open_it_once() -> None:
    researcher = Counting()
    researcher.go_on.clear()
    meeting = asyncio.Barrier(20)

    async def use() -> None:
        async with researcher:
            assert researcher.is_open
            await meeting.wait()

    async with asyncio.TaskGroup() as users:
        for _ in range(20):
            users.create_task(use())
        await asyncio.sleep(0)
        assert not researcher.is_open
        researcher.go_on.set()
    assert (researcher.opened, researcher.closed) == (1, 1)


async def test_an_opening_that_fails_leaves_it_closed() -> None:
    researcher = Counting()
    researcher.trouble = OSError("no port")
    with pytest.raises(OSError, match="no port"):
        await researcher.__aenter__()
    researcher.trouble = None
    async with researcher:
        assert researcher.is_open
    assert (researcher.opened, researcher.closed) == (1, 1)


async def test_a_cancelled_opening_leaves_the_others_their_turn() -> None:
    researcher = Counting()
    researcher.go_on.clear()
    first = asyncio.create_task(researcher.__aenter__())
    second = asyncio.create_task(researcher.__aenter__())
    await asyncio.sleep(0)
    first.cancel()
    researcher.go_on.set()
    await second
    assert researcher.is_open
    await researcher.__aexit__(None, None, None)
    assert (researcher.opened, researcher.closed) == (1, 1)


async def test_an_entry_while_it_is_closing_opens_it_again() -> None:
    researcher = Counting()
    await researcher.__aenter__()
    leaving = asyncio.create_task(researcher.__aexit__(None, None, None))
    await asyncio.sleep(0)
    async with researcher:
        assert researcher.is_open
    await leaving
    assert (researcher.opened, researcher.closed) == (2, 2)


async def test_it_is_closed_by_a_run_that_is_being_cancelled() -> None:
    researcher = Counting()

    async def run() -> None:
        async with researcher:
            await asyncio.sleep(30)

    task = asyncio.create_task(run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (researcher.opened, researcher.closed) == (1, 1)


async def test_closing_is_finished_within_a_cancelled_scope() -> None:
    """anyio cancels at every await, so at those of the closing too."""
    researcher = Counting()
    with anyio.CancelScope() as scope:
        async with researcher:
            scope.cancel()
            await asyncio.sleep(30)
    assert scope.cancelled_caught
    assert (researcher.opened, researcher.closed) == (1, 1)


async def test_it_cannot_be_called_on_a_loop_that_is_not_its_own() -> None:
    researcher = Counting()

    async def call() -> None:
        researcher._check_open()

    async with researcher:
        await call()
        with pytest.raises(SdrKitError, match="open on another event loop"):
            await asyncio.to_thread(asyncio.run, call())
    with pytest.raises(SdrKitError, match="Counting is not open"):
        await call()


async def test_another_loop_is_refused_while_it_is_open_and_welcome_after() -> None:
    researcher = Counting()

    async def use_it() -> bool:
        async with researcher:
            return researcher.is_open

    def elsewhere() -> bool:
        return asyncio.run(use_it())

    async with researcher:
        with pytest.raises(SdrKitError, match="already open on another event loop"):
            await asyncio.to_thread(elsewhere)
        assert researcher.is_open
    assert await asyncio.to_thread(elsewhere)
    assert not researcher.is_open


def test_a_loop_that_died_without_closing_does_not_lock_it_for_ever() -> None:
    researcher = Counting()

    async def open_and_forget() -> None:
        await researcher.__aenter__()

    asyncio.run(open_and_forget())
    asyncio.run(open_and_forget())
    assert researcher.opened == 2
