"""One account on its way through a run: call, judge, wait, try again.

The slot, the clock and the database are the batch's business. Here stands what one
attempt gives, and what follows from it.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from sdr_kit.account import (
    Account,
    Attempt,
    AttemptOutcome,
    Outcome,
    Research,
    sum_of_costs,
)
from sdr_kit.backoff import Backoff
from sdr_kit.errors import Permanent, Verdict, classify, text_of

Researcher = Callable[[Account], Any]
AsyncResearcher = Callable[[Account], Awaitable[Any]]


@dataclass(slots=True)
class Work:
    """Where one account stands.

    Attributes:
        account: Who it is about.
        ready_at: Since when it could start, on the run's clock.
        attempts: How many calls have been made.
        seconds: How long they took together.
        cost_usd: What they cost together; None when nobody has said.
        retries: How many passing failures count against `MAX_API_RETRIES`.
        failing_since: When its failures in a row began, on the run's clock.
        refusals: How many of its last calls in a row were refused.
        refused_since: When the provider first refused it, on the run's clock; None
            when its last call was not refused.
        ticket: What the gate gave for the attempt under way.
        started: When the attempt under way began, on the run's clock.
        task: Who makes it; None when there is none.
        cuts: How often it was cut off because it took too long.
        cut_again: When it is next, if it goes on all the same, on the run's clock.
        found: What a failed call has found; a later one may say nothing (it was cut
            off), and it counts all the same.
    """

    account: Account
    ready_at: float
    attempts: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    retries: int = 0
    failing_since: float | None = None
    refusals: int = 0
    refused_since: float | None = None
    ticket: int = 0
    started: float = 0.0
    task: asyncio.Task[None] | None = None
    cuts: int = 0
    cut_again: float = 0.0
    found: Research | None = None

    def attempted(
        self,
        outcome: AttemptOutcome,
        result: Research | Verdict | None,
        *,
        began: float,
        ended: float,
    ) -> Attempt:
        """Counts an attempt and gives its record.

        Args:
            outcome: How it ended.
            result: What came of it; None when that is nothing.
            began: Start of the run, on its clock.
            ended: End of the call, on the same clock.
        """
        seconds = ended - self.started
        self.attempts += 1
        self.seconds += seconds
        status = message = usage = None
        if isinstance(result, Verdict):
            status, usage = result.http_status, result.usage
            message = None if outcome == "cancelled" else result.message
            self.found = result.found or self.found
        elif result is not None:
            usage = result.usage if result.cost_usd is None else result.spent
        if usage is not None:
            self.cost_usd = sum_of_costs(self.cost_usd, usage.cost_usd)
        waited = self.started - self.ready_at
        return Attempt(
            position=self.account.position,
            number=self.attempts,
            started=self.started - began,
            seconds=seconds,
            outcome=outcome,
            http_status=status,
            waited=waited if waited > 0 else 0.0,
            message=message,
            usage=usage,
            limits=None if result is None else result.limits,
            request_id=None if result is None else result.request_id,
        )

    def outcome(self, result: Research | Verdict, *, finished: float) -> Outcome:
        """Gives how the account ended; `finished` is seconds from the run's start."""
        if isinstance(result, Verdict):
            return Outcome(
                position=self.account.position,
                status="failed",
                attempts=self.attempts,
                seconds=self.seconds,
                finished=finished,
                research=self.found,
                error_kind=result.kind,
                error_message=result.message,
                cost_usd=self.cost_usd,
                raw=result.raw,
            )
        return Outcome(
            position=self.account.position,
            status="completed",
            attempts=self.attempts,
            seconds=self.seconds,
            finished=finished,
            research=result.without_call(),
            cost_usd=self.cost_usd,
        )


MOST_DOUBLINGS = 30  # a number that is surely long enough, and no overflow


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """Whether a failed account is tried again, and when.

    Attributes:
        max_retries: How many passing failures are tried again.
        max_refused: Seconds for which an account may be refused again and again.
        backoff: How long the waits are.
    """

    max_retries: int
    max_refused: float
    backoff: Backoff

    def maybe_wait(
        self,
        work: Work,
        verdict: Verdict,
        *,
        now: float,
        in_outage: bool,
        latency: float = math.inf,
    ) -> float | None:
        """Gives the seconds until the next try, or None when there is none.

        An account refused once may go again at once: the gate holds it back with all
        the others. One that is refused again lets others go first, so that an account
        which no waiting helps does not hold up the run: for two calls' time, and twice
        as long each time. In an outage no retry is used up.

        Args:
            work: The account.
            verdict: How its last call failed.
            now: Seconds on the run's clock.
            in_outage: Whether the provider is taken to be down.
            latency: Mean seconds of a call; infinity when that is not known.
        """
        if verdict.kind == "rate_limited":
            if work.refused_since is None:
                work.refused_since = now
            if now - work.refused_since > self.max_refused:
                return None
            work.refusals += 1
            return self._refused_wait(work.refusals, latency)
        work.refused_since, work.refusals = None, 0
        if verdict.kind != "transient":
            return None
        if work.failing_since is None:
            work.failing_since = now
        if in_outage:
            return self.backoff.jittered(work.retries + 1)
        work.retries += 1
        if work.retries > self.max_retries:
            return None
        return self.backoff.jittered(work.retries)

    def _refused_wait(self, refusals: int, latency: float) -> float:
        if refusals == 1:
            return 0.0
        calls = latency * 2.0 ** min(refusals - 1, MOST_DOUBLINGS)
        return min(self.backoff.ceiling(refusals), calls)


