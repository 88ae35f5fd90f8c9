"""Starts workers at once: a process that has imported everything, and forks.

Each line on its standard input is a JSON list of workers, each a list of the arguments
of `tests.soak.holder`. It says their numbers, waits until they have ended, and says
how. What they say themselves stands between.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


class Nursery:
    """The other end of it: an async context manager.

    Attributes:
        said: The words of all workers, and how often.
    """

    def __init__(self) -> None:
        self.said: Counter[str] = Counter()
        self._process: Process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, cwd=ROOT, stdin=PIPE, stdout=PIPE
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def born(self, *workers: Sequence[object]) -> list[int]:
        """Starts workers and gives their numbers."""
        assert self._process.stdin is not None
        said = [[str(word) for word in words] for words in workers]
        self._process.stdin.write(f"{json.dumps(said)}\n".encode())
        return await self._heard("pids")

    async def ended(self) -> list[int]:
        """Waits for them and gives how each ended; -9 is killed."""
        return await self._heard("ended")

    async def _heard(self, wanted: str) -> list[int]:
        assert self._process.stdout is not None
        while True:
            line = await self._process.stdout.readline()
            assert line, "the nursery has ended"
            word, *numbers = line.decode().split()
            if word == wanted:
                return [int(each) for each in numbers]
            self.said[word] += 1


def _worked(words: list[str]) -> int:
    from tests.soak.holder import main

    try:
        main(words)
    except BaseException:  # noqa: BLE001 (said, as at the end of any process)
        traceback.print_exc()
        return 1
    return 0


def _fork(words: list[str]) -> int:
    if pid := os.fork():
        return pid
    os._exit(_worked(words))


def main() -> None:
    import tests.soak.holder  # noqa: F401 (that is what it is for)

    for line in sys.stdin:
        pids = [_fork(words) for words in json.loads(line)]
        print("pids", *pids, flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print("ended", *codes, flush=True)


if __name__ == "__main__":
    main()
