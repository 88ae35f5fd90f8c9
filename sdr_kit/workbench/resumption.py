"""Jobs of another day, and accounts that are taken up again: what a person is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from sdr_kit.batch import Job
from sdr_kit.dates import local
from sdr_kit.planned import Terms, maybe_estimate
from sdr_kit.recovery import AnyJob
from sdr_kit.settings import Concurrency
from sdr_kit.workbench import markup
from sdr_kit.workbench.chooser import Chooser
from sdr_kit.workbench.desk import Desk
from sdr_kit.worker import Researcher, name_of


class Ask(Protocol):
    """Asks a question; see `Question.ask`."""

    def __call__(
        self,
        words: str,
        act: Callable[[], None],
        *,
        yes: str,
        other: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Shows the question."""


class GoOn(Protocol):
    """Takes the job up again; see `Desk.retry`."""

    def __call__(self, positions: list[int] | None, *, again: bool) -> None:
        """Begins."""


class Resumption:
    """Asks before a job is opened or taken up again, where there is a doubt.

    Args:
        desk: Whose jobs they are.
        chooser: Who would go on.
        choice: How many accounts would run at once, or `"auto"`.
        ask: Asks a person.
        go_on: Takes the job up again.
        opened: Shows the job of the desk.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        chooser: Chooser,
        choice: Callable[[], Concurrency],
        ask: Ask,
        go_on: GoOn,
        opened: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._chooser = chooser
        self._choice = choice
        self._ask = ask
        self._go_on = go_on
        self._opened = opened

    def offer_last(self) -> None:
        """Asks about the job that was under way when the panel was last seen."""
        last = self._desk.maybe_last()
        if last is None:
            return
        now, stored = last.progress, self._desk.stored(last.id)
        begun = local(stored.created_at)
        if self._desk.accounts is None and stored.source:
            begun = f"{begun} over {stored.source}"
        holder = str(stored.lease.holder) if stored.held else None
        words = markup.before_opening(last.id, now, begun=begun, holder=holder)
        open_it = partial(self.open, last.id)
        if holder is not None or not now.pending:
            self._ask(words, open_it, yes="Show" if holder is None else "Watch")
        else:
            go_on = partial(self._open_and_continue, last.id)
            yes = "Begin" if now.state == "ready" else "Continue"
            self._ask(words, go_on, yes=yes, other=("Show", open_it))

    def open(self, job_id: int) -> None:
        """Shows a job of the store; chooses who was asked in it, and its budget.

        One without a budget leaves that of the settings, or of whoever sits there.
        """
        desk, chooser = self._desk, self._chooser
        desk.open(job_id)
        chooser.choose(partial(desk.began, job_id))
        if desk.job is not None and desk.job.budget_usd is not None:
            chooser.budget_usd = desk.job.budget_usd
        self._opened()

    def _open_and_continue(self, job_id: int) -> None:
        self.open(job_id)
        self.finish()

    def finish(self) -> None:
        """Goes on with what the job has left."""
        if self._desk.job is not None:
            self.retry(self._desk.job.unfinished())

    def retry(self, positions: list[int] | None, *, again: bool = False) -> None:
        """Goes on with the job; asks first when somebody else would than began it."""
        job, researcher = self._desk.job, self._chooser.researcher
        go_on = partial(self._go_on, positions, again=again)
        if job is None or not self._another_began(job, researcher):
            go_on()
            return
        names = job.asked.name, name_of(researcher)
        self._ask(markup.before_another_goes_on(job.id, *names), go_on, yes="Go on")

    def _another_began(self, job: AnyJob, researcher: Researcher) -> bool:
        if isinstance(job, Job) or job.progress.state == "ready":
            return False
        return not self._desk.began(job.id, researcher)

    def reprocess(self, positions: list[int]) -> None:
        """Asks whether to research accounts again, completed or not."""
        job = self._desk.job
        if job is None:
            return
        estimate = None
        if job.summary.cost_usd:
            estimate = maybe_estimate(
                job.results(),
                accounts=len(positions),
                concurrency=self._choice(),
                terms=Terms(
                    settings=self._desk.settings,
                    learned=self._desk.store.learned(job.asked.provider),
                ),
            )
        self._ask(
            markup.before_reprocessing(len(positions), estimate, job.asked.name),
            partial(self.retry, positions, again=True),
            yes="Research again",
        )
