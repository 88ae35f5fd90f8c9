"""A database that is held, full, locked away, lost, copied in mid-run, or old."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit.account import Edit
from sdr_kit.errors import StoreError
from sdr_kit.recovery import AnyJob
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.faults import (
    DATABASE,
    FILE,
    Paid,
    books,
    full_soon,
    impatient,
    lock_held,
    pragma,
    quota,
    short_lease,
    until,
)

# Results that may wait for a disk that does not answer: what 5 at once get in 0.1 s at
# 2 ms each, since that is more than 200.
WAITING = 250


def started(number: int = 400, seconds: float = 0.005) -> tuple[sdr_kit.Job, Paid]:
    """A job in its middle."""
    paid = Paid(seconds)
    job = sdr_kit.start(made_up(number), paid, store=DATABASE, concurrency=5)
    until(lambda: job.progress.completed > 10)
    return job, paid


def went_on(job: sdr_kit.Job, before: Paid, number: int = 400) -> None:
    """Resumes it, and checks that nothing that was stored is asked again."""
    done = set(Store(DATABASE).statuses(job.id))
    run = sdr_kit.resume(job.id, paid := Paid(), DATABASE).wait(30)
    assert books() == {"completed": number}
    assert not done & set(paid.calls)
    assert set(before.calls) | set(paid.calls) == set(range(number))
    assert run.summary.cost_usd == sum(
        each.usage.cost_usd or 0
        for each in Store(DATABASE).attempts(job.id)
        if each.usage
    )


def failed(job: AnyJob) -> str:
    with pytest.raises(StoreError) as caught:
        job.wait(20)
    assert job.progress.state == "crashed"
    assert job.progress.completed == len(Store(DATABASE).statuses(job.id))
    return str(caught.value)


# Held by another process.


def waits(lock: str, seconds: float) -> None:
    job, paid = started(1_500, 0.002)
    job.pause()  # until the other process has begun
    with lock_held(lock):
        before = job.progress.completed
        job.resume()
        time.sleep(seconds)
        now = job.progress
        assert (
            now.completed <= before + WAITING
        )  # what was on its way when it was taken
        assert not now.ended
        assert now.in_flight <= WAITING + 2 * 5  # no more are begun than can be kept
    assert job.wait(60).summary.completed == 1_500
    assert books() == {"completed": 1_500}
    assert len(paid.calls) == 1_500


@pytest.mark.parametrize(
    "lock",
    [
        "BEGIN EXCLUSIVE",
        pytest.param("BEGIN IMMEDIATE", marks=pytest.mark.soak),
        pytest.param("BEGIN", marks=pytest.mark.soak),
    ],
)
def test_a_lock_held_for_a_second_is_waited_for(
    lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)  # or SQLite would do all the waiting
    waits(lock, 1.0)


@pytest.mark.soak
def test_a_lock_held_for_ten_seconds_is_waited_for() -> None:
    waits("BEGIN EXCLUSIVE", 10.0)


@pytest.mark.parametrize(
    "lock",
    ["BEGIN EXCLUSIVE", pytest.param("BEGIN IMMEDIATE", marks=pytest.mark.soak)],
)
def test_a_lock_held_for_ever_ends_the_run_with_one_message_and_it_can_go_on(
    lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, patience=1.0)
    short_lease(monkeypatch)
    job, paid = started(1_500, 0.002)
    job.pause()  # until the other process has begun
    with lock_held(lock):
        job.resume()
        with pytest.raises(StoreError) as caught:
            job.wait(20)
    said = str(caught.value)
    assert str(FILE.absolute()) in said
    assert "another process holds it; close that one" in said
    lost = len(set(paid.calls)) - len(Store(DATABASE).statuses(1))
    assert 0 < lost <= WAITING + 2 * 5
    assert "Not stored are the results of " in said
    assert Store(DATABASE).job(1).state == "running"  # nobody could note its end
    until(lambda: Store(DATABASE).job(1).lease.free)
    went_on(job, paid, 1_500)


def test_a_beat_does_not_wait_for_longer_than_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who leaves the run waits for it."""
    impatient(monkeypatch, patience=30.0)
    job, _ = started(20)
    job.wait(20)
    store = Store(DATABASE)
    with lock_held():
        began = time.monotonic()
        with pytest.raises(StoreError, match="another process holds it"):
            store.beat(1, 1, progress=job.progress, slot_seconds=0.0, samples=())
        assert time.monotonic() - began < 5


