"""A kernel that is killed in the middle of a run, in a real browser."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter

import psutil
import pytest
from playwright.sync_api import Browser

from sdr_kit.store import Store
from tests.browser.conftest import written
from tests.browser.lab import Lab, Notebook, open_notebook
from tests.browser.panel import Panel
from tests.browser.test_tabs import Tour

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("browser"),  # one JupyterLab and one browser for all
]

MANY = 150
AT_ONCE = 5
RESEARCH = f"""
import asyncio
import pandas as pd
import sdr_kit

async def research(account):
    with open("calls.txt", "a") as calls:
        calls.write(f"{{account.position}}\\n")
    await asyncio.sleep(0.3)
    return {{"summary": "Sells things", "tier": "B", "cost_usd": 0.01}}

names = [f"Firm <img src=x onerror=alert(1)> {{i}}" for i in range({MANY})]
accounts = sdr_kit.load_accounts(pd.DataFrame({{"company_name": names}}))
"""
SHOW = 'sdr_kit.Workbench(accounts, researchers={"Mine": research})'


def test_a_killed_kernel_loses_nothing(browser: Browser, lab: Lab) -> None:
    lab.choose_theme("JupyterLab Dark")
    calls = lab.folder / "notebooks" / "calls.txt"
    calls.unlink(missing_ok=True)
    name = written(lab, "restart", RESEARCH, SHOW)
    with open_notebook(browser, lab, name, height=1700) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        tour = Tour(notebook, panel, "restart-dark")
        panel.field("Researcher").select_option("Mine")
        panel.button("Run").click()
        panel.until(lambda: panel.completed > 20, seconds=30, what="some results")
        edit_the_first(panel)
        kill_the_kernel(lab)
        notebook.page.wait_for_timeout(1_000)
        stored = set(Store(f"sqlite:///{lab.folder / 'sdr_kit.db'}").statuses(1))
        asked_before = len(calls.read_text().split())
        assert 20 < len(stored) < MANY
        run_again(notebook)
        panel.until(
            lambda: f"Continue job 1 ({len(stored)} of {MANY})?" in panel.says,
            seconds=20,
            what="the question",
        )
        notebook.complaints.clear()  # a lost kernel is one
        tour.look("0-question")
        panel.button("Show").click()
        panel.until(lambda: "Interrupted" in panel.says, seconds=10, what="the job")
        assert panel.completed == len(stored)
        panel.until(lambda: panel.chart_points > 1, seconds=10, what="its chart")
        assert (
            panel.field("Researcher").locator("option:checked").inner_text() == "Mine"
        )
        tour.look("1-interrupted")
        before = panel.chart_seconds[-1]
        panel.button("Continue").click()
        panel.until(lambda: "Finished" in panel.says, seconds=60, what="the end")
        asked = Counter(map(int, calls.read_text().split()))
        assert set(asked) == set(range(MANY))
        assert sum(asked.values()) - MANY <= asked_before - len(stored)
        assert all(asked[place] == 1 for place in stored)
        panel.until(
            lambda: panel.chart_seconds[-1] > before, seconds=10, what="the rest"
        )
        assert panel.chart_seconds[0] < 2  # it is the chart of the whole run
        tour.look("2-finished")
        panel.turn_to("Accounts")
        panel.until(lambda: "Zoe" in panel.says, seconds=10, what="the edit")
        tour.look("3-accounts")
        choose_what_is_old(panel)
        tour.look("4-again")
        delete(panel, tour)


def edit_the_first(panel: Panel) -> None:
    panel.turn_to("Accounts")
    panel.until(lambda: panel.rows.count() == 10, seconds=10, what="a page of ten")
    panel.rows.first.click()
    details = panel.page.locator(".sdr-kit-details")
    panel.until(details.is_visible, seconds=5, what="the details")
    panel.field("Owner").fill("Zoe")
    panel.field("Tier").select_option("A")
    panel.button("Save").click()
    panel.until(lambda: "Kept." in panel.says, seconds=5, what="that it is kept")


def kill_the_kernel(lab: Lab) -> None:
    """As a crash, or a system without memory, does it."""
    (kernel,) = (
        each
        for each in psutil.Process().children(recursive=True)
        if "ipykernel_launcher" in " ".join(each.cmdline())
    )
    assert len(lab.api("kernels")) == 1
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait(10)


def run_again(notebook: Notebook) -> None:
    """Restarts as the page offers it, and runs all cells."""
    page = notebook.page
    page.wait_for_timeout(4_000)  # the server starts a new kernel by itself
    dismiss = page.get_by_role("button", name=re.compile("Dismiss|Ok|OK"))
    if dismiss.count():
        dismiss.first.click()
    notebook.wait_until_ready()
    notebook.run_all()


def choose_what_is_old(panel: Panel) -> None:
    panel.button("Select older than").click()
    panel.until(
        lambda: "Nothing is older than 60 days." in panel.says, seconds=5, what="none"
    )
    assert panel.field("Days").input_value() == "60"
    panel.rows.nth(0).click()
    panel.rows.nth(2).click(modifiers=["Control"])
    panel.until(
        lambda: panel.button("Research again (2)").count() == 1, seconds=5, what="two"
    )
    panel.button("Research again (2)").click()
    panel.until(
        lambda: "Ask “research” again about 2 accounts?" in panel.says,
        seconds=5,
        what="the question",
    )


def delete(panel: Panel, tour: Tour) -> None:
    panel.turn_to("Jobs")
    panel.until(lambda: panel.rows.count() == 1, seconds=10, what="the job")
    tour.look("5-jobs")
    assert panel.shows_column("Cost")
    panel.rows.first.click()
    panel.until(panel.button("Delete").is_enabled, seconds=5, what="the button")
    panel.button("Delete").click()
    panel.until(
        lambda: f"Delete job 1 with {MANY} results?" in panel.says,
        seconds=5,
        what="the question",
    )
    tour.look("6-delete")
    panel.page.locator(".sdr-kit-question button:visible", has_text="Delete").click()
    panel.until(lambda: "No jobs yet" in panel.says, seconds=10, what="no job")
