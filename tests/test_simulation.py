"""The report of the simulator is true, and reaches its targets."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import pytest

from tests.simulation.figures import PARTS, SETS, Part, measure, measure_ours
from tests.simulation.kinds import Scenario, bucket, window
from tests.simulation.race import by_hand
from tests.simulation.report import (
    COMMAND,
    FILE,
    all_keys,
    beginning,
    line_of,
    measured,
    render,
)

SHORT, LONGER = PARTS[0], PARTS[1]
RENEW = f"the law does something else now; renew the report by `{COMMAND}`"


def table(name: str, part: Part) -> dict[str, str]:
    """The lines of one table of the file, by the scenario's name."""
    text = FILE.read_text(encoding="utf-8")
    title = f"# {name}, {part.name}\n"
    lines = text.partition(title)[2].partition("\n\n")[0].splitlines()[1:]
    return {line.partition("|")[0].strip(): line for line in lines}


def columns(line: str) -> list[str]:
    """The figures of a line: seconds, waste, settled, oracle, efficiency, lowest."""
    return line.partition("|")[2].replace("|", "").replace("%", "").split()


def some() -> Iterator[tuple[str, Part, Scenario]]:
    """All scenarios with few accounts, and every eighth with more."""
    for name, scenarios in SETS.items():
        yield from ((name, SHORT, each) for each in scenarios)
        yield from ((name, LONGER, each) for each in scenarios[::8])


@pytest.mark.parametrize(
    ("name", "part", "scenario"),
    [
        pytest.param(name, part, each, id=f"{part.name}-{each.name}")
        for name, part, each in some()
    ],
)
def test_what_the_report_says_of_the_law_is_true(
    name: str, part: Part, scenario: Scenario
) -> None:
    ours = beginning(scenario.name, measure_ours(scenario, part))
    line = table(name, part)[scenario.name]
    assert line[: len(ours)] == ours, RENEW


def test_what_it_says_of_the_others_is_true() -> None:
    """One scenario; the soak test does all."""
    scenario = SETS["chosen on"][1]
    line = line_of(scenario.name, measure(scenario, LONGER))
    assert table("chosen on", LONGER)[scenario.name] == line, RENEW


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_all_that_the_report_says_is_true() -> None:
    found = {key: measured(key) for key in all_keys()}
    assert FILE.read_text(encoding="utf-8") == render(found), RENEW


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
@pytest.mark.parametrize("name", ["chosen on", "held out"])
def test_the_targets_are_reached(name: str, part: Part) -> None:
    lines = table(name, part)
    assert len(lines) == len(SETS[name])
    waste = fmean(float(columns(each)[1]) for each in lines.values())
    reached = {each: float(columns(line)[4]) / 100 for each, line in lines.items()}
    worst = min(reached, key=reached.__getitem__)
    assert fmean(reached.values()) >= part.target.mean
    assert reached[worst] >= part.target.worst, worst
    assert waste <= part.target.waste


def test_each_scenario_has_a_name_of_its_own() -> None:
    names = [each.name for scenarios in SETS.values() for each in scenarios]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "scenario",
    [bucket(1, 5, 2), bucket(1, 10, 2), bucket(1, 60, 1), window(60, 60, 2)],
    ids=lambda scenario: scenario.name,
)
def test_by_hand_too_few_calls_are_refused_by_a_rate_limit(scenario: Scenario) -> None:
    """Five at once against 60 a minute, without headers: under 5 % of the calls."""
    wastes = [by_hand(scenario, 200, seed, limit=5).waste for seed in (1, 2, 3)]
    assert fmean(waste / (1 + waste) for waste in wastes) < 0.05
