"""What the engine costs an account, in CPU, beside others that run several at once.

Everything is counted: the accounts, attempts and outcomes as values, the store in
memory, and the frame at the end. The others only call the function.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

from sdr_kit.account import Account
from sdr_kit.accounts import Accounts
from sdr_kit.batch import process
from sdr_kit.costs.figure import Figure, in_turns, ratio
from sdr_kit.costs.lists import AT_ONCE, at_once, made_up, one_turn, settings
from sdr_kit.schedules import in_batches

ACCOUNTS = 5_000
ROUNDS = 9
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


async def ours(call: Call, accounts: Accounts) -> None:
    """A run in memory, and its frame."""
    run = await process(
        accounts, call, concurrency=AT_ONCE, store="memory", settings=settings()
    )
    if len(run.frame) != run.summary.completed:
        raise AssertionError(f"not all accounts were completed: {run.summary}")


def engine_figures() -> list[Figure]:
    """Measures a run in memory beside a bare loop, aiometer and the batches."""
    found = _measured(one_turn, aiometer=find_spec("aiometer") is not None)
    never = _measured(at_once, aiometer=False)
    figures = [
        Figure(
            what="CPU an account, in memory",
            ours=_microseconds(found["ours"]),
            peer=f"{_microseconds(found['bare'])} {BARE}",
            ratio=ratio(found["ours"], found["bare"]),
            target=TARGET,
        )
    ]
    if "aiometer" in found:
        figures.append(_beside(found, "aiometer", "aiometer"))
    else:
        figures.append(
            Figure(what="", note="aiometer is not installed: pip install aiometer")
        )
    figures.append(_beside(found, "batches", "the original's batches, no pauses"))
    figures.append(
        Figure(
            what="the same, of a function that never waits",
            ours=_microseconds(never["ours"]),
            peer=f"{_microseconds(never['bare'])} {BARE}",
            ratio=ratio(never["ours"], never["bare"]),
            note="no provider answers so",
        )
    )
    return figures


def _measured(call: Call, *, aiometer: bool) -> dict[str, list[float]]:
    accounts = made_up(ACCOUNTS)
    values = list(accounts)
    measures: dict[str, Callable[[], float]] = {
        "bare": lambda: _cpu(bare(call, values)),
        "ours": lambda: _cpu(ours(call, accounts)),
        "batches": lambda: _cpu(batches(call, values)),
    }
    if aiometer:
        measures["aiometer"] = lambda: _cpu(with_aiometer(call, values))
    return in_turns(measures, rounds=ROUNDS)


def _cpu(work: Any) -> float:
    """Gives the microseconds of CPU an account."""
    gc.collect()
    began = time.process_time()
    asyncio.run(work)
    return (time.process_time() - began) / ACCOUNTS * 1e6


def _beside(found: dict[str, list[float]], name: str, peer: str) -> Figure:
    return Figure(
        what="",
        ours=_microseconds(found["ours"]),
        peer=f"{_microseconds(found[name])} {peer}",
        ratio=ratio(found["ours"], found[name]),
    )


def _microseconds(values: Sequence[float]) -> str:
    return f"{median(values):.1f} µs"
