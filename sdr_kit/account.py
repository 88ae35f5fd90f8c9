"""The values that travel through everything.

An [`Account`][] goes into a run, a [`Research`][] comes back from a researcher,
an [`Outcome`][] is what the run keeps of the two, and an [`Edit`][] is what a person
says instead. All are frozen, hold plain
data only, and refuse nonsense when they are made, so the rooms above need not
check them again. There is no I/O here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from numbers import Real
from typing import Any, Literal

Status = Literal["completed", "failed"]
ErrorKind = Literal["rate_limited", "transient", "permanent", "stop"]
AttemptOutcome = Literal[
    "completed", "rate_limited", "transient", "permanent", "stop", "cancelled"
]

TIERS = ("A", "B", "C")
PRIORITIES = range(1, 11)
_PANDAS_BLANKS = ("NAType", "NaTType")  # by name: pandas need not be imported here


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
        ValueError: A tier, priority or cost outside its range.
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
        object.__setattr__(self, "fields", plain(self.fields))

    @classmethod
    def from_mapping(cls, answer: Mapping[str, Any]) -> Research:
        """Reads what a function from a cell returned: column name to value.

        `tier`, `priority_score` and `cost_usd` are taken out of the columns when
        they are there; a blank one (None, spaces, NaN, NA) counts as absent.

        Raises:
            ValueError: One of the three is there and is not what it must be.
        """
        columns = {str(name): value for name, value in answer.items()}
        tier = _blank_to_none(columns.pop("tier", None))
        priority = _blank_to_none(columns.pop("priority_score", None))
        cost = _blank_to_none(columns.pop("cost_usd", None))
        return cls(
            fields=columns,
            tier=None if tier is None else str(tier).strip().upper(),
            priority_score=None if priority is None else _whole(priority),
            cost_usd=None if cost is None else float(cost),
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


def _blank_to_none(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.strip() else None
    nan = isinstance(value, Real) and math.isnan(value)
    return None if nan or type(value).__name__ in _PANDAS_BLANKS else value


def _whole(value: Any) -> int:
    number = float(value)
    if not number.is_integer():
        raise ValueError(f"priority_score is {value!r}; it must be a whole number")
    return int(number)


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