def name_of(researcher: Researcher) -> str:
    """Gives what a researcher calls itself, or is called in the code."""
    name = getattr(researcher, "name", None)
    name = name or getattr(researcher, "__name__", None)
    return str(name or type(researcher).__name__)


def time_scale_of(researcher: Researcher) -> float:
    """Gives by what factor the researcher shortens all times; 1 is not at all."""
    return float(getattr(researcher, "time_scale", 1.0))


def notices_of(researcher: Researcher) -> tuple[str, ...]:
    """Gives what the researcher noticed about its provider, a sentence each."""
    notices = getattr(researcher, "notices", ())
    return notices if isinstance(notices, tuple) else ()


def check_researcher(researcher: Researcher) -> Researcher:
    """Gives the researcher back when it can be called with an account.

    Raises:
        TypeError: It cannot; the message says what to write.
    """
    if isinstance(researcher, type):
        name = researcher.__name__
        raise TypeError(f"researcher is the class {name}; did you mean {name}()?")
    if inspect.iscoroutine(researcher):
        researcher.close()  # the message says it; Python need not warn as well
        raise TypeError(
            f"researcher is {researcher!r}, a call; give the function itself, "
            "without ()"
        )
    if not callable(researcher):
        raise TypeError(
            f"researcher is {researcher!r}; it must be a function of an Account"
        )
    _check_arguments(researcher)
    return researcher


def _check_arguments(researcher: Researcher) -> None:
    try:
        # A decorator may give the rest: what counts is what it takes itself.
        signature = inspect.signature(researcher, follow_wrapped=False)
    except ValueError:  # a few functions written in C do not say what they take
        return
    try:
        signature.bind(None)
    except TypeError as error:
        name = getattr(researcher, "__name__", type(researcher).__name__)
        raise TypeError(
            f"researcher is {name}{signature}; it is called with one account, and "
            f"then: {error}. functools.partial({name}, …) gives it the rest"
        ) from None


def caller(researcher: Researcher) -> AsyncResearcher:
    """Makes any researcher awaitable.

    A plain function runs in a thread of its own, because it will block: analysts
    write `requests.get`. A thread cannot be stopped, so a cancelled call goes on in
    the background and its answer is dropped.

    Raises:
        TypeError: The researcher cannot be called.
    """
    check_researcher(researcher)
    called = getattr(researcher, "__call__", None)  # noqa: B004 (its kind is wanted)
    if inspect.iscoroutinefunction(researcher) or inspect.iscoroutinefunction(called):
        return researcher
    threads = anyio.CapacityLimiter(math.inf)  # the gate is what bounds them

    def call(account: Account) -> Any:
        try:
            return researcher(account)
        except (GeneratorExit, KeyboardInterrupt) as error:
            # The one would close every coroutine that waits. The other is no person's
            # Ctrl-C, which comes to the main thread alone.
            name = type(error).__name__
            raise RuntimeError(f"the researcher raised {name}") from error

    async def call_in_thread(account: Account) -> Any:
        answer = await anyio.to_thread.run_sync(
            call, account, abandon_on_cancel=True, limiter=threads
        )
        return await answer if inspect.isawaitable(answer) else answer

    return call_in_thread


async def attempt(research: AsyncResearcher, account: Account) -> Research | Verdict:
    """Calls the researcher once; every failure of it is a value."""
    try:
        answer = await research(account)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return Verdict(kind="permanent", message="The researcher cancelled itself.")
    except SystemExit:  # it would end the loop, and with it everybody's run
        return Verdict(kind="permanent", message="The researcher called exit().")
    except (KeyboardInterrupt, GeneratorExit) as error:
        # On the main thread it is a person's Ctrl-C. No signal comes to a job's thread.
        on_main = threading.current_thread() is threading.main_thread()
        if on_main or isinstance(error, GeneratorExit):
            raise
        return judged(error)
    except BaseException as error:  # noqa: BLE001 (one account's failure is a value)
        return judged(error)  # a panic of a library in Rust is no Exception
    return answer if isinstance(answer, Research) else _as_research(answer)


def judged(error: BaseException) -> Verdict:
    """Says what an exception means, also one whose own attributes fail."""
    try:
        return classify(error)
    except (Exception, SystemExit, GeneratorExit):  # noqa: BLE001 (not our crash)
        return Verdict(kind="permanent", message=type(error).__name__)


def _as_research(answer: object) -> Research | Verdict:
    if type(answer) is not dict and not isinstance(answer, Mapping):
        return Verdict(
            kind="permanent",
            message=f"The researcher returned {_kind_of(answer)}; it must return a "
            "mapping of column to value, or a Research.",
        )
    try:
        return Research.from_mapping(answer)
    except Exception as error:  # noqa: BLE001 (its values may raise anything)
        text = text_of(error) or type(error).__name__
        return classify(Permanent(f"The researcher's answer: {text}"))


def _kind_of(answer: object) -> str:
    if answer is None:
        return "nothing"
    kind = f"a value of type {type(answer).__name__}"
    if inspect.iscoroutine(answer):
        answer.close()
        return f"{kind} (write `return await`, not `return`)"
    if inspect.isgenerator(answer) or inspect.isasyncgen(answer):
        return f"{kind} (write `return`, not `yield`)"
    return kind
