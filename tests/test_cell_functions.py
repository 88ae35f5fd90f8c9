"""Functions as analysts write them in cells: each ends in an outcome that says why.

Every function runs through `sdr_kit.process`, as it would in a notebook, as an async
function and as a plain one.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import json
import math
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Permanent, RateLimited, Transient
from sdr_kit.batch import Run
from sdr_kit.errors import MESSAGE_LIMIT
from sdr_kit.worker import Researcher
from tests.accounts import made_up

MAPPING = "it must return a mapping of column to value, or a Research"


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


@pytest.fixture(params=["async", "plain"])
def kind(request: pytest.FixtureRequest) -> str:
    """How the function in the cell begins: with `async def` or with `def`."""
    return str(request.param)


def written(body: Callable[[Account], Any], kind: str) -> Researcher:
    """Gives the function of a cell with such a body."""

    async def research(account: Account) -> Any:
        return body(account)

    def research_plain(account: Account) -> Any:
        return body(account)

    return research if kind == "async" else research_plain


def raising(error: BaseException) -> Callable[[Account], Any]:
    def body(_account: Account) -> None:
        raise error

    return body


def returning(answer: Any) -> Callable[[Account], Any]:
    return lambda _account: answer


async def process(researcher: Researcher, number: int = 1) -> Run:
    return await sdr_kit.process(made_up(number), researcher, store="memory")


async def row_of(researcher: Researcher) -> dict[str, Any]:
    run = await process(researcher)
    assert run.summary.stopped is None
    return {str(name): value for name, value in run.frame.iloc[0].items()}


async def message_of(researcher: Researcher) -> str:
    row = await row_of(researcher)
    assert (row["status"], row["error_kind"]) == ("failed", "permanent")
    assert row["attempts"] == 1
    assert len(row["error_message"]) <= MESSAGE_LIMIT
    return str(row["error_message"])


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@dataclass
class Found:
    provider: str


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no such page"), "ValueError: no such page"),
        (ValueError(), "ValueError"),
        (KeyError("provider"), "KeyError: 'provider'"),
        (IndexError("list index out of range"), "IndexError: list index out of range"),
        (AssertionError("empty"), "AssertionError: empty"),
        (Permanent("The site is for sale."), "The site is for sale."),
        (Unprintable(), "Unprintable"),
        (StopIteration(), "RuntimeError: coroutine raised StopIteration"),
        (
            ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("bad page")]),
            "ValueError: bad page",
        ),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [KeyError("x")]), ValueError()]),
            "KeyError: 'x'",
        ),
        (SystemExit(3), "The researcher called exit()."),
        (asyncio.CancelledError(), "The researcher cancelled itself."),
    ],
)
async def test_what_it_raises_is_the_message_of_its_row(
    error: BaseException, message: str, kind: str
) -> None:
    found = await message_of(written(raising(error), kind))
    assert found.startswith(message)


def from_cell(source: str, name: str = "research") -> Researcher:
    """Gives a function as a kernel makes it: from a file that is only in memory."""
    names: dict[str, Any] = {"json": json, "sdr_kit": sdr_kit}
    code = compile(source, "/tmp/ipykernel_12/3456.py", "exec")  # noqa: S108
    exec(code, names)  # noqa: S102 (what is in a cell)
    researcher: Researcher = names[name]
    return researcher


@pytest.mark.parametrize("start", ["def", "async def"])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["    page = {}", "    return {'tier': page['tier']}"],
            "KeyError: 'tier' (in research, line 3)",
        ),
        (
            ["    text = '{'", "    return json.loads(text)"],  # raised in a library
            "line 1 column 2 (char 1) (in research, line 3)",
        ),
        (["    raise ValueError"], "ValueError (in research, line 2)"),
        (["    raise ValueError('x' * 9_999)"], "x… (in research, line 2)"),
        (["    raise sdr_kit.Permanent('For sale.')"], "For sale."),
    ],
)
async def test_a_mistake_is_named_with_its_line_in_the_cell(
    start: str, lines: list[str], message: str
) -> None:
    source = "\n".join([f"{start} research(account):", *lines])
    assert (await message_of(from_cell(source))).endswith(message)


async def test_the_line_is_that_of_the_function_in_which_it_happened() -> None:
    source = """
def first_word(text):
    return text.split()[0]

async def research(account):
    return {"word": first_word("")}
