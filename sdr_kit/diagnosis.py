"""What has kept a run from being faster, in plain words with numbers.

The gate adds up for how long each of its bounds has kept the next start back; whoever
did so for longest is named. Pure: numbers in, a sentence out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sdr_kit.law.learned import Learned
from sdr_kit.limits import Bound
from sdr_kit.words import counted, duration

Cause = Literal[
    "concurrency",
    "cap",
    "rate_limit",
    "latency",
    "delay",
    "outage",
    "machine",
    "disk",
    "nothing",
]
# What keeps starts back, and what is its cause. A ramp is on its way to a bound.
_CAUSES: Mapping[Bound, Cause] = {
    "limit": "concurrency",
    "cap": "cap",
    "pace": "rate_limit",
    "hold": "rate_limit",
    "knee": "latency",
    "gap": "delay",
    "outage": "outage",
    "disk": "disk",
}
LEAST = 0.05  # of the run: what kept starts back for less is not worth a word
LATE = 0.3  # of the run: a loop that comes so late is what holds everything up
PAST_THE_KNEE = 1.2  # times the knee: so many at once only make each slower


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptoms:
    """What a diagnosis is drawn from.

    Attributes:
        spent: Seconds for which each bound of the gate has kept the next start back.
        seconds: How long the run took.
        late_seconds: For how long in all the run's event loop was held up.
        limit: How many at once were allowed by choice.
        auto: Whether the best number was looked for.
        at_once: How many were at work on average.
        latency: Mean seconds of a call that was answered; infinity when none was.
        delay_ms: `ACCOUNT_DELAY_MS`.
        learned: What was found out about the provider.
    """

    spent: Mapping[Bound, float]
    seconds: float
    late_seconds: float
    limit: int
    auto: bool
    at_once: float
    latency: float
    delay_ms: float
    learned: Learned


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What has kept a run from being faster.

    Attributes:
        cause: `concurrency` (what was chosen), `cap` (how many at once the provider
            takes), `rate_limit`, `latency` (answers grow slower with more at once),
            `delay` (`ACCOUNT_DELAY_MS`), `outage`, `machine`, `disk`, or `nothing`.
        share: For which part of the run, 0 to 1.
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
    if run.late_seconds > LATE * whole:
        worst, share = "machine", min(run.late_seconds / whole, 1.0)
    elif share < LEAST:
        worst, share = "nothing", 0.0
    elif worst == "concurrency" and _past_the_knee(run):
        worst = "latency"
    return Diagnosis(cause=worst, share=share, sentence=_said(worst, run))


def _past_the_knee(run: Symptoms) -> bool:
    knee = run.learned.knee
    return knee is not None and run.limit >= PAST_THE_KNEE * knee


def _said(cause: Cause, run: Symptoms) -> str:
    words = {
        "concurrency": _concurrency,
        "cap": _cap,
        "rate_limit": _rate_limit,
        "latency": _latency,
        "delay": _delay,
        "outage": _outage,
        "machine": _machine,
        "disk": _disk,
        "nothing": _nothing,
    }
    return words[cause](run)


def _concurrency(run: Symptoms) -> str:
    if run.auto:
        return (
            f"Held back by AUTO_MAX_CONCURRENCY, {run.limit:,} at once: the provider "
            "would have taken more."
        )
    return (
        f"Held back by the concurrency chosen, {run.limit:,} at once: the provider "
        "would have taken more. Raise it, or choose auto."
    )


def _cap(run: Symptoms) -> str:
    most = run.learned.cap
    known = "" if most is None else f", {most:,}: more are refused"
    return f"Held back by how many calls at once the provider takes{known}."


def _rate_limit(run: Symptoms) -> str:
    rate = run.learned.per_minute
    if rate is None or math.isinf(run.latency):
        waited = run.spent.get("hold", 0.0) + run.spent.get("pace", 0.0)
        return (
            "Held back by the provider's rate limit: it asked to wait "
            f"{duration(waited)} in all."
        )
    enough = max(1, math.ceil(rate / 60 * run.latency))
    return (
        f"Held back by the provider's rate limit, about {rate:,.0f} requests a minute; "
        f"{enough:,} at a time {'is' if enough == 1 else 'are'} enough."
    )


def _latency(run: Symptoms) -> str:
    knee = run.learned.knee
    if knee is None:
        return "Held back by the provider: its answers grow slower with more at once."
    more = "" if run.auto else f" Of {run.limit:,} at once, the others gain nothing."
    return (
        "Held back by the provider, whose answers grow slower with more at once: "
        f"{knee:,} at a time get most done.{more}"
    )


def _delay(run: Symptoms) -> str:
    return (
        f"Held back by ACCOUNT_DELAY_MS={run.delay_ms:g}: at most "
        f"{60_000 / run.delay_ms:,.0f} starts a minute."
    )


def _outage(run: Symptoms) -> str:
    return (
        "Held back by the provider, which was down for "
        f"{duration(run.spent.get('outage', 0.0))}."
    )


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
    at_once = counted(round(run.at_once), "account") + " at once on average"
    return f"Nothing held the run back: {at_once}."
