"""Listens: one process, one event loop; each job has a thread of its own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from sdr_kit.errors import SdrKitError
from sdr_kit.server.app import create_app
from sdr_kit.server.office import Office
from sdr_kit.settings import Settings
from sdr_kit.store import Store

TOKEN_BYTES = 24
GRACE_SECONDS = 5  # for answers under way when the server ends


def serve(
    store: Store,
    settings: Settings,
    *,
    host: str,
    port: int,
    announce: Callable[[str, str | None], None],
) -> None:
    """Serves the HTTP API until the process is told to end (Ctrl-C, SIGTERM).

    Jobs that were begun here are cancelled then; their accounts in flight return to
    pending.

    Args:
        store: Whose jobs it shows.
        settings: How runs are made, and what is let in.
        host: The address to listen on.
        port: The port; 0 is any that is free.
        announce: Is told the server's address, and the token when it is a new one.

    Raises:
        SdrKitError: It cannot listen there.
    """
    given = settings.api_token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    if given is not None:
        token = given.get_secret_value()
    app = create_app(store, settings, token=token)
    with _listening(host, port) as listener:
        url = f"http://{_written(host)}:{listener.getsockname()[1]}"
        announce(url, token if given is None else None)
        config = uvicorn.Config(
            app,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        _Server(config, app.state.office).run(sockets=[listener])


class _Server(uvicorn.Server):
    """One whose event streams end when it is told to."""

    def __init__(self, config: uvicorn.Config, office: Office) -> None:
        super().__init__(config)
        self._office = office

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._office.leaving.set()
        super().handle_exit(sig, frame)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SdrKitError(
            f"the HTTP API cannot listen on {host}, port {port}: {error.strerror}; "
            "choose another one by --host and --port"
        ) from error


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
