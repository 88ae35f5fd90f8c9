"""What can be set: from the environment, from `.env`, or in code.

A wrong value is one clear error that names the variable, the value and the range;
nothing falls back silently. Keys are secrets: they are never part of a message or a
representation. `.env` and the database are looked for from the working directory
upwards, so a notebook in `notebooks/` and a command at the root find the same ones.
"""

from __future__ import annotations

import math
import re
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from sdr_kit.errors import SettingsError
from sdr_kit.prices import Prices

DATABASE_NAME = "sdr_kit.db"
PROJECT_MARKS = (DATABASE_NAME, ".env", "environment.yml", "pyproject.toml", ".git")

# How many accounts at once, or that the best number is looked for while a run goes on.
Concurrency = int | Literal["auto"]
AUTO: Literal["auto"] = "auto"

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every setting, with its default. The name in capitals is the variable.

    Keyword arguments win over the environment, the environment over `.env`.

    Raises:
        SettingsError: A value is wrong. The message has the variable, the value
            (unless it is a key) and what is allowed.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        env_file_encoding="utf-8",
    )

    enable_parallel_processing: bool = Field(
        default=True, description="Whether runs are parallel unless told otherwise."
    )
    processing_concurrency: Concurrency = Field(
        default=5,
        description="How many accounts at once, or `auto`, unless told otherwise.",
    )
    max_concurrency: int = Field(
        default=10, ge=1, le=1000, description="The highest concurrency to be chosen."
    )
    auto_max_concurrency: int = Field(
        default=50, ge=1, le=1000, description="The highest that `auto` may go to."
    )
    account_delay_ms: float = Field(
        default=0,
        ge=0,
        le=3_600_000,
        allow_inf_nan=False,
        description="The smallest gap between two account starts, in milliseconds.",
    )
    max_api_retries: int = Field(
        default=3,
        ge=0,
        le=10,
        description="How often a passing failure is tried again; 429s do not count.",
    )
    retry_initial_seconds: Seconds = Field(
        default=1.0, description="Upper end of the first retry wait; it doubles."
    )
    retry_max_seconds: Seconds = Field(
        default=60.0, description="Where the doubling of the retry wait ends."
    )
    max_hold_seconds: Seconds = Field(
        default=3600.0,
        description="How long a provider may refuse or be down before the run asks.",
    )
    # A model that thinks and searches the web takes minutes. An answer that comes too
    # late is paid for all the same, and nobody learns what it took.
    request_timeout_seconds: Seconds = Field(
        default=300.0, description="How long one request to a provider may take."
    )
    account_timeout_seconds: Seconds = Field(
        default=600.0,
        description="How long one attempt at an account may take, whatever it does.",
    )
    budget_usd: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="What one job may cost in US dollars; unset: no bound.",
    )
    reuse_days: float = Field(
        default=60,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        description="For how many days a stored result is fresh, and reused.",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description=f"Where results are kept; unset: {DATABASE_NAME} of the project.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None, description="The key of OpenAI or a compatible provider."
    )
    openai_base_url: str = Field(
        default="https://api.openai.com/v1",
        repr=False,  # it may hold a password
        description="Where its API is.",
    )
    openai_model: str = Field(
        default="gpt-5-mini", min_length=1, description="The model that is asked."
    )
    openai_api: Literal["responses", "chat"] | None = Field(
        default=None,
        description="Which of its interfaces; unset: responses at OpenAI, else chat.",
    )
    openai_prices: str | None = Field(
        default=None,
        description="What OPENAI_MODEL costs: input, output, search, as_of.",
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None, description="The key of Anthropic."
    )
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com",
        repr=False,  # it may hold a password
        description="Where its API is.",
    )
    anthropic_model: str = Field(
        default="claude-sonnet-5", min_length=1, description="The model that is asked."
    )
    anthropic_prices: str | None = Field(
        default=None,
        description="What ANTHROPIC_MODEL costs: input, output, search, as_of.",
    )
    api_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What users of the HTTP API show; unset: a new one at each start.",
    )
    api_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Where the HTTP API listens; 0.0.0.0 is every network.",
    )
    api_port: int = Field(
        default=8765, ge=0, le=65_535, description="Its port; 0: any that is free."
    )
    api_max_upload_mb: float = Field(
        default=10,
        gt=0,
        le=256,
        allow_inf_nan=False,
        description="The largest list it takes, in megabytes (1,000,000 bytes).",
    )
    api_max_rows: int = Field(
        default=100_000, ge=1, le=5_000_000, description="The longest list it takes."
    )

    def __init__(self, **values: Any) -> None:
        values.setdefault("_env_file", find_upwards(".env"))
        given = {name for name in values if not name.startswith("_")}
        if unknown := given - set(type(self).model_fields):
            raise SettingsError(f"there is no setting {', '.join(sorted(unknown))}")
        try:
            super().__init__(**values)
        except UnicodeDecodeError as error:
            raise SettingsError(
                f"{values['_env_file']} is not a text file in UTF-8 ({error.reason} at "
                f"byte {error.start}); save it as UTF-8"
            ) from None
        except ValidationError as error:
            # Not chained: pydantic's own error would show the input, a key perhaps.
            raise SettingsError(_explain(error)) from None

    @field_validator(
        "budget_usd",
        "openai_api_key",
        "openai_api",
        "openai_prices",
        "anthropic_api_key",
        "anthropic_prices",
        "database_url",
        "api_token",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return (value.strip() or None) if isinstance(value, str) else value

    @field_validator("processing_concurrency", mode="before")
    @classmethod
    def _number_or_auto(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.strip().casefold()
            value = int(value) if value.isdecimal() else value
        if value != AUTO and (type(value) is not int or value < 1):
            raise ValueError("must be a whole number from 1, or 'auto'")
        return value

    @field_validator("openai_prices", "anthropic_prices")
    @classmethod
    def _can_be_read(cls, value: str | None) -> str | None:
        if value is not None:
            Prices.parse(value)
        return value

    @field_validator("openai_base_url", "anthropic_base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _bounds_agree(self) -> Self:
        chosen = self.processing_concurrency
        if chosen != AUTO and chosen > self.max_concurrency:
            raise ValueError(
                f"PROCESSING_CONCURRENCY={chosen} is above "
                f"MAX_CONCURRENCY={self.max_concurrency}; set both"
            )
        if self.retry_initial_seconds > self.retry_max_seconds:
            raise ValueError(
                f"RETRY_INITIAL_SECONDS={self.retry_initial_seconds} is above "
                f"RETRY_MAX_SECONDS={self.retry_max_seconds}"
            )
        return self

    def chosen_concurrency(
        self, mode: str | None, concurrency: Concurrency | None
    ) -> Concurrency:
        """Gives how many accounts run at once for what a caller asked.

        Args:
            mode: `"sequential"`, `"parallel"`, or None for the settings' way.
            concurrency: 1 to `max_concurrency`, `"auto"`, or None for what the
                settings say.

        Raises:
            ValueError: An unknown mode, or a concurrency outside its range.
        """
        parallel = self.chosen_mode(mode) == "parallel"
        if concurrency is not None:
            self.check_choice(concurrency)
        return (concurrency or self.processing_concurrency) if parallel else 1

    def chosen_mode(self, mode: str | None) -> str:
        """Gives the mode that a caller asked for, `"sequential"` or `"parallel"`.

        Raises:
            ValueError: It is another one.
        """
        if mode is None:
            return "parallel" if self.enable_parallel_processing else "sequential"
        if mode not in ("sequential", "parallel"):
            raise ValueError(f"mode is {mode!r}; it must be 'sequential' or 'parallel'")
        return mode

    def check_choice(self, concurrency: Concurrency) -> Concurrency:
        """Gives a number or `"auto"` back when it may be chosen.

        Raises:
            ValueError: It is neither `"auto"` nor a whole number from 1 to
                `max_concurrency`.
        """
        # An array or a frame compares to more than one value.
        if isinstance(concurrency, str) and concurrency == AUTO:
            return AUTO
        return self._in_range(concurrency, or_else=", or 'auto'")

    def most(self, concurrency: Concurrency) -> int:
        """Gives how many there may be at once: auto goes to `auto_max_concurrency`."""
        return self.auto_max_concurrency if concurrency == AUTO else int(concurrency)

    def check_concurrency(self, concurrency: int) -> int:
        """Gives the number back when it may be chosen.

        Raises:
            ValueError: It is not a whole number from 1 to `max_concurrency`.
        """
        return self._in_range(concurrency)

    def _in_range(self, concurrency: int, *, or_else: str = "") -> int:
        top = self.max_concurrency
        # The slider, a script or a request may give anything, True and 2.5 among it.
        if type(concurrency) is not int or not 1 <= concurrency <= top:
            raise ValueError(
                f"concurrency is {concurrency!r}; it must be a whole number from 1 to "
                f"{top} (MAX_CONCURRENCY){or_else}"
            )
        return concurrency

    def chosen_budget(self, usd: float | None) -> float:
        """Gives what a job may cost for what a caller asked; infinity is no bound.

        Args:
            usd: US dollars above 0, infinity, or None for the settings' budget.

        Raises:
            ValueError: It is no such amount.
        """
        if usd is None:
            return math.inf if self.budget_usd is None else self.budget_usd
        return check_budget(usd)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database; relative SQLite paths made absolute."""
        prefix = "sqlite:///"
        url = self.database_url or prefix + DATABASE_NAME
        name = url.removeprefix(prefix)
        if not url.startswith(prefix) or Path(name).is_absolute():
            return url
        path = find_upwards(name) or project_folder() / name
        return prefix + quote(str(path), safe="/:\\")


def find_upwards(name: str) -> Path | None:
    """Finds a file in the working directory or the nearest folder above it."""
    folder = Path.cwd()
    return next(
        (path for up in (folder, *folder.parents) if (path := up / name).is_file()),
        None,
    )


def project_folder() -> Path:
    """Gives the nearest folder upwards that looks like a project, else this one."""
    folder = Path.cwd()
    return next(
        (
            up
            for up in (folder, *folder.parents)
            if any((up / mark).exists() for mark in PROJECT_MARKS)
        ),
        folder,
    )


def _explain(error: ValidationError) -> str:
    """Says in one line for each wrong variable what it is and what is allowed."""
    return "; ".join(_line(problem) for problem in error.errors(include_url=False))


def _line(problem: Any) -> str:
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    name = str(problem["loc"][0])
    field = Settings.model_fields[name]
    secret = "SecretStr" in str(field.annotation)
    # An address may carry a password.
    value = re.sub(r"//[^/@]*@", "//…@", repr(problem["input"]))
    shown = "" if secret else f"={value}"
    allowed = _range(field)
    return f"{name.upper()}{shown}: {reason[0].lower()}{reason[1:]}{allowed}"


def _range(field: Any) -> str:
    """Writes the numeric range of a field, if it has one: ` (0 to 10)`."""
    bound = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(rule, name, None) is not None
    }
    low = f"{bound['ge']}" if "ge" in bound else f"above {bound.get('gt')}"
    if "le" in bound:
        return f" (allowed: {low} to {bound['le']})"
    return f" (allowed: {low} or more)" if bound else ""


def check_budget(usd: float) -> float:
    """Gives a budget back when it is one.

    Raises:
        ValueError: It is no amount above 0.
    """
    if isinstance(usd, bool) or not isinstance(usd, Real) or not usd > 0:
        raise ValueError(
            f"budget_usd is {usd!r}; it must be an amount of US dollars above 0"
        )
    return float(usd)


def check_deadline(seconds: float | None) -> float | None:
    """Gives a deadline back when it is one.

    Raises:
        ValueError: It is no number of seconds above 0.
    """
    if seconds is None:
        return None
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    try:
        chosen = float(seconds) if number else math.nan
    except OverflowError:  # a whole number beyond all floats
        chosen = math.nan
    if not chosen > 0:
        raise ValueError(
            f"deadline_seconds is {seconds!r}; it must be a number of seconds above 0"
        )
    return None if math.isinf(chosen) else chosen
