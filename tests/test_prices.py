from __future__ import annotations

from datetime import date

import pytest

from sdr_kit.prices import Prices

DAY = date(2026, 11, 1)


def test_prices_are_read_in_any_order_and_with_spaces() -> None:
    read = Prices.parse(" as_of=2026-11-01 , output = 2,input=0.25,search=10,")
    assert read == Prices(input=0.25, output=2, search=10, as_of=DAY)
    assert Prices.parse("input=1,output=2,cached=0.1,as_of=2026-11-01").cached == 0.1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "as_of, input, output is missing"),
        ("input=1,output=2", "as_of is missing"),
        ("input=1,output=2,as_of=today", "as_of='today' is no date"),
        ("input=free,output=2,as_of=2026-11-01", "input='free' is no number"),
        ("input=1,input=1,output=2,as_of=2026-11-01", "repeated"),
        ("price=1", "'price=1' is unknown"),
        ("input=nan,output=2,as_of=2026-11-01", "must be 0 or more"),
        ("input=1,output=-2,as_of=2026-11-01", "must be 0 or more"),
    ],
)
def test_what_is_no_price_list_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Prices.parse(text)


@pytest.mark.parametrize(
    ("cached", "tokens", "dollars"),
    [(None, 0, 0.3), (None, 100_000, 0.3), (0.1, 100_000, 0.21), (0.1, 10**9, 0.21)],
)
def test_a_call_costs_what_it_read_wrote_and_searched(
    cached: float | None, tokens: int, dollars: float
) -> None:
    prices = Prices(input=1, output=2, search=10, cached=cached, as_of=DAY)
    cost = prices.cost(
        input_tokens=100_000, cached_tokens=tokens, output_tokens=50_000, searches=10
    )
    assert cost == pytest.approx(dollars)


@pytest.mark.parametrize(("written", "dollars"), [(400_000, 0.65), (10**9, 0.675)])
def test_what_is_put_into_the_cache_may_cost_more(written: int, dollars: float) -> None:
    text = "input=1,output=2,cached=0.1,cache_write=1.25,as_of=2026-11-01"
    cost = Prices.parse(text).cost(
        input_tokens=1_000_000,
        cached_tokens=500_000,
        cache_write_tokens=written,
        output_tokens=0,
        searches=0,
    )
    assert cost == pytest.approx(dollars)
