"""How numbers are written for people, everywhere the same."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Writes a number with its noun: `1 account`, `2,000 accounts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Writes a time as a person says it: `8.4 s`, `12 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