# Full, read-only, lost.


def test_a_full_disk_ends_the_run_with_one_message_and_it_can_go_on() -> None:
    store = Store(DATABASE)
    paid = Paid(0.001)
    job = sdr_kit.start(made_up(1_500), paid, store=store, concurrency=5)
    until(lambda: job.progress.completed > 10)
    job.pause()
    until(lambda: not job.progress.in_flight)
    job.cancel()
    job.wait(20)
    make_room = full_soon(store, pages=4)
    resumed = sdr_kit.resume(1, paid, store)
    said = failed(resumed)
    assert f"{FILE.absolute()} cannot be used: database or disk is full" in said
    assert "has space" in said
    assert books()["pending"] > 0
    make_room()
    went_on(job, paid, 1_500)


def test_a_quota_ends_the_run_with_one_message_and_it_can_go_on() -> None:
    job, paid = started(1_500, 0.01)
    with quota(FILE.stat().st_size + 16_384):
        said = failed(job)
    assert str(FILE.absolute()) in said
    assert "check that its folder exists, can be written and has space" in said
    lost = len(set(paid.calls)) - books()["completed"]
    assert 0 < lost <= WAITING + 2 * 5
    assert "Not stored are the results of " in said
    went_on(job, paid, 1_500)


def test_a_file_that_becomes_read_only_ends_the_run_and_it_can_go_on() -> None:
    store = Store(DATABASE)
    job = sdr_kit.start(made_up(400), paid := Paid(0.005), store=store)
    until(lambda: job.progress.completed > 10)
    job.cancel()
    job.wait(20)
    writable = pragma(store, "query_only = ON")
    with pytest.raises(StoreError, match=r"readonly database; check that .* written"):
        sdr_kit.resume(1, paid, store)
    writable()
    went_on(job, paid)


def test_a_folder_in_which_nothing_can_be_made_is_named() -> None:
    """A journal is a file beside it; where a folder has its name, none can be made."""
    store = Store(DATABASE)
    sdr_kit.start(made_up(3), Paid(), store=store).wait(20)
    journal = FILE.with_name(FILE.name + "-journal")
    journal.unlink(missing_ok=True)
    journal.mkdir()
    with pytest.raises(StoreError, match=r"cannot be used: .* can be written"):
        sdr_kit.start(made_up(3), Paid(), store=store)
    journal.rmdir()
    assert books() == {"completed": 3}
    assert len(store.jobs()) == 1


def deleted() -> None:
    FILE.unlink()


def replaced() -> None:
    """As by a copy of yesterday that a person puts in its place."""
    shutil.copy(FILE, "copy.db")
    Path("copy.db").replace(FILE)


@pytest.mark.parametrize("lose", [deleted, replaced])
def test_a_file_lost_in_mid_run_ends_it_with_one_message(
    lose: Callable[[], None],
) -> None:
    job, _ = started()
    lose()
    with pytest.raises(StoreError) as caught:
        job.wait(20)
    said = str(caught.value)
    assert str(FILE.absolute()) in said
    assert "deleted, moved or replaced" in said
    assert "put it back, or start a new run" in said
    assert job.progress.state == "crashed"
    if lose is deleted:
        assert not FILE.exists()
    else:
        assert books()["completed"] > 0


def test_a_drive_that_comes_back_has_what_was_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_lease(monkeypatch)
    drive = Path("drive")
    drive.mkdir()
    database = "sqlite:///drive/faults.db"
    paid = Paid(0.005)
    job = sdr_kit.start(made_up(400), paid, store=database)
    until(lambda: job.progress.completed > 10)
    drive.rename("away")
    with pytest.raises(StoreError, match="deleted, moved or replaced"):
        job.wait(20)
    with pytest.raises(StoreError, match=r"check that its folder exists|moved"):
        sdr_kit.start(made_up(3), paid, store=database)
    Path("away").rename(drive)
    stored = set(Store(database).statuses(1))
    until(lambda: Store(database).job(1).lease.free)
    sdr_kit.resume(1, again := Paid(), database).wait(20)
    assert books(database) == {"completed": 400}
    assert stored
    assert not stored & set(again.calls)


