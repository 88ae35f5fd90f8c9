"""The store that ends with the process: plain lists, the methods of `Store`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sdr_kit.account import Account, Attempt, Edit, Outcome, Research, Status
from sdr_kit.dates import seconds_of
from sdr_kit.errors import StoreError
from sdr_kit.law.learned import NOTHING_LEARNED, Learned, Lessons
from sdr_kit.lease import FIRST_FENCE
from sdr_kit.stored_job import Beginning, Past

# Writes a batch of attempts and outcomes of one job, all of it or nothing.
Record = Callable[[Sequence[Attempt], Sequence[Outcome]], None]


class MemoryStore:
    """A store that ends with the process: the same methods over plain lists."""

    durable = False

    def __init__(self) -> None:
        self._outcomes: dict[int, dict[int, Outcome]] = {}
        self._attempts: dict[int, list[Attempt]] = {}
        # What is wanted once more, as it was found; see `Store.reopen`.
        self._again: dict[int, dict[int, Outcome]] = {}
        self._found_at: dict[int, dict[int, float]] = {}  # seconds since 1970
        self._terms: dict[int, str | None] = {}
        self._keys: dict[int, Sequence[str]] = {}
        self._jobs_of: dict[str, dict[int, None]] = {}  # by fingerprint, as begun
        self._edits: dict[str, Edit] = {}
        self._learned: dict[str, Learned] = {}  # by provider
        self._lock = threading.Lock()  # the panel reads while a run writes

    def __repr__(self) -> str:
        return "MemoryStore()"

    def __str__(self) -> str:
        return "memory"

    def create_job(
        self,
        accounts: Sequence[Account],  # noqa: ARG002 (they live in the run)
        beginning: Beginning,
        *,
        keys: Sequence[str] | None = None,
        source: str = "",  # noqa: ARG002
        layout: Sequence[tuple[str, str]] = (),  # noqa: ARG002
    ) -> int:
        """Gives the number of a new job."""
        with self._lock:
            job_id = len(self._outcomes) + 1
            self._outcomes[job_id] = {}
            self._attempts[job_id] = []
            self._again[job_id] = {}
            self._found_at[job_id] = {}
            self._terms[job_id] = beginning.terms
            self._keys[job_id] = keys or ()
            by, since = beginning.fingerprint, beginning.reuse_since
            if by is not None and since is not None:
                self._take_over(job_id, by, since)
        return job_id

    def claim(self, job_id: int) -> int:  # noqa: ARG002
        """Does nothing: no other process can see the job."""
        return FIRST_FENCE

    def end_job(self, job_id: int, **how: object) -> int:  # noqa: ARG002
        """Puts back what was to be researched again and was not, and counts it."""
        with self._lock:
            again, self._again[job_id] = self._again[job_id], {}
            ended = self._outcomes[job_id]
            left = {place: each for place, each in again.items() if place not in ended}
            tried: dict[int, list[Attempt]] = {place: [] for place in left}
            for each in self._attempts[job_id] if left else ():
                if each.position in left:
                    tried[each.position].append(each)
            for place, outcome in left.items():
                ended[place] = outcome.after(tried[place])
        return len(left)

    def past(self, job_id: int) -> Past:
        """Is not there: a job in memory is gone on with by its own handle."""
        raise StoreError(f"job {job_id} is kept in memory and ends with its run")

    def reopen(
        self,
        job_id: int,
        positions: Iterable[int],
        *,
        again: bool = False,
        fence: int = FIRST_FENCE,  # noqa: ARG002
    ) -> None:
        """Makes accounts that have ended pending again; see `Store.reopen`."""
        outcomes, kept = self._outcomes[job_id], self._again[job_id]
        with self._lock:
            for position in positions:
                outcome = outcomes.get(position)
                if outcome is not None and outcome.status == "failed":
                    del outcomes[position]
                elif outcome is not None and again:
                    kept[position] = outcomes.pop(position)

    def tried(self, job_id: int) -> dict[int, tuple[int, float]]:
        """Gives the attempts and their seconds of the accounts without a result."""
        ended = self.statuses(job_id)
        tried: dict[int, tuple[int, float]] = {}
        for each in self.attempts(job_id):
            if each.position not in ended:
                _, seconds = tried.get(each.position, (0, 0.0))
                tried[each.position] = (each.number, seconds + each.seconds)
        return tried

    def spent(self, job_id: int) -> dict[int, float]:
        """Gives what was paid for the accounts without a result, where it is known."""
        ended = self.statuses(job_id)
        spent: dict[int, float] = {}
        for each in self.attempts(job_id):
            cost = None if each.usage is None else each.usage.cost_usd
            if cost is not None and each.position not in ended:
                spent[each.position] = spent.get(each.position, 0.0) + cost
        return spent

    def open_writer(
        self,
        job_id: int,
        fingerprint: str | None = None,
        *,
        fence: int = FIRST_FENCE,  # noqa: ARG002
    ) -> tuple[Record, Callable[[], None]]:
        """Gives a function that keeps a batch, and one that does nothing."""
        outcomes_by_position = self._outcomes[job_id]
        attempts_of_job = self._attempts[job_id]
        found_at = self._found_at[job_id]
        if fingerprint is not None:
            # What nobody can tell from other things is found for this job alone.
            self._jobs_of.setdefault(fingerprint, {})[job_id] = None

        def record(attempts: Sequence[Attempt], outcomes: Sequence[Outcome]) -> None:
            with self._lock:
                attempts_of_job.extend(attempts)
                at = time.time()
                for each in outcomes:
                    outcomes_by_position[each.position] = each
                    found_at[each.position] = at

        return record, lambda: None

    def _found(self, fingerprint: str, since: str) -> dict[str, tuple[int, Outcome]]:
        """Gives what is fresh by company: in which job it was found last, and what.

        Which companies a job is about is made out only when somebody asks for this.
        """
        found: dict[str, tuple[int, Outcome]] = {}
        times: dict[str, float] = {}
        oldest = seconds_of(since)
        for job_id in self._jobs_of.get(fingerprint, ()):
            keys, found_at = self._keys[job_id], self._found_at[job_id]
            for place, outcome in self._outcomes[job_id].items() if keys else ():
                if outcome.status != "completed" or outcome.reused:
                    continue
                key, at = keys[place], found_at[place]
                if at >= max(times.get(key, 0.0), oldest):
                    times[key], found[key] = at, (job_id, outcome)
        return found

    def _take_over(self, job_id: int, fingerprint: str, since: str) -> None:
        found = self._found(fingerprint, since)
        for position, key in enumerate(self._keys[job_id]) if found else ():
            if key in found:
                of, outcome = found[key]
                taken = outcome.taken_over(position, job_id=of)
                self._outcomes[job_id][position] = taken
                self._found_at[job_id][position] = self._found_at[of][outcome.position]

    def results(
        self,
        job_id: int,
        *,
        first: int = 0,
        last: int | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Outcome]:
        """Gives how accounts ended, in the order of the list."""
        with self._lock:
            outcomes = sorted(self._outcomes[job_id].items())
        chosen = [
            outcome
            for position, outcome in outcomes
            if position >= first
            and (last is None or position <= last)
            and (status is None or outcome.status == status)
        ]
        return chosen[:limit]

    def latest(self, terms: str, *, limit: int) -> list[Outcome]:
        """Gives how the last accounts ended that were researched on the same terms."""
        with self._lock:
            known = dict(self._outcomes)
        same = [job for job in known if self._terms[job] == terms]
        return [
            outcome
            for job in reversed(same)
            for outcome in sorted(
                known[job].values(), key=lambda each: each.finished, reverse=True
            )
            if not outcome.reused
        ][:limit]

    def found(self, job_id: int, positions: Iterable[int]) -> dict[int, Research]:
        """Gives what is known of some accounts, failed ones too, by position."""
        outcomes = self._outcomes[job_id]
        known = {place: outcomes[place] for place in positions if place in outcomes}
        return {place: each.research for place, each in known.items() if each.research}

    def found_before(self, job_id: int, when: str) -> list[int]:
        """Gives the positions of the accounts whose research is older than that."""
        ended, at = self.statuses(job_id), self._found_at[job_id]
        return sorted(
            place
            for place, status in ended.items()
            if status == "completed" and at[place] < seconds_of(when)
        )

    def taken_over(self, job_id: int) -> dict[int, float | None]:
        """Gives which accounts earlier jobs have paid for, and what, by position."""
        with self._lock:
            outcomes = list(self._outcomes[job_id].values())
        return {each.position: each.saved_usd for each in outcomes if each.reused}

    def fresh(
        self, keys: Sequence[str], *, fingerprint: str, since: str
    ) -> dict[str, float | None]:
        """Gives which companies a new job would not have to pay for, and what."""
        with self._lock:
            found = self._found(fingerprint, since)
        return {key: found[key][1].cost_usd for key in keys if key in found}

    def known(
        self, keys: Sequence[str], *, fingerprint: str, since: str, limit: int
    ) -> list[Outcome]:
        """Gives how companies ended where they were paid for, the last time each."""
        wanted, last = {*keys}, dict[str, tuple[float, Outcome]]()
        with self._lock:
            for job in self._jobs_of.get(fingerprint, {}):
                keys = self._keys[job]
                for place, outcome in self._outcomes[job].items() if keys else ():
                    key, at = keys[place], self._found_at[job][place]
                    if not outcome.reused and at >= last.get(key, (0.0,))[0]:
                        last[key] = at, outcome
        oldest = seconds_of(since)
        fresh = [last[key] for key in wanted & last.keys()]
        return [outcome for at, outcome in fresh if at >= oldest][:limit]

    def statuses(self, job_id: int) -> dict[int, Status]:
        """Gives which accounts have ended, and how, by position."""
        with self._lock:
            outcomes = dict(self._outcomes[job_id])
        return {position: each.status for position, each in outcomes.items()}

    def attempts(self, job_id: int, *, position: int | None = None) -> list[Attempt]:
        """Gives the attempts of a job, or of one account, by account and number."""
        with self._lock:
            attempts = list(self._attempts[job_id])
        if position is not None:
            attempts = [each for each in attempts if each.position == position]
        return sorted(attempts, key=lambda each: (each.position, each.number))

    def edit(self, key: str, edit: Edit) -> None:
        """Keeps what a person has set for a company; an empty edit removes it."""
        with self._lock:
            self._edits[key] = edit
            if not edit:
                del self._edits[key]

    def learn(self, provider: str, lessons: Lessons) -> None:
        """Keeps what a run has found out about a provider's limits."""
        with self._lock:
            before = self._learned.get(provider, NOTHING_LEARNED)
            self._learned[provider] = replace(before, **dict[str, Any](lessons))

    def learned(self, provider: str | None) -> Learned:
        """Gives what is known of a provider's limits."""
        return self._learned.get(provider or "", NOTHING_LEARNED)

    def edits(self, keys: Iterable[str] | None = None) -> dict[str, Edit]:
        """Gives what people have set, by key; None is all of it."""
        with self._lock:
            edits = dict(self._edits)
        if keys is None:
            return edits
        return {key: edits[key] for key in keys if key in edits}
