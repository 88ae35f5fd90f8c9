"""What a caller asked for: checked before anything is opened, then made an engine."""

from __future__ import annotations

import math
import operator
import threading
from array import array
from collections.abc import Iterable, Sequence, Set
from weakref import WeakValueDictionary

from sdr_kit.accounts import Accounts, check_accounts
from sdr_kit.dates import days_ago
from sdr_kit.engine import Engine
from sdr_kit.fingerprint import fingerprint_of, provider_of, terms_of
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.loading.pages import Keys, Pages
from sdr_kit.memory_store import MemoryStore
from sdr_kit.settings import AUTO, Concurrency, Settings, check_deadline
from sdr_kit.store import AnyStore, Store, open_store
from sdr_kit.stored_job import Beginning
from sdr_kit.tally import Tally
from sdr_kit.worker import Researcher, check_researcher, name_of

# By store and job, as long as somebody has them: so a job can be gone on with.
_researchers: WeakValueDictionary[tuple[str, int], Researcher] = WeakValueDictionary()


class Request:
    """A job, from the call that asks for it to the engines that work on it."""

    def __init__(
        self,
        accounts: Accounts,
        researcher: Researcher,
        mode: str | None,
        concurrency: Concurrency | None,
        store: AnyStore | str | None,
        settings: Settings | None,
        budget_usd: float | None = None,
        *,
        deadline_seconds: float | None = None,
        refresh: bool = False,
    ) -> None:
        self.accounts = check_accounts(accounts)
        self.researcher = check_researcher(researcher)
        self.settings = settings or Settings()
        self.concurrency = self.settings.chosen_concurrency(mode, concurrency)
        self.sequential = self.settings.chosen_mode(mode) == "sequential"
        self.budget_usd = self.settings.chosen_budget(budget_usd)
        chosen = check_deadline(deadline_seconds)
        self.deadline_seconds = math.inf if chosen is None else chosen
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
    def limit(self) -> int:
        """The most there may be at once."""
        return self.settings.most(self.concurrency)

    @property
    def synthetic(self) -> bool:
        """Whether what the researcher says is invented."""
        return bool(getattr(self.researcher, "synthetic", False))

    def engine(self, *, attended: bool, sample: int = 0) -> Engine:
        """Notes the job in the store and gives what will run it.

        Args:
            attended: See `Engine`.
            sample: So many accounts, spread over the list, come first, and the run asks
                before it goes on with the others; 0 is none.
        """
        self.store = open_store(self._where, self.settings)
        self.job_id = self.store.create_job(
            Pages(self.accounts.frame),
            self.beginning,
            keys=Keys(self.accounts.frame),
            source=self.accounts.source,
            layout=self.accounts.others,
        )
        return self._first_engine(attended=attended, sample=sample)

    @property
    def beginning(self) -> Beginning:
        """How the job begins."""
        since = maybe_since(self.researcher, self.settings)
        return Beginning(
            researcher=name_of(self.researcher),
            concurrency=self.limit,
            auto=self.concurrency == AUTO,
            sequential=self.sequential,
            synthetic=self.synthetic,
            terms=terms_of(self.researcher),
            fingerprint=fingerprint_of(self.researcher),
            reuse_since=None if self._refresh else since,
            budget_usd=None if math.isinf(self.budget_usd) else self.budget_usd,
        )

    def engine_to_begin(
        self,
        job_id: int,
        store: Store,
        positions: Iterable[int] | None = None,
        *,
        sample: int = 0,
    ) -> Engine:
        """Begins a job that was only stored, and gives what will run it.

        Args:
            job_id: The job.
            store: Where it is.
            positions: The accounts to work on; None is all.
            sample: So many of them come first; see `engine`.

        Raises:
            ValueError: A position is none of the list.
            JobHeldError: It was begun meanwhile.
        """
        chosen = None if positions is None else self._checked(positions)
        store.begin(job_id, self.beginning)
        self.store, self.job_id = store, job_id
        return self._first_engine(attended=True, sample=sample, chosen=chosen)

    def _first_engine(
        self, *, attended: bool, sample: int = 0, chosen: Set[int] | None = None
    ) -> Engine:
        _researchers[str(self.store), self.job_id] = self.researcher
        reused = self.store.taken_over(self.job_id)
        every = range(len(self.accounts))
        places: Sequence[int] = every if chosen is None else sorted(chosen)
        if reused:
            places = array("q", (place for place in places if place not in reused))
        sample = min(sample, len(places))
        return Engine(
            Pages(self.accounts.frame, _sample_first(places, sample)),
            self.researcher,
            limit=self.limit,
            auto=self.concurrency == AUTO,
            sequential=self.sequential,
            learned=self.store.learned(provider_of(self.researcher)),
            settings=self.settings,
            store=self.store,
            job_id=self.job_id,
            attended=attended,
            sample=sample,
            deadline_seconds=self.deadline_seconds,
            so_far=Tally(
                total=len(self.accounts),
                slots=self.limit,
                budget_usd=self.budget_usd,
                reused=len(reused),
                saved_usd=sum(filter(None, reused.values())),
            ),
        )

    def engine_to_resume(
        self, job_id: int, positions: Iterable[int] | None = None
    ) -> Engine:
        """Takes a stored job for this process and gives what will go on with it.

        Args:
            job_id: The job.
            positions: The accounts to work on; None is all without a result.

        Raises:
            ValueError: There is no position, or one is none of the list.
            JobHeldError: Another process works on it.
        """
        self.store = open_store(self._where, self.settings)
        self.job_id = job_id
        chosen = None if positions is None else self._checked(positions)
        if chosen is not None and not chosen:
            raise ValueError(f"there is nothing to research again in job {job_id}")
        self.fence = self.store.claim(job_id)
        # Only now can the former holder store nothing more.
        return self._engine_again(
            self._wanted(chosen),
            again=chosen is not None,
            so_far=self._stored_books(self.budget_usd),
            sample=frozenset(),
            deadline_seconds=self.deadline_seconds,
        )

    def _wanted(self, chosen: Set[int] | None) -> Set[int]:
        if chosen is not None:
            return chosen
        return set(range(len(self.accounts))) - self.store.statuses(self.job_id).keys()

    def engine_for_retry(
        self,
        positions: Iterable[int] | None,
        *,
        again: bool,
        mode: str | None = None,
        concurrency: Concurrency | None,
        so_far: Tally,
        sample: Set[int],
        deadline_seconds: float | None = None,
    ) -> Engine:
        """Makes accounts pending again and gives what will run them.

        Args:
            positions: The accounts to work on again; None is all that failed.
            again: Whether completed ones may be among them.
            mode: `"parallel"` or `"sequential"`; None is as before.
            concurrency: How many at once; None is as the settings say.
            so_far: The books of the job.
            sample: Accounts that come first, before the run asks about the others: it
                ended before it could. Those that have been tried are among them.
            deadline_seconds: From now, when nothing more is started; None is never.

        Raises:
            ValueError: No account, a completed one, or one that is none of the list;
                no deadline.
        """
        late = check_deadline(deadline_seconds)
        if mode is None:
            mode = "sequential" if self.sequential else "parallel"
        concurrency = self.settings.chosen_concurrency(mode, concurrency)
        statuses = self.store.statuses(self.job_id)
        failed = {place for place, status in statuses.items() if status == "failed"}
        chosen = failed if positions is None else self._checked(positions)
        completed = chosen & (statuses.keys() - failed)
        if not chosen:
            what = "research again" if again else "retry"
            raise ValueError(f"there is nothing to {what} in job {self.job_id}")
        if completed and not again:
            raise ValueError(
                f"the account at position {min(completed)} is completed; only failed "
                "and unfinished ones are retried"
            )
        if not so_far.budget.allows(0):
            raise ValueError(so_far.budget.reason)
        before, self.fence = self.fence, self.store.claim(self.job_id)
        self.concurrency, self.sequential = concurrency, mode == "sequential"
        if self.fence > before + 1:  # others have gone on with it since
            so_far = self._stored_books(so_far.budget.usd)
        return self._engine_again(
            chosen,
            again=again,
            so_far=so_far,
            sample=sample,
            deadline_seconds=math.inf if late is None else late,
        )

    def _stored_books(self, budget_usd: float) -> Tally:
        """Reads what the job has come to, whoever worked on it."""
        return Tally.of(
            self.store.past(self.job_id),
            total=len(self.accounts),
            slots=self.limit,
            budget_usd=budget_usd,
        )

    def _engine_again(
        self,
        chosen: Set[int],
        *,
        again: bool,
        so_far: Tally,
        sample: Set[int],
        deadline_seconds: float,
    ) -> Engine:
        """Gives what will run the chosen accounts of a job that this process holds."""
        store, job_id = self.store, self.job_id
        _researchers[str(store), job_id] = self.researcher
        if not again:  # its former holder may have completed some until it was taken
            ended = store.statuses(job_id)
            chosen = {place for place in chosen if ended.get(place) != "completed"}
        found = store.found(job_id, chosen)
        store.reopen(job_id, chosen, again=again, fence=self.fence)
        places = sorted(chosen)
        first = [place for place in places if place in sample]
        others = [place for place in places if place not in sample]
        return Engine(
            Pages(self.accounts.frame, array("q", [*first, *others])),
            self.researcher,
            limit=self.limit,
            auto=self.concurrency == AUTO,
            sequential=self.sequential,
            learned=self.store.learned(provider_of(self.researcher)),
            settings=self.settings,
            store=store,
            job_id=job_id,
            fence=self.fence,
            attended=True,
            sample=len(first),
            deadline_seconds=deadline_seconds,
            so_far=so_far.reopened(
                store.statuses(job_id).values(), store.taken_over(job_id).values()
            ),
            tried=store.tried(job_id),
            spent=store.spent(job_id),
            found=found,
        )

    def _checked(self, positions: Iterable[int]) -> set[int]:
        """Gives the positions as a set.

        Raises:
            ValueError: One is none of the list.
        """
        chosen = {*map(operator.index, positions)}
        for place in chosen:
            if not 0 <= place < len(self.accounts):
                raise ValueError(
                    f"position {place} is none of the list; it has 0 to "
                    f"{len(self.accounts) - 1}"
                )
        return chosen


def maybe_researcher(store: AnyStore, job_id: int) -> Researcher | None:
    """Gives who researches a job, when it was begun in this process."""
    return _researchers.get((str(store), job_id))


def maybe_since(researcher: Researcher, settings: Settings) -> str | None:
    """Gives from when on stored results are reused; None when none are."""
    if getattr(researcher, "synthetic", False) or not settings.reuse_days:
        return None
    return days_ago(settings.reuse_days)


def _sample_first(places: Sequence[int], sample: int) -> Sequence[int]:
    """Moves a sample to the front: lists are sorted, and their first rows alike."""
    if not sample:
        return places
    chosen = {number * len(places) // sample for number in range(sample)}
    others = (each for place, each in enumerate(places) if place not in chosen)
    return array("q", [*(places[place] for place in sorted(chosen)), *others])
