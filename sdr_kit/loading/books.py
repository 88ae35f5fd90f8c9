"""The books of a list: what became of every row, and the tables that show it.

A value: what a person keeps or drops gives new books. Every row is in exactly one of
three places, and the rows by hand come last: rejected if it is no account or was
dropped, a duplicate unless it was kept, and an account otherwise.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sdr_kit.loading.clean import Clean
from sdr_kit.loading.columns import COLUMNS, DOMAIN, NAME, SHARED
from sdr_kit.loading.footers import some_text
from sdr_kit.loading.records import TEXT, Table, shown, unique_names
from sdr_kit.loading.repeats import Repeat, repeats, shared_domains
from sdr_kit.loading.tables import text_cells

ACCOUNT, DUPLICATE, REJECTED = "account", "duplicate", "rejected"

Rows = Hashable | Iterable[Hashable]  # one label or several

DROPPED = "dropped by hand"


@dataclass(frozen=True, kw_only=True)
class Books:
    """A loaded list with the fate of each row, by its position.

    Attributes:
        table: The rows as they came.
        clean: Their clean cells.
        rejected: Why a row is no account.
        repeats: What the rows that repeat another one repeat.
        kept: Repeats that a person keeps.
        dropped: Accounts that a person drops.
        known_shared: Domains that are shared in the whole list this is a sample of.
    """

    table: Table
    clean: Clean
    rejected: dict[int, str]
    repeats: dict[int, Repeat]
    kept: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()
    known_shared: frozenset[str] = frozenset()

    @functools.cached_property
    def ready(self) -> list[int]:
        """The positions of the accounts, in order."""
        left_out = {*self.rejected, *self.duplicates, *self.dropped}
        return [place for place in range(len(self.table.rows)) if place not in left_out]

    @functools.cached_property
    def duplicates(self) -> list[int]:
        """The positions of the duplicates, in order."""
        by_hand = self.kept | self.dropped
        return [place for place in self.repeats if place not in by_hand]

    @functools.cached_property
    def shared(self) -> frozenset[str]:
        """The domains that stand on more than one account."""
        domains = self.clean.cells[DOMAIN]
        here = shared_domains(domains[place] for place in self.ready)
        return here | self.known_shared

    @property
    def rows(self) -> pd.Index[Any]:
        """What a person calls the row of each account."""
        return self.table.rows.take(self.ready)

    def keep(self, wanted: Rows) -> Books:
        """Makes accounts of duplicates and of what was dropped."""
        places = self._places(wanted, {*self.duplicates, *self.dropped}, "duplicate")
        return dataclasses.replace(
            self,
            kept=self.kept | (places & self.repeats.keys()),
            dropped=self.dropped - places,
        )

    def drop(self, wanted: Rows) -> Books:
        """Rejects accounts."""
        places = self._places(wanted, set(self.ready), "account")
        return dataclasses.replace(self, dropped=self.dropped | places)

    def _places(self, wanted: Rows, among: set[int], kind: str) -> frozenset[int]:
        by_row: dict[Any, list[int]] = {}
        for place in sorted(among):
            by_row.setdefault(self.table.rows[place], []).append(place)
        places: list[int] = []
        for row in _labels(wanted, by_row):
            if row not in by_row:
                raise ValueError(
                    f"row {shown(str(row))} is no {kind} of this list; the rows of "
                    f"its {kind}s are {_some(list(by_row))}"
                )
            places.extend(by_row[row])
        return frozenset(places)

    def only(self, chosen: Sequence[int], labels: pd.Index[Any]) -> Books:
        """Gives books of some accounts alone.

        Args:
            chosen: Which of the accounts, counted from 0, in order.
            labels: The index labels that they have in the whole list's frame.
        """
        places = _at(self.ready, list(chosen))
        table = dataclasses.replace(
            self.table,
            cells=self.table.cells.iloc[places].set_axis(labels),
            rows=self.table.rows.take(places),
            surplus={},
            no_data={},
            by_number=False,
        )
        clean = dataclasses.replace(
            self.clean,
            names=_at(self.clean.names, places),
            cells={
                column: _at(cells, places) for column, cells in self.clean.cells.items()
            },
            notes=[],
        )
        return Books(
            table=table, clean=clean, rejected={}, repeats={}, known_shared=self.shared
        )

    def frame(self) -> pd.DataFrame:
        """One row an account: our columns, the flag, then the source's own."""
        kept = self.table.cells[self.clean.others].iloc[self.ready]
        kept.columns = pd.Index(
            unique_names(self.clean.others, taken=(*COLUMNS, SHARED)), dtype=object
        )
        if self.table.by_number:
            kept = kept.reset_index(drop=True)
        own: dict[str, pd.Series[Any]] = {
            column: _texts(_at(cells, self.ready))
            for column, cells in self.clean.cells.items()
        }
        domains = _at(self.clean.cells[DOMAIN], self.ready)
        own[SHARED] = pd.Series(
            [domain in self.shared for domain in domains], dtype=bool
        )
        return pd.concat([pd.DataFrame(own).set_axis(kept.index), kept], axis="columns")

    def duplicates_frame(self) -> pd.DataFrame:
        """One row a duplicate: its row, the row it repeats, what it is, why."""
        rows = self.table.rows
        found = [self.repeats[place] for place in self.duplicates]
        reasons = [
            f"{repeat.way} row {shown(str(rows[repeat.of]))}" for repeat in found
        ]
        return pd.DataFrame(
            {
                "row": rows.take(self.duplicates),
                "repeats_row": rows.take([repeat.of for repeat in found]),
                NAME: _texts(_at(self.clean.names, self.duplicates)),
                DOMAIN: _texts(_at(self.clean.cells[DOMAIN], self.duplicates)),
                "reason": _texts(reasons),
            }
        )

    def rejected_frame(self) -> pd.DataFrame:
        """One row a rejected one: its row, why, and the cells as they came."""
        reasons = dict.fromkeys(self.dropped, DROPPED) | self.rejected
        places = sorted(reasons)
        cells = self.table.cells.iloc[places].reset_index(drop=True)
        if self.table.surplus:
            beyond = (self.table.surplus.get(place, []) for place in places)
            texts = [
                json.dumps(more, ensure_ascii=False) if more else "" for more in beyond
            ]
            cells.insert(
                len(cells.columns), "surplus", _texts(texts), allow_duplicates=True
            )
        cells.columns = pd.Index(
            unique_names(list(map(str, cells.columns)), taken=("row", "reason"))
        )
        own = pd.DataFrame(
            {
                "row": self.table.rows.take(places),
                "reason": _texts([reasons[place] for place in places]),
            }
        )
        return pd.concat([own, cells], axis="columns")

    def notes_frame(self) -> pd.DataFrame:
        """One row a cell that was kept out, or is doubtful, while its row stayed."""
        found = [
            note
            for note in sorted(self.clean.notes, key=lambda note: note.position)
            if note.position not in self.rejected and note.position not in self.dropped
        ]
        places = [note.position for note in found]
        return pd.DataFrame(
            {
                "row": self.table.rows.take(places),
                NAME: _texts(_at(self.clean.names, places)),
                "column": _texts([note.column for note in found]),
                "value": _texts([note.value for note in found]),
                "reason": _texts([note.reason for note in found]),
            }
        )

    def fates(self) -> pd.DataFrame:
        """One row a row read, in order: what became of it.

        Returns:
            `fate` (`account`, `duplicate`, `rejected`), `account` (Int64: the place in
            `frame` of the account that it is or repeats; missing where there is none),
            `reason` (missing for accounts).
        """
        place_of = {position: place for place, position in enumerate(self.ready)}
        fates: dict[int, tuple[str, int | None, str | None]] = {
            position: (ACCOUNT, place, None) for position, place in place_of.items()
        }
        told = self.duplicates_frame()["reason"]
        for position, reason in zip(self.duplicates, told, strict=True):
            of = self.repeats[position].of
            fates[position] = DUPLICATE, place_of.get(of), reason
        reasons = dict.fromkeys(self.dropped, DROPPED) | self.rejected
        for position, reason in reasons.items():
            fates[position] = REJECTED, None, reason
        rows = [fates[position] for position in range(len(self.table.rows))]
        frame = pd.DataFrame(rows, columns=["fate", "account", "reason"], dtype=object)
        return frame.astype({"account": "Int64"})


