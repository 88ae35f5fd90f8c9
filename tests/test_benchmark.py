from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit import Account, StopRun
from sdr_kit.benchmark import ideal_seconds
from tests.accounts import made_up


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


async def quick(_account: Account) -> dict[str, str]:
    return {}


async def half_a_second(_account: Account) -> dict[str, str]:
    await asyncio.sleep(0.5)
    return {}


async def test_the_same_accounts_are_run_one_by_one_and_at_each_concurrency() -> None:
    asked: list[str] = []

    async def research(account: Account) -> dict[str, str]:
        asked.append(account.company_name)
        await asyncio.sleep(0.5)
        return {}

    comparison = await sdr_kit.compare(
        made_up(100), research, concurrency=(5, 2), sample=10
    )
    frame = comparison.frame
    assert list(frame["concurrency"]) == [1, 2, 5]
    assert list(frame["mode"]) == ["sequential", "parallel", "parallel"]
    assert list(frame["seconds"]) == pytest.approx([5.0, 2.5, 1.0])
    assert list(frame["speedup"]) == pytest.approx([1, 2, 5])
    assert list(frame["ideal_speedup"]) == pytest.approx([1, 2, 5])
    assert list(frame["efficiency"]) == pytest.approx([1, 1, 1])
    assert list(frame["accounts_per_minute"]) == pytest.approx([120, 240, 600])
    assert len(asked) == 30
    assert len(set(asked)) == 10


async def test_failures_are_counted() -> None:
    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(0.5)
        if int(account.company_name.split()[1]) % 2:
            raise ValueError(f"nothing about {account.company_name}")
        return {}

    comparison = await sdr_kit.compare(
        made_up(10), research, concurrency=(5,), sample=10
    )
    assert list(comparison.frame["failed"]) == [5, 5]
    assert list(comparison.frame["completed"]) == [5, 5]


async def test_a_researcher_that_cannot_work_is_an_error_not_a_table() -> None:
    async def research(_account: Account) -> dict[str, str]:
        raise StopRun("the key is wrong")

    with pytest.raises(StopRun, match="the key is wrong"):
        await sdr_kit.compare(made_up(10), research)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": (0,)}, "1 to 10"),
        ({"concurrency": (11,)}, "1 to 10"),
        ({"sample": 0}, "sample is 0"),
    ],
)
async def test_nonsense_is_refused_before_anything_runs(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        await sdr_kit.compare(made_up(5), half_a_second, **options)  # type: ignore[arg-type]


def test_nothing_is_stored(tmp_path: Path) -> None:
    sdr_kit.run_sync(sdr_kit.compare(made_up(3), quick, sample=3))
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_the_ideal_is_list_scheduling() -> None:
    assert ideal_seconds([3, 1, 1, 1], concurrency=2) == 3
    assert ideal_seconds([1, 1, 1, 3], concurrency=2) == 4
    assert ideal_seconds([2, 2], concurrency=10) == 2
    assert ideal_seconds([], concurrency=5) == 0


def test_the_ideal_is_never_beaten_by_the_bounds_of_any_schedule() -> None:
    rng = random.Random(0)
    for _ in range(50):
        latencies = [rng.random() for _ in range(rng.randint(1, 40))]
        slots = rng.randint(1, 12)
        ideal = ideal_seconds(latencies, concurrency=slots)
        assert ideal >= max(max(latencies), sum(latencies) / slots) - 1e-9
        assert ideal <= sum(latencies) / slots + max(latencies) + 1e-9


async def test_the_chart_shows_the_measured_beside_the_ideal() -> None:
    comparison = await sdr_kit.compare(
        made_up(6), half_a_second, concurrency=(3,), sample=6
    )
    figure = comparison.figure()
    bars = {trace.name: list(trace.y) for trace in figure.data}
    assert bars["measured"] == pytest.approx([1, 3])
    assert bars["ideal"] == pytest.approx([1, 3])
    assert list(figure.data[0].x) == ["sequential", "3 at once"]
    assert figure.layout.yaxis.title.text == "speedup (× sequential)"
    assert "<table" in comparison._repr_html_()
