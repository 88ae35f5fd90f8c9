"""What the card of an account says of its research, as HTML that is read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import pytest

from sdr_kit.account import Attempt, Evidence, Outcome, Research, Usage
from sdr_kit.workbench.account_markup import account_facts, accounts_table
from tests.pages import Page

AT = "2026-11-23T10:00:00+00:00"
NASTY = "</td><img src=x onerror=alert(1)>\" onclick='alert(1)' <script>"
ROW = pd.Series({"company_name": "Acme", "domain": "acme.de", "owner": "Jo"})
# What a browser runs or loads, if it stood in the page.
ALLOWED = {
    *("div", "h4", "h5", "table", "tr", "th", "td", "ul", "li", "a", "q", "span"),
    *("details", "summary", "pre"),
}


def proof(source: str | None = "https://acme.de/news", **more: object) -> Evidence:
    told = {"quote": "We raised.", "confidence": 0.9} | more
    return Evidence(source=source, at=AT, **told)  # type: ignore[arg-type]


def ended(research: Research | None, **more: object) -> Outcome:
    told = {"status": "completed"} | more
    return Outcome(
        position=0,
        attempts=1,
        seconds=1.0,
        finished=1.0,
        research=research,
        **told,  # type: ignore[arg-type]
    )


def card(outcome: Outcome | Research, *attempts: Attempt) -> Page:
    told = ended(outcome) if isinstance(outcome, Research) else outcome
    return Page(account_facts(ROW, told, attempts))


def attempt(**more: object) -> Attempt:
    plain = Attempt(position=0, number=1, started=0.5, seconds=2.0, outcome="completed")
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_fact_shows_its_page_words_confidence_and_day() -> None:
    page = card(
        Research(
            fields={"news": "They raised money."},
            evidence={"news": (proof("https://www.acme.de/news/?id=1#top"),)},
        )
    )
    (link,) = page.links
    assert link["href"] == link["title"] == "https://www.acme.de/news/?id=1#top"
    assert link["target"] == "_blank"
    assert set((link["rel"] or "").split()) == {"noopener", "noreferrer", "nofollow"}
    said = " ".join(page.line("news").split())
    assert (
        said == "news They raised money. acme.de/news We raised. 90 % sure, 2026-11-23"
    )


def test_each_piece_of_evidence_has_a_line() -> None:
    three = (proof(), proof("https://b.com", confidence=None), proof(None, quote="x"))
    page = card(Research(fields={"news": "x"}, evidence={"news": three}))
    assert len(page.links) == 2
    assert page.line("b.com").split() == ["b.com", "We", "raised.", "2026-11-23"]
    assert page.line("no source").split()[:3] == ["no", "source", "x"]


def test_a_fact_without_a_source_says_so_where_others_have_one() -> None:
    page = card(
        Research(
            fields={"news": "x", "size": "9", "tier_reason": "why", "age": None},
            tier="A",
            priority_score=9,
            evidence={"news": (proof(),)},
        )
    )
    assert page.line("size").split() == ["size", "9", "no", "source"]
    assert page.line("tier reason").split() == ["tier", "reason", "why"]
    assert page.line("priority score").split() == ["priority", "score", "9"]
    assert page.line("tier").split() == ["tier", "A"]
    assert "age" not in page.words


def test_a_function_of_a_cell_is_not_asked_for_sources() -> None:
    assert "no source" not in card(Research(fields={"news": "x", "size": 9})).words


def test_triggers_show_their_sources_too() -> None:
    found = Research(
        fields={"triggers": "new_funding, fast_growth"},
        evidence={"triggers": (proof(), proof("https://b.com/hiring"))},
    )
    assert [each["href"] for each in card(found).links] == [
        "https://acme.de/news",
        "https://b.com/hiring",
    ]


def test_two_briefs_are_told_apart() -> None:
    found = Research(
        tier="A",
        fields={
            "customer-identity.news": "x",
            "workforce-identity.news": "y",
            "customer-identity.tier": "A",
        },
        evidence={"workforce-identity.news": (proof(),)},
    )
    page = card(found)
    assert page.headings == [
        "Research",
        "customer-identity",
        "workforce-identity",
        "From the list",
    ]
    news = [line.split() for line in page.words.splitlines() if " x " in f" {line} "]
    assert news == [["news", "x", "no", "source"]]
    assert "customer-identity." not in page.words


def test_what_was_found_is_shown_beside_what_failed() -> None:
    """Of two briefs, one was answered."""
    outcome = ended(
        Research(fields={"a.news": "x"}, evidence={"a.news": (proof(),)}),
        status="failed",
        error_kind="permanent",
        raw="{half an answer",
    )
    page = card(outcome)
    assert len(page.links) == 1
    assert "{half an answer" in page.words


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://acme.de",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "vbscript:x",
        "//acme.de",
        "acme.de/news",
        "ftp://acme.de",
        "http:javascript:alert(1)",
        "https://",
        'https://acme.de/" onclick="alert(1)',
        "https://acme.de/' onclick='alert(1)",
        "https://acme.de/\njavascript:alert(1)",
        "\x01javascript:alert(1)",
        "https://acme.de/<script>",
    ],
)
def test_nothing_but_a_web_address_becomes_a_link(address: str) -> None:
    page = card(
        Research(fields={"news": "x"}, evidence={"news": (proof(address, quote="q"),)})
    )
    assert page.links == []
    assert "no source" in page.words
    assert page.handlers == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://acme.de@evil.example/x", "evil.example/x"),
        ("https://acme.de/\u202egpj.exe", "acme.de/gpj.exe"),
        ("http://[::1", "[::1"),
        ("https://acme.de", "acme.de"),
        ("https://acme.de/?q=1", "acme.de"),
        ("HTTPS://Acme.DE/A&amp;B", "Acme.DE/A&amp;B"),
        ("https://acme.de/" + "a" * 200, "acme.de/" + "a" * 51 + "…"),
    ],
)
def test_a_link_says_where_it_leads(address: str, shown: str) -> None:
    page = card(Research(fields={"news": "x"}, evidence={"news": (proof(address),)}))
    (link,) = page.links
    assert link["href"] == address
    assert shown in page.words.split()


def test_text_of_strangers_stays_text_wherever_it_stands() -> None:
    found = Research(
        fields={"news": NASTY, NASTY: "x", f"{NASTY}.more": "y"},
        evidence={"news": (proof(quote=NASTY),)},
    )
    failed = ended(None, status="failed", error_kind="permanent", raw=NASTY)
    tried = attempt(request_id=NASTY, message=NASTY)
    several = Research(fields={f"{NASTY}.news": "x"}, evidence={"a": (proof(),)})
    for outcome in (ended(found), failed, ended(several)):
        page = card(outcome, tried)
        assert page.tags <= ALLOWED
        assert page.handlers == []
        assert NASTY in page.words


def test_an_answer_that_could_not_be_used_can_be_unfolded() -> None:
    raw = '{"tier": "D"}'
    page = card(ended(None, status="failed", error_kind="permanent", raw=raw))
    assert "What the model answered" in page.words
    assert raw in page.words
    assert {"details", "summary"} <= page.tags
    assert "details" not in card(Research()).tags


def columns(*attempts: Attempt) -> Iterator[str]:
    table = account_facts(ROW, None, attempts).partition("<h4>Attempts")[2]
    for part in table.split("<th ")[1:]:
        yield part.partition(">")[2].partition("<")[0]


def test_attempts_show_what_they_took_and_the_request() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, searches=2, cost_usd=0.012)
    tried = attempt(usage=usage, request_id="req_1")
    assert list(columns(tried)) == [
        *("#", "began (s)", "took (s)", "outcome"),
        *("tokens (in + out)", "searches", "cost", "request"),
    ]
    words = card(Research(), tried).words
    for said in ("1,000 + 100", " 2 ", "$0.012", "req_1"):
        assert said in words


@pytest.mark.parametrize("usage", [None, Usage(), Usage(cost_usd=0.0)])
def test_columns_with_nothing_in_them_are_not_drawn(usage: Usage | None) -> None:
    assert list(columns(attempt(usage=usage))) == [
        *("#", "began (s)", "took (s)", "outcome")
    ]


def test_one_attempt_that_knows_is_enough_for_a_column() -> None:
    refused = attempt(http_status=429, outcome="rate_limited", message="Too many")
    answered = attempt(number=2, usage=Usage(input_tokens=5))
    shown = list(columns(refused, answered))
    assert shown[4:] == ["HTTP", "tokens (in + out)", "what was said"]


def test_the_table_shows_the_first_answer_where_there_is_no_summary() -> None:
    frame = pd.DataFrame({"company_name": ["Acme"], "domain": ["acme.de"]})
    fields = {"a.tier": "A", "a.size": None, "a.news": "They <b>moved</b>."}
    found = Research(fields=fields)
    table = accounts_table(frame, 0, [ended(found)], frozenset())
    assert "They &lt;b&gt;moved&lt;/b&gt;.</td></tr>" in table
