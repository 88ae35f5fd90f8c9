"""The engine in virtual time: exact, and fast."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, RateLimited, Settings, StopRun, Transient
from sdr_kit.batch import Run
from sdr_kit.engine import Engine
from sdr_kit.memory_store import MemoryStore
from sdr_kit.progress import Progress
from sdr_kit.schedules import ideal_seconds
from sdr_kit.stored_job import Beginning
from sdr_kit.tally import Tally
from sdr_kit.worker import Researcher
from sdr_kit.writer import UNCOMMITTED
from tests.accounts import made_up
from tests.virtual import VirtualLoop


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def lognormal_latencies(number: int, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.lognormvariate(0.0, 0.8) for _ in range(number)]


def taking(latencies: list[float]) -> Researcher:
    async def research(account: Account) -> dict[str, int]:
        await asyncio.sleep(latencies[account.position])
        return {"position": account.position}

    return research


async def run(
    number: int, researcher: Researcher, concurrency: int = 5, **settings: Any
) -> Run:
    chosen = Settings(**{"max_concurrency": 1000, **settings})
    return await sdr_kit.process(
        made_up(number),
        researcher,
        concurrency=concurrency,
        store="memory",
        settings=chosen,
    )


class Watched:
    """An engine of its own, told what to do at given times."""

    def __init__(
        self,
        number: int,
        researcher: Researcher,
        *,
        limit: int,
        store: MemoryStore | None = None,
        sample: int = 0,
        budget_usd: float = math.inf,
        **settings: Any,
    ) -> None:
        self.store = store or MemoryStore()
        self.job_id = self.store.create_job(
            (), Beginning(researcher="test", concurrency=limit)
        )
        self.accounts = tuple(made_up(number))
        self.researcher = researcher
        self.settings = Settings(**{"max_concurrency": 1000, **settings})
        self.sample, self.budget_usd = sample, budget_usd
        self.engine = self._engine(self.accounts, limit, None)

    def reopen(self, positions: range, *, completed: int, limit: int) -> None:
        """Takes the job up again, with another engine."""
        accounts = self.accounts[positions.start : positions.stop]
        books = self.engine.tally.reopened(["completed"] * completed, ())
        self.engine = self._engine(accounts, limit, books)

    def _engine(
        self, accounts: tuple[Account, ...], limit: int, so_far: Tally | None
    ) -> Engine:
        return Engine(
            accounts,
            self.researcher,
            limit=limit,
            settings=self.settings,
            store=self.store,
            job_id=self.job_id,
            attended=True,
            sample=0 if so_far else min(self.sample, len(accounts)),
            budget_usd=self.budget_usd,
            so_far=so_far,
            tried=self.store.tried(self.job_id),
            rng=random.Random(7),
        )

    async def run(self, *events: tuple[float, Callable[[], object]]) -> list[Progress]:
        """Runs to the end, calling each event at its time; a snapshot every 0.1 s."""
        loop = asyncio.get_running_loop()
        for seconds, event in events:
            loop.call_later(seconds, event)
        seen: list[Progress] = []

        async def watch() -> None:
            while True:
                seen.append(self.engine.progress())
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        try:
            await self.engine.run()
        finally:
            watching.cancel()
        return [*seen, self.engine.progress()]


@pytest.mark.parametrize("number", [10, 100, 1000])
@pytest.mark.parametrize("concurrency", [1, 5, 10, 50])
async def test_a_slot_is_refilled_the_moment_it_frees(
    number: int, concurrency: int
) -> None:
    latencies = lognormal_latencies(number)
    result = await run(number, taking(latencies), concurrency)
    ideal = ideal_seconds(latencies, concurrency=concurrency)
    assert ideal <= result.summary.seconds * 1.000001
    assert result.summary.seconds <= 1.01 * ideal
    assert result.summary.completed == number


async def test_a_thousand_accounts_are_4_9_times_faster_five_at_a_time() -> None:
    latencies = lognormal_latencies(1000)
    sequential = await run(1000, taking(latencies), 1)
    parallel = await run(1000, taking(latencies), 5)
    assert sequential.summary.seconds == pytest.approx(sum(latencies))
    assert sequential.summary.seconds / parallel.summary.seconds >= 4.9
    assert parallel.summary.speedup == pytest.approx(
        sum(latencies) / parallel.summary.seconds
    )
    assert parallel.summary.efficiency == pytest.approx(parallel.summary.speedup / 5)


async def test_results_stand_in_the_order_of_the_list() -> None:
    result = await run(50, taking(lognormal_latencies(50)), 10)
    assert list(result.frame["position"]) == list(range(50))
    assert set(result.frame["status"]) == {"completed"}


async def test_an_empty_list_ends_at_once() -> None:
    result = await run(0, taking([]))
    assert result.summary.total == 0
    assert result.summary.seconds == 0
    assert list(result.frame["status"]) == []


async def test_one_failing_account_does_not_stop_the_others() -> None:
    async def research(account: Account) -> dict[str, str]:
        if account.position == 3:
            raise ValueError("no such company")
        return {"found": "yes"}

    result = await run(10, research)
    assert result.summary.completed == 9
    failed = result.frame.iloc[3]
    assert failed["status"] == "failed"
    assert failed["error_kind"] == "permanent"
    assert "no such company" in failed["error_message"]


async def test_a_passing_failure_is_tried_again_with_full_jitter() -> None:
    calls: list[float] = []

    async def research(_account: Account) -> dict[str, str]:
        calls.append(now())
        if len(calls) < 4:
            raise Transient("try later")
        return {}

    result = await run(1, research, max_api_retries=3)
    waits = [after - before for before, after in pairwise(calls)]
    assert [wait <= bound for wait, bound in zip(waits, [1, 2, 4], strict=True)] == [
        True
    ] * 3
    assert result.summary.retries == 3
    assert list(result.attempts["outcome"]) == ["transient"] * 3 + ["completed"]
    assert list(result.attempts["number"]) == [1, 2, 3, 4]


async def test_retries_end_after_max_api_retries() -> None:
    async def research(_account: Account) -> dict[str, str]:
        raise Transient("never")

    result = await run(1, research, max_api_retries=2)
    assert result.frame.iloc[0]["attempts"] == 3
    assert result.frame.iloc[0]["error_kind"] == "transient"


async def test_an_account_that_waits_gives_its_slot_back() -> None:
    """It comes back ahead of the untouched ones, when it is due."""
    order: list[int] = []

    async def research(account: Account) -> dict[str, str]:
        order.append(account.position)
        await asyncio.sleep(1)
        if account.position == 0 and order.count(0) == 1:
            raise Transient("once")
        return {}

    result = await run(10, research, 1, retry_initial_seconds=0.5)
    assert result.summary.seconds == pytest.approx(11)
    assert order[:3] == [0, 1, 0]


async def test_the_gap_between_two_starts_is_kept() -> None:
    starts: list[float] = []

    async def research(_account: Account) -> dict[str, str]:
        starts.append(now())
        await asyncio.sleep(3)
        return {}

    await run(20, research, 10, account_delay_ms=250)
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) >= 0.25 - 1e-9
    assert max(gaps) < 1.0


class LimitedProvider:
    """Takes so many calls a window; refuses the others at once."""

    def __init__(self, *, per_window: int, window: float, say: bool = True) -> None:
        self.per_window, self.window, self.say = per_window, window, say
        self.opened = -window
        self.taken = 0
        self.calls: list[tuple[float, bool]] = []
        self.closed_until = 0.0

    async def __call__(self, _account: Account) -> dict[str, str]:
        await asyncio.sleep(0.01)
        if now() >= self.opened + self.window:
            self.opened, self.taken = now(), 0
        accepted = self.taken < self.per_window
        self.calls.append((now(), accepted))
        if not accepted:
            wait = self.opened + self.window - now()
            raise RateLimited("slow down", retry_after=wait if self.say else None)
        self.taken += 1
        await asyncio.sleep(0.5)
        return {}


@pytest.mark.parametrize(
    ("concurrency", "most"), [(1, 0.02), (5, 0.05), (10, 0.08), (50, 0.2)]
)
async def test_a_rate_limit_fails_no_account_and_wastes_few_calls(
    concurrency: int, most: float
) -> None:
    provider = LimitedProvider(per_window=60, window=60)
    result = await run(300, provider, concurrency, max_api_retries=0)
    assert result.summary.completed == 300
    assert result.summary.seconds < 4 * 60 + 35
    wasted = sum(not accepted for _, accepted in provider.calls)
    assert wasted / 300 <= most


async def test_after_a_refusal_nothing_starts_before_retry_after() -> None:
    provider = LimitedProvider(per_window=20, window=30)
    watched = Watched(100, provider, limit=10)
    await watched.run()
    attempts = watched.store.attempts(watched.job_id)
    refused = [each for each in attempts if each.outcome == "rate_limited"]
    assert refused
    for each in refused:
        end = each.started + each.seconds
        opens = 30 * (1 + end // 30)
        assert not [late for late in attempts if end < late.started < opens]


async def test_after_a_hold_one_account_goes_ahead() -> None:
    watched = Watched(60, LimitedProvider(per_window=20, window=30), limit=10)
    await watched.run()
    starts = sorted(each.started for each in watched.store.attempts(watched.job_id))
    first, second = [start for start in starts if start >= 30][:2]
    assert second - first >= 0.5  # the second waited for the first one's answer


async def test_a_provider_that_refuses_without_saying_how_long_is_not_hammered() -> (
    None
):
    provider = LimitedProvider(per_window=10, window=20, say=False)
    result = await run(50, provider, 10, max_api_retries=0)
    assert result.summary.completed == 50
    assert sum(not accepted for _, accepted in provider.calls) <= 50


async def test_an_account_that_is_always_refused_is_given_up() -> None:
    async def research(account: Account) -> dict[str, str]:
        if account.position == 0:
            raise RateLimited("too large", retry_after=5)
        await asyncio.sleep(1)
        return {}

    result = await run(200, research, 2, max_hold_seconds=60)
    assert result.summary.completed == 199
    assert result.frame.iloc[0]["error_kind"] == "rate_limited"


async def test_an_outage_holds_the_run_and_fails_nothing() -> None:
    starts: list[float] = []

    async def research(_account: Account) -> dict[str, str]:
        starts.append(now())
        await asyncio.sleep(0.05)
        if 5 <= now() < 65:
            raise Transient("HTTP 503")
        await asyncio.sleep(0.5)
        return {}

    watched = Watched(200, research, limit=5, max_api_retries=1)
    seen = await watched.run()
    assert seen[-1].completed == 200
    assert any(each.held and "down" in (each.reason or "") for each in seen)
    during = [start for start in starts if 10 <= start < 64]
    gaps = [after - before for before, after in pairwise(during)]
    assert len(during) <= 8
    assert gaps == sorted(gaps)  # single probes at growing intervals
    assert seen[-1].seconds < 65 + 65


async def test_a_failure_of_one_account_in_ten_is_no_outage() -> None:
    rng = random.Random(3)

    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(0.5)
        if rng.random() < 0.15:
            raise Transient("HTTP 500")
        return {}

    watched = Watched(200, research, limit=10, max_api_retries=6)
    seen = await watched.run()
    assert seen[-1].completed == 200
    assert not any(each.held for each in seen)


async def test_the_same_failure_ten_times_in_a_row_pauses_and_asks() -> None:
    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(1)
        raise KeyError("domian")

    watched = Watched(50, research, limit=1)
    seen = await watched.run((30, watched.engine.resume), (1000, watched.engine.cancel))
    asked = next(each for each in seen if each.state == "paused")
    assert asked.failed == 10
    assert "domian" in (asked.reason or "")
    assert seen[-1].failed == 50  # it asks once


async def test_without_anybody_to_ask_the_same_failure_stops_the_run() -> None:
    async def research(_account: Account) -> dict[str, str]:
        raise Permanent("wrong brief")

    result = await run(50, research, 1)
    assert result.summary.failed == 10
    assert result.summary.pending == 40
    assert "wrong brief" in (result.summary.stopped or "")


async def test_a_bad_key_ends_the_run_with_one_message() -> None:
    calls = 0

    async def research(_account: Account) -> dict[str, str]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.1)
        raise StopRun("the key is wrong")

    result = await run(5000, research, 5)
    assert calls == 5
    assert result.summary.pending == 5000
    assert result.summary.stopped == "the key is wrong"
    assert set(result.frame["status"]) == {"pending"}


async def test_a_moved_slider_is_followed_at_once() -> None:
    starts: list[float] = []

    async def research(_account: Account) -> dict[str, str]:
        starts.append(now())
        await asyncio.sleep(2)
        return {}

    watched = Watched(200, research, limit=2)
    engine = watched.engine
    seen = await watched.run(
        (3.05, lambda: engine.resize(8)), (9.55, lambda: engine.resize(3))
    )
    assert sum(3.05 <= start < 3.06 for start in starts) == 6
    at = {round(each.seconds, 1): each for each in seen}
    assert at[3.0].running == 2
    assert at[3.2].running == 8
    assert at[9.7].running == 8  # running ones finish
    assert all(each.running <= 3 for each in seen if each.seconds > 11.2)


async def test_pause_lets_running_accounts_finish_and_resume_goes_on() -> None:
    watched = Watched(20, taking([1.0] * 20), limit=5)
    engine = watched.engine
    seen = await watched.run((1.5, engine.pause), (10.0, engine.resume))
    paused = [each for each in seen if 2.1 < each.seconds < 9.9]
    assert {each.state for each in paused} == {"paused"}
    assert {each.running for each in paused} == {0}
    assert {each.completed for each in paused} == {10}
    assert seen[-1].completed == 20
    assert engine.summary().efficiency == pytest.approx(1.0, abs=0.15)


async def test_cancel_returns_accounts_in_flight_to_pending() -> None:
    watched = Watched(20, taking([1.0] * 20), limit=5)
    seen = await watched.run((1.5, watched.engine.cancel))
    assert seen[-1].state == "cancelled"
    assert (seen[-1].completed, seen[-1].pending, seen[-1].in_flight) == (5, 15, 0)
    cancelled = [
        each
        for each in watched.store.attempts(watched.job_id)
        if each.outcome == "cancelled"
    ]
    assert len(cancelled) == 5


async def test_cancelling_the_caller_keeps_what_is_done() -> None:
    store = MemoryStore()

    async def process() -> None:
        await sdr_kit.process(
            made_up(20), taking([1.0] * 20), concurrency=5, store=store
        )

    task = asyncio.create_task(process())
    await asyncio.sleep(2.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(store.results(1)) == 10


async def test_the_books_balance_at_every_moment() -> None:
    rng = random.Random(5)

    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(rng.random())
        roll = rng.random()
        if roll < 0.1:
            raise Transient("noise")
        if roll < 0.15:
            raise RateLimited("wait", retry_after=0.5)
        if roll < 0.2:
            raise Permanent(f"no website of {account.company_name}")
        return {}

    watched = Watched(300, research, limit=8)
    engine = watched.engine
    seen = await watched.run(
        (2, lambda: engine.resize(20)),
        (4, engine.pause),
        (6, engine.resume),
        (8, lambda: engine.resize(2)),
        (12, lambda: engine.resize(10)),
    )
    for each in seen:
        assert each.completed + each.failed + each.pending == each.total == 300
        assert 0 <= each.in_flight <= each.pending
    assert seen[-1].pending == 0
    stored = watched.store.results(watched.job_id)
    assert len(stored) == 300
    attempts = watched.store.attempts(watched.job_id)
    assert sum(each.attempts for each in stored) == len(attempts)
    assert len(attempts) - 300 == seen[-1].retries


async def test_a_researcher_that_never_suspends_does_not_starve_the_loop() -> None:
    """Nor do the workers become more and more, which would take as long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    async def research(_account: Account) -> dict[str, str]:
        loop.jump(0.01)
        return {}

    watched = Watched(2000, research, limit=5)
    await watched.run((1.0, watched.engine.cancel))
    assert 100 <= watched.engine.progress().completed <= 115


