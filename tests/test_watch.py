"""What an attempt comes to that was cut off; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

import sdr_kit
from sdr_kit import Account, Research, Settings, Transient
from sdr_kit.account import RateLimits, Usage
from sdr_kit.memory_store import MemoryStore
from tests.accounts import made_up


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


async def test_what_a_failure_took_that_comes_as_it_is_cut_off_is_kept() -> None:
    usage = Usage(input_tokens=7, cost_usd=0.5)
    limits = RateLimits(requests_remaining=3)
    found = Research(fields={"a": 1})

    async def research(_: Account) -> dict[str, str]:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            failed = Transient("paid, and in vain")
            failed.about(usage=usage, limits=limits, request_id="req_1", found=found)
            raise failed from None
        return {}

    store = MemoryStore()
    settings = Settings(account_timeout_seconds=5, max_api_retries=0)
    run = await sdr_kit.process(made_up(1), research, store=store, settings=settings)
    (row,) = run.frame.to_dict("records")
    assert "No answer within" in row["error_message"]
    assert row["cost_usd"] == 0.5
    assert row["a"] == 1
    (attempt,) = store.attempts(1)
    assert attempt.usage == usage
    assert attempt.limits == limits
    assert attempt.request_id == "req_1"
