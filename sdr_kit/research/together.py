"""Several briefs for the same accounts: asked one after another, answered as one.

What was answered is kept until the account has been answered whole. An attempt that
fails between two briefs has then paid for nothing in vain: the next one, of this run or
a later one, asks only for what is missing. Every answer goes into one result only. A
brief that fails for good keeps no other from being asked, and is not asked again while
the others have passing trouble.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdr_kit.account import Account, Evidence, Research
from sdr_kit.errors import Permanent, SdrKitError, SettingsError, Transient
from sdr_kit.research.brief import BRIEFS, Brief

BriefLike = str | Path | Brief  # a brief, its name, or its file


@dataclass(kw_only=True, slots=True)
class _Standing:
    """How far an account has come.

    Attributes:
        left: What is still to be asked, in this order.
        answers: What was answered, by the brief's name.
        failures: What failed for good, by the brief's name.
    """

    left: list[Brief]
    answers: dict[str, Research] = field(default_factory=dict)
    failures: dict[str, Permanent] = field(default_factory=dict)


class Together:
    """Asks several briefs about an account as if they were one.

    It keeps a few kilobytes for each account that failed halfway, as long as it lives.

    Args:
        briefs: What is asked, in this order.
    """

    def __init__(self, briefs: Sequence[Brief]) -> None:
        self._briefs = tuple(briefs)
        # By account: one for each run that failed halfway at it.
        self._kept: dict[tuple[object, ...], list[_Standing]] = {}

    def forgive(self) -> None:
        """Lets what failed for good be asked again: somebody wants another try."""
        for asked in (each for kept in self._kept.values() for each in kept):
            self._forgive(asked)

    async def research(
        self,
        account: Account,
        ask: Callable[[Brief], Awaitable[Research]],
    ) -> Research:
        """Researches what is missing, one brief at a time, and gives all of it.

        Args:
            account: Who it is about.
            ask: Asks one brief.

        Raises:
            Permanent: All were asked, and some failed for good. The message names
                them.
            Exception: Passing trouble, or an end of the run: at once.

        Each `SdrKitError` carries what was found so far, and so does the cause of a
        `CancelledError`.
        """
        asked = self._taken(account)
        try:
            await self._ask_all(asked, ask)
        except BaseException as error:
            if asked.answers or not isinstance(error, Permanent):
                self._kept.setdefault(_who(account), []).append(asked)
            if isinstance(error, SdrKitError) and asked.answers:
                error.about(found=self._merged(asked))
            elif isinstance(error, asyncio.CancelledError) and asked.answers:
                cut = Transient("it was cut off").about(found=self._merged(asked))
                raise error from cut
            raise
        return self._merged(asked)

    async def _ask_all(
        self, asked: _Standing, ask: Callable[[Brief], Awaitable[Research]]
    ) -> None:
        while asked.left:
            brief = asked.left.pop(0)
            try:
                asked.answers[brief.name] = await ask(brief)
            except Permanent as error:
                error.args = (f"{brief.name}: {error}",)
                asked.failures[brief.name] = error
            except BaseException:
                asked.left.append(brief)  # the others first: it may be its own fault
                raise
        if asked.failures:
            failed = list(asked.failures.values())
            failed[0].args = ("; ".join(map(str, failed)),)
            self._forgive(asked)
            raise failed[0]

    def _taken(self, account: Account) -> _Standing:
        kept = self._kept.get(_who(account), [])
        asked = kept.pop() if kept else _Standing(left=list(self._briefs))
        if not kept:
            self._kept.pop(_who(account), None)
        return asked

    def _forgive(self, asked: _Standing) -> None:
        asked.left += [each for each in self._briefs if each.name in asked.failures]
        asked.failures.clear()

    def _merged(self, asked: _Standing) -> Research:
        names = [each.name for each in self._briefs if each.name in asked.answers]
        return merged({name: asked.answers[name] for name in names})


def loaded(brief: BriefLike | Sequence[BriefLike]) -> tuple[Brief, ...]:
    """Reads one brief or several.

    Raises:
        SettingsError: There is none, one cannot be read, or two have the same name.
    """
    named = [brief] if isinstance(brief, str | Path | Brief) else brief
    briefs = tuple(
        each if isinstance(each, Brief) else Brief.load(each) for each in named
    )
    if not briefs:
        raise SettingsError(
            f"there is no brief to ask; name one or more, for instance {BRIEFS[0]!r}"
        )
    name, times = Counter(each.name for each in briefs).most_common(1)[0]
    if times > 1:
        raise SettingsError(
            f"{times} briefs are called {name!r}, so their columns would have the same "
            "names; leave one out or change its name"
        )
    return briefs


def merged(answers: Mapping[str, Research]) -> Research:
    """Makes one research of the answers to several briefs, at least one.

    Args:
        answers: By the brief's name.

    Returns:
        Its columns and the keys of its evidence are `<brief>.<field>`; `<brief>.tier`
        and `<brief>.priority_score` come before the brief's others. Its tier is the
        best one, its priority the highest that a brief with this tier gives. What the
        calls took is not in it.
    """
    fields: dict[str, object] = {}
    evidence: dict[str, tuple[Evidence, ...]] = {}
    for name, each in answers.items():
        scores = {"tier": each.tier, "priority_score": each.priority_score}
        columns = {**scores, **each.fields}
        fields |= {f"{name}.{column}": value for column, value in columns.items()}
        evidence |= {f"{name}.{of}": proofs for of, proofs in each.evidence.items()}
    tier = min(filter(None, (each.tier for each in answers.values())), default=None)
    with_it = [each for each in answers.values() if each.tier == tier]
    priorities = filter(None, (each.priority_score for each in with_it))
    return Research(
        fields=fields,
        tier=tier,
        priority_score=max(priorities, default=None),
        evidence=evidence,
    )


def _who(account: Account) -> tuple[object, ...]:
    """Tells accounts apart: by what a model is told, and by their place in a list.

    The other columns may hold anything, also what is unlike itself (NaN).
    """
    told = (account.company_name, account.domain, account.industry)
    return (account.position, *told)
