"""A table that is searched, sorted, filtered and clicked on, of any size.

The only file that imports itables. Its widget makes the whole table anew when its rows
change; what a person has searched and sorted by is kept by the page meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import pandas as pd
from itables.widget import ITable

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
        self.box = widgets.VBox(layout={"overflow": "hidden", "width": "100%"})
        self.box.add_class("sdr-kit-grid")
        self._label = label
        self._on_select = on_select
        self._several = several
        self._order = tuple(order)
        self._ticked = frozenset(ticked)
        self._table: ITable | None = None

    @property
    def selected(self) -> list[int]:
        """Rows of the frame that are selected, by position."""
        return [] if self._table is None else sorted(self._table.selected_rows)

    def show(self, frame: pd.DataFrame, *, selected: Sequence[int] = ()) -> None:
        """Shows a frame in the place of the one before."""
        options = self._options(list(frame.columns))
        shown = _shown(frame)
        chosen = list(selected)
        if self._table is None:
            self._table = ITable(shown, selected_rows=chosen, **options)
            self._table.observe(self._on_select, "selected_rows")
            self.box.children = (self._table,)
        else:
            self._table.update(shown, selected_rows=chosen, **options)

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
            "stateDuration": -1,  # for as long as the page is open
            "pageLength": 25,
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
        return "" if value != value else round(value, 2)  # noqa: PLR0124 (NaN)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    words = str(value)
    cut = len(words) > MAX_CHARACTERS
    return words[: MAX_CHARACTERS - 1] + "…" if cut else words
