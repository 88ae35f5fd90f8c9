"""What the panel says, as HTML. Values in, text out; foreign words are escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from sdr_kit.accounts import Accounts
from sdr_kit.causes import Cause
from sdr_kit.estimate import Estimate
from sdr_kit.forecast import Fresh
from sdr_kit.planned import Plan
from sdr_kit.progress import Progress
from sdr_kit.settings import AUTO, Concurrency
from sdr_kit.words import counted, dollars, dollars_between, duration
from sdr_kit.workbench.desk import NO_PROSPECT, Prospect

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


def question(words: str) -> str:
    """A line that stands in the box of a question; `words` is plain text."""
    return block(f"<p>{html.escape(words)}</p>")


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


def no_jobs(*, kept: bool) -> str:
    """Says why no jobs are listed.

    Args:
        kept: Whether the store outlives the panel.
    """
    if not kept:
        return hint(
            "Results are kept in memory and end with the notebook, so no jobs are "
            "listed. A panel over a database lists them."
        )
    return hint(
        "No jobs yet. A run that you start is listed here, and can be opened, gone "
        "on with or deleted on another day."
    )


def auto(now: Progress | None, *, most: int) -> str:
    """Says beside the choice of auto what it has come to.

    Args:
        now: The run; None while nothing runs.
        most: Which number it does not go above.
    """
    if now is None:
        return quiet(f"at most {most:,} at once")
    if now.found_limit is not None:
        return block(
            f'<b>{now.found_limit:,} at once</b><span class="quiet">, found</span>'
        )
    return block(
        f'<b>{now.running:,} at work</b><span class="quiet">, at most {most:,}</span>'
    )


def progress(
    now: Progress | None, total: int, *, choice: Concurrency | None = None
) -> str:
    """Draws the bar with its counts, rate and time to go.

    Args:
        now: The run; None before the first.
        total: Accounts in the list.
        choice: How many may run at once, as it was last told.
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
        worked = now.done - now.reused
        if worked and now.seconds:
            parts.append(f"{60 * worked / now.seconds:,.0f} accounts/min")
    else:
        parts += [
            f"{now.running:,} in flight ({_bound(now, choice or now.concurrency)})",
            f"{now.accounts_per_minute:,.0f} accounts/min",
        ]
        if now.waiting:
            parts.append(f"{now.waiting:,} waiting for another try")
    if now.reused:
        parts.append(f"{now.reused:,} reused")
    if now.retries:
        parts.append("1 retry" if now.retries == 1 else f"{now.retries:,} retries")
    if now.cost_usd:
        parts.append(_cost(now))
    if now.eta_seconds is not None:
        parts.append(f"about {duration(now.eta_seconds)} to go")
    bar = _bar(now.completed, now.failed, now.running, now.total)
    return block(f"{bar}<p>{' · '.join(parts)}</p>")


def before_a_run(
    estimate: Estimate | None,
    fresh: Fresh,
    total: int,
    *,
    days: float,
) -> str:
    """Says what need not be paid for again and what the rest will cost, and asks.

    Args:
        estimate: What the rest will take.
        fresh: What is stored.
        total: Accounts in the list.
        days: For how long what is stored is fresh.
    """
    said = []
    if fresh.accounts:
        saved = f", for {dollars(fresh.saved_usd)}" if fresh.saved_usd else ""
        of = counted(total, "account")
        number = "All" if fresh.accounts == total > 1 else f"{fresh.accounts:,} of"
        was = "was" if fresh.accounts == 1 else "were"
        said.append(
            f"{number} {of} {was} researched within the last {days:g} days{saved}."
        )
    if estimate is not None:
        earlier = counted(estimate.sample, "account")
        rest = "The others: " if fresh.accounts else ""
        said.append(f"{rest}{estimate} (as {earlier} researched earlier took).")
    return question(" ".join([*said, "Go ahead?"]))


