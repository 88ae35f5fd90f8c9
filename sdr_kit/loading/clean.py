"""A table in, the clean cells of our four columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import (
    COLUMNS,
    DOMAIN,
    INDUSTRY,
    NAME,
    OWNER,
    SHARED,
    TEAM_OWNERS,
    label_key,
    may_name,
    missing_labels,
    no_names,
    recognise,
)
from sdr_kit.loading.domains import clean_domain
from sdr_kit.loading.footers import TOTAL, is_subtotal
from sdr_kit.loading.groups import NOT_CERTAIN, fill_groups
from sdr_kit.loading.names import name_key
from sdr_kit.loading.records import Table, listed, shown
from sdr_kit.loading.tables import text_cells

_FLAG_CELLS = frozenset(("", "true", "false", "yes", "no"))
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))  # zero-width, as if absent


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A cell that was kept out, or is doubtful, while its row stayed.

    Attributes:
        position: Of the row.
        column: Ours.
        value: The cell as it came.
        reason: In plain words.
    """

    position: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Clean:
    """Our four columns, one entry a row of the table.

    Attributes:
        names: On one line; `""` where there is none.
        cells: By column of ours; None where there is nothing.
        notes: Cells that a person should look at.
        sources: By column of ours, the places in the header that it comes from.
        others: The table's names of the columns that stay the source's own.
    """

    names: list[str]
    cells: dict[str, list[str | None]]
    notes: list[Note]
    sources: dict[str, list[int]]
    others: list[str]


def clean(table: Table, chosen: Mapping[str, str]) -> Clean:
    """Finds our columns in a table and cleans their cells.

    Of several columns that mean the same, the best is ours, the next ones fill its
    blanks, and these stay columns of the source.

    Raises:
        AccountsError: A label is not there, there is no company column, or two
            columns of one name contradict each other.
    """
    sources = _sources(table, chosen)
    texts = {
        column: [text_cells(table.cells.iloc[:, place]) for place in places]
        for column, places in sources.items()
    }
    for column, places in sources.items():
        _refuse_contradiction(table, column, places, texts[column])
    names = [_one_line(cell) for cell in _filled(texts[NAME])]
    domains, notes = _domains(texts.get(DOMAIN, []), names)
    notes += _fill_groups(table, sources, texts, names)
    nothing: list[str | None] = [None] * len(names)
    rest = {
        column: [cell if cell.strip() else None for cell in _filled(texts[column])]
        for column in (INDUSTRY, OWNER)
        if column in texts
    }
    first = {places[0] for places in sources.values()}
    return Clean(
        names=names,
        cells={
            NAME: list(names),
            DOMAIN: domains,
            INDUSTRY: rest.get(INDUSTRY, nothing),
            OWNER: rest.get(OWNER, nothing),
        },
        notes=notes,
        sources=sources,
        others=[
            name
            for place, name in enumerate(table.names)
            if (place not in first or label_key(table.header[place]) in TEAM_OWNERS)
            and not _flag_of_ours(table, place)
        ],
    )


def _flag_of_ours(table: Table, place: int) -> bool:
    """Says whether a column is the flag that an export of ours has written."""
    if table.header[place] != SHARED:
        return False
    cells = text_cells(table.cells.iloc[:, place])
    return {cell.strip().casefold() for cell in cells} <= _FLAG_CELLS


