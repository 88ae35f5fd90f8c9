"""A run as one HTML file: what it came to, as numbers, charts, failures and accounts.

The file opens offline, on a phone or from a mail: Plotly's script and the style stand
in it, and a policy in its head forbids every request and every script but the two that
are named there by their hash. Without scripts all but the charts is there. What
strangers wrote, a model, a page or a list, is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from sdr_kit.account import maybe_web_address
from sdr_kit.causes import Cause, group_failures
from sdr_kit.charts import coverage_figure, latency_figure, run_figure, tiers_figure
from sdr_kit.coverage import field_of, research_columns
from sdr_kit.findings import Findings, Story
from sdr_kit.progress import RunSummary
from sdr_kit.results import attempts_frame
from sdr_kit.words import counted, dollars, duration, said

ACCOUNTS_SHOWN = 1_000  # at 10 fields each with a source that is 3 MB of table
CAUSES_SHOWN = 50
NAMES_SHOWN = 10
WORDS_SHOWN = 400  # characters of a value; the other exports have it whole
SOURCES_SHOWN = 5  # of a value

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "report.css").read_text("utf-8")
_DRAW = (_FOLDER / "report.js").read_text("utf-8")
_PAGE = string.Template((_FOLDER / "report.html").read_text("utf-8"))
# What a browser would take for the end of the data, or for the beginning of markup.
_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

KEPT = (
    "A sandbox invented every answer in this report. Nothing of it is true of these "
    "companies."
)
LEFT_OUT = (
    "A sandbox was asked, and what it says is invented, so its answers are left out. "
    "What failed and what people set is here."
)


def report(findings: Findings, story: Story, *, now: datetime | None = None) -> bytes:
    """Writes a run as an HTML file that needs nothing beside it.

    It has the summary, the charts, the failures by cause, and the `ACCOUNTS_SHOWN`
    accounts of the highest priority with their sources.

    Args:
        findings: What is told of it.
        story: How it went.
        now: What it says of when it was written; None is now.
    """
    frame, evidence = findings.frame, findings.evidence
    plotly = get_plotlyjs()
    page = _PAGE.substitute(
        policy=_policy(plotly, _DRAW),
        title=_escaped(f"Account research: {findings.accounts.source}"),
        style=_STYLE,
        about=_about(story, now or datetime.now().astimezone()),
        notices=_notices(findings, story.summary),
        summary=_summary(story.summary),
        charts=_charts(_figures(story, frame, evidence)),
        failures=_failures(findings),
        accounts=_accounts(frame, evidence),
        plotly=plotly,
        draw=_DRAW,
    )
    return page.encode("utf-8", "replace")


def _policy(*scripts: str) -> str:
    """Forbids whatever the page does not need: all requests, all other scripts."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _about(story: Story, now: datetime) -> str:
    parts = [
        f"job {story.job_id}",
        f"asked: {story.asked}",
        f"brief: {', '.join(story.briefs)}" if story.briefs else "",
        f"written {now:%Y-%m-%d %H:%M %Z}",
    ]
    return _escaped(" · ".join(filter(None, parts)))


def _notices(findings: Findings, summary: RunSummary) -> str:
    words = list(summary.notices)
    if findings.left_out:
        words.insert(0, LEFT_OUT)
    elif findings.synthetic:
        words.insert(0, KEPT)
    if summary.stopped:
        words.append(f"Stopped early: {summary.stopped}")
    return "".join(f'<p class="note">{_escaped(each)}</p>' for each in words)


def _summary(told: RunSummary) -> str:
    usage = told.usage
    numbers = {
        "accounts": f"{told.total:,}",
        "completed": f"{told.completed:,}",
        "failed": f"{told.failed:,}",
        "pending": f"{told.pending:,}" if told.pending else "",
        "reused": f"{told.reused:,}",
        "time": duration(told.seconds),
        "accounts a minute": f"{told.accounts_per_minute:,.0f}",
        "speedup": f"{told.speedup:.1f}×",
        "retries": f"{told.retries:,}",
        "cost": _cost(told),
        "tokens read": f"{usage.input_tokens:,}" if usage.input_tokens else "",
        "tokens written": f"{usage.output_tokens:,}" if usage.output_tokens else "",
        "web searches": f"{usage.searches:,}" if usage.searches else "",
    }
    return "".join(
        f"<div><dt>{name}</dt><dd>{number}</dd></div>"
        for name, number in numbers.items()
        if number
    )


def _cost(told: RunSummary) -> str:
    """Writes what the run cost; `""` where nothing says that it cost anything."""
    if told.cost_usd:
        return dollars(told.cost_usd)
    return "not known" if told.usage.input_tokens else ""


def _figures(
    story: Story, frame: pd.DataFrame, evidence: pd.DataFrame
) -> Iterator[go.Figure]:
    """Gives the charts that have something to show."""
    if frame[["tier", "priority_score"]].notna().any(axis=None):
        yield tiers_figure(frame)
    if len(evidence):
        yield coverage_figure(frame, evidence)
    if story.history:
        yield run_figure(story.history)
    if story.attempts:
        yield latency_figure(attempts_frame(story.attempts))


