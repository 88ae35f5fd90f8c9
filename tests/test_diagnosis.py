"""What a run says has held it back, against what has.

Sentences are checked for given numbers, causes in whole engines in virtual time.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, RateLimited, Settings, StopRun, Transient
from sdr_kit.diagnosis import Cause, Symptoms, diagnose
from sdr_kit.engine import Engine
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.limits import Hold
from sdr_kit.memory_store import MemoryStore
from sdr_kit.stored_job import Beginning
from sdr_kit.workbench import markup
from tests.accounts import made_up
from tests.simulation.hidden import Bucket, Cap, Limit, TokenBucket, Window
from tests.simulation.machine import Constant
from tests.simulation.provider import Provider
from tests.test_engine import Watched
from tests.virtual import VirtualLoop

NOTHING_SAYS = "Nothing says that the provider takes no more"


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    return virtual_time


def symptoms(**changed: Any) -> Symptoms:
    """A run of 100 s, 5 at once, on which nothing is remarkable."""
    usual: dict[str, Any] = {
        "spent": {},
        "at_limit": {},
        "seconds": 100.0,
        "late_seconds": 0.0,
        "limit": 5,
        "auto": False,
        "sequential": False,
        "at_once": 4.6,
        "answered_per_minute": 60.0,
        "latency": 4.6,
        "delay_ms": 0.0,
        "learned": NOTHING_LEARNED,
        "remembered": True,
        "refused": None,
    }
    return Symptoms(**{**usual, **changed})


def limited(*at: tuple[int, bool, float], **changed: Any) -> Symptoms:
    """The same, kept back by limits: how many, whether in auto, for how long."""
    spent = {"limit": sum(seconds for _, _, seconds in at)}
    at_limit = {(limit, auto): seconds for limit, auto, seconds in at}
    limit, auto, _ = at[-1]
    usual = {"spent": spent, "at_limit": at_limit, "limit": limit, "auto": auto}
    return symptoms(**{**usual, **changed})


def asked(kind: Any, seconds: float) -> Hold:
    return Hold(kind=kind, since=0.0, until=seconds, reason="no")


CHOSEN = "Held back by the concurrency chosen, 5 at once. "
RATE = "Held back by the provider's rate limit"

TOLD: list[tuple[Symptoms, Cause, float, str]] = [
    (
        limited((5, False, 90)),
        "concurrency",
        0.9,
        f"{CHOSEN}{NOTHING_SAYS}: raise it, or choose auto.",
    ),
    (  # a cap far above it
        limited((5, False, 90), learned=Learned(cap=7)),
        "concurrency",
        0.9,
        f"{CHOSEN}The provider takes 7 at once: raise it, or choose auto.",
    ),
    (  # and one near
        limited((5, False, 90), learned=Learned(cap=6)),
        "concurrency",
        0.9,
        f"{CHOSEN}The provider takes 6 at once.",
    ),
    (
        limited((5, False, 90), learned=Learned(per_minute=72)),
        "concurrency",
        0.9,
        f"{CHOSEN}The provider takes about 72 requests a minute.",
    ),
    (  # a rate limit far above
        limited((5, False, 90), learned=Learned(per_minute=73)),
        "concurrency",
        0.9,
        f"{CHOSEN}{NOTHING_SAYS}: raise it, or choose auto.",
    ),
    (
        limited(
            (5, False, 90), spent={"limit": 90.0, "hold": 2.0, "pace": 4.0, "gap": 1.0}
        ),
        "concurrency",
        0.9,
        f"{CHOSEN}The provider asked to wait as well, 6.0 s in all.",
    ),
    (
        limited((5, False, 90), learned=Learned(knee=6)),
        "concurrency",
        0.9,
        f"{CHOSEN}The provider gets most done with 6 at once.",
    ),
    (
        limited((6, False, 90), learned=Learned(knee=5)),
        "latency",
        0.9,
        "Held back by the provider, whose answers grow slower with more at once: "
        "5 at a time get most done. Of 6 at once, the others gain nothing.",
    ),
    (
        limited((1, False, 98), sequential=True),
        "concurrency",
        0.98,
        f"Held back by the sequential mode, 1 at once. {NOTHING_SAYS}: "
        "choose parallel.",
    ),
    (  # the slider was moved in a sequential run
        limited((1, False, 2), (4, False, 90), sequential=True),
        "concurrency",
        0.92,
        "Held back by the concurrency chosen, 4 at once. "
        f"{NOTHING_SAYS}: raise it, or choose auto.",
    ),
    (
        limited((2, False, 75), (10, False, 5)),
        "concurrency",
        0.8,
        "Held back by the concurrency chosen, 2 at once for 75 s of 100 s (it was "
        f"changed). {NOTHING_SAYS}.",
    ),
    (
        limited((50, True, 10), (2, False, 40), (50, True, 20), seconds=70),
        "concurrency",
        1.0,
        "Held back by the concurrency chosen, 2 at once for 40 s of 70 s (it was "
        f"changed). {NOTHING_SAYS}.",
    ),
    (
        limited((50, True, 80)),
        "concurrency",
        0.8,
        f"Held back by AUTO_MAX_CONCURRENCY, 50 at once. {NOTHING_SAYS}: raise it.",
    ),
    (
        symptoms(spent={"cap": 70.0, "limit": 20.0}, learned=Learned(cap=12)),
        "cap",
        0.7,
        "Held back by how many calls at once the provider takes, 12: more are refused.",
    ),
    (
        symptoms(spent={"cap": 70.0}),
        "cap",
        0.7,
        "Held back by how many calls at once the provider takes.",
    ),
    (  # 118 a minute of 4.6 s each are 9.05 at once
        symptoms(
            spent={"pace": 30.0, "hold": 30.0, "limit": 35.0},
            learned=Learned(per_minute=118),
            answered_per_minute=110,
        ),
        "rate_limit",
        0.6,
        f"{RATE}, about 118 requests a minute; 10 at a time are enough.",
    ),
    (
        symptoms(
            spent={"pace": 60.0},
            learned=Learned(per_minute=12),
            answered_per_minute=12,
        ),
        "rate_limit",
        0.6,
        f"{RATE}, about 12 requests a minute; 1 at a time is enough.",
    ),
    (  # a bit more was answered than the rate: that took 11.04 at once
        symptoms(
            spent={"pace": 60.0},
            learned=Learned(per_minute=120),
            answered_per_minute=144,
        ),
        "rate_limit",
        0.6,
        f"{RATE}, about 120 requests a minute; 12 at a time are enough.",
    ),
    (  # what was answered refutes the rate
        symptoms(
            spent={"pace": 30.0, "hold": 30.0},
            learned=Learned(per_minute=2_259),
            answered_per_minute=4_509,
            latency=0.1,
        ),
        "rate_limit",
        0.6,
        f"{RATE}: it asked to wait 1 min in all. About 4,509 requests a minute were "
        "answered; 8 at a time are enough.",
    ),
    (  # known from an earlier run
        symptoms(
            spent={"pace": 50.0},
            learned=Learned(per_minute=118),
            answered_per_minute=0,
            latency=math.inf,
        ),
        "rate_limit",
        0.5,
        f"{RATE}, about 118 requests a minute.",
    ),
    (
        symptoms(spent={"hold": 50.0}, answered_per_minute=0, latency=math.inf),
        "rate_limit",
        0.5,
        f"{RATE}: it asked to wait 50 s in all.",
    ),
    (
        symptoms(
            spent={"limit": 0.2},
            at_limit={(5, False): 0.2},
            seconds=0.2,
            answered_per_minute=0,
            refused=asked("rate_limit", 5_000),
        ),
        "rate_limit",
        0.0,
        f"{RATE}: it keeps the run waiting for 1 h 23 min, longer than "
        "MAX_HOLD_SECONDS.",
    ),
    (
        symptoms(spent={"knee": 60.0}, auto=True, learned=Learned(knee=11)),
        "latency",
        0.6,
        "Held back by the provider, whose answers grow slower with more at once: "
        "11 at a time get most done.",
    ),
    (  # it was taken back at last
        symptoms(spent={"knee": 60.0}, auto=True),
        "latency",
        0.6,
        "Held back by the provider: its answers grow slower with more at once.",
    ),
    (
        symptoms(spent={"trial": 44.0, "limit": 10.0}, seconds=50, auto=True),
        "auto",
        0.88,
        "Held back by auto, which was still finding out how many at once the provider "
        "takes: 44 s of 50 s. The next run begins with what it found.",
    ),
    (
        symptoms(spent={"trial": 440.0}, seconds=600, auto=True, remembered=False),
        "auto",
        0.73,
        "Held back by auto, which was still finding out how many at once the provider "
        "takes: 7 min of 10 min.",
    ),
    (
        symptoms(spent={"gap": 60.0}, delay_ms=2_000),
        "delay",
        0.6,
        "Held back by ACCOUNT_DELAY_MS=2000: at most 30 starts a minute.",
    ),
    (
        symptoms(spent={"outage": 60.0}, answered_per_minute=0),
        "outage",
        0.6,
        "Held back by the provider, which was down for 1 min.",
    ),
    (
        symptoms(spent={"limit": 90.0}, refused=asked("outage", 120)),
        "outage",
        0.0,
        "Held back by the provider, which is down, and asks to wait 2 min.",
    ),
    (
        symptoms(spent={"limit": 90.0}, late_seconds=31),
        "machine",
        0.31,
        "Held back by this machine: something kept the run waiting for 31 s in all. A "
        "researcher that blocks is best written as a plain def, which runs in a "
        "thread.",
    ),
    (
        symptoms(spent={"disk": 60.0}),
        "disk",
        0.6,
        "Held back by the disk: the run waited 1 min for results to be stored.",
    ),
    (  # too short to be worth a word, and too short to be noticed
        limited((5, False, 4.9), late_seconds=30),
        "nothing",
        0.0,
        "Nothing held the run back: 5 accounts at once on average.",
    ),
    (
        limited((5, False, 5)),
        "concurrency",
        0.05,
        f"{CHOSEN}{NOTHING_SAYS}: raise it, or choose auto.",
    ),
    (  # the slow start after a hold, and a pause, are no cause
        symptoms(spent={"ramp": 60.0, "paused": 900.0}, at_once=0.6),
        "nothing",
        0.0,
        "Nothing held the run back: less than 1 account at once on average.",
    ),
    (
        limited((5, False, 90), answered_per_minute=0, latency=math.inf),
        "nothing",
        0.0,
        "Nothing held the run back: no account was completed.",
    ),
]


@pytest.mark.parametrize(("run", "cause", "share", "sentence"), TOLD)
def test_it_says_what_held_the_run_back_and_no_more_than_is_known(
    run: Symptoms, cause: Cause, share: float, sentence: str
) -> None:
    found = diagnose(run)
    assert (found.cause, str(found)) == (cause, sentence)
    assert found.share == pytest.approx(share, abs=0.005)


async def takes_two_seconds(_account: Account) -> dict[str, bool]:
    await asyncio.sleep(2)
    return {"ok": True}


class Unnamed:
    """Answers in two seconds, and cannot be told from others of its kind."""

    fingerprint = None

    async def __call__(self, account: Account) -> dict[str, bool]:
        return await takes_two_seconds(account)


def engine_of(number: int, **more: Any) -> Engine:
    store = MemoryStore()
    usual: dict[str, Any] = {"limit": 5}
    return Engine(
        tuple(made_up(number)),
        takes_two_seconds,
        settings=Settings(),
        store=store,
        job_id=store.create_job((), Beginning(researcher="x", concurrency=5)),
        attended=True,
        **{**usual, **more},
    )


async def test_a_pause_is_no_part_of_what_held_the_run_back() -> None:
    """Of two that run alike, one is paused for ten minutes."""
    paused, other = (Watched(100, takes_two_seconds, limit=5) for _ in range(2))
    engine = paused.engine
    await paused.run((19, engine.pause), (619, engine.resume))
    await other.run()
    found, at_best = engine.diagnosis(), other.engine.diagnosis()
    assert str(found) == f"{CHOSEN}{NOTHING_SAYS}: raise it, or choose auto."
    assert found.sentence == at_best.sentence
    assert found.share == pytest.approx(at_best.share, abs=0.06)
    assert engine.summary().seconds == pytest.approx(600 + 39, abs=2)


async def test_while_it_is_paused_it_says_what_held_the_run_back_before() -> None:
    watched = Watched(100, takes_two_seconds, limit=5)
    engine = watched.engine
    seen: list[float] = []
    await watched.run(
        (19, engine.pause),
        (300, lambda: seen.append(engine.diagnosis().share)),
        (301, engine.cancel),
    )
    assert seen == [pytest.approx(0.95, abs=0.05)]


async def test_the_time_at_a_question_does_not_count() -> None:
    """The sample is done, nobody answers, and the deadline runs out."""
    engine = engine_of(100, sample=20, deadline_seconds=600)
    await engine.run()
    assert engine.progress().state == "stopped"
    found = engine.diagnosis()
    assert found.cause == "concurrency"
    assert found.share == pytest.approx(0.75)


async def test_the_limit_that_held_for_longest_is_named() -> None:
    watched = Watched(80, takes_two_seconds, limit=2)
    await watched.run((75, lambda: watched.engine.resize(10)))
    assert str(watched.engine.diagnosis()) == (
        "Held back by the concurrency chosen, 2 at once for 75 s of 77 s (it was "
        f"changed). {NOTHING_SAYS}."
    )


async def test_back_to_auto_the_number_chosen_between_is_named() -> None:
    watched = Watched(200, takes_two_seconds, limit=50)
    engine = watched.engine
    await watched.run(
        (0.1, lambda: engine.resize("auto")),
        (4, lambda: engine.resize(2)),
        (50, lambda: engine.resize("auto")),
    )
    said = str(engine.diagnosis())
    assert said.startswith("Held back by the concurrency chosen, 2 at once for ")
    assert f"(it was changed). {NOTHING_SAYS}." in said


async def test_a_list_that_is_no_longer_than_the_limit_is_not_held_back_by_it() -> None:
    for number, cause in ((5, "nothing"), (6, "concurrency")):
        watched = Watched(number, takes_two_seconds, limit=5)
        await watched.run()
        assert watched.engine.diagnosis().cause == cause


async def test_what_is_known_does_not_hold_back_a_list_that_is_no_longer() -> None:
    for number, cause in ((3, "nothing"), (6, "latency")):
        engine = engine_of(number, auto=True, learned=Learned(knee=3))
        await engine.run()
        assert engine.diagnosis().cause == cause


async def test_a_pause_from_before_the_run_counts_from_its_start() -> None:
    engine = engine_of(50)
    await asyncio.sleep(1_000)  # the clock of a loop does not begin at 0
    engine.pause()
    asyncio.get_running_loop().call_later(10, engine.resume)
    await engine.run()
    assert engine.diagnosis().cause == "concurrency"
    assert engine.diagnosis().share == pytest.approx(0.9, abs=0.01)


async def test_in_sequential_mode_the_mode_is_named() -> None:
    run = await sdr_kit.process(
        made_up(20),
        takes_two_seconds,
        mode="sequential",
        concurrency="auto",
        store="memory",
    )
    assert str(run.diagnosis) == (
        f"Held back by the sequential mode, 1 at once. {NOTHING_SAYS}: choose parallel."
    )


async def test_what_auto_loses_while_it_finds_out_is_told_as_that() -> None:
    """Nothing is refused and no answer is slower for it: there is nothing to name."""
    for number in (60, 2_000):
        run = await sdr_kit.process(
            made_up(number),
            takes_two_seconds,
            concurrency="auto",
            store="memory",
            settings=Settings(auto_max_concurrency=1_000),
        )
        assert run.diagnosis is not None
        assert run.diagnosis.cause == "auto"
        assert run.summary.held_back == str(run.diagnosis)
        assert "The next run begins with" in str(run.diagnosis)


async def test_what_is_not_kept_is_not_promised_to_the_next_run() -> None:
    run = await sdr_kit.process(
        made_up(60), Unnamed(), concurrency="auto", store="memory"
    )
    assert str(run.diagnosis).startswith("Held back by auto, which was still")
    assert "next run" not in str(run.diagnosis)


async def test_a_provider_that_asks_for_too_long_a_wait_is_named() -> None:
    async def refuses(_account: Account) -> None:
        await asyncio.sleep(0.1)
        raise RateLimited("Quota used up", retry_after=5_000)

    run = await sdr_kit.process(
        made_up(20), refuses, store="memory", settings=Settings(max_hold_seconds=2)
    )
    assert run.summary.held_back == str(run.diagnosis)
    assert str(run.diagnosis) == (
        f"{RATE}: it keeps the run waiting for 1 h 23 min, longer than "
        "MAX_HOLD_SECONDS."
    )
    assert run.summary.stopped == (
        "The provider asks to wait 5000 s, past the 2 s of MAX_HOLD_SECONDS. The last "
        "failure: Quota used up"
    )


async def test_a_run_that_was_never_answered_says_why() -> None:
    async def is_down(_account: Account) -> None:
        await asyncio.sleep(0.2)
        raise Transient("HTTP 503")

    run = await sdr_kit.process(made_up(50), is_down, store="memory")
    assert run.summary.completed == 0
    assert run.summary.held_back == str(run.diagnosis)
    assert "which was down for 59 min" in str(run.diagnosis)


async def test_a_run_that_says_nothing_of_the_provider_has_no_receipt() -> None:
    async def has_no_key(_account: Account) -> None:
        await asyncio.sleep(0.1)
        raise StopRun("The key is wrong")

    watched = Watched(50, takes_two_seconds, limit=5)
    assert watched.engine.progress().held_back is None
    await watched.run((3, watched.engine.cancel))
    assert watched.engine.progress().held_back is not None
    watched.researcher = has_no_key
    watched.reopen(range(5, 50), completed=5, limit=5)
    await watched.run()
    assert watched.engine.progress().state == "stopped"
    assert watched.engine.progress().held_back is None
    assert "no account was completed" in str(watched.engine.diagnosis())


async def test_the_panel_does_not_show_it_as_a_warning() -> None:
    watched = Watched(20, takes_two_seconds, limit=5)
    await watched.run()
    said = markup.notice(watched.engine.progress())
    assert f'<p class="receipt" role="status">{CHOSEN}' in said
    assert 'class="note"' not in said


async def test_an_earlier_run_of_the_job_does_not_count() -> None:
    """The first is worked on five at a time; in the second nothing has to wait."""
    watched = Watched(100, takes_two_seconds, limit=5)
    watched.engine = watched._engine(watched.accounts[:95], 5, None)
    await watched.run()
    watched.reopen(range(95, 100), completed=95, limit=5)
    assert watched.engine.progress().held_back is None
    await watched.run()
    assert str(watched.engine.diagnosis()) == (
        "Nothing held the run back: 5 accounts at once on average."
    )


@dataclass(frozen=True)
class Case:
    """A run and what holds it back."""

    cause: Cause
    concurrency: int | None  # None is auto
    limits: Callable[[], Sequence[Limit]] = list
    seconds: float = 8.0
    number: int = 300
    knee: float = math.inf
    delay_ms: float = 0.0
    blocks: float = 0.0
    noise: float = 0.0


def at_most(most: int) -> Callable[[], Sequence[Limit]]:
    return lambda: [Cap([(0, most)])]


def bucket(
    rate: float, burst: float, *, tells: bool = True
) -> Callable[[], list[Limit]]:
    return lambda: [Bucket(rate, burst, tells=tells)]


CASES = [
    Case("concurrency", 1, number=60),
    Case("concurrency", 3),
    Case("concurrency", 5, noise=0.05),
    Case("concurrency", 8, seconds=20),
    Case("concurrency", 10, at_most(40)),
    Case("concurrency", 5, bucket(5, 30)),
    Case("concurrency", None, number=900),
    Case("cap", 10, at_most(3)),
    Case("cap", 8, at_most(5), noise=0.08),
    Case("cap", None, at_most(12)),
    Case("cap", None, at_most(30), noise=0.05),
    Case("cap", None, at_most(6), seconds=3),
    Case("cap", None, lambda: [Cap([(0, 20), (60, 8)])]),
    Case("rate_limit", 5, bucket(0.3, 10)),
    Case("rate_limit", 10, bucket(0.5, 20)),
    Case("rate_limit", None, bucket(2, 20)),
    Case("rate_limit", None, bucket(1, 5), seconds=15),
    Case("rate_limit", None, bucket(1.5, 20, tells=False)),
    Case("rate_limit", None, lambda: [Bucket(2, 60, headers=True)]),
    Case("rate_limit", 10, lambda: [Window(30, 60, 10)], seconds=4),
    Case("rate_limit", None, lambda: [Window(60, 60, 30, headers=True)]),
    Case("rate_limit", None, lambda: [TokenBucket(2_500, 20_000)]),
    Case("rate_limit", None, lambda: [Cap([(0, 40)]), Bucket(1.5, 10)]),
    Case("latency", None, knee=12),
    Case("latency", None, knee=20, noise=0.03),
    Case("latency", None, knee=30, seconds=15),
    Case("delay", 10, delay_ms=2_000),
    Case("delay", 10, delay_ms=5_000, seconds=3),
    Case("machine", 5, blocks=0.4, seconds=1, number=80),
    Case("machine", 10, blocks=0.2, seconds=1, number=80),
]


def found(case: Case, seed: int) -> str:
    """Runs a case and gives the cause that is named."""
    loop = VirtualLoop()

    async def run() -> str:
        rng = random.Random(seed)
        provider = Provider(
            latencies=[
                rng.lognormvariate(math.log(case.seconds), 0.4)
                for _ in range(case.number)
            ],
            limits=case.limits(),
            machine=Constant(case.knee),
            noise=case.noise,
            seed=seed,
        )

        async def research(account: Account) -> object:
            loop.jump(case.blocks)  # as time.sleep does
            return await provider(account)

        auto = case.concurrency is None
        settings = Settings(
            max_concurrency=100, account_delay_ms=case.delay_ms, max_api_retries=10
        )
        store = MemoryStore()
        engine = Engine(
            tuple(
                Account(position=i, company_name=f"Company {i}")
                for i in range(case.number)
            ),
            research,
            limit=50 if auto else case.concurrency or 1,
            auto=auto,
            settings=settings,
            store=store,
            job_id=store.create_job((), Beginning(researcher="x", concurrency=1)),
            attended=True,
            rng=random.Random(7),
        )
        await engine.run()
        return engine.diagnosis().cause

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [
        1,
        pytest.param(2, marks=pytest.mark.soak),
        pytest.param(3, marks=pytest.mark.soak),
    ],
)
def test_the_cause_that_is_named_is_the_true_one(seed: int) -> None:
    named = [found(case, seed) for case in CASES]
    wrong = [
        (case.cause, name, case)
        for case, name in zip(CASES, named, strict=True)
        if name != case.cause
    ]
    assert len(CASES) == 30
    assert len(wrong) <= 2, "\n".join(map(str, wrong))
