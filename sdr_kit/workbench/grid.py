"""A table that is searched, sorted, filtered and clicked on, of any size.

The only file that imports itables. A table whose rows change is replaced by a new one,
because itables' own update breaks when a row is selected (itables 2.9); what a person
has searched, filtered and sorted by is kept by the page meanwhile.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from itables import JavascriptFunction
from itables.widget import ITable

from sdr_kit.workbench.parts import column, replace, text

PAGE_LENGTHS = [10, 25, 50, 100]
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
        # The page takes the name of the table from what is heard and not seen.
        self.box = column([text(f'<span class="heard">{label}</span>'), self._place])
        self.box.add_class("sdr-kit-grid")
        self._on_select = on_select
        self._several = several
        self._order = tuple(order)
        self._ticked = frozenset(ticked)
        self._table: ITable | None = None
        # The page keeps a table's search and order under this name while it is open.
        self._memory = f"sdr-kit-{secrets.token_hex(8)}"

    @property
    def selected(self) -> list[int]:
        """Rows of the frame that are selected, by position."""
        return [] if self._table is None else sorted(self._table.selected_rows)

    def select(self, rows: Sequence[int]) -> None:
        """Selects rows of the frame, by position, in place of others."""
        if self._table is not None:
            self._table.selected_rows = list(rows)

    def show(self, frame: pd.DataFrame, *, selected: Sequence[int] = ()) -> None:
        """Shows a frame in the place of the one before."""
        options = self._options(list(map(str, frame.columns)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # options it does not list
            self._table = ITable(
                _shown(frame),
                selected_rows=list(selected),
                **options,
            )
        self._table.observe(self._on_select, "selected_rows")
        replace(self._place, [self._table])

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
