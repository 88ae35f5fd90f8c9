"""Results back into the source: its own table, with what was found behind it.

Every row that was read stands there once, in its order and as it came, under the
source's own column names; a CRM takes its list back with a few columns more. What is
ours is renamed where names meet, never what is the source's.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sdr_kit.account import Edit
from sdr_kit.accounts import Accounts
from sdr_kit.loading.books import ACCOUNT
from sdr_kit.loading.records import TEXT
from sdr_kit.results import AFTER_RESEARCH, BEFORE_RESEARCH

SCORES = ("tier", "priority_score")
SET_BY_PEOPLE = ("owner", "notes")
_RENAMED = "result_"


def merged_frame(
    accounts: Accounts, frame: pd.DataFrame, edits: Mapping[int, Edit]
) -> pd.DataFrame:
    """Puts results behind the rows of the source.

    Args:
        accounts: The list.
        frame: Its results, as `Run.frame` has them.
        edits: What people have set, by position.

    Returns:
        One row a row read, in the order of the source. First its own columns (a file's
        are text as it came; a DataFrame keeps its labels, dtypes and index), where rows
        have cells beyond the header, these too, without a name. Then `tier`,
        `priority_score`, the research columns, `status` (`completed`, `failed`,
        `pending`, `processing`; `duplicate` for one whose account was dropped;
        `rejected`), `status_reason` (what failed, which row it repeats, why it is no
        account), and `owner` and `notes` where people have set any. A duplicate has the
        results of the account that it repeats; a rejected row has none. A column of
        ours whose name the source has begins with `result_`.
    """
    own = source_frame(accounts)
    found = _found(accounts, frame, edits).set_axis(own.index)
    taken = {_folded(label) for label in own.columns}
    names = _unlike(list(map(str, found.columns)), taken)
    merged = pd.concat([own, found], axis="columns")
    merged.columns = pd.Index([*own.columns, *names], dtype=object)
    return merged


def merged_sheet(
    accounts: Accounts, frame: pd.DataFrame, edits: Mapping[int, Edit]
) -> tuple[pd.DataFrame, int]:
    """Gives the same as a file holds it, and how many of its columns are the source's.

    The index of a DataFrame stands first where it says something: it has a name, or its
    labels are no numbers.
    """
    merged = merged_frame(accounts, frame, edits)
    own = accounts.table.cells.shape[1] + _beyond(accounts)
    index = merged.index
    named = any(name is not None for name in index.names)
    if accounts.table.labels is None or not (named or index.dtype.kind not in "iu"):
        return merged, own
    first = index.to_frame(index=False)
    first.columns = pd.Index(
        ["index" if name is None else name for name in index.names], dtype=object
    )
    sheet = pd.concat([first, merged.reset_index(drop=True)], axis="columns")
    return sheet, own + first.shape[1]


def source_frame(accounts: Accounts) -> pd.DataFrame:
    """Gives the source's own table as it came: every row read, under its own names."""
    table, beyond = accounts.table, _beyond(accounts)
    cells = [table.cells]
    for place in range(beyond):
        values = [""] * len(table.rows)
        for row, more in table.surplus.items():
            values[row] = "".join(more[place : place + 1])
        cells.append(pd.DataFrame({place: values}, index=table.cells.index, dtype=TEXT))
    labels = table.header if table.labels is None else table.labels
    own = pd.concat(cells, axis="columns")
    own.columns = pd.Index([*labels, *[""] * beyond], dtype=object)
    return own


def _beyond(accounts: Accounts) -> int:
    """Says how many cells the longest row has beyond the header."""
    return max(map(len, accounts.table.surplus.values()), default=0)


def _found(
    accounts: Accounts, frame: pd.DataFrame, edits: Mapping[int, Edit]
) -> pd.DataFrame:
    """Gives what is ours, a row for each of the source, under our names."""
    fates = accounts.fates
    whose = fates["account"].astype("float64")  # missing where there is no account
    begin = list(frame.columns).index(BEFORE_RESEARCH[-1]) + 1
    end = list(frame.columns).index(AFTER_RESEARCH[0])
    names = [*SCORES, *frame.columns[begin:end], "status", "error_message"]
    results = frame[names].reset_index(drop=True)
    for name in SET_BY_PEOPLE:
        values = {place: getattr(edit, name) for place, edit in edits.items()}
        if any(value is not None for value in values.values()):
            column = pd.Series(values, dtype=object).reindex(results.index)
            results = results.assign(**{name: column})
    found = results.reindex(pd.Index(whose)).reset_index(drop=True)
    status = found["status"].where(found["status"].notna(), fates["fate"])
    is_account = fates["fate"] == ACCOUNT
    reason = found["error_message"].astype(object).where(is_account, fates["reason"])
    found = found.assign(status=status, error_message=reason)
    return found.rename(columns={"error_message": "status_reason"})


def _unlike(names: list[str], taken: set[str]) -> list[str]:
    """Renames what is taken, in whatever case, until no two are alike."""
    given = set(map(_folded, names))
    unlike: list[str] = []
    for name in names:
        free = name
        while _folded(free) in taken or (free != name and _folded(free) in given):
            free = f"{_RENAMED}{free}"
        taken.add(_folded(free))
        unlike.append(free)
    return unlike


def _folded(label: object) -> str:
    return str(label).strip().casefold()
