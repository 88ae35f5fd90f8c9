"""What has been found out about a provider, in words, to be told as it happens."""

from __future__ import annotations

AGAIN = 0.1  # by such a share a number must change to be told again


class Notes:
    """Keeps what is to be told, and remembers what was."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}  # by its kind, the last
        self._new: list[str] = []

    def take(self) -> list[str]:
        """Gives what was found out since this was last asked, a phrase each."""
        new, self._new = self._new, []
        return new

    def cap(self, most: int) -> None:
        """More than so many at once are refused."""
        self._tell("cap", most, f"more than {most} at once are refused")

    def knee(self, most: int) -> None:
        """More than so many at once do no good."""
        self._tell("knee", most, f"more than {most} only make each slower")

    def pace(self, per_minute: float | None) -> None:
        """So many calls a minute are taken; None is not known yet."""
        if per_minute is not None:
            words = f"about {per_minute:,.0f} calls a minute are taken"
            self._tell("pace", per_minute, words)
        else:
            self._tell("hold", 1, "the provider asks to wait")

    def _tell(self, kind: str, value: float, words: str) -> None:
        before = self._told.get(kind)
        if before is None or abs(value - before) > AGAIN * before:
            self._told[kind] = value
            self._new.append(words)
