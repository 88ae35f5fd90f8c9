"""Lets two processes fight for one job, and looks at every write that is committed.

    uv run python -m tests.soak.fight --seconds 60

Their leases are short. Whoever has the job is stopped until its lease has run out and
the other one has taken over; then it goes on, believing that it still has the job, with
answers in its hands. Triggers in the database tell whose write it is (`notary`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sdr_kit.lease import Lease
from sdr_kit.store import Store
from tests.soak.holder import JOB
from tests.soak.notary import Notary
from tests.soak.nursery import Nursery
from tests.soak.provider import Provider
from tests.soak.table import Line, at_least, exactly, written

LEASE_SECONDS = 0.5
ANSWER_SECONDS = 0.02
ACCOUNTS_A_SECOND = 60  # about what they do of them while they are stopped in turns
FEWEST = 200
PATIENCE_SECONDS = 60.0


class Fight:
    """Two workers, and somebody who stops them in turns.

    Args:
        folder: Where the database is made.
        seconds: How long they are stopped and let go.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, *, seconds: float, seed: int) -> None:
        self._path = folder / "fight.db"
        self._url = f"sqlite:///{self._path}"
        self._accounts = max(FEWEST, int(seconds * ACCOUNTS_A_SECOND))
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._provider = Provider(ANSWER_SECONDS, self._chance)
        self._stops = 0
        self._overtaken = 0  # stops after which another one had the job

    async def run(self) -> list[Line]:
        """Begins the job, lets them fight for it, and says what it has come to."""
        self._store = Store(self._url)
        notary = Notary(self._path)
        async with self._provider, Nursery() as nursery:
            await self._begin(nursery)
            fighters = [
                (self._url, self._provider.address, life, "--lease", LEASE_SECONDS)
                for life in (1, 2)
            ]
            pids = await nursery.born(*fighters)
            deadline = time.monotonic() + self._seconds
            while time.monotonic() < deadline or self._may_yet_be_overtaken(deadline):
                await self._stop_the_holder(pids)
            codes = await asyncio.wait_for(nursery.ended(), PATIENCE_SECONDS * 2)
        return self._lines(notary, lost=nursery.said["lost"], ended=codes == [0, 0])

    def _may_yet_be_overtaken(self, deadline: float) -> bool:
        """One that is stopped while it writes keeps the database, and with it the job.

        A short fight could end with nothing but such stops.
        """
        late = time.monotonic() - deadline > PATIENCE_SECONDS
        return not self._overtaken and not late

    async def _begin(self, nursery: Nursery) -> None:
        """Leaves the job behind as a process does that is killed."""
        words = (self._url, self._provider.address, 0, "--accounts", self._accounts)
        (pid,) = await nursery.born(words)
        await _until(lambda: bool(self._provider.asked))
        os.kill(pid, signal.SIGKILL)
        await nursery.ended()

    async def _stop_the_holder(self, pids: list[int]) -> None:
        lease = self._lease()
        if lease.holder is None or lease.holder.pid not in pids:
            await asyncio.sleep(0.01)
            return
        os.kill(lease.holder.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self._chance.uniform(1.2, 2.5) * LEASE_SECONDS)
        finally:
            os.kill(lease.holder.pid, signal.SIGCONT)
        self._stops += 1
        self._overtaken += self._lease().fence > lease.fence
        await asyncio.sleep(self._chance.uniform(0, 1) * LEASE_SECONDS)

    def _lease(self) -> Lease:
        return self._store.job(JOB).lease

    def _lines(self, notary: Notary, *, lost: int, ended: bool) -> list[Line]:
        once = notary.completed(JOB)
        faults = notary.faults()
        twice = sum(times > 1 for times in once.values())
        requests = len(self._provider.asked)
        repeats = requests - len({position for _, position in self._provider.asked})
        return [
            Line("seconds", self._seconds),
            Line("times a holder was stopped", self._stops),
            at_least(
                "  and overtaken meanwhile", self._overtaken, int(self._seconds / 4)
            ),
            Line("times the job was taken", self._lease().fence),
            at_least("  holders that were told so", lost, 1),
            Line("requests", requests),
            Line("  of these repeats", repeats),
            exactly("results", len(self._store.statuses(JOB)), self._accounts),
            exactly("accounts with two results", twice, 0),
            exactly(
                "accounts completed exactly once", len(once) - twice, self._accounts
            ),
            exactly("writes of a stale holder", faults["a stale write"], 0),
            exactly("other faults noted", faults.total() - faults["a stale write"], 0),
            exactly("both processes ended well", int(ended), 1),
        ]


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fight = Fight(Path(folder), seconds=asked.seconds, seed=asked.seed)
        lines = asyncio.run(fight.run())
    print(written(lines))
    sys.exit(not all(line.holds for line in lines))


if __name__ == "__main__":
    main()
