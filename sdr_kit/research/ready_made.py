"""The researchers that can be asked as the settings stand, and their briefs, by name.

Who drives the kit from outside, on the panel, the command line or over HTTP, names a
researcher and a brief; here the names become objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import cache

from sdr_kit.errors import SdrKitError
from sdr_kit.fingerprint import terms_of
from sdr_kit.research.anthropic import AnthropicResearcher
from sdr_kit.research.brief import BRIEFS
from sdr_kit.research.openai import HOST, OpenAIResearcher
from sdr_kit.research.sandbox import Sandbox
from sdr_kit.settings import Settings
from sdr_kit.stored_job import StoredJob
from sdr_kit.worker import Researcher, name_of

SANDBOX = "sandbox"
SANDBOX_LABEL = "Sandbox (offline, invented answers)"
BOTH = "customer-identity", "workforce-identity"
Brief = str | tuple[str, ...]
# What the briefs are called that can be asked about, alone or together.
BRIEFS_BY_NAME: Mapping[str, Brief] = {
    **{name: name for name in BRIEFS},
    " + ".join(BOTH): BOTH,
}


class ReadyMade:
    """A kind of researcher, made when its brief is known; one for each brief.

    Args:
        label: What people call it.
        make: Makes it.

    Attributes:
        label: The same.
        about: Gives the researcher for a brief, or several.

    Raises:
        SdrKitError: By `about`: it cannot be made, a key or a price is wrong.
    """

    def __init__(self, label: str, make: Callable[[Brief], Researcher]) -> None:
        self.label = label
        self.about = cache(make)


def ready_made(settings: Settings) -> dict[str, ReadyMade]:
    """Gives who can be asked, by name: `sandbox`, `openai` and `anthropic`.

    The sandbox always can; a provider when the settings have a key for it, or the
    address of a server that speaks its formats.
    """
    offered = {
        SANDBOX: ReadyMade(
            SANDBOX_LABEL,
            lambda brief: Sandbox(brief, settings=settings),
        )
    }
    if settings.openai_api_key is not None or HOST not in settings.openai_base_url:
        offered["openai"] = ReadyMade(
            f"OpenAI {settings.openai_model}",
            lambda brief: OpenAIResearcher(brief, settings=settings),
        )
    if settings.anthropic_api_key is not None:
        offered["anthropic"] = ReadyMade(
            f"Anthropic {settings.anthropic_model}",
            lambda brief: AnthropicResearcher(brief, settings=settings),
        )
    return offered


def maybe_who_began(
    job: StoredJob,
    settings: Settings,
    *,
    name: str | None = None,
    brief: Brief | None = None,
) -> Researcher | None:
    """Gives who a job was begun with; None when that is none of these.

    Args:
        job: The job.
        settings: Who can be asked.
        name: Who alone comes into question; None: all of them.
        brief: What alone it may have been asked; None: each brief that has a name.
    """
    offered = ready_made(settings)
    briefs = BRIEFS_BY_NAME.values() if brief is None else (brief,)
    for kind in offered.values() if name is None else (offered[name],):
        for asked in briefs:
            with contextlib.suppress(SdrKitError, ValueError):  # a price, perhaps
                researcher = kind.about(asked)
                if job.begun_by(name_of(researcher), terms_of(researcher)):
                    return researcher
    return None
