"""What the endpoints ask for, in the words of the kit; it knows nothing of HTTP.

States are asked for often and by many, so they are looked up at most four times a
second; everything else is read when it is asked for.
"""

from __future__ import annotations

import contextlib
import io
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import pandas as pd

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.batch import Job, maybe_job
from sdr_kit.errors import AccountsError
from sdr_kit.estimate import SAMPLE
from sdr_kit.planned import Plan
from sdr_kit.progress import Progress
from sdr_kit.recovery import AnyJob, job_row, open_job, resume
from sdr_kit.research.ready_made import (
    BRIEFS_BY_NAME,
    SANDBOX,
    maybe_who_began,
    ready_made,
)
from sdr_kit.server.problems import Problem, wrong
from sdr_kit.settings import Settings
from sdr_kit.store import Store
from sdr_kit.stored_job import StoredJob
from sdr_kit.worker import Researcher

STATE_SECONDS = 0.25  # for so long a state is told again without looking
SETTLE_SECONDS = 2.0  # what a change may take to show; the answer waits for it
LOOK_SECONDS = 0.02  # how often it looks meanwhile
LEAVE_SECONDS = 10.0  # for the jobs to end when the server does
OPENED = 50  # handles of jobs that are kept; one has its whole list
LINES_PER_ROW = 4  # cells with line ends among them; more is refused unread
NO_TIME_LEFT = 0.001  # seconds; a deadline that has passed is told as this one
GENERAL = "general"


