"""Accounts as HTML: a few of them as a table, and one with all that is known of it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from sdr_kit.account import Attempt, Outcome, Research
from sdr_kit.coverage import is_fact
from sdr_kit.words import counted, duration, said
from sdr_kit.workbench.attempts_markup import attempts_table
from sdr_kit.workbench.findings_markup import facts, findings
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
    hidden = ("company_name", "domain", "shared_domain")
    listed = {str(name): value for name, value in row.items() if name not in hidden}
    research = outcome.research if outcome else None
    return block(
        f"{findings(research) if research else ''}{_raw(outcome)}"
        f"{facts('From the list', listed)}{attempts_table(attempts)}"
    )


def _how(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return (
        f' <span class="quiet">after {counted(outcome.attempts, "attempt")}, '
        f"{duration(outcome.seconds)}</span>"
    )


def _raw(outcome: Outcome | None) -> str:
    """Keeps an answer that could not be used out of the way, and within reach."""
    if outcome is None or not outcome.raw:
        return ""
    return (
        "<details><summary>What the model answered</summary>"
        f"<pre tabindex='0'>{html.escape(outcome.raw)}</pre></details>"
    )


def _row(name: str, domain: object, outcome: Outcome | None, at_work: bool) -> str:  # noqa: FBT001
    research = outcome.research if outcome else None
    status = outcome.status if outcome else "processing" if at_work else "pending"
    summary = outcome.error_message if outcome else None
    if research and not summary:
        summary = _gist(research)
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


def _gist(research: Research) -> str:
    """Gives the summary, or else the first fact that is known."""
    facts_said = (
        said(value) for name, value in research.fields.items() if is_fact(name)
    )
    return said(research.fields.get("summary")) or next(filter(None, facts_said), "")


def _cell(kind: str, value: object) -> str:
    text = html.escape(str(value))
    return f'<td class="{kind}" title="{text}">{text}</td>'
