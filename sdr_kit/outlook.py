"""What a sample of accounts says of the others: time, cost and failures, as draws.

Two things are uncertain. *Which latencies and costs there are*: a sample of ten has
seen little of them, and nothing of the slowest. Each draw therefore takes another
population: the accounts of the sample and points of a lognormal fitted to them (its
mean and spread drawn from their posterior), with random weights. That is Ferguson's
Dirichlet process around a lognormal, whose weight of `PRIOR_ACCOUNTS` fades as the
sample grows, until only the sample itself speaks (Rubin's Bayesian bootstrap). *What
the others will happen to be*: from each population a whole list is drawn and scheduled
as the engine does it, retries, pace and the last accounts included.

An 80 % range is what lies between the shares `LOW` and `HIGH` of the draws. These two
were measured, since plain tenths hold too little where few accounts take far longer
than the others: see `tests/test_outlook.py` for how often the truth lies inside. A kind
of account that the sample has not met cannot be foreseen: where one account in ten
takes eight times as long, a third of all samples of ten meet none of them.

In auto a third thing is uncertain: *how many at once the provider takes*. While nobody
knows, a third of the cases takes as many as auto may try, a third no more than have
been taken so far, and a third a number between the two. The range then goes from the
first to the second.

It takes latencies not to change with the concurrency. Pure: randomness is passed in.

Sources: T. S. Ferguson, "A Bayesian Analysis of Some Nonparametric Problems", 1973,
https://doi.org/10.1214/aos/1176342360; D. B. Rubin, "The Bayesian Bootstrap", 1981,
https://doi.org/10.1214/aos/1176345338; for failures, Jeffreys' interval: L. D. Brown,
T. T. Cai, A. DasGupta, "Interval Estimation for a Binomial Proportion", 2001,
https://doi.org/10.1214/ss/1009213286.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sdr_kit.climb import climbed_seconds
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.schedules import Leg, ideal_seconds, scheduled_seconds

Draws = NDArray[np.float64]

DRAWS = 300  # their quantiles are then right to two in a hundred draws
LOW, HIGH = 0.08, 0.95
PRIOR_ACCOUNTS = 5.0  # what the lognormal counts for, beside those of the sample
_POINTS = 30  # of the lognormal, in each draw
# Ten equal latencies are no proof that all are: as if one more account had been seen,
# off by a fifth. Equal costs are a price, and taken as such.
_SPREAD_OF_SECONDS = 0.2
_MOST_SPREAD = 3.0  # of logarithms; e³ is a factor of 20
# What a run loses of the provider's pace to refusals and holds, at most: nothing when
# it keeps just under it, a fifth when it meets one refusal after another.
_LOST_TO_REFUSALS = 0.2
# The end of a list is scheduled account by account, so many for each slot and for as
# long as twice the longest wait. Before it no slot is ever idle, and the time is the
# work ÷ the slots.
_END_PER_SLOT, _END_LEAST, _END_MOST = 20, 100, 2_000
# In auto so many cases are drawn of each of the three, and so many accounts of each
# are researched by the law; what it loses on the way up it has lost by then.
_CLIMBS, _CLIMBED = 30, 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """How one account went.

    Attributes:
        legs: Its calls; at least one.
        cost_usd: US dollars of all of them; None when nobody says.
        failed: Whether it was given up.
    """

    legs: Sequence[Leg]
    cost_usd: float | None
    failed: bool

    @property
    def work(self) -> float:
        """Seconds of all its calls: for so long it held a slot."""
        return sum(seconds for _, seconds in self.legs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Where something lies in 80 of 100 cases.

    Attributes:
        low: Its lower end.
        mid: Half of the cases are below it.
        high: Its upper end.
    """

    low: float
    mid: float
    high: float

    @classmethod
    def of(cls, draws: Draws) -> Range:
        """Gives the range of what was drawn."""
        low, mid, high = np.quantile(draws, (LOW, 0.5, HIGH))
        return cls(low=float(low), mid=float(mid), high=float(high))


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What auto may find.

    Attributes:
        most: It goes to so many at once at most.
        cap: So many the provider takes; infinity where nothing says.
        taken: So many it has taken at once.
        learned: What the run begins with.
    """

    most: int
    cap: float = math.inf
    taken: int = 1
    learned: Learned = NOTHING_LEARNED

    @property
    def least(self) -> int:
        """So many at once are sure to be found."""
        return self.best if self.cap < math.inf else min(self.taken, self.best)

    @property
    def best(self) -> int:
        """So many at once may be found."""
        return int(min(self.most, self.cap))


class Outlook:
    """What more accounts will take.

    Args:
        known: How accounts went, taken as a random sample; at least one.
        accounts: How many more there are.
        gap: The smallest time between two starts, in seconds, as the user set it.
        starts_per_minute: How many calls a minute the provider takes at most; None is
            no bound that is known of.
        rng: Where the draws come from; None gives the same ones each time.

    Attributes:
        accounts: How many more there are.
    """

    def __init__(
        self,
        known: Sequence[Known],
        *,
        accounts: int,
        gap: float = 0.0,
        starts_per_minute: float | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._known = known
        self.accounts = accounts
        self._rng = rng or np.random.default_rng(0)
        works = np.array([each.work for each in known])
        self._works = _Population(works, _SPREAD_OF_SECONDS, self._rng)
        pace = 60 / starts_per_minute if starts_per_minute else 0.0
        lost = _LOST_TO_REFUSALS * self._rng.random(DRAWS) ** 2
        self._gaps: Draws = np.maximum(gap, pace * (1 + lost))
        self._end = min(accounts, _END_MOST)
        self._picks = self._works.picks(self._end)  # the last accounts of each draw
        self._before = self._works.counts(accounts - self._end)
        self._calls = np.array([len(each.legs) for each in known])[self._works.origins]

    def seconds(self, concurrency: int) -> Draws:
        """Draws the seconds by the clock at a concurrency."""
        return self._seconds([concurrency] * DRAWS)

    def auto_seconds(self, search: Search) -> tuple[Draws, Range]:
        """Draws the seconds by the clock in auto; gives them and their range."""
        best, least = search.best, search.least
        between = np.geomspace(least, best, _CLIMBS).round().astype(int).tolist()
        levels = [best] * _CLIMBS + between + [least] * _CLIMBS
        plain = self._seconds(levels)
        climbed = np.array(
            [self._climbed(draw, level, search) for draw, level in enumerate(levels)]
        )
        if self.accounts <= _CLIMBED:
            drawn: Draws = np.maximum(plain, climbed)
        else:
            drawn = plain + np.maximum(climbed - self._begun(levels), 0.0)
        if best == least:
            return drawn, Range.of(drawn)
        low, high = Range.of(drawn[:_CLIMBS]).low, Range.of(drawn[-_CLIMBS:]).high
        return drawn, Range(low=low, mid=float(np.median(drawn)), high=high)

    def _seconds(self, levels: Sequence[int]) -> Draws:
        """Draws the seconds of as many cases as there are levels, each at its own."""
        number, most = len(levels), max(levels)
        end = min(self._end, max(_END_LEAST, round(self._per_slot * most)))
        values, drawn = self._works.values[:number], np.arange(number)[:, None]
        counts, picks = self._before[:number], self._picks[:number]
        earlier, last = picks[:, : self._end - end], picks[:, self._end - end :]
        work = (counts * values).sum(1) + values[drawn, earlier].sum(1)
        calls = (counts * self._calls[:number]).sum(1)
        calls += self._calls[drawn, earlier].sum(1)
        before: Draws = np.maximum(work / levels, calls * self._gaps[:number])
        ends: Draws = np.array(
            [
                self._end_seconds(draw, picks, level)
                for draw, (picks, level) in enumerate(zip(last, levels, strict=True))
            ]
        )
        return before + ends

    def _climbed(self, draw: int, level: int, search: Search) -> float:
        """Gives the seconds of the first accounts in auto, when so many are taken."""
        return climbed_seconds(
            self._first(draw),
            limit=search.most,
            cap=level if level < search.most else math.inf,
            accounts=self.accounts,
            learned=search.learned,
        )

    def _begun(self, levels: Sequence[int]) -> Draws:
        """Gives the seconds of the first accounts, with all slots from the start."""
        return np.array(
            [
                ideal_seconds(self._first(draw), concurrency=level)
                for draw, level in enumerate(levels)
            ]
        )

    def _first(self, draw: int) -> list[float]:
        first: list[float] = self._works.values[draw][
            self._picks[draw, :_CLIMBED]
        ].tolist()
        return first

    @cached_property
    def costs(self) -> Draws | None:
        """Draws what they cost in US dollars; None when nobody says.

        One that failed unpriced cost nothing: left out, it would make the others look
        as if none of them failed.
        """
        if all(each.cost_usd is None for each in self._known):
            return None
        priced = [
            each.cost_usd or 0.0
            for each in self._known
            if each.cost_usd is not None or each.failed
        ]
        population = _Population(np.array(priced), 0.0, self._rng)
        spent: Draws = (population.counts(self.accounts) * population.values).sum(1)
        return spent

    @cached_property
    def failures(self) -> Draws:
        """Draws how many are given up."""
        failed, number = sum(each.failed for each in self._known), len(self._known)
        share = self._rng.beta(failed + 0.5, number - failed + 0.5, DRAWS)
        return self._rng.binomial(self.accounts, share).astype(np.float64)

    @cached_property
    def failing(self) -> Range:
        """How many are given up; none and all stay possible when nothing denies it."""
        drawn = Range.of(self.failures)
        failed = [each.failed for each in self._known]
        return Range(
            low=drawn.low if any(failed) else 0.0,
            mid=drawn.mid if any(failed) else 0.0,
            high=float(self.accounts) if all(failed) else drawn.high,
        )

    def _end_seconds(
        self, draw: int, picks: NDArray[np.int64], concurrency: int
    ) -> float:
        values = self._works.values[draw]
        if not self._gaps[draw] and self._calls.max() == 1:
            return ideal_seconds(values[picks].tolist(), concurrency=concurrency)
        legs = self._legs[draw]
        return scheduled_seconds(
            [legs[pick] for pick in picks.tolist()],
            concurrency=concurrency,
            gap=float(self._gaps[draw]),
        )

    @cached_property
    def _per_slot(self) -> float:
        """How many accounts the end of a list has, for each slot."""
        longest = max(wait for each in self._known for wait, _ in each.legs)
        mean = sum(each.work for each in self._known) / len(self._known)
        return max(_END_PER_SLOT, 2 * longest / mean if mean else 0.0)

    @cached_property
    def _legs(self) -> list[list[list[Leg]]]:
        """The calls of each account in each draw: those of one seen, made as long."""
        return [
            [
                _stretched(self._known[origin], work)
                for origin, work in zip(origins, works, strict=True)
            ]
            for origins, works in zip(
                self._works.origins.tolist(), self._works.values.tolist(), strict=True
            )
        ]


class _Population:
    """Amounts and how frequent each is, as many times as there are draws.

    Attributes:
        values: The amounts, a row a draw: those of the sample, then others.
        origins: Which of the sample each is like.
    """

    def __init__(
        self, sample: Draws, least_spread: float, rng: np.random.Generator
    ) -> None:
        number = len(sample)
        like = rng.integers(number, size=(DRAWS, _POINTS))
        others = np.where(
            sample[like] > 0, _lognormal(sample[sample > 0], least_spread, rng), 0.0
        )
        self.values: Draws = np.hstack([np.tile(sample, (DRAWS, 1)), others])
        self.origins = np.hstack([np.tile(np.arange(number), (DRAWS, 1)), like])
        counted = np.array([1.0] * number + [PRIOR_ACCOUNTS / _POINTS] * _POINTS)
        # In all they are as uncertain as the sample alone leaves them: the lognormal
        # was fitted to it, and brings nothing new.
        counted *= number / (number + PRIOR_ACCOUNTS)
        weights = rng.gamma(counted, size=self.values.shape)
        self._shares = weights / weights.sum(1, keepdims=True)
        self._rng = rng

    def counts(self, accounts: int) -> NDArray[np.int64]:
        """Draws how many of so many accounts have each amount."""
        return self._rng.multinomial(accounts, self._shares)

    def picks(self, accounts: int) -> NDArray[np.int64]:
        """Draws a list of so many accounts: the place of each one's amount."""
        up_to = np.cumsum(self._shares, 1)
        up_to[:, -1] = 1.0
        where = self._rng.random((DRAWS, accounts))
        drawn = [row.searchsorted(each) for row, each in zip(up_to, where, strict=True)]
        return np.array(drawn, dtype=np.int64).reshape(DRAWS, accounts)


def _lognormal(
    sample: Draws, least_spread: float, rng: np.random.Generator
) -> Draws | float:
    """Draws points of the lognormals that a sample may come from.

    The logarithms' variance is drawn from its scaled inverse chi-squared posterior, and
    then their mean (A. Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013,
    section 3.2).
    """
    if not len(sample):
        return 0.0
    logs, number = np.log(sample), len(sample)
    squares = least_spread**2 + ((logs - logs.mean()) ** 2).sum()
    degrees = number - 1 + (least_spread > 0) or 1
    spread = np.sqrt(squares / rng.chisquare(degrees, (DRAWS, 1)))
    spread = np.minimum(spread, _MOST_SPREAD)
    mean = logs.mean() + spread / number**0.5 * rng.standard_normal((DRAWS, 1))
    drawn: Draws = np.exp(mean + spread * rng.standard_normal((DRAWS, _POINTS)))
    return drawn


def _stretched(known: Known, work: float) -> list[Leg]:
    """Gives the calls of an account, made longer so that they take so many seconds."""
    factor = work / known.work if known.work else 1.0
    return [(wait, seconds * factor) for wait, seconds in known.legs]