def open_books(table: Table, clean: Clean) -> Books:
    """Sorts out what is no account and what repeats another row."""
    rejected = _reject(table, clean.names)
    domains = clean.cells[DOMAIN]
    places = [place for place in range(len(table.rows)) if place not in rejected]
    found = repeats(clean.names, domains, places)
    return Books(
        table=table,
        clean=clean,
        rejected=rejected,
        repeats={repeat.position: repeat for repeat in found},
    )


def _reject(table: Table, names: Sequence[str]) -> dict[int, str]:
    """Gives by position why a row is no account."""
    width = len(table.header)
    blank = [place for place, name in enumerate(names) if not name]
    cells = table.cells.iloc[blank]
    columns = [text_cells(cells.iloc[:, place]) for place in range(width)]
    reasons = {
        place: "no company name" if some_text(row) else "empty row"
        for place, row in zip(blank, zip(*columns, strict=True), strict=True)
    }
    for place, surplus in table.surplus.items():
        reasons[place] = f"has {width + len(surplus)} cells, the header has {width}"
    return dict(sorted((reasons | table.no_data).items()))


def _labels(wanted: Rows, known: dict[Any, list[int]]) -> Iterable[Any]:
    """Gives one row's label or several: a tuple may be a label of its own."""
    if isinstance(wanted, tuple) and wanted in known:
        return [wanted]
    if isinstance(wanted, Iterable) and not isinstance(wanted, str | bytes):
        return wanted
    return [wanted]


def _some(rows: list[Any]) -> str:
    first = ", ".join(shown(str(row)) for row in rows[:10])
    return f"{first} and {len(rows) - 10:,} more" if len(rows) > 10 else first or "none"


def _at(cells: Sequence[Any], places: list[int]) -> list[Any]:
    return [cells[place] for place in places]


def _texts(cells: Sequence[str | None]) -> pd.Series[Any]:
    return pd.Series(list(cells), dtype=TEXT)
