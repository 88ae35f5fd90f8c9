"""Each tab of the panel, as an analyst works with it, in a real browser."""

from __future__ import annotations

import functools
import io
import re

import pandas as pd
import pytest
from playwright.sync_api import Browser, Download, Page

from tests.browser.lab import Lab, Notebook, open_notebook
from tests.browser.panel import Panel

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("browser"),  # one JupyterLab and one browser for all
]

# As a German Excel saves it. Row 4 repeats row 3, row 5 stands on the domain of row 3
# under another name, and row 6 has no name.
LONG = " für alles, was man in einem sehr langen Namen unterbringen kann" * 3
COMPANIES = "".join(
    f"Firma {i}{LONG if i == 7 else ''};firma-{i}.de;Handel;Ann\r\n" for i in range(30)
)
LIST = (
    "Unternehmen;Webseite;Branche;Inhaber\r\n"
    "=1+1 <img src=x onerror=alert(1)>;eins.de;Handel;Bob\r\n"
    "Müller AG;https://www.mueller.de/start;Handel;Bob\r\n"
    "MÜLLER;mueller.de;;\r\n"
    "Ganz Anders KG;mueller.de;Handel;\r\n"
    ";ohne-namen.de;;\r\n"
) + COMPANIES


def assert_clean(notebook: Notebook, panel: Panel) -> None:
    assert panel.problems_of_layout() == []
    assert panel.nameless() == []
    assert notebook.page.locator("[data-title*='Share']").count() == 0
    assert notebook.complaints == []
    assert notebook.strangers == []


class Tour:
    """Looks at the panel and keeps pictures of it; in a light theme at two widths."""

    def __init__(self, notebook: Notebook, panel: Panel, theme: str) -> None:
        self.notebook = notebook
        self.panel = panel
        self.theme = theme
        self.widths: tuple[int, ...] = (1280,) if "dark" in theme else (1920, 1280)

    def look(self, name: str) -> None:
        for width in self.widths:
            self.notebook.page.set_viewport_size({"width": width, "height": 1700})
            self.notebook.page.wait_for_timeout(400)
            self.notebook.screenshot(f"{self.theme}-{width}-{name}")
            assert_clean(self.notebook, self.panel)


@pytest.mark.parametrize(
    "theme",
    ["JupyterLab Light", pytest.param("JupyterLab Dark", marks=pytest.mark.soak)],
)
def test_a_day_at_the_workbench(
    browser: Browser, lab: Lab, function_notebook: str, theme: str
) -> None:
    lab.choose_theme(theme)
    with open_notebook(browser, lab, function_notebook, height=1700) as notebook:
        notebook.run_all()
        panel = Panel(notebook.page)
        tour = Tour(notebook, panel, theme.split()[-1].lower())
        page = notebook.page
        for tab in ("Run", "Accounts", "Failures", "Compare", "Charts", "List"):
            panel.turn_to(tab)
            tour.look(f"0-empty-{tab.lower()}")
        take_the_list(panel)
        tour.look("1-list")
        settle_duplicates(panel)
        tour.look("2-duplicates")
        run(panel)
        tour.look("3-run")
        work_down_the_accounts(panel, tour)
        export(panel, page)
        retry_failures(panel, tour)
        draw_charts(panel, tour)
        compare(panel)
        tour.look("8-compare")


def take_the_list(panel: Panel) -> None:
    panel.field("or its path").fill("nowhere.csv")
    panel.button("Load").click()
    panel.until(lambda: "no such file" in panel.says, seconds=10, what="the error")
    with panel.page.expect_file_chooser() as chooser:
        panel.button("Upload a file").click()
    chooser.value.set_files(
        {"name": "liste.csv", "mimeType": "text/csv", "buffer": LIST.encode("cp1252")}
    )
    panel.until(lambda: "33 ready" in panel.says, seconds=15, what="the list")
    told = ["1 duplicate", "1 rejected", "1 shared domain (2 accounts)", "semicolons"]
    panel.until(
        lambda: all(words in panel.says for words in told), seconds=5, what=str(told)
    )
    panel.until(lambda: "no such file" not in panel.says, seconds=5, what="no error")


def settle_duplicates(panel: Panel) -> None:
    """Keeps the duplicate and drops another row."""
    panel.button("Duplicates").click()
    panel.until(lambda: panel.rows.count() == 1, seconds=5, what="the duplicate")
    panel.rows.first.click()
    panel.until(panel.button("Keep selected").is_enabled, seconds=5, what="the button")
    panel.button("Keep selected").click()
    panel.until(lambda: "34 ready" in panel.says, seconds=5, what="one more")
    panel.page.wait_for_timeout(500)
    panel.rows.nth(1).click()
    panel.until(panel.button("Drop selected").is_enabled, seconds=5, what="the button")
    panel.button("Drop selected").click()
    panel.until(lambda: "33 ready" in panel.says, seconds=5, what="one less")


def run(panel: Panel) -> None:
    panel.field("Researcher").select_option("My function")
    panel.slide_to(8)
    panel.button("Run").click()
    panel.until(lambda: "Finished" in panel.says, seconds=40, what="the end")
    assert panel.number_before("completed") == 27
    assert panel.number_before("failed") == 6
    panel.until(lambda: panel.chart_points > 1, seconds=10, what="the chart")


