"""One line of the table: what was measured, beside what, and what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one measure has come to.

    Attributes:
        what: What was measured.
        ours: What it is here, with its unit.
        peer: The same of what it is compared with, and what that is.
        ratio: Ours ÷ the peer's; None when there is no peer.
        target: Where the ratio should be; None is nowhere in particular.
        value: What is held against the target where that is not the ratio.
        at_most: Whether the target is a bound from above.
        note: What else is to be known.
    """

    what: str
    ours: str = ""
    peer: str = ""
    ratio: float | None = None
    target: float | None = None
    value: float | None = None
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none, or nothing measured."""
        value = self.ratio if self.value is None else self.value
        if self.target is None or value is None:
            return None
        return value <= self.target if self.at_most else value >= self.target

    @property
    def result(self) -> Literal["", "met", "missed"]:
        """The same in a word."""
        return {None: "", True: "met", False: "missed"}[self.met]  # type: ignore[return-value]


def in_turns(
    measures: Mapping[str, Callable[[], float]], *, rounds: int
) -> dict[str, list[float]]:
    """Takes several measures in turns, so that a slow moment meets all of them.

    Args:
        measures: By name; each gives a number.
        rounds: How often each; one more round comes first and is not counted.

    Returns:
        By name, the numbers of all rounds, in order.
    """
    for measure in measures.values():
        measure()
    turns = [{name: one() for name, one in measures.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in measures}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Gives the median of the ratios of what was measured together."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
