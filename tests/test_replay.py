"""Replays: what a run would have taken at other concurrencies, without a call."""

from __future__ import annotations

import asyncio
import random

import pytest

import sdr_kit
from sdr_kit import Account, RateLimited, Settings, Store, Transient
from sdr_kit.account import Attempt
from sdr_kit.comparison import Comparison
from sdr_kit.legs import legs_by_position
from sdr_kit.schedules import BATCH_PAUSE_SECONDS, ideal_seconds
from sdr_kit.watched import WatchedJob
from tests.accounts import made_up
from tests.planned_providers import KINDS, Kind, PlannedProvider, lognormal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


async def test_it_is_what_a_run_at_that_concurrency_takes() -> None:
    """The same provider is asked again at each of them, to see whether it is right."""
    kind = Kind(seconds=lognormal(0.7), flaky=0.1, broken=0.05)
    settings = Settings(retry_initial_seconds=1e-6, retry_max_seconds=1e-6)
    runs = {
        level: await sdr_kit.process(
            made_up(200),
            PlannedProvider(kind, seed=1),
            store="memory",
            concurrency=level,
            settings=settings,
        )
        for level in (1, 3, 5, 8, 10)
    }
    replay = runs[5].replay()
    assert isinstance(replay, Comparison)
    assert replay.simulated
    for row in replay.frame.to_dict("records"):
        run = runs[row["concurrency"]]
        assert row["seconds"] == pytest.approx(run.summary.seconds, rel=0.02)
        assert row["completed"] == run.summary.completed
        assert row["failed"] == run.summary.failed
        assert row["retries"] == run.summary.retries


async def test_it_has_the_columns_of_a_comparison_and_says_that_it_is_none() -> None:
    provider = PlannedProvider(KINDS["uniform"], seed=2)
    run = await sdr_kit.process(made_up(30), provider, store="memory")
    measured = await sdr_kit.compare(
        made_up(30), provider, concurrency=(3,), spend=True
    )
    calls = provider.calls
    replay = run.replay(concurrency=(3, 8))
    assert provider.calls == calls
    assert list(replay.frame.columns) == list(measured.frame.columns)
    assert (replay.frame.dtypes == measured.frame.dtypes).all()
    assert list(replay.frame["concurrency"]) == [1, 3, 8]
    figure = replay.figure()
    assert "simulated from recorded calls" in figure.layout.title.text
    assert "simulated" in [trace.name for trace in figure.data]
    assert "measured" in [trace.name for trace in measured.figure().data]
    assert "nobody was asked again" in replay._repr_html_()


async def test_an_account_in_the_tail_bounds_the_speedup() -> None:
    async def research(account: Account) -> dict[str, int]:
        await asyncio.sleep(60 if account.position == 9 else 1)
        return {}

    run = await sdr_kit.process(made_up(10), research, store="memory")
    frame = run.replay().frame.set_index("concurrency")
    assert frame["seconds"][1] == pytest.approx(69)
    assert frame["seconds"][10] == pytest.approx(60)
    assert frame["speedup"][10] == pytest.approx(69 / 60)
    latencies = [1.0] * 9 + [60.0]
    ideal = ideal_seconds(latencies, concurrency=5)
    assert frame["ideal_speedup"][5] == pytest.approx(69 / ideal)


async def test_the_wait_for_another_try_holds_no_slot_in_a_replay_either() -> None:
    tried: set[int] = set()

    async def research(account: Account) -> dict[str, int]:
        await asyncio.sleep(1)
        if account.position == 0 and account.position not in tried:
            tried.add(0)
            raise Transient("HTTP 503")
        return {}

    run = await sdr_kit.process(made_up(6), research, store="memory", concurrency=2)
    frame = run.replay(concurrency=(2,)).frame.set_index("concurrency")
    assert frame["seconds"][1] == pytest.approx(7)
    assert frame["seconds"][2] == pytest.approx(run.summary.seconds)
    assert frame["retries"][1] == 1


async def test_refusals_are_left_out_and_the_pace_they_show_is_kept() -> None:
    kind = Kind(seconds=lambda _: 2.0, per_minute=30, says=False)
    provider = PlannedProvider(kind, seed=3)
    run = await sdr_kit.process(made_up(60), provider, store="memory", concurrency=8)
    replay = run.replay()
    frame = replay.frame.set_index("concurrency")
    assert frame["retries"][8] == 0
    assert frame["seconds"][8] == pytest.approx(run.summary.seconds, rel=0.1)
    assert frame["seconds"][10] == pytest.approx(frame["seconds"][5], rel=0.02)
    assert "refused calls left out" in " ".join(replay.notes)
    assert "calls a minute; more at once does not" in " ".join(replay.notes)


