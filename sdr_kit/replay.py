"""A run that has ended, played again at other concurrencies without a call.

The calls that each account took are scheduled as the engine would: a slot refilled the
moment it frees, a failed account back ahead of the untouched ones once its wait is
over. It takes calls to last as long as they did, at every concurrency. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from sdr_kit.account import Attempt, Outcome
from sdr_kit.comparison import Comparison, Counts, comparison_row
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.legs import legs_by_position
from sdr_kit.observed_limits import observed_limits
from sdr_kit.schedules import scheduled_seconds
from sdr_kit.words import counted


def replayed(
    outcomes: Iterable[Outcome],
    attempts: Sequence[Attempt],
    *,
    concurrency: Sequence[int],
    gap: float,
    pause: float,
    learned: Learned = NOTHING_LEARNED,
) -> Comparison:
    """Gives what the accounts of a run would have taken at several concurrencies.

    Accounts that were reused or have no result are left out, as nobody was asked about
    them. So are calls that were refused or cancelled: they say how the run went and not
    how long an account takes. Where it is known how many calls a minute the provider
    takes, or how many at once do any good, no replay starts more than that.

    Args:
        outcomes: How the accounts ended.
        attempts: All attempts at them.
        concurrency: How many at once, each 1 or more; 1 is always among them.
        gap: The smallest time between two starts, in seconds.
        pause: Seconds between two of the original's batches.
        learned: What runs have found out about the provider's limits.

    Raises:
        ValueError: No account was researched, or a concurrency is below 1.
    """
    made = sorted(attempts, key=lambda each: (each.position, each.number))
    legs = legs_by_position(made)
    asked = [each for each in outcomes if not each.reused and legs.get(each.position)]
    if not asked:
        raise ValueError("no account was researched in this run: nothing to replay")
    levels = sorted({1, *concurrency})
    if levels[0] < 1:
        raise ValueError(f"concurrency is {levels[0]}; each must be 1 or more")
    calls = [legs[each.position] for each in asked]
    limits = observed_limits(made, learned)
    gap = max(gap, 60 / limits.per_minute if limits.per_minute else 0.0)
    works = [sum(seconds for _, seconds in each) for each in calls]
    failed = sum(each.status == "failed" for each in asked)
    counts = Counts(
        completed=len(asked) - failed,
        failed=failed,
        retries=sum(len(each) - 1 for each in calls),
    )
    times = {
        level: scheduled_seconds(
            calls, concurrency=int(min(level, limits.at_once)), gap=gap
        )
        for level in levels
    }
    rows = [
        comparison_row(
            level,
            seconds=seconds,
            one_by_one=times[1],
            works=pd.Series(works, dtype="float64"),
            latencies=works,
            pause=pause,
            counts=counts,
        )
        for level, seconds in times.items()
    ]
    refused = sum(each.outcome == "rate_limited" for each in made)
    said = limits.sentences(levels[-1])
    return Comparison(
        frame=pd.DataFrame(rows), simulated=True, notes=_notes(counts, refused, said)
    )


def _notes(counts: Counts, refused: int, limits: Sequence[str]) -> tuple[str, ...]:
    accounts = counted(counts.completed + counts.failed, "account")
    notes = [
        f"Simulated from the calls recorded for {accounts}, each as long as it was; "
        "nobody was asked again."
    ]
    if refused:
        notes.append(f"{counted(refused, 'refused call')} left out.")
    return (*notes, *limits)
