"""The stores: what goes in comes out whole, whoever else uses the file."""

from __future__ import annotations

import asyncio
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tenacity

from sdr_kit import database
from sdr_kit.account import (
    Account,
    Attempt,
    Edit,
    Evidence,
    Outcome,
    RateLimits,
    Research,
    Usage,
)
from sdr_kit.dates import days_ago
from sdr_kit.errors import StoreError
from sdr_kit.law.learned import FRESH_DAYS, NOTHING_LEARNED, Learned
from sdr_kit.memory_store import MemoryStore, Record
from sdr_kit.schema import SCHEMA_VERSION
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, Store, open_store
from sdr_kit.stored_job import Beginning
from sdr_kit.writer import Writer

AT = "2026-11-23T09:00:00+00:00"
STRANGE = "Zoë & Söhne 株式会社 🚀 'quoted' \"twice\" \x00 \u2028 end"


PROOFS = (
    Evidence(source="https://acme.de/news", quote=STRANGE, confidence=0.25, at=AT),
    Evidence(quote="as they say", at=AT),
)


def path_of(store: AnyStore) -> Path:
    return Path(str(store))


def connect(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AnyStore:
    if request.param == "memory":
        return MemoryStore()
    return Store(f"sqlite:///{tmp_path / 'results.db'}")


@pytest.fixture
def file(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'results.db'}")


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits but a moment for a lock, so that it is we who wait."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)


def new_job(store: AnyStore, number: int = 0) -> int:
    accounts = [Account(company_name=f"Company {i}", position=i) for i in range(number)]
    return store.create_job(accounts, Beginning(researcher="test", concurrency=5))


def record(
    store: AnyStore,
    job_id: int,
    attempts: Sequence[Attempt] = (),
    outcomes: Sequence[Outcome] = (),
) -> None:
    write, close = store.open_writer(job_id)
    try:
        write(attempts, outcomes)
    finally:
        close()


def completed(position: int, research: Research | None = None) -> Outcome:
    return Outcome(
        position=position,
        status="completed",
        attempts=3,
        seconds=1 / 3,
        finished=12.5,
        research=research or Research(),
    )


def failed(position: int, message: str = "HTTP 503: busy") -> Outcome:
    return Outcome(
        position=position,
        status="failed",
        attempts=4,
        seconds=0.1 + 0.2,
        finished=1e-9,
        error_kind="transient",
        error_message=message,
    )


def attempt(position: int, number: int = 1, message: str | None = None) -> Attempt:
    return Attempt(
        position=position,
        number=number,
        started=0.1,
        seconds=1 / 3,
        outcome="rate_limited" if message else "completed",
        http_status=429 if message else None,
        waited=2.5,
        message=message,
    )


@pytest.mark.parametrize(
    "outcome",
    [
        completed(0),
        completed(
            0, Research(fields={"a": 1}, tier="A", priority_score=10, cost_usd=0.01)
        ),
        completed(0, Research(fields={"a": None, "b": "", "c": [], "d": {}})),
        completed(0, Research(fields={"x": 1 / 3, "big": 2**70, "yes": True})),
        completed(0, Research(fields={STRANGE: [STRANGE, {"a": {"b": [1.5]}}]})),
        completed(0, Research(fields={"half": "\ud83d", "nan": float("nan")})),
        completed(0, Research.from_mapping({"priority_score": np.int64(7)})),
        completed(0, Research(fields={"a": STRANGE}, evidence={"a": PROOFS})),
        replace(completed(0, Research(cost_usd=0.01)), cost_usd=0.05),
        replace(completed(0), cost_usd=0.05),
        replace(failed(0), cost_usd=0.0, raw=STRANGE),
        failed(0),
        failed(0, STRANGE),
        failed(0, ""),
    ],
)
def test_an_outcome_comes_back_as_it_was(store: AnyStore, outcome: Outcome) -> None:
    job_id = new_job(store, 1)
    record(store, job_id, outcomes=[outcome])
    assert store.results(job_id) == [outcome]


def test_an_attempt_comes_back_as_it_was(store: AnyStore) -> None:
    job_id = new_job(store, 3)
    limits = RateLimits(requests_remaining=0, tokens_reset_seconds=0.25)
    attempts = [
        replace(attempt(0), usage=Usage(), request_id=STRANGE),
        replace(
            attempt(1, 1, STRANGE),
            usage=Usage(input_tokens=900, output_tokens=80, searches=3, cost_usd=0.02),
            limits=limits,
        ),
        attempt(1, 2, "slow down"),
        attempt(1, 10),
    ]
    shuffled = random.Random(1).sample(attempts, len(attempts))
    record(store, job_id, shuffled)
    assert store.attempts(job_id) == attempts


def test_results_come_in_the_order_of_the_list(store: AnyStore) -> None:
    job_id = new_job(store, 12)
    for position in (11, 2, 10, 0):
        record(store, job_id, outcomes=[completed(position)])
    assert [each.position for each in store.results(job_id)] == [0, 2, 10, 11]


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"first": 2}, [2, 3, 4, 5]),
        ({"last": 2}, [0, 1, 2]),
        ({"first": 2, "last": 2}, [2]),
        ({"first": 4, "last": 2}, []),
        ({"first": 9}, []),
        ({"status": "completed"}, [0, 2, 4]),
        ({"status": "failed"}, [1, 3, 5]),
        ({"limit": 2}, [0, 1]),
        ({"limit": 0}, []),
        ({"first": 1, "status": "completed", "limit": 1}, [2]),
        ({"first": 1, "last": 4, "status": "failed", "limit": 9}, [1, 3]),
    ],
    ids=repr,
)
def test_results_are_filtered(
    store: AnyStore, options: dict[str, object], positions: list[int]
) -> None:
    job_id = new_job(store, 6)
    outcomes = [failed(i) if i % 2 else completed(i) for i in range(6)]
    record(store, job_id, outcomes=outcomes)
    found = store.results(job_id, **options)  # type: ignore[arg-type]
    assert [each.position for each in found] == positions


