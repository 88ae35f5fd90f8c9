"""What a run may cost: exact, since in virtual time calls take what they say."""

from __future__ import annotations

import asyncio
import math
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, RateLimited, Research, Settings, Transient
from sdr_kit.account import Attempt, Outcome, Usage
from sdr_kit.batch import Run
from sdr_kit.budget import Budget
from sdr_kit.errors import SdrKitError
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.memory_store import MemoryStore, Record
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.test_engine import Watched


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


class Costly:
    """Answers for a price, after a while; fails now and then, for a price as well."""

    def __init__(
        self,
        *costs: float | None,
        error: type[SdrKitError] | None = None,
        every: int = 3,
    ) -> None:
        self.costs = costs
        self.error = error
        self.every = every
        self.calls: list[int] = []
        self.paid: list[float] = []

    async def __call__(self, account: Account) -> Research:
        number = len(self.calls)
        self.calls.append(account.position)
        await asyncio.sleep(1 + number % 7)
        cost = self.costs[number % len(self.costs)]
        self.paid.append(cost or 0.0)
        usage = Usage(input_tokens=100, cost_usd=cost)
        if self.error is not None and number % self.every == 0:
            raise self.error("no").about(usage=usage)
        return Research(fields={"a": 1}, usage=usage)


async def process(
    researcher: Any, budget_usd: float | None, number: int = 100, **options: Any
) -> Run:
    return await sdr_kit.process(
        made_up(number), researcher, store="memory", budget_usd=budget_usd, **options
    )


@pytest.mark.anyio
async def test_a_budget_buys_what_it_can_and_the_rest_stays_pending() -> None:
    run = await process(costly := Costly(0.25), 5.0)
    assert run.summary.cost_usd == 5.0
    assert (run.summary.completed, run.summary.pending) == (20, 80)
    assert len(costly.calls) == 20
    assert "budget of $5.00 is reached: $5.00 spent" in str(run.summary.stopped)


@pytest.mark.anyio
async def test_until_a_cost_is_known_there_is_one_call_at_a_time() -> None:
    run = await process(costly := Costly(0.25), 0.2, concurrency=10)
    assert (len(costly.calls), run.summary.cost_usd) == (1, 0.25)
    run = await process(Costly(0.25), 25.0, concurrency=10)
    assert run.summary.speedup > 8


@pytest.mark.anyio
async def test_what_is_in_flight_counts_before_it_is_paid() -> None:
    # 4.9 buys 19 at 0.25; a twentieth would go beyond it, though 4.75 is below.
    run = await process(Costly(0.25), 4.9, concurrency=10)
    assert run.summary.cost_usd == 4.75


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(20))
async def test_a_run_costs_no_more_than_its_budget_and_what_was_in_flight(
    seed: int,
) -> None:
    rng = random.Random(seed)
    costs = [rng.lognormvariate(-2, 1) for _ in range(300)]
    budget, limit = rng.uniform(0.5, 8), rng.choice((1, 3, 10))
    error = rng.choice((None, Transient, Permanent, RateLimited))
    costly = Costly(*costs, error=error)
    run = await process(costly, budget, 200, concurrency=limit)
    assert run.summary.stopped
    assert run.summary.cost_usd == pytest.approx(sum(costly.paid))
    before_the_last = sum(costly.paid[:-limit])
    assert before_the_last <= budget
    assert run.summary.cost_usd <= budget + limit * max(costs)
    assert run.summary.pending + run.summary.completed + run.summary.failed == 200


@pytest.mark.anyio
async def test_a_list_that_the_budget_covers_is_finished() -> None:
    run = await process(Costly(0.25), 25.0)
    assert run.summary.stopped is None
    assert run.summary.completed == 100


@pytest.mark.anyio
async def test_failed_calls_count_too() -> None:
    run = await process(Costly(0.25, error=Permanent, every=1), 2.0, 9)
    assert run.summary.cost_usd == 2.0
    assert run.summary.failed == 8


@pytest.mark.anyio
async def test_without_a_price_a_budget_cannot_be_held_and_the_run_says_so() -> None:
    run = await process(costly := Costly(None), 5.0, concurrency=4)
    assert len(costly.calls) == 1
    assert "does not say what an answer costs" in str(run.summary.stopped)
    assert (await process(Costly(None), None, 8)).summary.completed == 8


