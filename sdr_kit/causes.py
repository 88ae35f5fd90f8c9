"""Failures grouped by their cause, with what each means and what helps.

Ten thousand failures are a handful of causes: messages that differ only in ids,
numbers, quoted names, addresses and account names are one. What a kind of failure means
is a table: the first row that fits is taken. Pure: outcomes in, causes out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sdr_kit.account import ErrorKind, Outcome

TITLE_CHARACTERS = 90
NAME_LETTERS = 3  # a shorter name is found in messages that do not mean it


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Accounts that failed for the same reason.

    Attributes:
        kind: `rate_limited`, `transient` or `permanent`.
        title: The message of one of them, shortened.
        meaning: What this kind of failure means.
        advice: What to do about it.
        positions: The accounts, by place in the list, in order.
        example: The whole message of the first one.
    """

    kind: ErrorKind
    title: str
    meaning: str
    advice: str
    positions: tuple[int, ...]
    example: str


def group_failures(
    outcomes: Iterable[Outcome], *, names: Sequence[str] = ()
) -> list[Cause]:
    """Groups failed accounts by cause, the most frequent first.

    Args:
        outcomes: How accounts ended; completed ones are left out.
        names: The accounts' names by position, so that messages which differ in them
            only are one cause; without, names are known by their capital letters.
    """
    failures = sorted(
        (each for each in outcomes if each.error_kind is not None),
        key=lambda each: each.position,
    )
    about = [(each.error_message or "", _name(each, names)) for each in failures]
    own = _owners(about)
    gist = functools.cache(_gist)  # most messages differ in numbers only

    @functools.cache
    def said(text: str) -> tuple[int | None, str]:
        return _maybe_status(text), gist(_NUMBER.sub("0", text))

    groups: dict[tuple[object, ...], list[Outcome]] = {}
    for each, (message, name) in zip(failures, about, strict=True):
        text = _without(name, message) if own[message] is not None else message
        groups.setdefault((each.error_kind, *said(text)), []).append(each)
    return sorted(map(_cause, groups.values()), key=lambda each: -len(each.positions))


def _cause(failures: Sequence[Outcome]) -> Cause:
    first = failures[0]
    kind, message = first.error_kind, first.error_message or "No message."
    if kind is None:
        raise ValueError("a completed account has no cause")
    status = _maybe_status(message)
    row = next(row for row in _MEANINGS if row.fits(kind, status, message))
    return Cause(
        kind=kind,
        title=_shortened(message),
        meaning=row.meaning,
        advice=row.advice,
        positions=tuple(each.position for each in failures),
        example=message,
    )


