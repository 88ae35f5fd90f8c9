"""What `sdr-kit bench` measures, on lists so short that the figures mean nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sdr_kit.cli import app
from sdr_kit.cli import costs as cli_costs
from sdr_kit.costs import client, durable, engine, loading
from sdr_kit.costs.figure import Figure, in_turns, ratio
from sdr_kit.costs.lists import made_up


def test_a_target_is_a_bound_of_the_ratio_or_of_the_value() -> None:
    assert Figure(what="x", ratio=1.2, target=1.3).result == "met"
    assert Figure(what="x", ratio=1.4, target=1.3).result == "missed"
    assert Figure(what="x", ratio=0.8, target=0.9, at_most=False).result == "missed"
    assert Figure(what="x", ratio=9, value=50, target=100).result == "met"
    assert Figure(what="x", ratio=9).result == ""


def test_measures_take_turns_after_one_round_that_does_not_count() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = in_turns({"a": lambda: measure("a"), "b": lambda: measure("b")}, rounds=2)
    assert order == ["a", "b"] * 3
    assert found == {"a": [3, 5], "b": [4, 6]}
    assert ratio(found["a"], found["b"]) == pytest.approx((3 / 4 + 5 / 6) / 2)


async def test_all_peers_ask_about_every_account() -> None:
    accounts = list(made_up(230))
    for run in (engine.bare, engine.batches, engine.with_aiometer):
        asked: list[int] = []

        async def call(account: Any, asked: list[int] = asked) -> None:
            asked.append(account.position)

        await run(call, accounts)
        assert sorted(asked) == list(range(230))


@pytest.mark.slow
@pytest.mark.timeout(300)  # it starts several processes, each of which loads pandas
def test_bench_prints_one_table_of_ratios(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for room in (engine, durable, client, loading):
        monkeypatch.setattr(room, "ROUNDS", 1)
    for room in (engine, durable):
        monkeypatch.setattr(room, "ACCOUNTS", 60)
    monkeypatch.setattr(engine, "SHORT", 60)
    monkeypatch.setattr(client, "REQUESTS", 100)
    monkeypatch.setattr(cli_costs, "SIZES", (60,))
    said = CliRunner().invoke(app, ["bench", "--json"])
    assert said.exit_code == 0, said.output
    rows = json.loads(said.stdout)["rows"]
    assert [row["what"] for row in rows if row["target"] is not None] == [
        "CPU an account, 60 in memory",
        "durable accounts/s, begun and claimed",
        "requests/s, 100 at once, answered after 50 ms",
        "CPU a request",
        "memory of 60 accounts, durable",
        "CPU an account of that list",
        "import sdr_kit, after pandas",
    ]
    peers = " ".join(row["peer"] for row in rows)
    for peer in ("gather", "aiometer", "batches", "SQLite alone", "aiohttp"):
        assert peer in peers
    assert {row["result"] for row in rows} <= {"met", "missed", ""}
    assert "1,000 + 50 at work" in {row["ours"] for row in rows}
    assert {each.name for each in tmp_path.iterdir()} <= {".env"}  # nothing is kept
