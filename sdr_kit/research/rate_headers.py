"""What a provider says remains of its limits, in the headers of every answer.

Two forms are read, whoever sends them, because proxies mix them:

- `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, with a reset like `6m0s`,
  `20ms` or `1.5` (seconds), as OpenAI sends them;
- `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,
  reset}`, with a reset in RFC 3339.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from sdr_kit.account import RateLimits

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_Kind = Literal["limit", "remaining", "reset"]


def maybe_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Reads what remains; None when nothing is said that can be understood.

    Times are measured against the answer's own `Date`, when it has one.
    """
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    tokens = _scarcest_tokens(lower)
    limits = RateLimits(
        requests_limit=_number(_said(lower, "requests", "limit")),
        requests_remaining=_number(_said(lower, "requests", "remaining")),
        requests_reset_seconds=_until(_said(lower, "requests", "reset"), lower),
        tokens_limit=_number(_said(lower, tokens, "limit")),
        tokens_remaining=_number(_said(lower, tokens, "remaining")),
        tokens_reset_seconds=_until(_said(lower, tokens, "reset"), lower),
    )
    return limits or None


def _said(headers: Mapping[str, str], what: str, kind: _Kind) -> str | None:
    for name in (f"anthropic-ratelimit-{what}-{kind}", f"x-ratelimit-{kind}-{what}"):
        if name in headers:
            return headers[name].strip()
    return None


def _scarcest_tokens(headers: Mapping[str, str]) -> str:
    """Names the limit on tokens that binds: input and output may have one each."""
    shares = {}
    for what in ("tokens", "input-tokens", "output-tokens"):
        limit = _number(_said(headers, what, "limit"))
        left = _number(_said(headers, what, "remaining"))
        if limit and left is not None:
            shares[what] = left / limit
    return min(shares, key=shares.__getitem__, default="tokens")


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "nan")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _until(value: str | None, headers: Mapping[str, str]) -> float | None:
    """Gives seconds for a duration, a number of seconds, or a moment."""
    if not value:
        return None
    if (seconds := _number(value)) is not None:
        return seconds
    parts = _PART.findall(value)
    if parts and "".join(map("".join, parts)) == value:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        return seconds if seconds < math.inf else None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(moment.timestamp() - _now(headers), 0.0)
    except (ValueError, OverflowError):
        return None


def _now(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return time.time()
