"""The report: one file, all of it there, nothing in it runs, nothing leaves it."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import sdr_kit
from sdr_kit.account import Account, Edit, Evidence, Research, Usage
from sdr_kit.batch import Run
from sdr_kit.report import ACCOUNTS_SHOWN, KEPT, LEFT_OUT, report
from tests.accounts import made_up
from tests.test_deliver import Inventor

NOW = datetime.datetime(2026, 11, 23, 14, 5, tzinfo=datetime.UTC)
VOID = {"meta"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, links, scripts, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "a":
            self.links.append(told["href"] or "")
        if tag == "script":
            self.scripts.append((told.get("type") or "", ""))
        if tag not in VOID:
            self._open.append((tag, told.get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1][0] if self._open else ""
        if tag == "script":
            kind, code = self.scripts[-1]
            self.scripts[-1] = kind, code + data
        elif tag != "style":
            self.text += data

    @property
    def figures(self) -> list[dict[str, Any]]:
        return [json.loads(code) for kind, code in self.scripts if "json" in kind]


class Answers:
    """Answers with what it is given, and fails at every fifth account."""

    def __init__(self, name: str, value: object, source: str, message: str) -> None:
        self.name, self.value, self.source = name, value, source
        self.message = message

    async def __call__(self, account: Account) -> Research:
        usage = Usage(input_tokens=9_000, output_tokens=700, searches=3, cost_usd=0.05)
        if account.position % 5 == 4:
            raise sdr_kit.Permanent(self.message).about(usage=usage)
        piece = Evidence(source=self.source, quote="q", at="2026-11-23T10:00:00Z")
        return Research(
            fields={"news": self.value, "size": 7},
            tier="ABC"[account.position % 3],
            priority_score=account.position % 10 + 1,
            evidence={"news": (piece, piece)},
            usage=usage,
        )


async def run_of(researcher: Any, number: int = 10) -> Run:
    return await sdr_kit.process(made_up(number), researcher, store="memory")


def page_of(run: Run, *, invented: bool = False) -> str:
    return report(run.findings(invented=invented), run.story, now=NOW).decode("utf-8")


async def test_it_says_who_was_asked_and_what_it_came_to() -> None:
    answers = Answers("Provider gpt-x", "good", "https://a.example/x", "HTTP 404")
    run = await run_of(answers)
    page = Page(page_of(run))
    for words in (
        "Account research: DataFrame",
        f"job {run.job_id} · asked: Provider gpt-x · written 2026-11-23 14:05 UTC",
        *("accounts10", "completed8", "failed2", "cost$0.50", "tokens read90,000"),
        "2 accounts failed",
        "What was asked for does not exist",
        "Company 4, Company 9",
        "10 accounts, highest priority first",
    ):
        assert words in page.text, words
    titles = [figure["layout"]["title"]["text"] for figure in page.figures]
    assert [title.split()[0] for title in titles] == ["Tiers", "What", "The", "How"]
    assert page.links == ["https://a.example/x"] * 8
    assert "target" in dict(page.attributes)


async def test_the_briefs_that_were_asked_are_named() -> None:
    run = await run_of(sdr_kit.Sandbox("customer-identity", time_scale=0.05), 2)
    assert "asked: Sandbox · brief: customer-identity" in Page(page_of(run)).text


async def test_accounts_stand_by_priority_and_what_failed_comes_last() -> None:
    run = await run_of(Answers("P", "good", "https://a.example/", "no"))
    run._store.edit(run.accounts.keys[6], Edit(priority_score=10, notes="call them"))
    page = page_of(run)
    rows = re.findall(r'<th scope="row">(Company \d)', page)
    assert rows[:2] == ["Company 6", "Company 8"]
    assert rows[-2:] == ["Company 4", "Company 9"]
    assert "<dt>notes</dt><dd>call them</dd>" in page
    assert page.count("<dt>went wrong</dt><dd>no</dd>") == 2


async def test_it_needs_no_network_and_allows_no_script_but_its_own() -> None:
    page = Page(page_of(await run_of(Answers("P", "x", "https://a.example/", "no"))))
    policies = [v or "" for k, v in page.attributes if k == "content"]
    policy = next(each for each in policies if "default-src" in each)
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["default-src"] == "'none'"
    assert "'unsafe" not in allowed["script-src"]
    assert set(allowed) == {
        *("default-src", "script-src", "style-src", "img-src"),
        *("base-uri", "form-action"),
    }
    assert "http" not in policy
    code = [code for kind, code in page.scripts if "json" not in kind]
    assert len(code) == 2
    for each in code:
        digest = base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed["script-src"]
    loading = {"src", "srcset", "poster", "data", "action", "background"}
    assert loading.isdisjoint(name for name, _ in page.attributes)
    assert {"link", "img", "iframe", "object", "form"}.isdisjoint(page.tags)
    assert "@import" not in page_of(await run_of(Inventor(), 1)).split("</style>")[0]


async def test_what_a_sandbox_invented_is_left_out_or_marked_in_words() -> None:
    run = await run_of(Inventor(), 3)
    left, kept = page_of(run), page_of(run, invented=True)
    assert LEFT_OUT in Page(left).text
    assert "an invention" not in left
    assert "invented.example" not in left
    assert "no such company" in left
    assert KEPT in Page(kept).text
    assert "an invention" in kept
    assert len(Page(kept).figures) == len(Page(left).figures) + 2
    real = await run_of(Answers("P", "x", "https://a.example/", "no"), 1)
    assert "invent" not in Page(page_of(real)).text


async def test_why_a_run_was_stopped_and_what_was_noticed_is_said() -> None:
    class Locked:
        name, notices = "P", ("P: it ignores the <schema>",)

        async def __call__(self, account: Account) -> Research:
            raise sdr_kit.StopRun(f"The key of <{account.company_name}> is wrong")

    page = Page(page_of(await run_of(Locked(), 1)))
    assert "Stopped early: The key of <Company 0> is wrong" in page.text
    assert "P: it ignores the <schema>" in page.text


async def test_a_long_list_is_cut_and_says_so() -> None:
    number = ACCOUNTS_SHOWN + 7

    async def research(account: Account) -> dict[str, object]:
        return {"priority_score": 1 + (account.position >= 7), "news": "x" * 1_000}

    page = page_of(await run_of(research, number))
    rows = re.findall(r'<th scope="row">Company (\d+)', page)
    assert rows == [str(place) for place in range(7, number)]
    assert f"The first {ACCOUNTS_SHOWN:,} of {number:,} are shown" in page
    assert "x" * 399 + "…" in page
    assert "x" * 400 not in page


async def test_a_run_of_nothing_is_a_report_too() -> None:
    accounts = sdr_kit.load_accounts(
        pd.DataFrame({"company_name": pd.Series([], dtype=str)})
    )
    run = await sdr_kit.process(accounts, Inventor(), store="memory")
    page = Page(page_of(run))
    assert "0 accounts, highest priority first" in page.text


PARTS = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script>", "<!--"),
    *(
        '" onmouseover="alert(1)',
        "' x='",
        "</style>",
        "]]>",
        "&lt;b&gt;",
        "&#x3c;b",
        "$",
    ),
    *("${title}", "$draw", "%{x}", "javascript:alert(1)", "\\u003cscript", "\x00\x0b"),
    *("\u202etxt.exe", "\ud83d", "\u2028", "<svg/onload=alert(1)>", "`", "</title>"),
    *("</dl></td></tr></table>", "<base href=//evil.example>", "<a href=x>", "日本"),
]


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_strangers_write_the_page_is_the_same(seed: int) -> None:
    """Its elements are those of a page with plain words, and its words are there."""
    chance = random.Random(seed)

    def words() -> str:
        return "w " + " ".join(chance.choices(PARTS, k=chance.randint(1, 4))) + " z"

    async def page(*said: str) -> Page:
        name, domain, value, message, column, researcher, notes, source = said
        frame = pd.DataFrame(
            {
                "company_name": [f"{name} {place}" for place in range(5)],
                "domain": [f"company-{place}.com" for place in range(5)],
                "owner": [domain] * 5,
            }
        )
        accounts = sdr_kit.load_accounts(frame)
        accounts.source = name
        answers = Answers(researcher, {column: [value]}, source, message)
        run = await sdr_kit.process(accounts, answers, store="memory")
        run._store.edit(accounts.keys[0], Edit(notes=notes))
        return Page(page_of(run))

    said = [words() for _ in range(7)]
    hostile = await page(*said, f"https://a.example/{chance.choice(PARTS)}")
    plain = await page(*["plain"] * 7, "https://a.example/x")
    links = len(plain.links) - len(hostile.links)
    assert links in (0, len(plain.links))  # what is no address is no link
    expected = Counter(plain.tags)
    expected.subtract({"a": links})
    assert +Counter(hostile.tags) == +expected
    assert not any(name.startswith("on") for name, _ in hostile.attributes)
    assert all(link.startswith("https://a.example/") for link in hostile.links)
    assert [code for kind, code in hostile.scripts if "json" not in kind] == [
        code for kind, code in plain.scripts if "json" not in kind
    ]
    assert hostile.figures
    for each in (said[2], said[5], said[6]):
        kept = re.sub("[\x00\x0b]", "", each).encode("utf-8", "replace").decode()
        assert kept in hostile.text
