"""From how many calls at once on more only make each slower, held against a run.

A knee is found by statistics, and now and then by chance. A run that had more at once
must show it too: more than a few calls on either side, and no more done beyond. Pure.
"""

from __future__ import annotations

from sdr_kit.at_once import AtOnce

LEAST = 10  # calls on either side of the knee to go by
MORE = 1.1  # so many times as much done beyond the knee: there is none


def maybe_knee(calls: AtOnce, *, learned: int | None) -> int | None:
    """Gives the knee that was learned, unless a run went beyond it and shows none."""
    if learned is None:
        return None
    seconds, taken = calls.ended - calls.started, ~calls.refused
    beyond, below = taken & (calls.number > learned), taken & (calls.number <= learned)
    if not beyond.any():
        return learned
    done_beyond = calls.number[beyond].sum() * seconds[below].sum()
    done_below = calls.number[below].sum() * seconds[beyond].sum()
    few = min(below.sum(), beyond.sum()) < LEAST
    return None if few or done_beyond > MORE * done_below else learned
