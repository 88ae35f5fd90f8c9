"""In which order accounts are worked on."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from sdr_kit.account import Account
from sdr_kit.errors import Verdict
from sdr_kit.worker import Work

# By position: how many calls an account has had without a result, and their seconds.
Tried = Mapping[int, tuple[int, float]]
NOTHING_TRIED: Tried = MappingProxyType({})


class Feed:
    """Hands out accounts: those due for another try first, then the untouched.

    Args:
        accounts: The list, in its order.
        now: Since when all of them could start, on the run's clock.
        tried: What an earlier run of the same list has tried.
    """

    def __init__(
        self, accounts: Sequence[Account], *, now: float, tried: Tried = NOTHING_TRIED
    ) -> None:
        self._untouched: Iterator[Account] = iter(accounts)
        self._left = len(accounts)
        self._began = now
        self._retries: list[tuple[float, int, Work]] = []  # a heap by due time
        self._parked: list[tuple[Work, Verdict]] = []
        self._order = itertools.count()  # accounts due together keep their order
        if tried:
            self._take_up(accounts, tried)

    def _take_up(self, accounts: Sequence[Account], tried: Tried) -> None:
        """Takes those that have been tried out of the untouched."""
        self._untouched = (each for each in accounts if each.position not in tried)
        for account in accounts:
            if account.position in tried:
                attempts, seconds = tried[account.position]
                now = self._began
                work = Work(
                    account=account, ready_at=now, attempts=attempts, seconds=seconds
                )
                self.put_back(work, due=now)
                self._left -= 1

    def begin(self, now: float) -> None:
        """Sets since when all of them could start: the run has begun only now."""
        self._began = now
        for _, _, work in self._retries:
            work.ready_at = now
        self._retries = [(now, order, work) for _, order, work in self._retries]

    def extend(self, accounts: Sequence[Account]) -> None:
        """Takes more untouched accounts, behind those it has."""
        self._untouched = itertools.chain(self._untouched, accounts)
        self._left += len(accounts)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to hand out, but for what is parked."""
        return not self._left and not self._retries

    @property
    def waiting(self) -> int:
        """How many accounts wait for another try."""
        return len(self._retries) + len(self._parked)

    @property
    def any_parked(self) -> bool:
        """Whether an account is parked."""
        return bool(self._parked)

    def maybe_next(self, now: float) -> Work | None:
        """Takes the next account; None when none is ready."""
        if self._retries and self._retries[0][0] <= now:
            return heapq.heappop(self._retries)[2]
        if self._left:
            self._left -= 1
            return Work(account=next(self._untouched), ready_at=self._began)
        return None

    def seconds_to_next(self, now: float) -> float:
        """Gives the time until an account is ready; infinity when none will be."""
        return self._retries[0][0] - now if self._retries else math.inf

    def put_back(self, work: Work, *, due: float) -> None:
        """Keeps an account for another try, not before it is due."""
        work.ready_at = due
        heapq.heappush(self._retries, (due, next(self._order), work))

    def park(self, work: Work, verdict: Verdict) -> None:
        """Keeps an account that has no tries left until the provider has answered.

        Only then is it known whose fault it was: if others are answered, its own; if
        it turns out that the provider is down, `forgive` brings it back.
        """
        self._parked.append((work, verdict))

    def take_parked(self) -> list[tuple[Work, Verdict]]:
        """Gives the parked accounts with their last failure, and forgets them."""
        parked, self._parked = self._parked, []
        return parked

    def forgive(self, now: float) -> None:
        """Gives the waiting accounts all their tries back.

        They failed because the provider was down, or waited because the run was
        paused; neither is theirs.
        """
        for work, _ in self.take_parked():
            self.put_back(work, due=now)
        for _, _, work in self._retries:
            work.retries = 0
            work.refused_since, work.refusals = None, 0
