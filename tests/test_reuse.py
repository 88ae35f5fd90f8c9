"""What is stored and fresh is not paid for again; what cannot be told is."""

from __future__ import annotations

import functools
import json
import math
import os
import random
import reprlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, Research, Settings
from sdr_kit.account import Evidence
from sdr_kit.batch import Run
from sdr_kit.dates import days_ago
from sdr_kit.fingerprint import fingerprint_of
from sdr_kit.memory_store import MemoryStore
from sdr_kit.store import AnyStore, Store
from tests.accounts import made_up

PROOF = Evidence(source="https://a.de/x", quote="so", at="2026-11-23T10:00:00Z")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest) -> AnyStore:
    return MemoryStore() if request.param == "memory" else Store("sqlite:///reuse.db")


class Counting:
    """Says what it is told to, for a cent; counts its calls."""

    def __init__(self, fingerprint: str | None = "a|model|brief") -> None:
        self.fingerprint = fingerprint
        self.calls: list[str] = []
        self.failing: set[str] = set()

    async def __call__(self, account: Account) -> Research:
        self.calls.append(account.company_name)
        if account.company_name in self.failing:
            raise Permanent("no")
        return Research(
            fields={"call": len(self.calls)},
            tier="B",
            priority_score=5,
            cost_usd=0.01,
            evidence={"call": (PROOF,)},
        )


async def process(
    researcher: Any, store: AnyStore, number: int = 6, **options: Any
) -> Run:
    options.setdefault("settings", Settings())
    return await sdr_kit.process(made_up(number), researcher, store=store, **options)


@pytest.mark.anyio
async def test_the_same_run_again_makes_no_call_and_costs_nothing(
    store: AnyStore,
) -> None:
    first = await process(counting := Counting(), store)
    again = await process(counting, store)
    assert len(counting.calls) == 6
    assert again.summary.reused == again.summary.completed == 6
    assert again.summary.cost_usd == 0
    assert again.summary.accounts_per_minute == 0
    assert again.frame["reused"].all()
    assert again.frame["cost_usd"].isna().all()
    assert (again.frame["attempts"] == 0).all()
    for column in ("call", "tier", "priority_score"):
        assert again.frame[column].equals(first.frame[column])
    assert again.evidence.equals(first.evidence)
    assert {each.saved_usd for each in store.results(again.job_id)} == {0.01}


@pytest.mark.anyio
async def test_a_longer_list_researches_what_is_new(store: AnyStore) -> None:
    await process(counting := Counting(), store, 4)
    run = await process(counting, store, 10)
    assert (run.summary.reused, run.summary.completed) == (4, 10)
    assert sorted(counting.calls) == sorted(made_up(10).frame["company_name"])
    assert list(run.frame["reused"]) == [True] * 4 + [False] * 6


@pytest.mark.anyio
async def test_a_failure_is_researched_again(store: AnyStore) -> None:
    counting = Counting()
    counting.failing = {"Company 2"}
    await process(counting, store)
    counting.failing, counting.calls = set(), []
    run = await process(counting, store)
    assert counting.calls == ["Company 2"]
    assert run.summary.completed == 6


@pytest.mark.anyio
@pytest.mark.parametrize(
    "other", [{"refresh": True}, {"settings": Settings(reuse_days=0)}]
)
async def test_a_refresh_pays_again(store: AnyStore, other: dict[str, Any]) -> None:
    await process(counting := Counting(), store)
    run = await process(counting, store, **other)
    assert len(counting.calls) == 12
    assert run.summary.reused == 0
    newest = await process(counting, store)
    assert list(newest.frame["call"]) == list(run.frame["call"])


@pytest.mark.anyio
@pytest.mark.parametrize("other", ["a|model|other brief", None])
async def test_another_researcher_is_another_answer(
    store: AnyStore, other: str | None
) -> None:
    await process(Counting(), store)
    calls = []
    for _ in range(2):
        await process(counting := Counting(other), store, 3)
        calls.append(len(counting.calls))
    assert calls == [3, 0 if other else 3]


@pytest.mark.anyio
async def test_the_sandbox_is_never_reused(store: AnyStore) -> None:
    counting = Counting()
    counting.synthetic = True  # type: ignore[attr-defined]
    await process(counting, store)
    await process(counting, store)
    assert len(counting.calls) == 12


@pytest.mark.anyio
async def test_what_is_reused_of_a_reuse_is_that_of_the_first(store: AnyStore) -> None:
    first = await process(counting := Counting(), store)
    await process(counting, store)
    third = await process(counting, store)
    assert {e.reused_from for e in store.results(third.job_id)} == {first.job_id}
    assert {e.saved_usd for e in store.results(third.job_id)} == {0.01}


@pytest.mark.anyio
async def test_what_is_reused_when_the_first_is_deleted_is_still_the_first_s() -> None:
    store = Store("sqlite:///reuse.db")
    await process(counting := Counting(), store)
    await process(counting, store)
    store.delete_job(1)
    third = await process(counting, store)
    assert len(counting.calls) == 6
    (found,) = {(e.reused_from, e.saved_usd) for e in store.results(third.job_id)}
    assert found == (1, 0.01)


@pytest.mark.anyio
async def test_what_is_older_than_the_days_is_researched_again() -> None:
    store = Store("sqlite:///reuse.db")
    await process(counting := Counting(), store)
    with sqlite3.connect(str(store)) as db:
        db.execute("UPDATE results SET found_at = '2020-01-01T00:00:00.000+00:00'")
    db.close()
    asked = {"fingerprint": "a|model|brief", "since": days_ago(60)}
    assert store.fresh(made_up(6).keys, **asked) == {}
    await process(counting, store)
    assert len(counting.calls) == 12
    assert len(store.fresh(made_up(6).keys, **asked)) == 6