def work_down_the_accounts(panel: Panel, tour: Tour) -> None:
    page = panel.page
    panel.turn_to("Accounts")
    panel.until(lambda: panel.rows.count() == 10, seconds=10, what="a page of ten")
    page.set_viewport_size({"width": 1280, "height": 1700})
    for name in ("Domain", "Tier", "Priority", "Status"):
        shown = functools.partial(panel.shows_column, name)
        panel.until(shown, seconds=5, what=f"{name} in sight")
    priorities = [int(text) for text in panel.column(4)]
    assert priorities == sorted(priorities, reverse=True)
    assert priorities[0] == 10
    search = page.locator(".sdr-kit-grid input[type=search]:visible")
    search.fill("firma-1.")
    panel.until(lambda: panel.rows.count() < 10, seconds=5, what="what was searched")
    assert all("firma-1." in domain for domain in panel.column(2))
    search.fill("")

    page.get_by_label("Filter Tier").first.click()
    page.locator(".dtcc-dropdown .dtcc-list-buttons button", has_text="B").click()
    panel.until(
        lambda: set(panel.column(3)) == {"B"}, seconds=5, what="tier B and no other"
    )
    tour.look("4-filtered")
    page.keyboard.press("Escape")
    page.get_by_label("Filter Tier").first.click()
    page.locator(".dtcc-dropdown button", has_text="Deselect").click()
    page.keyboard.press("Escape")
    panel.until(lambda: panel.rows.count() == 10, seconds=5, what="all tiers again")

    panel.rows.nth(2).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    name = panel.column(1)[1]
    details = page.locator(".sdr-kit-details")
    panel.until(details.is_visible, seconds=5, what="the details")
    panel.until(lambda: name in details.inner_text(), seconds=5, what="their name")
    panel.until(
        lambda: "auth.provider" in details.inner_text(), seconds=5, what="the facts"
    )
    panel.field("Tier").select_option("C")
    panel.field("Owner").fill("Zoe")
    panel.field("Notes").fill("call <b>again</b>")
    panel.button("Save").click()
    panel.until(
        lambda: "Zoe" in panel.rows.nth(1).inner_text() or name not in panel.column(1),
        seconds=10,
        what="the edit in the table",
    )
    panel.until(lambda: "Kept." in panel.says, seconds=5, what="that it is kept")
    tour.look("5-account")


def saved_as(panel: Panel, page: Page, kind: str) -> Download:
    panel.field("Export as").select_option(kind)
    with page.expect_download() as download:
        panel.button("Download").click()
    return download.value


def export(panel: Panel, page: Page) -> None:
    download = saved_as(panel, page, "CSV")
    assert re.fullmatch(
        r"liste_job-\d+_\d{4}-\d\d-\d\d\.csv", download.suggested_filename
    )
    frame = pd.read_csv(download.path())
    assert len(frame) == 33
    assert frame["owner"].eq("Zoe").sum() == 1
    book = saved_as(panel, page, "Excel").path().read_bytes()
    sheet = pd.read_excel(io.BytesIO(book), engine="calamine")
    assert list(sheet["company_name"]) == list(frame["company_name"])
    assert not sheet["company_name"].str.match(r"[=+@-]").any()
    merged = pd.read_csv(saved_as(panel, page, "Back into my file").path())
    assert len(merged) == 35  # the duplicate and the rejected row as well
    assert report_is_whole(saved_as(panel, page, "Report (HTML)"), page)


def report_is_whole(download: Download, page: Page) -> bool:
    """Opens the report, without a network, in a page of its own."""
    assert page.context.browser is not None
    context = page.context.browser.new_context(offline=True)
    opened = context.new_page()
    opened.set_content(download.path().read_text("utf-8"))
    opened.locator(".js-plotly-plot .main-svg").first.wait_for()
    rows = opened.locator("tbody tr").count()
    context.close()
    return rows == 33


def retry_failures(panel: Panel, tour: Tour) -> None:
    panel.turn_to("Failures")
    panel.until(lambda: "6 accounts failed" in panel.says, seconds=5, what="six failed")
    tour.look("6-failures")
    panel.button("Retry these 6").click()
    panel.until(
        lambda: panel.number_before("completed") == 33, seconds=20, what="all completed"
    )
    panel.turn_to("Failures")
    panel.until(
        lambda: "No account has failed" in panel.says, seconds=5, what="no failure"
    )


def draw_charts(panel: Panel, tour: Tour) -> None:
    panel.turn_to("Charts")
    for chart in ("Tiers and priorities", "Latencies", "Timeline"):
        panel.button(chart).click()
        panel.until(lambda: panel.charts == 1, seconds=10, what="the chart")
        panel.until(panel.chart_fits, seconds=5, what="a chart as wide as its place")
        tour.look(f"7-{chart.split()[0].lower()}")


def compare(panel: Panel) -> None:
    panel.turn_to("Compare")
    panel.field("Accounts").fill("6")
    panel.field("At once").fill("1, 3")
    panel.field("At once").press("Tab")
    panel.button("Compare").click()
    panel.until(lambda: panel.charts == 1, seconds=30, what="the comparison")
    panel.until(panel.button("Compare").is_enabled, seconds=20, what="its end")
