"""A report in a real browser: drawn without a network, and nothing in it runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

import sdr_kit
from sdr_kit.account import Account, Evidence, Research

pytestmark = pytest.mark.browser

HOSTILE = (
    "</script><script>window.ran=1</script><img src=x onerror='window.ran=1'>"
    "<style>*{display:none}</style><base href=//evil.example>=HYPERLINK(1)"
)


async def hostile(account: Account) -> Research:
    if account.position == 0:
        raise sdr_kit.Permanent(HOSTILE)
    piece = Evidence(source="https://a.example/?a=1&b=2", at="2026-11-23T10:00:00Z")
    return Research(
        fields={"news": HOSTILE, "news " + HOSTILE: "x"},
        tier="A",
        priority_score=account.position,
        evidence={"news": (piece,)},
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"company_name": [f"{HOSTILE} {n}" for n in range(5)]})
    accounts = sdr_kit.load_accounts(frame)
    job = sdr_kit.start(accounts, hostile, store="memory")
    return job.wait(20).export(tmp_path / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_and_nothing_is_asked_for(
    browser: Browser, written: Path, scheme: str
) -> None:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(written.as_uri())
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert page.locator(".js-plotly-plot").count() == 4
    assert page.evaluate("window.ran") is None
    assert problems == []
    assert asked == [written.as_uri()]
    assert page.locator("tbody th").first.inner_text().startswith(HOSTILE[:20])
    assert page.locator("img, base").count() == 0
    assert fits(page, 1280)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_timeout(500)
    assert fits(page, 390)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert refused(page)
    context.close()


def fits(page: Page, width: int) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def refused(page: Page) -> bool:
    """Whether the page may neither ask for anything nor run what was added to it."""
    said = page.evaluate(
        """async () => {
            const added = document.createElement("script");
            added.textContent = "window.ran = 1";
            document.body.append(added);
            try { await fetch("data:,x"); return "fetched"; } catch { }
            return window.ran ? "ran" : "";
        }"""
    )
    return bool(said == "")


def test_it_is_printed_on_paper_as_wide_as_paper_is(
    browser: Browser, written: Path
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(written.as_uri())
    width = "document.querySelector('.main-svg').clientWidth"
    page.locator(".main-svg").first.wait_for()
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.seen = {width} }})")
    before = page.evaluate(width)
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.seen") == 680
    page.wait_for_function(f"{width} === {before}")
    context.close()
