"""What was found before an account failed is kept with its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, Research, Settings, StopRun, Transient
from sdr_kit.account import Evidence, Outcome, Usage
from sdr_kit.errors import SdrKitError, classify
from sdr_kit.memory_store import MemoryStore
from sdr_kit.store import AnyStore, Store
from sdr_kit.workbench.account_markup import account_facts, accounts_table
from sdr_kit.workbench.desk import Desk
from tests.accounts import made_up

PROOF = Evidence(source="https://acme.de", quote="We raised.", at="2026-11-01T00:00Z")
FOUND = Research(
    fields={"one.a": "raised money"},
    tier="A",
    priority_score=9,
    evidence={"one.a": (PROOF,)},
)
USAGE = Usage(input_tokens=10, cost_usd=0.5)


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest) -> AnyStore:
    return MemoryStore() if request.param == "memory" else Store("sqlite:///found.db")


def failing(error: Callable[[str], SdrKitError]) -> Callable[[Account], object]:
    async def research(account: Account) -> Research:
        if account.position:
            return Research(fields={"one.a": "grows", "two.b": "moves"}, tier="C")
        raise error("two: no").about(found=FOUND, usage=USAGE)

    return research


def failed(outcome: Outcome) -> None:
    assert outcome.status == "failed"
    assert outcome.error_message == "two: no"
    assert outcome.research == FOUND


async def test_what_was_found_stands_beside_the_failure(store: AnyStore) -> None:
    run = await sdr_kit.process(made_up(2), failing(Permanent), store=store)
    assert (run.summary.completed, run.summary.failed) == (1, 1)
    failed(store.results(run.job_id, status="failed")[0])
    first = run.frame.iloc[0]
    assert list(first[["status", "tier", "priority_score"]]) == ["failed", "A", 9]
    assert first["one.a"] == "raised money"
    assert run.frame["two.b"].isna().tolist() == [True, False]
    assert first["error_message"] == "two: no"
    assert first["cost_usd"] == 0.5
    assert list(run.evidence["value"]) == ["raised money"]
    assert store.statuses(run.job_id) == {0: "failed", 1: "completed"}


async def test_passing_trouble_that_turns_out_to_be_the_last_try_loses_nothing(
    store: AnyStore,
) -> None:
    run = await sdr_kit.process(
        made_up(2), failing(Transient), store=store, settings=Settings()
    )
    failed(store.results(run.job_id)[0])
    assert run.frame["attempts"][0] == 4
    assert run.frame["cost_usd"][0] == 2.0


async def test_an_attempt_that_is_cut_off_loses_nothing_of_the_one_before() -> None:
    async def research(_account: Account) -> Research:
        if not errors:
            await asyncio.sleep(1000)
        raise errors.pop()

    errors = [Transient("busy").about(found=FOUND)]
    settings = Settings(account_timeout_seconds=5, max_api_retries=1)
    store = MemoryStore()
    run = await sdr_kit.process(made_up(1), research, store=store, settings=settings)
    (outcome,) = store.results(run.job_id)
    assert "ACCOUNT_TIMEOUT_SECONDS" in str(outcome.error_message)
    assert outcome.research == FOUND


async def test_an_account_that_is_answered_in_the_end_has_the_answer_alone() -> None:
    async def research(_account: Account) -> Research:
        if errors:
            raise errors.pop()
        return Research(fields={"two.b": "moves"})

    errors = [Transient("busy").about(found=FOUND)]
    run = await sdr_kit.process(made_up(1), research, store=(store := MemoryStore()))
    (outcome,) = store.results(run.job_id)
    assert outcome.research == Research(fields={"two.b": "moves"})


async def test_who_stops_the_run_leaves_the_account_pending() -> None:
    run = await sdr_kit.process(made_up(1), failing(StopRun), store="memory")
    assert list(run.frame["status"]) == ["pending"]


async def test_a_failed_account_with_research_can_be_retried(store: AnyStore) -> None:
    async def research(_account: Account) -> Research:
        if errors:
            raise errors.pop()
        return Research(fields={"one.a": "raised money", "two.b": "moves"})

    errors = [Permanent("two: no").about(found=FOUND)]
    job = sdr_kit.start(made_up(1), research, store=store)
    await job.finished()
    failed(job.results()[0])
    run = await job.retry().finished()
    assert list(run.frame["two.b"]) == ["moves"]
    assert (run.summary.completed, run.summary.failed) == (1, 0)


def test_of_what_was_found_an_error_keeps_no_bill() -> None:
    paid = Research(fields={"a": 1}, usage=USAGE, request_id="req_1")
    verdict = classify(Permanent("no").about(found=paid))
    assert verdict.found == Research(fields={"a": 1})
    assert verdict.usage is None
    outer = Permanent("outer")
    outer.__cause__ = Transient("inner").about(found=FOUND)
    assert classify(outer).found == FOUND


def test_the_card_and_the_table_show_both() -> None:
    outcome = Outcome(
        position=0,
        status="failed",
        attempts=1,
        seconds=1.0,
        finished=1.0,
        research=FOUND,
        error_kind="permanent",
        error_message="two: no",
    )
    frame = made_up(1).frame
    assert "raised money" in account_facts(frame.iloc[0], outcome, [])
    table = accounts_table(frame, 0, [outcome], frozenset())
    assert ">A</td>" in table
    assert "two: no" in table


class Inventor:
    """Says invented things about an account, then fails."""

    synthetic = True

    async def __call__(self, account: Account) -> Research:
        raise Permanent(f"no {account.company_name}").about(found=FOUND)


def test_what_was_invented_before_a_failure_is_exported_only_when_asked() -> None:
    desk = Desk(made_up(1), store=MemoryStore(), settings=Settings())
    desk.run(
        Inventor(),
        mode="parallel",
        concurrency=1,
        budget_usd=None,
        deadline_seconds=None,
        sample=None,
    ).wait(10)
    assert b"raised money" not in desk.export("csv", invented=False)[1]
    assert b"no Company 0" in desk.export("csv", invented=False)[1]
    assert b"raised money" in desk.export("csv", invented=True)[1]
