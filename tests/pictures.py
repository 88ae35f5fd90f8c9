"""The pictures of the guide: `uv run python -m tests.pictures`.

Each is taken of a real JupyterLab in a real browser, on the sample list and with the
sandbox, which invents what it says. They stand in `docs/pictures/`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Locator, sync_playwright

from tests.browser.conftest import written
from tests.browser.lab import (
    CHROMIUM,
    CHROMIUM_FLAGS,
    REPOSITORY,
    Lab,
    Notebook,
    open_notebook,
    running_lab,
)
from tests.browser.panel import Panel

PICTURES = REPOSITORY / "docs" / "pictures"
WIDTH, HEIGHT = 1100, 1700
SHARPNESS = 1.4  # twice would make files of half a megabyte
MARGIN = 4

# The sandbox is slowed down, so that there is a run to look at, and busy now and then.
LIST = 'import sdr_kit\naccounts = sdr_kit.load_accounts("sample_accounts.csv")'
PANEL = """
label = "Sandbox (offline, invented answers)"
slow = sdr_kit.Sandbox(latency=2.2, overloaded_rate=0.04, seed=3)
sdr_kit.Workbench(accounts, researchers={label: slow})
"""
COMPARISON = """
from sdr_kit import charts
comparison = await sdr_kit.compare(
    accounts, sdr_kit.Sandbox(time_scale=0.25), concurrency=(1, 3, 5, 8, 10), sample=32
)
charts.throughput_figure(comparison.frame)
"""


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS
        )
        with running_lab(Path(folder)) as lab:
            take_the_panel(browser, lab)
            lab.shut_down_kernels()
            take_the_chart(browser, lab)
        browser.close()


def take_the_panel(browser: Browser, lab: Lab) -> None:
    """The run half way, the slider moved once; then an account with its card."""
    with shown(browser, lab, LIST, PANEL) as notebook:
        panel = Panel(notebook.page)
        panel.slide_to(3)
        panel.button("Run").click()
        panel.until(lambda: panel.completed >= 6, seconds=60, what="six accounts")
        panel.slide_to(8)
        panel.until(lambda: panel.completed >= 20, seconds=60, what="most of the list")
        rows = panel.page.locator(".sdr-kit-panel .scroll tbody tr")
        whole = panel.page.locator(".sdr-kit-panel")
        hide_the_folder(whole, lab)
        take(whole, "panel", end=rows.nth(7))

        panel.until(lambda: "Finished" in panel.says, seconds=60, what="the end")
        panel.turn_to("Accounts")
        panel.until(lambda: panel.rows.count() == 10, seconds=10, what="ten rows")
        panel.rows.nth(1).click()
        details = panel.page.locator(".sdr-kit-details")
        panel.until(details.is_visible, seconds=10, what="the card")
        panel.page.wait_for_timeout(600)
        take(panel.tabs, "accounts", end=details.locator("dl, table").first)


def take_the_chart(browser: Browser, lab: Lab) -> None:
    """How many accounts a minute, by how many at once."""
    with shown(browser, lab, LIST, COMPARISON) as notebook:
        chart = notebook.page.locator(".js-plotly-plot")
        chart.locator(".main-svg").first.wait_for()
        notebook.page.wait_for_timeout(600)
        take(chart, "throughput")


@contextlib.contextmanager
def shown(browser: Browser, lab: Lab, *sources: str) -> Iterator[Notebook]:
    """A notebook of these cells that has been run, in a page without a side bar."""
    name = written(lab, "picture", *sources)
    with open_notebook(
        browser, lab, name, width=WIDTH, height=HEIGHT, sharpness=SHARPNESS
    ) as notebook:
        notebook.page.keyboard.press("Control+b")
        notebook.run_all()
        yield notebook


def hide_the_folder(panel: Locator, lab: Lab) -> None:
    """Shows the name of the database without the folder, which is of this machine."""
    panel.evaluate(
        """(panel, folder) => panel.querySelectorAll(".quiet").forEach((words) => {
            words.textContent = words.textContent.replace(folder + "/", "");
        })""",
        str(lab.folder),
    )


def take(what: Locator, name: str, *, end: Locator | None = None) -> None:
    """Takes what is in sight of it, as far as some part of it, without the mouse."""
    page = what.page
    page.mouse.move(0, 0)
    what.scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    box, last = what.bounding_box(), (end or what).bounding_box()
    assert box is not None
    assert last is not None
    page.screenshot(
        path=PICTURES / f"{name}.png",
        clip={
            "x": box["x"] - MARGIN,
            "y": box["y"],
            "width": box["width"] + 2 * MARGIN,
            "height": last["y"] + last["height"] - box["y"] + (MARGIN if end else 0),
        },
    )


if __name__ == "__main__":
    main()
