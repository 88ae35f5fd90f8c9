"""How numbers and values are written for people; and how times are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from sdr_kit.plain import plain

_TIME = re.compile(r"(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+)\s*s)?")


def counted(number: int, noun: str) -> str:
    """Writes a number with its noun: `1 account`, `2,000 accounts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Writes a time as a person says it: `8.4 s`, `12 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def time_span(text: str, *, alone: float = 1.0) -> float:
    """Reads a time like `2h`, `1 h 30 min` or `90s`, in seconds.

    Args:
        text: What a person has written.
        alone: What a number without a unit counts, in seconds.

    Raises:
        ValueError: It is no time; the message does not say what may be written.
    """
    written = text.strip()
    parts = _TIME.fullmatch(written)
    if written and parts:
        hours, minutes, seconds = (int(part or 0) for part in parts.groups())
        return 3_600.0 * hours + 60 * minutes + seconds
    try:
        return alone * float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None


def dollars(usd: float) -> str:
    """Writes US dollars: `$0.0042`, `$0.42`, `$4.20`, `$38`, `$1,240`."""
    return f"${_amount(usd, usd)}"


def dollars_between(low: float, high: float) -> str:
    """Writes a range of US dollars, both ends alike: `$38 to $51`."""
    return between(f"${_amount(low, high)}", f"${_amount(high, high)}")


def between(low: str, high: str) -> str:
    """Writes a range by its two ends: `2 h to 3 h`; one of them when they are alike."""
    return low if low == high else f"{low} to {high}"


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


def _amount(usd: float, scale: float) -> str:
    """Writes an amount as exactly as one of that size is worth being written."""
    if scale >= 20 or usd == 0:
        return f"{usd:,.0f}"
    if scale >= 0.0995:
        return f"{usd:,.2f}"
    return f"{Decimal(f'{usd:.2g}'):f}"  # a float would be written as 1e-05