def test_jobs_do_not_mix(store: AnyStore) -> None:
    first, second = new_job(store, 1), new_job(store, 1)
    assert first != second
    record(store, first, [attempt(0)], [completed(0)])
    record(store, second, outcomes=[failed(0)])
    assert store.results(first) == [completed(0)]
    assert store.results(second) == [failed(0)]
    assert store.attempts(second) == []


def test_an_outcome_that_is_written_again_replaces_the_first(store: AnyStore) -> None:
    job_id = new_job(store, 1)
    record(store, job_id, outcomes=[failed(0)])
    record(store, job_id, outcomes=[completed(0)])
    assert store.results(job_id) == [completed(0)]


def test_nothing_may_be_written(store: AnyStore) -> None:
    job_id = new_job(store)
    record(store, job_id)
    assert store.results(job_id) == []
    assert store.attempts(job_id) == []


@pytest.mark.parametrize(
    "edit",
    [
        Edit(tier="A"),
        Edit(priority_score=10),
        Edit(owner=STRANGE, notes=STRANGE),
        Edit(tier="C", priority_score=1, owner="", notes=""),
    ],
    ids=repr,
)
def test_what_a_person_has_set_comes_back_as_it_was(
    store: AnyStore, edit: Edit
) -> None:
    assert store.edits() == {}
    store.edit("acme.com/acme", edit)
    store.edit(STRANGE, Edit(notes="another"))
    assert store.edits() == {"acme.com/acme": edit, STRANGE: Edit(notes="another")}
    assert new_job(store) == 1  # it belongs to no job


def test_an_edit_stands_in_place_of_the_one_before(store: AnyStore) -> None:
    store.edit("acme.com/acme", Edit(tier="A", notes="call them"))
    store.edit("acme.com/acme", Edit(tier="B"))
    assert store.edits() == {"acme.com/acme": Edit(tier="B")}


