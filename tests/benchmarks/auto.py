"""uv run python -m tests.benchmarks.auto: `auto` against every position of the slider.

Over real HTTP: the sandbox with a hidden cap, or with a rate limit, on this machine.
Each position of the slider from 1 to 10 and `auto` research the same accounts in turns;
what counts is the median of the seconds by the clock. The sandbox's times are a
twentieth: an answer takes 0.15 s on average, a minute of a rate limit 3 s.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from dataclasses import dataclass
from typing import Literal

import sdr_kit
from sdr_kit import Sandbox, Settings
from tests.accounts import made_up

ACCOUNTS, SCALE, TURNS = 400, 0.05, 5
POSITIONS: tuple[int | Literal["auto"], ...] = (*range(1, 11), "auto")


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What is hidden in the sandbox."""

    name: str
    cap: int | None = None
    per_minute: int | None = None

    def sandbox(self, settings: Settings, seed: int) -> Sandbox:
        return Sandbox(
            latency=3,
            sigma=0.4,
            time_scale=SCALE,
            concurrency_cap=self.cap,
            requests_per_minute=self.per_minute,
            seed=seed,
            settings=settings,
        )


PROVIDERS = (
    Provider(name="cap of 30", cap=30),
    Provider(name="240 a minute", per_minute=240),
    Provider(name="cap of 6", cap=6),
)


async def seconds(
    provider: Provider, concurrency: int | Literal["auto"], seed: int
) -> tuple[float, float]:
    """Gives the seconds of a run, and its refused calls an account."""
    settings = Settings(_env_file=None, database_url=None)
    run = await sdr_kit.process(
        made_up(ACCOUNTS),
        provider.sandbox(settings, seed),
        concurrency=concurrency,
        store="memory",
        settings=settings,
    )
    assert run.summary.completed == ACCOUNTS, run.summary
    refused = (run.attempts["outcome"] == "rate_limited").sum()
    return run.summary.seconds, refused / ACCOUNTS


async def main(turns: int) -> None:
    for provider in PROVIDERS:
        taken: dict[int | str, list[float]] = {each: [] for each in POSITIONS}
        wasted: dict[int | str, list[float]] = {each: [] for each in POSITIONS}
        for turn in range(turns):
            for each in POSITIONS:
                took, refused = await seconds(provider, each, turn)
                taken[each].append(took)
                wasted[each].append(refused)
        medians = {each: statistics.median(taken[each]) for each in POSITIONS}
        best = min(each for name, each in medians.items() if name != "auto")
        print(f"\n{provider.name}: seconds of {ACCOUNTS} accounts, median of {turns}")
        for each in POSITIONS:
            print(
                f"  {each!s:>4}  {medians[each]:6.2f} s  "
                f"{statistics.median(wasted[each]):.3f} refused an account"
            )
        print(f"  auto takes {medians['auto'] / best:.2f}× the best position's time")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS))
