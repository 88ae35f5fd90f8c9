"""One account: how a researcher is called, and what follows from how it ends."""

from __future__ import annotations

import asyncio
import functools
import math
import random
import sys
import threading
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from sdr_kit.account import Account, AttemptOutcome, ErrorKind, Research
from sdr_kit.backoff import Backoff
from sdr_kit.errors import MESSAGE_LIMIT, Permanent, RateLimited, Transient, Verdict
from sdr_kit.worker import RetryPolicy, Work, attempt, caller

ACME = Account(company_name="Acme", position=3)
FOUND = {"name": "Acme"}


def thread_name() -> str:
    return threading.current_thread().name


async def asynchronous(account: Account) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"name": account.company_name, "thread": thread_name()}


async def with_option(prefix: str, account: Account) -> dict[str, str]:
    return {"name": prefix + account.company_name, "thread": thread_name()}


def plain(account: Account) -> dict[str, str]:
    return {"name": account.company_name, "thread": thread_name()}


def decorated(function: Callable[[Account], Any]) -> Callable[[Account], Any]:
    @functools.wraps(function)
    def call(account: Account) -> Any:
        return function(account)

    return call


class AsyncObject:
    async def __call__(self, account: Account) -> dict[str, str]:
        return {"name": account.company_name, "thread": thread_name()}

    async def method(self, account: Account) -> dict[str, str]:
        return {"name": account.company_name, "thread": thread_name()}


class PlainObject:
    def __call__(self, account: Account) -> dict[str, str]:
        return {"name": account.company_name, "thread": thread_name()}


@pytest.mark.parametrize(
    "researcher",
    [
        asynchronous,
        AsyncObject(),
        AsyncObject().method,
        functools.partial(with_option, ""),
        lambda account: asynchronous(account),
        decorated(asynchronous),
        functools.partial(AsyncObject()),
    ],
    ids=[
        "function",
        "object",
        "method",
        "partial",
        "lambda",
        "decorated",
        "partial object",
    ],
)
async def test_what_is_asynchronous_runs_on_the_loop(researcher: Any) -> None:
    answer = await caller(researcher)(ACME)
    assert answer == {"name": "Acme", "thread": thread_name()}


@pytest.mark.parametrize(
    "researcher",
    [plain, PlainObject(), functools.partial(plain), decorated(plain)],
    ids=["function", "object", "partial", "decorated"],
)
async def test_what_is_plain_runs_on_another_thread(researcher: Any) -> None:
    answer = await caller(researcher)(ACME)
    assert answer["name"] == "Acme"
    assert answer["thread"] != thread_name()


async def test_plain_functions_run_at_once_however_many() -> None:
    meet = threading.Barrier(60, timeout=10)  # more than anyio's default of 40 threads

    def wait_for_all(account: Account) -> dict[str, str]:
        meet.wait()
        return {"name": account.company_name}

    call = caller(wait_for_all)
    answers = await asyncio.gather(*(call(ACME) for _ in range(60)))
    assert answers == [FOUND] * 60


@pytest.mark.parametrize("wrong", [None, "research", 5, FOUND])
def test_what_cannot_be_called_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be a function of an Account"):
        caller(wrong)


async def attempted(researcher: Callable[[Account], Any]) -> Research | Verdict:
    return await attempt(caller(researcher), ACME)


def answering(answer: Any) -> Callable[[Account], Any]:
    async def research(_account: Account) -> Any:
        return answer

    return research


@pytest.mark.parametrize(
    ("answer", "research"),
    [
        ({}, Research()),
        (FOUND, Research(fields=FOUND)),
        (MappingProxyType(FOUND), Research(fields=FOUND)),
        ({"tier": "a", "x": 1}, Research(fields={"x": 1}, tier="A")),
        (Research(fields=FOUND, tier="B"), Research(fields=FOUND, tier="B")),
    ],
)
async def test_an_answer_becomes_research(answer: Any, research: Research) -> None:
    assert await attempted(answering(answer)) == research


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "The researcher returned nothing; it must return a mapping"),
        ("Acme makes anvils", "The researcher returned a value of type str; it must"),
        ([FOUND], "a value of type list"),
        (Research, "a value of type type"),
        ({"tier": "D"}, "The researcher's answer: tier is 'D'; it must be A, B, C"),
        ({"priority_score": 12}, "The researcher's answer: priority_score is 12"),
        ({"priority_score": {}}, "The researcher's answer: "),
        ({"cost_usd": 10**400}, "The researcher's answer: "),
    ],
)
async def test_a_wrong_answer_fails_the_account_for_good(
    answer: Any, message: str
) -> None:
    result = await attempted(answering(answer))
    assert isinstance(result, Verdict)
    assert result.kind == "permanent"
    assert message in result.message
    assert "SdrKitError" not in result.message


