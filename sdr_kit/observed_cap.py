"""How many calls at once a provider takes, as far as some attempts tell.

One refusal may have any reason. A cap shows when calls are refused again and again that
would have been one too many, and none of those was taken. Pure.
"""

from __future__ import annotations

import numpy as np

from sdr_kit.at_once import AtOnce

BURSTS = 2  # of refusals above the cap, at least
_ABOVE = 0.8  # such a share of all refusals is above the cap, at least


def maybe_cap(calls: AtOnce, *, learned: int | None) -> int | None:
    """Gives how many at once the provider takes; None: nothing says.

    Args:
        calls: Those of a run.
        learned: What was learned of it, in this run or before. It is taken as it is
            where nothing was refused, and else only when these refusals show it too.
    """
    cap = calls.most if learned is None else learned
    if not calls.refused.any():
        return learned if cap >= calls.most else None
    above = calls.number > cap
    refused = calls.refused & above
    bursts = len(np.unique(calls.burst[refused]))
    taken = int((above & ~calls.refused).sum())
    shown = bursts >= BURSTS and taken < refused.sum()
    return cap if shown and refused.sum() >= _ABOVE * calls.refused.sum() else None