async def test_a_bug_of_ours_ends_the_run_loudly_and_keeps_what_is_committed() -> None:
    class BrokenStore(MemoryStore):
        def open_writer(
            self, job_id: int, fingerprint: str | None = None, *, fence: int = 1
        ) -> Any:
            record, close = super().open_writer(job_id, fingerprint, fence=fence)

            def broken(attempts: Any, outcomes: Any) -> None:
                if len(self.results(job_id)) >= 5:
                    raise AssertionError("a bug")
                record(attempts, outcomes)

            return broken, close

    store = BrokenStore()
    with pytest.raises(AssertionError, match="a bug"):
        await sdr_kit.process(
            made_up(20), taking([1.0] * 20), concurrency=1, store=store
        )
    assert len(store.results(1)) == 5


async def test_a_researcher_is_entered_for_the_run_and_left_at_its_end() -> None:
    events: list[str] = []

    class Client:
        async def __aenter__(self) -> Client:
            events.append("open")
            return self

        async def __aexit__(self, *_error: object) -> None:
            events.append("close")

        async def __call__(self, _account: Account) -> dict[str, str]:
            events.append("call")
            return {}

    await run(2, Client(), 1)
    assert events == ["open", "call", "call", "close"]


async def test_the_live_history_shows_the_run() -> None:
    watched = Watched(40, taking([1.0] * 40), limit=4)
    await watched.run((5.0, lambda: watched.engine.resize(8)))
    history = watched.engine.tally.history.samples
    assert history[0].running == 4
    assert history[-1].running == 0
    assert {each.limit for each in history} == {4, 8}
    assert max(each.running for each in history) == 8
    late = next(each for each in history if each.seconds > 6.5)
    assert late.accounts_per_minute > 200


