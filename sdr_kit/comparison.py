"""Several concurrencies side by side, over the same accounts: the value and its rows.

They were measured (`sdr_kit.compare`), or worked out from the calls of a run that has
ended (`run.replay`).
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from sdr_kit.schedules import batched_seconds, ideal_seconds

if TYPE_CHECKING:
    import plotly.graph_objects as go

T = TypeVar("T")

CONCURRENCIES = (1, 3, 5, 8, 10)
MEASURED_TO = 1.005  # an efficiency above it is written as more than 100 %

_ABOVE_ALL = (
    "<p>More than 100 %: the researcher took longer for the same accounts in the "
    "sequential run. That is chance, or its cache; nothing was gained.</p>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What `compare` measured, or `replay` worked out.

    Attributes:
        frame: One row a concurrency, lowest first: `concurrency` (int64), `mode`,
            `accounts` (int64), `seconds` (float64, by the clock),
            `accounts_per_minute`, `speedup` (seconds of the sequential run ÷ seconds),
            `efficiency` (speedup ÷ concurrency), `p50_seconds` and `p95_seconds`
            (quantiles of the seconds of work an account), then on the latencies of
            the sequential run the best that anyone could reach, `ideal_speedup` and
            `ideal_accounts_per_minute`, and the original's way, `batches_seconds`,
            `batches_speedup`, `batches_accounts_per_minute`; `completed`, `failed`,
            `retries` (int64). A ratio of two times of 0 s is NaN.

            Speedup compares two runs by the clock, so it is above the ideal, and
            efficiency above 1, when the researcher happened to take longer for the
            same accounts in the sequential run: by a few per cent where calls take
            milliseconds. What the run itself adds between two calls counts too; that
            is below 0.5 % with calls of 30 ms.
        simulated: Whether it was worked out; then no call was made for it.
        notes: What is to be known of it, a sentence each.
    """

    frame: pd.DataFrame
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def figure(self) -> go.Figure:
        """Draws the speedups beside the ideal and the original's batches."""
        from sdr_kit.charts import comparison_figure  # loads Plotly

        return comparison_figure(self.frame, simulated=self.simulated)

    def _repr_html_(self) -> str:
        frame = self.frame
        table = html_table(
            {
                "at once": written(frame["concurrency"]),
                "seconds": written(frame["seconds"], ",.1f"),
                "accounts/min": written(frame["accounts_per_minute"], ",.0f"),
                "speedup (×)": written(frame["speedup"], ".2f"),
                "efficiency (%)": written(100 * frame["efficiency"], ".0f"),
                "ideal (×)": written(frame["ideal_speedup"], ".2f"),
                "original's batches (×)": written(frame["batches_speedup"], ".2f"),
                "half within (p50, s)": written(frame["p50_seconds"], ",.2f"),
                "95 % within (p95, s)": written(frame["p95_seconds"], ",.2f"),
                "retries": written(frame["retries"]),
                "failed": written(frame["failed"]),
            }
        )
        said = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        above = (frame["efficiency"] > MEASURED_TO).any()
        return table + said + (_ABOVE_ALL if above else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How the accounts of a run ended.

    Attributes:
        completed: Accounts with research.
        failed: Accounts given up.
        retries: Calls beyond each account's first.
    """

    completed: int
    failed: int
    retries: int


def comparison_row(
    level: int,
    *,
    seconds: float,
    one_by_one: float,
    works: pd.Series[float],
    latencies: Sequence[float],
    pause: float,
    counts: Counts,
) -> dict[str, object]:
    """Gives a row of `Comparison.frame`.

    Args:
        level: How many at once.
        seconds: How long it took by the clock.
        one_by_one: How long it took one by one.
        works: Seconds of work of each account, as it went here.
        latencies: Those of the sequential run.
        pause: Seconds between two of the original's batches.
        counts: How the accounts ended.
    """
    number = counts.completed + counts.failed
    speedup = ratio(one_by_one, seconds)
    ideal = ideal_seconds(latencies, concurrency=level)
    batches = batched_seconds(latencies, concurrency=level, pause=pause)
    return {
        "concurrency": level,
        "mode": "parallel" if level > 1 else "sequential",
        "accounts": len(latencies),
        "seconds": seconds,
        "accounts_per_minute": 60 * number / seconds if seconds else 0.0,
        "speedup": speedup,
        "efficiency": speedup / level,
        "p50_seconds": works.quantile(0.5),
        "p95_seconds": works.quantile(0.95),
        "ideal_speedup": ratio(sum(latencies), ideal),
        "ideal_accounts_per_minute": ratio(60 * len(latencies), ideal),
        "batches_seconds": batches,
        "batches_speedup": ratio(sum(latencies), batches),
        "batches_accounts_per_minute": ratio(60 * len(latencies), batches),
        "completed": counts.completed,
        "failed": counts.failed,
        "retries": counts.retries,
    }


def several(concurrency: Iterable[T]) -> list[T]:
    """Gives several concurrencies as plain numbers.

    Raises:
        TypeError: It is a single one.
    """
    if isinstance(concurrency, Integral | str):
        raise TypeError(
            f"concurrency is {concurrency!r}; give several, for instance (1, 5, 10)"
        )
    levels: Iterable[Any] = concurrency
    plain: list[Any] = [
        each.item() if isinstance(each, np.integer) else each for each in levels
    ]
    return plain


def ratio(one: float, other: float) -> float:
    """Gives NaN where there is nothing to compare: it took no time at all."""
    return one / other if other else math.nan


def written(values: pd.Series[float], form: str = "") -> list[str]:
    """Writes numbers for a table; a dash where there is none."""
    return ["–" if math.isnan(value) else format(value, form) for value in values]


def html_table(columns: dict[str, list[str]]) -> str:
    """Writes columns as a table."""
    return pd.DataFrame(columns).to_html(index=False)
