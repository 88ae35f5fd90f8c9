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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sdr_kit.account import Attempt, Outcome
from sdr_kit.budget import ROUNDING
from sdr_kit.estimate import Estimate, known_of, thinned
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.legs import NOT_ITS_OWN, legs_by_position
from sdr_kit.observed_limits import ObservedLimits, observed_limits
from sdr_kit.outlook import Draws, Known, Outlook, Range, Search
from sdr_kit.settings import AUTO, Concurrency, Settings
from sdr_kit.words import counted, dollars, duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

LEVELS = (1, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000)
SURE = 0.8  # a deadline is met when it is in so many cases
NO_TIME = 0.05  # seconds until the deadline that are written as none
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
        levels: The concurrencies to plan for, `"auto"` among them or not; None is the
            usual ones.
        deadline_seconds: When the others must have ended, in seconds from now, as if
            they began now; None is no deadline.
        budget_usd: What the job may cost in all; infinity is no bound.
        learned: What runs have found out about the provider's limits.
    """

    settings: Settings
    levels: Sequence[Concurrency] | None = None
    deadline_seconds: float | None = None
    budget_usd: float = math.inf
    learned: Learned = NOTHING_LEARNED

    def check(self) -> None:
        """Refuses a concurrency that may not be chosen.

        Raises:
            ValueError: One is outside its range.
        """
        for each in self.levels or ():
            self.settings.check_choice(each)

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
        frame: One row a concurrency: `concurrency` (int64; in auto the most that it
            may come to), `mode` (`sequential`, `parallel`, `auto`),
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
        limits: What is known of the provider's limits, from the answers and from
            earlier runs; they bound the time from below.
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
    limits: ObservedLimits
    notes: tuple[str, ...]
    estimates: tuple[Estimate, ...]

    @property
    def concurrency(self) -> Concurrency | None:
        """The lowest concurrency that meets the deadline in 80 of 100 cases.

        `"auto"` when no number does and auto is as sure. None when there is no
        deadline, or nothing meets it.
        """
        row = self._maybe_enough
        if row is None:
            return None
        return AUTO if row["mode"] == AUTO else int(row["concurrency"])

    @property
    def starts_per_minute(self) -> float | None:
        """How many calls a minute the provider takes at most; None: nothing says."""
        return self.limits.per_minute

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What it means for the deadline and the budget, a sentence each."""
        said: list[str] = []
        if not self.accounts:
            return ()
        if self.deadline_seconds is not None:
            said.append(self._of_the_deadline(self.deadline_seconds))
        if self.budget_usd is not None:
            said.append(self._of_the_budget(self.budget_usd))
        return tuple(said)

    @property
    def written(self) -> list[dict[str, str]]:
        """The rows as people read them, by title; none when there is nothing to do."""
        if not self.accounts:
            return []
        rows = zip(
            self.estimates,
            self.frame["concurrency"],
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
        rows = self.estimates if self.accounts else ()
        return "\n".join([*map(str, rows), *self.verdicts, *self.notes])

    def _repr_html_(self) -> str:
        rows = self.written
        table = pd.DataFrame(rows).to_html(index=False) if rows else ""
        head = (
            f"{counted(self.accounts, 'account')} to go, from a sample of "
            f"{self.sample:,}; each range holds in 80 of 100 cases."
        )
        said = [f"<p>{html.escape(each)}</p>" for each in (*self.verdicts, *self.notes)]
        return f"<p>{head}</p>{table}{''.join(said)}"

    def _of_the_deadline(self, seconds: float) -> str:
        if seconds < NO_TIME:
            return "The deadline has passed."
        within, row = f"within {duration(seconds)}", self._maybe_enough
        if row is None:
            best = self.frame["deadline_likelihood"].max()
            return (
                f"No concurrency is sure to end {within}: {likelihood(best)} at best."
            )
        who = "Auto" if row["mode"] == AUTO else f"{row['concurrency']} at once"
        return f"{who} ends {within}: {likelihood(row['deadline_likelihood'])}."

    @property
    def _maybe_enough(self) -> pd.Series[Any] | None:
        enough = self.frame[self.frame["deadline_likelihood"] >= SURE]
        return None if enough.empty else enough.iloc[0]

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
    made = list(attempts)
    asked = {each.position for each in made if each.outcome not in NOT_ITS_OWN}
    ours = [each for each in outcomes if not each.reused and each.position in asked]
    known = _known(thinned([*ours, *earlier]), made)
    if all(each.failed for each in known):
        return None
    limits = observed_limits(made, terms.learned)
    settings = terms.settings
    outlook = _outlook(known, accounts, limits, settings)
    spent = sum(each.usage.cost_usd or 0.0 for each in made if each.usage is not None)
    within = _share_within(terms.budget_usd - spent, outlook.costs)
    levels, estimates, rows = _levels(terms), [], []
    for level in levels:
        seconds, between = _drawn(outlook, level, limits, terms)
        estimate = Estimate.of(outlook, between, concurrency=level, sample=len(known))
        late = _share_within(terms.deadline_seconds, seconds)
        estimates.append(estimate)
        rows.append(_row(estimate, settings.most(level), late, within))
    return Plan(
        job_id=job_id,
        accounts=accounts,
        sample=len(known),
        frame=pd.DataFrame(rows),
        deadline_seconds=terms.deadline_seconds,
        budget_usd=None if math.isinf(terms.budget_usd) else terms.budget_usd,
        spent_usd=spent,
        limits=limits,
        notes=(*notes, *_notes(accounts, len(known), limits, terms)),
        estimates=tuple(estimates),
    )


def maybe_estimate(
    known: Sequence[Outcome], *, accounts: int, concurrency: Concurrency, terms: Terms
) -> Estimate | None:
    """Estimates what more accounts will take; None when nothing is known.

    Args:
        known: How accounts ended before, with the same researcher. What is reused took
            nothing, and says nothing.
        accounts: How many are to be researched.
        concurrency: How many at once, 1 or more, or `"auto"`.
        terms: The settings, and what is known of the provider's limits.
    """
    sample = known_of(known)
    if not sample:
        return None
    limits = observed_limits((), terms.learned)
    outlook = _outlook(sample, accounts, limits, terms.settings)
    _, seconds = _drawn(outlook, concurrency, limits, terms)
    return Estimate.of(outlook, seconds, concurrency=concurrency, sample=len(sample))


def _outlook(
    known: Sequence[Known], accounts: int, limits: ObservedLimits, settings: Settings
) -> Outlook:
    return Outlook(
        known,
        accounts=accounts,
        gap=settings.account_delay_ms / 1_000,
        starts_per_minute=limits.per_minute,
    )


def _known(
    sample: Sequence[Outcome | Known], attempts: Sequence[Attempt]
) -> list[Known]:
    """Gives how accounts went, with the calls of those that ended in this job."""
    places = {each.position for each in sample if isinstance(each, Outcome)}
    legs = legs_by_position(
        sorted(
            (each for each in attempts if each.position in places),
            key=lambda each: (each.position, each.number),
        )
    )
    return [
        each
        if isinstance(each, Known)
        else Known(
            legs=legs[each.position],
            cost_usd=each.cost_usd,
            failed=each.status == "failed",
        )
        for each in sample
    ]


def _drawn(
    outlook: Outlook, level: Concurrency, limits: ObservedLimits, terms: Terms
) -> tuple[Draws, Range]:
    """Draws the seconds at a concurrency; gives them and their range."""
    most = int(min(terms.settings.most(level), limits.knee or math.inf))
    if level != AUTO:
        drawn = outlook.seconds(int(min(most, limits.at_once)))
        return drawn, Range.of(drawn)
    return outlook.auto_seconds(
        Search(
            most=most,
            cap=limits.cap or math.inf,
            taken=limits.taken,
            learned=replace(terms.learned, per_minute=None),
        )
    )


def _usual(settings: Settings) -> list[int]:
    top = settings.max_concurrency
    return sorted({*(each for each in LEVELS if each < top), top})


def _levels(terms: Terms) -> list[Concurrency]:
    """Gives the concurrencies to plan for, auto last."""
    chosen = terms.levels or _usual(terms.settings)
    levels: list[Concurrency] = [*sorted({each for each in chosen if each != AUTO})]
    more = terms.settings.auto_max_concurrency > terms.settings.max_concurrency
    auto = AUTO in chosen or (not terms.levels and more)
    return [*levels, AUTO] if auto else levels


def _share_within(bound: float | None, draws: Draws | None) -> float:
    if bound is None or math.isinf(bound) or draws is None:
        return math.nan
    return float(np.mean(draws <= bound * (1 + ROUNDING)))


def _row(
    estimate: Estimate, at_once: int, deadline: float, budget: float
) -> dict[str, object]:
    time, cost, failing = estimate.seconds, estimate.cost_usd, estimate.failing
    mode = "parallel" if at_once > 1 else "sequential"
    return {
        "concurrency": at_once,
        "mode": AUTO if estimate.concurrency == AUTO else mode,
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


def _notes(
    accounts: int, sample: int, limits: ObservedLimits, terms: Terms
) -> list[str]:
    if not accounts:
        return ["Nothing is left to plan: every account has a result."]
    notes = []
    if sample < SMALL_SAMPLE:
        says = "says" if sample == 1 else "say"
        notes.append(
            f"{counted(sample, 'account')} {says} little: a larger sample narrows the "
            "ranges."
        )
    most = max(terms.settings.most(each) for each in _levels(terms))
    if limits.taken < min(most, limits.at_once):
        notes.append(
            f"Whether the provider takes more than {limits.taken:,} at once is not "
            "known."
        )
    return [*notes, *limits.sentences(most)]


def _written(
    estimate: Estimate, at_once: int, mode: str, share: float
) -> dict[str, str]:
    time, cost, failing = estimate.said
    row = {
        "at once": f"auto, up to {at_once}" if mode == AUTO else f"{at_once}",
        "time": time,
        "cost": cost,
        "failing": failing,
    }
    return row if math.isnan(share) else {**row, "deadline met": likelihood(share)}