def before_deleting(job_id: int, results: int) -> str:
    """Says what goes with a job, and asks."""
    return question(
        f"Delete job {job_id} with {counted(results, 'result')}? There is no way back. "
        "What people have set for its companies stays, and so does what later jobs "
        "have reused of it."
    )


def before_reprocessing(
    accounts: int, estimate: Estimate | None, researcher: str
) -> str:
    """Says what researching accounts again means, and asks."""
    cost = f" {estimate} (as earlier ones took)." if estimate is not None else ""
    return question(
        f"Ask “{researcher}” again about {counted(accounts, 'account')}?{cost} What is "
        "known of each stays until there is a new answer, and what people have set "
        "stays in any case."
    )


def before_another_goes_on(job_id: int, began: str, goes_on: str) -> str:
    """Says that a job would be researched by two, and asks."""
    return question(
        f"Job {job_id} was begun with {began}. Go on with {goes_on}, as it is chosen "
        "above? What is stored stays."
    )


def before_opening(
    job_id: int, now: Progress, *, begun: str, holder: str | None
) -> str:
    """Says which job of another day or place there is, and asks what to do with it.

    Args:
        job_id: Its number.
        now: How it stands.
        begun: When, and over which list where that is not the one in sight.
        holder: Who works on it now.
    """
    done = f"{now.done:,} of {now.total:,}"
    if holder is not None:
        return question(f"Job {job_id} is at work in {holder} ({done}, begun {begun}).")
    if now.state == "ready":
        return question(f"Begin job {job_id} ({now.total:,} accounts)? Added {begun}.")
    if now.pending:
        return question(f"Continue job {job_id} ({done})? Begun {begun}, {now.state}.")
    counts = f"{now.completed:,} completed, {now.failed:,} failed"
    return question(f"Show job {job_id}? Begun {begun}, ended: {counts}.")


def before_comparing(calls: int, estimate: Estimate | None) -> str:
    """Says what a comparison will cost, and asks."""
    cost = ""
    if estimate is not None and estimate.cost_usd is not None:
        usd = estimate.cost_usd
        cost = f", {dollars_between(usd.low, usd.high)}"
    return question(
        f"This makes {counted(calls, 'paid call')} at least{cost}, and keeps none of "
        "the answers. Go ahead?"
    )


def notice(
    now: Progress | None,
    *,
    prospect: Prospect = NO_PROSPECT,
    noticed: Sequence[str] = (),
) -> str:
    """Says what is to be known about the run; else nothing.

    Args:
        now: The run: why it is held, paused by itself, or ended early, and what has
            held it back; that is no warning and does not look like one.
        prospect: What the rest will take, when it asks whether to go on.
        noticed: What the researcher noticed about its provider.
    """
    lines = [f'<p class="note">{html.escape(words)}</p>' for words in noticed]
    if now is not None and now.reason is not None and now.state != "cancelled":
        kind = "error" if now.state in ("stopped", "crashed") else "note"
        more = ""
        if now.state == "interrupted":
            more = " Press <b>Continue</b>: nothing that is stored is asked again."
        said = f"<p>{html.escape(now.reason)}{more}</p>{_foreseen(prospect, now)}"
        if now.state == "paused":
            said += "<p>Press <b>Resume</b> to go on, or <b>Cancel</b>.</p>"
        lines.append(f'<div class="{kind}" role="status">{said}</div>')
    if now is not None and now.held_back and now.state in ("finished", "stopped"):
        said = html.escape(now.held_back)
        lines.append(f'<p class="receipt" role="status">{said}</p>')
    if now is not None and now.blocked_seconds > BLOCKED_SECONDS:
        lines.append(
            '<p class="note" role="status">Everything in the run had to wait for '
            f"{duration(now.blocked_seconds)}: the researcher, or a busy cell, kept "
            "Python to itself. In an <code>async def</code>, <code>await</code> what "
            "it waits for; or write it as a plain <code>def</code>, which runs in a "
            "thread.</p>"
        )
    return block("".join(lines)) if lines else ""