@pytest.mark.anyio
async def test_what_costs_nothing_is_within_every_budget() -> None:
    assert (await process(Costly(0.0), 0.01)).summary.completed == 100


@pytest.mark.anyio
async def test_the_settings_have_a_budget_for_all_runs() -> None:
    settings = Settings(budget_usd=2.0)
    run = await process(Costly(0.25), None, settings=settings)
    assert run.summary.cost_usd == 2.0
    run = await process(Costly(0.25), math.inf, settings=settings)
    assert run.summary.completed == 100


@pytest.mark.anyio
@pytest.mark.parametrize("wrong", [0, -1, math.nan, True, "5", None.__class__])
async def test_a_wrong_budget_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"budget_usd is .* above 0"):
        await process(Costly(0.25), wrong)


@pytest.mark.anyio
async def test_a_budget_changes_while_it_runs() -> None:
    watched = Watched(100, costly := Costly(0.25), limit=3, budget_usd=1.0)
    snapshots = await watched.run((0.5, lambda: watched.engine.set_budget(2.0)))
    assert snapshots[-1].cost_usd == 2.0
    assert snapshots[-1].budget_usd == 2.0
    assert len(costly.calls) == 8


@pytest.mark.anyio
async def test_a_run_taken_up_again_goes_on_with_its_money_and_repeats_nothing() -> (
    None
):
    store = MemoryStore()
    watched = Watched(40, costly := Costly(0.25), limit=5, store=store, budget_usd=5.0)
    await watched.run()
    assert len(costly.calls) == 20

    left = sorted(set(range(40)) - set(store.statuses(watched.job_id)))
    watched.reopen(range(left[0], 40), completed=20, limit=5)
    await watched.run()
    assert len(costly.calls) == 20  # there is no money left

    watched.reopen(range(left[0], 40), completed=20, limit=5)
    watched.engine.tally.budget.usd = 7.5
    await watched.run()
    assert len(costly.calls) == len(set(costly.calls)) == 30
    assert watched.engine.tally.cost_usd == 7.5


def test_a_job_goes_on_with_a_higher_budget() -> None:
    calls: list[int] = []

    def research(account: Account) -> dict[str, float]:
        calls.append(account.position)
        return {"cost_usd": 0.5}

    job = sdr_kit.start(made_up(20), research, store="memory", budget_usd=3)
    assert job.wait(10).summary.completed == 6
    assert job.budget_usd == 3.0
    job.budget_usd = 5
    job = job.retry(job.unfinished())
    assert job.wait(10).summary.completed == 10
    job.budget_usd = None
    assert job.retry(job.unfinished()).wait(10).summary.completed == 20
    assert sorted(calls) == list(range(20))
    with pytest.raises(ValueError, match="above 0"):
        job.budget_usd = 0


@pytest.mark.anyio
async def test_a_raised_budget_lets_free_slots_start_at_once() -> None:
    async def research(account: Account) -> dict[str, float]:
        await asyncio.sleep(100 if account.position == 1 else 1)
        return {"cost_usd": 0.25}

    watched = Watched(20, research, limit=2, budget_usd=1.0)
    snapshots = await watched.run((50, lambda: watched.engine.set_budget(9.0)))
    before = [each.running for each in snapshots if 10 < each.seconds < 49]
    assert set(before) == {1}  # the slow one; another would go beyond the budget
    assert 2 in {each.running for each in snapshots if 50 < each.seconds < 51}


@pytest.mark.anyio
async def test_cents_that_are_no_whole_numbers_in_binary_are_counted_as_cents() -> None:
    run = await process(Costly(0.1), 0.3, concurrency=1)
    assert run.summary.cost_usd > 0.3  # by 6e-17
    assert run.summary.completed == 3


def test_a_job_whose_budget_is_raised_starts_more_while_others_are_at_work() -> None:
    others_done = threading.Event()

    def research(account: Account) -> dict[str, float]:
        if account.position == 1:  # the first one says what an account costs
            assert others_done.wait(10)
        return {"cost_usd": 0.25}

    job = sdr_kit.start(
        made_up(9), research, store="memory", concurrency=2, budget_usd=1
    )
    while job.progress.done < 3:
        time.sleep(0.001)
    job.budget_usd = 9
    while job.progress.done < 8:
        time.sleep(0.001)
    others_done.set()
    assert job.wait(10).summary.completed == 9