def test_an_empty_edit_removes_what_was_set(store: AnyStore) -> None:
    store.edit("acme.com/acme", Edit(tier="A"))
    store.edit("acme.com/acme", Edit())
    store.edit("never.com/set", Edit())
    assert store.edits() == {}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([], set()),
        (["b"], {"b"}),
        (["c", "a", "a", "it's \\"], {"a", "c", "it's \\"}),
        (["nobody"], set()),
        ([f"x{i}" for i in range(50_000)] + ["b"], {"b"}),
    ],
    ids=["none", "one", "several", "unknown", "very many"],
)
def test_edits_are_read_by_key(
    store: AnyStore, keys: list[str], found: set[str]
) -> None:
    for key in ("a", "b", "c", "it's \\"):
        store.edit(key, Edit(notes=key))
    assert store.edits(iter(keys)) == {key: Edit(notes=key) for key in found}


def test_what_is_learned_of_a_provider_stands_in_place_of_what_was(
    store: AnyStore,
) -> None:
    store.learn("api.example.com|m", {"cap": 12, "per_minute": 60.0, "harmless": 5})
    store.learn("api.example.com|m", {"cap": 10, "knee": 8, "harmless": None})
    store.learn("other", {"per_minute": 5.5})
    known = Learned(cap=10, per_minute=60.0, knee=8)
    assert store.learned("api.example.com|m") == known
    assert store.learned("other") == Learned(per_minute=5.5)
    assert store.learned("nobody") == store.learned(None) == NOTHING_LEARNED


