"""The attempts at an account, as HTML; a column that would be empty is left out."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from sdr_kit.account import Attempt
from sdr_kit.words import dollars

NUMBER, WORDS = "number", "words"


def attempts_table(attempts: Sequence[Attempt]) -> str:
    """Draws one row an attempt, with what it took where that is known."""
    if not attempts:
        return ""
    columns = [
        (heading, kind, cells)
        for heading, kind, cell in _COLUMNS
        if any(cells := [cell(each) for each in attempts])
    ]
    head = "".join(
        f'<th scope="col" class="{kind}">{heading}</th>' for heading, kind, _ in columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}">{html.escape(cells[place])}</td>'
            for _, kind, cells in columns
        )
        + "</tr>"
        for place in range(len(attempts))
    )
    return (
        '<h4>Attempts</h4><div class="sideways"><table aria-label="Attempts">'
        f"<tr>{head}</tr>{rows}</table></div>"
    )


def _tokens(attempt: Attempt) -> str:
    usage = attempt.usage
    if usage is None or not (usage.input_tokens or usage.output_tokens):
        return ""
    return f"{usage.input_tokens:,} + {usage.output_tokens:,}"


def _searches(attempt: Attempt) -> str:
    usage = attempt.usage
    return f"{usage.searches:,}" if usage and usage.searches else ""


def _cost(attempt: Attempt) -> str:
    cost = attempt.usage.cost_usd if attempt.usage else None
    return dollars(cost) if cost else ""


_COLUMNS: tuple[tuple[str, str, Callable[[Attempt], str]], ...] = (
    ("#", NUMBER, lambda each: str(each.number)),
    ("began (s)", NUMBER, lambda each: f"{each.started:,.1f}"),
    ("took (s)", NUMBER, lambda each: f"{each.seconds:,.1f}"),
    ("outcome", "", lambda each: each.outcome.replace("_", " ")),
    ("HTTP", NUMBER, lambda each: str(each.http_status or "")),
    ("tokens (in + out)", NUMBER, _tokens),
    ("searches", NUMBER, _searches),
    ("cost", NUMBER, _cost),
    ("request", "request", lambda each: each.request_id or ""),
    ("what was said", WORDS, lambda each: each.message or ""),
)
