"""What a run has found out about a provider, for the next run to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FRESH_DAYS = 7  # what is older is found out again: providers raise limits

# What one run has found out: each limit by its name, None for one that is none.
Lessons = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """The limits of a provider; None is what is not known.

    Attributes:
        cap: So many calls at once are taken, and no more.
        per_minute: So many calls a minute are taken.
        knee: More at once than so many only make each slower.
        harmless: So many at once did not make any slower; known while no knee is.

    Raises:
        ValueError: One is not above 0.
    """

    cap: int | None = None
    per_minute: float | None = None
    knee: int | None = None
    harmless: int | None = None

    def __post_init__(self) -> None:
        for name in ("cap", "per_minute", "knee", "harmless"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value!r}; it must be above 0")

    @property
    def refuses(self) -> bool:
        """Whether the provider is known to refuse calls."""
        return self.cap is not None or self.per_minute is not None


NOTHING_LEARNED = Learned()