def test_a_retry_without_money_leaves_the_failures_as_they_are() -> None:
    def research(account: Account) -> dict[str, float]:
        if account.position % 3 == 2:
            raise Permanent("no")
        return {"cost_usd": 0.5}

    job = sdr_kit.start(
        made_up(30), research, store="memory", budget_usd=3, mode="sequential"
    )
    assert job.wait(10).summary.failed == 2
    for positions in (None, job.unfinished()):
        with pytest.raises(ValueError, match=r"budget of \$3.00 is reached"):
            job.retry(positions)
    assert job.frame["error_message"].notna().sum() == 2


@pytest.mark.anyio
async def test_a_pause_is_not_ended_by_the_budget() -> None:
    watched = Watched(100, Costly(0.25), limit=5, budget_usd=1.0)
    snapshots = await watched.run(
        (0.5, watched.engine.pause),
        (50.0, lambda: watched.engine.set_budget(2.0)),
        (51.0, watched.engine.resume),
    )
    assert {each.state for each in snapshots if 20 < each.seconds < 50} == {"paused"}
    assert snapshots[-1].cost_usd == 2.0


@pytest.mark.anyio
async def test_what_was_spent_before_is_not_expected_of_each_account_again() -> None:
    watched = Watched(40, Costly(0.25, error=Permanent, every=1), limit=5)
    await watched.run((60.0, watched.engine.resume))
    assert watched.engine.tally.cost_usd == 10.0

    watched.store.reopen(watched.job_id, range(40))
    watched.researcher = Costly(0.5)
    watched.reopen(range(40), completed=0, limit=5)
    snapshots = await watched.run()
    projected = {each.projected_cost_usd for each in snapshots if each.completed}
    assert projected == {10.0 + 40 * 0.5}


def test_calls_without_a_cost_do_not_make_the_next_look_cheaper() -> None:
    budget = Budget(1.0)
    budget.spend(_attempt("completed", 0.6))
    for _ in range(9):
        budget.spend(_attempt("transient", None))
    assert not budget.allows(0)


def _attempt(outcome: Any, cost: float | None) -> Attempt:
    return Attempt(
        position=0,
        number=1,
        started=0.0,
        seconds=1.0,
        outcome=outcome,
        usage=None if cost is None else Usage(cost_usd=cost),
    )


# The sample that comes first.


@pytest.mark.anyio
async def test_a_sample_comes_first_and_then_the_run_asks() -> None:
    watched = Watched(100, costly := Costly(0.25), limit=5, sample=10)
    snapshots = await watched.run((60.0, watched.engine.resume))
    assert snapshots[1].state == "running"
    assert snapshots[1].reason == (
        "A sample of 10 accounts comes first. Then the run asks before it goes on with "
        "the other 90."
    )
    asked = [each for each in snapshots if 30 < each.seconds < 59]
    assert {(each.state, each.completed, each.running) for each in asked} == {
        ("paused", 10, 0)
    }
    assert asked[0].reason == (
        "A sample of 10 accounts is done. Go on with the other 90 accounts?"
    )
    assert asked[0].projected_cost_usd == 25.0
    assert snapshots[-1].state == "finished"
    assert sorted(costly.calls) == list(range(100))


def test_a_sample_is_spread_over_the_list() -> None:
    calls: list[int] = []

    def research(account: Account) -> dict[str, float]:
        calls.append(account.position)
        return {"cost_usd": 1.0}

    job = sdr_kit.start(
        made_up(95), research, mode="sequential", store="memory", sample=10
    )
    while job.progress.state != "paused":
        time.sleep(0.01)
    said = r"85 accounts at 1: .*, \$85, 0 to \d+ failing"
    assert re.fullmatch(said, str(job.estimate()))
    assert calls == [0, 9, 19, 28, 38, 47, 57, 66, 76, 85]
    job.cancel()
    run = job.wait(10)
    assert (run.summary.completed, run.summary.pending) == (10, 85)


