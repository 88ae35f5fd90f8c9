"""What a process does that works on a job, to be killed or stopped by the proofs.

Its arguments: URL PROVIDER LIFE [--accounts N] [--lease SECONDS]. With `--accounts` it
begins job 1 with so many, else it goes on with it. With `--lease` it fights: its leases
last so long, and who loses the job tries to have it back until nothing is left to do.
It says a word on its standard output: `began` when it has the job, `lost` when another
one has taken it, `refused` when another one holds it.
"""

from __future__ import annotations

import argparse
import time

import pytest

import sdr_kit
from sdr_kit.errors import JobHeldError
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.soak.provider import Asking

JOB = 1
CONCURRENCY = 5


class NotingStore(Store):
    """Tells the researcher under which fence its process works."""

    def __init__(self, url: str, asking: Asking) -> None:
        super().__init__(url)
        self._asking = asking

    def claim(self, job_id: int) -> int:
        self._asking.fence = super().claim(job_id)
        return self._asking.fence


def say(word: str) -> None:
    print(word, flush=True)


def work(url: str, address: str, life: int, accounts: int) -> str | None:
    """Works on the job until it ends; gives why it ended early."""
    asking = Asking(address, life)
    store = NotingStore(url, asking)
    job = (
        sdr_kit.start(made_up(accounts), asking, store=store, concurrency=CONCURRENCY)
        if accounts
        else sdr_kit.resume(JOB, asking, store)
    )
    say("began")
    return job.wait().summary.stopped


def fight(url: str, address: str, life: int, lease: float) -> None:
    """Works on the job whenever it can be had, until nothing is left to do."""
    patch = pytest.MonkeyPatch()
    patch.setattr("sdr_kit.job_store.LEASE_SECONDS", lease)
    patch.setattr("sdr_kit.keeper.BEAT_SECONDS", lease / 5)
    patch.setattr("sdr_kit.keeper.LOOK_SECONDS", lease / 10)
    while Store(url).job(JOB).state != "finished":
        try:
            stopped = work(url, address, life, 0)
        except JobHeldError as error:
            # It may have been overtaken before it had begun.
            say("lost" if "was taken over" in str(error) else "refused")
            time.sleep(lease / 5)
        else:
            say("lost" if stopped else "done")


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("provider")
    parser.add_argument("life", type=int)
    parser.add_argument("--accounts", type=int, default=0)
    parser.add_argument("--lease", type=float)
    asked = parser.parse_args(words)
    if asked.lease is None:
        work(asked.url, asked.provider, asked.life, asked.accounts)
    else:
        fight(asked.url, asked.provider, asked.life, asked.lease)
