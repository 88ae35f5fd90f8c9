"""How the numbers of a run are made."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import pytest

from sdr_kit.progress import (
    HISTORY_SAMPLES,
    SAMPLE_SECONDS,
    History,
    Progress,
    Rate,
    RunSummary,
    Sample,
    SlotMeter,
    State,
)
from sdr_kit.words import dollars, dollars_between, duration

PROGRESS = Progress(
    state="running",
    reason=None,
    total=10,
    completed=3,
    failed=1,
    pending=6,
    in_flight=2,
    running=2,
    waiting=0,
    retries=0,
    limit=5,
    accounts_per_minute=60.0,
    seconds=4.0,
    eta_seconds=6.0,
)
SUMMARY = RunSummary(
    total=1234,
    completed=1200,
    failed=34,
    pending=0,
    reused=0,
    seconds=754.0,
    accounts_per_minute=98.2,
    speedup=4.93,
    efficiency=0.99,
    retries=7,
    cost_usd=1.5,
)


@pytest.mark.parametrize("state", get_args(State))
def test_a_run_has_ended_or_goes_on(state: State) -> None:
    progress = replace(PROGRESS, state=state)
    assert progress.ended == (state not in ("running", "held", "paused"))
    assert progress.held == (state == "held")
    assert progress.done == 4


def test_a_summary_says_what_a_run_came_to() -> None:
    assert str(SUMMARY) == (
        "1,200 of 1,234 accounts completed, 34 failed, in 13 min "
        "(98 a minute, 4.9× as fast as one by one), for $1.50"
    )
    noticed = replace(SUMMARY, cost_usd=0.0, notices=("It ignores the schema",))
    assert str(noticed).endswith("4.9× as fast as one by one). It ignores the schema")
    none = replace(SUMMARY, completed=0, accounts_per_minute=0.0, cost_usd=0.0)
    assert str(none).endswith("(0 a minute)")  # nothing was fast
    stopped = replace(SUMMARY, stopped="The key <sk> is wrong.")
    assert str(stopped).endswith(". Stopped early: The key <sk> is wrong.")
    assert "The key &lt;sk&gt; is wrong." in stopped._repr_html_()


def steady(rate: Rate, *, per_second: float, seconds: float, latency: float) -> None:
    for number in range(1, round(per_second * seconds) + 1):
        rate.add(number / per_second, accounts=1, latency=latency)


@pytest.mark.parametrize("latency", [0.01, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("per_second", [1, 20])
def test_a_steady_pace_is_measured(latency: float, per_second: float) -> None:
    rate = Rate()
    steady(rate, per_second=per_second, seconds=300, latency=latency)
    assert rate.per_minute(300.0) == pytest.approx(60 * per_second, rel=0.02)


def test_a_group_counts_with_all_its_accounts() -> None:
    rate = Rate()
    for second in range(1, 61):
        rate.add(float(second), accounts=10, latency=1.0)
    assert rate.per_minute(60.0) == pytest.approx(600)


def test_before_the_window_is_full_the_run_so_far_is_the_window() -> None:
    rate = Rate()
    rate.add(1.0, accounts=2, latency=10.0)
    assert rate.per_minute(2.0) == pytest.approx(60)
    assert rate.per_minute(4.0) == pytest.approx(30)


@pytest.mark.parametrize(
    ("latency", "window"), [(0.01, 3.0), (1.0, 8.0), (5.0, 40.0), (100.0, 120.0)]
)
def test_the_window_follows_the_latency_within_bounds(
    latency: float, window: float
) -> None:
    rate = Rate()
    rate.add(1000.0, accounts=1, latency=latency)
    assert rate.per_minute(1000.0 + window - 0.001) > 0
    assert rate.per_minute(1000.0 + window) == 0


@pytest.mark.parametrize("now", [0.0, 5.0])
def test_without_finished_accounts_the_rate_is_zero(now: float) -> None:
    assert Rate().per_minute(now) == 0


def test_what_is_too_old_for_any_window_is_forgotten() -> None:
    rate = Rate()
    for second in range(10_000):
        rate.add(float(second), accounts=1, latency=100.0)
    assert len(rate._finished) <= 122


def test_what_finishes_together_is_kept_as_one() -> None:
    rate = Rate()
    for number in range(1, 100_001):
        rate.add(number / 10_000, accounts=1, latency=0.001)
    assert rate.per_minute(10.0) == pytest.approx(600_000, rel=0.01)
    assert len(rate._finished) <= 501


def test_slots_are_counted_for_as_long_as_they_were_allowed() -> None:
    meter = SlotMeter(now=100.0, slots=4)
    assert meter.slot_seconds(100.0) == 0
    assert meter.slot_seconds(110.0) == 40
    meter.change(110.0, 8)
    assert meter.slot_seconds(112.0) == 40 + 16
    meter.change(112.0, 0)  # a pause
    assert meter.slot_seconds(1000.0) == 56
    meter.change(1000.0, 1)
    assert meter.slot_seconds(1001.0) == 57


def sample(seconds: float) -> Sample:
    return Sample(
        seconds=seconds,
        accounts_per_minute=1.0,
        running=1,
        limit=1,
        failed=0,
        held=False,
    )


@pytest.mark.parametrize("number", [1, 999, 1000, 1001, 5000])
def test_the_history_is_bounded_and_evenly_spaced(number: int) -> None:
    history, now, longest = History(), 0.0, 0
    for _ in range(number):
        history.add(sample(now))
        longest = max(longest, len(history.samples))
        last, now = now, now + history.every
    assert longest <= HISTORY_SAMPLES
    kept = [each.seconds for each in history.samples]
    assert (kept[0], kept[-1]) == (0.0, last)
    gaps = {after - before for before, after in itertools.pairwise(kept)}
    assert gaps <= {history.every}
    assert (history.every == SAMPLE_SECONDS) == (number <= HISTORY_SAMPLES)
    if number > HISTORY_SAMPLES:
        assert len(kept) > HISTORY_SAMPLES / 2


def test_a_history_that_was_handed_out_does_not_change() -> None:
    history = History()
    history.add(sample(0.0))
    seen = history.samples
    history.add(sample(1.0))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.44, "8.4 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59, "59 s"),
        (60, "1 min"),
        (89, "1 min"),
        (91, "2 min"),
        (725, "12 min"),
        (3569, "59 min"),
        (3571, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_a_duration_is_written_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "written"),
    [
        (0, "$0"),
        (0.000005, "$0.000005"),
        (0.0042, "$0.0042"),
        (0.0994, "$0.099"),
        (0.0995, "$0.10"),
        (4.2, "$4.20"),
        (19.99, "$19.99"),
        (20, "$20"),
        (38.4, "$38"),
        (1_240, "$1,240"),
        (999_999.9, "$1,000,000"),
    ],
)
def test_dollars_are_written_as_a_person_says_them(usd: float, written: str) -> None:
    assert dollars(usd) == written


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (38.2, 51, "$38–51"),
        (38, 38.3, "$38"),
        (0, 5, "$0–5.00"),
        (0.4, 25, "$0–25"),
        (0.00001, 0.05, "$0.00001–0.05"),
    ],
)
def test_both_ends_of_a_range_are_written_alike(
    low: float, high: float, written: str
) -> None:
    assert dollars_between(low, high) == written
