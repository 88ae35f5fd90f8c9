"""A run that costs money, in a real browser: asked first, held to a budget."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import SCREENSHOTS, Lab, open_notebook
from tests.browser.panel import Panel
from tests.browser.test_tabs import Tour

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("browser"),  # one JupyterLab and one browser for all
]


def test_a_run_that_costs_money(
    browser: Browser, lab: Lab, provider_notebook: str
) -> None:
    lab.choose_theme("JupyterLab Light")
    with open_notebook(browser, lab, provider_notebook, height=1700) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        tour = Tour(notebook, panel, "paid-light")
        tour.look("0-sandbox")
        assert panel.field("Brief").is_visible()
        panel.field("Researcher").select_option("Provider")
        panel.until(
            lambda: not panel.page.get_by_label("Brief", exact=True).is_visible(),
            seconds=5,
            what="no brief",
        )
        panel.field("Budget in $").fill("0.2")
        panel.field("Budget in $").press("Enter")
        sample_first(panel)
        tour.look("1-sample")
        panel.button("Resume").click()
        panel.until(
            lambda: "Raise the budget" in panel.says, seconds=30, what="the end"
        )
        panel.until(  # the page draws one part after another
            lambda: re.search(r"\$0\.(19|20) of \$0\.20 spent", panel.says) is not None,
            seconds=5,
            what="what was spent",
        )
        tour.look("2-budget")
        panel.field("Budget in $").fill("")
        panel.field("Budget in $").press("Enter")
        panel.button("Continue").click()
        panel.until(lambda: "Finished" in panel.says, seconds=40, what="the end")
        tour.look("3-finished")
        ask_before(panel)
        tour.look("4-question")
        panel.button("Not now").click()
        panel.until(
            lambda: panel.button("Reuse").count() == 0, seconds=5, what="no question"
        )
        panel.turn_to("Accounts")
        panel.until(lambda: panel.rows.count() == 10, seconds=10, what="a page of ten")
        panel.rows.nth(1).click()
        details = notebook.page.locator(".sdr-kit-details")
        panel.until(
            lambda: "Auth0" in details.inner_text(), seconds=5, what="what was found"
        )
        tour.look("5-account")
        details.scroll_into_view_if_needed()
        details.screenshot(path=SCREENSHOTS / f"{tour.theme}-6-card.png")


@pytest.mark.parametrize(
    "theme",
    ["JupyterLab Light", pytest.param("JupyterLab Dark", marks=pytest.mark.soak)],
)
def test_the_plan_after_a_sample_fits_every_page(
    browser: Browser, lab: Lab, provider_notebook: str, theme: str
) -> None:
    lab.choose_theme(theme)
    with open_notebook(browser, lab, provider_notebook, height=1700) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        panel.field("Researcher").select_option("Provider")
        panel.field("Deadline").fill("1 h")
        panel.field("Deadline").press("Enter")
        sample_first(panel)
        tour = Tour(notebook, panel, f"plan-{theme.split()[-1].lower()}")
        tour.widths = (1920, 1280, 1000)
        tour.look("0-question")
        table = notebook.page.get_by_role("table", name="Plan")
        assert "auto" in table.inner_text()
        assert "deadline met" in table.inner_text()
        chosen = table.locator("tr[aria-current=true] td").first
        assert chosen.inner_text() == "5"
        assert table.evaluate("it => it.scrollWidth <= it.parentElement.clientWidth")
        panel.field("Auto").check()
        panel.until(
            lambda: chosen.inner_text().startswith("auto"), seconds=5, what="auto"
        )
        panel.button("Cancel").click()
        panel.until(lambda: "Cancelled" in panel.says, seconds=10, what="the end")


def sample_first(panel: Panel) -> None:
    panel.button("Run").click()
    panel.until(
        lambda: "A sample of 10 accounts is done" in panel.says,
        seconds=30,
        what="the question after the sample",
    )
    assert re.search(r"\d+ accounts at \d+: .*\$0\.\d\d to \$0\.\d\d, ", panel.says)
    assert "it ignores the JSON schema" in panel.says


def ask_before(panel: Panel) -> None:
    panel.button("Run").click()
    panel.until(panel.button("Reuse").is_visible, seconds=10, what="the question")
    assert "were researched within the last 60 days" in panel.says
    assert "researched earlier took" in panel.says