def _charts(figures: Iterable[go.Figure]) -> str:
    return "".join(
        f'<div class="chart" style="height: {figure.layout.height}px">'
        '<script type="application/json">'
        f"{str(figure.to_json()).translate(_IN_SCRIPT)}</script></div>"
        for figure in figures
    )


def _failures(findings: Findings) -> str:
    names = findings.accounts.frame["company_name"].tolist()
    failed = [each for each in findings.outcomes if each.status == "failed"]
    causes = group_failures(failed, names=names)
    if not causes:
        return ""
    shown = "".join(_cause(cause, names) for cause in causes[:CAUSES_SHOWN])
    more = len(causes) - CAUSES_SHOWN
    shown += f"<p>and {counted(more, 'more cause')}</p>" if more > 0 else ""
    return f"<h2>{counted(len(failed), 'account')} failed</h2>{shown}"


def _cause(cause: Cause, names: Sequence[str]) -> str:
    some = ", ".join(names[place] for place in cause.positions[:NAMES_SHOWN])
    more = len(cause.positions) - NAMES_SHOWN
    some += f" and {more:,} more" if more > 0 else ""
    whole = _escaped(cause.example) if cause.example != cause.title else ""
    return (
        f'<section class="cause"><h3>{_escaped(cause.title)} '
        f"<small>{counted(len(cause.positions), 'account')}</small></h3>"
        f"<p>{_escaped(cause.meaning)} {_escaped(cause.advice)}</p>"
        f'<p>{whole}</p><p class="quiet">{_escaped(some)}</p></section>'
    )


def _accounts(frame: pd.DataFrame, evidence: pd.DataFrame) -> str:
    """Draws the accounts, highest priority first."""
    numbered = frame.reset_index(drop=True)
    first = numbered.sort_values(
        ["priority_score", "tier"], ascending=[False, True], kind="stable"
    ).head(ACCOUNTS_SHOWN)
    proofs = _sources(evidence[evidence["position"].isin(first.index)])
    asked = [name for _, name in research_columns(frame)]
    rows = "".join(
        _account(row, asked, proofs.get(position, {}))
        for position, row in zip(first.index, first.to_dict("records"), strict=True)
    )
    heads = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Account", "Tier", "Priority", "Status", "Owner", "Research")
    )
    left = len(frame) - len(first)
    title = f"{counted(len(frame), 'account')}, highest priority first"
    more = ""
    if left:
        more = (
            f'<p class="note">The first {len(first):,} of {len(frame):,} are shown; '
            "an export as CSV or Excel has all of them.</p>"
        )
    return (
        f'<h2>{title}</h2>{more}<table aria-label="Accounts"><thead><tr>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _account(
    row: Mapping[Any, Any], asked: Sequence[str], proofs: Mapping[str, Sequence[str]]
) -> str:
    scores = "".join(
        f'<td class="{name}">{_escaped(said(row[column]))}</td>'
        for name, column in (
            ("tier", "tier"),
            ("priority", "priority_score"),
            ("status", "status"),
            ("owner", "owner"),
        )
    )
    facts = {
        name: _escaped(_cut(words)) + "".join(proofs.get(field_of(name, proofs), ()))
        for name in asked
        if (words := said(row[name]))
    }
    for name, column in (("went wrong", "error_message"), ("notes", "notes")):
        if words := said(row.get(column)):
            facts[name] = _escaped(_cut(words))
    told = "".join(
        f"<div><dt>{_escaped(_label(name))}</dt><dd>{inner}</dd></div>"
        for name, inner in facts.items()
    )
    return (
        f'<tr><th scope="row">{_escaped(said(row["company_name"]))}'
        f"<small>{_escaped(said(row['domain']))}</small></th>{scores}"
        f"<td><dl>{told}</dl></td></tr>\n"
    )


def _sources(evidence: pd.DataFrame) -> dict[int, dict[str, list[str]]]:
    """Draws the links of each field, by position."""
    links: dict[int, dict[str, dict[str, str]]] = {}
    rows = evidence[["position", "field", "source"]].itertuples(index=False)
    for position, field, source in rows:
        address = maybe_web_address(said(source))
        of_field = links.setdefault(position, {}).setdefault(field, {})
        if address and len(of_field) < SOURCES_SHOWN:
            of_field[address] = _link(address)
    return {
        position: {field: list(found.values()) for field, found in fields.items()}
        for position, fields in links.items()
    }


def _link(address: str) -> str:
    """Draws a link to a page under the name of its host."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # looks like an address of IPv6 and is none
        return ""
    shown = "".join(sign for sign in host.removeprefix("www.") if sign.isprintable())
    whole = _escaped(address)
    return (
        f' <a href="{whole}" title="{whole}" target="_blank" '
        f'rel="noopener noreferrer nofollow">{_escaped(shown)}</a>'
    )


def _escaped(text: str) -> str:
    """Makes text from outside fit for a page: nothing in it is markup."""
    return html.escape(_CONTROLS.sub("", text))


def _cut(words: str) -> str:
    return words if len(words) <= WORDS_SHOWN else f"{words[: WORDS_SHOWN - 1]}…"


def _label(name: str) -> str:
    return name.replace("_", " ")
