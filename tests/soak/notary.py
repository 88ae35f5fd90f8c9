"""Triggers in the database that note every result, and whatever must not happen.

They look from inside the transaction that writes, so they see what no reader could: a
result in the place of another, one from who has lost the job meanwhile. Researchers say
in the field `fence` under which they work.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

_TRIGGERS = """
CREATE TABLE written (job_id, position, status, reused);
CREATE TABLE faults (job_id, position, what);

CREATE TRIGGER result AFTER INSERT ON results BEGIN
    INSERT INTO written VALUES (
        NEW.job_id, NEW.position, NEW.status, NEW.reused_from IS NOT NULL);
END;
CREATE TRIGGER result_again BEFORE INSERT ON results
WHEN EXISTS (SELECT 1 FROM results
    WHERE job_id = NEW.job_id AND position = NEW.position AND status <> 'again')
BEGIN INSERT INTO faults VALUES (NEW.job_id, NEW.position, 'a second result'); END;
CREATE TRIGGER result_lost BEFORE DELETE ON results WHEN OLD.status = 'completed'
BEGIN INSERT INTO faults VALUES (OLD.job_id, OLD.position, 'a result removed'); END;
CREATE TRIGGER result_stale AFTER INSERT ON results
WHEN NEW.reused_from IS NULL AND NEW.status = 'completed'
    AND json_extract(NEW.fields, '$.fence') <>
        (SELECT fence FROM jobs WHERE id = NEW.job_id)
BEGIN INSERT INTO faults VALUES (NEW.job_id, NEW.position, 'a stale write'); END;
CREATE TRIGGER result_unheld AFTER INSERT ON results
WHEN NEW.reused_from IS NULL AND (SELECT holder FROM jobs WHERE id = NEW.job_id) IS NULL
BEGIN INSERT INTO faults VALUES (NEW.job_id, NEW.position, 'a write unheld'); END;
CREATE TRIGGER attempt_again BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts
    WHERE job_id = NEW.job_id AND position = NEW.position AND number = NEW.number)
BEGIN INSERT INTO faults VALUES (NEW.job_id, NEW.position, 'a lost attempt'); END;
CREATE TRIGGER stale_beat AFTER UPDATE OF holder ON jobs
WHEN NEW.fence = OLD.fence AND NEW.holder <> OLD.holder
BEGIN INSERT INTO faults VALUES (NEW.id, NULL, 'a lease renewed by another'); END;
"""


class Notary:
    """Notes what is written to a database of ours, from now on.

    Args:
        path: The file; its tables are there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as database:
            database.executescript(_TRIGGERS)

    def completed(self, job_id: int) -> Counter[int]:
        """How often each account was written as completed, by position."""
        return Counter(self._column("status = 'completed' AND NOT reused", job_id))

    def reused(self, job_id: int) -> set[int]:
        """Which accounts were taken over from earlier jobs."""
        return set(self._column("reused", job_id))

    def faults(self) -> Counter[str]:
        """What must not happen, and how often it did."""
        return Counter(row[0] for row in self._rows("SELECT what FROM faults"))

    def _column(self, which: str, job_id: int) -> list[int]:
        query = f"SELECT position FROM written WHERE {which} AND job_id = ?"  # noqa: S608
        return [row[0] for row in self._rows(query, job_id)]

    def _rows(self, query: str, *values: int) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, timeout=60)) as database:
            return database.execute(query, values).fetchall()