class Slow(Store):
    """A store on a disk that takes its time."""

    def open_writer(
        self, job_id: int, fingerprint: str | None = None, *, fence: int = FIRST_FENCE
    ) -> tuple[Record, Callable[[], None]]:
        record, close = super().open_writer(job_id, fingerprint, fence=fence)

        def slowly(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            time.sleep(0.05)
            record(attempts, outcomes)

        return slowly, close


@pytest.mark.parametrize("kind", [Store, Slow])
def test_a_sample_is_in_the_store_before_the_run_asks(kind: type[Store]) -> None:
    def research(_: Account) -> dict[str, float]:
        return {"cost_usd": 1.0}

    store = kind("sqlite:///sample.db")
    job = sdr_kit.start(made_up(30), research, store=store, sample=10)
    while job.progress.state != "paused":
        time.sleep(0.001)
    assert len(store.statuses(job.id)) == job.progress.done == 10
    assert job.progress.in_flight == 0
    job.resume()
    assert job.wait(10).summary.completed == 30


@pytest.mark.anyio
async def test_a_sample_that_uses_up_the_budget_asks_before_it_stops() -> None:
    watched = Watched(40, Costly(0.25), limit=5, sample=8, budget_usd=2.0)
    snapshots = await watched.run((60.0, watched.engine.resume))
    assert {each.state for each in snapshots if 30 < each.seconds < 59} == {"paused"}
    assert snapshots[-1].state == "stopped"
    assert snapshots[-1].cost_usd == 2.0


@pytest.mark.anyio
async def test_a_sample_with_retries_waits_for_them() -> None:
    watched = Watched(40, Costly(0.1, error=Transient), limit=5, sample=10)
    snapshots = await watched.run((200.0, watched.engine.resume))
    asked = [each for each in snapshots if 100 < each.seconds < 199]
    assert {(each.state, each.done) for each in asked} == {("paused", 10)}
    assert snapshots[-1].done == 40


@pytest.mark.anyio
async def test_a_sample_whose_last_account_has_no_tries_left_asks_all_the_same() -> (
    None
):
    async def research(account: Account) -> dict[str, int]:
        if account.position == 0:
            await asyncio.sleep(5)  # nobody is answered after it: it may not be its own
            raise Transient("no")
        return {"a": 1}

    watched = Watched(40, research, limit=5, sample=10, max_api_retries=0)
    snapshots = await watched.run((60.0, watched.engine.resume))
    asked = [each for each in snapshots if 30 < each.seconds < 59]
    assert {(each.state, each.done, each.failed) for each in asked} == {
        ("paused", 10, 1)
    }
    assert snapshots[-1].done == 40


@pytest.mark.anyio
async def test_a_sample_that_fails_alike_asks_about_that_first() -> None:
    watched = Watched(40, Costly(0.1, error=Permanent, every=1), limit=5, sample=10)
    snapshots = await watched.run(
        (100.0, watched.engine.resume), (200.0, watched.engine.cancel)
    )
    reasons = list(dict.fromkeys(each.reason for each in snapshots if each.reason))
    assert "10 accounts in a row failed in the same way" in reasons[1]
    assert reasons[2].startswith("A sample of 10 accounts is done")
    assert snapshots[-1].failed == 10


def test_a_run_stopped_in_its_sample_still_asks_when_it_goes_on() -> None:
    """A wrong key, mended, is no word on what the list may cost."""
    calls: list[int] = []

    def research(account: Account) -> dict[str, float]:
        calls.append(account.position)
        if len(calls) == 3:
            raise sdr_kit.StopRun("bad key")
        return {"cost_usd": 1.0}

    job = sdr_kit.start(
        made_up(40), research, mode="sequential", store="memory", sample=4
    )
    assert job.wait(10).summary.stopped == "bad key"
    job = job.retry(job.unfinished())
    while job.progress.state != "paused":
        time.sleep(0.01)
    assert calls == [0, 10, 20, 20, 30]
    assert job.progress.reason == (
        "A sample of 4 accounts is done. Go on with the other 36 accounts?"
    )
    assert re.match("36 accounts at 1: .*, \\$36, 0 to ", str(job.estimate()))
    job.resume()
    assert job.wait(10).summary.completed == 40
    assert sorted(calls) == sorted([20, *range(40)])


@pytest.mark.anyio
async def test_a_sample_that_is_the_whole_list_asks_nothing() -> None:
    watched = Watched(7, Costly(0.1), limit=5, sample=10)
    assert (await watched.run())[-1].state == "finished"


@pytest.mark.parametrize("wrong", [0, -1, True, 2.5, "10", 1_001])
def test_a_wrong_sample_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"sample is .* whole number from 1"):
        sdr_kit.start(made_up(3), Costly(0.1), store="memory", sample=wrong)
