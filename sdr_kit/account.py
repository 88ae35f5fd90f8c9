"""The values that travel through everything.

An [`Account`][] goes into a run, a [`Research`][] comes back from a researcher,
an [`Outcome`][] is what the run keeps of the two, and an [`Edit`][] is what a person
says instead. All are frozen, hold plain
data only, and refuse nonsense when they are made, so the rooms above need not
check them again. There is no I/O here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from numbers import Real
from typing import Any, Literal

Status = Literal["completed", "failed"]
ErrorKind = Literal["rate_limited", "transient", "permanent", "stop"]
AttemptOutcome = Literal[
    "completed", "rate_limited", "transient", "permanent", "stop", "cancelled"
]

TIERS = ("A", "B", "C")
PRIORITIES = range(1, 11)
NESTED_LEVELS = 3  # of a nested answer that become columns: a.b.c.d
NESTED_COLUMNS = (
    100  # an answer that is a dictionary of things must not widen the table
)
_PANDAS_BLANKS = ("NAType", "NaTType")  # by name: pandas need not be imported here
_FLAT = frozenset({str, int, float, bool, type(None), list})  # quicker than isinstance


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One company to research.

    Attributes:
        company_name: As written in the source; never blank.
        position: Place in the list of the run, from 0.
        domain: Registrable domain in lower case and punycode (`acme.co.uk`), or
            None when the source has none that belongs to the company.
        industry: As written in the source, or None.
        owner: The person who works the account, or None.
        extra: Every other column of the source, by its name.
    """

    company_name: str
    position: int = 0
    domain: str | None = None
    industry: str | None = None
    owner: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.company_name.strip():
            raise ValueError("company_name is blank; an account needs a name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Research:
    """What a researcher found out about one account.

    Attributes:
        fields: Column name to value. Values are what JSON can hold; anything else
            (dates, numpy scalars, objects) is turned into the nearest such value,
            so that a stored result equals the one in memory. What is no number (NaN,
            infinity, NaT) is None.
        tier: `"A"`, `"B"`, `"C"`, or None.
        priority_score: 1 (lowest) to 10 (highest), or None.
        cost_usd: What the answer cost in US dollars, or None when unknown.

    Raises:
        ValueError: A tier, priority or cost outside its range, or a value that cannot
            be kept: it contains itself, was never awaited or called, or has no text.
    """

    fields: Mapping[str, object] = field(default_factory=dict, hash=False)
    tier: str | None = None
    priority_score: int | None = None
    cost_usd: float | None = None

    def __post_init__(self) -> None:
        _check_scores(self.tier, self.priority_score)
        if self.cost_usd is not None and not 0 <= self.cost_usd < math.inf:
            raise ValueError(f"cost_usd is {self.cost_usd!r}; it must be 0 or more")
        # A numpy integer or a Decimal passes the checks and cannot be stored.
        if self.priority_score is not None:
            object.__setattr__(self, "priority_score", int(self.priority_score))
        if self.cost_usd is not None:
            object.__setattr__(self, "cost_usd", float(self.cost_usd))
        object.__setattr__(self, "fields", _plain_columns(self.fields))

    @classmethod
    def from_mapping(cls, answer: Mapping[Any, Any]) -> Research:
        """Reads what a function from a cell returned: column name to value.

        `tier`, `priority_score` and `cost_usd` are taken out of the columns when
        they are there; a blank one (None, spaces, NaN, NA) counts as absent. They are
        looked for at the top only.

        A nested mapping becomes columns with dotted names: `{"auth": {"provider":
        "Okta"}}` is a column `auth.provider`. An empty one stays as it is, and so does
        what lies deeper than `NESTED_LEVELS`, and one with which there would be more
        than `NESTED_COLUMNS` columns. Names that are no text become text; where two
        are the same, the nested or later one gets a number (`auth.provider_2`).

        Raises:
            ValueError: One of the three is there and is not what it must be, or a
                value cannot be kept.
        """
        columns = _columns(answer)
        tier = _maybe_special(columns, "tier")
        priority = _maybe_special(columns, "priority_score")
        cost = _maybe_special(columns, "cost_usd")
        if not _FLAT.issuperset(map(type, columns.values())):
            columns = _flattened(columns)
        return cls(
            fields=columns,
            tier=None if tier is None else _tier(tier),
            priority_score=None if priority is None else _whole(priority),
            cost_usd=None if cost is None else _amount(cost),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One call of the researcher for one account.

    Attributes:
        position: The account's place in the list of the run.
        number: 1 for the first attempt at the account.
        started: Seconds from the start of the run.
        seconds: How long the call took.
        outcome: `completed`, `cancelled`, or the kind of the failure.
        http_status: The status a provider answered with, when there was one.
        waited: Seconds between the moment the account could have been started
            (ready, its own backoff over) and the start: time spent in the queue.
        message: What went wrong in plain words; None for a completed attempt.
    """

    position: int
    number: int
    started: float
    seconds: float
    outcome: AttemptOutcome
    http_status: int | None = None
    waited: float = 0.0
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one account ended.

    Attributes:
        position: The account's place in the list of the run.
        status: `completed` or `failed`.
        attempts: How many times the researcher was called, 429s included.
        seconds: Sum of the seconds of all attempts.
        finished: Seconds from the start of the run.
        research: What was found; None exactly when the account failed.
        error_kind: `rate_limited`, `transient`, `permanent`; None when completed.
        error_message: The last failure in plain words; None when completed.
    """

    position: int
    status: Status
    attempts: int
    seconds: float
    finished: float
    research: Research | None = None
    error_kind: ErrorKind | None = None
    error_message: str | None = None

    def __post_init__(self) -> None:
        completed = self.status == "completed"
        if completed != (self.research is not None) or completed != (
            self.error_kind is None
        ):
            raise ValueError(
                "a completed outcome carries research, a failed one an error_kind"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What a person has set for one account; it stands above what research says.

    Attributes:
        tier: `"A"`, `"B"`, `"C"`; None is as the research says.
        priority_score: 1 (lowest) to 10 (highest); None is as the research says.
        owner: Who works the account; None is as the source says.
        notes: Free text; None is as the source says.

    Raises:
        ValueError: A tier or priority outside its range.
    """

    tier: str | None = None
    priority_score: int | None = None
    owner: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        _check_scores(self.tier, self.priority_score)

    def __bool__(self) -> bool:
        """Whether anything is set."""
        return self != Edit()


def _check_scores(tier: str | None, priority_score: int | None) -> None:
    if tier is not None and tier not in TIERS:
        raise ValueError(f"tier is {tier!r}; it must be A, B, C or None")
    if priority_score is not None and priority_score not in PRIORITIES:
        raise ValueError(
            f"priority_score is {priority_score!r}; it must be 1 to 10 or None"
        )


def _maybe_special(columns: dict[str, Any], name: str) -> Any:
    """Takes a column out; a blank one is None."""
    value = columns.pop(name, None)
    if isinstance(value, str):
        return value if value.strip() else None
    if type(value) in _FLAT:
        return None if value != value else value  # only NaN is unlike itself
    if type(value).__name__ in _PANDAS_BLANKS:
        return None
    if (unfinished := _maybe_unfinished(value)) is not None:
        raise ValueError(f"{name}: {unfinished}")
    return None if isinstance(value, Real) and math.isnan(value) else value


def _tier(value: Any) -> str:
    written = str(value).strip()
    return written.upper() if written.upper() in TIERS else written


def _whole(value: Any) -> int:
    number = _maybe_number(value)
    if number is None or not number.is_integer():
        raise ValueError(
            f"priority_score is {value!r}; it must be a whole number, 1 to 10"
        )
    return int(number)


def _amount(value: Any) -> float:
    number = _maybe_number(value)
    if number is None:
        raise ValueError(f"cost_usd is {value!r}; it must be a number of US dollars")
    return number


def _maybe_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _columns(answer: Mapping[Any, Any]) -> dict[str, Any]:
    """Gives the answer with names that are text, all of them different."""
    columns = {str(name): value for name, value in answer.items()}
    if len(columns) == len(answer):
        return columns
    columns = {}
    for name, value in answer.items():
        columns[_unlike(str(name), columns)] = value
    return columns


def _flattened(columns: Mapping[str, Any]) -> dict[str, Any]:
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


def _plain_columns(fields: Mapping[str, object]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            columns[plain(str(name))] = plain(value)
        except RecursionError:
            raise ValueError(
                f"column {name!r}: it contains itself, or is nested too deeply"
            ) from None
        except Exception as error:
            raise ValueError(f"column {name!r}: {error}") from error
    return columns


def plain(value: Any) -> Any:
    """Gives the JSON-compatible value nearest to this one.

    Raises:
        ValueError: A whole number with more digits than Python writes.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # Half an emoji, from an answer that was cut, can be neither stored nor shown.
        return value.encode("utf-8", "replace").decode()
    if type(value) is int:
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
    if type(value).__name__ in _PANDAS_BLANKS:
        return None
    if (unfinished := _maybe_unfinished(value)) is not None:
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


def _maybe_unfinished(value: Any) -> str | None:
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
