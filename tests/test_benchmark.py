from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, StopRun
from sdr_kit.benchmark import (
    calls,
    measure_batches,
    throughput_table,
)
from sdr_kit.comparison import Comparison
from sdr_kit.schedules import batched_seconds
from tests.accounts import made_up


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


async def quick(_account: Account) -> dict[str, str]:
    return {}


async def half_a_second(_account: Account) -> dict[str, str]:
    await asyncio.sleep(0.5)
    return {}


class Steady:
    """Takes as long for an account whenever it is asked, and counts its openings."""

    name = "Steady"
    paid = False
    time_scale = 1.0

    def __init__(self) -> None:
        self.openings = 0
        self.asked = 0
        self.most = 0
        self._at_work = 0

    async def __aenter__(self) -> Self:
        self.openings += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass

    async def __call__(self, account: Account) -> dict[str, str]:
        self.asked += 1
        self._at_work += 1
        self.most = max(self.most, self._at_work)
        await asyncio.sleep(latency(account.company_name))
        self._at_work -= 1
        return {}


class Paid(Steady):
    name = "Dear Provider"
    paid = True


def latency(name: str) -> float:
    """Seconds for an account: lognormal with a mean of 0.6 s, as the sandbox's."""
    return 0.6 * random.Random(name).lognormvariate(-0.125, 0.5)


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
    assert list(frame["ideal_accounts_per_minute"]) == pytest.approx([120, 240, 600])
    assert list(frame["p50_seconds"]) == pytest.approx([0.5, 0.5, 0.5])
    assert list(frame["p95_seconds"]) == pytest.approx([0.5, 0.5, 0.5])
    # Three batches of four, and one of ten: 1 + 1 + 0.5 s and two pauses, or 1 s.
    assert list(frame["batches_seconds"]) == pytest.approx([5.0, 3.5, 1.0])
    assert list(frame["batches_speedup"]) == pytest.approx([1, 5 / 3.5, 5])
    assert list(frame["batches_accounts_per_minute"]) == pytest.approx(
        [120, 600 / 3.5, 600]
    )
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
    # Who failed took its time as well.
    ideal = comparison.frame["ideal_accounts_per_minute"]
    assert list(ideal) == pytest.approx([120, 600])
    assert list(comparison.frame["accounts_per_minute"]) == pytest.approx([120, 600])


async def test_the_quantiles_are_those_of_the_seconds_an_account_takes() -> None:
    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(int(account.company_name.split()[1]))
        return {}

    comparison = await sdr_kit.compare(
        made_up(101), research, concurrency=(5,), sample=101
    )
    assert list(comparison.frame["p50_seconds"]) == pytest.approx([50, 50])
    assert list(comparison.frame["p95_seconds"]) == pytest.approx([95, 95])


async def test_more_than_all_is_explained_and_not_hidden() -> None:
    """The researcher is slower in the first run, the sequential one."""
    asked: set[str] = set()

    async def research(account: Account) -> dict[str, str]:
        known = account.company_name in asked
        asked.add(account.company_name)
        await asyncio.sleep(0.5 if known else 0.6)
        return {}

    comparison = await sdr_kit.compare(
        made_up(10), research, concurrency=(5,), sample=10
    )
    assert list(comparison.frame["efficiency"]) == pytest.approx([1, 1.2])
    assert "took longer" in comparison._repr_html_()
    steady = await sdr_kit.compare(
        made_up(10), half_a_second, concurrency=(5,), sample=10
    )
    assert "took longer" not in steady._repr_html_()


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


@pytest.mark.parametrize("sample", ["3", 3.0, None, [3]])
async def test_a_sample_that_is_no_number_is_refused(sample: object) -> None:
    said = r"sample is .*; it must be a whole number"
    with pytest.raises(TypeError, match=said):
        await sdr_kit.compare(made_up(5), quick, sample=sample)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=said):
        calls(made_up(5), sample=sample)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a size is "):
        await throughput_table(made_up(5), quick, sizes=(sample,))  # type: ignore[arg-type]


async def test_whole_numbers_of_numpy_are_numbers() -> None:
    comparison = await sdr_kit.compare(
        made_up(9),
        half_a_second,
        concurrency=np.array([2, 3]),  # type: ignore[arg-type]
        sample=np.int64(6),  # type: ignore[arg-type]
    )
    assert list(comparison.frame["concurrency"]) == [1, 2, 3]
    assert list(comparison.frame["accounts"]) == [6, 6, 6]
    with pytest.raises(TypeError, match="give several"):
        calls(made_up(9), concurrency=np.int64(3))  # type: ignore[arg-type]


def test_nothing_is_stored(tmp_path: Path) -> None:
    sdr_kit.run_sync(sdr_kit.compare(made_up(3), quick, sample=3))
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


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


def test_the_sandbox_says_how_compressed_it_is() -> None:
    assert sdr_kit.Sandbox(time_scale=0.1).time_scale == 0.1


async def test_the_pause_of_the_batches_is_compressed_as_the_latencies_are() -> None:
    researcher = Steady()
    researcher.time_scale = 0.1
    comparison = await sdr_kit.compare(
        made_up(12), researcher, concurrency=(3,), sample=12
    )
    latencies = [latency(f"Company {i}") for i in range(12)]
    assert comparison.frame["batches_seconds"].iloc[1] == pytest.approx(
        batched_seconds(latencies, concurrency=3, pause=0.05)
    )


