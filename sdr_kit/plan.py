"""What a caller asked for: checked before anything is opened, then made an engine."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Iterable, Set
from weakref import WeakValueDictionary

from sdr_kit.account import Account, Edit
from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.dates import days_ago
from sdr_kit.engine import Engine
from sdr_kit.fingerprint import fingerprint_of, terms_of
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.memory_store import MemoryStore
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, open_store
from sdr_kit.tally import Tally
from sdr_kit.worker import Researcher, check_researcher

# By store and job, as long as somebody has them: so a job can be gone on with.
_researchers: WeakValueDictionary[tuple[str, int], Researcher] = WeakValueDictionary()


class Plan:
    """A job, from the call that asks for it to the engines that work on it."""

    def __init__(
        self,
        accounts: Accounts,
        researcher: Researcher,
        mode: str | None,
        concurrency: int | None,
        store: AnyStore | str | None,
        settings: Settings | None,
        budget_usd: float | None = None,
        *,
        refresh: bool = False,
    ) -> None:
        self.accounts = check_accounts(accounts)
        self.researcher = check_researcher(researcher)
        self.settings = settings or Settings()
        self.limit = self.settings.chosen_concurrency(mode, concurrency)
        self.budget_usd = self.settings.chosen_budget(budget_usd)
        self._refresh = refresh
        self._where = store
        self.store: AnyStore
        self.job_id = 0
        self.fence = FIRST_FENCE
        self.retrying = threading.Lock()  # held by the one handle that goes on

    @property
    def blocks(self) -> bool:
        """Whether `engine` waits for a disk."""
        return self._where != "memory" and not isinstance(self._where, MemoryStore)

    @property
    def researcher_name(self) -> str:
        """What the researcher calls itself, or is called in the code."""
        name = getattr(self.researcher, "name", None)
        name = name or getattr(self.researcher, "__name__", None)
        return str(name or type(self.researcher).__name__)

    def engine(self, *, attended: bool, sample: int = 0) -> Engine:
        """Notes the job in the store and gives what will run it.

        Args:
            attended: See `Engine`.
            sample: So many accounts, spread over the list, come first, and the run asks
                before it goes on with the others; 0 is none.
        """
        rows = tuple(self.accounts)
        self.store = open_store(self._where, self.settings)
        self.job_id = self.store.create_job(
            rows,
            researcher=self.researcher_name,
            concurrency=self.limit,
            terms=terms_of(self.researcher),
            keys=self.accounts.keys,
            fingerprint=fingerprint_of(self.researcher),
            reuse_since=self._reuse_since,
            source=self.accounts.source,
            layout=self.accounts.others,
            budget_usd=None if math.isinf(self.budget_usd) else self.budget_usd,
        )
        _researchers[str(self.store), self.job_id] = self.researcher
        reused = self.store.taken_over(self.job_id)
        rows = tuple(row for row in rows if row.position not in reused)
        sample = min(sample, len(rows))
        return Engine(
            _sample_first(rows, sample),
            self.researcher,
            limit=self.limit,
            settings=self.settings,
            store=self.store,
            job_id=self.job_id,
            attended=attended,
            sample=sample,
            so_far=Tally(
                total=len(self.accounts),
                slots=self.limit,
                budget_usd=self.budget_usd,
                reused=len(reused),
                saved_usd=sum(filter(None, reused.values())),
            ),
        )

    def engine_to_resume(self, job_id: int) -> Engine:
        """Takes a stored job for this process and gives what will go on with it.

        Raises:
            ValueError: All its accounts have ended.
            JobHeldError: Another process works on it.
        """
        self.store = open_store(self._where, self.settings)
        self.job_id = job_id
        total = len(self.accounts)
        if len(self.store.statuses(job_id)) == total:
            raise ValueError(
                f"nothing is left to do in job {job_id}: all {total:,} accounts have "
                "ended"
            )
        self.fence = self.store.claim(job_id)
        # Only now can the former holder store nothing more.
        ended = self.store.statuses(job_id)
        _researchers[str(self.store), job_id] = self.researcher
        return Engine(
            tuple(row for row in self.accounts if row.position not in ended),
            self.researcher,
            limit=self.limit,
            settings=self.settings,
            store=self.store,
            job_id=job_id,
            fence=self.fence,
            attended=True,
            so_far=Tally.of(
                self.store.past(job_id),
                total=len(self.accounts),
                slots=self.limit,
                budget_usd=self.budget_usd,
            ),
            tried=self.store.tried(job_id),
            spent=self.store.spent(job_id),
        )

    @property
    def _reuse_since(self) -> str | None:
        refresh = self._refresh
        return None if refresh else maybe_since(self.researcher, self.settings)

    def engine_for_retry(
        self,
        positions: Iterable[int] | None,
        *,
        limit: int,
        so_far: Tally,
        sample: Set[int],
    ) -> Engine:
        """Makes failed accounts pending again and gives what will run them.

        Args:
            positions: The accounts to work on again; None is all that failed.
            limit: How many at once.
            so_far: The books of the job.
            sample: Accounts that come first, before the run asks about the others: it
                ended before it could. Those that have been tried are among them.

        Raises:
            ValueError: No account, a completed one, or one that is none of the list.
        """
        statuses = self.store.statuses(self.job_id)
        failed = {place for place, status in statuses.items() if status == "failed"}
        chosen = failed if positions is None else {*map(operator.index, positions)}
        self._check_retried(chosen, completed=statuses.keys() - failed)
        if not so_far.budget.allows(0):
            raise ValueError(so_far.budget.reason)
        self.fence = self.store.claim(self.job_id)
        self.store.reopen(self.job_id, chosen)
        ended = self.store.statuses(self.job_id)  # another process may have been at it
        left = chosen - ended.keys()
        rows = [each for each in self.accounts if each.position in left]
        completed = sum(status == "completed" for status in ended.values())
        first = [each for each in rows if each.position in sample]
        others = [each for each in rows if each.position not in sample]
        return Engine(
            (*first, *others),
            self.researcher,
            limit=limit,
            settings=self.settings,
            store=self.store,
            job_id=self.job_id,
            fence=self.fence,
            attended=True,
            sample=len(first),
            so_far=so_far.reopened(completed=completed, failed=len(ended) - completed),
            tried=self.store.tried(self.job_id),
            spent=self.store.spent(self.job_id),
        )

    def _check_retried(self, chosen: Set[int], *, completed: Set[int]) -> None:
        if not chosen:
            raise ValueError(f"there is nothing to retry in job {self.job_id}")
        for place in chosen:
            if not 0 <= place < len(self.accounts):
                raise ValueError(
                    f"position {place} is none of the list; it has 0 to "
                    f"{len(self.accounts) - 1}"
                )
            if place in completed:
                raise ValueError(
                    f"the account at position {place} is completed; only failed and "
                    "unfinished ones are retried"
                )


def maybe_researcher(store: AnyStore, job_id: int) -> Researcher | None:
    """Gives who researches a job, when it was begun in this process."""
    return _researchers.get((str(store), job_id))


def maybe_since(researcher: Researcher, settings: Settings) -> str | None:
    """Gives from when on stored results are reused; None when none are."""
    if getattr(researcher, "synthetic", False) or not settings.reuse_days:
        return None
    return days_ago(settings.reuse_days)


def _sample_first(rows: tuple[Account, ...], sample: int) -> tuple[Account, ...]:
    """Moves a sample to the front: lists are sorted, and their first rows alike."""
    chosen = {number * len(rows) // sample for number in range(sample)}
    others = (row for place, row in enumerate(rows) if place not in chosen)
    return (*(rows[place] for place in sorted(chosen)), *others)


def edits_by_position(accounts: Accounts, store: AnyStore) -> dict[int, Edit]:
    """Gives what people have set for these accounts; one query when that is nothing."""
    edits = store.edits()
    keys = accounts.keys if edits else []
    return {position: edits[key] for position, key in enumerate(keys) if key in edits}
