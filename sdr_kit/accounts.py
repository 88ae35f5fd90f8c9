"""Any table in, clean accounts out, and every row accounted for.

The way of a list, one room each: once it is a table (`tables`), the columns are found
(`columns`), the cells cleaned (`clean`), and the rows that are no account or repeat
another one sorted out (`repeats`, `books`).

Rules: every row read ends in exactly one of `frame`, `duplicates`, `rejected`, with
a reason in plain words. Text stays text: `007`, `1/2/2024` and `NA` are kept as they
came. What is in a file is data, never executed. What cannot be loaded is one
`AccountsError`.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, SupportsIndex

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.errors import AccountsError
from sdr_kit.loading.books import Books, Rows, open_books
from sdr_kit.loading.clean import check_chosen, clean
from sdr_kit.loading.columns import COLUMNS, DOMAIN, SHARED, export_name
from sdr_kit.loading.pages import Keys, Pages
from sdr_kit.loading.records import TEXT, Table
from sdr_kit.loading.stored import stored_books
from sdr_kit.loading.tables import Source, name_of, table_of
from sdr_kit.words import counted


class Accounts:
    """A clean list of accounts, and what became of every other row.

    Attributes:
        frame: One row an account: `company_name`, `domain`, `industry`, `owner`
            (always all four, pandas' text dtype, missing when blank; `domain` is
            registrable, in lower case and punycode), `shared_domain` (bool: the
            domain stands on another account as well), then every other column of the
            source in its order. A file's columns are text as they came, blank cells
            `""`, rows from 0; a DataFrame's keep their dtype and index labels.
        duplicates: One row for each that repeats another one: `row`,
            `repeats_row`, `company_name`, `domain`, `reason`.
        rejected: One row for each that is no account: `row`, `reason`, then the
            cells as they came (`surplus`: cells beyond the header, as a JSON list).
        notes: One row for each cell that was kept out while its row stayed, and for
            each blank one of a grouped report whose group is not certain: `row`,
            `company_name`, `column`, `value` (as it came), `reason`.
        source: Where it came from: a file's name, or `"DataFrame"`.

    `row` is the number a spreadsheet shows (lines above the header are counted, but are
    no rows of the list) or the index label of a DataFrame. `len()` is the number of
    accounts; iterating gives an [`Account`][sdr_kit.Account] each, in order.
    """

    def __init__(self, books: Books, *, source: str) -> None:
        self._books = books
        self.source = source
        self.frame = books.frame()
        self.duplicates = books.duplicates_frame()
        self.rejected = books.rejected_frame()
        self.notes = books.notes_frame()

    @property
    def rows_read(self) -> int:
        """How many rows were read; blank lines and the header are none."""
        return len(self.frame) + len(self.duplicates) + len(self.rejected)

    @property
    def rows(self) -> pd.Index[Any]:
        """The source's row of each account, in the frame's order."""
        return self._books.rows

    @property
    def table(self) -> Table:
        """The source as it was read: every row of it, nothing cleaned."""
        return self._books.table

    @property
    def fates(self) -> pd.DataFrame:
        """What became of each row read, in the order of the source.

        Columns: `fate` (`account`, `duplicate`, `rejected`), `account` (Int64: the
        place in `frame` of the account that it is or repeats), `reason`.
        """
        return self._books.fates()

    @property
    def books(self) -> dict[str, int]:
        """What became of the rows, in numbers.

        `rows_read` = `ready` + `duplicates` + `rejected`. `shared_domains` is the
        number of domains that stand on several accounts, `on_shared_domains` that of
        these accounts.
        """
        flagged = self.frame[self.frame[SHARED]]
        return {
            "rows_read": self.rows_read,
            "ready": len(self),
            "duplicates": len(self.duplicates),
            "shared_domains": int(flagged[DOMAIN].nunique()),
            "on_shared_domains": len(flagged),
            "rejected": len(self.rejected),
        }

    @functools.cached_property
    def keys(self) -> list[str]:
        """What identifies each account from one list to the next, in order."""
        return list(Keys(self.frame))

    @property
    def others(self) -> list[tuple[str, str]]:
        """The source's own columns in their order: name and dtype."""
        own = self.frame.drop(columns=[*COLUMNS, SHARED])
        pairs = zip(own.columns, own.dtypes, strict=True)
        return [(str(name), str(dtype)) for name, dtype in pairs]

    @classmethod
    def stored(
        cls,
        rows: Sequence[Account],
        *,
        source: str,
        others: Sequence[tuple[str, str]],
    ) -> Accounts:
        """Makes a list again of what a job has stored of it.

        Its rows are numbered from 0; what was a duplicate or rejected is not in it, and
        a value that JSON cannot hold (a date) is a text, unless its dtype says how to
        read it.

        Args:
            rows: The accounts, in order.
            source: What the list is called.
            others: What `others` gave.
        """
        return cls(stored_books(rows, others), source=source)

    @property
    def recognised(self) -> pd.DataFrame:
        """Which columns of the source are ours.

        One row for each of our four: `column`, `source_columns` (the labels, best
        first, joined with ", "; `""` for none), `filled` (accounts with a value).
        """
        header = self._books.table.header
        places = [self._books.clean.sources.get(column, []) for column in COLUMNS]
        labels = [", ".join(header[place] for place in some) for some in places]
        return pd.DataFrame(
            {
                "column": pd.Series(COLUMNS, dtype=TEXT),
                "source_columns": pd.Series(labels, dtype=TEXT),
                "filled": [int(self.frame[column].notna().sum()) for column in COLUMNS],
            }
        )

    @property
    def layout(self) -> str:
        """What the source is, in a few words: "HubSpot export: text in UTF-8, ..."."""
        layout = self._books.table.layout
        export = export_name(self._books.table.header)
        return (
            f"{export} export: {layout}" if export else layout[0].upper() + layout[1:]
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[Account]:
        return iter(Pages(self.frame))

    def keep(self, rows: Rows) -> Accounts:
        """Gives a list in which these duplicates, or dropped rows, are accounts.

        Args:
            rows: One label of `duplicates["row"]`, or of a row that was dropped by
                hand, or several. A label that several rows bear means all of them.

        Raises:
            ValueError: A row is neither.
        """
        return Accounts(self._books.keep(rows), source=self.source)

    def drop(self, rows: Rows) -> Accounts:
        """Gives a list without these accounts: they stand in `rejected`.

        Their duplicates stay duplicates. `keep` takes them back.

        Args:
            rows: One label of `accounts.rows`, or several. A label that several
                accounts bear means all of them.

        Raises:
            ValueError: A row is no account's.
        """
        return Accounts(self._books.drop(rows), source=self.source)

    def sample(self, n: SupportsIndex) -> Accounts:
        """Gives `n` accounts spread evenly over the list, in its order.

        Rows keep their index labels and `shared_domain`, so they can be found in the
        whole list. All accounts when `n` is `len()` or more. `duplicates`, `rejected`
        and `notes` are those of the whole list's loading and are empty here.

        Raises:
            ValueError: `n` is not a whole number from 1 on.
        """
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n is {n!r}; it must be a whole number, 1 or more")
        n = int(n)
        total = len(self)
        if n >= total:
            return self
        middles = [(2 * place + 1) * total // (2 * n) for place in range(n)]
        return Accounts(
            self._books.only(middles, self.frame.index.take(middles)),
            source=f"{self.source} (sample of {n:,})",
        )

    def __repr__(self) -> str:
        return f"<Accounts from {self.source}: {', '.join(self._counts().values())}>"

    def _repr_html_(self) -> str:
        lines = "".join(
            f"<li>{html.escape(words)} (<code>.{html.escape(where)}</code>)</li>"
            for where, words in self._counts().items()
        )
        return (
            f"<b>{html.escape(self.source)}</b> "
            f"({html.escape(self.layout)})<ul>{lines}</ul>"
        )

    def _counts(self) -> dict[str, str]:
        ready = f"{counted(len(self), 'account')} ready of {self.rows_read:,} rows read"
        counts = {"frame": ready}
        books = self.books
        if books["shared_domains"]:
            counts["frame.shared_domain"] = (
                f"{counted(books['on_shared_domains'], 'account')} on "
                f"{counted(books['shared_domains'], 'shared domain')}"
            )
        if len(self.duplicates):
            counts["duplicates"] = counted(len(self.duplicates), "duplicate")
        if len(self.rejected):
            counts["rejected"] = f"{counted(len(self.rejected), 'row')} rejected"
        if len(self.notes):
            counts["notes"] = f"{counted(len(self.notes), 'cell')} kept out"
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


def load_accounts(
    source: Source, *, columns: Mapping[str, str] | None = None
) -> Accounts:
    """Loads a list of companies: cleaned, without duplicates, every row accounted for.

    A company column is required; domain, industry and owner are used when they are
    there. They are recognised by the labels that CRMs give them (`columns.py` has them
    all, best first), whatever their case, spaces and punctuation; `recognised` shows
    what was found. Of several that mean the same, the best is ours, the next ones fill
    its blanks row by row, and these stay columns of the source. Every other column is
    kept as it came, under its own name (one without a name becomes `column_5`, one
    whose name is taken `name_2`), but `shared_domain` of an earlier export: it is told
    anew.

    A row repeats another when it has the same domain and the same or a similar name
    (case, punctuation, accents and legal form aside; the first stays), or no domain and
    the same name (the one with a domain stays, wherever it stands). Different names on
    one domain are kept and flagged, equal names on different domains are kept.

    A report's totals and footer lines are rejected. Where it is grouped, an owner or
    industry left of the company goes down to its group's rows, if each group's end is
    told (by a subtotal, or a count: `Jane Doe (2)`).

    Args:
        source: A local path, bytes, a file object (read to its end, left open), or
            a pandas DataFrame (left as it is); at most 256 MiB. Text: separated by
            commas, semicolons, tabs or bars, in UTF-8, UTF-16 or an older encoding
            that can be told. Excel (.xlsx, .xlsm, .xlsb, .xls) and OpenDocument: the
            first visible sheet with a company column. Lines above the header are passed
            over.
        columns: Which label of the source is which of ours, where it is not recognised
            or wrongly: `{"company_name": "Kunde", "domain": "Webseite"}`.

    Raises:
        AccountsError: The list cannot be loaded; the message says why, where, and
            what to do.
        TypeError: `source` is none of these, or `columns` is no mapping of labels.
        ValueError: `columns` has a key that is none of our four.
    """
    chosen = check_chosen(columns)
    name = name_of(source)
    try:
        table = table_of(source, chosen)
        return Accounts(open_books(table, clean(table, chosen)), source=name)
    except AccountsError as error:
        raise AccountsError(f"{name}: {error}") from error.__cause__
