"""Files of earlier versions: opened, kept, gone on with; and an upgrade that dies."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import pytest

import sdr_kit
from sdr_kit.account import Edit
from sdr_kit.errors import StoreError
from sdr_kit.schema import SCHEMA_VERSION
from sdr_kit.store import Store
from tests.faults import DATABASE, FILE, Paid, books, ended, script

# What each version had, as it wrote it; a job that was killed in its middle.
VERSIONS = [
    """
    CREATE TABLE jobs (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL,
        researcher TEXT NOT NULL, concurrency INTEGER NOT NULL, total INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT, seconds FLOAT);
    CREATE TABLE accounts (
        job_id INTEGER NOT NULL, position INTEGER NOT NULL, company_name TEXT NOT NULL,
        domain TEXT, industry TEXT, owner TEXT, extra TEXT NOT NULL,
        PRIMARY KEY (job_id, position), FOREIGN KEY(job_id) REFERENCES jobs (id)
    ) WITHOUT ROWID;
    CREATE TABLE results (
        job_id INTEGER NOT NULL, position INTEGER NOT NULL, status TEXT NOT NULL,
        attempts INTEGER NOT NULL, seconds FLOAT NOT NULL, finished FLOAT NOT NULL,
        fields TEXT, tier TEXT, priority_score INTEGER, cost_usd FLOAT,
        error_kind TEXT, error_message TEXT,
        PRIMARY KEY (job_id, position), FOREIGN KEY(job_id) REFERENCES jobs (id)
    ) WITHOUT ROWID;
    CREATE TABLE attempts (
        job_id INTEGER NOT NULL, position INTEGER NOT NULL, number INTEGER NOT NULL,
        started FLOAT NOT NULL, seconds FLOAT NOT NULL, outcome TEXT NOT NULL,
        http_status INTEGER, waited FLOAT NOT NULL, message TEXT,
        PRIMARY KEY (job_id, position, number),
        FOREIGN KEY(job_id) REFERENCES jobs (id)
    ) WITHOUT ROWID;
    INSERT INTO jobs VALUES (1, '2026-01-01T09:00:00+00:00', 'paid', 2, 4, 'running',
        NULL, NULL);
    INSERT INTO accounts VALUES (1, 0, 'A', 'a.de', NULL, 'Jo', '{"arr": 7}'),
        (1, 1, 'B', NULL, NULL, NULL, '{}'), (1, 2, 'C', NULL, NULL, NULL, '{}'),
        (1, 3, 'D', NULL, NULL, NULL, '{}');
    INSERT INTO results VALUES (1, 0, 'completed', 1, 0.5, 0.7, '{"position": 0}',
        'A', 9, 0.5, NULL, NULL), (1, 1, 'failed', 1, 0.5, 0.7, NULL, NULL, NULL, NULL,
        'permanent', 'HTTP 404');
    INSERT INTO attempts VALUES (1, 0, 1, 0.1, 0.5, 'completed', NULL, 0.0, NULL),
        (1, 1, 1, 0.1, 0.5, 'permanent', 404, 0.0, 'HTTP 404'),
        (1, 2, 1, 0.1, 0.5, 'transient', 503, 0.0, 'HTTP 503');
    """,
    """
    CREATE TABLE edits (
        "key" TEXT NOT NULL, tier TEXT, priority_score INTEGER, owner TEXT, notes TEXT,
        edited_at TEXT NOT NULL, PRIMARY KEY ("key")) WITHOUT ROWID;
    INSERT INTO edits VALUES ('a.de/a', NULL, NULL, NULL, 'call', '2026-01-02');
    """,
    """
    ALTER TABLE results ADD COLUMN evidence TEXT;
    ALTER TABLE results ADD COLUMN raw TEXT;
    ALTER TABLE results ADD COLUMN account_cost_usd FLOAT;
    ALTER TABLE attempts ADD COLUMN input_tokens INTEGER;
    ALTER TABLE attempts ADD COLUMN output_tokens INTEGER;
    ALTER TABLE attempts ADD COLUMN searches INTEGER;
    ALTER TABLE attempts ADD COLUMN cost_usd FLOAT;
    ALTER TABLE attempts ADD COLUMN request_id TEXT;
    ALTER TABLE attempts ADD COLUMN limits TEXT;
    UPDATE results SET evidence = '{"position": [{"source": "https://a.de", "quote":
        "A", "confidence": 0.5, "at": "2026-01-01T09:00:00+00:00"}]}'
        WHERE position = 0;
    UPDATE attempts SET cost_usd = 0.5, input_tokens = 9,
        output_tokens = 1, searches = 0 WHERE position = 0;
    """,
    "ALTER TABLE jobs ADD COLUMN terms TEXT; UPDATE jobs SET terms = 'before';",
    """
    CREATE TABLE samples (
        job_id INTEGER NOT NULL, seconds FLOAT NOT NULL, sample TEXT NOT NULL,
        PRIMARY KEY (job_id, seconds), FOREIGN KEY(job_id) REFERENCES jobs (id)
    ) WITHOUT ROWID;
    ALTER TABLE jobs ADD COLUMN synthetic BOOLEAN;
    ALTER TABLE jobs ADD COLUMN source TEXT;
    ALTER TABLE jobs ADD COLUMN layout TEXT;
    ALTER TABLE jobs ADD COLUMN budget_usd FLOAT;
    ALTER TABLE jobs ADD COLUMN slot_seconds FLOAT;
    ALTER TABLE jobs ADD COLUMN progress TEXT;
    ALTER TABLE jobs ADD COLUMN holder TEXT;
    ALTER TABLE jobs ADD COLUMN lease_until FLOAT;
    ALTER TABLE jobs ADD COLUMN fence INTEGER;
    ALTER TABLE jobs ADD COLUMN wanted TEXT;
    ALTER TABLE accounts ADD COLUMN "key" TEXT;
    ALTER TABLE results ADD COLUMN found_at TEXT;
    ALTER TABLE results ADD COLUMN found_by TEXT;
    ALTER TABLE results ADD COLUMN reused_from INTEGER;
    ALTER TABLE results ADD COLUMN saved_usd FLOAT;
    UPDATE jobs SET synthetic = 0, source = 'a.csv', fence = 1, lease_until = 0.0;
    INSERT INTO samples VALUES (1, 0.5, '{"seconds": 0.5, "accounts_per_minute": 60.0,
        "running": 2, "limit": 2, "failed": 0, "held": false}');
    """,
    """
    ALTER TABLE jobs ADD COLUMN auto BOOLEAN;
    CREATE TABLE provider_limits (
        provider TEXT NOT NULL, cap INTEGER, per_minute FLOAT, knee INTEGER,
        learned_at TEXT NOT NULL, PRIMARY KEY (provider));
    INSERT INTO provider_limits VALUES ('p', 12, NULL, NULL, '2126-01-01');
    """,
]


def of_version(version: int) -> None:
    with closing(sqlite3.connect(FILE)) as db:
        db.executescript("".join(VERSIONS[:version]))
        db.execute(f"PRAGMA user_version = {version}")


def rows() -> dict[str, list[object]]:
    """All that is in the file, in the columns of the time."""
    with closing(sqlite3.connect(FILE)) as db:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        names = [name for (name,) in db.execute(query)]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_a_file_of_an_older_version_keeps_all_and_is_gone_on_with(version: int) -> None:
    of_version(version)
    before = rows()
    store = Store(DATABASE)
    after = rows()
    for table, old in before.items():
        if table != "sqlite_sequence":
            cut = [row[: len(old[0])] for row in after[table]]  # type: ignore[arg-type, index]
            assert cut == old
    (listed,) = sdr_kit.jobs(store).to_dict("records")
    assert (listed["state"], listed["completed"]) == ("interrupted", 1)
    assert books() == {"completed": 1, "failed": 1, "pending": 2}
    assert store.edits() == ({"a.de/a": Edit(notes="call")} if version > 1 else {})
    run = sdr_kit.resume(1, paid := Paid(), DATABASE).wait(20)
    assert sorted(paid.calls) == [2, 3]
    assert books() == {"completed": 3, "failed": 1}
    assert run.frame["arr"].tolist()[0] == 7
    assert run.frame["attempts"].tolist() == [1, 1, 2, 1]
    assert run.summary.cost_usd == (1.5 if version > 2 else 1.0)
    assert len(run.evidence) == (1 if version > 2 else 0)


def test_every_older_version_has_its_test() -> None:
    assert len(VERSIONS) == SCHEMA_VERSION - 1


def test_a_newer_file_is_refused_with_the_way_out_and_left_alone() -> None:
    of_version(4)
    with closing(sqlite3.connect(FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    before = FILE.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(DATABASE)
    said = str(caught.value)
    assert str(FILE.absolute()) in said
    assert f"schema 99, this one knows {SCHEMA_VERSION}" in said
    assert "update sdr_kit or name another file" in said
    with pytest.raises(StoreError, match="newer sdr_kit"):
        sdr_kit.jobs(DATABASE)
    assert FILE.read_bytes() == before


DIES = """
import os, signal, sys
from sdr_kit import database, schema
from sdr_kit.store import Store

add = database._add_columns

def die(connection):
    add(connection)
    connection.exec_driver_sql("PRAGMA cache_size = 2")  # so that it reaches the file
    connection.exec_driver_sql("UPDATE accounts SET extra = hex(zeroblob(100000))")
    os.kill(os.getpid(), signal.SIGKILL)

database._add_columns = die
Store("sqlite:///faults.db")
"""


def test_an_upgrade_that_is_killed_in_its_middle_has_not_been() -> None:
    of_version(1)
    before = rows()
    with script(DIES) as process:
        ended(process)
        assert process.returncode == -signal.SIGKILL
    left = FILE.with_name(FILE.name + "-journal")
    assert left.stat().st_size > 0
    assert rows() == before
    with closing(sqlite3.connect(FILE)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    sdr_kit.resume(1, Paid(), DATABASE).wait(20)
    assert books() == {"completed": 3, "failed": 1}
