"""What the panel says, as HTML. Values in, text out; foreign words are escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from sdr_kit.account import Attempt, Outcome
from sdr_kit.accounts import Accounts
from sdr_kit.causes import Cause
from sdr_kit.progress import Progress, duration

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

BLOCKED_SECONDS = 1.0  # a shorter hold-up is not worth a word


def block(inner: str) -> str:
    """Puts HTML where the panel's style reaches it."""
    return f'<div class="sdr-kit">{inner}</div>'


def quiet(words: str) -> str:
    """A word in passing; `words` is plain text."""
    return block(f'<span class="quiet">{html.escape(words)}</span>')


def hint(inner: str) -> str:
    """Says in an empty place what to do next; `inner` is HTML."""
    return block(f'<p class="hint">{inner}</p>')


def note(words: str) -> str:
    """A line that wants to be read; `words` is plain text."""
    return block(f'<p class="note">{html.escape(words)}</p>')


def headline(accounts: Accounts | None, where: str) -> str:
    """Says which list is loaded, what came of its rows, and where results go."""
    counts = "No list yet"
    if accounts is not None:
        counts = (
            f"<b>{len(accounts):,} ready</b> · "
            f"{counted(len(accounts.duplicates), 'duplicate')} · "
            f"{len(accounts.rejected):,} rejected "
            f'<span class="quiet">({html.escape(accounts.source)})</span>'
        )
    return block(
        f"<h2>Account research</h2><p>{counts} "
        f'<span class="quiet">· results are kept in {html.escape(where)}</span></p>'
    )


def load_report(accounts: Accounts | None) -> str:
    """Says how a list was read: its layout, its books, which columns are ours."""
    if accounts is None:
        return hint(
            "Upload a list of companies, or write its path and press <b>Load</b>. "
            "It may be a CSV or an Excel workbook, as a CRM exports it: one row a "
            "company, with its name, and better with its domain."
        )
    books = accounts.books
    shared = counted(books["shared_domains"], "shared domain")
    counts = " · ".join(
        [
            f"<b>{books['rows_read']:,}</b> rows read",
            f"<b>{books['ready']:,}</b> ready",
            counted(books["duplicates"], "duplicate"),
            f"{shared} ({counted(books['on_shared_domains'], 'account')})",
            f"{books['rejected']:,} rejected",
        ]
    )
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(ours)}</th>"
        f"<td>{html.escape(theirs) or '<span class=quiet>not found</span>'}</td>"
        f"<td class='number'>{filled:,}</td></tr>"
        for ours, theirs, filled in accounts.recognised[
            ["column", "source_columns", "filled"]
        ].itertuples(index=False)
    )
    return block(
        f"<p>{html.escape(accounts.layout)}</p><p>{counts}</p>"
        '<table aria-label="Columns"><tr><th scope="col">column</th>'
        '<th scope="col">taken from</th><th scope="col" class="number">filled</th>'
        f"</tr>{rows}</table>"
    )


def nothing_run(total: int) -> str:
    """Says what to do before the first run."""
    if total:
        return hint("Nothing has run yet. Choose how many at once, then press Run.")
    return hint("No accounts yet. Load a list in the tab <b>List</b>.")


def progress(now: Progress | None, total: int, *, limit: int | None) -> str:
    """Draws the bar with its counts, rate and time to go.

    Args:
        now: The run; None before the first.
        total: Accounts in the list.
        limit: How many may run at once, as it was last told.
    """
    if now is None:
        return block(_bar(0, 0, 0, total)) if total else ""
    parts = [
        f"<b>{now.state.capitalize()}</b>",
        f"{now.done:,} of {now.total:,} done",
        f"{now.completed:,} completed",
        f"{now.failed:,} failed",
    ]
    if now.ended:
        parts.append(f"in {duration(now.seconds)}")
        if now.seconds:
            parts.append(f"{60 * now.done / now.seconds:,.0f} accounts/min")
    else:
        parts += [
            f"{now.running:,} in flight (limit {limit or now.limit:,})",
            f"{now.accounts_per_minute:,.0f} accounts/min",
        ]
        if now.waiting:
            parts.append(f"{now.waiting:,} waiting for another try")
    if now.retries:
        parts.append(f"{now.retries:,} retries")
    if now.eta_seconds is not None:
        parts.append(f"about {duration(now.eta_seconds)} to go")
    bar = _bar(now.completed, now.failed, now.running, now.total)
    return block(f"{bar}<p>{' · '.join(parts)}</p>")


