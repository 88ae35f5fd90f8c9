"""The calls that are an account's own, from the attempts of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from sdr_kit.account import Attempt
from sdr_kit.schedules import Leg

NOT_ITS_OWN = ("rate_limited", "cancelled")


def legs_by_position(attempts: Sequence[Attempt]) -> dict[int, list[Leg]]:
    """Gives the calls of each account that are its own, with their waits.

    Refused calls are left out, as they say how the provider was asked and not how long
    an account takes, and so are cancelled ones. Before another try an account waits
    for as long as its own backoff lasted; what it spent in the queue then depends on
    how many run at once, and is left out.

    Args:
        attempts: By position and number.
    """
    legs: dict[int, list[Leg]] = {}
    for position, made in groupby(attempts, key=lambda each: each.position):
        own, ended = legs.setdefault(position, []), math.nan
        for each in made:
            if each.outcome not in NOT_ITS_OWN:
                wait = each.started - each.waited - ended if own else 0.0
                own.append((max(wait, 0.0), each.seconds))
            ended = each.started + each.seconds
    return legs
