"""The notebook in a real JupyterLab in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, Notebook, open_notebook, wait_until_ready
from tests.browser.panel import Panel

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("browser"),  # one JupyterLab and one browser for all
]


def assert_clean(notebook: Notebook, panel: Panel) -> None:
    assert panel.problems_of_layout() == []
    assert notebook.complaints == []
    assert notebook.strangers == []


def test_run_all_finishes_and_a_run_goes_to_its_end(browser: Browser, lab: Lab) -> None:
    with open_notebook(browser, lab, "01-workbench.ipynb", height=3300) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        assert "32 ready" in panel.says
        assert panel.button("Run").is_enabled()
        assert panel.button("Pause").is_disabled()
        assert panel.button("Cancel").is_disabled()
        notebook.screenshot("1-run-all")
        assert_clean(notebook, panel)

        panel.button("Run").click()
        panel.until(lambda: panel.completed > 3, seconds=15, what="accounts done")
        notebook.screenshot("2-running")
        panel.until(lambda: "Finished" in panel.says, seconds=60, what="the end")
        assert panel.completed == 32
        panel.until(lambda: "SYNTHETIC" in panel.says, seconds=5, what="the answers")
        panel.until(lambda: panel.chart_points > 5, seconds=5, what="the whole chart")
        assert panel.button("Run").is_enabled()
        notebook.screenshot("3-finished")
        assert_clean(notebook, panel)

        for width in (1920, 1280, 1000):
            notebook.page.set_viewport_size({"width": width, "height": 3300})
            notebook.page.wait_for_timeout(700)
            notebook.screenshot(f"3-finished-{width}")
            assert_clean(notebook, panel)


def test_a_run_is_steered_and_survives_a_reload(
    browser: Browser, lab: Lab, long_notebook: str
) -> None:
    with open_notebook(browser, lab, long_notebook, height=3300) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        panel.slide_to(2)
        panel.button("Run").click()
        panel.until(lambda: panel.in_flight == 2, seconds=15, what="two in flight")

        panel.slide_to(8)
        took = panel.until(lambda: panel.in_flight == 8, seconds=5, what="eight")
        assert took < 2  # 0.5 s to the new starts, the rest is drawing
        points = panel.chart_points
        panel.until(
            lambda: panel.chart_points > points, seconds=5, what="the chart to move"
        )
        notebook.screenshot("4-slider-at-8")
        assert_clean(notebook, panel)

        panel.field("Auto").check()
        panel.until(lambda: panel.in_flight > 10, seconds=10, what="more by itself")
        panel.until(
            lambda: re.search(r"\d+ at work, at most 50", panel.says) is not None,
            seconds=5,
            what="what auto has come to",
        )
        notebook.screenshot("4-auto")
        assert_clean(notebook, panel)
        assert panel.nameless() == []

        panel.field("Auto").uncheck()
        panel.slide_to(3)
        panel.until(lambda: panel.in_flight == 3, seconds=10, what="three in flight")

        panel.button("Pause").click()
        panel.until(lambda: panel.in_flight == 0, seconds=10, what="none in flight")
        held = panel.completed
        notebook.page.wait_for_timeout(1500)
        assert panel.completed == held
        assert "Paused" in panel.says
        notebook.screenshot("5-paused")
        assert_clean(notebook, panel)

        panel.button("Resume").click()
        panel.until(lambda: panel.completed > held, seconds=10, what="going on")

        notebook.save()
        points = panel.chart_points
        notebook.page.reload()
        wait_until_ready(notebook.page)
        notebook.page.wait_for_selector(".sdr-kit-panel", timeout=30_000)
        panel.until(
            lambda: panel.chart_points >= points,
            seconds=20,
            what="the whole chart after the reload",
        )
        back = panel.completed
        panel.until(lambda: panel.completed > back, seconds=10, what="a moving panel")
        notebook.screenshot("6-reloaded")
        assert_clean(notebook, panel)

        panel.button("Cancel").click()
        panel.until(lambda: "Cancelled" in panel.says, seconds=10, what="the end")
        assert panel.button("Run").is_enabled()
        notebook.screenshot("7-cancelled")
        assert_clean(notebook, panel)


def test_a_busy_cell_does_not_stall_the_run(
    browser: Browser, lab: Lab, long_notebook: str
) -> None:
    with open_notebook(browser, lab, long_notebook, height=3300) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        panel.slide_to(8)
        panel.button("Run").click()
        panel.until(lambda: panel.completed > 0, seconds=15, what="accounts done")
        page = notebook.page
        page.locator(".jp-CodeCell").last.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        output = page.locator(".jp-OutputArea-output:has-text('meanwhile')")
        output.wait_for(timeout=20_000)
        meanwhile = int(output.inner_text().split()[1])
        assert meanwhile >= 12  # 8 at once, 0.6 s each, for 2 s: about 26
        assert_clean(notebook, panel)
