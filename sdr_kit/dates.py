"""The wall clock as it is written down: ISO 8601 in UTC, which sorts as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Gives this moment, to the millisecond."""
    return _written(datetime.now(UTC))


def days_ago(days: float) -> str:
    """Gives the moment so many days ago."""
    return _written(datetime.now(UTC) - timedelta(days=days))


def seconds_of(written: str) -> float:
    """Gives a moment that was written down in seconds since 1970."""
    return datetime.fromisoformat(written).timestamp()


def local(written: str) -> str:
    """Writes a moment as the clock on the wall shows it: `2026-11-24 09:30`."""
    return f"{datetime.fromisoformat(written).astimezone():%Y-%m-%d %H:%M}"


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
