"""Whether account after account fails in the same way."""

from __future__ import annotations

import re

SAME_FAILURES = 10  # so many equal permanent failures in a row raise a question

_WORD_WITH_DIGIT = re.compile(r"\S*\d\S*")


class Alike:
    """Counts permanent failures in a row that say the same."""

    def __init__(self) -> None:
        self._gist, self._count = "", 0
        self._tolerated: set[str] = set()

    def succeeded(self) -> None:
        """Begins the count anew."""
        self._gist, self._count = "", 0

    def failed(self, message: str, about: str) -> bool:
        """Counts a failure; says whether there are too many of the same.

        The account's name and words with digits are left out of the comparison:
        request ids differ.
        """
        gist = message.replace(about, "#") if about else message
        gist = _WORD_WITH_DIGIT.sub("#", gist)
        self._count = self._count + 1 if gist == self._gist else 1
        self._gist = gist
        many = self._count >= SAME_FAILURES
        return many and bool(gist) and gist not in self._tolerated

    def tolerate(self) -> None:
        """Asks no more about what there are too many of."""
        if self._count >= SAME_FAILURES:
            self._tolerated.add(self._gist)
