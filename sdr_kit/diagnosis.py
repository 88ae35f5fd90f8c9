"""What has kept a run from being faster, in plain words with numbers.

The gate adds up for how long each of its bounds has kept the next start back; whoever
did so for longest is named. A sentence says what is known and no more: that nothing was
refused does not mean that more would be taken. Pure: numbers in, a sentence out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sdr_kit.law.learned import Learned
from sdr_kit.limits import Hold
from sdr_kit.wait_times import Bound, Limit
from sdr_kit.words import counted, duration

Cause = Literal[
    "concurrency",
    "cap",
    "rate_limit",
    "latency",
    "auto",
    "delay",
    "outage",
    "machine",
    "disk",
    "nothing",
]
# What keeps starts back, and what is its cause. The slow start after a hold is in none:
# it is on its way to a bound.
_CAUSES: Mapping[Bound, Cause] = {
    "limit": "concurrency",
    "cap": "cap",
    "pace": "rate_limit",
    "hold": "rate_limit",
    "knee": "latency",
    "trial": "auto",
    "gap": "delay",
    "outage": "outage",
    "disk": "disk",
}
LEAST = 0.05  # of the run: what kept starts back for less is not worth a word
LATE = 0.3  # of the run: a loop that comes so late is what holds everything up
PAST_THE_KNEE = 1.2  # times the knee: so many at once only make each slower
NEAR = 1.2  # times the limit, or the rate: what is known to be taken is hardly more
# Times the learned rate: a run that was answered so much more often shows that what was
# learned is not the provider's rate, or that most came out of a burst.
OUTRUN = 1.2

IN_SECONDS = 600.0  # a run that is no longer than that is told in seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptoms:
    """What a diagnosis is drawn from.

    Attributes:
        spent: Seconds for which each bound of the gate has kept the next start back.
        at_limit: Those of the limit, by limit: it may have been changed.
        seconds: How long the run took, without the time in which it was paused and
            nothing was at work.
        late_seconds: For how long in all the run's event loop was held up.
        limit: How many at once are allowed by choice, at last.
        auto: Whether the best number is looked for, at last.
        sequential: Whether the mode of the run is sequential.
        at_once: How many were at work on average.
        answered_per_minute: Calls that were answered in a minute.
        latency: Mean seconds of a call that was answered; infinity when none was.
        delay_ms: `ACCOUNT_DELAY_MS`.
        learned: What was found out about the provider.
        remembered: Whether that is kept for the next run.
        refused: The hold that the run has asked about, as it lasts too long; or None.
    """

    spent: Mapping[Bound, float]
    at_limit: Mapping[Limit, float]
    seconds: float
    late_seconds: float
    limit: int
    auto: bool
    sequential: bool
    at_once: float
    answered_per_minute: float
    latency: float
    delay_ms: float
    learned: Learned
    remembered: bool
    refused: Hold | None

    @property
    def longest_limit(self) -> Limit:
        """The limit that has kept starts back for longest, and whether in auto."""
        now = self.limit, self.auto
        return max(self.at_limit, key=self.at_limit.__getitem__, default=now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What has kept a run from being faster.

    Attributes:
        cause: `concurrency` (what was chosen), `cap` (how many at once the provider
            takes), `rate_limit`, `latency` (answers grow slower with more at once),
            `auto` (it did not know yet how many the provider takes), `delay`
            (`ACCOUNT_DELAY_MS`), `outage`, `machine`, `disk`, or `nothing`.
        share: For which part of the run, 0 to 1. Time in which the run was paused and
            nothing was at work is no part of it.
        sentence: The same in words, with what would help.
    """

    cause: Cause
    share: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def diagnose(run: Symptoms) -> Diagnosis:
    """Names what has kept a run from being faster for longest."""
    spent: dict[Cause, float] = {}
    for bound, seconds in run.spent.items():
        if (cause := _CAUSES.get(bound)) is not None:
            spent[cause] = spent.get(cause, 0.0) + seconds
    whole = max(run.seconds, 1e-9)
    worst: Cause = max(spent, key=spent.__getitem__, default="nothing")
    share = min(spent.get(worst, 0.0) / whole, 1.0)
    if run.refused is not None:  # what is left undone is so because of that
        worst = "outage" if run.refused.kind == "outage" else "rate_limit"
        share = min(spent.get(worst, 0.0) / whole, 1.0)
    elif run.late_seconds > LATE * whole:
        worst, share = "machine", min(run.late_seconds / whole, 1.0)
    elif share < LEAST or (
        not run.answered_per_minute and worst in ("concurrency", "auto")
    ):
        worst, share = "nothing", 0.0
    elif worst == "concurrency" and _past_the_knee(run):
        worst = "latency"
    return Diagnosis(cause=worst, share=share, sentence=_said(worst, run))


def _past_the_knee(run: Symptoms) -> bool:
    knee, (limit, _) = run.learned.knee, run.longest_limit
    return knee is not None and limit >= PAST_THE_KNEE * knee


def _said(cause: Cause, run: Symptoms) -> str:
    words = {
        "concurrency": _concurrency,
        "cap": _cap,
        "rate_limit": _rate_limit,
        "latency": _latency,
        "auto": _auto,
        "delay": _delay,
        "outage": _outage,
        "machine": _machine,
        "disk": _disk,
        "nothing": _nothing,
    }
    return words[cause](run)


