"""How much is known, and how much of it has a source."""

from __future__ import annotations

import pandas as pd
import pytest

from sdr_kit.account import Evidence, Outcome, Research
from sdr_kit.coverage import coverage_frame, is_fact
from sdr_kit.results import evidence_frame, results_frame

AT = "2026-11-23T10:00:00+00:00"
HEARSAY = Evidence(quote="So they say.", at=AT)


def page(confidence: float | None = 0.8) -> Evidence:
    return Evidence(source="https://acme.de/news", confidence=confidence, at=AT)


def ended(position: int, research: Research | None) -> Outcome:
    return Outcome(
        position=position,
        status="completed" if research else "failed",
        attempts=1,
        seconds=1.0,
        finished=1.0,
        research=research,
        error_kind=None if research else "permanent",
    )


def counted(
    *found: Research | None, source: pd.DataFrame | None = None
) -> dict[str, tuple[int, int, int]]:
    """By field: accounts, those with a value, and of these those with a source."""
    coverage = covered(*found, source=source)
    columns = ["field", "accounts", "answered", "sourced"]
    return {name: tuple(rest) for name, *rest in coverage[columns].to_numpy()}


def covered(
    *found: Research | None, source: pd.DataFrame | None = None
) -> pd.DataFrame:
    if source is None:
        source = pd.DataFrame({"company_name": [f"Company {i}" for i in range(9)]})
    outcomes = [ended(position, each) for position, each in enumerate(found)]
    return coverage_frame(
        results_frame(source, outcomes), evidence_frame(source, outcomes)
    )


def test_only_completed_accounts_count() -> None:
    """Nine accounts; one failed, and six were never reached."""
    known = Research(fields={"news": "They moved."})
    assert counted(known, None, Research(fields={"news": None})) == {"news": (2, 1, 0)}


def test_a_source_is_an_address_and_counts_once_an_account() -> None:
    twice = Research(fields={"news": "x"}, evidence={"news": (page(), page())})
    heard = Research(fields={"news": "x"}, evidence={"news": (HEARSAY,)})
    assert counted(twice, heard) == {"news": (2, 2, 1)}


def test_a_source_of_what_is_not_known_counts_for_nothing() -> None:
    assert counted(
        Research(fields={"news": None}, evidence={"news": (page(),)}),
        Research(fields={"news": "x"}),
    ) == {"news": (2, 1, 0)}


@pytest.mark.parametrize("blank", [None, "", "  ", [], {}])
def test_what_is_blank_is_no_value(blank: object) -> None:
    assert counted(Research(fields={"a": blank}), Research(fields={"a": 0})) == {
        "a": (2, 1, 0)
    }


def test_values_of_every_kind_are_values() -> None:
    kinds = [False, 0, 1.5, ["x"], {"a": 1}, "no"]
    found = [Research(fields={"a": kind}) for kind in kinds]
    assert counted(*found) == {"a": (6, 6, 0)}


def test_judgements_have_no_source_and_are_not_missing_one() -> None:
    reasons = {"tier_reason": "x", "priority_reason": "y"}
    several = {f"customer-identity.{name}": why for name, why in reasons.items()}
    scores = {"customer-identity.tier": "A", "customer-identity.priority_score": 9}
    found = Research(fields={"news": "x", **reasons, **several, **scores}, tier="A")
    assert counted(found) == {"news": (1, 1, 0)}
    assert not is_fact("customer-identity.tier")
    assert is_fact("tier_of_supplier")


def test_a_field_that_the_list_has_too_keeps_its_sources() -> None:
    source = pd.DataFrame({"company_name": ["Acme"], "news": ["ours"]})
    found = Research(fields={"news": "theirs"}, evidence={"news": (page(),)})
    assert counted(found, source=source) == {"research_news": (1, 1, 1)}


def test_columns_of_the_list_are_no_research() -> None:
    source = pd.DataFrame({"company_name": ["Acme"], "status": ["new"], "arr": [1]})
    assert counted(Research(fields={"news": "x"}), source=source) == {"news": (1, 1, 0)}


def test_the_index_of_the_list_does_not_matter() -> None:
    source = pd.DataFrame({"company_name": ["Acme", "Bolt"]}, index=[7, 7])
    found = Research(fields={"news": "x"}, evidence={"news": (page(),)})
    assert counted(None, found, source=source) == {"news": (1, 1, 1)}


def test_confidence_is_the_quartiles_of_what_is_claimed() -> None:
    pieces = tuple(map(page, [0.2, 0.4, 0.6, 0.8, 1.0, None]))
    coverage = covered(
        Research(fields={"a": "x", "b": "y"}, evidence={"a": pieces, "b": (HEARSAY,)})
    )
    (a, b) = coverage[["low", "confidence", "high"]].to_numpy().tolist()
    assert a == pytest.approx([0.4, 0.6, 0.8])
    assert all(pd.isna(b))


def test_without_a_run_there_is_nothing_to_count() -> None:
    for frame in (pd.DataFrame(), pd.DataFrame({"company_name": ["Acme"]})):
        assert coverage_frame(frame, pd.DataFrame()).empty
