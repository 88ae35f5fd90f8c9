"""What is sent and answered, as the OpenAPI document describes it.

What a client may choose is checked where the kit checks it for everybody: here stands
only its form. A field that was not sent is as the settings say; null is no choice.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    WithJsonSchema,
)

from sdr_kit.estimate import KNOWN
from sdr_kit.progress import State

Mode = Literal["parallel", "sequential"]
Status = Literal["pending", "processing", "completed", "failed"]
Tier = Literal["A", "B", "C"]
Sort = Literal[
    "position",
    "company_name",
    "status",
    "tier",
    "priority_score",
    "attempts",
    "seconds",
    "cost_usd",
]
Format = Literal["csv", "xlsx", "jsonl", "html"]

UNSET: Any = None  # no choice was sent
MAX_ID = 2**53 - 1  # the largest that all readers of JSON take exactly
MAX_POSITIONS = 100_000


def _whole(value: Any) -> Any:
    """Gives 5 for 5.0, which is the same in JSON."""
    return int(value) if type(value) is float and value.is_integer() else value


JobNumber = Annotated[int, Field(ge=1, le=MAX_ID, strict=True), BeforeValidator(_whole)]
Place = Annotated[int, Field(ge=0, le=MAX_ID, strict=True), BeforeValidator(_whole)]
# Refused with its range where it is used; the document is given it from the settings.
Concurrency = Annotated[
    Any,
    BeforeValidator(_whole),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]
SampleSize = Annotated[int, Field(ge=1, le=KNOWN, strict=True), BeforeValidator(_whole)]
Deadline = Annotated[float, Field(gt=0, le=MAX_ID, allow_inf_nan=False, strict=True)]
Budget = Annotated[
    float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False, strict=True)
]


Choice = int | Literal["auto"]


class Body(BaseModel):
    """A request's body; what it does not know is an error."""

    model_config = ConfigDict(extra="forbid")

    @property
    def chosen(self) -> dict[str, Any]:
        """What was sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Start(Body):
    """Which job is begun, or gone on with, and how."""

    job_id: JobNumber = Field(
        validation_alias=AliasChoices("job_id", "jobId"),
        description="What the upload gave. `jobId` is understood as well.",
    )
    mode: Mode = Field(
        default=UNSET,
        description="`sequential` is one at a time, whatever concurrency says.",
    )
    concurrency: Concurrency = Field(
        default=UNSET,
        description="How many accounts at once; `auto` finds it while the job runs.",
    )
    researcher: StrictStr = Field(
        default="sandbox",
        description="Who is asked. A job that was begun keeps who it was begun with.",
    )
    brief: StrictStr = Field(default="general", description="What is asked.")
    budget_usd: Budget = Field(
        default=UNSET, description="What the job may cost in all, in US dollars."
    )
    deadline_seconds: Deadline = Field(
        default=UNSET, description="After so many seconds nothing more is started."
    )
    refresh: StrictBool = Field(
        default=False, description="Whether to reuse nothing that is stored."
    )


class Sampling(Body):
    """Which job is begun with a sample, and who is asked."""

    job_id: JobNumber = Field(
        validation_alias=AliasChoices("job_id", "jobId"),
        description="What the upload gave. `jobId` is understood as well.",
    )
    sample: SampleSize = Field(
        default=10, description="How many accounts, spread over the list, come first."
    )
    concurrency: Concurrency = Field(
        default=UNSET,
        description="How many of them at once, and of the others when it goes on.",
    )
    researcher: StrictStr = Field(default="sandbox", description="Who is asked.")
    brief: StrictStr = Field(default="general", description="What is asked.")
    budget_usd: Budget = Field(
        default=UNSET, description="What the job may cost in all, in US dollars."
    )
    deadline_seconds: Deadline = Field(
        default=UNSET,
        description="When the whole list must be done, in seconds from now, the "
        "sample included; the plan says whether that is met.",
    )
    refresh: StrictBool = Field(
        default=False, description="Whether to reuse nothing that is stored."
    )


class Change(Body):
    """What is changed of a job at work; at least one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    concurrency: Concurrency = Field(
        default=UNSET, description="How many accounts at once, or `auto`, from now on."
    )
    budget_usd: Budget = Field(
        default=UNSET, description="What the job may cost in all, in US dollars."
    )


class Again(Body):
    """Which accounts are researched again."""

    positions: list[Place] = Field(
        default=UNSET,
        max_length=MAX_POSITIONS,
        description="Their places in the list, completed ones too; all that failed.",
    )
    concurrency: Concurrency = Field(
        default=UNSET, description="How many accounts at once, or `auto`."
    )
    deadline_seconds: Deadline = Field(
        default=UNSET, description="After so many seconds nothing more is started."
    )


