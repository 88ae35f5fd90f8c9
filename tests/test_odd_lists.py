"""Lists that nobody would send: the short form of `tests.soak.lists`."""

from __future__ import annotations

import pandas as pd
import pytest

from sdr_kit.accounts import load_accounts
from tests.soak.lists import load_many


@pytest.mark.slow
def test_any_list_loads_with_exact_books_or_is_refused() -> None:
    became, troubles = load_many(100, seed=1)
    assert not troubles, "\n".join(troubles)
    assert min(became["loaded"], became["refused"]) > 20


def test_half_a_character_in_a_category_is_loaded() -> None:
    notes = pd.Categorical(["\ud800", "fine"])
    frame = pd.DataFrame({"company_name": ["Acme", "B"], "arr": [1, 2], "notes": notes})
    assert load_accounts(frame).frame["notes"].tolist() == ["\ud800", "fine"]
