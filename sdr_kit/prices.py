"""What a provider charges, as somebody wrote it down on some day.

No price is built in: it would be wrong by the time it is read. Prices are a setting,
with the date they were looked up, in the units of the providers' own price lists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

FORM = "input=…,output=…,search=…,as_of=YYYY-MM-DD"
_NUMBERS = ("input", "output", "search", "cached", "cache_write")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """Prices of one model, in US dollars.

    Attributes:
        input: A million tokens that the model reads.
        output: A million tokens that it writes, thoughts included.
        search: A thousand searches of the web.
        cached: A million tokens that it reads from the provider's cache; None is the
            same as `input`.
        cache_write: A million tokens that it reads and puts into that cache; None is
            the same as `input`.
        as_of: The day they were looked up.

    Raises:
        ValueError: A price is negative or infinite.
    """

    input: float
    output: float
    search: float = 0.0
    cached: float | None = None
    cache_write: float | None = None
    as_of: date

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            price = getattr(self, name)
            if price is not None and not 0 <= price < math.inf:
                raise ValueError(f"{name}={price!r} is no price; it must be 0 or more")

    @classmethod
    def parse(cls, text: str) -> Prices:
        """Reads `input=0.25,output=2,search=10,as_of=2026-11-01`, in any order.

        `search`, `cached` and `cache_write` may be left out.

        Raises:
            ValueError: Something is missing, unknown, twice there or no number.
        """
        given: dict[str, str] = {}
        for part in filter(str.strip, text.split(",")):
            name, _, value = (each.strip() for each in part.partition("="))
            if name not in (*_NUMBERS, "as_of") or name in given:
                raise ValueError(f"{part.strip()!r} is unknown or repeated; use {FORM}")
            given[name] = value
        if missing := {"input", "output", "as_of"} - set(given):
            raise ValueError(f"{', '.join(sorted(missing))} is missing; use {FORM}")
        day = _day(given.pop("as_of"))
        return cls(as_of=day, **{name: _price(name, given[name]) for name in given})

    def cost(
        self,
        *,
        input_tokens: int,
        cached_tokens: int,
        cache_write_tokens: int = 0,
        output_tokens: int,
        searches: int,
    ) -> float:
        """Gives the US dollars for one call.

        Args:
            input_tokens: All tokens read, the cached ones among them.
            cached_tokens: Those of them that came from the provider's cache.
            cache_write_tokens: Those of them that were put into it.
            output_tokens: All tokens written.
            searches: How often the web was searched.
        """
        cached = min(cached_tokens, input_tokens)
        written = min(cache_write_tokens, input_tokens - cached)
        cheap = self.input if self.cached is None else self.cached
        dear = self.input if self.cache_write is None else self.cache_write
        tokens = (
            (input_tokens - cached - written) * self.input
            + cached * cheap
            + written * dear
            + output_tokens * self.output
        )
        return tokens / 1_000_000 + searches * self.search / 1_000


def _price(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} is no number; use {FORM}") from None


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"as_of={value!r} is no date; use YYYY-MM-DD") from None
