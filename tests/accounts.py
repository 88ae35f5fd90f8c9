"""Made-up lists of accounts for tests of the engine."""

from __future__ import annotations

import pandas as pd

from sdr_kit.accounts import Accounts, load_accounts


def made_up(number: int) -> Accounts:
    return load_accounts(
        pd.DataFrame(
            {
                "company_name": [f"Company {i}" for i in range(number)],
                "domain": [f"company-{i}.com" for i in range(number)],
            }
        )
    )
