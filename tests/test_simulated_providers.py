"""The simulated providers keep to their limits, and the oracle knows them."""

from __future__ import annotations

import asyncio
import itertools
import math
import random

import pytest

from sdr_kit import Account, RateLimited
from tests.simulation.figures import SETS
from tests.simulation.hidden import Bucket, Cap, Limit, TokenBucket, Window
from tests.simulation.kinds import Scenario, cap, free, window
from tests.simulation.machine import Constant, Machine, Shared
from tests.simulation.provider import Provider
from tests.simulation.race import learned_by, oracle, ours, race
from tests.simulation.rivals import RIVALS, Aimd
from tests.virtual import VirtualLoop


def admitted(limit: Limit, times: list[float]) -> list[float]:
    """When calls at those times were taken, each of 100 tokens."""
    taken = []
    for now in times:
        if not limit.wait(now, 0):
            limit.take(now, 100.0)
            taken.append(now)
    return taken


def test_a_bucket_takes_its_burst_and_then_its_rate() -> None:
    taken = admitted(Bucket(2, 5), [each / 10 for each in range(101)])
    assert taken[:5] == [0, 0.1, 0.2, 0.3, 0.4]
    assert len(taken) == pytest.approx(5 + 2 * 10, abs=1)


def test_a_bucket_asks_for_whole_seconds_or_says_nothing() -> None:
    for tells, asked in ((True, 1), (False, None)):
        it = Bucket(2, 1, tells=tells)
        it.take(0.0, 0.0)
        assert it.wait(0.0, 0) == 0.5
        assert it.asks(0.0) == asked


def test_a_token_bucket_takes_a_call_while_any_are_left() -> None:
    it = TokenBucket(10, 150)
    assert admitted(it, [0.0, 0.0, 0.0]) == [0.0, 0.0]
    assert it.wait(0.0, 0) == 5.0


def test_a_window_takes_its_quota_in_each_part_of_the_clock() -> None:
    it = Window(3, 10, 4)
    taken = admitted(it, [each / 2 for each in range(40)])
    assert taken == [0, 0.5, 1, 6, 6.5, 7, 16, 16.5, 17]
    assert it.asks(19.5) == 7


def test_a_cap_that_moves_says_when_to_come_back() -> None:
    it = Cap([(0, 3), (10, 1), (20, 2)])
    assert it.wait(0, 2) == 0
    assert it.wait(0, 3) == 10
    assert it.wait(12, 1) == 8
    assert it.wait(20, 1) == 0
    assert it.wait(20, 2) == math.inf


def test_headers_say_what_remains() -> None:
    said = [
        Bucket(1, 10, headers=True).says(0.0).requests_remaining,
        TokenBucket(1, 10, headers=True).says(0.0).tokens_remaining,
        Window(7, 60, 0, headers=True).says(0.0).requests_remaining,
        Bucket(1, 10).says(0.0).requests_remaining,
    ]
    assert said == [10, 10, 7, None]


def seconds_of(machine: Machine, works: list[tuple[float, float]]) -> list[float]:
    """When pieces of work end that begin at some time and last so long alone."""
    loop = VirtualLoop()

    async def one(begin: float, seconds: float) -> float:
        await asyncio.sleep(begin)
        await machine.work(seconds)
        return loop.time()

    async def whole() -> list[float]:
        return list(await asyncio.gather(*itertools.starmap(one, works)))

    try:
        return loop.run_until_complete(whole())
    finally:
        loop.close()


def test_a_machine_that_settles_it_at_the_start_slows_the_later_only() -> None:
    works = [(0.0, 10.0), (1.0, 10.0)]
    assert seconds_of(Constant(2.0), works) == pytest.approx([12.5, 21.0])
    assert seconds_of(Constant(math.inf), works) == pytest.approx([10.0, 11.0])


def test_a_machine_that_is_shared_slows_all_who_are_at_work() -> None:
    # Alone at 1 ÷ 1.25 of its speed, two at a half: 0.8 s of the first's work is done
    # when the second comes, and 18.4 s later the first is done.
    ends = seconds_of(Shared(2.0), [(0.0, 10.0), (1.0, 10.0)])
    assert ends == pytest.approx([1 + 18.4, 1 + 18.4 + 0.8 * 1.25])


def test_a_provider_refuses_at_once_what_is_above_its_limits() -> None:
    loop = VirtualLoop()

    async def whole() -> tuple[list[object], Provider]:
        provider = cap(3, 5, asking=4).provider(5, 1)
        accounts = [
            Account(position=i, company_name=f"Company {i}", domain=f"c{i}.com")
            for i in range(5)
        ]
        calls = (provider(each) for each in accounts)
        return await asyncio.gather(*calls, return_exceptions=True), provider

    try:
        found, provider = loop.run_until_complete(whole())
    finally:
        loop.close()
    refused = [each for each in found if isinstance(each, RateLimited)]
    assert [each.retry_after for each in refused] == [4, 4]
    assert provider.refused == 2
    assert len(provider.answered) == 3


def test_windows_begin_in_a_phase_that_the_seed_draws() -> None:
    scenario = window(60, 60, 4)
    waits = {
        limit.asks(0.0)
        for seed in range(8)
        for limit in scenario.limits(random.Random(seed))
    }
    assert len(waits) > 4


@pytest.mark.parametrize("scenario", SETS["chosen on"], ids=lambda each: each.name)
def test_the_oracle_is_never_refused_and_the_same_each_time(
    scenario: Scenario,
) -> None:
    first = oracle(scenario, 100, 3)
    assert first.waste == 0
    assert oracle(scenario, 100, 3) == first


def test_without_a_limit_the_oracle_is_list_scheduling_and_ours_is_near() -> None:
    scenario = free(10)
    best, own = oracle(scenario, 300, 1), ours(scenario, 300, 1)
    assert best.seconds <= own.seconds <= 1.06 * best.seconds


def test_what_a_run_learned_is_given_to_the_next() -> None:
    learned = learned_by(cap(12, 8), 200, 1)
    assert learned.cap in {11, 12}


@pytest.mark.parametrize("name", RIVALS)
def test_the_rivals_get_all_done(name: str) -> None:
    result = race(RIVALS[name], cap(4, 5), 60, 1)
    assert result.seconds > oracle(cap(4, 5), 60, 1).seconds


def test_aimd_halves_once_a_latency() -> None:
    rule = Aimd()
    rule.succeeded(10.0)
    assert rule.limit == 5.2
    for now in (20.0, 21.0, 29.9):
        rule.refused(now)
    assert rule.limit == 2.6
    rule.refused(30.0)
    assert rule.limit == 1.3