def _shortened(message: str) -> str:
    line = " ".join(message.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[:TITLE_CHARACTERS].rpartition(" ")[0].rstrip(" ,;:(") + "…"


# How the libraries write the status of an answer: ours and urllib, httpx, requests,
# aiohttp.
_STATUS = re.compile(
    r"\bHTTP (?:Error )?([1-5]\d\d)\b|'([1-5]\d\d) [A-Z]"
    r"|\b([1-5]\d\d) (?:Client|Server) Error|\b([1-5]\d\d), message="
)
_VARYING = re.compile(
    r"\w+://\S+"  # addresses
    r"|(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`|“[^”]*”"  # what is quoted
    r"|\S+@\S+|\b(?:[\w-]+\.)+[^\W\d_]{2,}\b(?!\()(?::\d+)?"  # people and hosts
    r"|\S*\d\S*"  # numbers and ids
)
_NUMBER = re.compile(r"\d+")
_CAPITAL = "[A-ZÀ-ÖØ-Þ]"
_NAMES = re.compile(  # in the middle of a sentence
    rf"(?<=[a-z,#] ){_CAPITAL}\S*(?: (?:(?:and|de|of|the|&) )*(?:{_CAPITAL}\S*|#))*"
)


def _maybe_status(message: str) -> int | None:
    found = _STATUS.search(message)
    return next((int(group) for group in found.groups() if group), 0) if found else None


def _name(failure: Outcome, names: Sequence[str]) -> str:
    return names[failure.position] if failure.position < len(names) else ""


def _owners(about: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Gives the one name of whom each message is said; None when it is of several.

    What is said of several accounts in the same words does not mean any of them.
    """
    owners: dict[str, str | None] = {}
    for message, name in about:
        if owners.setdefault(message, name) != name:
            owners[message] = None
    return owners


def _without(name: str, message: str) -> str:
    """Takes an account's name out of its message, where it stands as a word."""
    if name not in message or sum(map(str.isalpha, name)) < NAME_LETTERS:
        return message
    text, *rest = message.split(name)
    for part in rest:
        inside = text[-1:].isalnum() or part[:1].isalnum()
        text += (name if inside else "#") + part
    return text


def _gist(message: str) -> str:
    """Leaves what messages of the same cause have in common."""
    text = _NAMES.sub("#", _VARYING.sub("#", message))
    return " ".join(text.casefold().split()).rstrip(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meaning:
    """What failures mean that fit; what is left empty fits every one."""

    kind: ErrorKind | None = None
    statuses: Collection[int] = ()
    says: re.Pattern[str] = re.compile("")
    meaning: str
    advice: str

    def fits(self, kind: ErrorKind, status: int | None, message: str) -> bool:
        return (
            (self.kind is None or self.kind == kind)
            and (not self.statuses or status in self.statuses)
            and self.says.search(message) is not None
        )


_MEANINGS: tuple[_Meaning, ...] = (
    _Meaning(
        kind="rate_limited",
        meaning="The provider refused these accounts again and again, because more was "
        "asked of it than it takes, for longer than the run waits.",
        advice="Wait a while, lower the concurrency, and retry them. If it happens "
        "again, the provider's limit for your key is too low for this list.",
    ),
    _Meaning(
        says=re.compile(r"ACCOUNT_TIMEOUT_SECONDS"),
        meaning="The researcher did not answer in time, and was not waited for longer.",
        advice="Retry them. If such long answers are normal for this researcher, raise "
        "ACCOUNT_TIMEOUT_SECONDS.",
    ),
    _Meaning(
        says=re.compile(r"(?i)gaierror|name or service not known|getaddrinfo|dns"),
        meaning="The address could not be found: the domain does not exist any more, "
        "is misspelt, or this machine has no network.",
        advice="Open one of the domains in a browser. If it works there, retry; if "
        "not, correct the domain in your list.",
    ),
    _Meaning(
        says=re.compile(r"(?i)ssl|certificate"),
        meaning="The other side's certificate could not be trusted, so nothing was "
        "sent to it.",
        advice="Often the website is misconfigured: check one in a browser. If all "
        "fail, your network looks into encrypted traffic; ask your IT.",
    ),
    _Meaning(
        says=re.compile(r"does not fit the brief"),
        meaning="The model answered, and was asked once more, but neither answer has "
        "the form that the brief asks for.",
        advice="Retry them: a model does not answer alike twice. If it goes on, choose "
        "a more capable model. The account's card keeps what it said.",
    ),
    _Meaning(
        kind="transient",
        says=re.compile(r"not of the (\w+ )?format|JSON"),
        meaning="The model answered, but each time in a form that cannot be used.",
        advice="Retry them; if it goes on, choose a more capable model.",
    ),
    _Meaning(
        kind="transient",
        statuses=(408, 504),
        meaning="The provider took too long, in every try.",
        advice="Retry them later, with a lower concurrency if it goes on.",
    ),
    _Meaning(
        kind="transient",
        statuses=range(400, 600),
        meaning="The provider had trouble of its own, in every try; nothing is wrong "
        "with these accounts.",
        advice="Retry them later. If it goes on, look at the provider's status page.",
    ),
    _Meaning(
        kind="transient",
        says=re.compile(r"(?i)timeout|timed out|too long"),
        meaning="The other side took too long, in every try.",
        advice="Retry them later, with a lower concurrency. If long answers are normal "
        "here, raise the timeout (REQUEST_TIMEOUT_SECONDS, or that of your function).",
    ),
    _Meaning(
        kind="transient",
        meaning="The connection was dropped or could not be made, in every try.",
        advice="Check your network, then retry them.",
    ),
    _Meaning(
        statuses=(401, 403, 407),
        meaning="The other side does not let you in: the key is missing, wrong or not "
        "allowed to do this, or a website turns programs away.",
        advice="Check the key and its rights, then retry. A website that refuses "
        "programs has to be looked at by hand.",
    ),
    _Meaning(
        statuses=(404, 410),
        meaning="What was asked for does not exist: a page, a company's record, or the "
        "model's name.",
        advice="Check the address in the example. If it is made from the domain, "
        "correct the domain; retrying alone does not help.",
    ),
    _Meaning(
        statuses=(402,),
        meaning="The provider wants to be paid before it answers.",
        advice="Look at the billing page of the provider, then retry.",
    ),
    _Meaning(
        statuses=range(400, 500),
        meaning="The provider did not accept the question as it was put.",
        advice="Read the message: it names what is wrong. Mend the researcher or the "
        "row; retrying alone does not help.",
    ),
    _Meaning(
        says=re.compile(r"(?i)refused:|incomplete answer|content_filter"),
        meaning="The model would not, or could not, finish an answer about these "
        "companies.",
        advice="Retrying rarely helps. Look at them by hand, or ask another model.",
    ),
    _Meaning(
        says=re.compile(r"^The researcher(?: returned|'s answer)"),
        meaning="The researcher answered with something that is no research.",
        advice="Let it return a mapping of column to value, such as "
        '{"summary": "…", "tier": "A", "priority_score": 8}, then retry.',
    ),
    _Meaning(
        says=re.compile(r"^The researcher (?:called exit|cancelled)"),
        meaning="The researcher ended itself instead of answering.",
        advice="Take the exit or the cancellation out of its code, then retry.",
    ),
    _Meaning(
        says=re.compile(
            r"^\w+(?:Error|Exception|Warning|Interrupt)\b|\(in \S+, line \d+\)$"
        ),
        meaning="The researcher's own code failed with these accounts.",
        advice="Read the message, mend the function, run its cell again and start "
        "the list anew; retrying the same code fails in the same way.",
    ),
    _Meaning(
        meaning="The researcher says that these accounts cannot be researched.",
        advice="Read the message. Retrying helps only when something has changed.",
    ),
)
