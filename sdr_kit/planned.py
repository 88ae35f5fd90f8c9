"""What the rest of a list will take, at several concurrencies, as a value.

It is made from accounts that were researched for real; `sdr_kit.outlook` says how the
ranges come about. The same for a sample that was taken to plan (`sdr_kit.plan`) and for
a job that has done some of its list (`job.plan`).
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sdr_kit.account import Attempt, Outcome
from sdr_kit.budget import ROUNDING
from sdr_kit.estimate import Estimate, thinned
from sdr_kit.legs import legs_by_position
from sdr_kit.observed_rate import maybe_starts_per_minute
from sdr_kit.outlook import Draws, Known, Outlook
from sdr_kit.settings import Settings
from sdr_kit.words import counted, dollars, duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

LEVELS = (1, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000)
SURE = 0.8  # a deadline is met when it is in so many cases
SMALL_SAMPLE = 10  # below it the ranges are wide, and a word says why

_LIKELIHOODS = (
    (0.97, "almost surely"),
    (SURE, "very likely"),
    (0.5, "likely"),
    (0.2, "unlikely"),
    (0.03, "very unlikely"),
    (0.0, "almost surely not"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a plan is held against.

    Attributes:
        settings: Which concurrencies there are, and the gap between two starts.
        levels: The concurrencies to plan for; None is the usual ones.
        deadline_seconds: When the others must have ended, in seconds from now, as if
            they began now; None is no deadline.
        budget_usd: What the job may cost in all; infinity is no bound.
        starts_per_minute: How many calls a minute the provider takes at most, when
            somebody has learned it; None goes by what the attempts say.
    """

    settings: Settings
    levels: Sequence[int] | None = None
    deadline_seconds: float | None = None
    budget_usd: float = math.inf
    starts_per_minute: float | None = None

    def check(self) -> None:
        """Refuses a concurrency that may not be chosen.

        Raises:
            ValueError: One is outside its range.
        """
        for each in self.levels or ():
            self.settings.check_concurrency(each)

    def after(self, seconds: float) -> Terms:
        """Gives the same once so many seconds have gone by."""
        if self.deadline_seconds is None:
            return self
        return replace(self, deadline_seconds=self.deadline_seconds - seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the accounts of a list that have no result yet will take.

    Every range holds the truth in 80 of 100 cases, as far as the accounts researched
    so far are like the others and calls take as long at every concurrency.

    Attributes:
        job_id: The job that the sample is the beginning of; `sdr_kit.resume` goes on
            with it and pays for none of it again.
        accounts: How many have no result yet: the plan is about these.
        sample: From how many accounts it is drawn.
        frame: One row a concurrency: `concurrency` (int64), `mode` (`sequential`,
            `parallel`, or `auto`: the most that `concurrency="auto"` may reach),
            `seconds_low`, `seconds`, `seconds_high` (by the clock, from the first
            start to the last end), `cost_low_usd`, `cost_usd`, `cost_high_usd` (NaN
            when nobody says), `failed_low`, `failed`, `failed_high` (accounts),
            `deadline_likelihood` and `budget_likelihood` (share of the cases in which
            it is met and held, 0 to 1; NaN without one). The middle one of three is
            the median.
        deadline_seconds: What was left until the deadline when the plan was made; None
            is no deadline.
        budget_usd: What the job may cost in all; None is no bound.
        spent_usd: What it has cost so far.
        starts_per_minute: How many calls a minute the provider takes, as far as its
            answers say so; it bounds the time from below. None: they do not.
        notes: What else is to be known, a sentence each.
        estimates: The rows as values; `str` of one is its sentence.
    """

    job_id: int
    accounts: int
    sample: int
    frame: pd.DataFrame
    deadline_seconds: float | None
    budget_usd: float | None
    spent_usd: float
    starts_per_minute: float | None
    notes: tuple[str, ...]
    estimates: tuple[Estimate, ...]

    @property
    def concurrency(self) -> int | None:
        """The lowest concurrency that meets the deadline in 80 of 100 cases.

        None when there is no deadline, or none does.
        """
        enough = self.frame[self.frame["deadline_likelihood"] >= SURE]
        return None if enough.empty else int(enough["concurrency"].iloc[0])

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What it means for the deadline and the budget, a sentence each."""
        said = []
        if self.deadline_seconds is not None:
            said.append(self._of_the_deadline(self.deadline_seconds))
        if self.budget_usd is not None:
            said.append(self._of_the_budget(self.budget_usd))
        return tuple(said)

    @property
    def written(self) -> list[dict[str, str]]:
        """The rows as people read them, by title."""
        rows = zip(
            self.estimates,
            self.frame["mode"],
            self.frame["deadline_likelihood"],
            strict=True,
        )
        return [_written(*row) for row in rows]

    def figure(self) -> go.Figure:
        """Draws the time at each concurrency with its range, and the deadline."""
        from sdr_kit.charts import plan_figure  # loads Plotly

        return plan_figure(self.frame, self.deadline_seconds)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.estimates), *self.verdicts, *self.notes])

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.written)
        head = (
            f"{counted(self.accounts, 'account')} to go, from a sample of "
            f"{self.sample:,}; each range holds in 80 of 100 cases."
        )
        said = [f"<p>{html.escape(each)}</p>" for each in (*self.verdicts, *self.notes)]
        return f"<p>{head}</p>{table.to_html(index=False)}{''.join(said)}"

    def _of_the_deadline(self, seconds: float) -> str:
        within = f"within {duration(max(seconds, 0.0))}"
        if self.concurrency is None:
            best = self.frame["deadline_likelihood"].max()
            return (
                f"No concurrency is sure to end {within}: {likelihood(best)} at best."
            )
        return f"{self.concurrency} at once ends {within}: {self._met}."

    @property
    def _met(self) -> str:
        row = self.frame[self.frame["concurrency"] == self.concurrency].iloc[0]
        return likelihood(row["deadline_likelihood"])

    def _of_the_budget(self, usd: float) -> str:
        share = self.frame["budget_likelihood"].iloc[0]
        spent = f" ({dollars(self.spent_usd)} spent)" if self.spent_usd else ""
        if math.isnan(share):
            return f"Whether the budget of {dollars(usd)} holds, nobody can say."
        return f"The budget of {dollars(usd)}{spent} covers it: {likelihood(share)}."


