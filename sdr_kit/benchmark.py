"""The same accounts one by one and at several concurrencies, side by side.

Beside what is measured stand two figures for the latencies of the sequential run: the
ideal, and the original's batches (see `sdr_kit.schedules`).
"""

from __future__ import annotations

import asyncio
import math
import operator
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.batch import Run, process
from sdr_kit.charts import sizes_figure
from sdr_kit.comparison import (
    CONCURRENCIES,
    Comparison,
    Counts,
    comparison_row,
    html_table,
    ratio,
    several,
    written,
)
from sdr_kit.errors import StopRun
from sdr_kit.schedules import (
    BATCH_PAUSE_SECONDS,
    ideal_seconds,
    in_batches,
)
from sdr_kit.settings import Settings
from sdr_kit.worker import (
    Researcher,
    attempt,
    caller,
    check_researcher,
    time_scale_of,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

SAMPLE = 20
SIZES = (10, 100, 1_000)

CLAIMED_AT = 5  # the concurrency for which the original says how fast it is
CLAIMED_SPEEDUPS = {10: 3.0, 100: 2.5, 1_000: 3.0}  # accounts to ×, as it says


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """What `throughput_table` measured.

    Attributes:
        frame: One row a length of the list: `accounts`, `concurrency` (int64),
            `claimed_speedup` (what the original says of itself, NaN where it says
            nothing), `batches_speedup` (its way, measured), `speedup` (ours,
            measured), `ideal_speedup` (the best that anyone could reach with the
            latencies of the sequential run), and the seconds by the clock:
            `sequential_seconds`, over which both measured speedups are,
            `batches_seconds`, `seconds`.
    """

    frame: pd.DataFrame

    def figure(self) -> go.Figure:
        """Draws the four speedups of each length."""
        return sizes_figure(self.frame)

    def _repr_html_(self) -> str:
        frame = self.frame
        return html_table(
            {
                "accounts": written(frame["accounts"], ","),
                "original's claim (×)": written(frame["claimed_speedup"], ".1f"),
                "original's batches (×)": written(frame["batches_speedup"], ".2f"),
                "sdr_kit (×)": written(frame["speedup"], ".2f"),
                "ideal (×)": written(frame["ideal_speedup"], ".2f"),
                "one by one (s)": written(frame["sequential_seconds"], ",.1f"),
                "batches (s)": written(frame["batches_seconds"], ",.1f"),
                "sdr_kit (s)": written(frame["seconds"], ",.1f"),
            }
        )


async def compare(
    accounts: Accounts,
    researcher: Researcher,
    *,
    concurrency: Sequence[int] = CONCURRENCIES,
    sample: int = SAMPLE,
    settings: Settings | None = None,
    spend: bool = False,
    budget_usd: float | None = None,
    on_progress: Callable[[Comparison], object] | None = None,
) -> Comparison:
    """Runs a sample of the accounts sequentially, then at each concurrency.

    Nothing is stored and nothing stored is used: every run calls the researcher for
    every account of the sample. One that says it is `paid` is called only when
    `spend` is true.

    Args:
        accounts: What `load_accounts` gave.
        researcher: See `process`.
        concurrency: How many at once, each 1 to `MAX_CONCURRENCY`; the sequential run
            is always made, as the measure of the others.
        sample: How many accounts, spread evenly over the list; 1 or more.
        settings: None reads the environment and `.env`.
        spend: Whether the calls may cost money; `calls` says how many they are.
        budget_usd: What all runs together may cost; see `process`.
        on_progress: Called after each run, on the loop of the runs, with the
            comparison so far.

    Returns:
        A table (`.frame`) and a chart (`.figure()`).

    Raises:
        TypeError: `concurrency` is a single number, or `sample` none.
        ValueError: A concurrency, the sample or the budget outside its range, no
            accounts, or a paid researcher without `spend`.
        StopRun: A run could not go on; there is nothing to compare.
    """
    settings = settings or Settings()
    left = settings.chosen_budget(budget_usd)
    chosen_levels = map(settings.check_concurrency, several(concurrency))
    levels = sorted({1, *chosen_levels})
    number = calls(accounts, concurrency=concurrency, sample=sample)
    _check_spending(researcher, number, spend=spend)
    chosen = accounts.sample(_whole("sample", sample))
    pause = BATCH_PAUSE_SECONDS * time_scale_of(researcher)
    runs: dict[int, Run] = {}
    for level in levels:
        if left <= 0:
            raise StopRun(f"The budget is spent before the run at concurrency {level}")
        runs[level] = await _measured(chosen, researcher, level, settings, left)
        left -= runs[level].summary.cost_usd
        comparison = Comparison(frame=_comparison_frame(runs, pause=pause))
        if on_progress is not None:
            on_progress(comparison)
    return comparison


def calls(
    accounts: Accounts,
    *,
    concurrency: Sequence[int] = CONCURRENCIES,
    sample: int = SAMPLE,
) -> int:
    """Says how often `compare` calls the researcher; what is tried again comes on top.

    Raises:
        TypeError: `accounts` is of another kind, `concurrency` a single number, or
            `sample` none.
        ValueError: The sample is below 1, or there are no accounts.
    """
    total, sample = len(check_accounts(accounts)), _whole("sample", sample)
    if sample < 1 or not total:
        raise ValueError(f"sample is {sample} of {total} accounts; it takes at least 1")
    return len({1, *several(concurrency)}) * min(sample, total)


async def throughput_table(
    accounts: Accounts,
    researcher: Researcher,
    *,
    sizes: Sequence[int] = SIZES,
    concurrency: int = CLAIMED_AT,
    settings: Settings | None = None,
    spend: bool = False,
) -> Throughput:
    """Measures lists of several lengths: one by one, in batches, and our way.

    The three are run one after the other, on the same accounts. A researcher whose
    latencies follow the account, as those of the sandbox do, makes them comparable.

    Args:
        accounts: What `load_accounts` gave; at least as many as the largest size.
        researcher: See `process`. The batches' pause is multiplied by its
            `time_scale`, where it has one.
        sizes: Lengths of the lists; each is a sample spread evenly over `accounts`.
        concurrency: How many at once, 1 to `MAX_CONCURRENCY`.
        settings: None reads the environment and `.env`.
        spend: Whether the calls may cost money.

    Raises:
        TypeError: A size is no whole number.
        ValueError: A size or the concurrency outside its range, or a paid researcher
            without `spend`.
        StopRun: A run could not go on; there is nothing to compare.
    """
    settings = settings or Settings()
    settings.check_concurrency(concurrency)
    total = len(check_accounts(accounts))
    sizes = [_whole("a size", size) for size in sizes]
    if not sizes or not all(1 <= size <= total for size in sizes):
        raise ValueError(f"sizes is {sizes!r}; each must be 1 to {total} (the list)")
    _check_spending(researcher, 3 * sum(sizes), spend=spend)
    pause = BATCH_PAUSE_SECONDS * time_scale_of(researcher)
    rows = []
    for size in sizes:
        chosen = accounts.sample(size)
        sequential = await _measured(chosen, researcher, 1, settings)
        ours = await _measured(chosen, researcher, concurrency, settings)
        batches = await measure_batches(
            chosen, researcher, concurrency=concurrency, pause=pause
        )
        latencies = sequential.frame["seconds"]
        ideal = ideal_seconds(latencies, concurrency=concurrency)
        one_by_one = sequential.summary.seconds
        claim = CLAIMED_SPEEDUPS if concurrency == CLAIMED_AT else {}
        rows.append(
            {
                "accounts": size,
                "concurrency": concurrency,
                "claimed_speedup": claim.get(size, math.nan),
                "batches_speedup": ratio(one_by_one, batches),
                "speedup": ratio(one_by_one, ours.summary.seconds),
                "ideal_speedup": ratio(latencies.sum(), ideal),
                "sequential_seconds": one_by_one,
                "batches_seconds": batches,
                "seconds": ours.summary.seconds,
            }
        )
    return Throughput(frame=pd.DataFrame(rows))


async def measure_batches(
    accounts: Accounts,
    researcher: Researcher,
    *,
    concurrency: int,
    pause: float = BATCH_PAUSE_SECONDS,
) -> float:
    """Runs the accounts as the original does and gives the seconds it takes.

    The batches are those of `batched_seconds`. An account that fails is not tried
    again, and no answer is kept. The researcher is opened once, outside the measure.

    Args:
        accounts: What `load_accounts` gave.
        researcher: See `process`.
        concurrency: How many at once; 1 or more.
        pause: Seconds between two batches.
    """
    call = caller(researcher)
    slots = asyncio.Semaphore(concurrency)

    async def one(account: Account) -> None:
        async with slots:
            await attempt(call, account)

    async with AsyncExitStack() as stack:
        open_already = getattr(researcher, "is_open", False)
        if isinstance(researcher, AbstractAsyncContextManager) and not open_already:
            await stack.enter_async_context(researcher)
        clock = asyncio.get_running_loop().time
        began = clock()
        for number, batch in enumerate(
            in_batches(list(accounts), concurrency=concurrency)
        ):
            if number:
                await asyncio.sleep(pause)
            async with asyncio.TaskGroup() as tasks:
                for account in batch:
                    tasks.create_task(one(account), name=f"account {account.position}")
        return clock() - began


def _whole(name: str, number: int) -> int:
    """Gives a whole number of any kind, numpy's too, as an int."""
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name} is {number!r}; it must be a whole number") from None