@pytest.mark.parametrize("refused", [{20}, {20, 45}])
async def test_calls_refused_by_chance_do_not_make_it_slower(
    refused: set[int],
) -> None:
    calls = 0

    async def research(_account: Account) -> dict[str, int]:
        nonlocal calls
        calls += 1
        if calls in refused:
            raise RateLimited("too many requests", retry_after=0.5)
        await asyncio.sleep(1)
        return {}

    run = await sdr_kit.process(made_up(60), research, store="memory", concurrency=1)
    frame = run.replay().frame
    assert frame["speedup"].tolist() == pytest.approx([1, 3, 5, 7.5, 10])


async def test_more_at_once_than_the_provider_takes_are_no_faster() -> None:
    class Capped:
        provider = "capped"
        at_work = 0

        async def __call__(self, _account: Account) -> dict[str, int]:
            if self.at_work >= 8:
                raise RateLimited("too many at once")
            self.at_work += 1
            await asyncio.sleep(1)
            self.at_work -= 1
            return {}

    run = await sdr_kit.process(
        made_up(80), Capped(), store="memory", concurrency="auto"
    )
    replay = run.replay(concurrency=(4, 8, 20))
    assert replay.frame["seconds"].tolist() == pytest.approx([80, 20, 10, 10])
    assert "takes 8 calls at once and refuses more" in " ".join(replay.notes)
    assert "calls a minute" not in " ".join(replay.notes)


async def test_what_was_reused_or_never_asked_is_left_out() -> None:
    store = Store("sqlite:///reuse.db")
    provider = PlannedProvider(KINDS["constant"], seed=4)
    await sdr_kit.process(made_up(4), provider, store=store)
    run = await sdr_kit.process(made_up(9), provider, store=store)
    assert run.replay().frame["accounts"].tolist() == [5] * 5
    run = await sdr_kit.process(made_up(4), provider, store=store)
    with pytest.raises(ValueError, match="nothing to replay"):
        run.replay()


def test_a_stored_job_is_replayed_another_day() -> None:
    async def research(_account: Account) -> dict[str, int]:
        await asyncio.sleep(0.01)
        return {}

    job = sdr_kit.start(made_up(8), research, store="sqlite:///days.db")
    run = job.wait(20)
    store = Store("sqlite:///days.db")
    watched = WatchedJob(store, job.id, settings=Settings())
    for handle in (job, run, watched):
        assert handle.replay(concurrency=(4,)).frame["accounts"].tolist() == [8, 8]


async def test_the_pause_of_the_batches_is_as_short_as_the_researcher_is_fast() -> None:
    class Fast:
        time_scale = 0.01

        async def __call__(self, _account: Account) -> dict[str, int]:
            await asyncio.sleep(0.1)
            return {}

    run = await sdr_kit.process(made_up(25), Fast(), store="memory")
    frame = run.replay().frame.set_index("concurrency")
    two_pauses = 2 * 0.01 * BATCH_PAUSE_SECONDS
    assert frame["batches_seconds"][5] == pytest.approx(0.5 + two_pauses)


def test_wrong_concurrencies_are_refused() -> None:
    async def research(_account: Account) -> dict[str, int]:
        return {}

    run = sdr_kit.start(made_up(2), research, store="memory").wait(20)
    with pytest.raises(ValueError, match="each must be 1 or more"):
        run.replay(concurrency=(0,))
    with pytest.raises(TypeError, match="give several"):
        run.replay(concurrency=5)  # type: ignore[arg-type]


def made(number: int, started: float, outcome: str, waited: float = 0.0) -> Attempt:
    return Attempt(
        position=0,
        number=number,
        started=started,
        seconds=2.0,
        outcome=outcome,  # type: ignore[arg-type]
        waited=waited,
    )


def test_the_calls_of_an_account_are_those_that_were_its_own() -> None:
    attempts = [
        made(1, 0.0, "transient"),
        made(2, 7.0, "rate_limited", waited=1.0),
        made(3, 30.0, "transient", waited=21.0),
        made(4, 33.0, "completed", waited=0.5),
    ]
    assert legs_by_position(attempts) == {0: [(0.0, 2.0), (0.0, 2.0), (0.5, 2.0)]}


async def test_random_latencies_replay_as_list_scheduling() -> None:
    rng = random.Random(5)
    takes = [rng.uniform(1, 20) for _ in range(50)]

    async def research(account: Account) -> dict[str, int]:
        await asyncio.sleep(takes[account.position])
        return {}

    run = await sdr_kit.process(made_up(50), research, store="memory", concurrency=7)
    for row in run.replay().frame.to_dict("records"):
        ideal = ideal_seconds(takes, concurrency=row["concurrency"])
        assert row["seconds"] == pytest.approx(ideal)
