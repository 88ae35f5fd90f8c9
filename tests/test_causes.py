"""Failures grouped by cause, from the messages that runs really give."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import aiohttp
import httpx
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sdr_kit.account import Account, Outcome, Research
from sdr_kit.causes import TITLE_CHARACTERS, Cause, group_failures
from sdr_kit.errors import Permanent, RateLimited, Transient, Verdict, classify
from sdr_kit.worker import attempt


def failed(position: int, error: BaseException | Verdict) -> Outcome:
    verdict = error if isinstance(error, Verdict) else classify(error)
    return Outcome(
        position=position,
        status="failed",
        attempts=1,
        seconds=1.0,
        finished=1.0,
        error_kind=verdict.kind,
        error_message=verdict.message,
    )


def causes(errors: Iterable[BaseException | Verdict], **options: Any) -> list[Cause]:
    return group_failures(
        [failed(place, error) for place, error in enumerate(errors)], **options
    )


def httpx_error(status: int, url: str) -> Exception:
    response = httpx.Response(status, request=httpx.Request("GET", url))
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        return error
    raise AssertionError


def aiohttp_error(status: int, url: str) -> Exception:
    headers = CIMultiDictProxy(CIMultiDict[str]())
    info = aiohttp.RequestInfo(URL(url), "GET", headers, URL(url))
    return aiohttp.ClientResponseError(info, (), status=status, message="Not Found")


def refused(request: str, milliseconds: int) -> Exception:
    return RateLimited(
        f"OpenAI: Rate limit reached; try again in {milliseconds}ms. (HTTP 429, "
        f"rate_limit_exceeded, request {request})"
    )


@pytest.mark.parametrize(
    "errors",
    [
        [KeyError("domain"), KeyError("domian"), KeyError("a b")],
        [refused("req_8f3a", 12), refused("req_00ff", 900)],
        [
            httpx_error(404, "https://acme.com/about"),
            httpx_error(404, "https://www.globex.co.uk/team?id=3"),
        ],
        [
            aiohttp_error(404, "https://acme.com/about"),
            aiohttp_error(404, "https://globex.co.uk/"),
        ],
        [
            httpx.ConnectError("cannot connect to acme.com:443"),
            httpx.ConnectError("cannot connect to www.globex.co.uk:8443"),
        ],
        [
            ValueError("no website of Acme Corp"),
            ValueError("no website of Globex"),
            ValueError("no website of Bank of America"),
            ValueError("no website of 3M."),
            ValueError("no website of Österreichische Post AG"),
        ],
        [IndexError(f"list index {i} is out of range of {i * 7}") for i in range(20)],
        [
            json.JSONDecodeError("Expecting value", "x" * 90, 70),
            json.JSONDecodeError("Expecting value", "x", 0),
        ],
        [
            Permanent('the model refused: it is about "Acme"'),
            Permanent('the model refused: it is about "Globex"'),
        ],
    ],
    ids=lambda errors: str(errors[0])[:30],
)
def test_what_differs_only_in_names_and_numbers_is_one_cause(
    errors: list[Exception],
) -> None:
    (cause,) = causes(errors)
    assert cause.positions == tuple(range(len(errors)))
    assert cause.example == classify(errors[0]).message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KeyError("domain"), ValueError("domain")),
        (httpx_error(404, "https://a.com/"), httpx_error(403, "https://a.com/")),
        (aiohttp_error(404, "https://a.com/"), aiohttp_error(410, "https://a.com/")),
        (Transient("HTTP 500: busy"), Transient("HTTP 503: busy")),
        (Transient("busy"), Permanent("busy")),
        (ValueError("no website"), ValueError("no employees")),
        (ValueError("it's gone"), ValueError("it's gone, isn't it")),
        (AttributeError("'NoneType' object has no attribute 'text'"), TypeError()),
    ],
)
def test_different_failures_are_different_causes(
    one: Exception, other: Exception
) -> None:
    assert len(causes([one, other])) == 2


def test_names_that_look_like_words_are_known_when_they_are_given() -> None:
    names = ["acme", "Globex Corporation", "a.k.a. GmbH", ""]
    errors = [ValueError(f"{name} has no website") for name in names]
    assert len(causes(errors)) > 1
    assert causes(errors[:3], names=names)[0].positions == (0, 1, 2)


def test_a_name_that_stands_inside_a_word_is_no_name() -> None:
    errors = [TypeError("the Researcher returned nothing e.g. here")] * 4
    names = ["e", "Research", "Acme", "here e.g"]
    (cause,) = causes(errors, names=names)
    assert cause.positions == (0, 1, 2, 3)


def test_the_same_message_is_one_cause_though_it_has_somebodys_name_in_it() -> None:
    errors = [*[ValueError("research failed for all")] * 3]
    (cause,) = causes(errors, names=["research", "Acme", "failed for"])
    assert cause.positions == (0, 1, 2)


def test_the_most_frequent_cause_comes_first_and_positions_are_in_order() -> None:
    errors = [ValueError("no"), *[KeyError(i) for i in range(5)], TypeError("odd")]
    outcomes = [failed(place, error) for place, error in enumerate(errors)]
    random.Random(4).shuffle(outcomes)
    found = group_failures(outcomes)
    assert [each.positions for each in found] == [(1, 2, 3, 4, 5), (0,), (6,)]
    assert [each.kind for each in found] == ["permanent"] * 3


def test_completed_accounts_are_left_out() -> None:
    done = Outcome(
        position=0,
        status="completed",
        attempts=1,
        seconds=1.0,
        finished=1.0,
        research=Research(),
    )
    assert group_failures([done]) == []
    assert group_failures([]) == []


def test_a_long_message_is_shortened_at_a_word() -> None:
    (cause,) = causes([Permanent("a long tale of woe, " * 20)])
    assert len(cause.title) <= TITLE_CHARACTERS
    assert cause.title.endswith(("tale…", "long…", "of…", "woe…", "a…"))
    assert len(cause.example) > 300


def test_a_failure_without_a_message_has_a_title() -> None:
    (cause,) = causes([Verdict(kind="permanent", message="")])
    assert cause.title == "No message."


async def answered(answer: object) -> Verdict:
    async def research(_account: Account) -> object:
        return answer

    verdict = await attempt(research, Account(company_name="Acme"))
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.parametrize(
    ("error", "meaning", "advice"),
    [
        (refused("req_1", 20), "more was asked of it than it takes", "lower the conc"),
        (
            Transient("No answer within 10 min (ACCOUNT_TIMEOUT_SECONDS)."),
            "did not answer in time",
            "raise ACCOUNT_TIMEOUT_SECONDS",
        ),
        (Transient("HTTP 503: overloaded"), "trouble of its own", "status page"),
        (httpx_error(500, "https://a.com"), "trouble of its own", "Retry them later"),
        (httpx_error(504, "https://a.com"), "took too long", "lower concurrency"),
        (httpx.ReadTimeout("no answer"), "took too long", "REQUEST_TIMEOUT"),
        (TimeoutError(), "took too long", "REQUEST_TIMEOUT"),
        (ConnectionResetError("reset by peer"), "connection was dropped", "network"),
        (httpx.RemoteProtocolError("closed"), "connection was dropped", "network"),
        (socket.gaierror(-2, "Name or service not known"), "not be found", "domain"),
        (ssl.SSLCertVerificationError("verify failed"), "certificate", "browser"),
        (httpx_error(401, "https://a.com"), "does not let you in", "the key"),
        (aiohttp_error(403, "https://a.com"), "does not let you in", "by hand"),
        (httpx_error(404, "https://a.com"), "does not exist", "correct the domain"),
        (httpx_error(402, "https://a.com"), "to be paid", "billing"),
        (httpx_error(422, "https://a.com"), "did not accept", "Read the message"),
        (
            Permanent("OpenAI: the answer does not fit the brief (tier: missing)"),
            "the form that the brief asks for",
            "Retry them",
        ),
        (
            Transient("Anthropic: the answer is not of the Messages format (no text)"),
            "in a form that cannot be used",
            "more capable model",
        ),
        (
            Permanent("OpenAI: incomplete answer (max_output_tokens)"),
            "finish an answer",
            "by hand",
        ),
        (Permanent("OpenAI: the model refused: no"), "finish an answer", "by hand"),
        (KeyError("domian"), "own code failed", "mend the function"),
        (TypeError("unsupported operand"), "own code failed", "mend the function"),
        (ZeroDivisionError("division by zero"), "own code failed", "mend"),
        (Permanent("no such company"), "cannot be researched", "Read the message"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_kind_of_failure_has_a_meaning_and_something_to_do(
    error: Exception, meaning: str, advice: str
) -> None:
    (cause,) = causes([error])
    assert meaning in cause.meaning
    assert advice in cause.advice


@pytest.mark.parametrize("answer", [None, [], "Acme makes anvils", float("nan"), 3])
async def test_nonsense_is_explained_with_what_to_return(answer: object) -> None:
    (cause,) = causes([await answered(answer)])
    assert "no research" in cause.meaning
    assert "mapping of column to value" in cause.advice


async def test_a_value_outside_its_range_is_nonsense_too() -> None:
    verdicts = [await answered({"tier": tier}) for tier in ("D", "gold")]
    (cause,) = causes(verdicts)
    assert "no research" in cause.meaning
    assert cause.positions == (0, 1)


async def test_a_researcher_that_ends_itself_is_explained() -> None:
    async def leave(_account: Account) -> object:
        raise SystemExit

    async def cancel(_account: Account) -> object:
        raise asyncio.CancelledError

    for research in (leave, cancel):
        verdict = await attempt(research, Account(company_name="Acme"))
        assert isinstance(verdict, Verdict)
        assert "ended itself" in causes([verdict])[0].meaning


def test_ten_thousand_failures_are_grouped() -> None:
    errors = [ValueError(f"no website of Company {i}") for i in range(10_000)]
    (cause,) = causes(errors, names=[f"Company {i}" for i in range(10_000)])
    assert len(cause.positions) == 10_000
