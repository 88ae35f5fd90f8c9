"""The gate and the waits: observations in, decisions out, no clock."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import pytest

from sdr_kit.account import AttemptOutcome, RateLimits
from sdr_kit.backoff import Backoff
from sdr_kit.law.alike import SAME_FAILURES
from sdr_kit.law.learned import NOTHING_LEARNED, Learned
from sdr_kit.limits import OUTAGE_ATTEMPTS, Gate


def backoff(initial: float = 1.0, maximum: float = 60.0, *, seed: int = 1) -> Backoff:
    return Backoff(initial=initial, maximum=maximum, rng=random.Random(seed))


def gate(limit: int = 5, *, gap: float = 0.0, max_hold: float = 3600.0) -> Gate:
    return Gate(limit=limit, gap=gap, backoff=backoff(), max_hold=max_hold)


def start(gate: Gate, now: float, number: int | None = None) -> list[int]:
    """Starts so many, or as many as may start; gives their tickets."""
    tickets: list[int] = []
    while gate.wait(now) == 0 and (number is None or len(tickets) < number):
        tickets.append(gate.start(now))
    assert number is None or len(tickets) == number
    return tickets


def end(
    gate: Gate,
    tickets: list[int],
    outcome: AttemptOutcome,
    now: float,
    *,
    retry_after: float | None = None,
    message: str = "",
) -> None:
    for ticket in tickets:
        gate.end(ticket, outcome, now=now, retry_after=retry_after, message=message)


def held(limit: int = 8, *, until: float = 10.0, **options: float) -> Gate:
    """A gate that has been told to wait until then, with nothing in flight."""
    it = gate(limit, **options)
    end(it, start(it, 0.0, 1), "rate_limited", 0.0, retry_after=until)
    return it


def down(limit: int = 1) -> Gate:
    """A gate in an outage since 0, with nothing in flight; probes from 1."""
    it = gate(limit)
    while not it.in_outage:
        end(it, start(it, 0.0, 1), "transient", 0.0, message="refused")
    return it


@pytest.mark.parametrize(
    ("initial", "maximum", "ceilings"),
    [
        (1.0, 60.0, [1, 2, 4, 8, 16, 32, 60, 60]),
        (0.5, 3.0, [0.5, 1, 2, 3, 3]),
        (5.0, 5.0, [5, 5, 5]),
    ],
)
def test_the_ceiling_doubles_up_to_the_maximum(
    initial: float, maximum: float, ceilings: list[float]
) -> None:
    waits = backoff(initial, maximum)
    assert [waits.ceiling(n + 1) for n in range(len(ceilings))] == ceilings
    assert waits.ceiling(100_000) == maximum


@pytest.mark.parametrize("tries", [1, 3, 10])
def test_jitter_is_full(tries: int) -> None:
    waits = backoff()
    drawn = [waits.jittered(tries) for _ in range(2000)]
    top = waits.ceiling(tries)
    assert all(0 <= each <= top for each in drawn)
    assert min(drawn) < 0.01 * top
    assert max(drawn) > 0.99 * top
    assert sum(drawn) / len(drawn) == pytest.approx(top / 2, rel=0.05)


def test_the_same_seed_gives_the_same_waits() -> None:
    first, second, other = backoff(seed=3), backoff(seed=3), backoff(seed=4)
    drawn = [first.jittered(n) for n in range(1, 6)]
    assert drawn == [second.jittered(n) for n in range(1, 6)]
    assert drawn != [other.jittered(n) for n in range(1, 6)]


@pytest.mark.parametrize("limit", [1, 5, 50])
def test_never_more_than_the_limit_run(limit: int) -> None:
    it = gate(limit)
    tickets = start(it, 0.0)
    assert len(tickets) == it.in_flight == limit
    assert it.wait(1e9) == math.inf
    end(it, tickets[:1], "completed", 1.0)
    assert it.wait(1.0) == 0


def test_starts_keep_the_gap() -> None:
    it = gate(5, gap=0.5)
    assert it.wait(100.0) == 0  # the first need not wait
    it.start(100.0)
    assert it.wait(100.0) == 0.5
    assert it.wait(100.25) == 0.25
    assert it.wait(100.5) == it.wait(200.0) == 0


def test_a_raised_limit_lets_more_start_and_a_lowered_one_none() -> None:
    it = gate(2)
    tickets = start(it, 0.0)
    it.resize(4)
    tickets += start(it, 0.0, 2)
    it.resize(1)
    for left in (3, 2, 1):
        assert it.wait(1.0) == math.inf
        end(it, [tickets.pop()], "completed", 1.0)
        assert it.in_flight == left
    assert it.wait(1.0) == math.inf
    end(it, tickets, "completed", 1.0)
    assert len(start(it, 1.0)) == 1


def test_a_paused_or_closed_gate_lets_nothing_start() -> None:
    it = gate()
    it.paused = True
    assert it.wait(0.0) == math.inf
    it.resume(0.0)
    assert it.wait(0.0) == 0
    it.closed = True
    it.resume(0.0)
    assert it.wait(0.0) == math.inf


def test_a_cancelled_attempt_gives_its_slot_back_and_teaches_nothing() -> None:
    it = held(until=10.0)
    canary = start(it, 10.0)
    end(it, canary, "cancelled", 11.0)
    assert it.in_flight == 0
    assert it.hold is not None
    assert len(start(it, 11.0)) == 1  # another goes ahead in its place


def test_a_refusal_holds_every_start_for_as_long_as_asked() -> None:
    it = gate(5)
    tickets = start(it, 0.0, 3)
    end(it, tickets[:1], "rate_limited", 2.0, retry_after=30.0, message="slow down")
    assert it.wait(2.0) == 30.0
    assert it.hold is not None
    assert (it.hold.kind, it.hold.since, it.hold.until) == ("rate_limit", 2.0, 32.0)
    assert it.hold.reason == "slow down"
    assert it.wait(31.5) == 0.5
    assert it.wait(32.0) == 0


@pytest.mark.parametrize("outcome", ["completed", "permanent"])
def test_after_a_hold_one_goes_ahead_then_two_then_four(
    outcome: AttemptOutcome,
) -> None:
    it = held(limit=10, until=10.0)
    allowed = []
    now = 10.0
    for _ in range(5):
        tickets = start(it, now)
        allowed.append(len(tickets))
        now += 1
        end(it, tickets, outcome, now)
    assert allowed == [1, 2, 4, 8, 10]
    assert it.hold is None


def test_every_answer_lets_two_more_go_during_the_slow_start() -> None:
    it = held(limit=10, until=10.0)
    end(it, start(it, 10.0, 1), "completed", 11.0)
    pair = start(it, 11.0)
    assert len(pair) == 2
    end(it, pair[:1], "completed", 11.2)
    assert len(start(it, 11.2)) == 2
    assert it.in_flight == 3


def test_a_lowered_limit_bounds_the_slow_start_too() -> None:
    it = held(limit=10, until=10.0)
    it.resize(2)
    now = 10.0
    for expected in (1, 2, 2):
        tickets = start(it, now)
        assert len(tickets) == expected
        now += 1
        end(it, tickets, "completed", now)
    it.resize(9)  # the slow start is over
    assert len(start(it, now)) == 9


def test_a_burst_of_refusals_counts_once() -> None:
    it = gate(20)
    tickets = start(it, 0.0)
    end(it, tickets, "rate_limited", 1.0)
    assert it.wait(1.0) == 1.0  # the first step of the backoff, not the twentieth
    canary = start(it, 2.0)
    assert len(canary) == 1
    end(it, canary, "rate_limited", 2.0)
    assert it.wait(2.0) == 2.0  # the second


def test_a_late_refusal_of_a_burst_only_lengthens_the_hold() -> None:
    it = gate(5)
    tickets = start(it, 0.0)
    end(it, tickets[:1], "rate_limited", 1.0, retry_after=10.0)
    end(it, tickets[1:2], "rate_limited", 2.0, retry_after=5.0)
    assert it.hold is not None
    assert it.hold.until == 11.0
    end(it, tickets[2:3], "rate_limited", 3.0)
    assert it.hold.until == 11.0
    end(it, tickets[3:4], "rate_limited", 4.0, retry_after=20.0)
    assert (it.hold.since, it.hold.until) == (1.0, 24.0)
    assert it.wait(11.0) == 13.0


def test_a_late_refusal_holds_even_when_the_canary_has_been_answered() -> None:
    it = gate(5)
    tickets = start(it, 0.0, 2)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=10.0)
    canary = start(it, 10.0, 1)
    end(it, tickets[1:], "rate_limited", 10.5, retry_after=60.0)
    end(it, canary, "completed", 11.0)
    assert it.wait(11.0) == pytest.approx(59.5)
    assert len(start(it, 70.5)) == 2


def test_a_late_refusal_after_the_hold_is_a_new_hold() -> None:
    it = gate(5)
    tickets = start(it, 0.0, 2)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=10.0)
    end(it, start(it, 10.0, 1), "completed", 11.0)
    end(it, tickets[1:], "rate_limited", 12.0, retry_after=10.0)
    assert it.wait(12.0) == 10.0


def test_what_was_under_way_before_a_hold_does_not_end_it() -> None:
    it = gate(5)
    tickets = start(it, 0.0, 3)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=10.0)
    end(it, tickets[1:2], "completed", 1.0)
    end(it, tickets[2:], "transient", 1.0)
    assert it.wait(1.0) == 9.0
    assert len(start(it, 10.0)) == 1


def test_what_is_under_way_still_counts_for_the_limit() -> None:
    it = gate(2)
    tickets = start(it, 0.0)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=1.0)
    start(it, 1.0, 1)
    assert it.wait(1.0) == math.inf
    end(it, tickets[1:], "completed", 1.2)  # of before the hold
    assert it.wait(1.2) > 0  # the canary is still out
    assert it.in_flight == 1


def test_a_refused_canary_holds_again_for_longer_and_longer() -> None:
    it = gate(5)
    now, waits = 0.0, []
    for _ in range(8):
        end(it, start(it, now, 1), "rate_limited", now)
        waits.append(it.wait(now))
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert it.hold is not None
    assert it.hold.since == 0.0  # no answer since
    end(it, start(it, now, 1), "completed", now)
    end(it, start(it, now, 1), "rate_limited", now)
    assert it.wait(now) == 1.0  # an answer starts it anew


def test_a_refused_canary_holds_for_as_long_as_asked() -> None:
    it = held(until=10.0)
    end(it, start(it, 10.0, 1), "rate_limited", 11.0, retry_after=7.0)
    assert it.wait(11.0) == 7.0


def test_a_refusal_during_the_slow_start_begins_anew_with_one() -> None:
    it = held(limit=10, until=10.0)
    end(it, start(it, 10.0), "completed", 11.0)
    end(it, start(it, 11.0), "completed", 12.0)
    tickets = start(it, 12.0)
    assert len(tickets) == 4
    end(it, tickets[:1], "rate_limited", 13.0, retry_after=5.0)
    end(it, tickets[1:], "completed", 13.0)
    assert it.wait(13.0) == 5.0
    assert len(start(it, 18.0)) == 1


def test_a_failure_that_says_when_to_come_back_holds_like_a_refusal() -> None:
    it = gate(5)
    end(it, start(it, 0.0, 1), "transient", 0.0, retry_after=30.0)
    assert it.wait(0.0) == 30.0
    assert not it.in_outage


@pytest.mark.parametrize(
    ("limit", "failures"), [(1, 10), (5, 10), (6, 12), (10, 20), (50, 100)]
)
def test_an_outage_is_so_many_failures_in_a_row(limit: int, failures: int) -> None:
    assert failures == max(OUTAGE_ATTEMPTS, 2 * limit)
    it = gate(limit)
    for number in range(failures):
        assert not it.in_outage, number
        end(it, start(it, 0.0, 1), "transient", 0.0, message="refused")
    assert it.in_outage
    assert it.hold is not None
    assert it.hold.reason == "refused"
    assert it.wait(0.0) == 1.0


@pytest.mark.parametrize("between", ["completed", "permanent", "rate_limited"])
def test_any_answer_in_between_begins_the_count_anew(
    between: AttemptOutcome,
) -> None:
    it = gate(5)
    now = 0.0
    for _ in range(5):
        end(it, start(it, now, 1), "transient", now)
        end(it, start(it, now, 1), "transient", now)
        for _ in range(OUTAGE_ATTEMPTS - 3):
            end(it, start(it, now, 1), "transient", now)
        assert not it.in_outage
        end(it, start(it, now, 1), between, now, retry_after=1.0)
        now += 100
        it.pace.interrupted()  # nothing was to be started
    assert not it.in_outage


def test_a_cancelled_attempt_does_not_begin_the_count_anew() -> None:
    it = gate(5)
    for _ in range(OUTAGE_ATTEMPTS):
        end(it, start(it, 0.0, 1), "cancelled", 0.0)
        end(it, start(it, 0.0, 1), "transient", 0.0)
    assert it.in_outage


def test_an_outage_is_probed_at_growing_intervals_by_one_account() -> None:
    it = down(limit=5)
    now, waits = 0.0, []
    for _ in range(8):
        waits.append(it.wait(now))
        now += waits[-1]
        probe = start(it, now)
        assert len(probe) == 1
        end(it, probe, "transient", now, message="still refused")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert it.hold is not None
    assert (it.hold.since, it.hold.reason) == (0.0, "still refused")


def test_late_failures_neither_lengthen_an_outage_nor_count_as_probes() -> None:
    it = gate(5)
    late = start(it, 0.0, 3)
    for _ in range(OUTAGE_ATTEMPTS):
        end(it, start(it, 0.0, 1), "transient", 0.0)
    assert it.in_outage
    before = it.hold
    end(it, late, "transient", 0.5)
    assert it.hold == before


@pytest.mark.parametrize("outcome", ["completed", "permanent"])
def test_an_answered_probe_ends_the_outage(outcome: AttemptOutcome) -> None:
    it = down(limit=10)
    end(it, start(it, 1.0), outcome, 2.0)
    assert it.hold is None
    assert len(start(it, 2.0)) == 2


def test_an_answer_from_before_the_outage_does_not_end_it() -> None:
    it = gate(5)
    late = start(it, 0.0, 1)
    for _ in range(OUTAGE_ATTEMPTS):
        end(it, start(it, 0.0, 1), "transient", 0.0)
    end(it, late, "completed", 0.5)
    assert it.in_outage
    assert it.wait(0.5) == 0.5
    end(it, start(it, 1.0, 1), "completed", 1.1)
    assert it.hold is None


def test_a_canary_that_is_not_refused_for_a_while_is_taken_as_accepted() -> None:
    """Refusals come at once, answers may take a minute: the run does not wait."""
    it = held(limit=10, until=10.0)
    canary = start(it, 10.0)
    assert len(canary) == 1
    assert it.wait(10.0) == pytest.approx(0.5)
    assert it.wait(10.3) == pytest.approx(0.2)
    assert len(start(it, 10.5)) == 2
    assert it.hold is None
    assert len(start(it, 11.0)) == 4
    end(it, canary, "completed", 60.0)
    assert len(start(it, 60.0)) == 4  # the limit, less the six that are out


def test_where_refusals_take_long_the_canary_is_waited_for_longer() -> None:
    it = gate(10)
    ticket = start(it, 0.0, 1)[0]
    it.end(ticket, "rate_limited", now=2.0, seconds=2.0, retry_after=8.0)
    start(it, 10.0, 1)
    assert it.wait(10.0) == pytest.approx(2.8)  # 1.4 times as long as the refusal


def test_the_probe_of_an_outage_is_waited_for_until_it_answers() -> None:
    it = down(limit=5)
    start(it, 1.0, 1)
    assert it.wait(100.0) == math.inf


def test_a_provider_that_asks_for_next_to_no_time_is_left_alone_longer() -> None:
    it = gate(1)
    now, waits = 0.0, []
    for _ in range(6):
        ticket = start(it, now, 1)
        end(it, ticket, "rate_limited", now, retry_after=0.001)
        waits.append(it.wait(now))
        now += waits[-1]
    assert waits == pytest.approx([0.001, 1, 2, 4, 8, 16])


def test_a_probe_that_takes_long_does_not_open_the_gate_beyond_a_known_cap() -> None:
    it = Gate(
        limit=50,
        gap=0.0,
        backoff=backoff(),
        max_hold=3600.0,
        auto=True,
        learned=Learned(cap=6),
    )
    tickets = start(it, 0.0)
    while not it.in_outage:
        end(it, [tickets.pop()], "transient", 1.0)
        tickets += start(it, 1.0)
    now = 1.0 + it.wait(1.0)
    start(it, now, 1)  # the probe; it takes long, and the others hang
    assert it.wait(now + 10) == math.inf


def test_a_refused_probe_turns_the_outage_into_a_rate_limit() -> None:
    it = down()
    end(it, start(it, 1.0), "rate_limited", 2.0, retry_after=30.0)
    assert not it.in_outage
    assert it.wait(2.0) == 30.0


def test_what_a_provider_asked_for_is_kept_when_the_outage_begins_meanwhile() -> None:
    it = gate(50)
    tickets = start(it, 0.0)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=60.0)
    it.resize(1)  # whoever sees trouble lowers the slider
    end(it, tickets[1:], "transient", 1.0)
    assert it.in_outage
    assert it.wait(1.0) == 59.0


@pytest.mark.parametrize("asked", [3601.0, 1e9])
def test_a_hold_past_the_bound_becomes_a_question(asked: float) -> None:
    it = gate(5)
    end(it, start(it, 0.0, 1), "rate_limited", 0.0, retry_after=asked, message="full")
    assert it.paused
    assert it.wait(asked) == math.inf
    assert it.question is not None
    assert "MAX_HOLD_SECONDS" in it.question
    assert it.question.endswith("The last failure: full")
    it.resume(100.0)
    assert not it.paused
    assert it.question is None
    assert it.wait(100.0) == asked - 100  # what the provider asked for stands


def test_a_hold_as_long_as_the_bound_is_no_question() -> None:
    it = held(until=3600.0)
    assert it.question is None
    assert not it.paused


def test_a_late_refusal_that_lengthens_the_hold_past_the_bound_asks_too() -> None:
    it = gate(5)
    tickets = start(it, 0.0, 2)
    end(it, tickets[:1], "rate_limited", 0.0, retry_after=1.0)
    end(it, tickets[1:], "rate_limited", 0.0, retry_after=7200.0)
    assert it.question is not None
    assert "7200 s" in it.question


@pytest.mark.parametrize("outcome", ["rate_limited", "transient"])
def test_holds_in_a_row_past_the_bound_become_a_question_again_and_again(
    outcome: AttemptOutcome,
) -> None:
    it = down()
    now = 1.0
    questions: list[float] = []
    while len(questions) < 3:
        end(it, start(it, now, 1), outcome, now, message="no")
        now = it.hold.until if it.hold is not None else now
        if it.question is not None:
            questions.append(now)
            it.resume(now)
            assert it.wait(now) == 0
    assert questions[0] == pytest.approx(3600, abs=120)
    assert questions[1] - questions[0] == pytest.approx(3600, abs=120)
    assert questions[2] - questions[1] == pytest.approx(3600, abs=120)


def test_an_answered_question_about_a_hold_tolerates_no_failure() -> None:
    it = gate(5)
    for _ in range(SAME_FAILURES - 1):
        end(it, start(it, 0.0, 1), "permanent", 0.0, message="HTTP 401: bad key")
    end(it, start(it, 0.0, 1), "rate_limited", 0.0, retry_after=7200.0)
    assert it.question is not None
    it.resume(7200.0)
    end(it, start(it, 7200.0, 1), "permanent", 7200.0, message="HTTP 401: bad key")
    assert it.question is not None
    assert "failed in the same way" in it.question


def fail_alike(it: Gate, number: int, message: str = "HTTP 404: not found") -> None:
    for _ in range(number):
        end(it, start(it, 0.0, 1), "permanent", 0.0, message=message)


def test_ten_equal_permanent_failures_in_a_row_ask() -> None:
    it = gate(5)
    fail_alike(it, SAME_FAILURES - 1)
    assert it.question is None
    fail_alike(it, 1)
    assert it.question is not None
    assert it.question.startswith("10 accounts in a row failed in the same way: HTTP")
    assert it.paused


@pytest.mark.parametrize(
    "between",
    [("completed", ""), ("permanent", "HTTP 404: not there")],
    ids=["success", "another failure"],
)
def test_something_else_in_between_begins_the_count_anew(
    between: tuple[AttemptOutcome, str],
) -> None:
    it = gate(5)
    for _ in range(3):
        fail_alike(it, SAME_FAILURES - 1)
        end(it, start(it, 0.0, 1), between[0], 0.0, message=between[1])
    assert it.question is None


def test_passing_failures_in_between_do_not_begin_the_count_anew() -> None:
    it = gate(5)
    for _ in range(SAME_FAILURES):
        fail_alike(it, 1)
        end(it, start(it, 0.0, 1) if not it.paused else [], "transient", 0.0)
    assert it.question is not None


def test_failures_that_differ_only_in_their_ids_are_the_same() -> None:
    it = gate(5)
    for number in range(SAME_FAILURES):
        fail_alike(it, 1, f"HTTP 400: bad request (req_{number:08x}, try {number})")
    assert it.question is not None


def test_failures_without_a_message_are_not_compared() -> None:
    it = gate(5)
    fail_alike(it, 3 * SAME_FAILURES, "")
    assert it.question is None


def test_a_failure_that_was_answered_once_is_not_asked_about_again() -> None:
    it = gate(5)
    fail_alike(it, SAME_FAILURES)
    it.resume(0.0)
    fail_alike(it, 3 * SAME_FAILURES)
    assert it.question is None
    end(it, start(it, 0.0, 1), "completed", 0.0)
    fail_alike(it, 3 * SAME_FAILURES)
    assert it.question is None
    fail_alike(it, SAME_FAILURES, "another")  # but another one is
    assert it.question is not None


def test_resuming_without_a_question_tolerates_nothing() -> None:
    it = gate(5)
    fail_alike(it, SAME_FAILURES - 1)
    it.paused = True
    it.resume(0.0)
    fail_alike(it, 1)
    assert it.question is not None


@dataclass
class Watch:
    """Plays a random run and checks what must hold at every moment."""

    rng: random.Random
    gate: Gate
    now: float = 0.0
    tickets: list[int] = field(default_factory=list)
    told_to_wait_until: float = 0.0
    last_start: float = -math.inf

    def step(self) -> None:
        choice = self.rng.random()
        if choice < 0.45:
            self.start()
        elif choice < 0.9:
            self.end()
        elif choice < 0.95:
            auto = self.gate.auto != (self.rng.random() < 0.2)
            self.gate.resize(self.rng.randint(1, 20), auto=auto)
        elif choice < 0.97:
            self.gate.paused = True
        else:
            self.gate.resume(self.now)
        self.now += self.rng.choice([0.0, 0.01, 0.5, 5.0])
        assert self.gate.in_flight == len(self.tickets)
        assert self.gate.wait(self.now) >= 0

    def start(self) -> None:
        for _ in range(50):  # what it waits for may show that there is more to wait for
            wait = self.gate.wait(self.now)
            if wait == math.inf:
                assert self.gate.paused or self.tickets, "nothing could ever start"
                return
            if wait == 0:
                break
            self.now += max(wait, 1e-6)
        assert wait == 0
        self.tickets.append(self.gate.start(self.now))
        assert len(self.tickets) <= self.gate.limit
        assert not self.gate.paused
        assert self.now >= self.told_to_wait_until - 1e-6
        assert self.now >= self.last_start + 0.05 - 1e-6
        self.last_start = self.now

    def end(self) -> None:
        if not self.tickets:
            return
        ticket = self.tickets.pop(self.rng.randrange(len(self.tickets)))
        outcomes: list[AttemptOutcome] = ["completed", "permanent", "rate_limited"]
        outcomes += ["transient", "transient", "cancelled"]
        outcome = self.rng.choice(outcomes)
        asked = (
            self.rng.choice([None, 1.0, 20.0]) if outcome == "rate_limited" else None
        )
        self.told_to_wait_until = max(
            self.told_to_wait_until, self.now + (asked or 0.0)
        )
        message = self.rng.choice(["same", "same", "other 1", ""])
        self.gate.end(
            ticket,
            outcome,
            now=self.now,
            seconds=self.rng.choice([0.0, 0.1, 3.0, 30.0]),
            retry_after=asked,
            message=message,
            limits=self.headers() if self.rng.random() < 0.2 else None,
            tokens=self.rng.choice([0, 500]),
        )

    def headers(self) -> RateLimits:
        return RateLimits(
            requests_limit=self.rng.choice([None, 10]),
            requests_remaining=self.rng.choice([None, 0, 3]),
            requests_reset_seconds=self.rng.choice([None, 0.0, 2.0, 60.0]),
            tokens_remaining=self.rng.choice([None, 0, 5_000]),
            tokens_reset_seconds=self.rng.choice([None, 7.0]),
        )


LEARNED = Learned(cap=4, per_minute=30, knee=6)


@pytest.mark.parametrize("learned", [NOTHING_LEARNED, LEARNED], ids=["new", "learned"])
@pytest.mark.parametrize("mode", ["manual", "auto"])
@pytest.mark.parametrize("seed", range(15))
def test_whatever_happens_limit_gap_and_retry_after_are_kept(
    seed: int, mode: str, learned: Learned
) -> None:
    """And it never waits for nothing: see `Watch.start`."""
    rng = random.Random(seed)
    it = Gate(
        limit=5,
        gap=0.05,
        backoff=backoff(),
        max_hold=100.0,
        auto=mode == "auto",
        accounts=200,
        learned=learned,
    )
    watch = Watch(rng, it)
    for _ in range(2000):
        watch.step()
    # And when all goes well again, everything flows again.
    it.resize(7)
    for _ in range(200):
        it.resume(watch.now)
        watch.now += 60
        end(it, watch.tickets, "completed", watch.now)
        watch.tickets = []
        while it.wait(watch.now) < 60:
            watch.now += it.wait(watch.now) + 1e-6
            watch.tickets.append(it.start(watch.now))
    assert len(watch.tickets) == 7
    assert it.hold is None


def test_failures_that_differ_in_the_accounts_name_only_are_the_same() -> None:
    it = gate(5)
    for number in range(SAME_FAILURES):
        name = f"Acme {'x' * number}"
        it.end(
            it.start(0.0),
            "permanent",
            now=0.0,
            message=f"page gone for {name}",
            about=name,
        )
    assert it.question is not None
