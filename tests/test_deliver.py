"""A run becomes a file of the kind that its suffix says, whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdr_kit
from sdr_kit.account import Account, Evidence, Research
from sdr_kit.batch import Run
from sdr_kit.export import write_whole
from tests.accounts import made_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty one."""
    made = tmp_path / "out"
    made.mkdir()
    return made


class Inventor:
    """Invents something about every account but the second."""

    synthetic = True

    async def __call__(self, account: Account) -> Research:
        if account.position == 1:
            raise sdr_kit.Permanent("no such company")
        source = "https://invented.example/"
        return Research(
            fields={"news": "an invention", "sizes": [1, 2]},
            tier="A",
            evidence={"news": (Evidence(source=source, at="2026-11-23T10:00:00Z"),)},
        )


async def invented_run() -> Run:
    return await sdr_kit.process(made_up(3), Inventor(), store="memory")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl", ".html", ".CSV"])
async def test_the_suffix_chooses(folder: Path, suffix: str) -> None:
    run = await invented_run()
    place = run.export(str(folder / f"out{suffix}"))
    assert place == folder / f"out{suffix}"
    begins = {".csv": b"\xef\xbb\xbfcompany", ".xlsx": b"PK", ".jsonl": b'{"company'}
    begin = begins.get(suffix.lower(), b"<!DOCTYPE html>")
    assert place.read_bytes().startswith(begin)
    assert os.listdir(folder) == [place.name]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.html"])
@pytest.mark.parametrize("merged", [False, True])
async def test_what_was_invented_is_left_out_unless_asked_for(
    folder: Path, name: str, *, merged: bool
) -> None:
    run, merged = await invented_run(), merged and name == "out.csv"
    left = run.export(folder / name, merged=merged).read_text("utf-8")
    assert "an invention" not in left
    assert "invented.example" not in left
    assert "no such company" in left
    assert "Company 2" in left
    whole = run.export(folder / name, merged=merged, invented=True).read_text("utf-8")
    assert "an invention" in whole


async def test_a_job_can_be_exported_while_it_runs(folder: Path) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def research(account: Account) -> dict[str, object]:
        if account.position == 1:
            at_work.set()
            go_on.wait(10)
        return {"size": account.position}

    job = sdr_kit.start(made_up(2), research, concurrency=1, store="memory")
    try:
        assert at_work.wait(10)
        lines = job.export(folder / "so-far.jsonl").read_text("utf-8").splitlines()
        rows = list(map(json.loads, lines))
        assert [row["status"] for row in rows] == ["completed", "pending"]
        assert job.export(folder / "so-far.html").stat().st_size > 1e6
    finally:
        go_on.set()
    assert list(job.wait(10).frame["status"]) == ["completed", "completed"]


@pytest.mark.parametrize(
    ("name", "merged", "error", "words"),
    [
        ("out.pdf", False, ValueError, "must end in .csv, .xlsx, .jsonl, .html"),
        ("out", False, ValueError, "'out' has no known suffix"),
        ("out.html", True, ValueError, "merged=True takes .csv or .xlsx"),
        ("out.jsonl", True, ValueError, "merged=True takes .csv or .xlsx"),
        ("folder.csv", False, sdr_kit.SdrKitError, "is a folder; name a file in it"),
        ("none/out.csv", False, sdr_kit.SdrKitError, "there is no folder"),
    ],
)
async def test_what_cannot_be_written_is_said_before_anything_is(
    folder: Path, name: str, *, merged: bool, error: type[Exception], words: str
) -> None:
    (folder / "folder.csv").mkdir()
    run = await invented_run()
    with pytest.raises(error, match=words):
        run.export(folder / name, merged=merged)
    assert os.listdir(folder) == ["folder.csv"]


def test_a_file_is_replaced_whole_and_keeps_its_rights(folder: Path) -> None:
    place = folder / "out.csv"
    place.write_text("old")
    place.chmod(0o640)
    (folder / "link.csv").symlink_to(place)
    write_whole(folder / "link.csv", b"new")
    assert place.read_text() == "new"
    assert place.stat().st_mode & 0o777 == 0o640
    assert (folder / "link.csv").is_symlink()


@pytest.fixture
def _no_room() -> Iterator[None]:
    """As on a full disk: no file can grow beyond 1 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("_no_room")
def test_what_does_not_fit_leaves_the_old_file_as_it_was(folder: Path) -> None:
    place = folder / "out.csv"
    place.write_text("old")
    with pytest.raises(sdr_kit.SdrKitError, match=r"cannot be written to .*too large"):
        write_whole(place, b"x" * 100_000)
    assert place.read_text() == "old"
    assert os.listdir(folder) == ["out.csv"]


def test_a_place_that_nobody_may_write_to_is_named() -> None:
    with pytest.raises(sdr_kit.SdrKitError, match=r"x\.csv cannot be written to /proc"):
        write_whole(Path("/proc/x.csv"), b"x")
