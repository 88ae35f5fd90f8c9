"""`sdr-kit plan`: a sample for real, a table, and what to type next."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import typer

from sdr_kit import Settings, cli
from sdr_kit.cli.named import researcher_for
from sdr_kit.cli.options import time_span
from sdr_kit.fingerprint import provider_of
from sdr_kit.store import Store


@pytest.fixture(autouse=True)
def _a_list() -> None:
    rows = [f"Company {number},company-{number}.com\n" for number in range(12)]
    Path("list.csv").write_text("company,website\n" + "".join(rows))


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    def type_it(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdr-kit", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return (end.value.code, *capsys.readouterr())

    return type_it


Typed = Callable[..., tuple[object, str, str]]


def test_a_plan_is_a_table_and_what_to_type_next(typed: Typed) -> None:
    code, out, _ = typed("plan", "list.csv", "--sample", "3", "--deadline", "1h")
    assert code == 0
    assert "A sample of 3 accounts comes first" in out
    assert "Job 1: 9 accounts to go, from a sample of 3" in out
    assert re.search(r"at once +time +cost +failing +deadline met", out)
    assert "auto, up to 50" in out
    assert "1 at once ends within " in out
    assert re.search(
        r"Go on with: sdr-kit resume 1 --concurrency 1 --deadline 3[56]\d\d\n", out
    )
    assert len(Store().statuses(1)) == 3
    code, out, _ = typed("resume", "1", "--concurrency", "5")
    assert "12 of 12 accounts completed" in out


def test_what_only_auto_may_reach_is_gone_on_with_in_auto(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one the eight others take 5 s, all at once what one of them does."""
    monkeypatch.setenv("MAX_CONCURRENCY", "1")
    monkeypatch.setenv("PROCESSING_CONCURRENCY", "1")
    _, out, _ = typed("plan", "list.csv", "--sample", "4", "--deadline", "5s")
    assert "takes more than 1 at once is not known" in out
    assert re.search(r"Go on with: sdr-kit resume 1 --deadline \S+\n", out)
    sandbox = provider_of(researcher_for(Settings(), "sandbox", None))
    assert sandbox is not None
    Store().learn(sandbox, {"harmless": 40})
    _, out, _ = typed("plan", "list.csv", "--sample", "4", "--deadline", "5s")
    assert "Auto ends within" in out
    assert "Go on with: sdr-kit resume 2 --concurrency auto --deadline" in out
    _, out, _ = typed("plan", "list.csv", "--sample", "12", "--deadline", "5s")
    assert "Nothing is left to plan" in out
    assert "Go on with" not in out


def test_json_has_the_rows_as_numbers(typed: Typed) -> None:
    code, out, _ = typed("plan", "list.csv", "--sample", "2", "--json")
    document = json.loads(out)
    assert (code, document["job"], document["accounts"]) == (0, 1, 10)
    assert [row["concurrency"] for row in document["rows"]] == [1, 3, 5, 8, 10, 50]
    assert document["rows"][0]["seconds_low"] > 0
    assert document["concurrency"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sample", "0"], "whole number from 1"),
        (["--deadline", "soon"], "no time"),
        (["--deadline", "0"], "deadline_seconds is 0.0"),
        (["--budget-usd", "-1"], "budget_usd is -1"),
    ],
)
def test_wrong_use_is_said_before_anybody_is_asked(
    typed: Typed, words: list[str], sentence: str
) -> None:
    code, _, err = typed("plan", "list.csv", *words)
    assert code == 2
    assert sentence in " ".join(err.split())
    assert not Path("sdr_kit.db").exists()


def test_a_run_has_a_deadline_too(typed: Typed) -> None:
    code, out, _ = typed("run", "list.csv", "--concurrency", "1", "--deadline", "0.01")
    assert code == 1
    assert "The deadline of 0.0 s is reached" in out
    assert "Go on with: sdr-kit resume 1" in out


def test_a_retry_has_a_deadline_too(typed: Typed) -> None:
    typed("run", "list.csv")
    with closing(sqlite3.connect("sdr_kit.db")) as file, file:
        file.execute("UPDATE results SET status = 'failed'")
    words = ("--concurrency", "1", "--deadline", "0.01")
    code, out, _ = typed("retry", "1", *words)
    assert code == 1
    assert "The deadline of 0.0 s is reached" in out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7_200),
        ("90min", 5_400),
        ("1h30m", 5_400),
        ("1h 30min", 5_400),
        ("45s", 45),
        ("600", 600),
        ("0.5", 0.5),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 days", "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        time_span(text)
