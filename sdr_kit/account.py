"""The values that travel through everything.

An [`Account`][] goes into a run, a [`Research`][] comes back from a researcher, with
its [`Evidence`][] and what it took ([`Usage`][], [`RateLimits`][]);
an [`Outcome`][] is what the run keeps of the two, and an [`Edit`][] is what a person
says instead. All are frozen, hold plain data only, and refuse nonsense when they are
made, so the rooms above need not check them again. There is no I/O here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from numbers import Real
from typing import Any, Literal

from sdr_kit.plain import (
    PANDAS_BLANKS,
    flattened,
    maybe_unfinished,
    named_columns,
    plain,
    plain_columns,
)
from sdr_kit.quick import quickly_made

Status = Literal["completed", "failed"]
ErrorKind = Literal["rate_limited", "transient", "permanent", "stop"]
AttemptOutcome = Literal[
    "completed", "rate_limited", "transient", "permanent", "stop", "cancelled"
]

TIERS = ("A", "B", "C")
PRIORITIES = range(1, 11)
QUOTE_CHARACTERS = 1_000  # a quote proves a fact; a page is not kept
ADDRESS_CHARACTERS = 2_000  # what browsers agree on; a longer one is no source
RAW_CHARACTERS = 20_000  # of an answer that did not fit
_SPECIAL = frozenset({"tier", "priority_score", "cost_usd"})
# A host, no spaces, and nothing with which an address could leave an attribute.
_WEB_ADDRESS = re.compile(r"(?i)https?://[^\s<>\"\\\x00-\x20/?#][^\s<>\"\\\x00-\x20]*")
_FLAT = frozenset({str, int, float, bool, type(None), list})  # quicker than isinstance


@quickly_made
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
class Evidence:
    """What one field of a research rests on.

    Attributes:
        source: Address of the page, http or https; None when there is none that can
            be named. What is no such address (a `javascript:` link, prose) is None
            too: it is shown as a link.
        quote: The words of the page, cut at `QUOTE_CHARACTERS`; may be empty.
        confidence: How sure the researcher is, 0 to 1; None when it does not say.
        at: When it was found, ISO 8601 in UTC.

    Raises:
        ValueError: A confidence outside its range, or `at` is no time with a zone.
    """

    source: str | None = None
    quote: str = ""
    confidence: float | None = None
    at: str

    def __post_init__(self) -> None:
        if self.confidence is not None:
            if not 0 <= self.confidence <= 1:  # NaN is in no range
                raise ValueError(
                    f"confidence is {self.confidence!r}; it must be 0 to 1"
                )
            object.__setattr__(self, "confidence", float(self.confidence))
        object.__setattr__(self, "source", maybe_web_address(self.source))
        object.__setattr__(self, "quote", str(plain(self.quote))[:QUOTE_CHARACTERS])
        object.__setattr__(self, "at", _in_utc(self.at))


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one or several calls of a provider took. Two can be added.

    Attributes:
        input_tokens: What was read.
        output_tokens: What was written, thoughts included.
        searches: How often the web was searched.
        cost_usd: US dollars, or None when unknown; added to what is known, it counts
            as nothing.

    Raises:
        ValueError: One is negative, infinite or no number.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    searches: int = 0
    cost_usd: float | None = None

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens", "searches"):
            object.__setattr__(self, name, int(_amount_of(self, name)))
        if self.cost_usd is not None:
            object.__setattr__(self, "cost_usd", _amount_of(self, "cost_usd"))

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Gives both together."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            searches=self.searches + other.searches,
            cost_usd=sum_of_costs(self.cost_usd, other.cost_usd),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimits:
    """What a provider says remains of its limits; None is what it does not say.

    Attributes:
        requests_limit: Requests in a window.
        requests_remaining: Requests left in this window.
        requests_reset_seconds: Until the requests are all there again.
        tokens_limit: Tokens in a window.
        tokens_remaining: Tokens left in this window.
        tokens_reset_seconds: Until the tokens are all there again.

    Raises:
        ValueError: One is negative, infinite or no number.
    """

    requests_limit: float | None = None
    requests_remaining: float | None = None
    requests_reset_seconds: float | None = None
    tokens_limit: float | None = None
    tokens_remaining: float | None = None
    tokens_reset_seconds: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) is not None:
                object.__setattr__(self, each.name, _amount_of(self, each.name))

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self != RateLimits()


@quickly_made
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
        cost_usd: What the answer cost in US dollars, or None when unknown; that of
            `usage` when it says one.
        evidence: By field, what its value rests on. Fields without any are absent.
        usage: What the call took, or None when unknown.
        limits: What the provider says remains, or None when it does not say.
        request_id: What the provider calls the request, for its support.

    Raises:
        ValueError: A tier, priority or cost outside its range, or a value that cannot
            be kept: it contains itself, was never awaited or called, or has no text.
    """

    fields: Mapping[str, object] = field(default_factory=dict, hash=False)
    tier: str | None = None
    priority_score: int | None = None
    cost_usd: float | None = None
    evidence: Mapping[str, tuple[Evidence, ...]] = field(
        default_factory=dict, hash=False
    )
    usage: Usage | None = None
    limits: RateLimits | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        if self.tier is not None or self.priority_score is not None:
            _check_scores(self.tier, self.priority_score)
        # A numpy integer or a Decimal passes the checks and cannot be stored.
        if self.priority_score is not None:
            object.__setattr__(self, "priority_score", int(self.priority_score))
        if self.usage is not None and self.usage.cost_usd is not None:
            object.__setattr__(self, "cost_usd", self.usage.cost_usd)
        elif self.cost_usd is not None:
            if not 0 <= self.cost_usd < math.inf:
                raise ValueError(f"cost_usd is {self.cost_usd!r}; it must be 0 or more")
            object.__setattr__(self, "cost_usd", float(self.cost_usd))
        object.__setattr__(self, "fields", plain_columns(self.fields))
        if self.evidence:
            object.__setattr__(self, "evidence", _plain_evidence(self.evidence))

    @property
    def spent(self) -> Usage | None:
        """What the call took, with its cost, whichever of the two says it."""
        usage = self.usage
        if self.cost_usd is None or (usage and usage.cost_usd is not None):
            return usage
        return replace(usage or Usage(), cost_usd=self.cost_usd)

    def without_call(self) -> Research:
        """Gives what was found alone; what the call took belongs to the attempt."""
        if self.usage is None and self.limits is None and self.request_id is None:
            return self
        return replace(self, usage=None, limits=None, request_id=None)

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
        columns = named_columns(answer)
        tier = priority = cost = None
        if not _SPECIAL.isdisjoint(columns):
            columns = dict(columns)  # what they are taken out of is not the caller's
            tier = _maybe_special(columns, "tier")
            priority = _maybe_special(columns, "priority_score")
            cost = _maybe_special(columns, "cost_usd")
        if not _FLAT.issuperset(map(type, columns.values())):
            columns = flattened(columns)
        return cls(
            fields=columns,
            tier=None if tier is None else _tier(tier),
            priority_score=None if priority is None else _whole(priority),
            cost_usd=None if cost is None else _amount(cost),
        )