class Office:
    """Jobs of a store, begun and steered by name.

    Args:
        store: Where they are.
        settings: How runs are made, and who can be asked.

    Attributes:
        store: The same.
        settings: The same.
        leaving: Is set when the server is about to end.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.leaving = threading.Event()
        self._begun: dict[int, Job] = {}
        self._opened: OrderedDict[int, AnyJob] = OrderedDict()
        self._told: dict[int, tuple[float, dict[str, Any]]] = {}
        self._due: dict[int, float] = {}  # deadlines of samples, by `time.monotonic`
        self._lock = threading.Lock()

    @property
    def researchers(self) -> list[str]:
        """Who can be asked, by name."""
        return list(ready_made(self.settings))

    @property
    def concurrency_range(self) -> str:
        """What concurrency may be."""
        top = self.settings.max_concurrency
        return f"a whole number from 1 to {top} (MAX_CONCURRENCY), or 'auto'"

    def add(self, file: BinaryIO, name: str) -> tuple[int, Accounts]:
        """Keeps a list as a job that is to be begun, and gives its number.

        Raises:
            AccountsError: It cannot be read.
            Problem: It is too long.
        """
        contents = file.read()
        most = self.settings.api_max_rows
        if contents.count(b"\n") > LINES_PER_ROW * most:
            raise Problem(413, f"{name} has more than {most:,} rows (API_MAX_ROWS)")
        named = io.BytesIO(contents)
        named.name = name
        accounts = load_accounts(named)
        if accounts.rows_read > most:
            raise Problem(
                413,
                f"{name} has {accounts.rows_read:,} rows; {most:,} are the most "
                "(API_MAX_ROWS)",
            )
        if not len(accounts):
            raise AccountsError(f"{name} has no account that can be researched")
        job_id = self.store.create_job(
            tuple(accounts),
            None,
            keys=accounts.keys,
            source=accounts.source,
            layout=accounts.others,
        )
        return job_id, accounts

    def start(
        self,
        job_id: int,
        *,
        mode: str | None = None,
        researcher: str | None = None,
        brief: str | None = None,
        refresh: bool = False,
        **options: Any,
    ) -> Job:
        """Begins a job that was added, or goes on with one that has accounts left.

        Args:
            job_id: The job.
            mode: `"parallel"`, `"sequential"`, or None for the settings' way.
            researcher: By name; None is who began it, else the sandbox.
            brief: By name; None is as it was begun with, else `general`.
            refresh: Whether to reuse nothing that is stored.
            options: `concurrency`, `budget_usd` and `deadline_seconds`, where they are
                chosen.

        Raises:
            NoJobError: There is no such job.
            JobHeldError: Somebody works on it.
            Problem: A value is not allowed, or nothing is left to do.
        """
        stored = self.store.job(job_id)
        if "concurrency" in options:
            self._check_concurrency(options["concurrency"])
        if "concurrency" in options:  # else as it was, or as the settings say
            mode = self.settings.chosen_mode(mode)
        if stored.state == "ready" or researcher is not None or brief is not None:
            who = self._researcher(researcher or SANDBOX, brief or GENERAL)
        else:
            who = self._who_began(stored)
        return self._go_on(
            job_id,
            who,
            mode=mode,
            concurrency=options.get("concurrency"),
            budget_usd=options.get("budget_usd"),
            deadline_seconds=options.get("deadline_seconds"),
            refresh=refresh,
        )

    def sample(
        self,
        job_id: int,
        *,
        sample: int = SAMPLE,
        researcher: str = SANDBOX,
        brief: str = GENERAL,
        refresh: bool = False,
        deadline_seconds: float | None = None,
        **options: Any,
    ) -> Job:
        """Begins a job that was added with a sample, after which it asks.

        Args:
            job_id: The job.
            sample: How many accounts come first.
            researcher: By name.
            brief: By name.
            refresh: Whether to reuse nothing that is stored.
            deadline_seconds: When the whole list must be done, in seconds from now;
                its plan is held against it.
            options: `concurrency` and `budget_usd`, where they are chosen.

        Raises:
            NoJobError: There is no such job.
            JobHeldError: Somebody works on it.
            Problem: A value is not allowed, or the job has been begun.
        """
        if self.store.job(job_id).state != "ready":
            raise Problem(
                409, f"job {job_id} has been begun; its plan is there without a sample"
            )
        if "concurrency" in options:
            self._check_concurrency(options["concurrency"])
        due = None if deadline_seconds is None else time.monotonic() + deadline_seconds
        job = self._go_on(
            job_id,
            self._researcher(researcher, brief),
            sample=sample,
            refresh=refresh,
            **options,
        )
        if due is not None:
            self._due[job_id] = due
        return job

    def plan(
        self, job_id: int, *, deadline_seconds: float | None = None
    ) -> dict[str, Any]:
        """Says what the accounts of a job without a result will take.

        Args:
            job_id: The job.
            deadline_seconds: When they must be done, in seconds from now; None is the
                deadline that the sample was begun with, if there was one.

        Raises:
            NoJobError: There is no such job.
        """
        job = self.job(job_id)
        now = job.progress
        if deadline_seconds is None and job_id in self._due:
            deadline_seconds = max(self._due[job_id] - time.monotonic(), NO_TIME_LEFT)
        plan = job.plan(
            deadline_seconds=deadline_seconds,
            budget_usd=now.budget_usd,
            settings=self.settings,
        )
        return _plan_of(job_id, now, plan)

    def retry(
        self, job_id: int, *, positions: list[int] | None = None, **options: Any
    ) -> Job:
        """Researches accounts of a job again.

        Args:
            job_id: The job.
            positions: Their places in the list; None is all that failed.
            options: `concurrency` and `deadline_seconds`, where they are chosen.

        Raises:
            NoJobError: There is no such job.
            JobHeldError: Somebody works on it.
            Problem: There is nothing to retry, or a position is none of the list.
        """
        stored = self.store.job(job_id)
        if "concurrency" in options:
            self._check_concurrency(options["concurrency"])
        if positions is None:
            failed = self.store.results(job_id, status="failed")
            positions = [each.position for each in failed]
        if stored.state == "ready" or not positions:
            raise Problem(409, f"there is nothing to retry in job {job_id}")
        if max(positions) >= stored.total:
            raise Problem(
                404,
                f"there is no account at position {max(positions)} in job {job_id}; "
                f"it has 0 to {stored.total - 1}",
            )
        who = self._who_began(stored)
        return self._go_on(job_id, who, positions=positions, **options)

    def pause(self, job_id: int) -> None:
        """Pauses a job, whoever works on it.

        Raises:
            NoJobError: There is no such job.
            Problem: Nobody works on it.
        """
        job = self._at_work(job_id)
        with _unless_ended():
            job.pause()
        self._settle(job, lambda now: now.state == "paused")

    def cancel(self, job_id: int) -> None:
        """Cancels a job, whoever works on it; raises as `pause`."""
        job = self._at_work(job_id)
        with _unless_ended():
            job.cancel()
        self._settle(job, lambda now: now.ended)

    def resume(self, job_id: int) -> None:
        """Goes on with a job: one that is paused, or one that has ended early.

        Raises:
            NoJobError: There is no such job.
            Problem: Nothing is left to do, or it has not begun.
        """
        job = self.job(job_id)
        if not job.progress.ended:
            with _unless_ended():
                job.resume()
            self._settle(job, lambda now: now.state != "paused")
            return
        stored = self.store.job(job_id)
        if stored.state == "ready":
            raise Problem(409, f"job {job_id} has not begun; start it")
        self._go_on(job_id, self._who_began(stored))

    def change(self, job_id: int, **chosen: Any) -> None:
        """Changes `concurrency` or `budget_usd` of a job, whoever works on it.

        Raises:
            NoJobError: There is no such job.
            Problem: Nobody works on it, it is sequential and another concurrency is
                chosen, or a value is not allowed.
        """
        if "concurrency" in chosen:
            self._check_concurrency(chosen["concurrency"])
        job = self._at_work(job_id)
        with _unless_ended():
            for name in ("concurrency", "budget_usd"):  # the one that may be refused
                if name in chosen:
                    setattr(job, name, chosen[name])
        choice = chosen.get("concurrency")
        self._settle(job, lambda now: choice in (None, now.concurrency))

    def delete(self, job_id: int) -> None:
        """Deletes a job and its results.

        Raises:
            NoJobError: There is no such job.
            JobHeldError: Somebody works on it.
        """
        self.store.delete_job(job_id)
        self._opened.pop(job_id, None)
        self._told.pop(job_id, None)

    def job(self, job_id: int) -> AnyJob:
        """Gives a handle of a job, whoever works on it.

        Raises:
            NoJobError: There is no such job.
        """
        stored = self.store.job(job_id)
        ours = maybe_job(self.store, job_id, fence=stored.lease.fence)
        if ours is not None:
            return ours
        with self._lock:
            known = self._opened.get(job_id)
        if known is None or isinstance(known, Job):
            known = open_job(job_id, self.store, settings=self.settings)
        with self._lock:
            self._opened[job_id] = known
            self._opened.move_to_end(job_id)
            while len(self._opened) > OPENED:
                self._opened.popitem(last=False)
        return known

    def state(self, job_id: int) -> dict[str, Any]:
        """Says how a job is doing, at most a quarter of a second ago.

        Raises:
            NoJobError: There is no such job.
        """
        at, told = self._told.get(job_id, (-math.inf, None))
        if told is None or time.monotonic() - at > STATE_SECONDS:
            told = _state(self.store.job(job_id), self.job(job_id))
            self._told[job_id] = time.monotonic(), told
        return told

    def maybe_told(self, job_id: int) -> dict[str, Any] | None:
        """Gives what `state` says without looking; None when that is too old."""
        at, told = self._told.get(job_id, (-math.inf, None))
        return None if time.monotonic() - at > STATE_SECONDS else told

    def states(self, *, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Says how many jobs there are, and how some are doing, the newest first."""
        jobs = self.store.jobs()
        chosen = jobs[offset : offset + limit]
        rows = [job_row(job, self.store.past(job.id)) for job in chosen]
        return len(jobs), [{"job_id": row.pop("job"), **row} for row in rows]

    def accounts(
        self,
        job_id: int,
        *,
        text: str,
        fits: Callable[[pd.DataFrame], pd.Series[bool]],
        sort: str,
        descending: bool,
    ) -> tuple[AnyJob, pd.DataFrame]:
        """Gives the accounts of a job that fit, in order.

        Args:
            job_id: The job.
            text: Stands somewhere in the account, in whatever case.
            fits: Which rows of the frame are wanted.
            sort: By which column; blank ones last.
            descending: Whether the highest is first.

        Returns:
            The job, and rows of its frame, numbered by position.

        Raises:
            NoJobError: There is no such job.
        """
        job = self.job(job_id)
        frame = job.frame.reset_index(drop=True)
        frame = frame[fits(frame)]
        if text:
            frame = frame[_with_text(frame, text.casefold())]
        if sort != "position":
            return job, frame.sort_values(
                sort, ascending=not descending, kind="stable", na_position="last"
            )
        return job, frame.iloc[::-1] if descending else frame

    def close(self) -> None:
        """Cancels what was begun here: accounts in flight return to pending."""
        self.leaving.set()
        with self._lock:
            begun = [*self._begun.values()]
        for job in begun:
            job.cancel()
        for job in begun:
            with contextlib.suppress(Exception):  # whatever has ended it
                job.wait(LEAVE_SECONDS)

    def _check_concurrency(self, concurrency: object) -> None:
        try:
            self.settings.check_choice(concurrency)  # type: ignore[arg-type]
        except ValueError as error:
            raise wrong("concurrency", concurrency, self.concurrency_range) from error

    def _researcher(self, name: str, brief: str) -> Researcher:
        # A new one each time: one that is open belongs to the loop of its job.
        offered = ready_made(self.settings)
        if name not in offered:
            raise wrong("researcher", name, _one_of(offered))
        if brief not in BRIEFS_BY_NAME:
            raise wrong("brief", brief, _one_of(BRIEFS_BY_NAME))
        return offered[name].about(BRIEFS_BY_NAME[brief])

    def _who_began(self, job: StoredJob) -> Researcher:
        researcher = maybe_who_began(job, self.settings)
        if researcher is None:
            raise Problem(
                409,
                f"job {job.id} was begun with {job.researcher}, which cannot be asked "
                "here; go on with it where it was begun",
            )
        return researcher

    def _at_work(self, job_id: int) -> AnyJob:
        job = self.job(job_id)
        if job.progress.ended:
            raise Problem(409, f"nobody works on job {job_id}: {job.progress.state}")
        return job

    def _settle(self, job: AnyJob, shown: Callable[[Progress], bool]) -> None:
        """Waits, but not for long, until a job shows what was asked of it."""
        late = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < late:
            now = job.progress
            if now.ended or shown(now):
                break
            time.sleep(LOOK_SECONDS)
        self._told.pop(job.id, None)

    def _go_on(self, job_id: int, researcher: Researcher, **options: Any) -> Job:
        everything = "positions" not in options
        if everything and self.store.job(job_id).total == len(
            self.store.statuses(job_id)
        ):
            raise Problem(409, f"nothing is left to do in job {job_id}")
        try:
            job = resume(
                job_id, researcher, self.store, settings=self.settings, **options
            )
        except ValueError as error:  # invented beside true, no room in the budget
            raise Problem(409, str(error)) from error
        if not isinstance(job, Job):  # somebody else has done the rest just now
            raise Problem(409, f"nothing is left to do in job {job_id}")
        self._told.pop(job_id, None)
        with self._lock:
            working = self._begun.items()
            self._begun = {k: each for k, each in working if not each.progress.ended}
            self._begun[job_id] = job
        if self.leaving.is_set():  # the others may have been cancelled by now
            job.cancel()
        return job


