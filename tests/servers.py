"""A server on 127.0.0.1 that misbehaves to order, byte by byte."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from yarl import URL

Act = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request as it came over the wire, and the means to answer it."""

    def __init__(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        first, *rest = head.decode().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        pairs = (line.split(": ", 1) for line in rest if line)
        self.headers = {name.lower(): value for name, value in pairs}
        self.body = b""
        self._writer = writer

    async def send(self, wire: bytes) -> None:
        self._writer.write(wire)
        await self._writer.drain()

    async def answer(
        self,
        body: bytes | object = b"ok",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answers with bytes, or with anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Length": str(len(raw)), **(headers or {})}
        head = [f"HTTP/1.1 {status} Said So", *map(": ".join, fields.items()), "", ""]
        await self.send("\r\n".join(head).encode() + raw)

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Closes with RST in place of FIN."""
        sock = self._writer.get_extra_info("socket")
        at_once = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._writer.transport.abort()


class RawServer:
    """Does with each path what a test tells it to; hangs up on the others."""

    def __init__(self) -> None:
        self.address = ""
        self.exchanges: list[Exchange] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self._acts: dict[str, Act] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def on(self, path: str, act: Act) -> None:
        self._acts[path] = act

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = "http://{}:{}".format(*server.sockets[0].getsockname())
        async with server:
            yield self
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                exchange = Exchange(await reader.readuntil(b"\r\n\r\n"), writer)
                size = int(exchange.headers.get("content-length", "0"))
                exchange.body = await reader.readexactly(size)
                self.exchanges.append(exchange)
                self.asked.set()
                await self._acts.get(URL(exchange.target).path, hang_up)(exchange)
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()


async def hang_up(exchange: Exchange) -> None:
    exchange.close()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def keep_silent(_: Exchange) -> None:
    await asyncio.sleep(30)


async def say_ok(exchange: Exchange) -> None:
    await exchange.answer()


def answer(
    body: bytes | object, *, status: int = 200, headers: dict[str, str] | None = None
) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.answer(body, status=status, headers=headers)

    return act


def send(*wire: bytes, pause: float = 0.0) -> Act:
    """Sends the bytes, with pauses between them, then hangs up."""

    async def act(exchange: Exchange) -> None:
        for part in wire:
            await exchange.send(part)
            await asyncio.sleep(pause)
        exchange.close()

    return act


def in_turn(*acts: Act) -> Act:
    """Does one thing after another, a request each; the last one from then on."""
    left = list(acts)

    async def act(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return act
