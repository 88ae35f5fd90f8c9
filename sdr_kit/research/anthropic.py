"""Research by a model of Anthropic, through the Messages API with web search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdr_kit.research.endpoint import endpoint
from sdr_kit.research.messages import VERSION, Messages
from sdr_kit.research.provider import ProviderResearcher, Way
from sdr_kit.research.together import BriefLike
from sdr_kit.settings import Settings

HOST = "api.anthropic.com"
FORMAT = Messages()


class AnthropicResearcher(ProviderResearcher):
    """Asks a model with web search about one account at a time.

    Called with an `Account` it gives a `Research`. It does not retry and has no limit
    of how many at once: the run does and has.

    Args:
        brief: What is asked: the name of a brief, a TOML file, or a `Brief`. Of several
            the columns are called `<brief>.<field>`, each is a request, and the tier is
            the best one.
        api_key: The key; None takes `ANTHROPIC_API_KEY` of the settings. Only Anthropic
            itself must have one.
        base_url: Where the API is (`https://api.anthropic.com`); None takes
            `ANTHROPIC_BASE_URL`. A `/v1` at its end does no harm.
        model: Which model to ask; None takes `ANTHROPIC_MODEL`.
        settings: None reads the environment and `.env`. `request_timeout_seconds`
            bounds each request.
        prices: What the model costs, as in `ANTHROPIC_PRICES`; None takes that, for
            the model that the settings name and no other.

    Raises:
        SettingsError: There is no key where one is needed, or it cannot be one; or
            `base_url` is not an http(s) address without a password in it; or a brief
            or the prices cannot be read, or two briefs have the same name.
    """

    def __init__(
        self,
        brief: BriefLike | Sequence[BriefLike] = "general",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str | None = None,
        settings: Settings | None = None,
        prices: str | None = None,
    ) -> None:
        settings = settings or Settings()
        model = model or settings.anthropic_model
        known = settings.anthropic_prices if model == settings.anthropic_model else None
        address = (base_url or settings.anthropic_base_url).rstrip("/")
        where = endpoint(
            prefix="ANTHROPIC",
            url=f"{address.removesuffix('/v1')}/v1",
            key=api_key,
            from_settings=settings.anthropic_api_key,
            needs_key=HOST,
            model=model,
            prices=prices or known,
        )
        super().__init__(
            brief=brief,
            endpoint=where,
            # The form of the answer is that of a tool, which every model takes.
            way=Way(format=FORMAT, strict=False),
            timeout_seconds=settings.request_timeout_seconds,
        )

    @property
    def name(self) -> str:
        """How the researcher is called on screen: `Anthropic` and the model."""
        return f"Anthropic {self.model}"

    def _headers(self) -> Mapping[str, str]:
        key = self._endpoint.key
        known = {"anthropic-version": VERSION}
        return known if key is None else {**known, "x-api-key": key.get_secret_value()}