@pytest.mark.parametrize(
    ("limit", "retries"), [(1, 3), (1, 0), (2, 3), (3, 3), (10, 0)]
)
async def test_an_outage_of_slow_failures_fails_nothing_at_any_concurrency(
    limit: int, retries: int
) -> None:
    rng = random.Random(2)

    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(0.6)
        if 5 <= now() < 605:
            await asyncio.sleep(rng.uniform(2, 20))
            raise Transient("HTTP 504")
        return {}

    result = await run(120, research, limit, max_api_retries=retries)
    assert result.summary.completed == 120


async def test_an_account_that_alone_fails_is_failed_once_another_is_answered() -> None:
    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(1)
        if account.position in (0, 9):
            raise Transient("its website is down")
        return {}

    result = await run(10, research, 2, max_api_retries=1)
    assert list(result.frame["status"]).count("failed") == 2
    assert result.frame.iloc[0]["attempts"] == 2
    assert result.summary.pending == 0


async def test_what_waits_for_the_disk_is_bounded_while_the_slider_moves() -> None:
    """A worker leaves when the writer is full, and nothing else starts one either."""
    commit = threading.Event()

    class SlowStore(MemoryStore):
        durable = True

        def open_writer(
            self, job_id: int, fingerprint: str | None = None, *, fence: int = 1
        ) -> Any:
            record, close = super().open_writer(job_id, fingerprint, fence=fence)

            def slow(attempts: Any, outcomes: Any) -> None:
                commit.wait(10)
                record(attempts, outcomes)

            return slow, close

    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(0)
        return {}

    store = SlowStore()
    watched = Watched(2000, research, limit=10, store=store)
    running = asyncio.create_task(watched.engine.run())
    most = 0
    for step in range(2000):
        await asyncio.sleep(0)
        watched.engine.resize(9 + step % 2)
        most = max(most, watched.engine.progress().in_flight)
    assert most == pytest.approx(UNCOMMITTED + 10, abs=10)
    commit.set()
    await running
    assert watched.engine.progress().completed == 2000