def _foreseen(of: Prospect, now: Progress) -> str:
    """Draws what the rest will take."""
    said = ""
    if of.estimate is not None:
        said = f"<p><b>{html.escape(str(of.estimate))}.</b></p>"
    return said if of.plan is None else said + _plan(of.plan, now.concurrency)


def _plan(plan: Plan, choice: Concurrency) -> str:
    """Draws a plan: a table, its row of the choice in bold, and what it means."""
    rows, modes = plan.written, plan.frame["mode"]
    chosen = (
        modes == AUTO
        if choice == AUTO
        else (modes != AUTO) & (plan.frame["concurrency"] == choice)
    )
    titles = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in rows[0])
    body = "".join(
        f"<tr{' class=chosen aria-current=true' if here else ''}>"
        + "".join(f"<td>{html.escape(each)}</td>" for each in row.values())
        + "</tr>"
        for row, here in zip(rows, chosen, strict=True)
    )
    ends = "".join(
        f"<p>{html.escape(each)}</p>" for each in (*plan.verdicts, *plan.notes)
    )
    return (
        f'<p class="quiet">{counted(plan.accounts, "account")} to go, from a sample of '
        f"{plan.sample:,}; each range holds in 80 of 100 cases.</p>"
        '<div class="sideways"><table class="plan" aria-label="Plan">'
        f"<tr>{titles}</tr>{body}</table></div>{ends}"
    )


def error(problem: BaseException) -> str:
    """Shows what went wrong in the panel itself."""
    text = html.escape(f"{problem}" or type(problem).__name__)
    return block(f'<p class="error" role="alert">{text}</p>')


def failures_head(failed: int, *, ran: bool) -> str:
    """Says how many failed."""
    if failed:
        return block(f"<p><b>{counted(failed, 'account')} failed.</b></p>")
    words = "No account has failed." if ran else "Nothing has run yet."
    return hint(words)


def cause(of: Cause, names: Sequence[str]) -> str:
    """Draws a group of failures: what was said, what it means, what to do, who."""
    more = len(of.positions) - len(names)
    whole = f"<p>{html.escape(of.example)}</p>" if of.example != of.title else ""
    who = ", ".join(map(html.escape, names)) + (f" and {more:,} more" if more else "")
    return block(
        f"<h4><span class='dot failed'></span>{html.escape(of.title)} "
        f"<span class='quiet'>({counted(len(of.positions), 'account')})</span></h4>"
        f"<p>{html.escape(of.meaning)} {html.escape(of.advice)}</p>"
        f"{whole}<p class='quiet'>{who}</p>"
    )


COMPARE = block(
    "<p>Researches a sample one by one, then several at a time, and keeps nothing. "
    "Beside what is measured stand the best that anyone could reach with these "
    "latencies, and batches that wait for their slowest account and then pause for "
    "half a second (less where the sandbox compresses time).</p>"
)


def comparing(levels: Sequence[int], done: int) -> str:
    """Says how far a comparison is."""
    now = "one by one" if levels[done] == 1 else f"{levels[done]} at once"
    words = f"Running {now} ({done + 1} of {len(levels)}) …"
    return block(f'<p role="status">{words}</p>')


def _bound(now: Progress, choice: Concurrency) -> str:
    """Says what bounds how many are in flight."""
    found = now.found_limit
    if choice != AUTO:
        return f"limit {choice}" if found is None else f"limit {choice}, {found} found"
    most = now.most or now.limit
    return f"auto, at most {most}" if found is None else f"auto, {found} found"


def _cost(now: Progress) -> str:
    said = f"{dollars(now.cost_usd)} spent"
    if now.budget_usd is not None:
        said = f"{dollars(now.cost_usd)} of {dollars(now.budget_usd)} spent"
    if now.ended or now.projected_cost_usd is None:
        return said
    return f"{said}, about {dollars(now.projected_cost_usd)} in all"


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
