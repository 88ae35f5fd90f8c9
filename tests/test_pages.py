"""A list by pages gives what the list gives, and holds a page of it."""

from __future__ import annotations

import tracemalloc

import pandas as pd

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.loading.pages import PAGE, Keys, Pages
from tests.accounts import made_up


def wide(number: int) -> Accounts:
    return load_accounts(
        pd.DataFrame(
            {
                "company_name": [f"Company {i}" for i in range(number)],
                "website": ["" if i % 3 else f"c{i}.com" for i in range(number)],
                "size": range(number),
                "since": [None if i % 2 else i / 2 for i in range(number)],
            },
            index=range(5, number + 5),
        )
    )


def test_pages_are_the_accounts_of_the_list() -> None:
    accounts = wide(2 * PAGE + 7)
    every = list(Pages(accounts.frame))
    assert every == list(accounts)
    assert len(every) == len(Pages(accounts.frame)) == 2 * PAGE + 7
    assert [each.position for each in every] == list(range(2 * PAGE + 7))
    last = every[-1]
    assert (last.domain, last.extra["size"]) == (None, 2 * PAGE + 6)
    assert every[1].extra["since"] is None


def test_chosen_accounts_come_in_the_order_in_which_they_are_named() -> None:
    accounts = wide(20)
    every = list(accounts)
    some = Pages(accounts.frame, [7, 3, 11])
    assert list(some) == [every[7], every[3], every[11]]
    assert some[-1] == every[11]
    assert list(some[1:]) == [every[3], every[11]]
    assert list(Pages(accounts.frame, [])) == []
    everything = Pages(accounts.frame)
    assert list(everything[2:11:3]) == every[2:11:3]
    assert list(everything[::-1]) == every[::-1]


def test_what_becomes_of_the_frame_meanwhile_changes_nothing() -> None:
    accounts = made_up(3)
    pages = Pages(accounts.frame)
    accounts.frame["company_name"] = "Another"
    assert [each.company_name for each in pages] == [f"Company {i}" for i in range(3)]


def test_keys_by_pages_are_those_of_the_list() -> None:
    accounts = wide(PAGE + 3)
    keys = Keys(accounts.frame)
    assert list(keys) == accounts.keys
    assert keys[PAGE] == accounts.keys[PAGE]
    assert len(keys) == PAGE + 3


def test_going_through_a_list_holds_no_more_than_a_page() -> None:
    accounts = made_up(20 * PAGE)
    pages = Pages(accounts.frame)
    tracemalloc.start()
    try:
        for _ in pages:
            pass
        paged = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        everything = list(pages)
        whole = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(everything) == 20 * PAGE
    assert paged < whole / 5