async def test_cancel_ends_a_run_whose_researcher_is_still_opening() -> None:
    class Slow:
        async def __aenter__(self) -> None:
            await asyncio.sleep(1000)

        async def __aexit__(self, *_error: object) -> None: ...

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    watched = Watched(5, Slow(), limit=1)
    seen = await watched.run((3, watched.engine.cancel))
    assert seen[-1].state == "cancelled"
    assert seen[-1].seconds == 3


async def test_a_run_has_ended_only_when_its_researcher_is_closed() -> None:
    class SlowToClose:
        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_error: object) -> None:
            await asyncio.sleep(5)

        async def __call__(self, _account: Account) -> dict[str, str]:
            await asyncio.sleep(1)
            return {}

    watched = Watched(2, SlowToClose(), limit=1)
    seen = await watched.run()
    assert [each.ended for each in seen].index(True) == len(seen) - 1
    assert seen[-1].seconds == 2


async def test_an_open_researcher_of_ones_own_is_left_as_it_is() -> None:
    class Open:
        is_open = True

        async def __aenter__(self) -> None:
            raise AssertionError

        async def __aexit__(self, *_error: object) -> None: ...

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    result = await run(2, Open())
    assert result.summary.completed == 2


async def test_a_run_whose_last_account_ended_was_not_stopped_early() -> None:
    async def research(_account: Account) -> dict[str, str]:
        raise Permanent("nothing there")

    result = await run(10, research, 1)
    assert result.summary.failed == 10
    assert result.summary.stopped is None