@pytest.mark.anyio
async def test_compare_reuses_nothing_and_is_not_reused(store: AnyStore) -> None:
    await process(counting := Counting(), store)
    await sdr_kit.compare(made_up(6), counting, concurrency=(1, 2), sample=6)
    assert len(counting.calls) == 18


@pytest.mark.anyio
async def test_a_person_s_word_stays_above_what_is_reused(store: AnyStore) -> None:
    accounts = made_up(3)
    await process(counting := Counting(), store, 3)
    store.edit(accounts.keys[1], sdr_kit.account.Edit(tier="A", notes="call"))
    run = await process(counting, store, 3)
    assert list(run.frame["tier"]) == ["B", "A", "B"]


# What a function is known by.

LIMIT = 3
CLIENT = random.Random(1)


def helper(text: str) -> str:
    return text[:LIMIT]


def plain(account: Account) -> dict[str, str]:
    return {"name": helper(account.company_name), "pi": json.dumps(math.pi)}


def with_client(account: Account) -> dict[str, float]:
    return {"luck": CLIENT.random(), "name": len(account.company_name)}


def made(word: object) -> Callable[[Account], dict[str, object]]:
    def research(account: Account) -> dict[str, object]:
        return {"word": word, "name": account.company_name}

    return research


def with_import(account: Account) -> dict[str, object]:
    from tests.accounts import made_up  # of one's own, and may change

    return {"name": account.company_name, "more": made_up(1)}


class Shy(str):
    """A text that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


def with_ours(account: Account) -> Research:
    if account.domain is None:
        raise sdr_kit.Permanent("No domain.")
    return Research(fields={})


def from_file(source: str) -> Callable[..., Any]:
    """Gives the function `f` of a module whose file says something else by now."""
    names: dict[str, Any] = {each.__name__: each for each in (functools, json, reprlib)}
    exec(compile(source, __file__, "exec"), names)  # noqa: S102 (what is in a cell)
    function: Callable[..., Any] = names["f"]
    return function


WRAPPED = """
def upper(function):
    @functools.wraps(function)
    def inner(account):
        return {{"said": {word!r}, **function(account)}}
    return inner

@upper
def f(account):
    return {{}}
"""
PICKED = """
def one(account):
    return {{"word": 1}}

def two(account):
    return {{"word": 2}}

zeal = {name}

def f(account):
    return one(account) | two(account) | zeal(account)
"""
NAMED = """
type = {word!r}

def f(account):
    return {{"kind": type}}
"""
ASKING = """
def f(account):
    return {{"said": f.prompt}}

f.prompt = {word!r}
"""
BORROWED = """
@functools.wraps(json.dumps)
def f(account):
    return {{"said": {word!r}}}
"""
HIDDEN = """
f = reprlib.recursive_repr({word!r})
"""


@pytest.mark.parametrize(
    "source", [WRAPPED, PICKED, NAMED, ASKING, BORROWED], ids=range(5)
)
def test_functions_that_look_alike_and_say_something_else_differ(source: str) -> None:
    made = [{"word": "a", "name": "one"}, {"word": "b", "name": "two"}]
    one, two = (fingerprint_of(from_file(source.format(**each))) for each in made)
    assert one != two
    assert one is not None
    assert fingerprint_of(from_file(source.format(**made[0]))) == one


def test_two_lambdas_of_one_line_differ() -> None:
    both = [lambda _: {"said": "a"}, lambda _: {"said": "b"}]
    assert len({fingerprint_of(each) for each in both} - {None}) == 2


def test_what_a_library_made_of_somebody_s_values_is_known_by_these() -> None:
    one, two = (from_file(HIDDEN.format(word=word)) for word in "ab")
    assert fingerprint_of(one) is None or fingerprint_of(one) != fingerprint_of(two)


def test_a_function_is_the_same_in_another_process() -> None:
    """Sets are in another order there."""
    asked = "lambda account: {'known': account.domain in {'a', 'b', 'c', 'd'}}"
    script = f"from sdr_kit.fingerprint import fingerprint_of as of; print(of({asked}))"
    told = {
        subprocess.run(  # noqa: S603 (our own)
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert b"lambda" in told.pop()


def test_a_function_is_known_by_what_it_does() -> None:
    assert fingerprint_of(plain) == fingerprint_of(plain)
    assert fingerprint_of(made("a")) == fingerprint_of(made("a"))
    assert fingerprint_of(made({"a": (1, [2.5])})) is not None
    told = [plain, made("a"), made("b"), made(1), made("1"), made(1.0), made(None)]
    told += [with_ours, made([1]), made((1,)), made({1}), functools.partial(plain)]
    known = [fingerprint_of(each) for each in told]
    assert None not in known
    assert len(set(known)) == len(known)


def test_a_changed_global_or_helper_is_another_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = fingerprint_of(plain)
    monkeypatch.setitem(globals(), "LIMIT", 4)
    changed = fingerprint_of(plain)
    assert before != changed
    monkeypatch.setitem(globals(), "helper", lambda text: text)
    assert fingerprint_of(plain) not in (before, changed)


@pytest.mark.parametrize(
    "unknown",
    [
        with_client,
        made(random.Random(1)),
        made(object()),
        print,
        Counting(None),
        functools.partial(made, random.Random(1)),
        with_import,
        made(Shy("a")),
    ],
    ids=range(8),
)
def test_what_cannot_be_told_is_not_known(unknown: Any) -> None:
    assert fingerprint_of(unknown) is None