"""
    found = await message_of(from_cell(source))
    assert found == "IndexError: list index out of range (in first_word, line 3)"


async def test_passing_trouble_of_a_library_has_no_line() -> None:
    source = "def research(account):\n    raise ConnectionError('reset')"
    row = await row_of(from_cell(source))
    assert row["error_message"] == "ConnectionError: reset"


async def test_a_long_error_is_cut_and_stays_on_one_line(kind: str) -> None:
    found = await message_of(written(raising(ValueError("<p>\n" * 100_000)), kind))
    assert found.startswith("ValueError: <p> <p>")
    assert "\n" not in found


async def test_passing_trouble_is_tried_again(kind: str) -> None:
    calls: list[str] = []

    def body(account: Account) -> dict[str, object]:
        calls.append(account.company_name)
        if len(calls) == 1:
            raise Transient("The page is being moved.")
        if len(calls) == 2:
            raise ConnectionError("reset")
        if len(calls) == 3:
            raise RateLimited("Too many.", retry_after=5)
        return {"tier": "A"}

    row = await row_of(written(body, kind))
    assert (row["status"], row["attempts"], row["tier"]) == ("completed", 4, "A")


async def test_one_that_fails_does_not_stop_the_others(kind: str) -> None:
    def body(account: Account) -> dict[str, object]:
        return {"half": 100 // (account.position - 1)}

    run = await process(written(body, kind), 4)
    assert list(run.frame["status"]) == ["completed", "failed", *["completed"] * 2]
    assert "ZeroDivisionError" in run.frame["error_message"][1]


async def test_a_typing_error_in_the_function_does_not_spend_the_whole_list(
    kind: str,
) -> None:
    run = await process(written(raising(NameError("name 'clint'")), kind), 40)
    assert run.summary.stopped is not None
    assert "name 'clint'" in run.summary.stopped
    assert run.summary.failed < 20
    assert "pending" in set(run.frame["status"])


@pytest.mark.parametrize(
    ("answer", "called"),
    [
        (None, "nothing"),
        ([{"tier": "A"}], "list"),
        (("A", 8), "tuple"),
        ({"A"}, "set"),
        ("Acme makes anvils", "str"),
        ('{"tier": "A"}', "str"),
        (b"{}", "bytes"),
        (8, "int"),
        (True, "bool"),
        (math.nan, "float"),
        (Account(company_name="Acme"), "Account"),
        (pd.DataFrame({"tier": ["A"]}), "DataFrame"),
        (pd.Series({"tier": "A"}), "Series"),
        (ValueError("returned, not raised"), "ValueError"),
        (sdr_kit.Research, "type"),
        (len, "builtin_function_or_method"),
        (Found("Okta"), "Found"),
    ],
)
async def test_what_is_no_answer_is_named(answer: Any, called: str, kind: str) -> None:
    found = await message_of(written(returning(answer), kind))
    assert called in found
    assert MAPPING in found


async def test_yield_in_place_of_return_is_named() -> None:
    async def research(_account: Account) -> AsyncIterator[dict[str, str]]:
        yield {"tier": "A"}

    def research_plain(_account: Account) -> Iterator[dict[str, str]]:
        yield {"tier": "A"}

    assert "async_generator (write `return`, not `yield`)" in await message_of(research)
    assert "generator (write `return`, not `yield`)" in await message_of(research_plain)


async def test_a_forgotten_await_in_a_return_is_named() -> None:
    async def research(account: Account) -> object:
        return fetch(account)

    assert "write `return await`, not `return`" in await message_of(research)


class Unreadable(dict[str, str]):
    def items(self) -> Any:
        raise Unprintable


async def test_an_answer_that_cannot_be_read_fails_only_its_account(kind: str) -> None:
    found = await message_of(written(returning(Unreadable(tier="A")), kind))
    assert found == "The researcher's answer: Unprintable"


async def fetch(_account: Account) -> dict[str, object]:
    await asyncio.sleep(1)
    return {"tier": "A"}


async def test_a_plain_function_may_return_the_call_of_an_async_one() -> None:
    assert (await row_of(lambda account: fetch(account)))["tier"] == "A"


async def test_a_forgotten_await_is_named_with_its_column(kind: str) -> None:
    def body(account: Account) -> dict[str, object]:
        return {"name": account.company_name, "site": {"page": fetch(account)}}

    found = await message_of(written(body, kind))
    assert "column 'site.page'" in found
    assert "write `await`" in found


async def test_a_forgotten_await_that_is_used_is_an_error_of_python() -> None:
    async def research(account: Account) -> dict[str, object]:
        page: Any = fetch(account)
        try:
            return {"tier": page["tier"]}
        finally:
            page.close()

    assert "'coroutine' object is not subscriptable" in await message_of(research)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"tier": "Gold"}, "tier is 'Gold'; it must be A, B, C"),
        ({"tier": 1}, "tier is '1'; it must be A, B, C"),
        ({"priority_score": "high"}, "priority_score is 'high'; it must be a whole"),
        ({"priority_score": 7.5}, "priority_score is 7.5; it must be a whole"),
        ({"priority_score": 0}, "priority_score is 0; it must be 1 to 10"),
        ({"priority_score": [8]}, "priority_score is [8]; it must be a whole"),
        ({"cost_usd": "$0.02"}, "cost_usd is '$0.02'; it must be a number"),
        ({"cost_usd": -1}, "cost_usd is -1.0; it must be 0 or more"),
        ({"page": fetch}, "column 'page': it is a function; call it, with ()"),
        ({"pages": map(str, [1])}, "column 'pages': it is a map; make a list"),
        ({"page": object()}, "column 'page': it is a"),
        ({"staff": 10**5000}, "column 'staff'"),
    ],
)
async def test_what_is_wrong_in_an_answer_is_named(
    answer: dict[str, object], message: str, kind: str
) -> None:
    found = await message_of(written(returning(answer), kind))
    assert found.startswith("The researcher's answer: ")
    assert message in found


async def test_an_answer_that_contains_itself_is_named(kind: str) -> None:
    answer: dict[str, Any] = {"tier": "A"}
    answer["parent"] = answer
    assert "contains itself" in await message_of(written(returning(answer), kind))


async def test_a_nested_answer_becomes_columns(kind: str) -> None:
    answer = {
        "auth": {"provider": "Okta", "since": datetime.date(2020, 5, 1)},
        "facts": ["one", "two"],
        "tier": " b ",
        "priority_score": "8",
    }
    row = await row_of(written(returning(answer), kind))
    assert (row["auth.provider"], row["auth.since"]) == ("Okta", "2020-05-01")
    assert row["facts"] == ["one", "two"]
    assert (row["tier"], row["priority_score"]) == ("B", 8)


async def test_a_huge_answer_is_kept_whole(kind: str) -> None:
    page = "x" * 2_000_000
    row = await row_of(written(returning({"page": page}), kind))
    assert row["page"] == page


async def test_an_empty_answer_is_one(kind: str) -> None:
    row = await row_of(written(returning({}), kind))
    assert (row["status"], row["error_message"]) == ("completed", None)


async def test_an_answer_read_from_json_is_one(kind: str) -> None:
    row = await row_of(written(lambda _account: json.loads('{"tier": "C"}'), kind))
    assert row["tier"] == "C"


async def test_a_function_that_leaves_the_kernel_fails_only_its_account(
    kind: str,
) -> None:
    def body(account: Account) -> dict[str, object]:
        if account.position == 1:
            sys.exit("enough")
        return {}

    run = await process(written(body, kind), 3)
    assert list(run.frame["status"]) == ["completed", "failed", "completed"]


async def test_an_account_is_read_by_its_names(kind: str) -> None:
    wrong: list[Callable[[Account], Any]] = [
        lambda account: {"x": account["domain"]},  # type: ignore[index]
        lambda account: {"x": account.name},  # type: ignore[attr-defined]
    ]
    messages = [await message_of(written(body, kind)) for body in wrong]
    assert "'Account' object is not subscriptable" in messages[0]
    assert "'Account' object has no attribute 'name'" in messages[1]


async def with_client(account: Account, client: str) -> dict[str, object]:
    return {"asked": client, "name": account.company_name}


def with_client_plain(account: Account, client: str) -> dict[str, object]:
    return {"asked": client, "name": account.company_name}


@pytest.mark.parametrize("function", [with_client, with_client_plain])
async def test_more_arguments_are_given_with_partial(function: Any) -> None:
    row = await row_of(functools.partial(function, client="the web"))
    assert (row["asked"], row["name"]) == ("the web", "Company 0")


class Reader:
    async def __call__(self, account: Account) -> dict[str, object]:
        return {"name": account.company_name}


async def test_an_instance_is_a_researcher_and_its_class_is_not() -> None:
    uncalled: Any = Reader
    assert (await row_of(Reader()))["name"] == "Company 0"
    with pytest.raises(TypeError, match=r"the class Reader; did you mean Reader\(\)\?"):
        await process(uncalled)


@pytest.mark.parametrize("wrong", [None, "research", {"tier": "A"}, asyncio])
async def test_what_is_no_function_is_refused_before_the_run(wrong: Any) -> None:
    with pytest.raises(TypeError, match="it must be a function of an Account"):
        await process(wrong)


async def test_a_function_that_was_called_is_refused_before_the_run() -> None:
    called: Any = fetch(Account(company_name="Acme"))
    with pytest.raises(TypeError, match=r"a call; give the function itself"):
        await process(called)


async def nothing() -> dict[str, object]:
    return {}


@pytest.mark.parametrize("wrong", [with_client, with_client_plain, nothing])
async def test_a_wrong_number_of_arguments_is_refused_before_the_run(
    wrong: Any,
) -> None:
    with pytest.raises(
        TypeError, match=rf"researcher is {wrong.__name__}\(.*called with"
    ):
        await process(wrong)


async def test_a_decorator_may_give_the_other_arguments() -> None:
    @functools.wraps(with_client)
    async def research(account: Account) -> dict[str, object]:
        return await with_client(account, "the web")

    assert (await row_of(research))["asked"] == "the web"
