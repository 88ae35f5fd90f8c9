"""From how many at once on more of them only make each slower.

The time of an answer is fitted as alpha + gamma n², with n how many were in flight when
it began. What gets done, n ÷ time, is then highest at n = √(alpha ÷ gamma), and falls
beyond. Times scatter in proportion, so squares are weighed by 1 ÷ the fitted time². Old
answers fade.

To look at calls that are still out as well, and take those that are late for slow, was
tried: it stops starts while the slow ones drain, and what is lost by that is more than
what is won by knowing sooner.
"""

from __future__ import annotations

import math
from collections import Counter

# While nothing is known. A lower one costs where there is no knee, a higher one where
# there is one, both in the first round of answers; here the two are about even.
FIRST_LIMIT = 32
SIGNIFICANT = 2.5  # gamma must be so many times its standard error
LENIENCE = 1.0  # by so many standard errors gamma is taken to be smaller
MARGIN = 0.9  # of the best, where next to nothing is lost and each answer comes sooner
GROWTH = 1.01  # of the limit with each answer, while gamma is not significant
HIGHEST = 1_000.0
MEMORY = 600  # answers
# Answers before anything is said, and before there may be a knee: who looks for one
# after each answer finds one by chance sooner or later, and soonest among the first.
LEAST, LEAST_FOUND = 8, 20
# A knee is believed where answers have begun so far beyond it: while something else
# keeps the number low, chance alone may look like one just above.
BEYOND = 1.2
LEAST_BELOW = 4  # answers that have begun below it: fewer are alike by chance


class Knee:
    """Bounds how many are in flight by how long answers take.

    Args:
        known: The limit that an earlier run found; None when it found none.
        harmless: So many at once did not make any slower in that.

    Attributes:
        limit: So many at once get most done; large when more do no harm.
        confirmed: Whether answers show that there is a knee, or that there is none as
            far as they go; None is neither.
    """

    def __init__(self, known: int | None = None, harmless: int | None = None) -> None:
        self.limit: float = known or max(FIRST_LIMIT, harmless or 0)
        self.confirmed: bool | None = None
        self._known, self._harmless = known, harmless
        self._sums: tuple[float, ...] = (0.0,) * 6  # of w, wx, wxx, wy, wxy, wyy
        self._alpha, self._gamma = 0.0, 0.0
        self._seen = 0.0
        self._reached = 0  # the highest n of an answer
        self._begun: Counter[int] = Counter()  # answers by their n

    def answered(self, number: int, seconds: float) -> None:
        """Notes how long an answer took that began as the n-th in flight."""
        x, y = number * number, seconds
        w = 1 / max(self._alpha + self._gamma * x or y, 1e-9) ** 2
        fade = 1 - 1 / MEMORY
        new = (w, w * x, w * x * x, w * y, w * x * y, w * y * y)
        self._sums = tuple(fade * a + b for a, b in zip(self._sums, new, strict=True))
        self._seen = fade * self._seen + 1
        self._reached = max(self._reached, number)
        self._begun[number] += 1
        if self._seen >= LEAST:
            self._decide()

    @property
    def at(self) -> int | None:
        """From more than so many on each is slower; None where no knee is known."""
        if self.confirmed is None:
            return self._known
        return math.floor(self.limit) if self.confirmed else None

    @property
    def harmless(self) -> int | None:
        """So many at once have made none slower; None when that is not known."""
        if self.confirmed is None:
            return self._harmless
        return None if self.confirmed else max(self._reached, self._harmless or 0)

    def _decide(self) -> None:
        alpha, gamma, error = self._fit()
        limit = self._maybe_limit(alpha, gamma, error)
        if limit is not None:
            self._alpha, self._gamma, self.limit = alpha, gamma, limit
            self.confirmed = True
            return
        if self._seen >= LEAST_FOUND and self._reached > BEYOND * (self._known or 0):
            self.confirmed = False
        # What it may still be, at worst, bounds how far to go before more is known.
        self._alpha, self._gamma = self._sums[3] / self._sums[0], 0.0
        worst = gamma + SIGNIFICANT * error
        sure = MARGIN * math.sqrt(self._alpha / worst) if worst > 0 else HIGHEST
        self.limit = min(max(GROWTH * self.limit, sure), HIGHEST)

    def _maybe_limit(self, alpha: float, gamma: float, error: float) -> float | None:
        """Gives the limit that a fit speaks for; None when it is not to be believed."""
        significant = gamma > SIGNIFICANT * error and alpha > 0
        if self._seen < LEAST_FOUND or not significant:
            return None
        limit = MARGIN * math.sqrt(alpha / (gamma - LENIENCE * error))
        if limit * BEYOND > self._reached:
            return None
        below = sum(self._begun[number] for number in range(1, math.floor(limit) + 1))
        return max(1.0, limit) if below >= LEAST_BELOW else None

    def _fit(self) -> tuple[float, float, float]:
        """Gives alpha, gamma and its standard error, by weighted least squares."""
        s, sx, sxx, sy, sxy, syy = self._sums
        spread = s * sxx - sx * sx
        if spread <= 1e-9 * s * sxx:  # always as many in flight: nothing to compare
            return sy / s, 0.0, math.inf
        gamma = (s * sxy - sx * sy) / spread
        alpha = (sy - gamma * sx) / s
        rest = max(syy - alpha * sy - gamma * sxy, 0.0) / max(self._seen - 2, 1)
        return alpha, gamma, math.sqrt(rest * s / spread)
