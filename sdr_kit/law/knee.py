"""From how many at once on more of them only make each slower.

The time of an answer is fitted as α + γ n², with n how many were in flight when it
began. What gets done, n ÷ time, is then highest at n = √(α ÷ γ), and falls beyond. An
answer says more the quicker it was to be expected (times scatter in proportion), so
squares are weighed by 1 ÷ the fitted time². Calls still out count with their age once
that is more than was expected of them. Old observations fade.
"""

from __future__ import annotations

import math

FIRST_LIMIT = 36  # while nothing is known
SIGNIFICANT = 2.5  # γ must be so many times its standard error
MARGIN = 0.9
MEMORY = 600  # answers
LENIENCE = 1.0  # standard errors that γ is taken to be smaller
GROWTH = 1.01  # of the limit with each answer, while γ is not significant
LEAST = 8  # answers before anything is said


class Knee:
    """Bounds how many are in flight by how long answers take.

    Attributes:
        limit: So many at once get most done; infinity when more do no harm.
    """

    def __init__(self) -> None:
        self.limit: float = FIRST_LIMIT
        self._sums = [0.0] * 6  # of w, wx, wxx, wy, wxy, wyy
        self._fit = (0.0, 0.0)
        self._seen = 0

    def answered(self, number: int, seconds: float) -> None:
        """Notes how long an answer took that began as the n-th in flight."""
        self._seen += 1
        alpha, gamma = self._fit
        x = number * number
        expected = alpha + gamma * x if alpha else seconds
        w = 1 / max(expected, 1e-9) ** 2
        fade = 1 - 1 / MEMORY
        for i, value in enumerate(
            (w, w * x, w * x * x, w * seconds, w * x * seconds, w * seconds * seconds)
        ):
            self._sums[i] = fade * self._sums[i] + value
        if self._seen >= LEAST:
            self._decide()

    def _decide(self) -> None:
        s, sx, sxx, sy, sxy, syy = self._sums
        spread = s * sxx - sx * sx
        if spread <= 1e-9 * s * sxx:
            self._fit = (sy / s, 0.0)
            return
        gamma = (s * sxy - sx * sy) / spread
        alpha = (sy - gamma * sx) / s
        seen = min(self._seen, MEMORY)
        rest = max(syy - alpha * sy - gamma * sxy, 0.0) / s * seen / max(seen - 2, 1)
        error = math.sqrt(rest * s / spread * s / seen)
        if gamma > SIGNIFICANT * error and alpha > 0:
            self._fit = (alpha, gamma)
            self.limit = max(1.0, MARGIN * math.sqrt(alpha / (gamma - LENIENCE * error)))
            return
        # What it may still be, at worst, bounds how far to go before more is known.
        self._fit = (sy / s, 0.0)
        worst = gamma + SIGNIFICANT * error
        sure = MARGIN * math.sqrt(self._fit[0] / worst) if worst > 0 else math.inf
        self.limit = max(GROWTH * self.limit, sure)