def notice(now: Progress | None) -> str:
    """Says why the run is held, paused by itself, or ended early; else nothing."""
    said = []
    if now is not None and now.reason is not None and now.state != "cancelled":
        kind = "error" if now.state in ("stopped", "crashed") else "note"
        more = ""
        if now.state == "paused":
            more = "<br>Press <b>Resume</b> to go on, or <b>Cancel</b>."
        said.append(
            f'<p class="{kind}" role="status">{html.escape(now.reason)}{more}</p>'
        )
    if now is not None and now.blocked_seconds > BLOCKED_SECONDS:
        said.append(
            '<p class="note" role="status">Everything in the run had to wait for '
            f"{duration(now.blocked_seconds)}: the researcher, or a busy cell, kept "
            "Python to itself. In an <code>async def</code>, <code>await</code> what "
            "it waits for; or write it as a plain <code>def</code>, which runs in a "
            "thread.</p>"
        )
    return block("".join(said)) if said else ""


def error(problem: BaseException) -> str:
    """Shows what went wrong in the panel itself."""
    text = html.escape(f"{problem}" or type(problem).__name__)
    return block(f'<p class="error" role="alert">{text}</p>')


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
    if isinstance(value, list):
        return "; ".join(map(said, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {said(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    missing = value is None or value is pd.NA or value != value  # NaN
    return "" if missing else str(value)


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


def failures_head(failed: int, *, ran: bool) -> str:
    """Says how many failed."""
    if failed:
        return block(f"<p><b>{counted(failed, 'account')} failed.</b></p>")
    words = "No account has failed." if ran else "Nothing has run yet."
    return hint(words)


def cause(of: Cause, names: Sequence[str]) -> str:
    """Draws a group of failures: what was said, what it means, what to do, who."""
    more = len(of.positions) - len(names)
    who = ", ".join(map(html.escape, names)) + (f" and {more:,} more" if more else "")
    return block(
        f"<h4><span class='dot failed'></span>{html.escape(of.title)} "
        f"<span class='quiet'>({counted(len(of.positions), 'account')})</span></h4>"
        f"<p>{html.escape(of.meaning)} {html.escape(of.advice)}</p>"
        f"<p class='quiet'>{who}</p>"
    )


COMPARE = block(
    "<p>Researches a sample one by one, then several at a time, and keeps nothing. "
    "Beside what is measured stand the best that anyone could reach with these "
    "latencies, and batches that wait for their slowest account.</p>"
)


def comparing(levels: Sequence[int], done: int) -> str:
    """Says how far a comparison is."""
    now = "one by one" if levels[done] == 1 else f"{levels[done]} at once"
    words = f"Running {now} ({done + 1} of {len(levels)}) …"
    return block(f'<p role="status">{words}</p>')


def counted(number: int, noun: str) -> str:
    """Writes a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _bar(completed: int, failed: int, running: int, total: int) -> str:
    def part(kind: str, count: int) -> str:
        return (
            f'<span class="{kind}" style="width: {100 * count / (total or 1)}%"></span>'
        )

    done = completed + failed
    return (
        f'<div class="bar" role="progressbar" aria-label="Accounts done" '
        f'aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}">'
        f"{part('completed', completed)}{part('failed', failed)}"
        f"{part('running', running)}</div>"
    )


def _row(name: str, domain: object, outcome: Outcome | None, at_work: bool) -> str:  # noqa: FBT001
    research = outcome.research if outcome else None
    status = outcome.status if outcome else "processing" if at_work else "pending"
    said = research.fields.get("summary", "") if research else None
    if outcome and outcome.error_message:
        said = outcome.error_message
    who = (("", name), ("", domain if isinstance(domain, str) else ""))
    how = (
        ("number", outcome.attempts if outcome else ""),
        ("number", f"{outcome.seconds:.1f}" if outcome else ""),
        ("", (research.tier or "") if research else ""),
        ("number", (research.priority_score or "") if research else ""),
        ("", said or ""),
    )
    dot = f'<td><span class="dot {status}"></span>{status}</td>'
    return (
        f"<tr>{''.join(_cell(kind, value) for kind, value in who)}{dot}"
        f"{''.join(_cell(kind, value) for kind, value in how)}</tr>"
    )


def _cell(kind: str, value: object) -> str:
    text = html.escape(str(value))
    return f'<td class="{kind}" title="{text}">{text}</td>'
