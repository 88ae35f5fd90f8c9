"""Who is let in, and how much, before an endpoint is looked for."""

from __future__ import annotations

import contextlib
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sdr_kit.server.problems import answer

OPEN = "/api/health"  # what anybody may ask
JSON_BYTES = 1_000_000  # of a request that is no upload
FRAME_BYTES = 10_000  # around the file of an upload


class _TooLargeError(Exception):
    """A body is larger than is allowed."""


class Guard:
    """Refuses requests without the token, and bodies beyond a bound.

    Args:
        app: What is guarded.
        token: What a request has to show: `Authorization: Bearer …`.
        upload_bytes: The most that an upload may have.
    """

    def __init__(self, app: ASGIApp, *, token: str, upload_bytes: int) -> None:
        self._app = app
        self._token = token.encode()
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if scope["path"] != OPEN and not self._has_token(headers):
            refused = answer(
                401,
                "a bearer token is needed; the server has said it at its start",
                headers={"WWW-Authenticate": "Bearer"},
            )
            await refused(scope, receive, send)
            return
        kind = headers.get(b"content-type", b"").lower()  # as its readers take it
        upload = kind.startswith(b"multipart/form-data")
        most = self._upload_bytes + FRAME_BYTES if upload else JSON_BYTES
        bound = " (API_MAX_UPLOAD_MB)" if upload else ""
        large = answer(
            413,
            f"the request is larger than {most:,} bytes{bound}",
            headers={"Connection": "close"},  # or the rest would be read all the same
        )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await large(scope, receive, send)
            return
        body = _Body(receive, send, most)
        with contextlib.suppress(_TooLargeError):
            await self._app(scope, body.receive, body.send)
        if body.too_large and not body.answered:
            await large(scope, receive, send)

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        kind, _, shown = headers.get(b"authorization", b"").partition(b" ")
        same = secrets.compare_digest(shown.strip(), self._token)
        return same and kind.lower() == b"bearer"


class _Body:
    """Reads no more than is allowed, whatever the length is said to be.

    Who reads it may make an error of its own of that; it is not sent.
    """

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive = receive
        self._send = send
        self._left = most
        self.answered = False

    @property
    def too_large(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.too_large:
            raise _TooLargeError
        return message

    async def send(self, message: Message) -> None:
        if self.answered or not self.too_large:
            self.answered = True
            await self._send(message)
