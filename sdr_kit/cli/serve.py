"""The command `serve`: the HTTP API."""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from typing import Annotated

import typer

from sdr_kit.cli import options
from sdr_kit.errors import SdrKitError

NEEDED = ("fastapi", "uvicorn", "python_multipart")  # the extra `api`


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Which address to listen on; else API_HOST (127.0.0.1). 0.0.0.0 is "
            "every network of this machine.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=options.whole_number_from(0, 65_535),
            help="Which port, 0 to 65535; else API_PORT (8765). 0: any that is free.",
        ),
    ] = None,
    database: options.Database = None,
) -> None:
    """Serve the HTTP API, and print its address and token.

    The token is API_TOKEN of the environment or `.env`; without one, a new one is made.
    Ctrl-C ends it: the jobs that it runs are cancelled, and can be resumed.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SdrKitError(
            f"serve needs {' and '.join(missing)}; install them with: "
            "pip install 'sdr_kit[api]'"
        )
    from sdr_kit import server
    from sdr_kit.cli import named
    from sdr_kit.cli.screen import Screen

    settings, screen = named.settings_for(database), Screen()
    store = named.store_of(settings)

    def announce(url: str, token: str | None) -> None:
        screen.say(f"The HTTP API is at {url}/api; its jobs are in {store}")
        screen.say("Token: as API_TOKEN says" if token is None else f"Token: {token}")

    with contextlib.suppress(KeyboardInterrupt):  # raised again when all has ended
        server.serve(
            store,
            settings,
            host=settings.api_host if host is None else host,
            port=settings.api_port if port is None else port,
            announce=announce,
        )
