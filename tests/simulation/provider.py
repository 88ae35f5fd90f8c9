"""A provider in virtual time, with limits that nobody is told.

It is a researcher as any other: the whole engine runs against it. What it refuses it
refuses as providers do, soon and with 429; what it takes lasts as long as the account
does, longer when many are at work and it has a knee. Whatever is drawn at random is
drawn for an account and a try, so that all who race meet the same luck.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields

from sdr_kit import Account, RateLimited, Research, Transient
from sdr_kit.account import RateLimits, Usage
from tests.simulation.hidden import Limit
from tests.simulation.machine import Machine

TOKENS, TOKENS_SIGMA = 2_000.0, 0.4  # median, and shape, of what an answer takes
PROMPT = 0.8  # of the tokens
REFUSAL_SECONDS = 0.05, 0.3  # between these two a refusal takes


class Provider:
    """What is asked.

    Args:
        latencies: Seconds of each account, with nobody else at work.
        machine: Makes longer of them, if many are at work.
        limits: Why it refuses.
        noise: Share of calls that end in 503.
        seed: Of its luck.

    Attributes:
        refused: Calls refused so far.
        answered: When each answer was given.
        provider: Its name, under which a store keeps what was learned.
    """

    synthetic = False
    provider = "simulated"

    def __init__(
        self,
        latencies: Sequence[float],
        *,
        machine: Machine,
        limits: Sequence[Limit],
        noise: float,
        seed: int,
    ) -> None:
        self.refused = 0
        self.answered: list[float] = []
        self._latencies, self._machine, self._limits = latencies, machine, limits
        self._noise, self._seed = noise, seed
        self._working = 0
        self._tries: Counter[int] = Counter()
        self._rng = random.Random(f"refusals {seed}")
        draw = random.Random(f"tokens {seed}")
        middle = math.log(TOKENS)
        self._tokens = [draw.lognormvariate(middle, TOKENS_SIGMA) for _ in latencies]
        self._ended = asyncio.Event()
        self._queue = asyncio.Lock()

    async def __call__(self, account: Account) -> Research:
        """Answers, or refuses."""
        now = asyncio.get_running_loop().time()
        refusing = [each for each in self._limits if each.wait(now, self._working)]
        if refusing:
            self.refused += 1
            asked = max(each.asks(now) or 0.0 for each in refusing)
            said = self._said(now)
            await asyncio.sleep(self._rng.uniform(*REFUSAL_SECONDS))
            error = RateLimited("Too many requests", retry_after=asked or None)
            raise error.about(limits=said)
        return await self._answer(account, self._take(account))

    async def patient(self, account: Account) -> Research:
        """Answers one who knows when it will be taken, and comes just then.

        One waits at a time, in the order in which they came.
        """
        async with self._queue:
            while wait := self._wait():
                self._ended.clear()
                try:
                    async with asyncio.timeout(None if math.isinf(wait) else wait):
                        await self._ended.wait()
                except TimeoutError:
                    continue
            said = self._take(account)
        return await self._answer(account, said)

    def _wait(self) -> float:
        now = asyncio.get_running_loop().time()
        waits = (each.wait(now, self._working) for each in self._limits)
        return max(waits, default=0.0)

    def _take(self, account: Account) -> RateLimits:
        """Takes a call; gives what its answer will say of the limits."""
        now = asyncio.get_running_loop().time()
        for each in self._limits:
            each.take(now, self._tokens[account.position])
        self._working += 1
        return self._said(now)

    async def _answer(self, account: Account, said: RateLimits) -> Research:
        seconds, place = self._latencies[account.position], account.position
        self._tries[place] += 1
        luck = random.Random(f"{self._seed} {place} {self._tries[place]}")
        fails = luck.random() < self._noise
        try:
            await self._machine.work(seconds * (luck.random() if fails else 1.0))
        finally:
            self._working -= 1
            self._ended.set()
        if fails:
            raise Transient("HTTP 503: try again")
        self.answered.append(asyncio.get_running_loop().time())
        prompt = round(PROMPT * self._tokens[place])
        usage = Usage(
            input_tokens=prompt, output_tokens=round(self._tokens[place]) - prompt
        )
        return Research(fields={"ok": True}, usage=usage, limits=said or None)

    def _said(self, now: float) -> RateLimits:
        """Puts what the limits say into the headers of one answer."""
        said = [each.says(now) for each in self._limits]
        names = [each.name for each in fields(RateLimits)]
        found = {
            name: value
            for each in said
            for name in names
            if (value := getattr(each, name)) is not None
        }
        return RateLimits(**found)
