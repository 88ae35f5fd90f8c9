"""What the options name: settings, a database, a researcher and what it is asked."""

from __future__ import annotations

from collections.abc import Sequence

from sdr_kit.cli.problems import as_wrong_use
from sdr_kit.database import is_there
from sdr_kit.errors import SdrKitError
from sdr_kit.research.ready_made import (
    BRIEFS_BY_NAME,
    SANDBOX,
    Brief,
    maybe_who_began,
    ready_made,
)
from sdr_kit.settings import Settings
from sdr_kit.store import Store
from sdr_kit.stored_job import StoredJob
from sdr_kit.worker import Researcher

BRIEF = "general"
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def settings_for(database: str | None) -> Settings:
    """Gives the settings of the environment, with another database where one is named.

    Raises:
        SettingsError: A setting is wrong.
    """
    return Settings() if database is None else Settings(database_url=database)


def store_of(settings: Settings) -> Store:
    """Opens the database of the settings; it is made when it is not there.

    Raises:
        StoreError: It cannot be used.
    """
    return Store(settings.database)


def store_with(settings: Settings, job_id: int) -> Store:
    """Opens the database of the settings for one of its jobs; it makes none.

    Raises:
        SdrKitError: There is none, and so no such job.
        StoreError: It cannot be used.
    """
    if not is_there(settings.database):
        raise SdrKitError(
            f"there is no job {job_id}: there is no database {settings.database}"
        )
    return store_of(settings)


def researcher_for(
    settings: Settings, name: str, briefs: Sequence[str] | None
) -> Researcher:
    """Gives who is asked, by name, and about what.

    Args:
        settings: What there is a key for.
        name: `sandbox`, `openai` or `anthropic`.
        briefs: Names of briefs or paths of TOML files; none is `general`.

    Raises:
        SdrKitError: There is no such researcher, it has no key, or a brief is wrong.
    """
    offered = ready_made(settings)
    if name not in offered:
        if name in KEYS:
            raise SdrKitError(
                f"{name} needs a key: set {KEYS[name]} in the environment or in .env"
            )
        raise SdrKitError(
            f"there is no researcher {name!r}; there are {SANDBOX}, {', '.join(KEYS)}"
        )
    with as_wrong_use():
        return offered[name].about(_brief(briefs or [BRIEF]))


def researcher_of(
    settings: Settings,
    job: StoredJob,
    name: str | None,
    briefs: Sequence[str] | None,
) -> Researcher:
    """Gives who goes on with a job: the one it was begun with, unless one is named.

    Raises:
        SdrKitError: It was begun with none that can be asked, or with another brief;
            the message says what to pass.
    """
    if not job.researcher:  # a list that was never begun
        return researcher_for(settings, name or SANDBOX, briefs)
    offered = ready_made(settings)
    if name is not None and (briefs or name not in offered):
        return researcher_for(settings, name, briefs)
    brief = _brief(briefs) if briefs else None
    known = maybe_who_began(job, settings, name=name, brief=brief)
    if known is not None:
        return known
    raise SdrKitError(
        f"job {job.id} was begun with {job.researcher}, about a brief or by a model "
        "that cannot be told from here; name both: --researcher NAME --brief NAME "
        f"(researchers now: {', '.join(offered)})"
    )


def _brief(briefs: Sequence[str]) -> Brief:
    """Gives the brief of a name, or several of them."""
    parts = [BRIEFS_BY_NAME.get(name, name) for name in briefs]
    names = [
        name for part in parts for name in ([part] if isinstance(part, str) else part)
    ]
    return names[0] if len(names) == 1 else tuple(names)
