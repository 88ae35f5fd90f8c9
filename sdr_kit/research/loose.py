"""Reads the JSON of strangers: every step gives something, whatever is there.

Providers add fields, leave some out, and send null where an object should be;
"compatible" ones do worse. A value of the wrong kind counts as absent.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard


def table(value: object) -> dict[str, Any]:
    """Gives an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[dict[str, Any]]:
    """Gives the objects of a list."""
    return [each for each in value if isinstance(each, dict)] if listed(value) else []


def listed(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a list at all."""
    return isinstance(value, list)


def words(value: object) -> str:
    """Gives a text; a number, as some send for a code, is one too."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole and -(10**9) < value < 10**9 else ""  # type: ignore[operator]


def count(value: object) -> int:
    """Gives a whole number from 0; what cannot be one is 0."""
    return int(amount(value) or 0)


def amount(value: object) -> float | None:
    """Gives a number from 0 to 10¹², or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1e12 and math.isfinite(value) else None
