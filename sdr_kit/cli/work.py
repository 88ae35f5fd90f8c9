"""Jobs that are worked on here: begun, or taken up again, and followed to their end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.batch import Job, start
from sdr_kit.cli import named, telling
from sdr_kit.cli.follow import Ending, Interrupts, follow
from sdr_kit.cli.follow import watch as look_on
from sdr_kit.cli.problems import FAILED, as_wrong_use
from sdr_kit.cli.screen import Screen
from sdr_kit.deliver import kind_of
from sdr_kit.errors import SdrKitError
from sdr_kit.forecast import fresh, maybe_forecast
from sdr_kit.job_results import JobResults
from sdr_kit.recovery import AnyJob, open_job
from sdr_kit.recovery import resume as resume_job
from sdr_kit.settings import Concurrency, Settings, check_deadline
from sdr_kit.store import Store
from sdr_kit.worker import Researcher, name_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a command was asked for; None is as the settings, or the job, say.

    Attributes:
        researcher: Its name.
        briefs: Names of briefs, or paths.
        mode: `"parallel"` or `"sequential"`.
        concurrency: How many at once, or `"auto"`.
        budget_usd: What the job may cost in all.
        deadline_seconds: After which nothing more is started.
        refresh: Whether to ask again what is stored and fresh.
        accounts: The path of the list, of a job that is taken up again.
        database: The URL of the database.
    """

    researcher: str | None
    briefs: Sequence[str] | None
    mode: str | None = None
    concurrency: Concurrency | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None
    refresh: bool = False
    accounts: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Where the results go at the end; see `JobResults.export`."""

    path: str | None
    merged: bool
    invented: bool

    def check(self) -> None:
        """Refuses before the run what could not be written after it.

        Raises:
            SdrKitError: The suffix or the folder is wrong.
        """
        with as_wrong_use():
            if self.path is not None:
                kind_of(Path(self.path).expanduser(), merged=self.merged)
            elif self.merged or self.invented:
                raise ValueError("--merged and --invented say how --output is written")

    def deliver(self, job: JobResults, screen: Screen) -> str | None:
        """Writes them, if they are wanted, and gives where."""
        if self.path is None:
            return None
        place = job.export(self.path, merged=self.merged, invented=self.invented)
        left_out = job.asked.synthetic and not self.invented
        blank = " (what the sandbox invented is left blank without --invented)"
        screen.say(f"Written: {place}{blank if left_out else ''}")
        return str(place)


def run(source: str, wanted: Wanted, delivery: Delivery, *, json: bool) -> int:
    """Begins a job over a list and follows it; gives the exit code."""
    screen, settings = Screen(json=json), named.settings_for(wanted.database)
    delivery.check()
    with as_wrong_use():
        chosen = settings.chosen_concurrency(wanted.mode, wanted.concurrency)
        budget_usd = settings.chosen_budget(wanted.budget_usd)
        check_deadline(wanted.deadline_seconds)
    asked = wanted.researcher or "sandbox"
    researcher = named.researcher_for(settings, asked, wanted.briefs)
    accounts = load_accounts(source)
    store = named.store_of(settings)
    telling.tell_list(screen, accounts)
    _tell_choice(screen, researcher, chosen, budget_usd, store, settings)
    _tell_cost(screen, accounts, researcher, chosen, store, settings, wanted)

    def begin() -> AnyJob:
        return start(
            accounts,
            researcher,
            mode=wanted.mode,
            concurrency=wanted.concurrency,
            store=store,
            settings=settings,
            budget_usd=budget_usd,
            deadline_seconds=wanted.deadline_seconds,
            refresh=wanted.refresh,
        )

    return _work(
        begin, screen, delivery, store, wanted.database, accounts=accounts.books
    )


def resume(job_id: int, wanted: Wanted, delivery: Delivery, *, json: bool) -> int:
    """Goes on with a job, here or where it is paused; gives the exit code."""
    settings = _settings_for(wanted)
    store = named.store_with(settings, job_id)
    job = store.job(job_id)
    if job.held and job.progress is not None and job.progress.state == "paused":
        store.steer(job_id, state="running")
        Screen().say(f"Job {job_id} goes on in {job.lease.holder}")
        return 0
    return _take_up(job_id, wanted, delivery, settings, store, json=json)


def retry(job_id: int, wanted: Wanted, delivery: Delivery, *, json: bool) -> int:
    """Asks again about what failed in a job; gives the exit code."""
    settings = _settings_for(wanted)
    store = named.store_with(settings, job_id)
    statuses = store.statuses(store.job(job_id).id)
    failed = [place for place, status in statuses.items() if status == "failed"]
    if not failed:
        raise SdrKitError(f"no account of job {job_id} has failed")
    return _take_up(
        job_id, wanted, delivery, settings, store, positions=failed, json=json
    )


def watch(job_id: int, *, database: str | None, json: bool) -> int:
    """Follows a job that another process runs; gives the exit code."""
    screen, settings = Screen(json=json), named.settings_for(database)
    store = named.store_with(settings, job_id)
    job = open_job(job_id, store, settings=settings)
    with Interrupts() as interrupts:
        ending = look_on(job, screen, interrupts)
    if ending.left:
        again = telling.to_type("watch", job_id, database=database)
        screen.say(f"Job {job_id} goes on; look again with: {again}")
    return _tell(job, ending, screen, None, store, database)


def _settings_for(wanted: Wanted) -> Settings:
    """Gives the settings, when the concurrency that is wanted is one by them."""
    settings = named.settings_for(wanted.database)
    if wanted.concurrency is not None:
        with as_wrong_use():
            settings.check_choice(wanted.concurrency)
    return settings


def _take_up(
    job_id: int,
    wanted: Wanted,
    delivery: Delivery,
    settings: Settings,
    store: Store,
    *,
    positions: Sequence[int] | None = None,
    json: bool,
) -> int:
    screen, job = Screen(json=json), store.job(job_id)
    delivery.check()
    accounts = None if wanted.accounts is None else load_accounts(wanted.accounts)
    left = job.total - len(store.statuses(job_id)) if positions is None else 1
    researcher = None
    if left:
        researcher = named.researcher_of(
            settings, job, wanted.researcher, wanted.briefs
        )
    if researcher is not None and not job.held:
        choice = wanted.concurrency or job.choice
        choice = choice or settings.chosen_concurrency(None, None)
        budget_usd = wanted.budget_usd or job.budget_usd
        _tell_choice(screen, researcher, choice, budget_usd, store, settings)

    def take_up() -> AnyJob:
        return resume_job(
            job_id,
            researcher,
            store,
            positions=positions,
            accounts=accounts,
            concurrency=wanted.concurrency,
            budget_usd=wanted.budget_usd,
            deadline_seconds=wanted.deadline_seconds,
            settings=settings,
        )

    return _work(take_up, screen, delivery, store, wanted.database)


def _work(
    begin: Callable[[], AnyJob],
    screen: Screen,
    delivery: Delivery,
    store: Store,
    database: str | None,
    **more: object,
) -> int:
    """Begins what is to be done, follows it, and gives the exit code."""
    with Interrupts() as interrupts:
        with as_wrong_use():
            job = begin()
        try:
            ending = follow(job, screen, interrupts)
        except BaseException:
            job.cancel()  # or the process would wait for it, and nobody would know
            raise
        if isinstance(job, Job) and not ending.left:
            _raise_crash(job, database)
    code = _tell(job, ending, screen, delivery, store, database, **more)
    if ending.left:
        _leave()
    return code


def _raise_crash(job: Job, database: str | None) -> None:
    """Raises what ended the run; the first words say how to go on."""
    try:
        job.wait()
    except SdrKitError as error:
        again = telling.to_type("resume", job.id, database=database)
        raise SdrKitError(f"{error} Go on with: {again}") from error


def _tell(
    job: AnyJob,
    ending: Ending,
    screen: Screen,
    delivery: Delivery | None,
    store: Store,
    database: str | None,
    **more: object,
) -> int:
    now = job.progress
    summary = telling.asked(job.summary, ending.question)
    causes = telling.causes_of(job)
    telling.tell_end(screen, job, summary, causes, database=database)
    output = delivery.deliver(job, screen) if delivery and not ending.left else None
    if output is None and summary.completed and now.ended:
        telling.tell_export(screen, job, database=database)
    document = telling.document_of(
        job,
        now=now,
        summary=summary,
        causes=causes,
        database=str(store),
        concurrency=job.concurrency,
        output=output,
        **more,
    )
    screen.document(document)
    return FAILED if now.failed or now.pending else 0


def _leave() -> None:
    """Ends this process although the run has not: what is stored is whole."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(FAILED)


def _tell_choice(
    screen: Screen,
    researcher: Researcher,
    choice: Concurrency,
    budget_usd: float | None,
    store: Store,
    settings: Settings,
) -> None:
    bounded = budget_usd is not None and budget_usd < float("inf")
    briefs = [each.name for each in getattr(researcher, "briefs", ())]
    telling.tell_choice(
        screen,
        researcher=name_of(researcher),
        briefs=briefs,
        concurrency=choice,
        most=settings.most(choice),
        database=str(store),
        budget_usd=budget_usd if bounded else None,
    )


def _tell_cost(
    screen: Screen,
    accounts: Accounts,
    researcher: Researcher,
    choice: Concurrency,
    store: Store,
    settings: Settings,
    wanted: Wanted,
) -> None:
    known = fresh(accounts, researcher, store=store, settings=settings)
    if wanted.refresh:
        known = type(known)(accounts=0, saved_usd=0.0)
    estimate = maybe_forecast(
        researcher,
        store=store,
        accounts=len(accounts) - known.accounts,
        concurrency=choice,
        settings=settings,
    )
    telling.tell_cost(screen, estimate, known, paid=getattr(researcher, "paid", False))
