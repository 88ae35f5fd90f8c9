"""From what a model claims to a tier and a priority: checked, never believed.

Tier A says "call this week", so it is given only where something named has happened
and a page says so: at least one of the triggers, with a source. A priority stands in
the band of its tier. A claim is only ever lowered in tier, never raised, and whatever
is changed is said in the reasons. Pure: values in, values out. What a person has set
stands above all this and is not seen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdr_kit.account import PRIORITIES, TIERS

# The lowest and highest priority in a tier, where a brief does not say otherwise:
# in a list worked down by priority every A stands before every B.
DEFAULT_BANDS: Mapping[str, tuple[int, int]] = {"A": (8, 10), "B": (5, 7), "C": (1, 4)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a brief says about tiers and priorities.

    Attributes:
        triggers: What may make an A; at least one name.
        otherwise: The tier of a claimed A that has none of them, `"B"` or `"C"`.
        bands: By tier, the lowest and the highest priority in it, 1 to 10.

    Raises:
        ValueError: No trigger, another tier, or a band that is none.
    """

    triggers: tuple[str, ...]
    otherwise: str = "B"
    bands: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: dict(DEFAULT_BANDS), hash=False
    )

    def __post_init__(self) -> None:
        if not self.triggers:
            raise ValueError("triggers is empty; tier A needs at least one")
        if self.otherwise not in TIERS[1:]:
            raise ValueError(f"otherwise is {self.otherwise!r}; it must be B or C")
        for tier in TIERS:
            low, high = self.bands.get(tier, (0, 0))
            if low not in PRIORITIES or high not in PRIORITIES or low > high:
                raise ValueError(
                    f"the band of {tier} is {low} to {high}; it must be within 1 to 10"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What a model says about one company.

    Attributes:
        tier: `"A"`, `"B"` or `"C"`.
        priority_score: Any whole number; the bands see to its range.
        triggers: By name, whether a source says that it has happened.
        tier_reasons: Why the tier, in sentences.
        priority_reasons: Why the priority, in sentences.
    """

    tier: str
    priority_score: int
    triggers: Mapping[str, bool] = field(default_factory=dict, hash=False)
    tier_reasons: tuple[str, ...] = ()
    priority_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A tier and a priority that the rules allow.

    Attributes:
        tier: `"A"`, `"B"` or `"C"`.
        priority_score: 1 (lowest) to 10 (highest), in the band of the tier.
        tier_reasons: The model's, then what was changed and why.
        priority_reasons: The model's, then what was changed and why.
    """

    tier: str
    priority_score: int
    tier_reasons: tuple[str, ...] = ()
    priority_reasons: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reasons, the tier's first."""
        return self.tier_reasons + self.priority_reasons


def score(claim: Claim, rules: Rules) -> Score:
    """Checks a claim against the rules and gives what they allow.

    A claimed A without a trigger that a source speaks of becomes `rules.otherwise`.
    The priority is moved to the nearest in the band of the tier.
    """
    tier, changed = _tier(claim, rules)
    priority, moved = _priority(claim.priority_score, tier, rules)
    return Score(
        tier=tier,
        priority_score=priority,
        tier_reasons=claim.tier_reasons + changed,
        priority_reasons=claim.priority_reasons + moved,
    )


def _tier(claim: Claim, rules: Rules) -> tuple[str, tuple[str, ...]]:
    if claim.tier != "A":
        return claim.tier, ()
    claimed = [name for name in rules.triggers if name in claim.triggers]
    if any(claim.triggers[name] for name in claimed):
        return "A", ()
    lacking = (
        f"A needs a source for {_either(claimed)}; none was given"
        if claimed
        else f"A needs {_either(rules.triggers)}; none was found"
    )
    return rules.otherwise, (f"{lacking}, so it is {rules.otherwise}.",)


def _priority(claimed: int, tier: str, rules: Rules) -> tuple[int, tuple[str, ...]]:
    low, high = rules.bands[tier]
    priority = min(max(claimed, low), high)
    if priority == claimed:
        return priority, ()
    return priority, (f"Tier {tier} has {low} to {high}; {claimed} became {priority}.",)


def _either(names: tuple[str, ...] | list[str]) -> str:
    said = [name.replace("_", " ") for name in names]
    return " or ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said)
