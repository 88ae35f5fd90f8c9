"""Faults between a run and its provider, and researchers that behave badly."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Settings, Transient
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.faults import DATABASE, Fault, Paid, Proxy, books, short_lease
from tests.providers import FITS, KEY, PRICES, RESPONSES
from tests.servers import RawServer, answer
from tests.virtual import VirtualLoop

QUICKLY = {"retry_initial_seconds": 0.01}
SOON = {"retry_initial_seconds": 0.01, "request_timeout_seconds": 1}
SOON |= {"max_concurrency": 100}


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as server:
        server.on(RESPONSES.path, answer(RESPONSES.says(FITS)))
        yield server


def behind(server: RawServer, *faults: Fault) -> Proxy:
    return Proxy(int(server.address.rpartition(":")[2]), faults)


def asking(proxy: Proxy, settings: Settings) -> Any:
    base = f"{proxy.address}/v1/"
    return RESPONSES.make(base_url=base, api_key=KEY, prices=PRICES, settings=settings)


@pytest.mark.parametrize(
    ("fault", "seen", "said"),
    [
        ("delay", 0, None),
        ("cut", 0, "transient"),
        ("reset", 0, "transient"),
        ("cut_late", 3, "transient"),  # the provider has answered, and will bill it
        ("reset_late", 3, "transient"),
        ("black_hole", 0, "transient"),
    ],
)
async def test_a_bad_line_fails_nothing_and_every_call_is_in_the_books(
    server: RawServer, fault: Fault, seen: int, said: str | None
) -> None:
    settings = Settings(**SOON)
    async with behind(server, fault, fault, fault, "").running() as proxy:
        run = await sdr_kit.process(
            made_up(8),
            asking(proxy, settings),
            concurrency=3,
            store=DATABASE,
            settings=settings,
        )
    assert proxy.met[fault] == 3
    assert books() == {"completed": 8}
    assert len(server.exchanges) == 8 + seen
    spoiled = run.attempts[run.attempts["outcome"] != "completed"]
    assert spoiled["outcome"].tolist() == [said] * (3 if said else 0)
    assert run.summary.cost_usd == pytest.approx(8 * RESPONSES.dollars)
    assert run.summary.seconds < 10


async def test_a_line_that_swallows_everything_is_left_by_the_timeouts(
    server: RawServer,
) -> None:
    settings = Settings(**{**SOON, "max_api_retries": 1})
    async with behind(server, "black_hole").running() as proxy:
        run = await sdr_kit.process(
            made_up(3),
            asking(proxy, settings),
            concurrency=3,
            store=DATABASE,
            settings=settings,
        )
    assert books() == {"failed": 3}
    assert server.exchanges == []
    assert run.frame["attempts"].tolist() == [2, 2, 2]
    assert run.frame["error_message"].str.contains("imeout").all()
    assert 2 <= run.summary.seconds < 6  # two requests, a second each


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Leaving(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Unanswering(Exception):
    @property
    def response(self) -> None:
        raise RuntimeError("there is none")


class Panic(BaseException):
    """As that of a library in Rust."""


def in_a_circle() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


RAISED: list[tuple[Callable[[], BaseException], str]] = [
    (lambda: ValueError("no"), "ValueError: no"),
    (lambda: Panic("no"), "Panic: no"),
    (lambda: SystemExit(1), "The researcher called exit()."),
    (GeneratorExit, "GeneratorExit"),
    (asyncio.CancelledError, "The researcher cancelled itself."),
    (StopIteration, "StopIteration"),
    (StopAsyncIteration, "StopAsyncIteration"),
    (MemoryError, "MemoryError"),
    (RecursionError, "RecursionError"),
    (Mute, "Mute"),
    (Leaving, "Leaving"),
    (Unanswering, "Unanswering"),
    (in_a_circle, "ValueError"),
    (lambda: ValueError("\ud83d\x00" * 100_000), "ValueError"),
    (lambda: ExceptionGroup("both", [KeyError("a"), ValueError()]), "KeyError: 'a'"),
    (lambda: BaseExceptionGroup("one", [SystemExit(1)]), "SystemExit: 1"),
    (lambda: BaseExceptionGroup("one", [GeneratorExit()]), "GeneratorExit"),
    (lambda: BaseExceptionGroup("one", [KeyboardInterrupt()]), "KeyboardInterrupt"),
]


def raising(account: Account) -> dict[str, str]:
    if account.position % 2:
        return {"answer": "yes"}
    raise RAISED[account.position // 2][0]()


async def raising_on_the_loop(account: Account) -> dict[str, str]:
    return raising(account)


@pytest.mark.parametrize("researcher", [raising, raising_on_the_loop])
@pytest.mark.parametrize("by", ["process", "start"])
def test_whatever_a_researcher_raises_is_the_failure_of_its_account_alone(
    researcher: Callable[[Account], Any], by: str
) -> None:
    accounts = made_up(2 * len(RAISED))
    if by == "start":
        run = sdr_kit.start(accounts, researcher, store=DATABASE).wait(30)
    else:
        run = asyncio.run(sdr_kit.process(accounts, researcher, store=DATABASE))
    assert books() == {"completed": len(RAISED), "failed": len(RAISED)}
    failed = run.frame[run.frame["status"] == "failed"]
    assert set(failed["error_kind"]) == {"permanent"}
    for (_, said), message in zip(RAISED, failed["error_message"], strict=True):
        assert said in message
        assert len(message) <= 500


def test_an_interrupt_on_the_main_thread_ends_the_run_and_it_can_go_on() -> None:
    async def research(account: Account) -> dict[str, str]:
        if account.position == 3:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(
            sdr_kit.process(made_up(6), research, store=DATABASE, concurrency=1)
        )
    assert books() == {"completed": 3, "pending": 3}
    assert Store(DATABASE).job(1).state == "cancelled"
    sdr_kit.resume(1, paid := Paid(), DATABASE).wait(30)
    assert sorted(paid.calls) == [3, 4, 5]
    assert books() == {"completed": 6}


@pytest.mark.parametrize("by", ["process", "start"])
def test_an_interrupt_on_another_thread_is_nobody_s(by: str) -> None:
    def research(account: Account) -> dict[str, str]:
        if account.position == 3:
            raise KeyboardInterrupt
        return {}

    if by == "start":
        sdr_kit.start(made_up(6), research, store=DATABASE).wait(30)
    else:
        asyncio.run(sdr_kit.process(made_up(6), research, store=DATABASE))
    assert books() == {"completed": 5, "failed": 1}


NONSENSE: list[Any] = [
    *(
        None,
        0,
        "Acme",
        b"{}",
        [],
        {1, 2},
        float("nan"),
        object(),
        Exception("returned"),
    ),
    *({"tier": "Z"}, {"priority_score": 11}, {"cost_usd": -1}, {"cost_usd": "free"}),
]


def test_whatever_is_returned_that_is_no_answer_fails_its_account_alone() -> None:
    async def research(account: Account) -> Any:
        return {} if account.position % 2 else NONSENSE[account.position // 2]

    job = sdr_kit.start(made_up(2 * len(NONSENSE)), research, store=DATABASE)
    frame = job.wait(30).frame
    assert books() == {"completed": len(NONSENSE), "failed": len(NONSENSE)}
    messages = frame["error_message"][::2]
    assert messages.str.startswith("The researcher").all()


@pytest.mark.parametrize("on_thread", [False, True], ids=["async", "plain"])
def test_a_researcher_that_never_returns_is_cut_off_and_holds_nobody_up(
    *, on_thread: bool
) -> None:
    release = threading.Event()

    def plain(account: Account) -> dict[str, str]:
        if account.position == 0:
            release.wait(60)
        return {}

    async def on_loop(account: Account) -> dict[str, str]:
        if account.position == 0:
            await asyncio.Event().wait()
        return {}

    settings = Settings(account_timeout_seconds=0.2, max_api_retries=1, **QUICKLY)
    job = sdr_kit.start(
        made_up(20),
        plain if on_thread else on_loop,
        concurrency=2,
        store=DATABASE,
        settings=settings,
    )
    try:
        run = job.wait(10)
    finally:
        release.set()
    assert books() == {"completed": 19, "failed": 1}
    assert run.frame["attempts"][0] == 2
    assert "ACCOUNT_TIMEOUT_SECONDS" in run.frame["error_message"][0]


def test_who_blocks_the_loop_for_longer_than_the_lease_keeps_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_lease(monkeypatch)
    blocking = threading.Event()

    async def research(account: Account) -> dict[str, str]:
        if account.position == 2:
            blocking.set()
            time.sleep(2)  # noqa: ASYNC251 (that is the fault)
        return {}

    job = sdr_kit.start(made_up(6), research, concurrency=1, store=DATABASE)
    assert blocking.wait(10)
    store, refused = Store(DATABASE), 0
    until_then = time.monotonic() + 1.8
    while time.monotonic() < until_then:
        assert not store.job(1).lease.free
        refused += 1
        time.sleep(0.05)
    assert job.wait(10).summary.completed == 6
    assert refused > 10
    assert books() == {"completed": 6}
    assert job.progress.blocked_seconds > 1.5


def test_an_outage_of_minutes_is_waited_for_and_uses_up_no_retries() -> None:
    probes: list[float] = []

    async def research(account: Account) -> dict[str, int]:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.5)
        if 10 <= began < 910:
            probes.append(began)
            raise Transient("HTTP 503")
        return {"position": account.position}

    settings = Settings(max_api_retries=1)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        run = runner.run(
            sdr_kit.process(made_up(300), research, store="memory", settings=settings)
        )
    assert run.summary.completed == 300
    assert 910 < run.summary.seconds < 910 + 120
    alone = [each for each in probes if each > 30]
    assert len(alone) < 25  # in a quarter of an hour
    gaps = [after - before for before, after in pairwise(alone)]
    assert gaps[0] < gaps[-1] < 120


def test_every_row_of_the_table_of_faults_has_a_test() -> None:
    root = Path(__file__).parents[1]
    rows = [
        line
        for line in (root / "docs/faults.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| fault")
    ]
    known = "".join(each.read_text() for each in root.glob("tests/test_faults*.py"))
    assert len(rows) > 25
    for row in rows:
        last = row.split("|")[-2]
        assert "`" in last, row
        for name in re.findall(r"test_\w+", last):
            assert f"def {name}" in known, name
