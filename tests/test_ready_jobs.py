"""A list that is stored first and begun later, perhaps by somebody else."""

from __future__ import annotations

from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Research
from sdr_kit.errors import JobHeldError
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.test_jobs_panel import Told
from tests.test_workbench import drawn_to_the_end, panel, shown

DATABASE = "sqlite:///panel.db"


class Counting:
    """Notes whom it was asked about."""

    fingerprint = "counting|1"

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def __call__(self, account: Account) -> Research:
        self.calls.append(account.position)
        return Research(fields={"position": account.position}, cost_usd=0.5)


def added(number: int) -> int:
    accounts = made_up(number)
    return Store(DATABASE).create_job(
        tuple(accounts),
        None,
        keys=accounts.keys,
        source=accounts.source,
        layout=accounts.others,
    )


def test_a_list_that_was_stored_is_a_job_that_is_ready() -> None:
    job_id = added(6)
    (row,) = sdr_kit.jobs(DATABASE).to_dict("records")
    assert (row["job"], row["state"], row["pending"]) == (job_id, "ready", 6)
    assert row["researcher"] == ""
    assert row["holder"] is None


def test_it_is_begun_with_whoever_is_named_then() -> None:
    job = sdr_kit.resume(added(6), counting := Counting(), DATABASE, budget_usd=9.0)
    assert job.wait(30).summary.completed == 6
    stored = Store(DATABASE).job(job.id)
    assert (stored.state, stored.researcher) == ("finished", "Counting")
    assert (stored.concurrency, stored.budget_usd) == (5, 9.0)
    assert sorted(counting.calls) == list(range(6))


def test_it_takes_over_what_is_stored_and_fresh() -> None:
    sdr_kit.start(made_up(4), Counting(), store=DATABASE).wait(30)
    job = sdr_kit.resume(added(6), counting := Counting(), DATABASE)
    assert job.wait(30).summary.reused == 4
    assert sorted(counting.calls) == [4, 5]
    again = sdr_kit.resume(added(6), counting, DATABASE, refresh=True)
    assert again.wait(30).summary.reused == 0


def test_a_part_of_it_may_be_begun() -> None:
    job = sdr_kit.resume(added(6), counting := Counting(), DATABASE, positions=[1, 4])
    assert job.wait(30).summary.pending == 4
    assert sorted(counting.calls) == [1, 4]


def test_nobody_begins_it_without_a_researcher() -> None:
    job_id = added(2)
    with pytest.raises(ValueError, match="begun by nobody; pass who is asked"):
        sdr_kit.resume(job_id, store=DATABASE)
    assert Store(DATABASE).job(job_id).state == "ready"


def test_of_two_that_begin_it_at_once_one_does() -> None:
    class Late(Store):
        """One that somebody overtakes when it is about to begin."""

        def begin(self, job_id: int, beginning: Any) -> None:
            overtaker = sdr_kit.resume(job_id, Counting(), DATABASE)
            overtaker.wait(30)
            super().begin(job_id, beginning)

    job_id = added(3)
    with pytest.raises(JobHeldError, match="begun meanwhile"):
        sdr_kit.resume(job_id, counting := Counting(), Late(DATABASE))
    assert not counting.calls


def test_the_panel_offers_to_begin_it() -> None:
    added(8)
    workbench = panel(8, researcher=(told := Told()), store=DATABASE)
    question = workbench._question
    assert "Begin job 1 (8 accounts)? Added " in shown(question)
    question._yes.click()
    drawn_to_the_end(workbench)
    assert sorted(told.calls) == list(range(8))
    assert workbench.job is not None
    assert workbench.job.id == 1
    assert workbench.job.progress.state == "finished"
