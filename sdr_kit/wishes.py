"""What may be wanted of a job at work, by any process that sees its database.

Each wish has a number, so that who works on the job hears it once: what was wanted
earlier does not undo what was chosen there since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdr_kit.settings import AUTO, Concurrency, check_budget

STATES = ("running", "paused", "cancelled")

Wishes = Mapping[str, tuple[int, Any]]  # name → number and value


def checked(
    *, limit: Concurrency | None, state: str | None, budget_usd: float | None
) -> dict[str, Any]:
    """Gives what is wanted, by name, without what is not.

    Raises:
        ValueError: Nothing is wanted, or a value is outside its range.
    """
    if limit not in (None, AUTO) and (type(limit) is not int or limit < 1):
        raise ValueError(
            f"limit is {limit!r}; it must be a whole number from 1, or 'auto'"
        )
    if state is not None and state not in STATES:
        raise ValueError(f"state is {state!r}; it must be one of {', '.join(STATES)}")
    if budget_usd is not None:
        budget_usd = check_budget(budget_usd)
    wanted = {"limit": limit, "state": state, "budget_usd": budget_usd}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if not wanted:
        raise ValueError("nothing is wanted; name a limit, state or budget_usd")
    return wanted


def check_sequential(job_id: int, concurrency: Concurrency) -> None:
    """Refuses another concurrency for a sequential job at work.

    Raises:
        RuntimeError: It is not 1.
    """
    if concurrency != 1:
        raise RuntimeError(
            f"job {job_id} is sequential: one account at a time, whatever concurrency "
            "says; cancel it and go on with it in parallel"
        )


def added(known: Wishes, wanted: Mapping[str, Any]) -> dict[str, tuple[int, Any]]:
    """Gives the wishes with new ones."""
    number = 1 + max((each for each, _ in known.values()), default=0)
    return {**known, **{name: (number, value) for name, value in wanted.items()}}


def after(wishes: Wishes, heard: int) -> tuple[int, dict[str, Any]]:
    """Gives the number of the last wish, and what is wanted since the one heard."""
    last = max((each for each, _ in wishes.values()), default=0)
    fresh = {name: value for name, (each, value) in wishes.items() if each > heard}
    return last, fresh
