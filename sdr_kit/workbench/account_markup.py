"""Accounts as HTML: a few of them as a table, and one with all that is known of it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from sdr_kit.account import Attempt, Outcome
from sdr_kit.plain import plain
from sdr_kit.words import counted, duration
from sdr_kit.workbench.markup import block

COLUMNS = (
    "company",
    "domain",
    "status",
    "attempts",
    "seconds",
    "tier",
    "priority",
    "summary",
)


def accounts_table(
    frame: pd.DataFrame,
    first: int,
    outcomes: Iterable[Outcome],
    at_work: frozenset[int],
) -> str:
    """Draws some accounts in the order of the list, with how each stands.

    Args:
        frame: The accounts to show, as `Accounts.frame` has them.
        first: The position of the first of them in the whole list.
        outcomes: How accounts ended, where they have.
        at_work: Positions of the accounts at work.
    """
    by_position = {outcome.position: outcome for outcome in outcomes}
    rows = [
        _row(name, domain, by_position.get(position), position in at_work)
        for position, (name, domain) in enumerate(
            zip(frame["company_name"], frame["domain"], strict=True), start=first
        )
    ]
    head = "".join(
        f'<th scope="col" class="c{number}">{name}</th>'
        for number, name in enumerate(COLUMNS, start=1)
    )
    return (
        '<table class="accounts" aria-label="Accounts">'
        f"<tr>{head}</tr>{''.join(rows)}</table>"
    )


def accounts_block(table: str, *, first: int, shown: int, total: int) -> str:
    """Puts the table into its scrolling frame, and says which part it is."""
    part = f"{first + 1:,}–{first + shown:,} of {total:,}" if shown < total else "all"
    return block(
        f'<h3>Accounts <span class="quiet">({part})</span></h3>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Accounts">{table}'
        "</div>"
    )


def account_head(row: pd.Series[Any], outcome: Outcome | None) -> str:
    """Names an account and says how it ended."""
    domain = row["domain"] if isinstance(row["domain"], str) else ""
    status = outcome.status if outcome else "pending"
    head = (
        f"<h3>{html.escape(str(row['company_name']))} "
        f'<span class="quiet">{html.escape(domain)}</span></h3>'
        f'<p><span class="dot {status}"></span>{status}{_how(outcome)}</p>'
    )
    if outcome and outcome.error_message:
        head += f'<p class="error">{html.escape(outcome.error_message)}</p>'
    return block(head)


def account_facts(
    row: pd.Series[Any], outcome: Outcome | None, attempts: Sequence[Attempt]
) -> str:
    """Draws what was found about an account, what the list says, and each attempt."""
    research = outcome.research if outcome else None
    found: dict[str, object] = {}
    if research is not None:
        found = {"tier": research.tier, "priority": research.priority_score}
        found |= research.fields
    hidden = ("company_name", "domain", "shared_domain")
    listed = {str(name): value for name, value in row.items() if name not in hidden}
    return block(
        f"{_facts('Research', found)}{_facts('From the list', listed)}"
        f"{_attempts(attempts)}"
    )


def _how(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return (
        f' <span class="quiet">after {counted(outcome.attempts, "attempt")}, '
        f"{duration(outcome.seconds)}</span>"
    )


def _facts(title: str, facts: Mapping[str, object]) -> str:
    known = {name: words for name, value in facts.items() if (words := said(value))}
    if not known:
        return ""
    items = "".join(
        f"<tr><th scope='row'>{html.escape(name.replace('_', ' '))}</th>"
        f"<td>{html.escape(words)}</td></tr>"
        for name, words in known.items()
    )
    return f'<h4>{title}</h4><table class="facts" aria-label="{title}">{items}</table>'


def said(value: object) -> str:
    """Writes a value of a cell as a person reads it; what is missing is blank."""
    value = plain(value)
    if isinstance(value, list):
        return "; ".join(map(said, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {said(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _attempts(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    rows = "".join(
        f"<tr><td class='number'>{each.number}</td>"
        f"<td class='number'>{each.started:,.1f}</td>"
        f"<td class='number'>{each.seconds:,.1f}</td>"
        f"<td>{each.outcome.replace('_', ' ')}</td>"
        f"<td class='number'>{each.http_status or ''}</td>"
        f"<td class='words'>{html.escape(each.message or '')}</td></tr>"
        for each in attempts
    )
    return (
        "<h4>Attempts</h4><table aria-label='Attempts'>"
        "<tr><th scope='col' class='number'>#</th>"
        "<th scope='col' class='number'>began (s)</th>"
        "<th scope='col' class='number'>took (s)</th><th scope='col'>outcome</th>"
        "<th scope='col' class='number'>HTTP</th>"
        f"<th scope='col'>what was said</th></tr>{rows}</table>"
    )


def _row(name: str, domain: object, outcome: Outcome | None, at_work: bool) -> str:  # noqa: FBT001
    research = outcome.research if outcome else None
    status = outcome.status if outcome else "processing" if at_work else "pending"
    summary = research.fields.get("summary", "") if research else None
    if outcome and outcome.error_message:
        summary = outcome.error_message
    who = (("", name), ("", domain if isinstance(domain, str) else ""))
    how = (
        ("number", outcome.attempts if outcome else ""),
        ("number", f"{outcome.seconds:.1f}" if outcome else ""),
        ("", (research.tier or "") if research else ""),
        ("number", (research.priority_score or "") if research else ""),
        ("", summary or ""),
    )
    dot = f'<td><span class="dot {status}"></span>{status}</td>'
    return (
        f"<tr>{''.join(_cell(kind, value) for kind, value in who)}{dot}"
        f"{''.join(_cell(kind, value) for kind, value in how)}</tr>"
    )


def _cell(kind: str, value: object) -> str:
    text = html.escape(str(value))
    return f'<td class="{kind}" title="{text}">{text}</td>'