def check_chosen(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Gives what a person chose, when its keys are columns of ours.

    Raises:
        ValueError: One is not.
        TypeError: It is no mapping, or a label is no text.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise TypeError(
            f"columns is {columns!r}; it must map our columns to the source's labels, "
            'for instance {"company_name": "Kunde"}'
        )
    chosen = dict(columns or {})
    for column, label in chosen.items():
        if column not in COLUMNS:
            raise ValueError(
                f"columns has the key {column!r}; it maps ours to the source's, and "
                f"ours are {', '.join(COLUMNS)}"
            )
        if not isinstance(label, str):
            raise TypeError(f"columns[{column!r}] is {label!r}; it must be a label")
    return chosen


def _sources(table: Table, chosen: Mapping[str, str]) -> dict[str, list[int]]:
    # A repeated label can be named by what it was made: "Industry_2".
    labels = [
        name if name in chosen.values() and name not in table.header else label
        for label, name in zip(table.header, table.names, strict=True)
    ]
    doubtful = [
        place
        for place, label in enumerate(labels)
        if may_name(label) and no_names(text_cells(table.cells.iloc[:, place]))
    ]
    sources = recognise(labels, chosen, no_names=doubtful)
    for column in missing_labels(labels, chosen):
        raise AccountsError(
            f'there is no column "{shown(chosen[column])}" for {column}; the columns '
            f"are: {listed(table.header)}"
        )
    if NAME not in sources:
        raise AccountsError(
            f"there is no column company_name; the columns are: "
            f"{listed(table.header)}. "
            'Say which it is: columns={"company_name": "its label"}'
        )
    return sources


def _refuse_contradiction(
    table: Table, column: str, places: Sequence[int], texts: Sequence[list[str]]
) -> None:
    """Refuses two columns of one name that say different things of one account."""
    by_key: dict[str, int] = {}
    for at, place in enumerate(places):
        other = by_key.setdefault(label_key(table.header[place]), at)
        if other == at:
            continue
        for row, one, two in zip(table.rows, texts[other], texts[at], strict=True):
            if one.strip() and two.strip() and one.strip() != two.strip():
                labels = [table.header[places[other]], table.header[place]]
                raise AccountsError(
                    f"two columns mean {column}: {listed(labels)}, and they differ in "
                    f"row {shown(str(row))}; rename or remove one, or choose with "
                    f'columns={{"{column}": "its label"}}'
                )


def _filled(texts: Sequence[list[str]]) -> list[str]:
    """Gives the first column, its blanks filled from the next ones."""
    cells, *others = texts
    for other in others:
        cells = [
            cell if cell.strip() else more
            for cell, more in zip(cells, other, strict=True)
        ]
    return cells


def _one_line(cell: str) -> str:
    """Gives the name without space around or doubled inside."""
    visible = cell if cell.isascii() else cell.translate(_INVISIBLE)
    return " ".join(visible.split())


def _fill_groups(
    table: Table,
    sources: Mapping[str, Sequence[int]],
    texts: Mapping[str, list[list[str]]],
    names: Sequence[str],
) -> list[Note]:
    """Fills owner and industry down in a grouped report; notes where that is unsure."""
    totals = [at for at, why in table.no_data.items() if why == TOTAL]
    lines = table.cells.iloc[totals].to_numpy(dtype=object).tolist()
    closed = {
        at: next(place for place, cell in enumerate(line) if cell.strip())
        for at, line in zip(totals, lines, strict=True)
        if any(map(is_subtotal, line))
    }
    notes: list[Note] = []
    for column in (OWNER, INDUSTRY):
        for at, place in enumerate(sources.get(column, [])):
            if place > sources[NAME][0]:
                continue
            # Of nested groups, the outer one's subtotals stand further left.
            own = {line for line, first in closed.items() if first <= place}
            texts[column][at], unsure = fill_groups(
                texts[column][at], names, table.no_data, own or set(closed)
            )
            notes.extend(
                Note(position=line, column=column, value="", reason=NOT_CERTAIN)
                for line in unsure
            )
    return notes


def _domains(
    texts: Sequence[list[str]], names: Sequence[str]
) -> tuple[list[str | None], list[Note]]:
    """Gives every row's first usable domain, and notes why one has none."""
    domains: list[str | None] = [None] * len(names)
    unusable: dict[int, tuple[str, str]] = {}
    for cells in texts:
        for place, cell in enumerate(cells):
            if domains[place] is not None or not cell:
                continue
            found = clean_domain(cell)
            domains[place] = (
                found.domain_for(name_key(names[place]))
                if found.provider
                else found.domain
            )
            if found.reason is not None:
                unusable.setdefault(place, (cell, found.reason))
    return domains, [
        Note(position=place, column=DOMAIN, value=value, reason=reason)
        for place, (value, reason) in unusable.items()
        if domains[place] is None
    ]
