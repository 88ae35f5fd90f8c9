"""From whatever a function returns to columns of plain data.

What JSON can hold stays; numpy, pandas, dates and sets become the nearest such value;
what only stands for a value (a call that was not awaited) is refused with what to
write. A nested mapping becomes columns with dotted names.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from enum import Enum
from itertools import islice
from typing import Any

NESTED_LEVELS = 3  # of a nested answer that become columns: a.b.c.d
NESTED_COLUMNS = 100  # an answer that is a dictionary of things must not widen a table
_TEXT = frozenset({str})
_LONG = 2**64
PANDAS_BLANKS = ("NAType", "NaTType")  # by name: pandas need not be imported here


def named_columns(answer: Mapping[Any, Any]) -> dict[str, Any]:
    """Gives the answer with names that are text, all of them different.

    It is the same when that is so already.
    """
    if type(answer) is dict and _TEXT.issuperset(map(type, answer)):
        return answer
    columns = {str(name): value for name, value in answer.items()}
    if len(columns) == len(answer):
        return columns
    columns = {}
    for name, value in answer.items():
        columns[_unlike(str(name), columns)] = value
    return columns


def flattened(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Gives a column to every value of the nested mappings."""
    flat: dict[str, Any] = {}
    taken = set(columns)  # a name as the researcher wrote it stays its own
    width = len(columns)
    for name, value in columns.items():
        leaves = list(islice(_leaves(name, value, NESTED_LEVELS), NESTED_COLUMNS + 1))
        if width + len(leaves) - 1 > NESTED_COLUMNS:
            leaves = [(name, value)]
        width += len(leaves) - 1
        for inner, leaf in leaves:
            column = name if inner == name else _unlike(inner, taken)
            taken.add(column)
            flat[column] = leaf
    return flat


def _leaves(name: str, value: Any, levels: int) -> Iterator[tuple[str, Any]]:
    if not (levels and isinstance(value, Mapping) and value):
        yield name, value
        return
    for inner, item in value.items():
        yield from _leaves(f"{name}.{inner}", item, levels - 1)


def _unlike(name: str, taken: Container[str]) -> str:
    """Gives the name, with a number when it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def plain_columns(fields: Mapping[str, object]) -> dict[str, Any]:
    """Gives the columns with values that JSON can hold; an error names its column."""
    columns: dict[str, Any] = {}
    for name, value in fields.items():
        if type(name) is str and name.isascii() and _is_plain(value):
            columns[name] = value
            continue
        try:
            columns[plain(str(name))] = plain(value)
        except RecursionError:
            raise ValueError(
                f"column {name!r}: it contains itself, or is nested too deeply"
            ) from None
        except Exception as error:
            raise ValueError(f"column {name!r}: {error}") from error
    return columns


def _is_plain(value: object) -> bool:
    """Whether a value is seen at a glance to be what `plain` would make of it."""
    if type(value) is str:
        return value.isascii()
    if type(value) is int:
        return -_LONG < value < _LONG
    return value is None or type(value) is bool


def plain(value: Any) -> Any:
    """Gives the JSON-compatible value nearest to this one.

    Raises:
        ValueError: A whole number with more digits than Python writes.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, str):
        ours = kind is str and value.isascii()
        # Half an emoji, from an answer that was cut, can be neither stored nor shown.
        return value if ours else value.encode("utf-8", "replace").decode()
    if kind is int:
        if not -_LONG < value < _LONG:
            str(value)  # as JSON will: raises when there are thousands of digits
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(item) for name, item in value.items()}
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)  # the order of a set changes from run to run
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if type(value).__name__ in PANDAS_BLANKS:
        return None
    if (unfinished := maybe_unfinished(value)) is not None:
        raise ValueError(unfinished)
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    if isinstance(value, Enum):
        return plain(value.value)
    # What an object has may be anything: a tag of BeautifulSoup has every attribute.
    listed, formatted = (getattr(value, name, None) for name in ("tolist", "isoformat"))
    if callable(listed):  # numpy scalars and arrays, pandas Series
        dtype = str(getattr(value, "dtype", None))
        if type(value).__module__ == "numpy" and dtype.endswith("64[ns]"):
            # In nanoseconds, dates and durations would become bare numbers.
            listed = value.astype(dtype.replace("ns", "us")).tolist
        return plain(listed())
    return plain(formatted() if callable(formatted) else str(value))


def maybe_unfinished(value: Any) -> str | None:
    """Says what to do about what only stands for a value that nobody has fetched."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()  # the message says it; Python need not warn as well
        return "it was not awaited; write `await` before the call"
    if isinstance(value, Iterator | AsyncIterator):
        return f"it is a {type(value).__name__}; make a list of its values"
    if inspect.isroutine(value):
        return "it is a function; call it, with ()"
    kind: Any = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return f"it is a {kind.__name__}, which has no text; take out what you need"
    return None
