"""The same accounts one by one and at several concurrencies, side by side."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sdr_kit.accounts import Accounts
from sdr_kit.batch import Run, process
from sdr_kit.charts import comparison_figure
from sdr_kit.errors import StopRun
from sdr_kit.settings import Settings
from sdr_kit.worker import Researcher

if TYPE_CHECKING:
    import plotly.graph_objects as go

CONCURRENCIES = (1, 3, 5, 8, 10)
SAMPLE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What `compare` measured.

    Attributes:
        frame: One row a concurrency, lowest first: `concurrency` (int64), `mode`,
            `accounts` (int64), `seconds` (float64, by the clock),
            `accounts_per_minute`, `speedup` (seconds of the sequential run ÷ seconds),
            `efficiency` (speedup ÷ concurrency), `ideal_speedup` (the best that
            anyone could reach with the latencies of the sequential run), `completed`,
            `failed`, `retries` (int64).
    """

    frame: pd.DataFrame

    def figure(self) -> go.Figure:
        """Draws the measured speedups beside the ideal."""
        return comparison_figure(self.frame)

    def _repr_html_(self) -> str:
        shown = self.frame.drop(columns=["mode", "accounts"])
        two = dict.fromkeys(("speedup", "efficiency", "ideal_speedup"), "{:.2f}".format)
        return shown.to_html(
            index=False,
            formatters={
                "seconds": "{:,.1f}".format,
                "accounts_per_minute": "{:,.0f}".format,
                **two,
            },
        )


async def compare(
    accounts: Accounts,
    researcher: Researcher,
    *,
    concurrency: Sequence[int] = CONCURRENCIES,
    sample: int = SAMPLE,
    settings: Settings | None = None,
) -> Comparison:
    """Runs a sample of the accounts sequentially, then at each concurrency.

    Nothing is stored and nothing stored is used: every run calls the researcher for
    every account of the sample, and a paid one costs accordingly.

    Args:
        accounts: What `load_accounts` gave.
        researcher: See `process`.
        concurrency: How many at once, each 1 to `MAX_CONCURRENCY`; the sequential run
            is always made, as the measure of the others.
        sample: How many accounts, spread evenly over the list; 1 or more.
        settings: None reads the environment and `.env`.

    Returns:
        A table (`.frame`) and a chart (`.figure()`).

    Raises:
        TypeError: `concurrency` is a single number.
        ValueError: A concurrency or the sample outside its range, or no accounts.
        StopRun: A run could not go on; there is nothing to compare.
    """
    settings = settings or Settings()
    if isinstance(concurrency, int):
        raise TypeError(
            f"concurrency is {concurrency}; give several, for instance (1, 5, 10)"
        )
    levels = sorted({1, *map(settings.check_concurrency, concurrency)})
    if sample < 1 or not len(accounts):
        raise ValueError(
            f"sample is {sample} of {len(accounts)} accounts; it takes at least 1"
        )
    chosen = accounts.sample(sample)
    runs: dict[int, Run] = {}
    for level in levels:
        runs[level] = await process(
            chosen,
            researcher,
            mode="parallel",
            concurrency=level,
            store="memory",
            settings=settings,
        )
        if (reason := runs[level].summary.stopped) is not None:
            raise StopRun(f"The run at concurrency {level} was stopped: {reason}")
    return Comparison(frame=_table(runs))


def ideal_seconds(latencies: Iterable[float], *, concurrency: int) -> float:
    """Gives the seconds of list scheduling: a slot is refilled the moment it frees.

    Nobody can do better without knowing the latencies beforehand.
    Source: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969,
    https://doi.org/10.1137/0117039

    Args:
        latencies: Seconds of each account, in the order of the list.
        concurrency: How many slots there are.
    """
    slots = [0.0] * concurrency
    for seconds in latencies:
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def _table(runs: dict[int, Run]) -> pd.DataFrame:
    sequential = runs[1]
    latencies = list(sequential.frame["seconds"])
    return pd.DataFrame(
        [
            {
                "concurrency": level,
                "mode": "parallel" if level > 1 else "sequential",
                "accounts": run.summary.total,
                "seconds": run.summary.seconds,
                "accounts_per_minute": run.summary.accounts_per_minute,
                "speedup": (
                    speedup := _ratio(sequential.summary.seconds, run.summary.seconds)
                ),
                "efficiency": speedup / level,
                "ideal_speedup": _ratio(
                    sum(latencies), ideal_seconds(latencies, concurrency=level)
                ),
                "completed": run.summary.completed,
                "failed": run.summary.failed,
                "retries": run.summary.retries,
            }
            for level, run in runs.items()
        ]
    )


def _ratio(one: float, other: float) -> float:
    """Gives NaN where there is nothing to compare: it took no time at all."""
    return one / other if other else math.nan
