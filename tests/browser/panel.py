"""The panel as a person sees it: what it says, its buttons, its boxes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page

# What may not stick out of the panel or over a neighbour, from the page's boxes.
_BOXES = """() => {
    const widgets = '.jupyter-widgets, .js-plotly-plot, .main-svg, ' +
        'h2, h3, h4, p, dd, dt, .lm-TabBar-tabLabel';
    const panel = document.querySelector('.sdr-kit-panel');
    const edge = panel.getBoundingClientRect();
    const problems = [];
    const name = (e) => e.className.toString().slice(0, 60) + ':' +
        (e.innerText || '').slice(0, 30);
    const seen = (e) => e.offsetParent !== null && e.getBoundingClientRect().width > 0;
    for (const e of panel.querySelectorAll(widgets)) {
        const box = e.getBoundingClientRect();
        if (!seen(e) || e.closest('.scroll')) continue;
        if (box.right > edge.right + 1 || box.left < edge.left - 1)
            problems.push('sticks out: ' + name(e));
        const cut = e.matches('button, .widget-label, h2, h3, h4, p, dd, dt, ' +
            '.lm-TabBar-tabLabel');
        if (cut && e.scrollWidth > e.clientWidth + 1)
            problems.push('cut off: ' + name(e));
    }
    for (const box of [panel, ...panel.querySelectorAll('.widget-box')]) {
        const children = [...box.children].filter(seen);
        children.forEach((a, i) => children.slice(i + 1).forEach((b) => {
            const x = a.getBoundingClientRect(), y = b.getBoundingClientRect();
            const wide = Math.min(x.right, y.right) - Math.max(x.left, y.left);
            const high = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
            if (wide > 1 && high > 1) problems.push(`overlap: ${name(a)} / ${name(b)}`);
        }));
    }
    return problems;
}"""

# What a screen reader would call nothing.
_NAMELESS = """() => [...document.querySelectorAll(
    '.sdr-kit-panel :is(input, select, textarea, button, table, [role=slider])')]
  .filter((e) => e.offsetParent !== null && e.type !== 'hidden')
  .filter((e) => !(e.getAttribute('aria-label') || e.title || e.caption ||
      e.innerText?.trim() && e.matches('button') || e.labels?.length ||
      e.closest('label') || e.getAttribute('aria-labelledby')))
  .map((e) => e.outerHTML.slice(0, 160))"""


@dataclass(slots=True)
class Panel:
    page: Page

    @property
    def says(self) -> str:
        return self.page.locator(".sdr-kit-panel").inner_text()

    def button(self, text: str) -> Locator:
        """The button whose label begins so; an icon may stand before it."""
        buttons = self.page.locator(".sdr-kit-panel button:visible")
        return buttons.filter(has_text=re.compile(rf"^\W*{re.escape(text)}"))

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True).locator("visible=true")

    @property
    def tabs(self) -> Locator:
        return self.page.locator(".sdr-kit-panel .widget-tab")

    def turn_to(self, tab: str) -> None:
        self.tabs.get_by_role("tab", name=re.compile(rf"^{tab}")).click()
        self.page.wait_for_timeout(600)

    @property
    def rows(self) -> Locator:
        """The rows of the table in sight."""
        return self.page.locator(".sdr-kit-grid tbody tr:visible")

    def column(self, place: int) -> list[str]:
        """What a column of the table in sight says, on this page of it."""
        return self.rows.locator(f"td:nth-child({place})").all_inner_texts()

    def number_before(self, words: str) -> int:
        found = re.search(rf"([\d,]+) {re.escape(words)}", self.says)
        return int(found.group(1).replace(",", "")) if found else -1

    @property
    def in_flight(self) -> int:
        return self.number_before("in flight")

    @property
    def completed(self) -> int:
        return self.number_before("completed")

    @property
    def chart_points(self) -> int:
        points = self.page.evaluate(
            """() => document.querySelector('.sdr-kit-panel .js-plotly-plot')
                     ?.data?.[0]?.x?.length ?? 0"""
        )
        return int(points)

    @property
    def chart_seconds(self) -> list[float]:
        """The seconds from the start of the run of the points of the chart in sight."""
        points: list[float] = self.page.evaluate(
            """() => [...(document.querySelector('.sdr-kit-panel .js-plotly-plot')
                     ?.data?.[0]?.x ?? [])]"""
        )
        return points

    @property
    def charts(self) -> int:
        """How many charts are in sight."""
        return self.page.locator(".sdr-kit-panel .js-plotly-plot:visible").count()

    def slide_to(self, value: int) -> None:
        # It is disabled until the kernel has heard that auto is off.
        self.page.wait_for_selector(".sdr-kit-panel .noUi-target:not([disabled])")
        handle = self.page.locator(".sdr-kit-panel .noUi-handle")
        handle.focus()
        shown = int(float(handle.get_attribute("aria-valuetext") or "nan"))
        key = "ArrowRight" if value > shown else "ArrowLeft"
        for _ in range(abs(value - shown)):
            handle.press(key)

    def chart_fits(self) -> bool:
        """Whether the chart in sight is as wide as its place."""
        fits: bool = self.page.evaluate(
            """() => [...document.querySelectorAll('.sdr-kit-chart')]
                .filter((box) => box.offsetParent !== null)
                .every((box) => {
                    const chart = box.querySelector('.main-svg');
                    return chart && chart.clientWidth > 0.95 * box.clientWidth;
                })"""
        )
        return fits

    def shows_column(self, name: str) -> bool:
        """Whether a column's head is in sight without scrolling its table."""
        head = self.page.locator(".sdr-kit-grid th:visible", has_text=name).first
        grid = self.page.locator(".sdr-kit-grid:visible").first
        one, whole = head.bounding_box(), grid.bounding_box()
        assert one is not None
        assert whole is not None
        return one["x"] + one["width"] <= whole["x"] + whole["width"] + 1

    def problems_of_layout(self) -> list[str]:
        problems: list[str] = self.page.evaluate(_BOXES)
        return problems

    def nameless(self) -> list[str]:
        """What is in sight and has no name for a screen reader."""
        nameless: list[str] = self.page.evaluate(_NAMELESS)
        return nameless

    def until(
        self, condition: Callable[[], bool], *, seconds: float, what: str
    ) -> float:
        """Waits for something to be seen and gives the seconds that it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, (
                f"after {seconds} s still not: {what}. The panel says:\n{self.says}"
            )
            self.page.wait_for_timeout(50)
        return time.monotonic() - began
