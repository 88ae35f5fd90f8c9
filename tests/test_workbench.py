"""The panel without a browser: its handlers and what it says."""

from __future__ import annotations

import asyncio
import datetime
import io
import re
import threading
import time
from collections.abc import Callable

import ipywidgets
import numpy as np
import pandas as pd
import pytest

import sdr_kit
from sdr_kit import Account, Research, Settings, Workbench
from sdr_kit.account import Edit, Evidence
from sdr_kit.workbench.accounts_view import worklist_columns
from tests.accounts import made_up

TABS = ["List", "Run", "Accounts", "Failures", "Compare", "Charts", "Jobs"]


async def quick(account: Account) -> dict[str, object]:
    await asyncio.sleep(0.02)
    if account.position == 1:
        raise ValueError("no website <b>found</b>")
    return {"summary": "a company", "tier": "A", "priority_score": 9}


async def slow(_account: Account) -> dict[str, object]:
    await asyncio.sleep(0.3)
    return {}


def panel(
    number: int = 5,
    *,
    researcher: object = quick,
    store: str = "memory",
    **settings: float,
) -> Workbench:
    workbench = Workbench(
        made_up(number),
        researchers={"mine": researcher},  # type: ignore[dict-item]
        store=store,
        settings=Settings(**settings),
    )
    workbench._chooser.dropdown.value = researcher
    return workbench


