"""How long to wait before another try."""

from __future__ import annotations

import random

import tenacity


class Backoff:
    """How long to wait before try n: exponential, capped, with full jitter.

    Args:
        initial: Upper end of the first wait, in seconds; it doubles each time.
        maximum: Where the doubling ends, in seconds.
        rng: Where the jitter comes from; pass a seeded one to replay a run.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, *, initial: float, maximum: float, rng: random.Random) -> None:
        self._ceiling = tenacity.wait_exponential(multiplier=initial, max=maximum)
        self._rng = rng

    def ceiling(self, tries: int) -> float:
        """Gives the longest wait after this many tries, in seconds."""
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = tries
        return float(self._ceiling(state))

    def jittered(self, tries: int) -> float:
        """Draws a wait from 0 to the ceiling, in seconds."""
        return self._rng.uniform(0, self.ceiling(tries))