async def test_progress_is_told_after_each_concurrency() -> None:
    told: list[Comparison] = []
    comparison = await sdr_kit.compare(
        made_up(6),
        half_a_second,
        concurrency=(2, 3),
        sample=6,
        on_progress=told.append,
    )
    assert [list(each.frame["concurrency"]) for each in told] == [
        [1],
        [1, 2],
        [1, 2, 3],
    ]
    pd.testing.assert_frame_equal(told[-1].frame, comparison.frame)
    assert told[0].figure().data
    assert "<table" in told[0]._repr_html_()


async def test_money_is_spent_only_when_told_to() -> None:
    researcher = Paid()
    with pytest.raises(
        ValueError, match=r"Dear Provider .* 60 paid calls .*spend=True"
    ):
        await sdr_kit.compare(made_up(50), researcher, concurrency=(2, 5))
    with pytest.raises(ValueError, match="33 paid calls"):
        await throughput_table(made_up(10), researcher, sizes=(1, 10))
    assert researcher.asked == researcher.openings == 0
    await sdr_kit.compare(made_up(50), researcher, concurrency=(2, 5), spend=True)
    assert researcher.asked == 60


def test_the_calls_are_known_beforehand() -> None:
    assert calls(made_up(100)) == 5 * 20
    assert calls(made_up(7)) == 5 * 7
    assert calls(made_up(100), concurrency=(1, 4, 4), sample=3) == 2 * 3
    with pytest.raises(ValueError, match="sample is 0"):
        calls(made_up(3), sample=0)


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_the_batches_measured_take_as_long_as_calculated(
    concurrency: int,
) -> None:
    researcher = Steady()
    seconds = await measure_batches(
        made_up(33), researcher, concurrency=concurrency, pause=0.25
    )
    latencies = [latency(f"Company {i}") for i in range(33)]
    assert seconds == pytest.approx(
        batched_seconds(latencies, concurrency=concurrency, pause=0.25)
    )
    assert researcher.asked == 33
    assert researcher.most == concurrency
    assert researcher.openings == 1


async def test_a_batch_goes_on_when_an_account_fails() -> None:
    async def research(account: Account) -> dict[str, str]:
        await asyncio.sleep(1)
        if account.position == 0:
            raise ValueError("nothing found")
        return {}

    assert await measure_batches(made_up(3), research, concurrency=3) == 1


async def test_the_table_has_the_claim_the_batches_ours_and_the_ideal() -> None:
    """1,000 accounts at 5: at least 4.9 ×, and the batches clearly below."""
    table = await throughput_table(made_up(1000), Steady(), sizes=(10, 50, 100, 1000))
    frame = table.frame.set_index("accounts")
    assert list(frame["claimed_speedup"].dropna()) == [3.0, 2.5, 3.0]
    assert frame["speedup"][100] >= 4.7
    assert frame["speedup"][1000] >= 4.9
    assert (frame["batches_speedup"].iloc[1:] < 3.5).all()
    assert list(frame["speedup"]) == pytest.approx(list(frame["ideal_speedup"]))
    shown = table._repr_html_()
    for words in ("original's claim (×)", "1,000", "3.0", "–"):
        assert words in shown
    assert len(table.figure().data) == 4


async def test_a_claim_stands_only_where_it_was_made() -> None:
    table = await throughput_table(made_up(10), Steady(), sizes=(10,), concurrency=2)
    assert table.frame["claimed_speedup"].isna().all()


@pytest.mark.parametrize("sizes", [(), (0,), (11,)])
async def test_a_list_that_is_too_short_is_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sizes"):
        await throughput_table(made_up(10), Steady(), sizes=sizes)


async def test_the_table_is_in_plain_words_with_units() -> None:
    comparison = await sdr_kit.compare(
        made_up(6), half_a_second, concurrency=(3,), sample=6
    )
    shown = comparison._repr_html_()
    for words in (
        "at once",
        "accounts/min",
        "speedup (×)",
        "efficiency (%)",
        "(p95, s)",
    ):
        assert words in shown
    assert "_" not in shown
    nothing = await sdr_kit.compare(made_up(2), quick, concurrency=(2,), sample=2)
    assert "nan" not in nothing._repr_html_()


async def test_the_budget_is_for_all_runs_together() -> None:
    async def costly(_account: Account) -> dict[str, float]:
        await asyncio.sleep(1)
        asked.append(1)
        return {"cost_usd": 0.5}

    async def compared(budget_usd: float) -> Comparison:
        asked.clear()
        return await sdr_kit.compare(
            made_up(9),
            costly,
            concurrency=(1, 3),
            sample=4,
            spend=True,
            budget_usd=budget_usd,
        )

    asked: list[int] = []
    assert len((await compared(4.0)).frame) == 2
    assert len(asked) == 8
    with pytest.raises(StopRun, match=r"budget of \$1.00 is reached"):
        await compared(3.0)
    assert len(asked) == 4 + 2  # three would cost more than is left
    with pytest.raises(StopRun, match="spent before the run at concurrency 3"):
        await compared(2.0)
    assert len(asked) == 4
