"""How the command line ends, and what it shows of texts that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdr_kit.errors import SdrKitError

FAILED, WRONG_USE = 1, 2  # exit codes; 0 is all well


@contextmanager
def as_wrong_use() -> Iterator[None]:
    """Makes a message of what the kit refuses to do.

    It surrounds single calls that check what they are given: elsewhere a ValueError is
    a mistake of ours, and is not hidden.

    Raises:
        SdrKitError: In place of ValueError, TypeError and RuntimeError.
    """
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        if isinstance(error, SdrKitError):
            raise
        raise SdrKitError(str(error)) from error


def visible(text: object) -> str:
    """Gives a text in which nothing can steer a terminal.

    Names and messages come from files and from providers: escape sequences, line ends
    and signs that turn the direction of writing become spaces.
    """
    return "".join(sign if sign.isprintable() else " " for sign in str(text))
