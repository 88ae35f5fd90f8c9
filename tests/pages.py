"""HTML, read back as a browser reads it."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser makes of HTML: its elements, links and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.words = ""
        self.handlers: list[str] = []
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._in = tag
        if tag == "a":
            self.links.append(dict(attrs))
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self._in = ""
        if tag in ("tr", "li", "h4", "h5"):
            self.words += "\n"

    def handle_data(self, data: str) -> None:
        if self._in in ("h4", "h5"):
            self.headings.append(data)
        self.words += f"{data} "

    def line(self, beginning: str) -> str:
        lines = [line.strip() for line in self.words.splitlines()]
        return next(line for line in lines if line.startswith(beginning))