def test_what_was_learned_long_ago_is_found_out_again(
    file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.learn("p", {"cap": 3})
    later = FRESH_DAYS + 0.01
    monkeypatch.setattr("sdr_kit.store.days_ago", lambda days: days_ago(days - later))
    assert file.learned("p") == NOTHING_LEARNED


def test_each_limit_of_a_provider_has_its_own_age(
    file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdr_kit.store.now", lambda: days_ago(FRESH_DAYS + 0.01))
    file.learn("p", {"cap": 3, "knee": 9})
    monkeypatch.undo()
    file.learn("p", {"knee": 8})
    assert file.learned("p") == Learned(knee=8)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cap", -5), ("cap", "many"), ("cap", math.inf), ("per_minute", 0), ("x", 1)],
)
def test_learned_limits_that_cannot_be_read_are_not_known(
    file: Store, name: str, value: object
) -> None:
    """They are a hint; no run may fail by them."""
    file.learn("p", {"knee": 8})
    with connect(path_of(file)) as db:
        row = ("p", name, value, days_ago(0))
        db.execute("INSERT INTO learned_limits VALUES (?, ?, ?, ?)", row)
    assert file.learned("p") == NOTHING_LEARNED


def test_results_can_be_read_while_they_are_written(store: AnyStore) -> None:
    job_id, number = new_job(store, 100), 100
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(len(store.results(job_id)))

    reader = threading.Thread(target=read)
    reader.start()
    write, close = store.open_writer(job_id)
    for position in range(0, number, 10):
        batch = range(position, position + 10)
        write([attempt(i) for i in batch], [completed(i) for i in batch])
    close()
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert all(each % 10 == 0 for each in seen)  # whole batches only
    assert len(store.results(job_id)) == number


def test_a_store_is_named_by_none_a_word_a_url_or_itself(tmp_path: Path) -> None:
    settings = Settings()
    memory = open_store("memory", settings)
    assert isinstance(memory, MemoryStore)
    assert (str(memory), repr(memory)) == ("memory", "MemoryStore()")
    assert open_store(memory, settings) is memory
    default = open_store(None, settings)
    assert path_of(default) == tmp_path / "sdr_kit.db"
    named = open_store(f"sqlite:///{tmp_path / 'named.db'}", settings)
    assert path_of(named) == tmp_path / "named.db"
    assert repr(named) == f"Store({tmp_path / 'named.db'})"
    assert path_of(Store()) == tmp_path / "sdr_kit.db"


def test_everything_is_there_when_the_file_is_opened_again(file: Store) -> None:
    account = Account(
        company_name=STRANGE,
        domain="acme.com",
        industry="Anvils",
        owner="Ann",
        extra={"notes": STRANGE, "n": 3, "day": np.datetime64("2026-01-02")},
    )
    job_id = file.create_job([account], Beginning(researcher="sandbox", concurrency=7))
    record(file, job_id, [attempt(0)], [completed(0)])
    file.end_job(job_id, state="stopped", reason="a bad key", seconds=2.5)
    again = Store(f"sqlite:///{file}")
    assert again.results(job_id) == [completed(0)]
    assert again.attempts(job_id) == [attempt(0)]
    with connect(path_of(file)) as db:
        job = db.execute(
            "SELECT researcher, concurrency, total, state, reason, seconds FROM jobs"
        ).fetchall()
        accounts = db.execute(
            "SELECT company_name, domain, json_extract(extra, '$.n') FROM accounts"
        ).fetchall()
        (created,) = db.execute("SELECT created_at FROM jobs").fetchone()
    assert job == [("sandbox", 7, 1, "stopped", "a bad key", 2.5)]
    assert accounts == [(STRANGE, "acme.com", 3)]
    assert created.endswith("+00:00")


def test_writing_the_same_again_changes_nothing(file: Store) -> None:
    job_id = new_job(file, 2)
    write, close = file.open_writer(job_id)
    for _ in range(3):
        write([attempt(0), attempt(1, 1, "busy")], [completed(0), failed(1)])
    close()
    assert file.results(job_id) == [completed(0), failed(1)]
    assert file.attempts(job_id) == [attempt(0), attempt(1, 1, "busy")]


def test_a_batch_that_fails_in_the_middle_leaves_nothing(file: Store) -> None:
    job_id = new_job(file, 3)
    write, close = file.open_writer(job_id)
    unstorable = Attempt(
        position=2,
        number=1,
        started=0.0,
        seconds=object(),  # type: ignore[arg-type]
        outcome="completed",
    )
    with pytest.raises(StoreError):
        write([attempt(0), unstorable], [completed(0)])
    with pytest.raises(UnicodeEncodeError):
        write([attempt(0)], [completed(0), failed(1, "half \ud83d")])
    assert file.results(job_id) == []
    assert file.attempts(job_id) == []
    write([attempt(0)], [completed(0)])  # and the connection is as good as before
    close()
    assert file.results(job_id) == [completed(0)]


def test_a_job_is_made_with_all_its_accounts_or_not_at_all(file: Store) -> None:
    accounts = [Account(company_name="A"), Account(company_name="half \ud83d")]
    with pytest.raises(UnicodeEncodeError):
        file.create_job(accounts, Beginning(researcher="test", concurrency=1))
    with connect(path_of(file)) as db:
        for table in ("jobs", "accounts"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608


def test_writing_for_a_job_that_is_not_there_is_an_error(file: Store) -> None:
    with pytest.raises(StoreError, match="Job 99 was deleted"):
        record(file, 99, outcomes=[completed(0)])


def test_a_writer_may_be_used_and_closed_on_other_threads(file: Store) -> None:
    job_id = new_job(file, 2)
    write, close = file.open_writer(job_id)
    for call in (
        lambda: write([], [completed(0)]),
        lambda: write([], [completed(1)]),
        close,
    ):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert len(file.results(job_id)) == 2


def test_several_stores_and_writers_share_one_file(file: Store) -> None:
    def work(name: int) -> None:
        mine = Store(f"sqlite:///{file}")
        job_id = new_job(mine, 5)
        for position in range(5):
            record(mine, job_id, [attempt(position)], [failed(position, str(name))])
        jobs.append(job_id)

    jobs: list[int] = []
    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(jobs) == [1, 2, 3, 4]
    for job_id in jobs:
        assert len({each.error_message for each in file.results(job_id)}) == 1
        assert len(file.results(job_id)) == 5


HOLD_THE_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
db.execute("SELECT count(*) FROM jobs").fetchone()
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
db.close()
"""


@contextmanager
def held_by_another_process(store: Store, lock: str) -> Iterator[None]:
    """For 50 ms from the beginning of the block."""
    holder = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD_THE_LOCK, str(store), lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        release = threading.Timer(0.05, holder.stdin.close)
        release.start()
        yield
        release.join()


def end(store: Store) -> None:
    store.end_job(1, state="finished", reason=None, seconds=1.0)


def write(store: Store) -> None:
    record(store, 1, [attempt(0)], [completed(0)])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("lock", "change"),
    [
        ("BEGIN IMMEDIATE", write),  # it writes
        ("BEGIN EXCLUSIVE", write),  # it lets nobody read either
        ("BEGIN", write),  # it reads, and we may not commit before it has
        ("BEGIN IMMEDIATE", new_job),
        ("BEGIN", end),
        ("BEGIN EXCLUSIVE", lambda store: Store(f"sqlite:///{store}")),
    ],
)
def test_another_process_that_holds_the_file_is_waited_for(
    file: Store, lock: str, change: Callable[[Store], object]
) -> None:
    new_job(file, 3)
    with held_by_another_process(file, lock):
        change(file)


@pytest.mark.usefixtures("_impatient")
def test_who_never_lets_go_is_named_in_the_error(
    file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_job(file)
    stop = tenacity.stop_after_delay(0.02)
    monkeypatch.setattr(
        database,
        "waiting_while_busy",
        tenacity.retry(
            retry=tenacity.retry_if_exception(database._is_busy),
            stop=stop,
            reraise=True,
        ),
    )
    with connect(path_of(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process holds it"):
            new_job(file)
        with pytest.raises(StoreError, match="another process holds it"):
            file.results(1)


Use = Callable[[Store], object]
USES: dict[str, Use] = {
    "results": lambda store: store.results(1),
    "statuses": lambda store: store.statuses(1),
    "attempts": lambda store: store.attempts(1),
    "tried": lambda store: store.tried(1),
    "edits": lambda store: store.edits(),
    "edit": lambda store: store.edit("acme.com/acme", Edit(notes="call")),
    "reopen": lambda store: store.reopen(1, [0]),
    "open_writer": lambda store: record(store, 1, outcomes=[completed(0)]),
    "end_job": lambda store: store.end_job(1, state="x", reason=None, seconds=1.0),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_deleted_file_is_missed_and_not_made_again_empty(
    file: Store, use: Use
) -> None:
    new_job(file, 1)
    path_of(file).unlink()
    with pytest.raises(StoreError, match=r"deleted, moved or replaced.*a new run"):
        use(file)
    assert not path_of(file).exists()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_file_that_was_replaced_by_an_empty_one_is_missed(
    file: Store, use: Use
) -> None:
    new_job(file, 1)
    path_of(file).unlink()
    path_of(file).touch()
    with pytest.raises(StoreError, match="deleted, moved or replaced"):
        use(file)


@pytest.mark.parametrize("empty", [False, True])
def test_a_new_job_begins_a_new_file_where_the_old_one_is_gone(
    file: Store, *, empty: bool
) -> None:
    new_job(file, 1)
    path_of(file).unlink()
    if empty:
        path_of(file).touch()
    job_id = new_job(file, 2)
    record(file, job_id, outcomes=[completed(1)])
    assert file.results(job_id) == [completed(1)]
    file.edit("acme.com/acme", Edit(notes="call"))
    assert Store(f"sqlite:///{file}").edits() == {"acme.com/acme": Edit(notes="call")}


def test_a_file_that_is_deleted_while_it_is_written_to_is_missed(file: Store) -> None:
    job_id = new_job(file, 2)
    write, close = file.open_writer(job_id)
    write([], [completed(0)])
    path_of(file).unlink()

    def go_on() -> None:
        """With a write-ahead log only the end is noticed."""
        write([], [completed(1)])
        file.end_job(job_id, state="finished", reason=None, seconds=1.0)

    try:
        with pytest.raises(StoreError, match="deleted, moved or replaced"):
            go_on()
    finally:
        close()
    assert not path_of(file).exists()


def test_a_file_of_a_newer_version_is_refused(file: Store) -> None:
    with connect(path_of(file)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match=r"newer sdr_kit \(schema 8, this one knows 7"):
        Store(f"sqlite:///{file}")


VERSION_1 = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL,
    researcher TEXT NOT NULL, concurrency INTEGER NOT NULL, total INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT, seconds FLOAT);
CREATE TABLE accounts (
    job_id INTEGER NOT NULL REFERENCES jobs (id), position INTEGER NOT NULL,
    company_name TEXT NOT NULL, domain TEXT, industry TEXT, owner TEXT,
    extra TEXT NOT NULL, PRIMARY KEY (job_id, position)) WITHOUT ROWID;
CREATE TABLE results (
    job_id INTEGER NOT NULL REFERENCES jobs (id), position INTEGER NOT NULL,
    status TEXT NOT NULL, attempts INTEGER NOT NULL, seconds FLOAT NOT NULL,
    finished FLOAT NOT NULL, fields TEXT, tier TEXT, priority_score INTEGER,
    cost_usd FLOAT, error_kind TEXT, error_message TEXT,
    PRIMARY KEY (job_id, position)) WITHOUT ROWID;
CREATE TABLE attempts (
    job_id INTEGER NOT NULL REFERENCES jobs (id), position INTEGER NOT NULL,
    number INTEGER NOT NULL, started FLOAT NOT NULL, seconds FLOAT NOT NULL,
    outcome TEXT NOT NULL, http_status INTEGER, waited FLOAT NOT NULL, message TEXT,
    PRIMARY KEY (job_id, position, number)) WITHOUT ROWID;
INSERT INTO jobs VALUES (7, '2026-01-01', 'sandbox', 5, 2, 'finished', NULL, 9.0);
INSERT INTO accounts VALUES (7, 0, 'Company 0', NULL, NULL, NULL, '{}');
INSERT INTO results VALUES
    (7, 0, 'completed', 3, 0.5, 12.5, '{"a": 1}', 'B', 4, 0.01, NULL, NULL);
INSERT INTO attempts VALUES (7, 0, 1, 0.1, 0.5, 'completed', NULL, 2.5, NULL);
PRAGMA user_version = 1;
"""


# What the second version added; a file of it may have edits.
VERSION_2 = """
CREATE TABLE edits (
    key TEXT NOT NULL, tier TEXT, priority_score INTEGER, owner TEXT, notes TEXT,
    edited_at TEXT NOT NULL, PRIMARY KEY (key)) WITHOUT ROWID;
INSERT INTO edits VALUES ('a.de/a', 'A', NULL, NULL, NULL, '2026-01-01');
PRAGMA user_version = 2;
"""


@pytest.mark.parametrize("script", [VERSION_1, VERSION_1 + VERSION_2], ids=["1", "2"])
def test_a_file_of_an_older_version_keeps_what_it_has_and_takes_what_is_new(
    tmp_path: Path, script: str
) -> None:
    path = tmp_path / "old.db"
    with connect(path) as db:
        db.executescript(script)
    old = {"a.de/a": Edit(tier="A")} if script != VERSION_1 else {}
    assert Store(f"sqlite:///{path}").edits() == old
    for _ in range(2):
        store = Store(f"sqlite:///{path}")
        (outcome,) = store.results(7)
        assert outcome.research == Research(
            fields={"a": 1}, tier="B", priority_score=4, cost_usd=0.01
        )
        assert (outcome.cost_usd, outcome.raw) == (0.01, None)
        (before,) = store.attempts(7)
        assert (before.seconds, before.waited) == (0.5, 2.5)
        assert (before.usage, before.limits, before.request_id) == (None, None, None)
        store.edit("acme.com/acme", Edit(notes="call them"))
        assert store.edits() == {**old, "acme.com/acme": Edit(notes="call them")}
    assert new_job(store, 1) == 8
    attempts = [replace(attempt(0), usage=Usage(searches=1, cost_usd=0.5))]
    outcomes = [completed(0, Research(evidence={"a": PROOFS}))]
    record(store, 8, attempts, outcomes)
    assert (store.attempts(8), store.results(8)) == (attempts, outcomes)
    with connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "crm.db"
    with connect(path) as db:
        db.execute("CREATE TABLE accounts (name)")
    with pytest.raises(StoreError, match="a database of another program"):
        Store(f"sqlite:///{path}")
    with connect(path) as db:
        names = db.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("accounts",)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("company_name,domain\n" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(f"sqlite:///{path}")
    assert path.read_text().startswith("company_name")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        Store(f"sqlite:///{tmp_path / 'nowhere' / 'results.db'}")


@pytest.fixture
def _not_root() -> Iterator[None]:
    """Root may write to any file, so it becomes nobody for a moment."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def for_everyone() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_file_that_cannot_be_written_can_be_read(
    for_everyone: Path, request: pytest.FixtureRequest
) -> None:
    store = Store(f"sqlite:///{for_everyone / 'results.db'}")
    record(store, new_job(store, 1), outcomes=[completed(0)])
    path_of(store).chmod(0o444)
    request.getfixturevalue("_not_root")
    again = Store(f"sqlite:///{store}")
    assert again.results(1) == [completed(0)]
    with pytest.raises(StoreError, match=r"readonly database; .* can be written"):
        new_job(again)
    with pytest.raises(StoreError, match=r"readonly database; .* can be written"):
        record(again, 1, outcomes=[completed(0)])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:SECRET@db.example/sdr",
        "postgresql+psycopg://me:SECRET@db.example:5432/sdr",
        "mysql://me:SE@SECRET@db.example/sdr",
        "sqlite+aiosqlite:///results.db",
        "postgresql//me:SECRET@db.example/sdr",
        "postgresql://me:SECRET@db.example:port/sdr",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "results.db",
    ],
)
def test_a_url_that_is_not_supported_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///") as caught:
        Store(url)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert list(Path().glob("*.db")) == []


def test_a_relative_file_stays_where_it_was_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store("sqlite:///results.db")
    assert path_of(store) == tmp_path / "results.db"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    record(store, new_job(store, 1), outcomes=[completed(0)])
    assert list(Path().iterdir()) == []


def test_a_folder_with_spaces_and_accents_holds_a_file_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Müller & Söhne #1"
    folder.mkdir()
    (folder / ".env").touch()
    monkeypatch.chdir(folder)
    assert path_of(Store()) == folder / "sdr_kit.db"
    assert (folder / "sdr_kit.db").is_file()


@pytest.mark.parametrize(
    ("since", "journal"), [((0, 0, 0), "wal"), ((99, 0, 0), "truncate")]
)
def test_the_journal_is_chosen_by_the_version_of_sqlite(
    since: tuple[int, int, int],
    journal: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "WAL_SINCE", since)
    store = Store(f"sqlite:///{tmp_path / 'results.db'}")
    with store._db._engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    assert mode == journal
    record(store, new_job(store, 1), outcomes=[completed(0)])
    assert store.results(1) == [completed(0)]


def test_versions_that_can_corrupt_a_shared_log_are_not_given_one() -> None:
    assert database.WAL_SINCE == (3, 51, 3)  # https://sqlite.org/wal.html


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_every_connection_is_as_safe_as_it_must_be(
    file: Store, pragma: str, value: int
) -> None:
    with file._db._engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_the_number_of_a_job_is_not_given_again(file: Store) -> None:
    assert (new_job(file), new_job(file)) == (1, 2)
    with connect(path_of(file)) as db:
        db.execute("DELETE FROM jobs WHERE id = 2")
    assert new_job(file) == 3


async def test_a_cancelled_writer_lets_no_second_one_at_the_connection(
    file: Store,
) -> None:
    """A thread cannot be cancelled, and a connection is not for two at once."""
    job_id = new_job(file, 2)
    loop = asyncio.get_running_loop()
    writing, proceed = asyncio.Event(), threading.Event()
    inside: list[int] = []

    class SlowStore(Store):
        def open_writer(
            self, job_id: int, fingerprint: str | None = None, *, fence: int = 1
        ) -> tuple[Record, Callable[[], None]]:
            write, close = super().open_writer(job_id, fingerprint, fence=fence)

            def record(
                attempts: Sequence[Attempt], outcomes: Sequence[Outcome]
            ) -> None:
                inside.append(len(inside))
                loop.call_soon_threadsafe(writing.set)
                assert proceed.wait(10)
                write(attempts, outcomes)

            return record, close

    committed: list[Outcome] = []
    store = SlowStore(f"sqlite:///{file}")
    writer = Writer(store, job_id, on_commit=lambda _, each: committed.extend(each))
    await writer.__aenter__()
    running = asyncio.create_task(writer.run())
    writer.put(attempt(0), completed(0))
    await writing.wait()
    writer.put(attempt(1), completed(1))
    running.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not running.done()  # not before the thread is
    running.cancel()  # and not when it is asked again
    await asyncio.sleep(0)
    assert not running.done()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (committed, writer.uncommitted) == ([completed(0)], 1)
    await writer.__aexit__(None, None, None)
    assert (committed, writer.uncommitted) == ([completed(0), completed(1)], 0)
    assert inside == [0, 1]
    assert file.results(job_id) == committed


def test_reopened_accounts_are_pending_again_and_their_attempts_stay(
    store: AnyStore,
) -> None:
    job_id, other = new_job(store, 4), new_job(store, 4)
    attempts = [attempt(i, 1, "busy") for i in range(4)]
    outcomes = [failed(0), completed(1), failed(2)]
    for job in (job_id, other):
        record(store, job, attempts, outcomes)
    assert store.statuses(job_id) == {0: "failed", 1: "completed", 2: "failed"}
    store.reopen(job_id, [0, 3])
    assert store.statuses(job_id) == {1: "completed", 2: "failed"}
    assert store.attempts(job_id) == attempts
    assert store.results(other) == outcomes


def test_what_is_found_stands_again_when_nothing_new_is_found(store: AnyStore) -> None:
    job_id = new_job(store, 3)
    record(store, job_id, outcomes=[completed(0), failed(1), completed(2)])
    known = {0: completed(0).research, 2: completed(2).research}
    assert store.found(job_id, range(3)) == known
    store.reopen(job_id, range(3), again=True)
    assert store.results(job_id) == []
    assert store.statuses(job_id) == {}
    record(store, job_id, outcomes=[failed(2)])
    stood = store.end_job(job_id, state="finished", reason=None, seconds=1.0)
    assert stood == 1
    first, last = store.results(job_id)
    assert (first.status, first.research) == ("completed", completed(0).research)
    assert (first.attempts, first.seconds) == (0, 0.0)  # as many as are stored
    assert last == failed(2)


def test_what_was_tried_without_a_result_is_summed_up_by_account(
    store: AnyStore,
) -> None:
    job_id, other = new_job(store, 4), new_job(store, 4)
    attempts = [attempt(0), attempt(1, 1, "busy"), attempt(1, 2), attempt(2)]
    record(store, job_id, attempts, [completed(0), failed(2)])
    record(store, other, [attempt(3)], [completed(1)])
    assert store.tried(job_id) == {1: (2, 1 / 3 + 1 / 3)}
    store.reopen(job_id, [2])
    assert store.tried(job_id).keys() == {1, 2}


def test_what_was_paid_without_a_result_is_summed_up_by_account(
    store: AnyStore,
) -> None:
    def paid(position: int, number: int, cost_usd: float | None) -> Attempt:
        return replace(attempt(position, number), usage=Usage(cost_usd=cost_usd))

    job_id, other = new_job(store, 5), new_job(store, 5)
    attempts = [paid(0, 1, 0.5), paid(1, 1, 0.25), paid(1, 2, None), paid(1, 3, 0.5)]
    attempts += [paid(2, 1, 0.125), paid(3, 1, None), attempt(4)]
    record(store, job_id, attempts, [completed(0), failed(2)])
    record(store, other, [paid(3, 1, 9.0)], [completed(1)])
    assert store.spent(job_id) == {1: 0.75}
    store.reopen(job_id, [2])
    assert store.spent(job_id) == {1: 0.75, 2: 0.125}


def test_the_attempts_at_one_account_are_read_alone(store: AnyStore) -> None:
    job_id = new_job(store, 3)
    record(store, job_id, [attempt(0), attempt(1, 2), attempt(1, 1, "busy")])
    found = store.attempts(job_id, position=1)
    assert found == [attempt(1, 1, "busy"), attempt(1, 2)]
    assert store.attempts(job_id, position=0) == [attempt(0)]
    assert store.attempts(job_id, position=9) == []


def test_a_reopened_job_is_running_again_in_the_file(file: Store) -> None:
    job_id = new_job(file, 1)
    record(file, job_id, outcomes=[failed(0)])
    file.end_job(job_id, state="stopped", reason="a bad key", seconds=2.5)
    assert file.claim(job_id) == 2
    with connect(path_of(file)) as db:
        job = db.execute("SELECT state, reason, seconds FROM jobs").fetchall()
    assert job == [("running", None, 2.5)]