def _check_spending(researcher: Researcher, number: int, *, spend: bool) -> None:
    if getattr(check_researcher(researcher), "paid", False) and not spend:
        name = getattr(researcher, "name", type(researcher).__name__)
        raise ValueError(
            f"{name} costs money, and this makes {number:,} paid calls (what is tried "
            "again comes on top); pass spend=True to go ahead"
        )


async def _measured(
    accounts: Accounts,
    researcher: Researcher,
    concurrency: int,
    settings: Settings,
    budget_usd: float | None = None,
) -> Run:
    run = await process(
        accounts,
        researcher,
        mode="parallel",
        concurrency=concurrency,
        store="memory",
        settings=settings,
        budget_usd=budget_usd,
    )
    if (reason := run.summary.stopped) is not None:
        raise StopRun(f"The run at concurrency {concurrency} was stopped: {reason}")
    return run


def _comparison_frame(runs: dict[int, Run], *, pause: float) -> pd.DataFrame:
    latencies = list(runs[1].frame["seconds"])
    return pd.DataFrame(
        [
            comparison_row(
                level,
                seconds=run.summary.seconds,
                one_by_one=runs[1].summary.seconds,
                works=run.frame["seconds"],
                latencies=latencies,
                pause=pause,
                counts=Counts(
                    completed=run.summary.completed,
                    failed=run.summary.failed,
                    retries=run.summary.retries,
                ),
            )
            for level, run in runs.items()
        ]
    )
