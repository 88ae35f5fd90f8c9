"""What the length of a list costs: memory and CPU an account, durable.

Each length is a process of its own (`python -m sdr_kit.costs.sizes 10000`), since
memory that was once taken is not given back.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

import psutil

from sdr_kit.accounts import Accounts
from sdr_kit.batch import start
from sdr_kit.costs.durable import new_store
from sdr_kit.costs.figure import Figure
from sdr_kit.costs.lists import AT_ONCE, made_up, one_turn, settings

SIZES = (10_000, 100_000)
MILLION = 1_000_000
MEMORY_MB = 100.0
DEARER = 1.3  # an account of a long list, at most, beside one of the shortest
LOOK_SECONDS = 0.02


class Size(TypedDict):
    """What a list of one length has cost."""

    accounts: int
    above_mb: float
    cpu_us: float


def size_figures(sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """Measures runs over lists of several lengths, the shortest first."""
    least: float | None = None
    for number in sizes:
        found = measured(number)
        least = found["cpu_us"] if least is None else least
        yield Figure(
            what=f"memory of {number:,} accounts, durable",
            ours=f"+{found['above_mb']:.0f} MB",
            peer="after loading",
            target=MEMORY_MB,
            value=found["above_mb"],
        )
        yield Figure(
            what="CPU an account of that list",
            ours=f"{found['cpu_us']:.1f} µs",
            peer=f"{least:.1f} µs at {sizes[0]:,}",
            ratio=found["cpu_us"] / least,
            target=DEARER,
        )


def measured(number: int) -> Size:
    """Measures one length in a process of its own."""
    done = subprocess.run(  # noqa: S603 (ourselves)
        [sys.executable, "-m", __name__, str(number)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    size: Size = json.loads(done.stdout)
    return size


def measure(number: int) -> Size:
    """Measures one length here."""
    accounts = made_up(number)
    _run(made_up(AT_ONCE))  # what is loaded when it is first used
    gc.collect()
    with _highest_mb() as highest:
        before, began = highest[0], time.process_time()
        _run(accounts)
        cpu = time.process_time() - began
    return Size(
        accounts=number,
        above_mb=max(highest) - before,
        cpu_us=cpu / number * 1e6,
    )


def _run(accounts: Accounts) -> None:
    with new_store() as store:
        job = start(
            accounts,
            one_turn,
            concurrency=AT_ONCE,
            store=store,
            settings=settings(),
        )
        if job.wait().summary.completed != len(accounts):
            raise AssertionError(f"not all accounts were completed: {job.summary}")


@contextmanager
def _highest_mb() -> Iterator[list[float]]:
    """Looks how much memory this process has: at first, and at most."""
    process, ended = psutil.Process(), threading.Event()

    def now() -> float:
        return float(process.memory_info().rss) / 1e6

    seen = [now(), 0.0]

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            seen[1] = max(seen[1], now())

    watching = threading.Thread(target=watch, name="memory")
    watching.start()
    try:
        yield seen
    finally:
        ended.set()
        watching.join()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))  # noqa: T201 (for the parent)