# Copied.


def test_a_copy_of_a_running_job_is_whole_and_can_be_gone_on_with() -> None:
    job, paid = started(2_000, 0.002)
    Store(DATABASE).edit("acme.com/acme", Edit(notes="call"))
    copies = [Store(DATABASE).backup(f"copy-{number}.db") for number in range(5)]
    assert job.progress.running
    counts = []
    for copy in copies:
        store = Store(f"sqlite:///{copy}")
        counted = books(store)
        assert counted["pending"] > 0
        counts.append(counted["completed"])
        assert store.edits() == {"acme.com/acme": Edit(notes="call")}
        assert store.job(1).lease.holder is None
    assert 10 < counts[0] <= counts[-1]
    assert counts == sorted(counts)
    run = sdr_kit.resume(1, again := Paid(), f"sqlite:///{copies[0]}").wait(30)
    assert run.summary.completed == 2_000
    assert len(again.calls) == 2_000 - counts[0]
    assert job.wait(30).summary.completed == 2_000
    assert len(paid.calls) == 2_000
    assert not list(Path().glob(".copy*"))


def test_a_copy_replaces_an_older_one_and_keeps_its_rights() -> None:
    job, _ = started(20)
    job.wait(20)
    FILE.chmod(0o600)
    Path("copy.db").write_text("older")
    copy = Store(DATABASE).backup("copy.db")
    assert books(f"sqlite:///{copy}") == {"completed": 20}
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_copy_is_never_made_onto_the_database_itself() -> None:
    job, _ = started(20)
    job.wait(20)
    store = Store(DATABASE)
    Path("link.db").symlink_to(FILE)
    Path("hard.db").hardlink_to(FILE)
    for place in ("faults.db", "./faults.db", "link.db", "hard.db", "faults.db-wal"):
        with pytest.raises(StoreError, match=r"itself; name another place"):
            store.backup(place)
    assert books() == {"completed": 20}


def test_a_copy_that_cannot_be_made_leaves_what_stood_there() -> None:
    job, _ = started(20)
    job.wait(20)
    store = Store(DATABASE)
    with pytest.raises(StoreError, match=r"copied to .*nowhere.*another place"):
        store.backup("nowhere/copy.db")
    Path("folder").mkdir()
    with pytest.raises(StoreError, match=r"copied to .*folder"):
        store.backup("folder")
    Path("other.db").write_text("older")
    Path("other.db-journal").write_text("hot")
    with pytest.raises(StoreError, match=r"other.db-journal says that it is in use"):
        store.backup("other.db")
    assert Path("other.db").read_text() == "older"
    names = {each.name for each in Path().iterdir()}
    assert not {each for each in names if each.endswith(".part")}


def test_a_copy_waits_for_who_holds_the_database_and_then_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, _ = started(20)
    job.wait(20)
    store = Store(DATABASE)
    impatient(monkeypatch, patience=0.3)
    with lock_held("BEGIN EXCLUSIVE"):
        with pytest.raises(StoreError, match="another process holds it"):
            store.backup("copy.db")
        assert not Path("copy.db").exists()
        impatient(monkeypatch)
        copying = threading.Thread(target=store.backup, args=["copy.db"])
        copying.start()
        time.sleep(0.3)
        assert copying.is_alive()
    copying.join()
    assert books("sqlite:///copy.db") == {"completed": 20}


def test_a_copy_onto_a_full_disk_leaves_the_older_one() -> None:
    job, _ = started(400)
    job.wait(20)
    Path("copy.db").write_text("older")
    with (
        quota(20_000),
        pytest.raises(StoreError, match=r"cannot be copied to .* make space there"),
    ):
        Store(DATABASE).backup("copy.db")
    assert Path("copy.db").read_text() == "older"
    assert not list(Path().glob(".copy*"))
