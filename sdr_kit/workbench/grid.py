"""A table that is searched, sorted, filtered and clicked on, of any size.

The only file that imports itables. A table whose rows change is replaced by a new one,
because itables' own update breaks when a row is selected (itables 2.9); what a person
has searched, filtered and sorted by is kept by the page meanwhile.

The page has all rows of the table at once, so a longer frame is shown in part: the rows
that stand first in the order in which it is sorted at first.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from itables import JavascriptFunction
from itables.widget import ITable

from sdr_kit.workbench import markup
from sdr_kit.workbench.parts import column, replace, text

PAGE_LENGTHS = [10, 25, 50, 100]
# So many rows a page takes in about a second, and searches while somebody types.
MAX_ROWS = 20_000
MAX_CHARACTERS = 160  # of a cell; the whole text is in the account's details

# A column of few different values is filtered by ticking them, others by a search.
_BY_TICKING = ["order", [{"extend": "searchList", "orthogonal": "display"}]]
_BY_SEARCHING = ["order", ["search"]]


class Grid:
    """A frame as an interactive table.

    Args:
        label: What the table holds, for screen readers.
        several: Whether more than one row can be selected.
        on_select: Called when the selection has changed.
        order: Columns to sort by at first, each with whether it descends.
        ticked: Columns that are filtered by ticking values.

    Attributes:
        box: Where the table is.
    """

    def __init__(
        self,
        label: str,
        *,
        on_select: Callable[..., None],
        several: bool = False,
        order: Sequence[tuple[str, bool]] = (),
        ticked: Sequence[str] = (),
    ) -> None:
        self._place = column([])
        self._note = text()
        # The page takes the name of the table from what is heard and not seen.
        self.box = column(
            [text(f'<span class="heard">{label}</span>'), self._note, self._place]
        )
        self.box.add_class("sdr-kit-grid")
        self._on_select = on_select
        self._several = several
        self._order = tuple(order)
        self._ticked = frozenset(ticked)
        self._table: ITable | None = None
        self._rows: Sequence[int] = ()  # of the frame, that are in the table
        self._unseen: frozenset[int] = frozenset()  # selected, and not in the table
        # The page keeps a table's search and order under this name while it is open.
        self._memory = f"sdr-kit-{secrets.token_hex(8)}"

    @property
    def selected(self) -> list[int]:
        """Rows of the frame that are selected, by position."""
        if self._table is None:
            return []
        seen = (self._rows[place] for place in self._table.selected_rows)
        return sorted(self._unseen.union(seen))

    def select(self, rows: Sequence[int]) -> None:
        """Selects rows of the frame, by position, in place of others.

        Those that are not in the table are selected too, until a person selects.
        """
        if self._table is not None:
            self._table.selected_rows = self._places(rows)
            self._unseen = frozenset(rows).difference(self._rows)

    def show(self, frame: pd.DataFrame, *, selected: Sequence[int] = ()) -> None:
        """Shows a frame in the place of the one before."""
        self._rows, self._unseen = self._first(frame), frozenset()
        part = frame if len(self._rows) == len(frame) else frame.take(list(self._rows))
        self._note.value = _cut_note(len(part), len(frame))
        options = self._options(list(map(str, frame.columns)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # options it does not list
            self._table = ITable(
                _shown(part),
                selected_rows=self._places(selected),
                **options,
            )
        self._table.observe(self._changed, "selected_rows")
        replace(self._place, [self._table])

    def _changed(self, change: object) -> None:
        self._unseen = frozenset()
        self._on_select(change)

    def _first(self, frame: pd.DataFrame) -> Sequence[int]:
        """Gives the rows that are shown, in the order of the frame."""
        if len(frame) <= MAX_ROWS:
            return range(len(frame))
        order = [each for each in self._order if each[0] in frame.columns]
        if not order:
            return range(MAX_ROWS)
        keys = frame[[name for name, _down in order]].reset_index(drop=True)
        keys = keys.sort_values(
            [name for name, _down in order],
            ascending=[not down for _name, down in order],
            kind="stable",
        )
        return sorted(keys.index[:MAX_ROWS].tolist())

    def _places(self, rows: Sequence[int]) -> list[int]:
        """Gives where rows of the frame are in the table, if they are."""
        if isinstance(self._rows, range):
            return [row for row in rows if row in self._rows]
        places = {row: place for place, row in enumerate(self._rows)}
        return [places[row] for row in rows if row in places]

    def _options(self, columns: list[str]) -> dict[str, Any]:
        places = {name: place for place, name in enumerate(columns)}
        return {
            "maxBytes": 0,
            "maxRows": 0,
            "maxColumns": 0,
            "showIndex": False,
            "classes": "display compact nowrap",
            "style": {"width": "100%"},
            "select": {"style": "os" if self._several else "single", "keys": True},
            "stateSave": True,
            "stateSaveCallback": JavascriptFunction(
                "function(settings, state) {"
                f"sessionStorage.setItem('{self._memory}', JSON.stringify(state)); }}"
            ),
            "stateLoadCallback": JavascriptFunction(
                "function(settings) {"
                f"return JSON.parse(sessionStorage.getItem('{self._memory}')); }}"
            ),
            "pageLength": 10,
            "lengthMenu": PAGE_LENGTHS,
            "scrollX": True,
            "order": [
                [places[name], "desc" if down else "asc"]
                for name, down in self._order
                if name in places
            ],
            "ordering": {"indicators": False, "handler": True},
            "columnControl": _BY_SEARCHING,
            "columnDefs": [
                {"targets": [places[name]], "columnControl": _BY_TICKING}
                for name in columns
                if name in self._ticked
            ],
            "language": {
                "emptyTable": "Nothing here yet",
                "zeroRecords": "No row has that; change the search or the filters",
                "info": "_START_–_END_ of _TOTAL_",
                "infoEmpty": "0 of 0",
                "infoFiltered": "(of _MAX_)",
                "lengthMenu": "_MENU_ a page",
                "search": "Search:",
            },
        }


def _cut_note(shown: int, rows: int) -> str:
    """Says that a table has only a part of its rows."""
    if shown == rows:
        return ""
    return markup.quiet(
        f"The first {shown:,} of {rows:,} rows, which is what is searched here; a "
        "download has all."
    )


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Gives the frame with blanks for what is missing and long texts cut."""
    return pd.DataFrame(
        {
            str(name): [_cell(value) for value in frame.iloc[:, place].tolist()]
            for place, name in enumerate(frame.columns)
        },
        dtype=object,
    )


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return "" if value != value else round(value, 2)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    words = " ".join(str(value).split())
    cut = len(words) > MAX_CHARACTERS
    return words[: MAX_CHARACTERS - 1] + "…" if cut else words
