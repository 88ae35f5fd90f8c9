"""What the engine costs an account, in CPU, beside others that run several at once.

Everything is counted: the accounts, attempts and outcomes as values, the store in
memory, and the frame at the end. The others only call the function.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

from sdr_kit.account import Account
from sdr_kit.accounts import Accounts
from sdr_kit.batch import process
from sdr_kit.costs.figure import Figure, in_turns, ratio
from sdr_kit.costs.lists import AT_ONCE, at_once, made_up, one_turn, settings
from sdr_kit.schedules import in_batches
from sdr_kit.settings import Settings

# As many as a list of a team has. In shorter lists the bare loop is cheaper by half: it
# has all its tasks at once, and the garbage collection that these cost begins later.
ACCOUNTS = 10_000
SHORT = 2_000
ROUNDS = 7
TARGET = 1.3

Call = Callable[[Account], Awaitable[Any]]
BARE = f"Semaphore({AT_ONCE}) + gather"


async def bare(call: Call, accounts: Sequence[Account]) -> None:
    """The least there is: all at once, and a semaphore."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(account: Account) -> Any:
        async with slots:
            return await call(account)

    await asyncio.gather(*(one(account) for account in accounts))


async def batches(call: Call, accounts: Sequence[Account]) -> None:
    """The original's batches, without its pauses; see `sdr_kit.schedules`."""
    for batch in in_batches(accounts, concurrency=AT_ONCE):
        await bare(call, batch)


async def with_aiometer(call: Call, accounts: Sequence[Account]) -> None:
    """The same with aiometer."""
    import aiometer

    await aiometer.run_on_each(call, list(accounts), max_at_once=AT_ONCE)


async def ours(call: Call, accounts: Accounts, settings: Settings) -> None:
    """A run in memory, and its frame."""
    run = await process(
        accounts, call, concurrency=AT_ONCE, store="memory", settings=settings
    )
    if len(run.frame) != run.summary.completed:
        raise AssertionError(f"not all accounts were completed: {run.summary}")


def engine_figures() -> Iterator[Figure]:
    """Measures a run in memory beside a bare loop, aiometer and the batches."""
    found = _measured(one_turn, ACCOUNTS, others=True)
    yield _beside(
        found,
        "bare",
        BARE,
        what=f"CPU an account, {ACCOUNTS:,} in memory",
        target=TARGET,
    )
    if "aiometer" in found:
        yield _beside(found, "aiometer", "aiometer")
    else:
        yield Figure(what="", note="aiometer is not installed: pip install aiometer")
    yield _beside(found, "batches", "the original's batches, no pauses")
    short = _measured(one_turn, SHORT, others=False)
    yield _beside(short, "bare", BARE, what=f"the same, {SHORT:,} accounts")
    never = _measured(at_once, ACCOUNTS, others=False)
    what = "the same, answered without a wait"
    yield _beside(never, "bare", f"{BARE} · no provider does", what=what)


def _measured(call: Call, number: int, *, others: bool) -> dict[str, list[float]]:
    accounts, chosen = made_up(number), settings()
    values = list(accounts)
    works: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "bare": lambda: bare(call, values),
        "ours": lambda: ours(call, accounts, chosen),
    }
    if others:
        works["batches"] = lambda: batches(call, values)
    if others and find_spec("aiometer") is not None:
        works["aiometer"] = lambda: with_aiometer(call, values)
    measures = {
        name: partial(_cpu_us, work, accounts=number) for name, work in works.items()
    }
    return in_turns(measures, rounds=ROUNDS)


def _cpu_us(work: Callable[[], Coroutine[Any, Any, None]], *, accounts: int) -> float:
    gc.collect()
    began = time.process_time()
    asyncio.run(work())
    return (time.process_time() - began) / accounts * 1e6


def _beside(
    found: Mapping[str, Sequence[float]],
    name: str,
    peer: str,
    *,
    what: str = "",
    target: float | None = None,
) -> Figure:
    return Figure(
        what=what,
        ours=_microseconds(found["ours"]),
        peer=f"{_microseconds(found[name])} {peer}",
        ratio=ratio(found["ours"], found[name]),
        target=target,
    )


def _microseconds(values: Sequence[float]) -> str:
    return f"{median(values):.1f} µs"
