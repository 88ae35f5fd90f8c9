"""Made-up accounts, and researchers that do nothing."""

from __future__ import annotations

import asyncio

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.settings import Settings

AT_ONCE = 50


def made_up(number: int) -> Accounts:
    """Gives a list of so many companies that there are not."""
    names = [f"Company {place}" for place in range(number)]
    domains = [f"company-{place}.com" for place in range(number)]
    return load_accounts(pd.DataFrame({"company_name": names, "domain": domains}))


def settings() -> Settings:
    """Gives settings that let 50 run at once, whatever the environment says."""
    return Settings(max_concurrency=AT_ONCE, account_delay_ms=0, budget_usd=None)


async def one_turn(_account: Account) -> dict[str, int]:
    """Waits for one turn of the loop, as whoever asks somebody does."""
    await asyncio.sleep(0)
    return {"answer": 42}


async def at_once(_account: Account) -> dict[str, int]:
    """Never waits."""
    return {"answer": 42}