async def test_a_job_that_is_taken_up_again_goes_on_with_its_clock_and_books() -> None:
    """As if nothing had been between: ten accounts of 1 s, two at a time."""
    watched = Watched(10, taking([1.0] * 10), limit=2)
    before = watched.engine
    await watched.run((2.5, before.cancel))
    ended = before.progress(), before.summary(), before.tally.history.samples
    assert ended[1].seconds == 2.5
    await asyncio.sleep(100)
    watched.reopen(range(4, 10), completed=4, limit=2)
    assert watched.engine.progress().seconds == 2.5
    seen = await watched.run()
    for each in seen:
        assert each.completed + each.failed + each.pending == each.total == 10
    assert seen[0].completed == 4
    assert seen[0].seconds == 2.5
    summary = watched.engine.summary()
    assert summary.completed == 10
    assert summary.seconds == pytest.approx(5.5)
    assert summary.speedup == pytest.approx((10 + 2 * 0.5) / 5.5)
    assert summary.efficiency == pytest.approx(1)
    assert summary.retries == 2
    assert summary.accounts_per_minute == pytest.approx(60 * 10 / 5.5)
    attempts = watched.store.attempts(watched.job_id)
    again = [each.started for each in attempts if each.number == 2]
    assert again == pytest.approx([2.5, 2.5])
    assert max(each.started for each in attempts) == pytest.approx(4.5)
    outcomes = watched.store.results(watched.job_id)
    twice = [each.seconds for each in outcomes if each.attempts == 2]
    assert twice == pytest.approx([1.5, 1.5])
    assert max(each.finished for each in outcomes) == pytest.approx(5.5)
    # The engine that ended keeps what it came to.
    assert (before.progress(), before.summary(), before.tally.history.samples) == ended