def likelihood(share: float) -> str:
    """Says how likely something is that comes about in a share of all cases."""
    return next(words for least, words in _LIKELIHOODS if share >= least)


def maybe_plan(
    job_id: int,
    outcomes: Iterable[Outcome],
    attempts: Iterable[Attempt],
    *,
    accounts: int,
    terms: Terms,
    earlier: Sequence[Known] = (),
    notes: Sequence[str] = (),
) -> Plan | None:
    """Plans the rest of a job; None when none of its accounts was answered.

    Args:
        job_id: The job.
        outcomes: How its accounts ended.
        attempts: All attempts at them.
        accounts: How many have no result.
        terms: What it is held against.
        earlier: How others of its accounts went in earlier jobs.
        notes: What else is to be known.
    """
    made = sorted(attempts, key=lambda each: (each.position, each.number))
    legs = legs_by_position(made)
    ours = [
        Known(
            legs=legs[each.position],
            cost_usd=each.cost_usd,
            failed=each.status == "failed",
        )
        for each in outcomes
        if not each.reused and legs.get(each.position)
    ]
    known = thinned([*ours, *earlier])
    if all(each.failed for each in known):
        return None
    pace = terms.starts_per_minute or maybe_starts_per_minute(made)
    settings = terms.settings
    outlook = Outlook(
        known,
        accounts=accounts,
        gap=settings.account_delay_ms / 1_000,
        starts_per_minute=pace,
    )
    spent = sum(each.usage.cost_usd or 0.0 for each in made if each.usage is not None)
    modes = _modes(terms)
    drawn = [outlook.seconds(each) for each, _ in modes]
    estimates = tuple(
        Estimate.of(outlook, seconds, concurrency=level, sample=len(known))
        for (level, _), seconds in zip(modes, drawn, strict=True)
    )
    within = _share_within(terms.budget_usd - spent, outlook.costs)
    rows = [
        _row(each, mode, _share_within(terms.deadline_seconds, seconds), within)
        for each, (_, mode), seconds in zip(estimates, modes, drawn, strict=True)
    ]
    return Plan(
        job_id=job_id,
        accounts=accounts,
        sample=len(known),
        frame=pd.DataFrame(rows),
        deadline_seconds=terms.deadline_seconds,
        budget_usd=None if math.isinf(terms.budget_usd) else terms.budget_usd,
        spent_usd=spent,
        starts_per_minute=pace,
        notes=(*notes, *_notes(len(known), pace)),
        estimates=estimates,
    )


def _usual(settings: Settings) -> list[int]:
    top = settings.max_concurrency
    return sorted({*(each for each in LEVELS if each < top), top})


def _modes(terms: Terms) -> list[tuple[int, str]]:
    """Gives the concurrencies with what they are, and what `auto` may reach."""
    chosen, most = terms.levels, terms.settings.auto_max_concurrency
    levels = sorted({*chosen}) if chosen else _usual(terms.settings)
    modes = [(each, "parallel" if each > 1 else "sequential") for each in levels]
    return modes if chosen or most <= levels[-1] else [*modes, (most, "auto")]


def _share_within(bound: float | None, draws: Draws | None) -> float:
    if bound is None or math.isinf(bound) or draws is None:
        return math.nan
    return float(np.mean(draws <= bound * (1 + ROUNDING)))


def _row(
    estimate: Estimate, mode: str, deadline: float, budget: float
) -> dict[str, object]:
    time, cost, failing = estimate.seconds, estimate.cost_usd, estimate.failing
    return {
        "concurrency": estimate.concurrency,
        "mode": mode,
        "seconds_low": time.low,
        "seconds": time.mid,
        "seconds_high": time.high,
        "cost_low_usd": math.nan if cost is None else cost.low,
        "cost_usd": math.nan if cost is None else cost.mid,
        "cost_high_usd": math.nan if cost is None else cost.high,
        "failed_low": failing.low,
        "failed": failing.mid,
        "failed_high": failing.high,
        "deadline_likelihood": deadline,
        "budget_likelihood": budget,
    }


def _notes(sample: int, pace: float | None) -> list[str]:
    notes = []
    if sample < SMALL_SAMPLE:
        notes.append(
            f"{counted(sample, 'account')} say little: a larger sample narrows the "
            "ranges."
        )
    if pace is not None:
        notes.append(
            f"The provider takes about {pace:,.0f} calls a minute; more at once does "
            "not make it faster than that."
        )
    return notes


def _written(estimate: Estimate, mode: str, share: float) -> dict[str, str]:
    time, cost, failing = estimate.said
    row = {
        "at once": f"{'auto, up to ' if mode == 'auto' else ''}{estimate.concurrency}",
        "time": time,
        "cost": cost,
        "failing": failing,
    }
    return row if math.isnan(share) else {**row, "deadline met": likelihood(share)}