class PlanRow(BaseModel):
    """What the others take at one concurrency; ranges hold in 80 of 100 cases."""

    concurrency: int
    mode: Literal["sequential", "parallel", "auto"]
    seconds_low: float
    seconds: float = Field(description="By the clock: half of the cases are below it.")
    seconds_high: float
    cost_low_usd: float | None = Field(description="null: nobody says what it costs.")
    cost_usd: float | None
    cost_high_usd: float | None
    failed_low: float = Field(description="Accounts that are given up.")
    failed: float
    failed_high: float
    deadline_likelihood: float | None = Field(
        description="Share of the cases in which the deadline is met, 0 to 1."
    )
    budget_likelihood: float | None = Field(
        description="Share of the cases in which the budget holds, 0 to 1."
    )
    sentence: str


class JobPlan(BaseModel):
    """What the accounts of a job that have no result will take."""

    job_id: int
    ready: bool = Field(
        description="Whether nothing is at work that would make it more certain."
    )
    state: State
    reason: str | None = Field(description="What the job asks, or why it ended early.")
    accounts: int = Field(description="How many have no result.")
    sample: int = Field(description="From how many it is drawn; 0: none is known yet.")
    rows: list[PlanRow] = Field(description="One a concurrency; none without a sample.")
    concurrency: Choice | None = Field(
        description="The lowest that meets the deadline, or `auto` where only that "
        "does; null: none, or no deadline."
    )
    deadline_seconds: float | None = Field(
        description="What is left until the deadline; null: there is none."
    )
    starts_per_minute: float | None = Field(
        description="How many calls a minute the provider takes, where that is known."
    )
    notes: list[str] = Field(description="What else is to be known.")


class Started(BaseModel):
    """What was chosen."""

    job_id: int
    mode: Mode
    concurrency: Choice
    researcher: str = Field(description="What it is called.")
    budget_usd: float | None = Field(description="null: no bound.")
    total: int
    pending: int = Field(description="Accounts that are to be researched.")
    reused: int = Field(description="Accounts that are taken from earlier jobs.")


class JobSummary(BaseModel):
    """A job, as a list of jobs shows it."""

    job_id: int
    created_at: str = Field(description="ISO 8601, UTC.")
    source: str = Field(description="What its list is called.")
    researcher: str = Field(description="Empty before the job has begun.")
    state: State
    reason: str | None = Field(description="Why it is held, paused or ended early.")
    holder: str | None = Field(description="The process that works on it.")
    total: int
    completed: int
    failed: int
    pending: int
    reused: int
    seconds: float = Field(description="For how long it has run.")
    cost_usd: float | None = Field(description="Of all attempts; null: not known.")
    concurrency: Choice | None = Field(
        description="What was chosen: accounts at once, or `auto`; null: nothing yet."
    )


class JobState(JobSummary):
    """How a job is doing. Counts are of what is stored."""

    synthetic: bool = Field(description="Whether what is found is invented.")
    mode: Mode | None = Field(
        description="`sequential` is one at a time, whatever concurrency says; null: "
        "not begun."
    )
    in_flight: int = Field(description="Accounts started and not yet stored.")
    running: int = Field(description="Accounts whose researcher is at work.")
    waiting: int = Field(description="Accounts that wait for another try.")
    retries: int = Field(description="Attempts beyond each account's first.")
    at_once: int = Field(
        description="How many accounts may run at once now, by that and by all that is "
        "known of the provider; in auto a first guess until `found_limit` is there."
    )
    found_limit: int | None = Field(
        description="How many at once were found to be best: the provider refuses "
        "more, or is no faster. null: not found, or not fewer than chosen."
    )
    accounts_per_minute: float
    eta_seconds: float | None
    budget_usd: float | None
    projected_cost_usd: float | None
    held_back: str | None = Field(
        description="What has kept it from being faster so far; null: too early to say."
    )


class JobPage(BaseModel):
    """Some of the jobs, the newest first."""

    total: int = Field(description="How many there are.")
    offset: int
    jobs: list[JobSummary]


class Uploaded(BaseModel):
    """What became of the rows of an uploaded list."""

    job_id: int
    source: str
    layout: str = Field(description="What the file is: encoding, delimiter, sheet.")
    rows_read: int
    ready: int = Field(description="Accounts that can be researched.")
    duplicates: list[dict[str, Any]] = Field(
        description="The first 100 rows that repeat another, and why."
    )
    duplicates_total: int
    rejected: list[dict[str, Any]] = Field(
        description="The first 100 rows that are no account, and why."
    )
    rejected_total: int
    columns: list[dict[str, Any]] = Field(
        description="Which column of the source was taken for what."
    )


class AccountPage(BaseModel):
    """Some of the accounts of a job.

    An account has what its list has, then status, attempts, seconds, reused, tier,
    priority_score, what was found, error_kind, error_message and cost_usd, and its
    evidence by field.
    """

    total: int = Field(description="How many fit the filters.")
    offset: int
    synthetic: bool = Field(description="Whether what was found is invented.")
    accounts: list[dict[str, Any]]


class Health(BaseModel):
    """The server is there."""

    status: Literal["ok"]
    version: str


class FieldProblem(BaseModel):
    """What is wrong with a field."""

    field: str
    value: Any = Field(description="As it was sent; null when it is long or missing.")
    allowed: str


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(
        default=[], description="Each field that is wrong."
    )
