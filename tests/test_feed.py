"""In which order accounts are handed out."""

from __future__ import annotations

import math

from sdr_kit.account import Account
from sdr_kit.feed import Feed
from sdr_kit.worker import Work


def feed(number: int, *, now: float = 0.0) -> Feed:
    accounts = [Account(company_name=f"Company {i}", position=i) for i in range(number)]
    return Feed(accounts, now=now)


def take(feed: Feed, now: float = 0.0) -> Work:
    work = feed.maybe_next(now)
    assert work is not None
    return work


def order(feed: Feed, now: float = 0.0) -> list[int]:
    positions = []
    while (work := feed.maybe_next(now)) is not None:
        positions.append(work.account.position)
    return positions


def test_accounts_come_in_the_order_of_the_list() -> None:
    assert order(feed(5)) == [0, 1, 2, 3, 4]


def test_all_accounts_are_ready_from_the_start_of_the_run() -> None:
    assert take(feed(1, now=7.0), now=9.0).ready_at == 7.0


def test_an_account_that_is_due_comes_ahead_of_the_untouched() -> None:
    it = feed(4)
    work = take(it)
    it.put_back(work, due=5.0)
    assert take(it, 4.9).account.position == 1
    assert take(it, 5.0) is work
    assert work.ready_at == 5.0
    assert order(it, 5.0) == [2, 3]


def test_accounts_that_are_due_come_by_due_time_and_keep_their_order() -> None:
    it = feed(5)
    works = [take(it) for _ in range(5)]
    for work, due in zip(works, [3.0, 1.0, 2.0, 1.0, 9.0], strict=True):
        it.put_back(work, due=due)
    assert order(it, 3.0) == [1, 3, 2, 0]
    assert it.waiting == 1


def test_it_is_empty_when_nothing_is_left_now_or_later() -> None:
    it = feed(1)
    assert not it.empty
    work = take(it)
    assert it.empty
    it.put_back(work, due=1.0)
    assert not it.empty
    assert it.waiting == 1
    assert it.maybe_next(0.5) is None
    assert take(it, 1.0) is work
    assert it.empty
    assert it.maybe_next(1e9) is None
    assert feed(0).empty


def test_the_time_to_the_next_account_is_that_of_the_earliest() -> None:
    it = feed(2)
    first, second = take(it), take(it)
    assert it.seconds_to_next(0.0) == math.inf
    it.put_back(first, due=9.0)
    it.put_back(second, due=5.0)
    assert it.seconds_to_next(2.0) == 3.0


def test_those_who_wait_can_be_given_their_tries_back() -> None:
    it = feed(2)
    waiting, running = take(it), take(it)
    for work in (waiting, running):
        work.retries, work.refused_since, work.refusals = 3, 1.0, 2
        work.attempts = 4
    it.put_back(waiting, due=9.0)
    it.forgive(0.0)
    assert (waiting.retries, waiting.refused_since, waiting.refusals) == (0, None, 0)
    assert waiting.attempts == 4  # what was called was called
    assert (running.retries, running.refused_since) == (3, 1.0)
    assert it.seconds_to_next(0.0) == 9.0


def test_what_was_tried_before_comes_first_and_its_attempts_count_on() -> None:
    accounts = [Account(company_name=f"Company {i}", position=i) for i in (3, 5, 8, 9)]
    it = Feed(accounts, now=7.0, tried={8: (2, 3.5), 5: (1, 0.5), 99: (1, 1.0)})
    assert it.waiting == 2
    first = take(it, 7.0)
    assert (first.account.position, first.attempts, first.seconds) == (5, 1, 0.5)
    assert first.ready_at == 7.0
    assert order(it, 7.0) == [8, 3, 9]
    assert it.empty
