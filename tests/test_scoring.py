"""What becomes of a claimed tier and priority."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.scoring import Claim, Rules, Score, score

RULES = Rules(triggers=("recent_incident", "new_funding", "merger"))


def claim(tier: str, priority_score: int, **triggers: bool) -> Claim:
    return Claim(
        tier=tier,
        priority_score=priority_score,
        triggers=triggers,
        tier_reasons=("It is large.",),
        priority_reasons=("It is near.",),
    )


@pytest.mark.parametrize(
    ("claimed", "tier", "priority", "changes"),
    [
        # What the rules allow is left as it is.
        (claim("A", 9, merger=True), "A", 9, []),
        (claim("A", 8, merger=True, new_funding=False), "A", 8, []),
        (claim("B", 6), "B", 6, []),
        (claim("C", 1), "C", 1, []),
        # A needs a trigger, and a source that speaks of it.
        (
            claim("A", 7),
            "B",
            7,
            [
                "A needs recent incident, new funding or merger; none was found, "
                "so it is B."
            ],
        ),
        (
            claim("A", 7, merger=False),
            "B",
            7,
            ["A needs a source for merger; none was given, so it is B."],
        ),
        (
            claim("A", 7, merger=False, new_funding=False),
            "B",
            7,
            ["A needs a source for new funding or merger; none was given, so it is B."],
        ),
        (
            claim("A", 7, weather=True),
            "B",
            7,
            [
                "A needs recent incident, new funding or merger; none was found, "
                "so it is B."
            ],
        ),
        # Nothing is raised: what makes an A does not make one of a B.
        (claim("B", 7, merger=True), "B", 7, []),
        (claim("C", 4, merger=True), "C", 4, []),
        # The priority stands in the band of the tier.
        (claim("A", 3, merger=True), "A", 8, ["Tier A has 8 to 10; 3 became 8."]),
        (claim("B", 10), "B", 7, ["Tier B has 5 to 7; 10 became 7."]),
        (claim("B", 1), "B", 5, ["Tier B has 5 to 7; 1 became 5."]),
        (claim("C", 5), "C", 4, ["Tier C has 1 to 4; 5 became 4."]),
        (claim("C", -(10**9)), "C", 1, [f"Tier C has 1 to 4; {-(10**9)} became 1."]),
        # Both at once: the band is that of the tier that it becomes.
        (
            claim("A", 10, merger=False),
            "B",
            7,
            [
                "A needs a source for merger; none was given, so it is B.",
                "Tier B has 5 to 7; 10 became 7.",
            ],
        ),
    ],
)
def test_a_claim_is_held_against_the_rules(
    claimed: Claim, tier: str, priority: int, changes: list[str]
) -> None:
    scored = score(claimed, RULES)
    assert (scored.tier, scored.priority_score) == (tier, priority)
    said = [
        each for each in scored.reasons if each not in ("It is large.", "It is near.")
    ]
    assert said == changes
    # What the model said comes first, and stays.
    assert scored.tier_reasons[0] == "It is large."
    assert scored.priority_reasons[0] == "It is near."


def test_a_brief_says_what_else_an_a_becomes_and_which_bands_there_are() -> None:
    bands = {"A": (10, 10), "B": (2, 9), "C": (1, 1)}
    rules = Rules(triggers=("merger",), otherwise="C", bands=bands)
    assert score(Claim(tier="A", priority_score=7), rules) == Score(
        tier="C",
        priority_score=1,
        tier_reasons=("A needs merger; none was found, so it is C.",),
        priority_reasons=("Tier C has 1 to 1; 7 became 1.",),
    )
    assert score(Claim(tier="B", priority_score=9), rules).priority_score == 9


@pytest.mark.parametrize("tier", ["A", "B", "C"])
@pytest.mark.parametrize("sourced", [True, False])
def test_a_score_scored_again_stays_as_it_is(tier: str, *, sourced: bool) -> None:
    for priority in range(-2, 14):
        first = score(claim(tier, priority, merger=sourced), RULES)
        again = score(
            Claim(
                tier=first.tier,
                priority_score=first.priority_score,
                triggers={"merger": sourced},
                tier_reasons=first.tier_reasons,
                priority_reasons=first.priority_reasons,
            ),
            RULES,
        )
        assert again == first


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"triggers": ()}, "at least one"),
        ({"otherwise": "A"}, "must be B or C"),
        ({"bands": {"A": (8, 10), "B": (5, 7)}}, "the band of C"),
        ({"bands": {"A": (8, 11), "B": (5, 7), "C": (1, 4)}}, "within 1 to 10"),
        ({"bands": {"A": (8, 10), "B": (7, 5), "C": (1, 4)}}, "the band of B"),
    ],
)
def test_rules_that_are_none_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Rules(**{"triggers": ("merger",), **wrong})