@contextlib.contextmanager
def _unless_ended() -> Iterator[None]:
    """Has a job that ends between the look and the deed answered as one that has."""
    try:
        yield
    except RuntimeError as error:
        raise Problem(409, str(error)) from error


def _one_of(names: Iterable[str]) -> str:
    """Says which names are allowed."""
    return f"one of {', '.join(map(repr, names))}"


def _plan_of(job_id: int, now: Progress, plan: Plan | None) -> dict[str, Any]:
    """Puts together what `JobPlan` says."""
    told = {
        "job_id": job_id,
        "ready": now.state == "paused" or (now.ended and now.state != "ready"),
        "state": now.state,
        "reason": now.reason,
    }
    if plan is None:
        return told | {
            "accounts": now.pending,
            "sample": 0,
            "rows": [],
            "concurrency": None,
            "deadline_seconds": None,
            "starts_per_minute": None,
            "notes": [],
        }
    frame = plan.frame.astype(object).where(plan.frame.notna(), None)
    rows = zip(frame.to_dict(orient="records"), plan.estimates, strict=True)
    return told | {
        "accounts": plan.accounts,
        "sample": plan.sample,
        "rows": [{**row, "sentence": str(each)} for row, each in rows],
        "concurrency": plan.concurrency,
        "deadline_seconds": plan.deadline_seconds,
        "starts_per_minute": plan.starts_per_minute,
        "notes": [*plan.verdicts, *plan.notes],
    }