async def test_a_wrong_answer_of_any_length_gives_a_bounded_message() -> None:
    result = await attempted(answering({"tier": "A\n" * 100_000}))
    assert isinstance(result, Verdict)
    assert len(result.message) <= MESSAGE_LIMIT
    assert "\n" not in result.message


async def test_an_answer_that_holds_itself_fails_the_account_and_not_the_run() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    result = await attempted(answering(endless))
    assert isinstance(result, Verdict)
    assert result.kind == "permanent"


class Panic(BaseException):
    """As pyo3 raises it: no Exception."""


@pytest.mark.parametrize("on_thread", [False, True], ids=["loop", "thread"])
@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (RateLimited("slow down", retry_after=5), "rate_limited", 5),
        (Transient("again"), "transient", None),
        (Permanent("never"), "permanent", None),
        (ZeroDivisionError("a bug in the cell"), "permanent", None),
        (StopIteration(), "permanent", None),
        (Panic("a library in Rust"), "permanent", None),
        (BaseExceptionGroup("two", [Panic("one"), KeyError()]), "permanent", None),
    ],
)
async def test_an_exception_of_the_researcher_is_a_value(
    *, error: BaseException, kind: str, retry_after: float | None, on_thread: bool
) -> None:
    def fail(_account: Account) -> None:
        raise error

    async def fail_on_loop(_account: Account) -> None:
        raise error

    result = await attempted(fail if on_thread else fail_on_loop)
    assert isinstance(result, Verdict)
    assert (result.kind, result.retry_after) == (kind, retry_after)


async def test_a_researcher_that_cancels_itself_fails_its_account() -> None:
    async def wait_for_what_is_cancelled(_account: Account) -> None:
        never = asyncio.get_running_loop().create_future()
        never.cancel()
        await never

    result = await attempted(wait_for_what_is_cancelled)
    assert isinstance(result, Verdict)
    assert result.kind == "permanent"
    assert result.message == "The researcher cancelled itself."


@pytest.mark.parametrize("on_thread", [False, True], ids=["loop", "thread"])
async def test_a_real_cancellation_goes_through(*, on_thread: bool) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    release = threading.Event()

    def block(_account: Account) -> None:
        loop.call_soon_threadsafe(began.set)
        release.wait(10)

    async def wait(_account: Account) -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(attempted(block if on_thread else wait))
    await began.wait()
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        release.set()


def test_an_interrupt_is_not_a_failure_of_the_account() -> None:
    async def leave(_account: Account) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(attempted(leave))


@pytest.mark.parametrize("plain", [True, False])
def test_a_researcher_that_calls_exit_fails_its_account_only(*, plain: bool) -> None:
    async def leave(_account: Account) -> None:
        sys.exit(3)

    verdict = asyncio.run(attempted((lambda _account: sys.exit(3)) if plain else leave))
    assert isinstance(verdict, Verdict)
    assert (verdict.kind, "exit()" in verdict.message) == ("permanent", True)


def policy(*, max_retries: int = 3, max_refused: float = 100.0) -> RetryPolicy:
    backoff = Backoff(initial=1.0, maximum=60.0, rng=random.Random(1))
    return RetryPolicy(
        max_retries=max_retries, max_refused=max_refused, backoff=backoff
    )


def work() -> Work:
    return Work(account=ACME, ready_at=0.0)


def verdict(kind: ErrorKind) -> Verdict:
    return Verdict(kind=kind, message="failed")


@pytest.mark.parametrize("kind", ["permanent", "stop"])
@pytest.mark.parametrize("in_outage", [False, True])
def test_what_is_final_is_not_tried_again(*, kind: ErrorKind, in_outage: bool) -> None:
    wait = policy().maybe_wait(work(), verdict(kind), now=0.0, in_outage=in_outage)
    assert wait is None


