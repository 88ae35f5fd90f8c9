"""The panel without a browser: its handlers and what it says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Settings, Workbench
from tests.accounts import made_up


async def quick(account: Account) -> dict[str, object]:
    await asyncio.sleep(0.02)
    if account.position == 1:
        raise ValueError("no website <b>found</b>")
    return {"summary": "a company", "tier": "A", "priority_score": 9}


async def slow(_account: Account) -> dict[str, object]:
    await asyncio.sleep(0.3)
    return {}


def panel(number: int = 5, *, researcher: object = quick, **settings: int) -> Workbench:
    workbench = Workbench(
        made_up(number),
        researchers={"mine": researcher},  # type: ignore[dict-item]
        store="memory",
        settings=Settings(**settings),
    )
    workbench._researcher.value = researcher
    return workbench


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def shown(workbench: Workbench) -> str:
    parts = ("_headline", "_problem", "_notice", "_progress", "_table", "_failures")
    return " ".join(getattr(workbench, part).value for part in parts)


def drawn_to_the_end(workbench: Workbench) -> None:
    until(lambda: workbench.job is not None and workbench.job.progress.ended)
    until(lambda: not any(t.name == "sdr_kit panel" for t in threading.enumerate()))


def test_an_empty_panel_says_what_to_do() -> None:
    workbench = Workbench(store="memory")
    assert "load_accounts" in shown(workbench)
    assert workbench._run.disabled
    assert workbench.frame.empty


def test_before_the_first_run_the_frame_is_the_list() -> None:
    workbench = panel(3)
    assert workbench.job is None
    assert list(workbench.frame["company_name"]) == [f"Company {i}" for i in range(3)]
    assert not workbench._run.disabled
    assert workbench._pause.disabled
    assert workbench._cancel.disabled


def test_a_click_on_run_goes_to_the_end_and_shows_it() -> None:
    workbench = panel()
    workbench._run.click()
    drawn_to_the_end(workbench)
    assert "Finished" in shown(workbench)
    assert "4 completed" in shown(workbench)
    assert "1 failed" in shown(workbench)
    assert len(workbench._chart.data[0].x) >= 2
    assert not workbench._run.disabled
    assert workbench._cancel.disabled
    assert list(workbench.frame["tier"].dropna()) == ["A"] * 4


def test_foreign_text_is_escaped() -> None:
    accounts = sdr_kit.load_accounts(
        pd.DataFrame({"company_name": ["<img src=x onerror=alert(1)>", "<b>B</b>"]})
    )
    workbench = Workbench(accounts, researchers={"mine": quick}, store="memory")
    workbench._researcher.value = quick
    workbench._run.click()
    drawn_to_the_end(workbench)
    for tag in ("<img", "<b>B", "<b>found"):
        assert tag not in shown(workbench)
    assert "&lt;img" in shown(workbench)
    assert "no website &lt;b&gt;found" in workbench._failures.value


def test_handlers_may_be_called_from_any_thread() -> None:
    workbench = panel(200, researcher=slow)

    def elsewhere(act: Callable[[], object]) -> None:
        thread = threading.Thread(target=act)
        thread.start()
        thread.join(5)

    elsewhere(workbench._run.click)
    job = workbench.job
    assert job is not None
    elsewhere(lambda: setattr(workbench._slider, "value", 8))
    until(lambda: job.progress.running == 8)
    elsewhere(workbench._pause.click)
    until(lambda: job.progress.state == "paused")
    until(lambda: workbench._pause.description == "Resume")
    elsewhere(workbench._pause.click)
    until(lambda: job.progress.state == "running")
    elsewhere(workbench._cancel.click)
    drawn_to_the_end(workbench)
    assert "Cancelled" in shown(workbench)


def test_a_handlers_error_shows_on_the_panel_and_goes_with_the_next_success() -> None:
    class Refusing:
        def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    workbench = panel(3)
    workbench.accounts = "not a list"  # type: ignore[assignment]
    workbench._run.click()
    assert "load_accounts" in workbench._problem.value
    assert 'role="alert"' in workbench._problem.value
    workbench.accounts = made_up(3)
    workbench._run.click()
    assert workbench._problem.value == ""
    drawn_to_the_end(workbench)


def test_a_run_that_pauses_to_ask_says_why_and_how_to_go_on() -> None:
    def research(_account: Account) -> dict[str, str]:
        raise KeyError("domian")

    workbench = panel(30, researcher=research)
    workbench._slider.value = 1
    workbench._run.click()
    until(lambda: "Resume" in workbench._notice.value)
    assert "domian" in workbench._notice.value
    workbench._pause.click()
    drawn_to_the_end(workbench)
    assert "30 failed" in shown(workbench)


def test_a_crash_is_shown() -> None:
    class Broken:
        async def __aenter__(self) -> None:
            raise RuntimeError("no such provider")

        async def __aexit__(self, *_error: object) -> None: ...

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    workbench = panel(3, researcher=Broken())
    workbench._run.click()
    drawn_to_the_end(workbench)
    assert "no such provider" in workbench._notice.value
    assert not workbench._run.disabled


def test_sequential_disables_the_slider_and_runs_one_at_a_time() -> None:
    workbench = panel(4)
    workbench._mode.value = "Sequential"
    assert workbench._slider.disabled
    workbench._run.click()
    assert workbench.job is not None
    assert workbench.job.concurrency == 1
    drawn_to_the_end(workbench)


def test_the_settings_set_the_panel_up() -> None:
    workbench = panel(2, max_concurrency=20, processing_concurrency=7)
    assert (workbench._slider.value, workbench._slider.max) == (7, 20)
    off = Workbench(
        made_up(1), store="memory", settings=Settings(enable_parallel_processing=False)
    )
    assert off._mode.value == "Sequential"


def test_a_list_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="load_accounts"):
        Workbench("accounts.csv", store="memory")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="did you mean"):
        Workbench(
            made_up(1),
            researchers={"x": sdr_kit.Sandbox},  # type: ignore[dict-item]
            store="memory",
        )


def test_the_slider_follows_what_a_cell_tells_the_job() -> None:
    workbench = panel(100, researcher=slow)
    workbench._run.click()
    assert workbench.job is not None
    workbench.job.concurrency = 7
    until(lambda: workbench._slider.value == 7)
    workbench._slider.value = 3
    assert workbench.job.concurrency == 3
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert workbench._slider.value == 3


def test_a_page_that_draws_the_panel_gets_a_fresh_chart() -> None:
    workbench = panel(5)
    workbench._run.click()
    drawn_to_the_end(workbench)
    old = workbench._chart
    workbench._on_drawn(workbench._beacon, {"drawn": True}, [])
    assert workbench._chart is not old
    assert len(workbench._chart.data[0].x) == len(old.data[0].x)
    assert workbench._chart_box.children == (workbench._chart,)


@pytest.mark.parametrize("number", [99, 100, 101, 2000])
def test_a_large_list_is_shown_around_where_the_work_is(number: int) -> None:
    workbench = panel(number)
    assert workbench._table.value.count("<tr>") == min(number, 100) + 1
    assert ("all" in workbench._table.value) == (number <= 100)
