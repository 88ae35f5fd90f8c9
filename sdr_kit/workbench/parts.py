"""The small widgets that the views are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import ipywidgets as widgets

ROW = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 10px"}
LABEL_WIDTH = "110px"

# Makes a callback of a widget: it shows what the handler raises, on the panel.
Guard = Callable[[Callable[[], None]], Callable[..., None]]


class View(Protocol):
    """One tab of the panel."""

    box: widgets.Box

    @property
    def title(self) -> str:
        """What stands on the tab."""
        ...

    def draw(self) -> None:
        """Shows how things are now; called while the view is in sight."""
        ...


def text(value: str = "") -> widgets.HTML:
    """A block of HTML; what comes from outside is escaped by whoever wrote it."""
    return widgets.HTML(value, layout={"width": "auto", "margin": "2px 0"})


def button(
    label: str,
    handler: Callable[..., None],
    *,
    tooltip: str,
    icon: str = "",
    style: str = "",
    width: str = "auto",
) -> widgets.Button:
    """A button; the tooltip is what a screen reader says of it, too."""
    made = widgets.Button(
        description=label,
        icon=icon,
        tooltip=tooltip,
        button_style=style,
        layout={"width": width, "min_width": "84px"},
    )
    made.on_click(handler)
    return made


def row(children: Sequence[widgets.Widget], **layout: Any) -> widgets.Box:
    """Widgets side by side, in as many lines as they need."""
    return widgets.Box(list(children), layout={**ROW, **layout})


def column(children: Sequence[widgets.Widget]) -> widgets.VBox:
    """Widgets one below the other, as wide as the panel and never wider."""
    return widgets.VBox(list(children), layout={"overflow": "hidden", "width": "100%"})


def show(widget: widgets.DOMWidget, *, visible: bool) -> None:
    """Shows a widget, or takes it out of the page without a gap."""
    wanted = None if visible else "none"
    if widget.layout.display != wanted:
        widget.layout.display = wanted


def close(widget: widgets.Widget) -> None:
    """Closes a widget and all that is in it, which would stay in the kernel."""
    for child in getattr(widget, "children", ()):
        close(child)
    for part in ("layout", "style"):
        if isinstance(own := getattr(widget, part, None), widgets.Widget):
            own.close()
    widget.close()


def replace(box: widgets.Box, children: Sequence[widgets.Widget]) -> None:
    """Puts widgets in the place of those in a box.

    What stood there is closed the next time: the page may still be drawing it.
    """
    for widget in getattr(box, "outdated", ()):
        close(widget)
    box.outdated, box.children = box.children, tuple(children)


class Question(widgets.Box):
    """A line that asks before something is done; hidden until it is asked."""

    def __init__(self, guard: Guard) -> None:
        self._words = text()
        self._act: Callable[[], None] = lambda: None
        self._other_act: Callable[[], None] = lambda: None
        self._yes = button(
            "Go ahead", guard(self._agreed), tooltip="Do it", style="warning"
        )
        self._other = button("Otherwise", guard(self._differed), tooltip="Do otherwise")
        self._no = button("Not now", guard(self.hide), tooltip="Do nothing")
        answers = [self._yes, self._other, self._no]
        super().__init__([self._words, *answers], layout=ROW)
        self.add_class("sdr-kit-question")
        self.hide()

    def ask(
        self,
        words: str,
        act: Callable[[], None],
        *,
        yes: str = "Go ahead",
        other: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Shows the question.

        Args:
            words: What is asked, as HTML.
            act: What is done when the answer is yes.
            yes: What yes is called.
            other: Another answer, and what is done then.
        """
        self._words.value, self._act = words, act
        self._yes.description = yes
        show(self._other, visible=other is not None)
        if other is not None:
            self._other.description, self._other_act = other
        show(self, visible=True)

    @property
    def visible(self) -> bool:
        """Whether it is asked now."""
        return bool(self.layout.display != "none")

    def hide(self) -> None:
        """Takes the question back."""
        show(self, visible=False)

    def _agreed(self) -> None:
        self._done(self._act)

    def _differed(self) -> None:
        self._done(self._other_act)

    def _done(self, act: Callable[[], None]) -> None:
        self.hide()
        # It is asked once and done once.
        self._act = self._other_act = lambda: None
        act()
