"""What the panel needs of the page: its style, downloads, and to be told of a drawing.

A chart that was drawn before a page was reloaded comes back blank: its widget keeps
only the state it was made with (plotly `basewidget.py`). So the panel hears when a page
draws it, and puts fresh ones there. Plotly fits a chart to its place only when the
window changes, so a place that changes says it has. And JupyterLab takes the arrow keys
for its cells before a table can have them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget


class Page(anywidget.AnyWidget):
    """An unseen widget that stands in the panel and acts in the page.

    Args:
        on_drawn: Called when a page has drawn the panel.
    """

    _css = Path(__file__).with_name("panel.css")
    _esm = Path(__file__).with_name("page.js")

    def __init__(self, on_drawn: Callable[..., None]) -> None:
        super().__init__(layout={"display": "none"})
        self.on_msg(lambda _widget, content, _buffers: on_drawn(content))

    def download(self, name: str, contents: bytes) -> None:
        """Saves a file where the browser saves downloads."""
        self.send({"download": name}, [contents])

    def refit(self) -> None:
        """Fits the charts to their places."""
        self.send({"refit": True})
