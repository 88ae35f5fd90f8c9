"""What the researchers that ask a model have in common.

One account and brief is one request; an answer that does not fit the brief is asked for
once more, with what is wrong with it, within the same attempt. What comes back is
believed in nothing: an answer with status 200 may be a failure, and "compatible"
servers refuse or ignore the schema. A refused schema is spelled out in the instructions
from then on, and `notices` says so, once.

Each failure is named by what the caller can do about it (see `errors`), and carries
what the call took, and an answer that could not be used. After the second answer that
does not fit the account fails for good: it has been paid for twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from sdr_kit.account import Account, RateLimits, Research, Usage
from sdr_kit.errors import Permanent, SdrKitError, Transient
from sdr_kit.prices import Prices
from sdr_kit.research.answer import AnswerError
from sdr_kit.research.brief import Brief
from sdr_kit.research.client import ReadyMadeResearcher
from sdr_kit.research.endpoint import Endpoint
from sdr_kit.research.failures import Failures, Refused, document, request_id_of
from sdr_kit.research.http import BodyTooLarge, open_client
from sdr_kit.research.rate_headers import maybe_limits
from sdr_kit.research.reply import JSON_ONLY, NOTHING, Ask, Format, Reply
from sdr_kit.research.together import BriefLike, Together, loaded

MAX_RESUMES = 5  # of a turn that pauses; each is a request that costs

# Local models think aloud before they answer, in braces at times; some servers leave
# out where that begins. What begins with a brace is the answer, whatever it quotes.
_THOUGHTS = re.compile(r"\s*(?!\{).*?</think>", re.DOTALL)
_LOG = logging.getLogger("sdr_kit.research")


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How the provider is asked.

    Attributes:
        format: In which format.
        strict: Whether the schema is sent as the format of the answer.
        spelled_out: Whether it stands in the instructions.
    """

    format: Format
    strict: bool = True
    spelled_out: bool = False


@dataclass(kw_only=True, slots=True)
class Call:
    """What is known of one call of the researcher so far."""

    usage: Usage = NOTHING
    limits: RateLimits | None = None
    request_id: str | None = None
    found: int = 0
    search_errors: list[str] = field(default_factory=list)

    def known(self) -> dict[str, Any]:
        """Gives what an error about it carries."""
        return {
            "usage": self.usage if self.usage != NOTHING else None,
            "limits": self.limits,
            "request_id": self.request_id,
        }