@quickly_made
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
        usage: What the call took, failed or not; None when unknown.
        limits: What the provider said remained, or None when it did not say.
        request_id: What the provider calls the request, for its support.
    """

    position: int
    number: int
    started: float
    seconds: float
    outcome: AttemptOutcome
    http_status: int | None = None
    waited: float = 0.0
    message: str | None = None
    usage: Usage | None = None
    limits: RateLimits | None = None
    request_id: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one account ended.

    Attributes:
        position: The account's place in the list of the run.
        status: `completed` or `failed`.
        attempts: How many times the researcher was called, 429s included.
        seconds: Sum of the seconds of all attempts.
        finished: Seconds from the start of the run.
        research: What was found; never None when completed. A failed account may have
            some of it: of several questions, those that were answered.
        error_kind: `rate_limited`, `transient`, `permanent`; None when completed.
        error_message: The last failure in plain words; None when completed.
        cost_usd: US dollars of all attempts together, failed ones too; None when
            nobody says what any of them cost.
        raw: The text of an answer that did not fit, cut at `RAW_CHARACTERS`; else
            None.
        reused_from: The job that it was paid for in, when it was found there; None
            when it was researched in this one.
        saved_usd: What it cost there; None when nobody says.
    """

    position: int
    status: Status
    attempts: int
    seconds: float
    finished: float
    research: Research | None = None
    error_kind: ErrorKind | None = None
    error_message: str | None = None
    cost_usd: float | None = None
    raw: str | None = None
    reused_from: int | None = None
    saved_usd: float | None = None

    @property
    def reused(self) -> bool:
        """Whether it was paid for by an earlier job."""
        return self.reused_from is not None

    def __post_init__(self) -> None:
        completed, research = self.status == "completed", self.research
        if (completed and research is None) or completed != (self.error_kind is None):
            raise ValueError(
                "a completed outcome carries research, a failed one an error_kind"
            )
        if research and self.cost_usd is None and research.cost_usd is not None:
            object.__setattr__(self, "cost_usd", research.cost_usd)
        if self.raw is not None:
            object.__setattr__(self, "raw", str(plain(self.raw))[:RAW_CHARACTERS])

    def taken_over(self, position: int, *, job_id: int) -> Outcome:
        """Gives what a later job takes over of a completed account.

        Args:
            position: The account's place in the later list.
            job_id: The job that this outcome is kept in.
        """
        research = self.research or Research()
        return Outcome(
            position=position,
            status="completed",
            attempts=0,
            seconds=0.0,
            finished=0.0,
            research=replace(research, cost_usd=None),
            reused_from=job_id if self.reused_from is None else self.reused_from,
            saved_usd=self.cost_usd if self.saved_usd is None else self.saved_usd,
        )

    def after(self, attempts: Iterable[Attempt]) -> Outcome:
        """Gives the same with what all attempts took, vain ones after it too."""
        number, seconds = 0, 0.0
        cost: float | None = None
        for each in attempts:
            number, seconds = number + 1, seconds + each.seconds
            if each.usage is not None:
                cost = sum_of_costs(cost, each.usage.cost_usd)
        return replace(self, attempts=number, seconds=seconds, cost_usd=cost)


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


