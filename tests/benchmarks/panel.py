"""What the panel costs at 10,000 accounts: the kernel, the browser, the slider.

    uv run python -m tests.benchmarks.panel [accounts]

Starts a JupyterLab and a browser, runs the list at 10 at once, and prints the kernel's
CPU with the panel and of the same run without one (their difference is what the panel
costs), the time from a key on the slider to the label that answers it, and how long the
page's main thread was blocked at a time.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

from tests.browser.lab import CHROMIUM, CHROMIUM_FLAGS, open_notebook, running_lab
from tests.browser.panel import Panel

SECONDS = 20
SLIDES = 12

SETUP = """
import asyncio, os, time
import pandas  # what loading a list costs is not what importing pandas costs
import sdr_kit

os.environ["REUSE_DAYS"] = "0"  # or the panel asks about what the bare run has found

async def research(account):
    await asyncio.sleep(0.25)
    return {{"summary": "Sells things", "tier": "B", "priority_score": 5}}

rows = "".join(f"Company {{i}},company-{{i}}.com\\n" for i in range({accounts}))
began = time.perf_counter()
accounts = sdr_kit.load_accounts(f"company_name,domain\\n{{rows}}".encode())
print("loaded in", round(time.perf_counter() - began, 2))
"""
SHOW = (
    'workbench = sdr_kit.Workbench(accounts, researchers={"Mine": research})\nworkbench'
)
BARE = """
job = sdr_kit.start(accounts, research, concurrency=10)
time.sleep(2); before = time.process_time(); time.sleep({seconds})
print("bare", time.process_time() - before); job.cancel()
"""
WITH = """
before = time.process_time(); time.sleep({seconds})
print("panel", time.process_time() - before)
"""
# The longest time for which the page could not answer, in milliseconds.
BLOCKED = """() => {
  window.longest = 0; let last = performance.now();
  const beat = () => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last - 16);
    last = now; requestAnimationFrame(beat);
  };
  requestAnimationFrame(beat);
}"""


def printed(page: Page, word: str) -> float:
    output = page.locator(f".jp-OutputArea-output:has-text('{word} ')").last
    output.wait_for(timeout=(SECONDS + 60) * 1000)
    found = re.search(rf"{word} (?:in )?([\d.]+)", output.inner_text())
    assert found is not None
    return float(found.group(1))


def run_cell(page: Page, place: int) -> None:
    page.locator(".jp-CodeCell").nth(place).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def slide_times(panel: Panel) -> list[float]:
    """Seconds from a key on the slider to the label from the kernel."""
    handle = panel.page.locator(".sdr-kit-panel .noUi-handle")
    handle.focus()
    times = []
    for turn in range(SLIDES):
        wanted = 9 if turn % 2 else 10
        began = time.perf_counter()
        handle.press("ArrowLeft" if wanted == 9 else "ArrowRight")
        panel.page.wait_for_function(
            f"document.querySelector('.sdr-kit-panel').innerText"
            f".includes('limit {wanted})')",
            polling=10,
        )
        times.append(time.perf_counter() - began)
        panel.page.wait_for_timeout(600)
    return times


def main(accounts: int) -> None:
    cells = [
        SETUP.format(accounts=accounts),
        BARE.format(seconds=SECONDS),
        SHOW,
        WITH.format(seconds=SECONDS),
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    with running_lab(Path(tempfile.mkdtemp())) as lab, sync_playwright() as playwright:
        nbformat.write(notebook, lab.folder / "notebooks" / "panel.ipynb")
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS
        )
        with open_notebook(browser, lab, "panel.ipynb", height=2600) as opened:
            page, panel = opened.page, Panel(opened.page)
            run_cell(page, 0)
            print(f"{accounts:,} rows loaded in {printed(page, 'loaded')} s")
            run_cell(page, 1)
            bare = printed(page, "bare") / SECONDS
            run_cell(page, 2)
            page.wait_for_selector(".sdr-kit-panel", timeout=30_000)
            panel.field("Researcher").select_option("Mine")
            panel.slide_to(10)
            panel.button("Run").click()
            panel.until(lambda: panel.chart_points > 2, seconds=20, what="the chart")
            for tab in ("Run", "Accounts"):
                panel.turn_to(tab)
                page.wait_for_timeout(3000)
                page.evaluate(BLOCKED)
                run_cell(page, 3)
                page.wait_for_timeout((SECONDS + 2) * 1000)
                with_panel = printed(page, "panel") / SECONDS
                longest = page.evaluate("window.longest")
                times = slide_times(panel)
                print(
                    f"{tab}: kernel {bare:.1%} of a core without the panel, "
                    f"{with_panel:.1%} with it (+{with_panel - bare:.1%}); slider to "
                    f"label median {statistics.median(times) * 1000:.0f} ms, worst "
                    f"{max(times) * 1000:.0f} ms; page blocked for {longest:.0f} ms at "
                    "the longest"
                )
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
