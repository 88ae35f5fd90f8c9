"""What was found about an account, as HTML: each value, and what it rests on.

All of it was written by strangers, a model or a page, and is escaped; only an address
that `Evidence` has let through becomes a link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from sdr_kit.account import Evidence, Research
from sdr_kit.coverage import is_fact
from sdr_kit.words import said

ADDRESS_SHOWN = 60  # characters of an address; the whole of it is in the link's title
_BARE = '<span class="quiet">no source</span>'


def findings(research: Research) -> str:
    """Draws what was found, in one table, or one a brief when each field names one."""
    scores = {"tier": research.tier, "priority_score": research.priority_score}
    if not all(_brief_of(name) for name in research.fields):
        return facts("Research", scores | dict(research.fields), research.evidence)
    shown = facts("Research", scores)
    by_brief = sorted(research.fields, key=_brief_of)  # keeps their order otherwise
    for brief, names in groupby(by_brief, _brief_of):
        asked = {name: research.fields[name] for name in names}
        shown += facts(brief, asked, research.evidence, inside=brief)
    return shown


def facts(
    title: str,
    values: Mapping[str, object],
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
    *,
    inside: str = "",
) -> str:
    """Draws values by their names, those that are known.

    Args:
        title: What stands above them; it is escaped.
        values: By name.
        evidence: By name, what the values rest on. Where there is any, a fact without
            it says so.
        inside: A brief, whose name is left out of the names.
    """
    known = {name: words for name, value in values.items() if (words := said(value))}
    if not known:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{_label(name.removeprefix(f'{inside}.'))}</th>"
        f"<td>{html.escape(words)}{_proofs(name, evidence or {})}</td></tr>"
        for name, words in known.items()
    )
    title, level = html.escape(title), "h5" if inside else "h4"
    return (
        f"<{level}>{title}</{level}>"
        f'<table class="facts" aria-label="{title}">{rows}</table>'
    )


def _brief_of(name: str) -> str:
    return name.partition(".")[0] if "." in name else ""


def _label(name: str) -> str:
    return html.escape(name.replace("_", " "))


def _proofs(name: str, evidence: Mapping[str, Sequence[Evidence]]) -> str:
    """Draws a line for each piece; `evidence` is that of all fields."""
    if not evidence or (name not in evidence and not is_fact(name)):
        return ""
    lines = map(_proof, evidence[name]) if evidence.get(name) else [_BARE]
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f'<ul class="proofs">{items}</ul>'


def _proof(piece: Evidence) -> str:
    parts = [_link(piece.source) if piece.source else _BARE]
    if piece.quote.strip():
        parts.append(f"<q>{html.escape(piece.quote)}</q>")
    sure = "" if piece.confidence is None else f"{100 * piece.confidence:.0f} % sure, "
    parts.append(f'<span class="quiet">{sure}{piece.at[:10]}</span>')
    return " ".join(parts)


def _link(address: str) -> str:
    """Draws a link to a page: its title is the whole address."""
    whole = html.escape(_visible(address))
    return (
        f'<a href="{html.escape(address)}" title="{whole}" target="_blank" '
        f'rel="noopener noreferrer nofollow">{html.escape(_short(address))}</a>'
    )


def _short(address: str) -> str:
    """Gives the host and path; what stands before an @ only looks like a host."""
    host, slash, path = re.split(r"[?#]", address.partition("//")[2])[0].partition("/")
    host = host.rpartition("@")[2].removeprefix("www.")
    short = _visible(f"{host}{slash}{path}").rstrip("/")
    return short if len(short) <= ADDRESS_SHOWN else f"{short[: ADDRESS_SHOWN - 1]}…"


def _visible(address: str) -> str:
    """Leaves out what cannot be seen and could turn the rest around."""
    return "".join(sign for sign in address if sign.isprintable())