class ProviderResearcher(ReadyMadeResearcher):
    """Base of the researchers that ask a model; a subclass says where and how.

    Attributes:
        briefs: What is asked; of several, one after another.
        model: Who is asked.
        paid: Whether its answers cost money: not on this machine, unless there are
            prices for it (it may pass them on to somebody).
        notices: What is to be known about this opening, a sentence each: no prices, a
            server that ignores the schema. Each is logged as a warning as well.
    """

    def __init__(
        self,
        *,
        brief: BriefLike | Sequence[BriefLike],
        endpoint: Endpoint,
        way: Way,
        timeout_seconds: float,
    ) -> None:
        super().__init__()
        self.briefs = loaded(brief)
        self.model = endpoint.model
        self.paid = endpoint.prices is not None or not endpoint.is_local
        self.notices: tuple[str, ...] = ()
        self._endpoint = endpoint
        self._failures = Failures(self.name, endpoint)
        self._instructions = {each.name: each.instructions() for each in self.briefs}
        self._schemas = {each.name: each.schema() for each in self.briefs}
        self._together = Together(self.briefs)
        self._first_way = self._way = way
        self._timeout_seconds = timeout_seconds
        self._answered = False  # since it was opened, whatever it said
        self._urls: dict[str, httpx.URL] = {}  # made once: it costs more than it looks
        self._client: httpx.AsyncClient  # while it is open

    @property
    def provider(self) -> str:
        """Whose limits it meets."""
        return f"{self._endpoint.host}|{self.model}"

    @property
    def fingerprint(self) -> str:
        """Who answers and what is asked: results of equal ones can stand for others."""
        asked = [
            self._first_way.format.path,
            *(each.fingerprint for each in self.briefs),
        ]
        return "|".join((type(self).__name__, self.model, self._endpoint.host, *asked))

    @property
    def prices(self) -> Prices | None:
        """What the model costs; None when nobody has said."""
        return self._endpoint.prices

    def __repr__(self) -> str:
        names = [each.name for each in self.briefs]
        asked = names if names[1:] else names[0]
        return (
            f"{type(self).__name__}(brief={asked!r}, model={self.model!r}, "
            f"base_url={self._endpoint.url!r})"
        )

    async def __call__(self, account: Account) -> Research:
        """Researches one account, with one request at a time.

        Returns:
            What was found, with its evidence, what the call took, what remains of the
            provider's limits, and the request's id.

        Raises:
            RateLimited: The provider asks to wait (429, 529).
            Transient: Its trouble (5xx), or an answer that is none.
            Permanent: It will not answer about this account, or not as asked.
            StopRun: It will answer about none: bad key, no money, no such model.
            httpx.TransportError: No whole answer came back.
            SdrKitError: The researcher is not open.
        """
        self._check_open()
        call = Call()
        try:
            found = await self._found(account, call)
        except SdrKitError as error:
            error.about(**call.known())
            raise
        except asyncio.CancelledError as error:
            # In a later request, perhaps: those before have been paid for.
            cut = error.__cause__
            cut = cut if isinstance(cut, Transient) else Transient("it was cut off")
            raise error from cut.about(**call.known())
        return replace(
            found, usage=call.usage, limits=call.limits, request_id=call.request_id
        )

    async def _open(self) -> None:
        self._way, self._answered = self._first_way, False
        self._together.forgive()
        self.notices = ()
        if self.paid and self._endpoint.prices is None:
            self._notice(
                f"tokens are counted, not dollars: {self._endpoint.prefix}_PRICES is "
                f"not set for {self.model}"
            )
        self._client = open_client(
            base_url=self._endpoint.url,
            timeout_seconds=self._timeout_seconds,
            headers={"Content-Type": "application/json", **self._headers()},
        )

    async def _close(self) -> None:
        await self._client.aclose()

    def _headers(self) -> Mapping[str, str]:
        raise NotImplementedError

    def _maybe_other_way(self, way: Way, refused: Refused) -> Way | None:
        """Says how else the provider could be asked, if there is another way."""
        del way, refused
        return None

    def _explained(self, tried: Way, taken: Way) -> str:
        """Says what the provider turned out to need."""
        del tried, taken
        return "it is asked in another way from now on"

    async def _found(self, account: Account, call: Call) -> Research:
        if len(self.briefs) == 1:
            return await self._research(self.briefs[0], account, call)
        ask = partial(self._research, account=account, call=call)
        return await self._together.research(account, ask)

    async def _research(self, brief: Brief, account: Account, call: Call) -> Research:
        way, request, reply = await self._first_reply(brief, account, call)
        try:
            return self._read(brief, way, reply)
        except AnswerError as unfit:
            wish = brief.repair(unfit.detail)
        if self._way.spelled_out and not way.spelled_out:  # it has not seen the form
            wish += JSON_ONLY + json.dumps(self._schemas[brief.name])
        request = way.format.repaired(request, reply, wish)
        try:
            _, reply = await self._talk(way.format, request, call)
        except Refused as refused:
            raise refused.error from refused.error.__cause__
        try:
            return self._read(brief, way, reply)
        except AnswerError as error:
            said = self._failures.says(str(error), request_id=call.request_id)
            raise Permanent(said).about(
                raw=self._failures.without_key(reply.text)
            ) from error

    async def _first_reply(
        self, brief: Brief, account: Account, call: Call
    ) -> tuple[Way, dict[str, object], Reply]:
        """Asks in the way that is known to work, or in others until one does."""
        first = way = self._way
        while True:
            request = way.format.request(self._ask(brief, account, way))
            try:
                request, reply = await self._talk(way.format, request, call)
            except Refused as refused:
                other = self._maybe_other_way(way, refused)
                if other is None:
                    raise refused.error from refused.error.__cause__
                way = other
                continue
            self._answered = True
            if way != first and self._way == first:
                self._way = way
                self._notice(self._explained(first, way))
            return way, request, reply

    def _ask(self, brief: Brief, account: Account, way: Way) -> Ask:
        return Ask(
            model=self.model,
            instructions=self._instructions[brief.name],
            question=brief.question(account, on=datetime.now(UTC).date()),
            schema=self._schemas[brief.name],
            strict=way.strict,
            spelled_out=way.spelled_out,
        )

    def _read(self, brief: Brief, way: Way, reply: Reply) -> Research:
        text = reply.text.strip()
        if thoughts := _THOUGHTS.match(text):
            text = text[thoughts.end() :].strip()
        if way.strict and text and not (text[0] == "{" and text[-1] == "}"):
            self._schema_ignored()
        return brief.read(text, at=datetime.now(UTC))

    def _schema_ignored(self) -> None:
        if not self._way.spelled_out:
            self._way = replace(self._way, spelled_out=True)
            self._notice(
                "it ignores the JSON schema: the schema is spelled out in the "
                "instructions from now on, and answers that do not fit are asked for "
                "once more"
            )

    async def _talk(
        self, spoken: Format, request: dict[str, object], call: Call
    ) -> tuple[dict[str, object], Reply]:
        """Sends a request, and lets its turn go on while it pauses."""
        call.found, call.search_errors = 0, []
        for _ in range(MAX_RESUMES + 1):
            reply = await self._reply(spoken, request, call)
            if not reply.paused:
                break
            request = spoken.resumed(request, reply)
        else:
            raise Permanent(
                self._failures.says(
                    f"the turn paused {MAX_RESUMES + 1} times and did not end"
                )
            )
        if call.search_errors and not call.found:
            why = ", ".join(sorted(set(call.search_errors)))
            said = self._failures.says(
                f"no search succeeded: {why}", request_id=call.request_id
            )
            raise Transient(said).about(raw=self._failures.without_key(reply.text))
        return request, reply

    async def _reply(
        self, spoken: Format, request: dict[str, object], call: Call
    ) -> Reply:
        response = await self._post(spoken.path, request, call)
        call.request_id = request_id_of(response) or call.request_id
        call.limits = maybe_limits(response.headers) or call.limits
        if not response.is_success:
            raise self._failures.refused(response)
        try:
            reply = spoken.read(document(response))
        except (ValueError, RecursionError) as error:
            said = f"the answer is not of the format (Invalid JSON: {error})"
            raise Transient(
                self._failures.says(said, request_id=call.request_id)
            ) from error
        call.usage += self._with_cost(reply)
        call.found += reply.found
        call.search_errors += reply.search_errors
        if reply.failure is not None:
            raise self._failures.failed(reply, response)
        return reply

    async def _post(
        self, path: str, request: dict[str, object], call: Call
    ) -> httpx.Response:
        if path not in self._urls:
            self._urls[path] = httpx.URL(f"{self._endpoint.url}/{path}")
        url = self._urls[path]
        try:
            content = json.dumps(request).encode()
        except RecursionError as error:  # a turn of theirs is in it
            said = self._failures.says("its turn is nested too deeply to be sent back")
            raise Transient(said) from error
        try:
            response = await self._client.post(url, content=content)
        except httpx.RequestError as error:
            error.args = (self._failures.without_key(str(error)),)
            error.request = httpx.Request("POST", url)  # the real one holds the key
            said = self._failures.says(f"{type(error).__name__}: {error}")
            if isinstance(error, BodyTooLarge):
                raise Permanent(said) from error
            carries = call.usage != NOTHING or len(self.briefs) > 1
            if isinstance(error, httpx.DecodingError) or carries:
                # It carries the usage, and what was found.
                raise Transient(said) from error
            raise
        return self._failures.bare(response)

    def _with_cost(self, reply: Reply) -> Usage:
        prices = self._endpoint.prices
        if reply.usage.cost_usd is not None:  # the provider's own word
            return reply.usage
        if not self.paid:
            return replace(reply.usage, cost_usd=0.0)
        if prices is None:
            return reply.usage
        cost = prices.cost(
            input_tokens=reply.usage.input_tokens,
            cached_tokens=reply.cached_tokens,
            cache_write_tokens=reply.cache_write_tokens,
            output_tokens=reply.usage.output_tokens,
            searches=reply.usage.searches,
        )
        return replace(reply.usage, cost_usd=cost)

    def _notice(self, said: str) -> None:
        self.notices += (f"{self.name}: {said}",)
        _LOG.warning("%s: %s", self.name, said)
