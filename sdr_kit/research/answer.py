"""What a model answered: taken out of its text and checked, field by field.

The form is the same for every brief, but for the names of the questions and of the
triggers; `brief` shows it. Nothing is believed because a schema was sent along:
"compatible" servers ignore schemas, or keep the structure and ignore the ranges.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from sdr_kit.account import Evidence, maybe_web_address
from sdr_kit.plain import plain

MAX_ANSWER_CHARACTERS = 200_000  # a hundred times what the questions need
MAX_PROBLEMS = 5  # said at once about an answer; the model mends them together
MAX_EVIDENCE = 10  # kept for a field
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co"})
UNKNOWN = "unknown"  # what a model answers when it has found nothing


class AnswerError(ValueError):
    """An answer does not fit the brief.

    Attributes:
        detail: What is wrong, in words that the model can be told; without the values.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(f"the answer does not fit the brief ({detail})")
        self.detail = detail


def one_line(text: str) -> str:
    """Gives a text with single spaces in place of spaces and line ends.

    What cannot be seen is left out: a page may steer a terminal or turn a line round.
    """
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    """Gives a text without the characters that only a machine reads.

    Those are controls but line ends and tabs, the format characters (tags, zero widths,
    turns of direction) and the unassigned. Half of a surrogate pair becomes a `?`.
    """
    if text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    return "".join(
        c for c in text if c.isspace() or unicodedata.category(c) not in _UNSEEN
    )


def _said(value: str) -> str:
    if not (said := one_line(value)):
        raise ValueError("must not be blank")
    return said


def _maybe_answer(value: str) -> str | None:
    """Gives the lines of an answer that say something; None when it says "unknown"."""
    lines = [one_line(line) for line in value.splitlines()]
    said = "\n".join(line for line in lines if line)
    if not said:
        raise ValueError(f'must not be blank; write "{UNKNOWN}" when nothing was found')
    return None if said.strip("\"'. ").lower() == UNKNOWN else said


def _maybe_source(value: str) -> str | None:
    """Gives an address; None for what is none, or leads elsewhere than it seems to.

    An answer is not asked for again because of it: a fact without a source counts for
    less, and that is all. Models leave out the scheme at times.
    """
    said = value.strip()
    address = maybe_web_address(f"https://{said}" if said.startswith("www.") else said)
    if address and (not address.isprintable() or "@" in _authority(address)):
        return None
    return address


def _authority(address: str) -> str:
    """Gives host, port and whoever is named before them."""
    return re.split("[/?#]", address.partition("//")[2], maxsplit=1)[0]


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 (pydantic wants this one)
    return value


class _Form(BaseModel):
    # The provider is told to add nothing; what one adds all the same is ignored.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Proof(_Form):
    """A page, its words, and how sure the model is; null is as good as empty."""

    source: Annotated[str, AfterValidator(_maybe_source)] | None
    quote: str | None
    confidence: Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)] | None


class Finding(_Form):
    """The answer to one question; None when nothing was found."""

    answer: Annotated[str, AfterValidator(_maybe_answer)] | None
    evidence: list[Proof]


class Event(_Form):
    """A trigger that the model says has happened."""

    trigger: str
    evidence: list[Proof]


_Reason = Annotated[str, AfterValidator(_said)]


class Answer(_Form):
    """What a model says about one company."""

    answers: dict[str, Finding]
    triggers: list[Event]
    tier: Literal["A", "B", "C"]
    tier_reasons: list[_Reason]
    priority_score: Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=10)]
    priority_reasons: list[_Reason]


def read_answer(
    text: str, *, questions: Iterable[str], triggers: Iterable[str]
) -> Answer:
    """Takes the answer out of a text, from the first `{` to the last `}`.

    Args:
        text: What the model wrote; prose around the JSON and fences do no harm.
        questions: The fields that must be there; others are ignored.
        triggers: The names that are known.

    Raises:
        AnswerError: It does not fit; `detail` says what, and where.
    """
    found = _json_object(text)
    answers = {field: found[field] for field in questions if field in found}
    missing = [f"{field}: is missing" for field in questions if field not in found]
    try:
        said = Answer.model_validate({**found, "answers": answers})
    except ValidationError as error:
        raise AnswerError(together(missing + problems(error))) from None
    known = list(triggers)
    unknown = [
        f"triggers.{place}.trigger: must be one of {', '.join(known)}"
        for place, event in enumerate(said.triggers)
        if event.trigger not in known
    ]
    if missing or unknown:
        raise AnswerError(together(missing + unknown))
    return said


def evidence_of(proofs: Sequence[Proof], *, at: datetime) -> tuple[Evidence, ...]:
    """Gives what has a page or words, at most `MAX_EVIDENCE`; the rest proves nothing.

    Raises:
        ValueError: `at` has no zone.
    """
    return tuple(
        Evidence(
            source=each.source,
            quote=one_line(each.quote or ""),
            confidence=each.confidence,
            at=at.isoformat(),
        )
        for each in proofs
        if each.source or (each.quote or "").strip()
    )[:MAX_EVIDENCE]


def problems(error: ValidationError) -> list[str]:
    """Says what is wrong and where, without the values themselves."""
    said = []
    for each in error.errors(include_url=False, include_input=False):
        # "answers" is a word of ours: the model's fields stand at the top.
        steps = [str(step) for step in each["loc"] if step != "[key]"]
        place = ".".join(steps[1:] if steps[:1] == ["answers"] else steps)
        what = each["msg"].removeprefix("Value error, ")
        if each["type"] == "missing":
            what = "is missing"
        said.append(f"{place}: {what}" if place else what)
    return said


def together(said: Sequence[str]) -> str:
    """Puts the first few problems into one line, and says how many there are more."""
    more = len(said) - MAX_PROBLEMS
    shown = [*said[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
    return "; ".join(shown)


def _json_object(text: str) -> Mapping[str, Any]:
    if len(text) > MAX_ANSWER_CHARACTERS:
        raise AnswerError(f"it is longer than {MAX_ANSWER_CHARACTERS:,} characters")
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise AnswerError("there is no JSON object in it")
    try:
        found: dict[str, Any] = plain(json.loads(text[begin : end + 1]))
    except RecursionError:
        raise AnswerError("it is nested too deeply") from None
    except ValueError as error:
        raise AnswerError(f"it is not JSON: {error}") from None
    return found
