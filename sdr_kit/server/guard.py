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
        upload = headers.get(b"content-type", b"").startswith(b"multipart/form-data")
        most = self._upload_bytes + FRAME_BYTES if upload else JSON_BYTES
        large = answer(413, f"the request is larger than {most:,} bytes")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await large(scope, receive, send)
            return
        with contextlib.suppress(_TooLargeError):
            await self._app(scope, _bounded(receive, most), send)
            return
        await large(scope, receive, send)

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        kind, _, shown = headers.get(b"authorization", b"").partition(b" ")
        same = secrets.compare_digest(shown.strip(), self._token)
        return same and kind.lower() == b"bearer"


def _bounded(receive: Receive, most: int) -> Receive:
    """Reads no more than is allowed, whatever the length is said to be."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _TooLargeError
        return message

    return bounded
