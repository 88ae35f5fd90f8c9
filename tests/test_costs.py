"""What a run has cost: every attempt counts, failed ones too, once it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Permanent, RateLimited, Research, Settings, Transient
from sdr_kit.account import RAW_CHARACTERS, RateLimits, Usage
from sdr_kit.errors import SdrKitError
from sdr_kit.memory_store import MemoryStore
from sdr_kit.store import AnyStore, Store
from tests.accounts import made_up
from tests.test_engine import Watched

FAILED = Usage(input_tokens=100, output_tokens=10, searches=1, cost_usd=0.25)
FOUND = Usage(input_tokens=900, output_tokens=80, searches=3, cost_usd=0.5)


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest) -> AnyStore:
    return MemoryStore() if request.param == "memory" else Store("sqlite:///costs.db")


class Provider:
    """Fails so many times at each account, paid for all the same, then answers."""

    def __init__(
        self,
        *,
        failures: int,
        error: Callable[[str], SdrKitError] = Transient,
        usage: Usage | None = FAILED,
        seconds: float = 1.0,
    ) -> None:
        self.left: dict[int, int] = {}
        self.failures = failures
        self.error = error
        self.usage = usage
        self.seconds = seconds

    async def __call__(self, account: Account) -> Research:
        await asyncio.sleep(self.seconds)
        left = self.left.setdefault(account.position, self.failures)
        if left:
            self.left[account.position] -= 1
            raise self.error("it does not fit").about(
                usage=self.usage,
                limits=RateLimits(requests_remaining=left),
                request_id=f"req_{left}",
                raw="prose",
            )
        return Research(fields={"a": 1}, usage=FOUND, request_id="req_0")


async def process(
    researcher: Any, store: AnyStore, number: int = 4, **settings: Any
) -> sdr_kit.batch.Run:
    return await sdr_kit.process(
        made_up(number), researcher, store=store, settings=Settings(**settings)
    )


async def test_an_account_costs_what_all_its_attempts_cost(store: AnyStore) -> None:
    run = await process(Provider(failures=2), store)
    assert list(run.frame["cost_usd"]) == [1.0] * 4
    assert list(run.frame["status"]) == ["completed"] * 4
    assert run.summary.cost_usd == 4.0
    total = Usage(input_tokens=4400, output_tokens=400, searches=20, cost_usd=4.0)
    assert run.summary.usage == total
    assert run.usage == {
        "input_tokens": 4400,
        "output_tokens": 400,
        "searches": 20,
        "cost_usd": 4.0,
    }
    attempts = run.attempts
    assert list(attempts["cost_usd"]) == [0.25, 0.25, 0.5] * 4
    assert list(attempts["request_id"]) == ["req_2", "req_1", "req_0"] * 4
    assert list(attempts["requests_remaining"].fillna(-1)) == [2, 1, -1] * 4
    # What the call took stands with the attempt, what was found with the account.
    (research,) = {repr(each.research) for each in store.results(run.job_id)}
    assert research == repr(Research(fields={"a": 1}, cost_usd=0.5))


async def test_a_failed_account_has_its_cost_and_the_answer_that_did_not_fit(
    store: AnyStore,
) -> None:
    run = await process(Provider(failures=9, error=Permanent), store)
    assert list(run.frame["status"]) == ["failed"] * 4
    assert list(run.frame["cost_usd"]) == [0.25] * 4
    assert run.summary.cost_usd == 1.0
    assert [each.raw for each in store.results(run.job_id)] == ["prose"] * 4


async def test_refused_calls_that_say_what_they_took_count_too(store: AnyStore) -> None:
    run = await process(Provider(failures=1, error=RateLimited), store, 1)
    assert run.summary.usage == FAILED + FOUND
    assert list(run.attempts["outcome"]) == ["rate_limited", "completed"]


async def test_what_is_unknown_costs_nothing_and_is_not_called_free() -> None:
    run = await process(Provider(failures=1, usage=None), MemoryStore(), 1)
    assert run.attempts["cost_usd"].isna().tolist() == [True, False]
    assert list(run.frame["cost_usd"]) == [0.5]

    async def plain(account: Account) -> dict[str, str]:
        return {"name": account.company_name}

    run = await process(plain, MemoryStore(), 2)
    assert run.frame["cost_usd"].isna().all()
    assert (run.summary.cost_usd, run.usage["cost_usd"]) == (0.0, None)


async def test_a_function_of_a_cell_says_its_cost_as_a_column(store: AnyStore) -> None:
    async def priced(account: Account) -> dict[str, object]:
        return {"name": account.company_name, "cost_usd": 0.125}

    run = await process(priced, store)
    assert run.summary.cost_usd == 0.5
    assert list(run.attempts["cost_usd"]) == [0.125] * 4
    assert list(run.attempts["input_tokens"]) == [0] * 4
    assert list(run.frame["cost_usd"]) == [0.125] * 4


async def test_a_cancelled_run_has_cost_what_was_committed() -> None:
    """Two at once, 1 s a call, then a wait: the first two have failed, and are due."""
    provider = Provider(failures=1)
    watched = Watched(3, provider, limit=2, retry_initial_seconds=60)
    seen = await watched.run((2.5, watched.engine.cancel))
    summary = watched.engine.summary()
    assert summary.completed == 0
    assert summary.cost_usd == 3 * 0.25
    assert seen[-1].cost_usd == 3 * 0.25
    assert [each.cost_usd for each in seen] == sorted(each.cost_usd for each in seen)
    assert watched.store.spent(watched.job_id) == {0: 0.25, 1: 0.25, 2: 0.25}


async def test_a_call_that_was_cut_short_adds_nothing_that_is_known() -> None:
    watched = Watched(2, Provider(failures=0), limit=1)
    await watched.run((1.5, watched.engine.cancel))
    outcomes = [each.outcome for each in watched.store.attempts(watched.job_id)]
    assert outcomes == ["completed", "cancelled"]
    assert watched.engine.summary().usage == FOUND


async def test_a_job_that_is_taken_up_again_goes_on_with_its_cost() -> None:
    """As a request does it: the attempts before are summed up by the store."""
    provider = Provider(failures=1, error=Permanent)
    run = await process(provider, store := MemoryStore(), 3)
    assert run.summary.cost_usd == 0.75
    watched = Watched(3, provider, limit=1, store=store)
    store.reopen(run.job_id, range(2))
    watched.job_id = run.job_id
    engine = sdr_kit.engine.Engine(
        watched.accounts[:2],
        provider,
        limit=1,
        settings=Settings(),
        store=store,
        job_id=run.job_id,
        attended=True,
        tried=store.tried(run.job_id),
        spent=store.spent(run.job_id),
    )
    await engine.run()
    assert [each.cost_usd for each in store.results(run.job_id)] == [0.75, 0.75, 0.25]
    assert engine.summary().cost_usd == 1.0  # of this run alone: it had no books


def test_what_earlier_runs_paid_is_counted_once_however_often_it_is_tried_again() -> (
    None
):
    left = {"permanent": 1, "transient": 2}

    def research(_account: Account) -> dict[str, float]:
        for kind, error in (("permanent", Permanent), ("transient", Transient)):
            if left[kind]:
                left[kind] -= 1
                raise error("no").about(usage=FAILED)
        return {"cost_usd": 0.5}

    settings = Settings(retry_initial_seconds=0.01)
    job = sdr_kit.start(made_up(1), research, store="memory", settings=settings)
    assert job.wait(10).summary.failed == 1
    job = job.retry()
    run = job.wait(10)
    assert list(run.frame["cost_usd"]) == [run.summary.cost_usd] == [3 * 0.25 + 0.5]


async def test_an_answer_that_did_not_fit_is_kept_in_bounded_length() -> None:
    async def prose(_account: Account) -> Research:
        raise Permanent("it does not fit").about(raw="x" * 10**6)

    run = await process(prose, store := MemoryStore(), 1)
    (outcome,) = store.results(run.job_id)
    assert outcome.raw == "x" * RAW_CHARACTERS
    assert "raw" not in run.frame.columns


async def test_the_tables_of_a_run_without_usage_are_as_wide() -> None:
    async def plain(_account: Account) -> dict[str, str]:
        return {}

    paid = await process(Provider(failures=1), MemoryStore(), 1)
    free = await process(plain, MemoryStore(), 1)
    pd.testing.assert_index_equal(paid.attempts.columns, free.attempts.columns)
    pd.testing.assert_index_equal(paid.evidence.columns, free.evidence.columns)
