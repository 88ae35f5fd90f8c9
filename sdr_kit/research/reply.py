"""What the formats of the providers have in common: a request, and its reply.

A format turns what is asked into the body of a request, and the body of an answer into
a `Reply`; both are plain values, without a connection. A reply that was sent with
status 200 may be a failure all the same, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from sdr_kit.account import ErrorKind, Usage
from sdr_kit.research.loose import amount, count, table
from sdr_kit.research.refusal import kind_of_problem, maybe_problem

NOTHING = Usage()
JSON_ONLY = """
Answer with one JSON object and nothing else: no words before or after it, no marks
around it. It has exactly the form of this JSON schema:
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What is asked.

    Attributes:
        model: Which model.
        instructions: What it is to do.
        question: The account, marked off as data.
        schema: The JSON schema of the answer.
        strict: Whether the schema is sent as the format of the answer; not every
            compatible server takes one.
        spelled_out: Whether it stands in the instructions.
    """

    model: str
    instructions: str
    question: str
    schema: dict[str, Any]
    strict: bool = True
    spelled_out: bool = False

    @property
    def told(self) -> str:
        """The instructions, with the schema when it must be spelled out."""
        if not self.spelled_out:
            return self.instructions
        return self.instructions + JSON_ONLY + json.dumps(self.schema)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a reply with status 200 is no answer.

    Attributes:
        kind: What to do about it.
        message: What was said.
        code: How the provider calls it, when it has a name.
    """

    kind: ErrorKind
    message: str
    code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        text: The answer, a JSON document if all is well.
        usage: What the call took; its cost only where the provider says it.
        cached_tokens: Those of the input that came from the provider's cache.
        cache_write_tokens: Those of the input that were put into it.
        found: Searches that gave something.
        search_errors: What the others said.
        failure: Why it is no answer; None when it may be one.
        paused: Whether the turn goes on when it is sent back.
        turn: What was said, in the form in which it is sent back.
    """

    text: str = ""
    usage: Usage = NOTHING
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    found: int = 0
    search_errors: tuple[str, ...] = ()
    failure: Failure | None = None
    paused: bool = False
    turn: Any = None


class Format(Protocol):
    """How one kind of provider is spoken to."""

    path: str

    def request(self, ask: Ask) -> dict[str, Any]:
        """Writes the body of the request."""

    def read(self, body: object) -> Reply:
        """Reads the body of an answer with status 200; never raises."""

    def repaired(
        self, request: dict[str, Any], reply: Reply, wish: str
    ) -> dict[str, Any]:
        """Writes the request that asks for the answer once more."""

    def resumed(self, request: dict[str, Any], reply: Reply) -> dict[str, Any]:
        """Writes the request that lets a paused turn go on."""


def maybe_cost(usage: dict[str, Any]) -> float | None:
    """Gives the US dollars that a provider says it took; None when it does not.

    OpenRouter says it. With a key of one's own there (`is_byok`) that is its fee alone,
    and what the model's provider takes stands beside it.
    https://openrouter.ai/docs/use-cases/usage-accounting
    """
    cost = amount(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    upstream = table(usage.get("cost_details")).get("upstream_inference_cost")
    return cost + (amount(upstream) or 0.0)


def written_tokens(usage: dict[str, Any], *, read: str, wrote: str) -> int:
    """Gives the tokens that were written, thoughts among them.

    OpenAI counts thoughts in. Others (xAI, Gemini) leave them out and have them in the
    total alone, and charge for them.
    https://docs.x.ai/docs/key-information/consumption-and-rate-limits

    Args:
        usage: What the provider says.
        read: How the tokens are called there that were read.
        wrote: How those are called that were written.
    """
    said, inputs = count(usage.get(wrote)), count(usage.get(read))
    return max(said, count(usage.get("total_tokens")) - inputs) if inputs else said


def maybe_failure(part: dict[str, Any]) -> Failure | None:
    """Finds an error that stands in a body, or a part of one, with status 200."""
    problem = maybe_problem(part) if part.get("error") else None
    if problem is None:
        return None
    return Failure(
        kind=kind_of_problem(problem),
        message=problem.message or "an error without words",
        code=problem.code,
    )


def not_of_the_format(name: str, what: str) -> Reply:
    """Gives the reply for a body that cannot be one of this format."""
    message = f"the answer is not of the {name} format ({what})"
    return Reply(failure=Failure(kind="transient", message=message))
