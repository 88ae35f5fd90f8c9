"""A list by pages: its accounts, and what identifies them, made when their turn comes.

A million accounts at once would be half a gigabyte; a run holds a page of them. What
becomes of the list's frame meanwhile changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import pandas as pd

from sdr_kit.account import Account
from sdr_kit.loading.columns import COLUMNS, DOMAIN, NAME, SHARED
from sdr_kit.loading.names import account_key

PAGE = 1_000  # made at once: milliseconds, for which the loop of a run waits


class Pages(Sequence[Account]):
    """Some accounts of a list, or all, in a given order.

    Args:
        frame: The list; see `Accounts.frame`.
        places: Their positions, in the order in which they come; None is all.
    """

    def __init__(
        self, frame: pd.DataFrame, places: Sequence[int] | None = None
    ) -> None:
        self._frame = frame.copy(deep=False)
        self._places = range(len(frame)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Account]:
        for start in range(0, len(self._places), PAGE):
            yield from _page(self._frame, self._places[start : start + PAGE])

    @overload
    def __getitem__(self, place: int) -> Account: ...
    @overload
    def __getitem__(self, place: slice) -> Pages: ...
    def __getitem__(self, place: int | slice) -> Account | Pages:
        if isinstance(place, slice):
            return Pages(self._frame, self._places[place])
        return _page(self._frame, [self._places[place]])[0]


class Keys(Sequence[str]):
    """What identifies each account of a list, in order; see `account_key`.

    Going through them keeps none; the first that is asked for by its place makes all.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame[[NAME, DOMAIN]]

    def __len__(self) -> int:
        return len(self._frame)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), PAGE):
            part = self._frame.iloc[start : start + PAGE]
            yield from map(account_key, _values(part[NAME]), _values(part[DOMAIN]))

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        return self._all[place]

    @cached_property
    def _all(self) -> list[str]:
        return list(self)


def _page(frame: pd.DataFrame, places: Sequence[int]) -> list[Account]:
    if isinstance(places, range) and places.step == 1:
        part = frame.iloc[places.start : places.stop]
    else:
        part = frame.take(list(places))
    own = [_values(part[name]) for name in COLUMNS]
    others = [
        (str(name), _values(part.iloc[:, at]))
        for at, name in enumerate(part.columns)
        if name not in (*COLUMNS, SHARED)
    ]
    if not others:
        return [
            Account(
                company_name=name,
                position=position,
                domain=domain,
                industry=industry,
                owner=owner,
            )
            for position, name, domain, industry, owner in zip(
                places, *own, strict=True
            )
        ]
    names = [name for name, _values in others]
    cells = zip(*(values for _name, values in others), strict=True)
    return [
        Account(
            company_name=name,
            position=position,
            domain=domain,
            industry=industry,
            owner=owner,
            extra=dict(zip(names, row, strict=True)),
        )
        for position, name, domain, industry, owner, row in zip(
            places, *own, cells, strict=True
        )
    ]


def _values(column: pd.Series[Any]) -> list[Any]:
    """Gives the cells as plain Python values; a missing one is None."""
    missing = column.isna().to_numpy()
    if missing.all():
        return [None] * len(column)
    values: list[Any] = column.tolist()
    for place in missing.nonzero()[0].tolist():
        values[place] = None
    return values
