"""What the report says of one scenario at one size: means over some seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tests.simulation.kinds import Scenario
from tests.simulation.race import Result, learned_by, oracle, ours, race
from tests.simulation.rivals import RIVALS
from tests.simulation.scenarios import CHOSEN_ON, HELD_OUT, NOT_JUDGED

SEEDS = range(1, 6)
EARLIER = 100  # seeds of runs whose limits are remembered are so much higher
SETS: dict[str, Sequence[Scenario]] = {
    "chosen on": CHOSEN_ON,
    "held out": HELD_OUT,
    "not judged": NOT_JUDGED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What is to be reached: parts of the oracle, and refused calls an account."""

    mean: float
    worst: float
    waste: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One table of the report.

    Attributes:
        accounts: How many each run has.
        target: What is to be reached.
        remembered: Whether runs begin with what an earlier one has learned.
        rivals: Whether the rivals run too.
    """

    accounts: int
    target: Target
    remembered: bool = False
    rivals: bool = False

    @property
    def name(self) -> str:
        return f"{self.accounts:,}" + (" remembered" if self.remembered else "")


PARTS = (
    Part(accounts=200, target=Target(mean=0.95, worst=0.80, waste=0.06)),
    Part(accounts=600, target=Target(mean=0.97, worst=0.90, waste=0.05), rivals=True),
    Part(accounts=2_000, target=Target(mean=0.985, worst=0.95, waste=0.04)),
    Part(
        accounts=200,
        target=Target(mean=0.95, worst=0.90, waste=0.06),
        remembered=True,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """Means of our own runs; see `Result`."""

    seconds: tuple[float, ...]
    waste: float
    settled: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What is known of a scenario.

    Attributes:
        ours: Our own runs.
        best: Seconds of the oracle, by seed.
        rivals: Efficiency and waste of each, by name.
    """

    ours: Ours
    best: tuple[float, ...]
    rivals: dict[str, tuple[float, float]]

    @property
    def efficiency(self) -> float:
        """The mean over the seeds."""
        return fmean(self._shares(self.ours.seconds))

    @property
    def lowest(self) -> float:
        """The lowest of a seed."""
        return min(self._shares(self.ours.seconds))

    def _shares(self, seconds: Sequence[float]) -> list[float]:
        return shares(self.best, seconds)


def shares(best: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """Gives the efficiency of each seed."""
    return [a / b for a, b in zip(best, seconds, strict=True)]


def measure_ours(scenario: Scenario, part: Part) -> Ours:
    """Runs our own law."""

    def run(seed: int) -> Result:
        if not part.remembered:
            return ours(scenario, part.accounts, seed)
        learned = learned_by(scenario, part.accounts, seed + EARLIER)
        return ours(scenario, part.accounts, seed, learned=learned)

    results = [run(seed) for seed in SEEDS]
    return Ours(
        seconds=tuple(each.seconds for each in results),
        waste=fmean(each.waste for each in results),
        settled=fmean(each.settled for each in results),
    )


def measure(scenario: Scenario, part: Part) -> Figures:
    """Runs all who are to be compared."""
    best = tuple(oracle(scenario, part.accounts, seed).seconds for seed in SEEDS)
    return Figures(
        ours=measure_ours(scenario, part),
        best=best,
        rivals=_rivals(scenario, part, best),
    )


def _rivals(
    scenario: Scenario, part: Part, best: Sequence[float]
) -> dict[str, tuple[float, float]]:
    found = {}
    for name, way in RIVALS.items() if part.rivals else ():
        results = [race(way, scenario, part.accounts, seed) for seed in SEEDS]
        reached = shares(best, [each.seconds for each in results])
        found[name] = fmean(reached), fmean(each.waste for each in results)
    return found