def maybe_web_address(text: str | None) -> str | None:
    """Gives the http(s) address that a text is; None when it is none."""
    address = str(plain(text or "")).strip()
    if len(address) > ADDRESS_CHARACTERS or not _WEB_ADDRESS.fullmatch(address):
        return None
    return address


def sum_of_costs(one: float | None, other: float | None) -> float | None:
    """Adds two costs of which either may be unknown."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _amount_of(value: object, name: str) -> float:
    """Gives a number of a value, which must be 0 or more."""
    amount = getattr(value, name)
    number = None if isinstance(amount, bool | str) else _maybe_number(amount)
    if number is None or not 0 <= number < math.inf:
        raise ValueError(f"{name} is {amount!r}; it must be 0 or more")
    return number


def _in_utc(at: str) -> str:
    try:
        time = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(f"at is {at!r}; it must be a time in ISO 8601 with its zone")
    return time.astimezone(UTC).isoformat()


def _plain_evidence(
    evidence: Mapping[str, Iterable[Evidence]],
) -> dict[str, tuple[Evidence, ...]]:
    kept = {str(plain(str(name))): tuple(each) for name, each in evidence.items()}
    for name, each in kept.items():
        if not all(isinstance(one, Evidence) for one in each):
            raise ValueError(f"evidence of {name!r}: each must be an Evidence")
    return {name: each for name, each in kept.items() if each}


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
    if type(value).__name__ in PANDAS_BLANKS:
        return None
    if (unfinished := maybe_unfinished(value)) is not None:
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
