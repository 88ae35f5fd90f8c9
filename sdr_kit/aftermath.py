"""What follows from an attempt: the slot is given back, and the account goes on.

It ends, goes back to the feed for another try, or is parked until it is known whose
fault its failure was.
"""

from __future__ import annotations

import logging

from sdr_kit.account import AttemptOutcome, Outcome, Research
from sdr_kit.course import Course
from sdr_kit.ending import Ending
from sdr_kit.errors import Verdict
from sdr_kit.worker import RetryPolicy, Work
from sdr_kit.writer import Writer

logger = logging.getLogger(__name__)


class Aftermath:
    """Sees to what follows from each attempt.

    Args:
        course: The run.
        writer: Takes attempts and outcomes.
        policy: Whether an account is tried again, and when.
        ending: How the run ends; some failures end it.
    """

    def __init__(
        self, course: Course, writer: Writer, policy: RetryPolicy, ending: Ending
    ) -> None:
        self._course = course
        self._writer = writer
        self._policy = policy
        self._ending = ending

    def leave(
        self,
        work: Work,
        result: Research | Verdict | None,
        cut: Verdict | None,
        *,
        ended: float,
    ) -> None:
        """Gives the slot back and sees to what follows.

        Args:
            work: The account.
            result: What came of it; None is a cancelled call.
            cut: What is known of a call that was cancelled.
            ended: When the call ended, on the run's clock.
        """
        course = self._course
        gate = course.gate
        verdict = result if isinstance(result, Verdict) else None
        outcome: AttemptOutcome = "completed" if verdict is None else verdict.kind
        record = work.attempted(
            "cancelled" if result is None else outcome,
            result or cut,
            began=course.began,
            ended=ended,
        )
        work.task = None
        del course.at_work[record.position]
        course.tally.attempted(record)
        was_in_outage = gate.in_outage
        gate.end(
            work.ticket,
            record.outcome,
            now=ended,
            seconds=record.seconds,
            retry_after=None if verdict is None else verdict.retry_after,
            message="" if verdict is None else verdict.message,
            about=work.account.company_name,
            limits=record.limits,
            tokens=0 if record.usage is None else record.usage.tokens,
        )
        if gate.in_outage and not was_in_outage:
            course.feed.forgive(ended)
        if not gate.free:
            course.slots_changed()  # what the provider takes is among them
        self._writer.put(record, self._maybe_outcome(work, result, ended))
        if gate.answered_at == ended and course.feed.any_parked:
            self._ending.give_up_parked()
        if verdict is not None:
            self._after_failure(record.position, verdict)

    def _maybe_outcome(
        self, work: Work, result: Research | Verdict | None, now: float
    ) -> Outcome | None:
        """Gives how the account ended; None when it goes back or stays pending."""
        course = self._course
        if isinstance(result, Research):
            return work.outcome(result, finished=now - course.began)
        if result is None or result.kind == "stop":
            return None
        wait = self._policy.maybe_wait(
            work,
            result,
            now=now,
            in_outage=course.gate.in_outage,
            latency=course.tally.latency,
        )
        if wait is None and result.kind == "transient" and self._may_be_down(work):
            course.feed.park(work, result)
            return None
        if wait is None:
            return work.outcome(result, finished=now - course.began)
        # A wait begins when the hold ends, or it would be over with the hold.
        hold = course.gate.hold
        begins = hold.until if hold is not None and work.refusals else now
        course.feed.put_back(work, due=begins + wait if wait else now)
        return None

    def _may_be_down(self, work: Work) -> bool:
        """Whether nobody has been answered since this account began to fail."""
        since = work.failing_since
        return since is not None and self._course.gate.answered_at <= since

    def _after_failure(self, position: int, verdict: Verdict) -> None:
        course = self._course
        logger.info(
            "failed_attempt job=%d account=%d kind=%s status=%s retry_after=%s %s",
            course.job_id,
            position,
            verdict.kind,
            verdict.http_status,
            verdict.retry_after,
            verdict.message,
        )
        question = course.gate.question
        if verdict.kind == "stop":
            self._ending.close("stopped", verdict.message)
        elif question is not None and not course.attended:
            self._ending.close("stopped", question)
        elif question is not None:
            course.slots_changed()
