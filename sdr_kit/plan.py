"""What a caller asked for: checked before anything is opened, then made an engine."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Set

from sdr_kit.account import Account, Edit
from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.engine import Engine
from sdr_kit.memory_store import MemoryStore
from sdr_kit.settings import Settings
from sdr_kit.store import AnyStore, open_store
from sdr_kit.tally import Tally
from sdr_kit.worker import Researcher, check_researcher, terms_of


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
    ) -> None:
        self.accounts = check_accounts(accounts)
        self.researcher = check_researcher(researcher)
        self.settings = settings or Settings()
        self.limit = self.settings.chosen_concurrency(mode, concurrency)
        self.budget_usd = self.settings.chosen_budget(budget_usd)
        self._where = store
        self.store: AnyStore
        self.job_id = 0
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
        )
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
            budget_usd=self.budget_usd,
        )

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
        self.store.reopen(self.job_id, chosen)
        rows = [each for each in self.accounts if each.position in chosen]
        first = [each for each in rows if each.position in sample]
        others = [each for each in rows if each.position not in sample]
        return Engine(
            (*first, *others),
            self.researcher,
            limit=limit,
            settings=self.settings,
            store=self.store,
            job_id=self.job_id,
            attended=True,
            sample=len(first),
            so_far=so_far.reopened(
                completed=len(statuses) - len(failed), failed=len(failed - chosen)
            ),
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
