"""Any table in, clean accounts out, and every row accounted for.

The way of a list, one small step each: once it is a table (`tables`), *recognise* the
columns, *clean* the cells, *sort out* what is rejected and what repeats another row.

Rules: every row read ends in exactly one of `frame`, `duplicates`, `rejected`, with
a reason in plain words. Text stays text: `007`, `1/2/2024` and `NA` are kept as they
came. What is in a file is data, never executed. What cannot be loaded is one
`AccountsError`.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.domains import clean_domain
from sdr_kit.errors import AccountsError
from sdr_kit.names import name_key
from sdr_kit.tables import (
    TEXT,
    Source,
    Table,
    listed,
    name_of,
    shown,
    some_text,
    table_of,
    text_cells,
    unique_names,
)

NAME, DOMAIN, INDUSTRY, OWNER = COLUMNS = (
    "company_name",
    "domain",
    "industry",
    "owner",
)

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))  # zero-width, as if absent


class Accounts:
    """A clean list of accounts, and what became of every other row.

    Attributes:
        frame: One row an account: `company_name`, `domain`, `industry`, `owner`
            (always all four, pandas' text dtype, missing when blank; `domain` is
            registrable, in lower case and punycode), then every other column of the
            source in its order. A file's columns are text as they came, blank cells
            `""`, rows from 0; a DataFrame's keep their dtype and index labels.
        duplicates: One row for each that repeats an earlier one: `row`,
            `repeats_row`, `company_name`, `domain`, `reason`.
        rejected: One row for each that is no account: `row`, `reason`, then the
            cells as they came (`surplus`: cells beyond the header, as a JSON list).
        notes: One row for each cell that was kept out while its row stayed: `row`,
            `company_name`, `column`, `value` (as it came), `reason`.
        source: Where it came from: a file's name, or `"DataFrame"`.

    `row` is the number a spreadsheet shows (the header is row 1, if no blank lines
    stand above it) or the index label of a DataFrame. `len()` is the number of
    accounts; iterating gives an [`Account`][sdr_kit.Account] each, in order.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        duplicates: pd.DataFrame,
        rejected: pd.DataFrame,
        notes: pd.DataFrame,
        source: str,
    ) -> None:
        self.frame = frame
        self.duplicates = duplicates
        self.rejected = rejected
        self.notes = notes
        self.source = source

    @property
    def rows_read(self) -> int:
        """How many rows were read; blank lines and the header are none."""
        return len(self.frame) + len(self.duplicates) + len(self.rejected)

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[Account]:
        others = self.frame.drop(columns=list(COLUMNS))
        names = [str(name) for name in others.columns]
        own = [_values(self.frame[name]) for name in COLUMNS]
        extra = [_values(others.iloc[:, place]) for place in range(len(names))]
        for position, (name, domain, industry, owner, *cells) in enumerate(
            zip(*own, *extra, strict=True)
        ):
            yield Account(
                company_name=name,
                position=position,
                domain=domain,
                industry=industry,
                owner=owner,
                extra=dict(zip(names, cells, strict=True)),
            )

    def sample(self, n: int) -> Accounts:
        """Gives `n` accounts spread evenly over the list, in its order.

        Rows keep their index labels, so they can be found in the whole list. All
        accounts when `n` is `len()` or more. `duplicates`, `rejected` and `notes`
        are those of the whole list's loading and are empty here.

        Raises:
            ValueError: `n` is not a whole number from 1 on.
        """
        if type(n) is not int or n < 1:
            raise ValueError(f"n is {n!r}; it must be a whole number, 1 or more")
        total = len(self)
        if n >= total:
            return self
        middles = [(2 * place + 1) * total // (2 * n) for place in range(n)]
        return Accounts(
            self.frame.iloc[middles],
            duplicates=self.duplicates.iloc[:0],
            rejected=self.rejected.iloc[:0],
            notes=self.notes.iloc[:0],
            source=f"{self.source} (sample of {n:,})",
        )

    def __repr__(self) -> str:
        return f"<Accounts from {self.source}: {', '.join(self._counts().values())}>"

    def _repr_html_(self) -> str:
        lines = "".join(
            f"<li>{html.escape(words)} (<code>.{html.escape(where)}</code>)</li>"
            for where, words in self._counts().items()
        )
        return f"<b>{html.escape(self.source)}</b><ul>{lines}</ul>"

    def _counts(self) -> dict[str, str]:
        ready = f"{_count(len(self), 'account')} ready of {self.rows_read:,} rows read"
        counts = {"frame": ready}
        if len(self.duplicates):
            counts["duplicates"] = _count(len(self.duplicates), "duplicate")
        if len(self.rejected):
            counts["rejected"] = f"{_count(len(self.rejected), 'row')} rejected"
        if len(self.notes):
            counts["notes"] = f"{_count(len(self.notes), 'cell')} kept out"
        return counts


def check_accounts(accounts: Accounts) -> Accounts:
    """Gives the list back when it is one.

    Raises:
        TypeError: It is something else; the message says what to write.
    """
    if not isinstance(accounts, Accounts):
        raise TypeError(
            f"accounts is a {type(accounts).__name__}; pass what "
            "sdr_kit.load_accounts() gives: it takes paths and DataFrames"
        )
    return accounts


def load_accounts(source: Source) -> Accounts:
    """Loads a list of companies: cleaned, without duplicates, every row accounted for.

    `company_name` is required; `domain`, `industry` and `owner` are used when they
    are there. These four are recognised whatever their case, spaces, `-` and `_`;
    every other column is kept as it came, under its own name (one without a name
    becomes `column_5`, one whose name is taken `name_2`).

    A row repeats an earlier one when it has the same domain and the same name (case,
    punctuation, accents and legal form aside), or no domain and the same name.
    Different names on one domain, and equal names on different domains, are kept.

    Args:
        source: A local path, bytes, a file object (read to its end, left open), or
            a pandas DataFrame (left as it is). Files are CSV: commas, a header,
            UTF-8 with or without a byte order mark, at most 256 MiB.

    Raises:
        AccountsError: The list cannot be loaded; the message says why, where, and
            what to do.
        TypeError: `source` is none of these.
    """
    name = name_of(source)
    try:
        return _sort_out(table_of(source), source=name)
    except AccountsError as error:
        raise AccountsError(f"{name}: {error}") from error.__cause__


def _recognise(table: Table) -> dict[str, str]:
    """Finds which column of the table is which of ours: canonical name to its name."""
    found: dict[str, str] = {}
    for label, name in zip(table.header, table.names, strict=True):
        column = _OURS.get(_column_key(label))
        if column in found:
            raise AccountsError(
                f"two columns mean {column}: {listed([found[column], label])}; "
                "rename or remove one"
            )
        if column is not None:
            found[column] = name
    if NAME not in found:
        raise AccountsError(
            f"there is no column company_name; the columns are: {listed(table.header)}"
            f"{_maybe_delimiter(table.header)}"
        )
    return found


def _maybe_delimiter(header: Sequence[str]) -> str:
    """Names what seems to stand between the cells, when it is no comma."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            return (
                f". The cells seem to be separated by {name}; load it with pandas "
                f"(pd.read_csv(path, sep={mark!r}, dtype=str)) and give the DataFrame"
            )
    return ""


def _column_key(label: str) -> str:
    return re.sub(r"[\s_-]+", "", label).casefold()


_OURS = {_column_key(name): name for name in COLUMNS}


def _clean_name(cell: str) -> str:
    """Gives the name on one line, without space around or doubled inside."""
    visible = cell if cell.isascii() else cell.translate(_INVISIBLE)
    return " ".join(visible.split())


def _clean_domains(
    cells: list[str], names: list[str]
) -> tuple[list[str | None], dict[int, str]]:
    """Gives every account's domain, and by position why a cell has none."""
    domains: list[str | None] = []
    reasons: dict[int, str] = {}
    for position, (cell, name) in enumerate(zip(cells, names, strict=True)):
        found = clean_domain(cell)
        domain = found.domain_for(name_key(name)) if found.provider else found.domain
        if domain is None and found.reason is not None:
            reasons[position] = found.reason
        domains.append(domain)
    return domains, reasons


def _blank_to_none(cells: list[str]) -> list[str | None]:
    return [cell if cell.strip() else None for cell in cells]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Repeat:
    position: int
    of: int
    reason: str


def _sort_out(table: Table, *, source: str) -> Accounts:
    found = _recognise(table)
    own = {
        column: text_cells(table.cells[found[column]])
        if column in found
        else [""] * len(table.rows)
        for column in COLUMNS
    }
    names = [_clean_name(cell) for cell in own[NAME]]
    domains, unusable = _clean_domains(own[DOMAIN], names)
    rejected = _reject(table, names)
    repeats = _repeats(table.rows, names, domains, rejected)
    others = [name for name in table.names if name not in found.values()]
    left_out = {*rejected, *(repeat.position for repeat in repeats)}
    keep = [place for place in range(len(names)) if place not in left_out]
    noted = {place: why for place, why in unusable.items() if place not in rejected}
    clean: dict[str, list[Any]] = {
        NAME: names,
        DOMAIN: domains,
        INDUSTRY: _blank_to_none(own[INDUSTRY]),
        OWNER: _blank_to_none(own[OWNER]),
    }
    return Accounts(
        _frame(table, clean, keep, others=others),
        duplicates=_duplicates_frame(table.rows, names, domains, repeats),
        rejected=_rejected_frame(table, rejected),
        notes=_notes_frame(table.rows, names, own[DOMAIN], noted),
        source=source,
    )


def _reject(table: Table, names: list[str]) -> dict[int, str]:
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
    return dict(sorted(reasons.items()))


def _repeats(
    rows: pd.Index[Any],
    names: list[str],
    domains: list[str | None],
    rejected: dict[int, str],
) -> list[_Repeat]:
    """Finds the rows that repeat an earlier one, which is always one that stays."""
    rows_on = Counter(
        domain for place, domain in enumerate(domains) if place not in rejected
    )
    # Keys take most of the time. A row alone on its domain can only be repeated by
    # a row without one.
    every_key = None in rows_on
    first: dict[tuple[str | None, str], int] = {}  # by domain and name, None for any
    repeats: list[_Repeat] = []
    for place, (name, domain) in enumerate(zip(names, domains, strict=True)):
        if place in rejected:
            continue
        key = name_key(name) if every_key or rows_on[domain] > 1 else ""
        of = first.get((domain, key))
        if of is None:
            first[domain, key] = place
            first.setdefault((None, key), place)
            continue
        same = "same company and domain as" if domain else "no domain, same name as"
        reason = f"{same} row {shown(str(rows[of]))}"
        repeats.append(_Repeat(position=place, of=of, reason=reason))
    return repeats


def _frame(
    table: Table, clean: dict[str, list[Any]], keep: list[int], *, others: list[str]
) -> pd.DataFrame:
    kept = table.cells[others].iloc[keep]
    if table.by_number:
        kept = kept.reset_index(drop=True)
    own = pd.DataFrame(
        {column: _texts(_at(cells, keep)) for column, cells in clean.items()}
    )
    return pd.concat([own.set_axis(kept.index), kept], axis="columns")


def _duplicates_frame(
    rows: pd.Index[Any],
    names: list[str],
    domains: list[str | None],
    repeats: list[_Repeat],
) -> pd.DataFrame:
    places = [repeat.position for repeat in repeats]
    return pd.DataFrame(
        {
            "row": rows.take(places),
            "repeats_row": rows.take([repeat.of for repeat in repeats]),
            NAME: _texts(_at(names, places)),
            DOMAIN: _texts(_at(domains, places)),
            "reason": _texts([repeat.reason for repeat in repeats]),
        }
    )


def _rejected_frame(table: Table, rejected: dict[int, str]) -> pd.DataFrame:
    places = list(rejected)
    cells = table.cells.iloc[places].reset_index(drop=True)
    if table.surplus:
        beyond = (table.surplus.get(place, []) for place in places)
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
        {"row": table.rows.take(places), "reason": _texts(list(rejected.values()))}
    )
    return pd.concat([own, cells], axis="columns")


def _notes_frame(
    rows: pd.Index[Any], names: list[str], values: list[str], noted: dict[int, str]
) -> pd.DataFrame:
    places = list(noted)
    return pd.DataFrame(
        {
            "row": rows.take(places),
            NAME: _texts(_at(names, places)),
            "column": _texts([DOMAIN] * len(places)),
            "value": _texts(_at(values, places)),
            "reason": _texts(list(noted.values())),
        }
    )


def _at(cells: Sequence[Any], places: list[int]) -> list[Any]:
    return [cells[place] for place in places]


def _texts(cells: Sequence[str | None]) -> pd.Series[Any]:
    return pd.Series(list(cells), dtype=TEXT)


def _values(column: pd.Series[Any]) -> list[Any]:
    """Gives the cells as plain Python values; a missing one is None."""
    pairs = zip(column.tolist(), column.isna().tolist(), strict=True)
    return [None if missing else value for value, missing in pairs]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