def _concurrency(run: Symptoms) -> str:
    limit, auto = run.longest_limit
    changed = (limit, auto) != (run.limit, run.auto)
    if auto:
        what, advice = f"AUTO_MAX_CONCURRENCY, {limit:,} at once", "raise it"
    elif run.sequential and limit == 1:
        what, advice = "the sequential mode, 1 at once", "choose parallel"
    else:
        what = f"the concurrency chosen, {limit:,} at once"
        advice = "raise it, or choose auto"
    if changed:
        what += f" for {_part(run.at_limit[limit, auto], run)} (it was changed)"
    known, may_be_more = _taken(run, limit)
    advice = f": {advice}" if may_be_more and not changed else ""
    return f"Held back by {what}. {known}{advice}."


def _taken(run: Symptoms, limit: int) -> tuple[str, bool]:
    """Says what is known of how much more is taken, and whether it is worth trying."""
    most, rate, knee = run.learned.cap, run.learned.per_minute, run.learned.knee
    if rate is not None and rate <= NEAR * run.answered_per_minute:
        return f"The provider takes about {rate:,.0f} requests a minute", False
    if (waited := _waited(run)) > LEAST * run.seconds:
        return f"The provider asked to wait as well, {duration(waited)} in all", False
    if most is not None:
        return f"The provider takes {most:,} at once", most > NEAR * limit
    if knee is not None and knee <= NEAR * limit:
        return f"The provider gets most done with {knee:,} at once", False
    return "Nothing says that the provider takes no more", True


def _cap(run: Symptoms) -> str:
    most = run.learned.cap
    known = "" if most is None else f", {most:,}: more are refused"
    return f"Held back by how many calls at once the provider takes{known}."


def _rate_limit(run: Symptoms) -> str:
    if run.refused is not None:
        wait = duration(run.refused.until - run.refused.since)
        return (
            f"Held back by the provider's rate limit: it keeps the run waiting for "
            f"{wait}, longer than MAX_HOLD_SECONDS."
        )
    rate, answered = run.learned.per_minute, run.answered_per_minute
    if rate is None or answered > OUTRUN * rate:
        said = f": it asked to wait {duration(_waited(run))} in all"
        if answered:
            said += f". About {answered:,.0f} requests a minute were answered"
    else:
        said = f", about {rate:,.0f} requests a minute"
    if answered:
        said += f"; {_enough(max(rate or 0.0, answered), run.latency)}"
    return f"Held back by the provider's rate limit{said}."


def _waited(run: Symptoms) -> float:
    """Seconds for which the provider's rate limit has kept starts back."""
    return run.spent.get("hold", 0.0) + run.spent.get("pace", 0.0)


def _enough(per_minute: float, latency: float) -> str:
    """Says how many at a time make so many calls a minute (Little's law)."""
    enough = max(1, math.ceil(per_minute / 60 * latency - 1e-9))
    return f"{enough:,} at a time {'is' if enough == 1 else 'are'} enough"


def _part(seconds: float, run: Symptoms) -> str:
    """Writes a part of the run; in seconds while minutes would say too little."""
    if 60 <= run.seconds < IN_SECONDS:
        return f"{seconds:.0f} s of {run.seconds:.0f} s"
    return f"{duration(seconds)} of {duration(run.seconds)}"


def _latency(run: Symptoms) -> str:
    knee, (limit, auto) = run.learned.knee, run.longest_limit
    if knee is None:
        return "Held back by the provider: its answers grow slower with more at once."
    past = not (auto or run.auto) and limit > knee
    more = f" Of {limit:,} at once, the others gain nothing." if past else ""
    return (
        "Held back by the provider, whose answers grow slower with more at once: "
        f"{knee:,} at a time get most done.{more}"
    )


def _auto(run: Symptoms) -> str:
    looked = _part(run.spent.get("trial", 0.0), run)
    then = " The next run begins with what it found." if run.remembered else ""
    return (
        "Held back by auto, which was still finding out how many at once the provider "
        f"takes: {looked}.{then}"
    )


def _delay(run: Symptoms) -> str:
    return (
        f"Held back by ACCOUNT_DELAY_MS={run.delay_ms:g}: at most "
        f"{60_000 / run.delay_ms:,.0f} starts a minute."
    )


def _outage(run: Symptoms) -> str:
    down = run.spent.get("outage", 0.0)
    if run.refused is not None and down < LEAST * run.seconds:
        wait = duration(run.refused.until - run.refused.since)
        return f"Held back by the provider, which is down, and asks to wait {wait}."
    return f"Held back by the provider, which was down for {duration(down)}."


def _machine(run: Symptoms) -> str:
    return (
        "Held back by this machine: something kept the run waiting for "
        f"{duration(run.late_seconds)} in all. A researcher that blocks is best "
        "written as a plain def, which runs in a thread."
    )


def _disk(run: Symptoms) -> str:
    return (
        "Held back by the disk: the run waited "
        f"{duration(run.spent.get('disk', 0.0))} for results to be stored."
    )


def _nothing(run: Symptoms) -> str:
    if not run.answered_per_minute:
        return "Nothing held the run back: no account was completed."
    if run.at_once < 1:
        return "Nothing held the run back: less than 1 account at once on average."
    at_once = counted(round(run.at_once), "account") + " at once on average"
    return f"Nothing held the run back: {at_once}."
