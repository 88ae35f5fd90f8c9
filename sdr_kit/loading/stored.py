"""A list as a job has stored it, as books again: all of it is clean and ready."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.loading.books import Books
from sdr_kit.loading.clean import Clean
from sdr_kit.loading.columns import COLUMNS
from sdr_kit.loading.records import Table


def stored_books(rows: Sequence[Account], others: Sequence[tuple[str, str]]) -> Books:
    """Makes books of accounts.

    Args:
        rows: The accounts, in order.
        others: Name and dtype of each column that is the source's own; empty where an
            older file does not say, and then they are the columns of the accounts.
    """
    others = others or [(name, "object") for name in _names(rows)]
    index = pd.RangeIndex(len(rows))
    ours = {column: [getattr(row, column) for row in rows] for column in COLUMNS}
    # Merged back, its rows say whom they are about; the source's own names are lost.
    said = [column for column in COLUMNS if any(ours[column])]
    columns = {column: _column(ours[column], "object", index) for column in said}
    columns |= {
        name: _column([row.extra.get(name) for row in rows], dtype, index)
        for name, dtype in others
    }
    names = list(columns)
    table = Table(
        cells=pd.DataFrame(columns, index=index, columns=names),
        rows=index,
        header=names,
        names=names,
        by_number=True,
        layout="stored by an earlier run",
    )
    clean = Clean(
        names=[row.company_name for row in rows],
        cells=ours,
        notes=[],
        sources={},
        others=names[len(said) :],
    )
    return Books(table=table, clean=clean, rejected={}, repeats={})


def _names(rows: Sequence[Account]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.extra))


def _column(values: list[Any], dtype: Any, index: pd.Index[Any]) -> pd.Series[Any]:
    """Gives a column its dtype again, where its values can still be read so."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        typed: pd.Series[Any] = pd.Series(values, index=index).astype(dtype)
        return typed
    return pd.Series(values, index=index, dtype=object)