def _mode(now: Progress) -> str | None:
    """Says the mode of a job; None before it has begun."""
    if now.state == "ready":
        return None
    return "sequential" if now.sequential else "parallel"


def _state(stored: StoredJob, job: AnyJob) -> dict[str, Any]:
    """Puts together what `JobState` says."""
    now = job.progress
    same = (
        *("state", "reason", "total", "completed", "failed", "pending", "reused"),
        *("in_flight", "running", "waiting", "retries", "accounts_per_minute"),
        *("seconds", "eta_seconds", "cost_usd", "budget_usd", "projected_cost_usd"),
        "held_back",
        "found_limit",
    )
    return {
        "job_id": stored.id,
        "created_at": stored.created_at,
        "source": stored.source,
        "researcher": stored.researcher,
        "synthetic": stored.synthetic,
        "holder": str(stored.lease.holder) if stored.held else None,
        "concurrency": job.concurrency or None,
        "mode": _mode(now),
        "at_once": now.limit,
        **{name: getattr(now, name) for name in same},
    }


def _with_text(frame: pd.DataFrame, text: str) -> pd.Series[bool]:
    rows = frame.astype(object).where(frame.notna(), "").itertuples(index=False)
    found = [text in "\n".join(map(str, row)).casefold() for row in rows]
    return pd.Series(found, index=frame.index, dtype=bool)  # a list may name columns
