"""Research by a model of OpenAI, or of a server that speaks its formats.

OpenAI itself is asked through the Responses API, which searches the web. Other servers
(Ollama, vLLM, LM Studio, OpenRouter) are asked through Chat Completions, which all of
them have, unless one is said to have the Responses API. A server that turns out to have
no such page is asked through the other; one that refuses a JSON schema gets it in
words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from sdr_kit.errors import SettingsError
from sdr_kit.research.chat import Chat
from sdr_kit.research.endpoint import endpoint
from sdr_kit.research.failures import Refused
from sdr_kit.research.provider import ProviderResearcher, Way
from sdr_kit.research.reply import Format
from sdr_kit.research.responses import Responses
from sdr_kit.research.together import BriefLike
from sdr_kit.settings import Settings

HOST = "api.openai.com"
FORMATS: dict[str, Format] = {"responses": Responses(), "chat": Chat()}
# How servers say that they cannot have a schema; each in its own words.
_SCHEMA = re.compile(
    r"(?i)response_format|json_schema|text\.format|structured|grammar|guided|schema"
)
# How they say that they cannot search. Those that answer about a tool mean this one:
# there is no other in the request.
_TOOL = re.compile(r"(?i)web_search|\btools?\b")
# How often a failure of the server itself is taken for a refusal of the schema: one
# server is known to answer 500 to it, and an outage looks the same.
MAX_TRIALS = 3


class OpenAIResearcher(ProviderResearcher):
    """Asks a model about one account at a time.

    Called with an `Account` it gives a `Research`. Nothing is stored at the provider
    (`store: false`). It does not retry and has no limit of how many at once: the run
    does and has. With `chat` nothing is searched, unless the model does so by itself.

    Args:
        brief: What is asked: the name of a brief, a TOML file, or a `Brief`. Of several
            the columns are called `<brief>.<field>`, each is a request, and the tier is
            the best one.
        api_key: The provider's key; None takes `OPENAI_API_KEY` of the settings. Only
            OpenAI itself must have one.
        base_url: Where the API is, with its version (`https://api.openai.com/v1`,
            `http://localhost:11434/v1`); None takes `OPENAI_BASE_URL`.
        model: Which model to ask; None takes `OPENAI_MODEL`.
        settings: None reads the environment and `.env`. `request_timeout_seconds`
            bounds each request.
        api: `"responses"` or `"chat"`; None takes `OPENAI_API`, and without it
            responses at OpenAI, chat elsewhere.
        prices: What the model costs, as in `OPENAI_PRICES`; None takes that, for the
            model that the settings name and no other.

    Raises:
        SettingsError: There is no key where one is needed, or it cannot be one; or
            `base_url` is not an http(s) address without a password in it; or a brief
            or the prices cannot be read, or two briefs have the same name; or `api` is
            another.
    """

    def __init__(
        self,
        brief: BriefLike | Sequence[BriefLike] = "general",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str | None = None,
        settings: Settings | None = None,
        api: Literal["responses", "chat"] | None = None,
        prices: str | None = None,
    ) -> None:
        settings = settings or Settings()
        model = model or settings.openai_model
        known = settings.openai_prices if model == settings.openai_model else None
        where = endpoint(
            prefix="OPENAI",
            url=base_url or settings.openai_base_url,
            key=api_key,
            from_settings=settings.openai_api_key,
            needs_key=HOST,
            model=model,
            prices=prices or known,
        )
        self._is_openai = where.is_at(HOST)
        chosen = api or settings.openai_api
        if chosen not in (None, *FORMATS):
            raise SettingsError(f"api is {chosen!r}; it must be 'responses' or 'chat'")
        super().__init__(
            brief=brief,
            endpoint=where,
            way=Way(
                format=FORMATS[chosen or ("responses" if self._is_openai else "chat")]
            ),
            timeout_seconds=settings.request_timeout_seconds,
        )
        self._trials = 0

    @property
    def name(self) -> str:
        """How the researcher is called on screen: `OpenAI` and the model."""
        return f"OpenAI {self.model}"

    async def _open(self) -> None:
        self._trials = 0
        await super()._open()

    def _headers(self) -> Mapping[str, str]:
        key = self._endpoint.key
        return (
            {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        )

    def _maybe_other_way(self, way: Way, refused: Refused) -> Way | None:
        said = " ".join((refused.problem.message, *refused.problem.codes))
        missing = refused.status in (404, 405) and "model" not in said.lower()
        elsewhere = way.format is FORMATS["responses"] and not self._is_openai
        if elsewhere and (missing or self._cannot_search(way, refused.status, said)):
            return replace(way, format=FORMATS["chat"])
        if way.strict and (
            (refused.status in (400, 422, 501) and _SCHEMA.search(said))
            or self._may_mean_the_schema(way, refused.status)
        ):
            return replace(way, strict=False, spelled_out=True)
        return None

    def _cannot_search(self, way: Way, status: int, said: str) -> bool:
        """Whether a server refuses the tool; one that has answered so does not."""
        known = self._answered and self._way.format is way.format
        refused = status in (400, 422, 501) and not known
        return refused and _TOOL.search(said) is not None

    def _may_mean_the_schema(self, way: Way, status: int) -> bool:
        """Whether it is worth finding out if a server fails because of the schema."""
        if status != 500 or self._is_openai or self._answered:
            return False
        if way.format is not FORMATS["chat"] or self._trials >= MAX_TRIALS:
            return False
        self._trials += 1
        return True

    def _explained(self, tried: Way, taken: Way) -> str:
        said = []
        if tried.format is not taken.format:
            said.append(
                f"{self._endpoint.host} has no Responses API with web search: Chat "
                "Completions is used from now on, without web search"
            )
        if tried.strict and not taken.strict:
            said.append(
                "it refuses a JSON schema: the schema is spelled out in the "
                "instructions from now on, and each answer is checked here"
            )
        return "; ".join(said)
