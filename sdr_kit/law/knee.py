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
MEMORY = 300  # answers
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
        d = s * sxx - sx * sx
        if d <= 1e-9 * s * sxx:
            self._fit = (sy / s, 0.0)
            self.limit = FIRST_LIMIT if self._seen < 2 * FIRST_LIMIT else math.inf
            return
        gamma = (s * sxy - sx * sy) / d
        alpha = (sy - gamma * sx) / s
        seen = min(self._seen, MEMORY)
        rest = max(syy - alpha * sy - gamma * sxy, 0.0) / s * seen / max(seen - 2, 1)
        error = math.sqrt(rest * s / d * s / seen)
        if gamma <= SIGNIFICANT * error or alpha <= 0:
            # What it may still be, at worst, bounds how far to go before more is known.
            self._fit = (sy / s, 0.0)
            worst = gamma + SIGNIFICANT * error
            sure = MARGIN * math.sqrt(self._fit[0] / worst) if worst > 0 else math.inf
            self.limit = max(FIRST_LIMIT, sure)
            return
        self._fit = (alpha, gamma)
        self.limit = max(1.0, MARGIN * math.sqrt(alpha / (gamma - error)))