def until(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def turn_to(workbench: Workbench, tab: str) -> None:
    workbench._tabs.selected_index = TABS.index(tab)


def chosen(workbench: Workbench) -> object:
    """How many at once its job was told."""
    assert workbench.job is not None
    return workbench.job.concurrency


def shown(widget: object) -> str:
    """What a widget and all in it say."""
    children = getattr(widget, "children", ())
    said = [str(getattr(widget, "value", "")), getattr(widget, "description", "")]
    return " ".join([*said, *map(shown, children)])


def drawn_to_the_end(workbench: Workbench) -> None:
    until(lambda: workbench.job is not None and workbench.job.progress.ended)
    until(lambda: not any(t.name == "sdr_kit panel" for t in threading.enumerate()))


def ran(workbench: Workbench) -> Workbench:
    workbench._run.click()
    drawn_to_the_end(workbench)
    return workbench


def test_an_empty_panel_asks_for_a_list() -> None:
    workbench = Workbench(store="memory")
    assert workbench._tabs.selected_index == TABS.index("List")
    assert "Upload a list" in shown(workbench)
    assert workbench._run.disabled
    assert workbench.frame.empty


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("number", [0, 3])
def test_every_tab_says_what_to_do_before_the_first_run(tab: str, number: int) -> None:
    accounts = made_up(number) if number else None
    workbench = Workbench(accounts, store="memory")
    turn_to(workbench, tab)
    assert workbench._problem.value == ""
    assert len(shown(workbench._tabs.children[TABS.index(tab)])) > 20


def test_before_the_first_run_the_frame_is_the_list() -> None:
    workbench = panel(3)
    assert workbench.job is None
    assert list(workbench.frame["company_name"]) == [f"Company {i}" for i in range(3)]
    assert not workbench._run.disabled
    assert workbench._pause.disabled
    assert workbench._cancel.disabled


def test_a_click_on_run_goes_to_the_end_and_shows_it() -> None:
    workbench = ran(panel())
    assert "Finished" in shown(workbench)
    assert "4 completed" in shown(workbench)
    assert "1 failed" in shown(workbench)
    assert len(workbench._run_view._chart.data[0].x) >= 2
    assert not workbench._run.disabled
    assert workbench._cancel.disabled
    assert list(workbench.frame["tier"].dropna()) == ["A"] * 4
    assert workbench._tabs.titles[2:4] == ("Accounts (5)", "Failures (1)")


def test_foreign_text_is_escaped() -> None:
    accounts = sdr_kit.load_accounts(
        pd.DataFrame({"company_name": ["<img src=x onerror=alert(1)>", "<b>B</b>"]})
    )
    workbench = Workbench(accounts, researchers={"mine": quick}, store="memory")
    workbench._chooser.dropdown.value = quick
    ran(workbench)
    for tab in TABS:
        turn_to(workbench, tab)
    workbench._accounts_view._card.open(0)
    for tag in ("<img", "<b>B", "<b>found"):
        assert tag not in shown(workbench)
    assert "&lt;img" in shown(workbench._accounts_view.box)
    assert "no website &lt;b&gt;found" in shown(workbench._failures_view.box)


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


def test_a_moved_slider_is_on_the_label_at_once() -> None:
    workbench = panel(100, researcher=slow)
    workbench._run.click()
    workbench._slider.value = 9
    assert "limit 9" in workbench._progress.value
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_a_handlers_error_shows_on_the_panel_and_goes_with_the_next_success() -> None:
    workbench = panel(3)
    workbench._list_view._load.click()
    assert "path of a file" in workbench._problem.value
    assert 'role="alert"' in workbench._problem.value
    ran(workbench)
    assert workbench._problem.value == ""


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

    workbench = ran(panel(3, researcher=Broken()))
    assert "no such provider" in workbench._notice.value
    assert not workbench._run.disabled


def test_a_researcher_that_blocks_the_run_is_told_of() -> None:
    async def blocking(_account: Account) -> dict[str, str]:
        time.sleep(1.8)  # noqa: ASYNC251 (that is the point)
        return {}

    workbench = ran(panel(1, researcher=blocking))
    assert "had to wait" in workbench._notice.value
    assert "def" in workbench._notice.value


def test_sequential_disables_the_slider_and_runs_one_at_a_time() -> None:
    workbench = panel(4)
    workbench._mode.value = "Sequential"
    assert workbench._slider.disabled
    workbench._run.click()
    assert workbench.job is not None
    assert chosen(workbench) == 1
    drawn_to_the_end(workbench)


def test_the_settings_set_the_panel_up() -> None:
    workbench = panel(2, max_concurrency=20, processing_concurrency=7)
    assert (workbench._slider.value, workbench._slider.max) == (7, 20)
    off = Workbench(
        made_up(1), store="memory", settings=Settings(enable_parallel_processing=False)
    )
    assert off._mode.value == "Sequential"


def test_the_settings_may_choose_auto() -> None:
    settings = Settings(processing_concurrency="auto", max_concurrency=4)
    workbench = Workbench(made_up(1), store="memory", settings=settings)
    assert workbench._choice == "auto"
    assert workbench._slider.value == 4


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
    assert chosen(workbench) == 3
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert workbench._slider.value == 3


def test_auto_takes_the_slider_along_and_gives_it_back() -> None:
    workbench = panel(900, researcher=slow)
    assert not workbench._auto.value
    assert not workbench._slider.disabled
    workbench._auto.value = True
    assert workbench._slider.disabled
    assert "at most 50 at once" in workbench._allowed.value
    workbench._run.click()
    job = workbench.job
    assert job is not None
    assert chosen(workbench) == "auto"
    until(lambda: job.progress.running > 10)  # more than the slider has
    until(lambda: workbench._slider.value == 10)
    assert not workbench._slider.readout  # it would say 10
    assert re.search(r"<b>\d+ at work</b>.*at most 50", workbench._allowed.value)
    until(lambda: "(auto, " in workbench._progress.value)
    workbench._auto.value = False  # goes on from where the slider stands
    assert chosen(workbench) == 10
    assert not workbench._slider.disabled
    assert workbench._slider.readout
    assert workbench._allowed.layout.display == "none"
    assert "limit 10" in workbench._progress.value
    workbench._slider.value = 2
    assert chosen(workbench) == 2
    workbench._auto.value = True
    assert chosen(workbench) == "auto"
    assert "(auto, " in workbench._progress.value
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert workbench._auto.value
    workbench._continue.click()
    assert workbench.job is not None
    assert chosen(workbench) == "auto"
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_auto_follows_what_a_cell_tells_the_job() -> None:
    workbench = panel(900, researcher=slow)
    workbench._run.click()
    assert workbench.job is not None
    workbench.job.concurrency = "auto"
    until(lambda: workbench._auto.value)
    workbench.job.concurrency = 3
    until(lambda: not workbench._auto.value)
    assert workbench._slider.value == 3
    assert chosen(workbench) == 3
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_sequential_is_one_at_a_time_in_auto_too() -> None:
    workbench = panel(4)
    workbench._auto.value = True
    workbench._mode.value = "Sequential"
    assert workbench._auto.disabled
    assert workbench._slider.disabled
    assert workbench._allowed.layout.display == "none"
    workbench._run.click()
    assert workbench.job is not None
    assert chosen(workbench) == 1
    drawn_to_the_end(workbench)
    workbench._mode.value = "Parallel"
    assert not workbench._auto.disabled
    assert workbench._choice == "auto"


def test_a_page_that_draws_the_panel_gets_fresh_charts() -> None:
    workbench = ran(panel(5))
    turn_to(workbench, "Charts")
    old, other = workbench._run_view._chart, workbench._charts_view._chart.children
    workbench._page._handle_custom_msg({"drawn": True}, [])
    assert workbench._run_view._chart is not old
    assert len(workbench._run_view._chart.data[0].x) == len(old.data[0].x)
    assert workbench._run_view._chart_box.children == (workbench._run_view._chart,)
    assert workbench._charts_view._chart.children != other


@pytest.mark.parametrize("number", [11, 12, 13, 2000])
def test_a_large_list_is_shown_around_where_the_work_is(number: int) -> None:
    workbench = panel(number, researcher=slow)
    workbench._run.click()
    table = workbench._run_view._table
    until(lambda: "<tr>" in table.value)
    assert table.value.count("<tr>") == min(number, 12) + 1
    assert ("all" in table.value) == (number <= 12)
    workbench._cancel.click()
    drawn_to_the_end(workbench)


# The list.


def upload(workbench: Workbench, name: str, content: bytes) -> None:
    workbench._list_view._upload.value = (
        {
            "name": name,
            "type": "text/csv",
            "content": memoryview(content),
            "size": len(content),
            "last_modified": datetime.datetime.now(datetime.UTC),
        },
    )


def test_an_uploaded_file_is_the_list_and_another_may_follow() -> None:
    workbench = Workbench(store="memory")
    upload(workbench, "kunden.csv", "Firma;Webseite\nMüller AG;mueller.de".encode())
    assert workbench.accounts is not None
    assert list(workbench.frame["company_name"]) == ["Müller AG"]
    assert "kunden.csv" in workbench._headline.value
    assert "semicolons" in workbench._list_view._report.value
    assert not workbench._run.disabled
    upload(workbench, "two.csv", b"company_name\nA\nB\n")
    assert len(workbench.accounts) == 2
    assert workbench._list_view._upload.value == ()


def test_a_list_that_cannot_be_loaded_says_why_and_leaves_the_one_before() -> None:
    workbench = panel(3)
    upload(workbench, "numbers.csv", b"a,b\n1,2\n")
    assert "numbers.csv" in workbench._problem.value
    assert workbench.accounts is not None
    assert len(workbench.accounts) == 3


def test_no_list_is_loaded_over_a_running_one() -> None:
    workbench = panel(50, researcher=slow)
    workbench._run.click()
    upload(workbench, "two.csv", b"company_name\nA\nB\n")
    assert "a run is under way" in workbench._problem.value
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def listed(rows: str) -> Workbench:
    accounts = sdr_kit.load_accounts(f"company_name,domain\n{rows}".encode())
    workbench = Workbench(accounts, store="memory", researchers={"mine": quick})
    workbench._chooser.dropdown.value = quick
    turn_to(workbench, "List")
    return workbench


def select(workbench: Workbench, group: str, places: list[int]) -> None:
    view = workbench._list_view
    view._which.value = group
    assert view._grid._table is not None
    view._grid._table.selected_rows = places


def test_a_duplicate_is_kept_and_a_row_is_dropped_before_the_run() -> None:
    workbench = listed("Acme Inc,acme.com\nAcme,acme.com\nBolt,bolt.eu\n")
    view = workbench._list_view
    assert view._act.disabled
    select(workbench, "Duplicates", [0])
    assert view._act.description == "Keep selected"
    view._act.click()
    assert list(workbench.frame["company_name"]) == ["Acme Inc", "Acme", "Bolt"]
    select(workbench, "Ready", [0, 2])
    assert view._act.description == "Drop selected"
    view._act.click()
    assert list(workbench.frame["company_name"]) == ["Acme"]
    assert "2 rejected" in workbench._headline.value
    select(workbench, "Rejected", [0])
    view._act.click()
    assert list(workbench.frame["company_name"]) == ["Acme Inc", "Acme"]


def test_a_list_that_has_been_run_is_not_changed() -> None:
    workbench = ran(listed("Acme Inc,acme.com\nAcme,acme.com\nBolt,bolt.eu\n"))
    turn_to(workbench, "List")
    select(workbench, "Duplicates", [0])
    assert workbench._list_view._act.disabled
    assert workbench.job is not None


# Accounts.


def test_an_edit_stands_above_the_research_and_survives_another_run() -> None:
    workbench = ran(panel(3))
    turn_to(workbench, "Accounts")
    grid = workbench._accounts_view._grid
    assert grid._table is not None
    grid._table.selected_rows = [2]
    details = workbench._accounts_view._card
    assert "Company 2" in details._head.value
    assert "a company" in details._facts.value
    details._tier.value, details._owner.value = "C", " Ann "
    details._notes.value = "call <b>in</b> May"
    details._save.click()
    assert grid.selected == [2]
    assert details._notes.value == "call <b>in</b> May"
    for _ in range(2):
        row = workbench.frame.iloc[2]
        assert (row["tier"], row["owner"]) == ("C", "Ann")
        assert row["notes"] == "call <b>in</b> May"
        assert row["priority_score"] == 9
        ran(workbench)
    turn_to(workbench, "Accounts")
    details.open(2)
    details._undo.click()
    assert workbench.frame.iloc[2]["tier"] == "A"
    assert "notes" not in workbench.frame


def test_an_account_can_be_edited_and_dropped_before_the_run() -> None:
    workbench = panel(3)
    turn_to(workbench, "Accounts")
    details = workbench._accounts_view._card
    details.open(1)
    details._priority.value = 10
    details._save.click()
    details.open(0)
    details._drop.click()
    assert list(workbench.frame["company_name"]) == ["Company 1", "Company 2"]
    assert workbench._desk.worklist["priority_score"].tolist()[0] == 10
    assert details.position is None


def test_new_results_are_offered_and_shown_at_the_end() -> None:
    workbench = panel(40, researcher=slow)
    workbench._run.click()
    turn_to(workbench, "Accounts")
    view = workbench._accounts_view
    until(lambda: "new result" in view._news.value)
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert view._news.value == ""


def test_exports_leave_out_what_the_sandbox_invented_unless_asked() -> None:
    workbench = Workbench(made_up(3), store="memory")
    ran(workbench)
    turn_to(workbench, "Accounts")
    saved: list[tuple[str, bytes]] = []
    view = workbench._accounts_view
    view._download = lambda name, contents: saved.append((name, contents))
    view._save.click()
    view._invented.value = True
    view._save.click()
    assert [b"SYNTHETIC" in contents for _, contents in saved] == [False, True]


def test_each_kind_of_export_is_saved_under_its_name() -> None:
    workbench = ran(panel(3))
    turn_to(workbench, "Accounts")
    saved: list[str] = []
    view = workbench._accounts_view
    view._download = lambda name, _contents: saved.append(name)
    for _, kind in view._kind.options:
        view._kind.value = kind
        view._save.click()
    assert [re.sub(r"\d[\d-]*", "N", name) for name in saved] == [
        "DataFrame_job-N_N.csv",
        "DataFrame_job-N_N.xlsx",
        "DataFrame-with-results_job-N_N.csv",
        "DataFrame_job-N_N.html",
        "DataFrame_job-N_N.jsonl",
    ]


def test_a_list_that_was_a_workbook_goes_back_into_one() -> None:
    desk = panel(2)._desk
    assert desk.accounts is not None
    desk.accounts.source = "Liste.XLSX (sample of 2)"
    name, contents = desk.export("merged", invented=False)
    assert name.startswith("Liste-sample-of-2-with-results_2")
    assert name.endswith(".xlsx")
    sheet = pd.read_excel(io.BytesIO(contents), engine="calamine")
    assert list(sheet["status"]) == ["pending"] * 2


def test_there_is_nothing_to_report_before_the_first_run() -> None:
    desk = panel(2)._desk
    assert b"Company 0" in desk.export("jsonl", invented=False)[1]
    with pytest.raises(RuntimeError, match="nothing has been run yet"):
        desk.export("html", invented=False)


def test_the_desk_keeps_an_edit_with_the_company_not_with_the_job() -> None:
    workbench = ran(panel(2))
    workbench._desk.edit(0, Edit(notes="old customer"))
    again = Workbench(made_up(2), store=workbench._desk.store)
    assert again._desk.worklist["notes"].tolist()[0] == "old customer"


# Failures.


def failing_once() -> Callable[[Account], object]:
    seen: set[int] = set()

    async def research(account: Account) -> dict[str, object]:
        if account.position % 2 and account.position not in seen:
            seen.add(account.position)
            raise sdr_kit.Permanent(
                "No website" if account.position % 4 == 1 else "Parked domain"
            )
        return {"tier": "B"}

    return research


def test_failures_are_grouped_and_one_cause_is_retried() -> None:
    workbench = ran(panel(12, researcher=failing_once()))
    turn_to(workbench, "Failures")
    view = workbench._failures_view
    assert len(view._groups.children) == 2
    assert "No website" in shown(view.box)
    retry = view._groups.children[0].children[1].children[0]
    assert retry.description == "Retry these 3"
    job = workbench.job
    retry.click()
    drawn_to_the_end(workbench)
    assert workbench.job is not job
    assert "9 completed" in shown(workbench)
    assert "3 failed" in shown(workbench)
    turn_to(workbench, "Failures")
    view._all.click()
    drawn_to_the_end(workbench)
    assert "12 completed" in shown(workbench)
    turn_to(workbench, "Failures")
    assert "No account has failed" in shown(view.box)


def test_what_a_cancelled_run_left_is_continued() -> None:
    workbench = panel(30, researcher=slow)
    workbench._slider.value = 10
    workbench._run.click()
    until(lambda: workbench.job is not None and workbench.job.progress.completed > 0)
    assert workbench._continue.layout.display == "none"
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert workbench._continue.layout.display is None
    workbench._continue.click()
    drawn_to_the_end(workbench)
    assert "30 completed" in shown(workbench)
    assert workbench._continue.layout.display == "none"


# Compare.


def compared(workbench: Workbench) -> None:
    until(lambda: not workbench._desk.comparing)
    until(lambda: not any(t.name == "sdr_kit compare" for t in threading.enumerate()))


def test_a_comparison_is_drawn_beside_its_table() -> None:
    workbench = panel(5)
    turn_to(workbench, "Compare")
    view = workbench._compare_view
    view._levels.value, view._sample.value = "1, 5", 4
    view._go.click()
    until(lambda: view._table.value != "")
    compared(workbench)
    assert view._status.value == ""
    assert len(view._chart.children) == 1
    assert not view._go.disabled
    assert workbench.job is None


def test_a_comparison_is_stopped() -> None:
    workbench = panel(5, researcher=slow)
    turn_to(workbench, "Compare")
    view = workbench._compare_view
    view._sample.value = 5
    view._go.click()
    until(lambda: workbench._desk.comparing)
    assert workbench._run.disabled
    view._stop.click()
    compared(workbench)
    assert "Stopped" in view._status.value
    assert not workbench._run.disabled


@pytest.mark.parametrize("levels", ["", "1, x", "5.5", "0", "11"])
def test_numbers_that_make_no_comparison_are_refused(levels: str) -> None:
    workbench = panel(3)
    view = workbench._compare_view
    view._levels.value = levels
    view._go.click()
    assert "alert" in workbench._problem.value
    assert not workbench._desk.comparing


def test_a_paid_researcher_is_compared_only_after_a_yes() -> None:
    class Paid:
        paid = True
        calls = 0

        async def __call__(self, _account: Account) -> dict[str, str]:
            self.calls += 1
            return {}

    paid = Paid()
    workbench = panel(5, researcher=paid)
    view = workbench._compare_view
    view._levels.value, view._sample.value = "1, 2", 5
    view._go.click()
    assert "10 paid calls" in view._question._words.value
    assert view._question.layout.display is None
    view._question._no.click()
    assert view._question.layout.display == "none"
    assert paid.calls == 0
    view._go.click()
    view._question._yes.click()
    until(lambda: view._table.value != "")
    compared(workbench)
    assert paid.calls == 10


def test_a_second_yes_makes_no_second_comparison() -> None:
    class Paid:
        paid = True
        calls = 0

        async def __call__(self, _account: Account) -> dict[str, str]:
            self.calls += 1
            await asyncio.sleep(0.05)
            return {}

    paid = Paid()
    workbench = panel(5, researcher=paid)
    view = workbench._compare_view
    view._levels.value, view._sample.value = "1", 5
    view._go.click()
    view._question._yes.click()
    view._question._yes.click()
    compared(workbench)
    assert paid.calls == 5


def test_a_question_about_another_list_is_taken_back() -> None:
    class Paid:
        paid = True

        async def __call__(self, _account: Account) -> dict[str, str]:
            return {}

    workbench = panel(5, researcher=Paid())
    turn_to(workbench, "Compare")
    view = workbench._compare_view
    view._go.click()
    upload(workbench, "two.csv", b"company_name\nA\nB\n")
    view._question._yes.click()
    assert "another one" in workbench._problem.value
    assert not workbench._desk.comparing


def test_a_comparison_that_fails_says_why() -> None:
    async def wrong(_account: Account) -> dict[str, str]:
        raise sdr_kit.StopRun("no quota")

    workbench = panel(3, researcher=wrong)
    workbench._compare_view._go.click()
    until(lambda: "no quota" in workbench._problem.value)
    compared(workbench)


def test_nothing_is_run_or_retried_during_a_comparison() -> None:
    workbench = ran(panel(5, researcher=quick))
    turn_to(workbench, "Failures")
    retry = workbench._failures_view._all
    view = workbench._compare_view
    view._sample.value = 5
    view._go.click()
    job = workbench.job
    retry.click()
    assert "a comparison is under way" in workbench._problem.value
    assert workbench.job is job
    view._stop.click()
    compared(workbench)


def test_a_comparison_of_another_list_is_not_shown() -> None:
    workbench = panel(4)
    turn_to(workbench, "Compare")
    view = workbench._compare_view
    view._levels.value, view._sample.value = "1, 2", 3
    view._go.click()
    until(lambda: view._table.value != "")
    compared(workbench)
    upload(workbench, "two.csv", b"company_name\nA\nB\n")
    turn_to(workbench, "List")
    turn_to(workbench, "Compare")
    assert view._table.value == ""
    assert view._chart.children == ()


# What a person is doing is not lost.


def test_what_is_being_written_stays_when_the_table_is_renewed() -> None:
    workbench = panel(8, researcher=slow)
    workbench._run.click()
    turn_to(workbench, "Accounts")
    card = workbench._accounts_view._card
    card.open(1)
    card._notes.value, card._tier.value = "half a sent", "B"
    drawn_to_the_end(workbench)
    assert (card._notes.value, card._tier.value) == ("half a sent", "B")
    assert "completed" in card._head.value


def test_an_edit_is_never_kept_for_another_account() -> None:
    workbench = panel(2)
    workbench._desk.edit(1, Edit(notes="secret of 1"))
    card = workbench._accounts_view._card
    card.open(1)
    workbench._desk.details = None  # type: ignore[assignment,method-assign]
    with pytest.raises(TypeError):
        card.open(0)
    card._save.click()
    assert workbench._desk.store.edits().keys() == {workbench.accounts.keys[1]}  # type: ignore[union-attr]


def test_the_open_account_is_closed_with_its_list() -> None:
    workbench = panel(4)
    turn_to(workbench, "Accounts")
    card = workbench._accounts_view._card
    card.open(2)
    assert workbench.accounts is not None
    workbench._desk.drop([workbench.accounts.rows[0]])
    workbench._draw()
    assert card.position is None


def test_research_does_not_take_the_place_of_the_lists_columns() -> None:
    def research(_account: Account) -> dict[str, object]:
        return {"company": "a guess", "priority": "high", "priority_score": 8}

    workbench = ran(panel(2, researcher=research))
    shown = worklist_columns(workbench._desk.worklist)
    assert list(shown["Company"]) == ["Company 0", "Company 1"]
    assert list(shown["Priority"]) == [8, 8]
    assert list(shown["Research: Company"]) == ["a guess"] * 2


def test_values_that_are_arrays_are_shown() -> None:
    frame = pd.DataFrame({"company_name": ["A"], "sizes": [np.array([1, 2])]})
    workbench = Workbench(sdr_kit.load_accounts(frame), store="memory")
    workbench._accounts_view._card.open(0)
    assert "1; 2" in workbench._accounts_view._card._facts.value


def test_continue_and_retry_run_as_the_controls_say() -> None:
    workbench = panel(30, researcher=slow)
    workbench._slider.value = 2
    workbench._run.click()
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    workbench._slider.value = 9
    workbench._continue.click()
    assert workbench.job is not None
    assert chosen(workbench) == 9
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    workbench._mode.value = "Sequential"
    workbench._continue.click()
    assert chosen(workbench) == 1
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_two_clicks_on_run_at_once_start_one_job() -> None:
    workbench = panel(50, researcher=slow)
    clicks = [threading.Thread(target=workbench._run.click) for _ in range(4)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert workbench.job is not None
    assert workbench.job.id == 1
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_what_is_no_longer_shown_is_closed() -> None:
    workbench = ran(panel(6, researcher=failing_once()))
    for tab in ("Accounts", "Failures", "Charts"):
        turn_to(workbench, tab)

    def renew() -> None:
        workbench._accounts_view.refresh()
        workbench._charts_view.refresh()
        workbench._run_view.redraw()
        workbench._failures_view._shown_of = (None, 0, False)
        workbench._failures_view.draw()

    for _ in range(2):  # the page may still draw what was shown before
        renew()
    before = len(widgets_alive())
    for _ in range(3):
        renew()
    assert len(widgets_alive()) == before


def widgets_alive() -> set[str]:
    return set(ipywidgets.widgets.widget._instances)


def test_an_export_of_a_sandbox_run_keeps_the_rows_and_what_people_set() -> None:
    workbench = ran(Workbench(made_up(3), store="memory"))
    workbench._desk.edit(1, Edit(notes="called them", tier="A"))
    _, contents = workbench._desk.export("csv", invented=False)
    frame = pd.read_csv(io.BytesIO(contents))
    assert list(frame["company_name"]) == ["Company 0", "Company 1", "Company 2"]
    assert frame["notes"].tolist()[1] == "called them"
    assert frame["tier"].tolist()[1] == "A"
    assert "SYNTHETIC" not in contents.decode()


def test_an_export_of_another_researcher_has_its_answers() -> None:
    workbench = ran(panel(3))
    _, contents = workbench._desk.export("csv", invented=False)
    assert contents.decode().count("a company") == 2


def test_a_save_changes_only_what_was_changed_here() -> None:
    workbench = panel(2)
    card = workbench._accounts_view._card
    card.open(0)
    workbench._desk.edit(0, Edit(notes="from elsewhere"))
    card._tier.value = "B"
    card._save.click()
    assert workbench._desk.details(0).edit == Edit(tier="B", notes="from elsewhere")
    assert card._notes.value == "from elsewhere"


def test_what_was_written_is_kept_when_another_account_is_opened() -> None:
    workbench = panel(2)
    card = workbench._accounts_view._card
    card.open(0)
    card._notes.value = "half a sent"
    card.open(1)
    assert card._notes.value == ""
    assert workbench._desk.details(0).edit == Edit(notes="half a sent")
    assert workbench._desk.details(1).edit == Edit()


def test_a_company_column_that_is_not_recognised_can_be_named() -> None:
    workbench = Workbench(store="memory")
    upload(workbench, "odd.csv", b"Wer,Wo\nAcme,acme.com\n")
    assert "company_name" in workbench._problem.value
    workbench._list_view._company.value = "Wer"
    upload(workbench, "odd.csv", b"Wer,Wo\nAcme,acme.com\n")
    assert list(workbench.frame["company_name"]) == ["Acme"]
    assert workbench._problem.value == ""


def test_a_question_is_taken_back_when_it_would_be_another_one() -> None:
    async def paid(_account: Account) -> dict[str, str]:
        return {}

    paid.paid = True  # type: ignore[attr-defined]
    workbench = panel(5, researcher=paid)
    turn_to(workbench, "Compare")
    question = workbench._compare_view._question
    for control, trait in (
        (workbench._compare_view._sample, "value"),
        (workbench._chooser.dropdown, "index"),
    ):
        workbench._compare_view._go.click()
        assert question.layout.display is None
        setattr(control, trait, 0)
        assert question.layout.display == "none"


def test_a_researcher_that_raises_an_interrupt_fails_its_account_only() -> None:
    async def research(account: Account) -> dict[str, str]:
        if account.position == 1:
            raise KeyboardInterrupt
        return {}

    workbench = ran(panel(4, researcher=research))
    assert "3 completed" in shown(workbench)
    assert "1 failed" in shown(workbench)


class Paid:
    """A researcher that costs a cent an account."""

    name = "paid"
    paid = True
    fingerprint = "paid|model"
    prices = "a cent"
    notices: tuple[str, ...] = ()
    fail = False

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def __call__(self, account: Account) -> dict[str, object]:
        self.calls.append(account.position)
        await asyncio.sleep(0.01)
        if self.fail:
            raise sdr_kit.Permanent(f"no {account.company_name}")
        return {"summary": "a company", "cost_usd": 0.01}


def test_a_first_paid_run_tries_a_sample_and_asks_what_to_do() -> None:
    workbench = panel(50, researcher=(paid := Paid()), processing_concurrency=5)
    workbench._run.click()
    until(lambda: "Resume" in workbench._notice.value)
    assert len(paid.calls) == 10
    assert "A sample of 10 accounts is done" in workbench._notice.value
    assert re.search(r"40 accounts at \d+: .*, \$0.40, ", workbench._notice.value)
    assert "$0.10 spent, about $0.50 in all" in workbench._progress.value
    workbench._slider.value = 10
    until(lambda: "40 accounts at 10:" in workbench._notice.value)
    workbench._pause.click()
    drawn_to_the_end(workbench)
    assert sorted(paid.calls) == list(range(50))
    assert "$0.50 spent" in workbench._progress.value
    assert "in all" not in workbench._progress.value


def plan_of(workbench: Workbench) -> pd.DataFrame:
    said = workbench._notice.value
    titles = re.findall(r"<th scope=.col.>(.*?)</th>", said)
    rows = re.findall(r"<tr[^>]*>(<td>.*?)</tr>", said)
    cells = [re.findall(r"<td>(.*?)</td>", each) for each in rows]
    return pd.DataFrame(cells, columns=titles)


def in_bold(workbench: Workbench) -> list[str]:
    row = r"<tr class=chosen aria-current=true><td>(.*?)</td>"
    return re.findall(row, workbench._notice.value)


def test_the_question_after_a_sample_has_the_plan_of_the_others() -> None:
    workbench = panel(50, researcher=Paid(), processing_concurrency=5)
    workbench._chooser._deadline.value = "1 h"
    workbench._chooser._budget.value = "2"
    workbench._run.click()
    until(lambda: "Resume" in workbench._notice.value)
    plan, said = plan_of(workbench), workbench._notice.value
    assert list(plan) == ["at once", "time", "cost", "failing", "deadline met"]
    assert list(plan["at once"])[:5] == ["1", "3", "5", "8", "10"]
    assert list(plan["at once"])[5].startswith("auto")
    assert set(plan["deadline met"]) == {"almost surely"}
    assert "40 accounts to go, from a sample of 10" in said
    assert re.search(r"ends within (1 h 00|60) min: almost surely", said)
    assert "The budget of $2.00 ($0.10 spent) covers it" in said
    assert in_bold(workbench) == ["5"]
    workbench._slider.value = 8
    until(lambda: in_bold(workbench) == ["8"])
    workbench._auto.value = True
    until(lambda: in_bold(workbench) == [plan["at once"].iloc[-1]])
    assert "40 accounts at" not in workbench._notice.value  # nobody knows the number
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert "Plan" not in workbench._notice.value


def test_the_plan_knows_how_much_of_the_deadline_is_left() -> None:
    workbench = panel(50, researcher=Paid(), processing_concurrency=5)
    workbench._chooser._deadline.value = "45 s"
    workbench._run.click()
    until(lambda: "Resume" in workbench._notice.value)
    assert workbench.job is not None
    left = workbench.job.progress.deadline_seconds
    assert left is not None
    assert 0 < left < 45 - 0.05  # the sample has taken some of it
    assert re.search(r"ends within 4\d s", workbench._notice.value)
    workbench._cancel.click()
    drawn_to_the_end(workbench)
    assert workbench.job.progress.deadline_seconds is None


def test_a_later_paid_run_says_beforehand_what_it_will_cost() -> None:
    paid = Paid()
    ran(panel(5, researcher=paid, store="sqlite:///paid.db"))
    workbench = panel(12, researcher=paid, store="sqlite:///paid.db")
    workbench._run.click()
    question = workbench._question
    assert question.visible
    assert "5 of 12 accounts were researched within the last 60 days, for $0.05" in (
        shown(question)
    )
    assert re.search(r"The others: 7 accounts at \d+: .* \$0.07, ", shown(question))
    assert "as 5 accounts researched earlier took" in shown(question)
    workbench._slider.value = 2
    assert "7 accounts at 2:" in shown(question)
    workbench._auto.value = True
    assert "7 accounts in auto:" in shown(question)
    workbench._mode.value = "Sequential"
    assert "7 accounts at 1:" in shown(question)
    assert len(paid.calls) == 5
    assert question._yes.description == "Reuse 5"
    question._yes.click()
    drawn_to_the_end(workbench)
    assert len(paid.calls) == 12
    assert "5 reused" in workbench._progress.value
    assert not question.visible


def test_what_is_stored_may_be_researched_again() -> None:
    workbench = ran(panel(5, researcher=(paid := Paid())))
    workbench._run.click()
    assert "All 5 accounts were researched" in shown(workbench._question)
    assert workbench._question._other.description == "Research all again"
    workbench._question._other.click()
    drawn_to_the_end(workbench)
    assert len(paid.calls) == 10


def test_the_sandbox_is_asked_again_without_a_question() -> None:
    workbench = ran(panel(5))
    workbench._chooser.dropdown.index = 0
    ran(workbench)
    assert "reused" not in workbench._progress.value
    ran(workbench)
    assert "reused" not in workbench._progress.value


def test_what_was_paid_at_other_prices_is_not_what_will_be_paid() -> None:
    paid = Paid()
    ran(panel(5, researcher=paid, store="sqlite:///prices.db"))
    paid.prices = "ten times as much"
    workbench = panel(30, researcher=paid, store="sqlite:///prices.db")
    workbench._run.click()
    assert "5 of 30 accounts were researched" in shown(workbench._question)
    assert "The others" not in shown(workbench._question)
    workbench._question._yes.click()
    until(lambda: "A sample of 10 accounts is done" in workbench._notice.value)
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_failures_alone_do_not_say_what_answers_cost() -> None:
    paid = Paid()
    paid.fail = True
    ran(panel(5, researcher=paid, store="sqlite:///failed.db"))
    paid.fail = False
    workbench = panel(30, researcher=paid, store="sqlite:///failed.db")
    workbench._run.click()
    until(lambda: "A sample of 10 accounts is done" in workbench._notice.value)
    workbench._cancel.click()
    drawn_to_the_end(workbench)


def test_the_question_of_a_paid_run_goes_with_its_subject() -> None:
    workbench = ran(panel(5, researcher=Paid()))
    workbench._run.click()
    workbench._chooser.dropdown.index = 0  # the sandbox
    assert not workbench._question.visible
    workbench._chooser.dropdown.index = 1
    assert not workbench._question.visible
    workbench._run.click()
    workbench._question._no.click()
    workbench._slider.value = 3
    assert not workbench._question.visible


def test_a_budget_stops_the_run_and_a_higher_one_lets_it_go_on() -> None:
    workbench = panel(9, researcher=(paid := Paid()), processing_concurrency=2)
    workbench._chooser._budget.value = "$0.05"
    ran(workbench)
    assert len(paid.calls) == 5
    assert "of $0.05 spent" in workbench._progress.value
    assert "Raise the budget to go on" in workbench._notice.value
    workbench._chooser._budget.value = ""
    workbench._continue.click()
    drawn_to_the_end(workbench)
    assert sorted(paid.calls) == list(range(9))


@pytest.mark.parametrize(
    "wrong",
    [
        *("much", "-1", "0", "1e999x", "nan", "inf"),
        *("1,5", "2,50", "12,50", "1,2345", "1,234,5", "1.500,00"),
    ],
)
def test_a_budget_that_is_no_amount_is_refused(wrong: str) -> None:
    workbench = panel(3, researcher=(paid := Paid()))
    workbench._chooser._budget.value = wrong
    assert "is no amount of US dollars" in workbench._problem.value
    workbench._run.click()
    assert "is no amount of US dollars" in workbench._problem.value
    assert not paid.calls


@pytest.mark.parametrize(
    ("written", "usd"),
    [
        ("1,500", 1500),
        (" 12,345.50 ", 12345.5),
        ("$ 1,234,567.5", 1_234_567.5),
        ("1.5", 1.5),
        (".5", 0.5),
    ],
)
def test_a_budget_is_read_as_it_is_written(written: str, usd: float) -> None:
    workbench = panel(3, researcher=Paid())
    workbench._chooser._budget.value = written
    assert workbench._problem.value == ""
    assert workbench._chooser.budget_usd == usd


def test_a_large_budget_of_the_settings_is_not_rounded() -> None:
    workbench = panel(3, researcher=Paid(), budget_usd=1_234_567.89)
    assert workbench._chooser.budget_usd == 1_234_567.89


def test_the_budget_of_the_settings_stands_in_the_field_and_may_be_taken_out() -> None:
    workbench = panel(9, researcher=Paid(), budget_usd=1)
    assert workbench._chooser._budget.value == "1"
    workbench._chooser._budget.value = ""
    ran(workbench)
    assert workbench.job is not None
    assert workbench.job.budget_usd is None


@pytest.mark.parametrize("usd", [1, 100, 12_345.67, 1_500_000, 0.00002])
def test_no_digit_of_the_budget_of_the_settings_is_lost(usd: float) -> None:
    workbench = panel(3, researcher=Paid(), budget_usd=usd)
    assert workbench._chooser.budget_usd == usd


def test_a_budget_changes_during_the_run() -> None:
    workbench = panel(200, researcher=Paid(), processing_concurrency=1)
    workbench._chooser._budget.value = "100"
    workbench._run.click()
    until(lambda: "Resume" in workbench._notice.value)
    workbench._chooser._budget.value = "0.2"
    workbench._pause.click()
    drawn_to_the_end(workbench)
    assert workbench.job is not None
    assert workbench.job.progress.cost_usd == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("written", "seconds", "shown_as"),
    [
        ("90", 5_400, "1 h 30 min"),
        ("2h", 7_200, "2 h 00 min"),
        (" 1h 30min ", 5_400, "1 h 30 min"),
        ("45s", 45, "45 s"),
        ("0.5", 30, "30 s"),
        ("61 s", 61, "61 s"),
        ("", None, ""),
    ],
)
def test_a_deadline_is_read_as_it_is_written(
    written: str, seconds: float | None, shown_as: str
) -> None:
    workbench = panel(1)
    workbench._chooser._deadline.value = written
    assert workbench._problem.value == ""
    assert workbench._chooser.deadline_seconds == seconds
    assert workbench._chooser._deadline.value == shown_as


@pytest.mark.parametrize("wrong", ["soon", "0", "-5", "nan", "inf", "17:30"])
def test_a_deadline_that_is_no_time_is_refused(wrong: str) -> None:
    workbench = panel(3)
    workbench._chooser._deadline.value = wrong
    assert "is no time from Run on" in workbench._problem.value
    workbench._run.click()
    assert "is no time from Run on" in workbench._problem.value
    assert workbench.job is None


@pytest.mark.parametrize("store", ["memory", "sqlite:///late.db"])
def test_a_deadline_ends_the_run_and_what_goes_on_has_its_own(store: str) -> None:
    workbench = panel(30, researcher=slow, store=store, processing_concurrency=2)
    workbench._chooser._deadline.value = "1s"
    workbench._run.click()
    assert workbench._chooser._deadline.disabled
    drawn_to_the_end(workbench)
    assert "The deadline of 1.0 s is reached" in workbench._notice.value
    assert not workbench._chooser._deadline.disabled
    workbench._continue.click()
    drawn_to_the_end(workbench)
    assert "The deadline of 1.0 s is reached" in workbench._notice.value
    workbench._chooser._deadline.value = ""
    workbench._slider.value = 10
    workbench._continue.click()
    drawn_to_the_end(workbench)
    assert workbench.job is not None
    assert workbench.job.progress.state == "finished"


def test_providers_with_a_key_are_offered_with_a_brief() -> None:
    settings = Settings(openai_api_key="sk-test", anthropic_api_key="sk-ant-test")
    workbench = Workbench(
        made_up(3), researchers={"mine": quick}, store="memory", settings=settings
    )
    chooser = workbench._chooser
    assert list(chooser.dropdown.options)[1:] == [
        *("OpenAI gpt-5-mini", "Anthropic claude-sonnet-5", "mine")
    ]
    chooser.dropdown.label = "OpenAI gpt-5-mini"
    chooser._brief.value = "workforce-identity"
    chosen = chooser.researcher
    assert chosen.briefs[0].name == "workforce-identity"  # type: ignore[attr-defined]
    assert chooser.researcher is chosen
    assert chooser._brief.layout.display is None
    chooser.dropdown.label = "mine"
    assert chooser._brief.layout.display == "none"
    chooser.dropdown.index = 0
    assert chooser._budget.layout.display == "none"  # it costs nothing


def test_what_the_researcher_noticed_is_on_the_panel() -> None:
    paid = Paid()
    paid.notices = ("paid: it ignores <the> schema",)
    workbench = ran(panel(3, researcher=paid))
    assert "it ignores &lt;the&gt; schema" in workbench._notice.value
    assert workbench.job is not None
    assert "it ignores <the> schema" in str(workbench.job.wait().summary)


async def with_sources(account: Account) -> Research:
    await asyncio.sleep(0.01)
    page = Evidence(
        source=f"https://company-{account.position}.com/news",
        quote="We <b>raised</b> money.",
        confidence=0.9,
        at="2026-11-23T10:00:00+00:00",
    )
    return Research(fields={"news": "They raised money."}, evidence={"news": (page,)})


def test_coverage_is_offered_for_what_names_its_sources() -> None:
    workbench = Workbench(
        made_up(3), researchers={"a": with_sources, "b": quick}, store="memory"
    )
    workbench._chooser.dropdown.value = with_sources
    ran(workbench)
    turn_to(workbench, "Charts")
    which = workbench._charts_view._which
    assert which.value == "Tiers and priorities"
    which.value = "Coverage and sources"
    (chart,) = workbench._charts_view._chart.children
    assert "What is known" in chart.layout.title.text
    workbench._chooser.dropdown.value = quick
    ran(workbench)
    turn_to(workbench, "Charts")
    assert "Coverage and sources" not in which.options
    assert which.value == "Tiers and priorities"
    (chart,) = workbench._charts_view._chart.children
    assert chart.layout.title.text.startswith("Tiers")


def test_the_card_shows_the_source_of_an_answer() -> None:
    workbench = ran(panel(researcher=with_sources))
    turn_to(workbench, "Accounts")
    workbench._accounts_view._card.open(2)
    said = shown(workbench._accounts_view._card.box)
    assert 'href="https://company-2.com/news"' in said
    assert "We &lt;b&gt;raised&lt;/b&gt; money." in said
    assert "90 % sure" in said
