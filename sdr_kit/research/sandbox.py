"""A provider to practise on: real HTTP on this machine, invented answers.

The sandbox is a web server on a free port of 127.0.0.1 that speaks OpenAI's Responses
format, and the client that is used for OpenAI itself, pointed at it. It is slow, busy
and broken to order, so that everything a run does about a provider can be seen without
a key and without a cent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack

from sdr_kit.account import Account, Research
from sdr_kit.errors import SdrKitError
from sdr_kit.research.client import ReadyMadeResearcher
from sdr_kit.research.openai import OpenAIResearcher
from sdr_kit.research.sandbox_server import (
    LATENCY_SECONDS,
    LATENCY_SIGMA,
    SandboxCall,
    SandboxOptions,
    SandboxServer,
)
from sdr_kit.research.together import BriefLike, Together, loaded
from sdr_kit.settings import Settings


class Sandbox(ReadyMadeResearcher):
    """A researcher that invents its answers, behind a real HTTP server.

    All times are in seconds and are multiplied by `time_scale`.

    Args:
        brief: What is asked: the name of a brief, a TOML file, or a `Brief`. Of several
            the columns are called `<brief>.<field>`, each is a request, and the tier is
            the best one.
        latency: Mean time an answer takes, 0 to 600 s.
        sigma: Shape of its lognormal distribution, 0 (always the mean) to 3.
        time_scale: Shrinks or stretches all times, 0.05 to 10.
        concurrency_cap: More requests at once are refused with 429, without a word
            about when to come back; 1 or more, None for no cap.
        requests_per_minute: More in a window of 60 s, which starts with its first
            request, are refused with 429 and `Retry-After`; 1 or more, or None.
        server_error_rate: Share of requests answered with 500, 0 to 1.
        overloaded_rate: Share answered with 503, 0 to 1.
        drop_rate: Share whose connection is closed without an answer, 0 to 1.
        broken_json_rate: Share answered with half a document, 0 to 1. The four
            together are at most 1.
        outage: Start and length: from `start` after opening, for `length`, every
            request is answered with 503 or dropped at once.
        seed: Another seed gives other latencies, faults and answers.
        settings: As for the other researchers; None reads the environment and `.env`.

    Raises:
        ValueError: An option is outside its range.
        SettingsError: A brief cannot be read, or two have the same name.
    """

    synthetic = True
    paid = False

    def __init__(
        self,
        brief: BriefLike | Sequence[BriefLike] = "general",
        *,
        latency: float = LATENCY_SECONDS,
        sigma: float = LATENCY_SIGMA,
        time_scale: float = 1.0,
        concurrency_cap: int | None = None,
        requests_per_minute: int | None = None,
        server_error_rate: float = 0.0,
        overloaded_rate: float = 0.0,
        drop_rate: float = 0.0,
        broken_json_rate: float = 0.0,
        outage: tuple[float, float] | None = None,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.briefs = loaded(brief)
        self._together = Together(self.briefs)  # outlives the clients
        self.options = SandboxOptions(
            latency=latency,
            sigma=sigma,
            time_scale=time_scale,
            concurrency_cap=concurrency_cap,
            requests_per_minute=requests_per_minute,
            server_error_rate=server_error_rate,
            overloaded_rate=overloaded_rate,
            drop_rate=drop_rate,
            broken_json_rate=broken_json_rate,
            outage=outage,
            seed=seed,
        )
        self._settings = settings or Settings()
        # What it says is never reused; a job of it goes on with the same questions.
        asked = (each.fingerprint for each in self.briefs)
        self.terms = "|".join(("sandbox", *asked, "free"))
        self.provider = f"sandbox|{self.options!r}"  # whose limits it meets
        self._server = SandboxServer(self.options)
        self._client: OpenAIResearcher  # while it is open
        self._parts = AsyncExitStack()

    @property
    def name(self) -> str:
        """How the researcher is called on screen."""
        return "Sandbox"

    @property
    def time_scale(self) -> float:
        """By how much all its times are shrunk or stretched."""
        return self.options.time_scale

    def __repr__(self) -> str:
        return f"Sandbox({self.options!r})"

    @property
    def base_url(self) -> str:
        """Where the server is: `http://127.0.0.1:PORT/v1`.

        Raises:
            SdrKitError: The sandbox is not open.
        """
        if not self.is_open:
            raise SdrKitError("the sandbox has an address only while it is open")
        return self._server.base_url

    @property
    def requests(self) -> int:
        """How many requests have arrived since the last opening."""
        return self._server.requests

    @property
    def log(self) -> deque[SandboxCall]:
        """The latest requests since the last opening, as they arrived."""
        return self._server.log

    async def __call__(self, account: Account) -> Research:
        """Asks the server about one account; raises what `OpenAIResearcher` raises."""
        self._check_open()
        return await self._client(account)

    async def _open(self) -> None:
        async with AsyncExitStack() as parts:
            server = SandboxServer(self.options)
            await server.start()
            parts.push_async_callback(server.stop)
            client = _SandboxClient(
                self.briefs,
                api_key="",  # not the one of the settings
                base_url=server.base_url,
                model="sandbox",
                api="responses",
                settings=self._settings,
            )
            client._together = self._together
            # Closed before the server, which then finds nobody waiting.
            self._client = await parts.enter_async_context(client)
            self._server = server
            self._parts = parts.pop_all()

    async def _close(self) -> None:
        await self._parts.aclose()


class _SandboxClient(OpenAIResearcher):
    name = "Sandbox"  # in messages
