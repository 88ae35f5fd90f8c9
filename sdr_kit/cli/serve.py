"""The command `serve`: the HTTP API."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from sdr_kit.cli import options
from sdr_kit.errors import SdrKitError

NEEDED = ("fastapi", "uvicorn", "python_multipart")  # the extra `api`


def serve(
    *,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Which address to listen on; 0.0.0.0 is all of this machine.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=65535, help="Which port, 0 to 65535; 0: any."
        ),
    ] = 8765,
    database: options.Database = None,
) -> None:
    """Serve the HTTP API, and print its address and token.

    The token is API_TOKEN of the environment or `.env`; without one, a new one is made.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SdrKitError(
            f"serve needs {' and '.join(missing)}; install them with: "
            "pip install 'sdr_kit[api]'"
        )
    from sdr_kit import server
    from sdr_kit.cli import named

    settings = named.settings_for(database)
    server.serve(settings, store=named.store_of(settings), host=host, port=port)