async def test_the_clock_of_a_run_begins_at_its_start_also_while_it_opens() -> None:
    class Slow:
        async def __aenter__(self) -> None:
            await asyncio.sleep(3)

        async def __aexit__(self, *_error: object) -> None: ...

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    watched = Watched(1, Slow(), limit=1)
    await asyncio.sleep(100)
    seen = await watched.run((2.0, watched.engine.cancel))
    assert [each.seconds for each in seen[:-1]] == pytest.approx(
        [0.1 * tick for tick in range(len(seen) - 1)]
    )
    assert seen[-1].seconds == pytest.approx(2)


async def test_the_time_to_go_and_the_end_are_those_of_the_accounts_taken_up() -> None:
    watched = Watched(100, taking([1.0] * 100), limit=2)
    await watched.run((0.5, watched.engine.cancel))
    watched.reopen(range(95, 100), completed=0, limit=1)
    seen = await watched.run()
    assert max(each.eta_seconds or 0.0 for each in seen) <= 10
    assert (seen[-1].state, seen[-1].completed, seen[-1].pending) == ("finished", 5, 95)


async def test_an_attempt_that_takes_too_long_is_cut_off_and_tried_again() -> None:
    calls: list[float] = []

    async def research(account: Account) -> dict[str, str]:
        calls.append(now())
        await asyncio.sleep(1000 if account.position == 3 else 1)
        return {}

    result = await run(10, research, 2, max_api_retries=1, account_timeout_seconds=90)
    assert result.summary.completed == 9
    failed = result.frame.iloc[3]
    assert (failed["error_kind"], failed["attempts"]) == ("transient", 2)
    assert failed["seconds"] == pytest.approx(180)
    assert failed["error_message"] == (
        "No answer within 2 min (ACCOUNT_TIMEOUT_SECONDS=90)."
    )
    late = result.attempts[result.attempts["position"] == 3]
    assert list(late["outcome"]) == ["transient", "transient"]
    assert list(late["seconds"]) == pytest.approx([90, 90])


async def test_an_attempt_may_take_as_long_as_it_may() -> None:
    result = await run(5, taking([89.9] * 5), 5, account_timeout_seconds=90)
    assert result.summary.completed == 5
    assert result.summary.retries == 0


async def test_each_of_many_that_never_answer_is_cut_off_in_its_time() -> None:
    """They start one after the other, so one timer must see to all of them."""
    never = asyncio.Event()

    async def research(account: Account) -> dict[str, str]:
        if account.position % 10 == 0:
            await never.wait()
        await asyncio.sleep(2)
        return {}

    result = await run(
        60, research, 20, account_timeout_seconds=10, account_delay_ms=70
    )
    attempts = result.attempts
    late = attempts[attempts["outcome"] == "transient"]
    assert set(late["position"]) == set(range(0, 60, 10))
    assert list(late["seconds"]) == pytest.approx([10] * len(late))
    assert result.summary.completed == 54
    assert result.summary.failed == 6


async def test_a_provider_that_never_answers_anybody_is_an_outage() -> None:
    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(5000 if now() < 300 else 1)
        return {}

    watched = Watched(30, research, limit=5, account_timeout_seconds=60)
    seen = await watched.run()
    assert any(each.held for each in seen)
    assert seen[-1].completed == 30