@pytest.mark.parametrize("max_retries", [0, 1, 3, 10])
def test_a_passing_failure_is_tried_again_so_often(max_retries: int) -> None:
    rules, account = policy(max_retries=max_retries), work()
    waits = []
    while (
        wait := rules.maybe_wait(
            account, verdict("transient"), now=0.0, in_outage=False
        )
    ) is not None:
        waits.append(wait)
    assert len(waits) == max_retries
    ceilings = [min(2.0**number, 60.0) for number in range(max_retries)]
    assert all(0 <= wait <= top for wait, top in zip(waits, ceilings, strict=True))


def test_in_an_outage_no_retry_is_used_up() -> None:
    rules, account = policy(max_retries=1), work()
    for _ in range(50):
        wait = rules.maybe_wait(account, verdict("transient"), now=0.0, in_outage=True)
        assert wait is not None
        assert 0 <= wait <= 1
    assert account.retries == 0


def test_a_refused_account_may_go_again_at_once_and_uses_up_no_retry() -> None:
    rules, account = policy(), work()
    refused = verdict("rate_limited")
    assert rules.maybe_wait(account, refused, now=50.0, in_outage=False) == 0
    assert account.retries == 0


def test_an_account_refused_again_and_again_lets_others_go_first() -> None:
    rules, account = policy(max_refused=1000.0), work()
    waits = [
        rules.maybe_wait(account, verdict("rate_limited"), now=50.0, in_outage=False)
        for _ in range(8)
    ]
    assert waits == [0, 2, 4, 8, 16, 32, 60, 60]
    assert account.retries == 0


def test_an_account_refused_for_too_long_is_given_up() -> None:
    rules, account = policy(max_refused=100.0), work()
    refused = verdict("rate_limited")
    for now in (50.0, 150.0):
        assert rules.maybe_wait(account, refused, now=now, in_outage=False) is not None
    assert rules.maybe_wait(account, refused, now=150.1, in_outage=False) is None


def test_another_failure_in_between_ends_the_time_of_refusal() -> None:
    rules, account = policy(max_refused=100.0), work()
    refused = verdict("rate_limited")
    rules.maybe_wait(account, refused, now=0.0, in_outage=False)
    rules.maybe_wait(account, verdict("transient"), now=90.0, in_outage=False)
    assert rules.maybe_wait(account, refused, now=150.0, in_outage=False) == 0
    assert rules.maybe_wait(account, refused, now=250.0, in_outage=False) is not None


def test_the_record_of_an_attempt_is_in_seconds_of_the_run() -> None:
    account = Work(account=ACME, ready_at=105.0)
    failed = Verdict(kind="transient", message="busy", http_status=503)
    account.started = 107.0
    first = account.attempted("transient", failed, began=100.0, ended=109.5)
    assert (first.position, first.number, first.outcome) == (3, 1, "transient")
    assert (first.started, first.seconds, first.waited) == (7.0, 2.5, 2.0)
    assert (first.http_status, first.message) == (503, "busy")
    account.ready_at = account.started = 120.0
    second = account.attempted("completed", None, began=100.0, ended=121.0)
    assert (second.number, second.waited) == (2, 0.0)
    assert (second.http_status, second.message) == (None, None)
    assert (account.attempts, account.seconds) == (2, 3.5)


@pytest.mark.parametrize(
    ("outcome", "seconds"), [("completed", 0.0), ("cancelled", math.pi)]
)
def test_a_start_before_the_account_was_ready_waited_for_nothing(
    outcome: AttemptOutcome, seconds: float
) -> None:
    account = Work(account=ACME, ready_at=5.0, started=4.0)
    record = account.attempted(outcome, None, began=0.0, ended=4.0 + seconds)
    assert record.waited == 0
    assert record.seconds == pytest.approx(seconds)


def test_the_outcome_of_an_account_sums_up_its_attempts() -> None:
    account = work()
    for number in range(2):
        account.started = number
        account.attempted("transient", None, began=0.0, ended=number + 0.5)
    completed = account.outcome(Research(fields=FOUND), finished=9.0)
    assert (completed.position, completed.status) == (3, "completed")
    assert (completed.attempts, completed.seconds) == (2, 1.0)
    assert completed.finished == 9.0
    assert completed.research == Research(fields=FOUND)
    assert (completed.error_kind, completed.error_message) == (None, None)
    failed = account.outcome(verdict("rate_limited"), finished=9.0)
    assert (failed.status, failed.research) == ("failed", None)
    assert (failed.error_kind, failed.error_message) == ("rate_limited", "failed")
