"""Lists that nobody would send: the short form of `tests.soak.lists`."""

from __future__ import annotations

import pytest

from tests.soak.lists import load_many


@pytest.mark.slow
def test_any_list_loads_with_exact_books_or_is_refused() -> None:
    became, troubles = load_many(120, seed=1)
    assert not troubles, "\n".join(troubles)
    assert min(became["loaded"], became["refused"]) > 20