async def test_a_thread_that_never_returns_is_left_behind() -> None:
    release, entered = threading.Event(), threading.Semaphore(0)

    def research(account: Account) -> dict[str, str]:
        if account.position == 1:
            entered.release()
            release.wait(20)
        return {"by": "thread"}

    try:
        result = await run(
            3, research, 3, max_api_retries=1, account_timeout_seconds=20
        )
        assert entered.acquire(timeout=0)
        assert entered.acquire(timeout=0)
    finally:
        release.set()
    assert list(result.frame["status"]) == ["completed", "failed", "completed"]
    assert "No answer within 20 s" in result.frame.iloc[1]["error_message"]


@pytest.mark.parametrize("late_first", [True, False])
async def test_a_cancelled_run_is_cancelled_also_at_the_moment_of_a_timeout(
    *, late_first: bool
) -> None:
    watched = Watched(3, taking([1000.0] * 3), limit=3, account_timeout_seconds=5)
    loop = asyncio.get_running_loop()
    engine = watched.engine
    if late_first:  # the timer of the run is set before ours, so it fires first
        events = [(5.0, engine.cancel)]
    else:
        loop.call_at(now() + 5.0, engine.cancel)
        events = []
    seen = await watched.run(*events)
    assert seen[-1].state == "cancelled"
    assert (seen[-1].pending, seen[-1].in_flight, seen[-1].running) == (3, 0, 0)
    attempts = watched.store.attempts(watched.job_id)
    assert [each.outcome for each in attempts] == ["cancelled"] * 3


async def test_the_callers_cancellation_wins_over_a_timeout_at_the_same_moment() -> (
    None
):
    store = MemoryStore()
    settings = Settings(account_timeout_seconds=5)
    task = asyncio.create_task(
        sdr_kit.process(
            made_up(2), taking([1000.0] * 2), store=store, settings=settings
        )
    )
    asyncio.get_running_loop().call_at(now() + 5.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.outcome for each in store.attempts(1)] == ["cancelled"] * 2


async def test_an_answer_at_the_moment_of_the_timeout_does_not_upset_the_worker() -> (
    None
):
    """The next account of the same worker starts with a clean slate."""

    async def research(account: Account) -> dict[str, str]:
        if account.position == 0:
            await asyncio.sleep(5)
        elif account.position == 1:
            never = asyncio.get_running_loop().create_future()
            never.cancel()
            await never
        return {}

    result = await run(3, research, 1, account_timeout_seconds=5, max_api_retries=0)
    assert result.summary.pending == 0
    assert result.frame["error_message"].iloc[1] == "The researcher cancelled itself."
    assert result.frame["status"].iloc[2] == "completed"


@pytest.mark.parametrize("ends", ["answers", "fails"])
async def test_a_researcher_that_does_not_let_itself_be_cancelled(ends: str) -> None:
    """Its answer is taken, as it may be paid for; its failure is that it was late."""

    async def research(account: Account) -> dict[str, str]:
        if account.position == 0:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(3)
                if ends == "fails":
                    raise ValueError("cleaning up") from None
                return {"late": "yes"}
        elif account.position == 1:
            raise asyncio.CancelledError
        return {}

    result = await run(3, research, 1, account_timeout_seconds=5, max_api_retries=0)
    first, second, third = result.frame.to_dict("records")
    if ends == "answers":
        assert (first["status"], first["late"]) == ("completed", "yes")
    else:
        assert "No answer within" in first["error_message"]
    assert first["seconds"] == pytest.approx(8)
    assert second["error_message"] == "The researcher cancelled itself."
    assert third["status"] == "completed"


async def test_a_researcher_that_swallows_its_cancellation_is_cut_off_again() -> None:
    cut: list[float] = []

    async def research(account: Account) -> dict[str, str]:
        while account.position == 0:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cut.append(now())
                if len(cut) == 4:
                    raise
        if account.position == 1:
            raise asyncio.CancelledError
        return {}

    result = await run(3, research, 1, account_timeout_seconds=5, max_api_retries=0)
    assert cut == [5, 10, 20, 40]
    first, second, third = result.frame.to_dict("records")
    assert "No answer within 5.0 s" in first["error_message"]
    assert first["seconds"] == pytest.approx(40)
    # The next accounts of the same worker begin with a clean slate.
    assert second["error_message"] == "The researcher cancelled itself."
    assert third["status"] == "completed"


