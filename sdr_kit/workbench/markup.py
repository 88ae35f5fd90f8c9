"""What the panel says, as HTML. Values in, text out; foreign words are escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import pandas as pd

from sdr_kit.account import Outcome
from sdr_kit.accounts import Accounts
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


def _block(inner: str) -> str:
    return f'<div class="sdr-kit">{inner}</div>'


def headline(accounts: Accounts | None, where: str) -> str:
    """Says which list is loaded, what came of its rows, and where results go."""
    if accounts is None:
        counts = (
            "No accounts yet. Load a list and pass it to the panel: "
            "<code>Workbench(sdr_kit.load_accounts(&quot;accounts.csv&quot;))</code>"
        )
    else:
        counts = (
            f"<b>{len(accounts):,} ready</b> · "
            f"{_counted(len(accounts.duplicates), 'duplicate')} · "
            f"{len(accounts.rejected):,} rejected "
            f'<span class="quiet">({html.escape(accounts.source)})</span>'
        )
    return _block(
        f"<h2>Account research</h2><p>{counts}</p>"
        f'<p class="quiet">Results are kept in {html.escape(where)}</p>'
    )


def progress(now: Progress | None, total: int) -> str:
    """Draws the bar with its counts, rate and time to go."""
    if now is None and not total:
        return ""
    if now is None:
        return _block(
            f'{_bar(0, 0, 0, total)}<p class="quiet">Nothing has run yet. '
            "Choose how many at once, then press Run.</p>"
        )
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
            f"{now.running:,} in flight (limit {now.limit:,})",
            f"{now.accounts_per_minute:,.0f} accounts/min",
        ]
        if now.waiting:
            parts.append(f"{now.waiting:,} waiting for another try")
    if now.retries:
        parts.append(f"{now.retries:,} retries")
    if now.eta_seconds is not None:
        parts.append(f"about {duration(now.eta_seconds)} to go")
    bar = _bar(now.completed, now.failed, now.running, now.total)
    return _block(f"{bar}<p>{' · '.join(parts)}</p>")


def notice(now: Progress | None) -> str:
    """Says why the run is held, paused by itself, or ended early; else nothing."""
    if now is None or now.reason is None or now.state == "cancelled":
        return ""
    kind = "error" if now.state in ("stopped", "crashed") else "note"
    paused = now.state == "paused"
    more = "<br>Press <b>Resume</b> to go on, or <b>Cancel</b>." if paused else ""
    return _block(f'<p class="{kind}">{html.escape(now.reason)}{more}</p>')


def error(problem: BaseException) -> str:
    """Shows what went wrong in the panel itself."""
    text = html.escape(f"{problem}" or type(problem).__name__)
    return _block(f'<p class="error" role="alert">{text}</p>')


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
    return f'<table aria-label="Accounts"><tr>{head}</tr>{"".join(rows)}</table>'


def accounts_block(table: str, *, first: int, shown: int, total: int) -> str:
    """Puts the table into its scrolling frame, and says which part it is."""
    part = f"{first + 1:,}–{first + shown:,} of {total:,}" if shown < total else "all"
    return _block(
        f'<h3>Accounts <span class="quiet">({part})</span></h3>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Accounts">{table}'
        "</div>"
    )


def failures(outcomes: Sequence[Outcome], names: Sequence[str], failed: int) -> str:
    """Lists accounts that failed, with what went wrong in plain words."""
    if not outcomes:
        return ""
    items = "".join(
        f"<p><span class='dot failed'></span><b>{html.escape(name)}</b>: "
        f"{html.escape(outcome.error_message or '')} "
        f'<span class="quiet">({outcome.error_kind}, '
        f"{_counted(outcome.attempts, 'attempt')})</span></p>"
        for outcome, name in zip(outcomes, names, strict=True)
    )
    more = (
        f" (the first {len(outcomes)} of {failed:,})" if failed > len(outcomes) else ""
    )
    return _block(f'<h3>Failed accounts{more}</h3><div class="few">{items}</div>')


def _counted(number: int, noun: str) -> str:
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
