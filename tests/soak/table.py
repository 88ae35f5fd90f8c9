"""What a proof has counted, as a table in which every line holds or does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A number and what it must be; without a bound it is but told."""

    what: str
    value: float
    bound: str = ""
    holds: bool = True


def written(lines: Sequence[Line]) -> str:
    """Writes the lines below each other."""
    width = max(len(line.what) for line in lines)
    return "\n".join(
        f"{line.what:<{width}}  {line.value:>10,}  {line.bound:<12}{_verdict(line)}"
        for line in lines
    )


def _verdict(line: Line) -> str:
    if not line.bound:
        return ""
    return "holds" if line.holds else "DOES NOT HOLD"


def exactly(what: str, value: int, wanted: int) -> Line:
    return Line(what, value, f"= {wanted:,}", value == wanted)


def at_most(what: str, value: int, bound: int) -> Line:
    return Line(what, value, f"<= {bound:,}", value <= bound)


def at_least(what: str, value: int, bound: int) -> Line:
    return Line(what, value, f">= {bound:,}", value >= bound)