class Blocking:
    """Holds up the loop for some seconds in some calls, as `time.sleep` does."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)

    async def __call__(self, _account: Account) -> dict[str, str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        if self.seconds:
            loop.jump(self.seconds.pop(0))
        await asyncio.sleep(1)
        return {}


@pytest.mark.parametrize(
    ("blocks", "at_least", "at_most"),
    [
        ((), 0.0, 0.0),
        ((0.1,) * 20, 0.0, 0.0),
        ((0.5,) * 20, 0.0, 0.0),
        ((0.7,), 0.6, 0.7),
        ((3.0,), 2.9, 3.0),
        ((0.0, 0.0, 5.0, 2.0), 4.9, 5.0),
    ],
)
async def test_a_researcher_that_holds_up_the_loop_is_noticed(
    blocks: tuple[float, ...], at_least: float, at_most: float
) -> None:
    watched = Watched(20, Blocking(*blocks), limit=1)
    seen = await watched.run()
    assert at_least <= seen[-1].blocked_seconds <= at_most
    assert [each.blocked_seconds for each in seen] == sorted(
        each.blocked_seconds for each in seen
    )


async def test_a_loop_that_is_held_up_is_seen_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    seen: list[float] = []

    async def research(_account: Account) -> dict[str, str]:
        for _ in range(4):
            loop.jump(2.0)
            seen.append(watched.engine.progress().blocked_seconds)
        return {}

    watched = Watched(1, research, limit=1)
    await watched.run()
    assert seen == pytest.approx([1.9, 3.9, 5.9, 7.9])
    assert watched.engine.progress().blocked_seconds == pytest.approx(7.9)


@pytest.mark.parametrize("at", [0.0, 0.03, 0.26, 0.49, 0.5, 0.74, 1.31])
async def test_a_hold_up_is_measured_alike_whenever_it_begins(at: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    async def research(_account: Account) -> dict[str, str]:
        await asyncio.sleep(at)
        loop.jump(0.9)
        await asyncio.sleep(1)
        return {}

    watched = Watched(1, research, limit=1)
    await watched.run()
    assert 0.8 - 1e-9 <= watched.engine.progress().blocked_seconds <= 0.9 + 1e-9


ODD: list[Any] = [
    (KeyError("domian"), "KeyError: 'domian'"),
    (SystemExit(3), "The researcher called exit()."),
    (None, "The researcher returned nothing"),
    ([], "The researcher returned a value of type list"),
    ("Acme", "The researcher returned a value of type str"),
    (float("nan"), "The researcher returned a value of type float"),
    ({"tier": "gold"}, "The researcher's answer: tier is '"),
]


@pytest.mark.parametrize("on_thread", [False, True], ids=["async", "plain"])
async def test_a_function_of_a_cell_has_a_clear_outcome_whatever_it_does(
    *, on_thread: bool
) -> None:
    def answer(account: Account) -> Any:
        if account.position >= len(ODD):
            return {"employees": float("nan"), "seen": True, "tier": None}
        what, _ = ODD[account.position]
        if isinstance(what, BaseException):
            raise what
        return what

    async def on_loop(account: Account) -> Any:
        return answer(account)

    result = await run(len(ODD) + 1, answer if on_thread else on_loop)
    for (_, message), row in zip(
        ODD, result.frame.to_dict("records")[:-1], strict=True
    ):
        assert (row["status"], row["error_kind"]) == ("failed", "permanent")
        assert message in row["error_message"]
    last = result.frame.iloc[-1]
    assert last["status"] == "completed"
    assert last[["employees", "tier"]].isna().all()


async def test_who_is_cancelled_before_it_could_begin_leaves_no_trace() -> None:
    watched = Watched(20, taking([1.0] * 20), limit=2)
    engine = watched.engine

    def resize_and_cancel() -> None:
        engine.resize(8)
        engine.cancel()

    seen = await watched.run((0.5, resize_and_cancel))
    assert (seen[-1].running, seen[-1].in_flight, seen[-1].pending) == (0, 0, 20)
    assert len(watched.store.attempts(watched.job_id)) == 2


async def test_a_cancelled_run_says_whom_it_waits_for_and_cancels_them_again() -> None:
    swallowed = 0

    async def stubborn(_account: Account) -> dict[str, str]:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                swallowed += 1
        return {}

    case = Watched(1, stubborn, limit=1)
    seen = await case.run((1.0, lambda: case.engine.cancel()))
    assert swallowed == 3
    waiting = [each.reason for each in seen if each.reason and not each.ended]
    assert "1 account at work" in waiting[0]
    assert seen[-1].seconds == pytest.approx(1 + 5 + 10)
