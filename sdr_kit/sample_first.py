"""The sample that comes first, if one was asked for; then the run asks."""

from __future__ import annotations

from collections.abc import Sequence

from sdr_kit.account import Account
from sdr_kit.words import counted


class SampleFirst:
    """A list of which a part is researched before the run asks about the others.

    Args:
        accounts: The list, the sample in front.
        size: How many are the sample; 0 is none: all come first.

    Attributes:
        first: Those to begin with.
        others: Those to go on with once somebody agrees; empty from then on.
    """

    def __init__(self, accounts: Sequence[Account], size: int) -> None:
        self.first = accounts[:size] if size else accounts
        self.others: Sequence[Account] = accounts[size:] if size else ()

    @property
    def unasked(self) -> frozenset[int]:
        """Positions of the sample, until the run has asked whether to go on."""
        return frozenset(each.position for each in self.first if self.others)

    def take_others(self) -> Sequence[Account]:
        """Gives the others, and is done."""
        others, self.others = self.others, ()
        return others

    def question(self, done: int) -> str:
        """Asks whether to go on with the others.

        Args:
            done: How large the sample is, with what an earlier run has done of it.
        """
        left = counted(len(self.others), "account")
        sample = counted(done, "account")
        return f"A sample of {sample} is done. Go on with the other {left}?"

    def said(self, size: int) -> str | None:
        """Says that a sample comes first, while it does; `size` is as `question`'s."""
        if not self.others:
            return None
        return (
            f"A sample of {counted(size, 'account')} comes first. Then "
            f"the run asks before it goes on with the other {len(self.others):,}."
        )
