"""The command line: what it says, on which stream, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from sdr_kit import cli
from sdr_kit.lease import Holder
from sdr_kit.store import Store
from sdr_kit.stored_job import Beginning
from tests.accounts import made_up
from tests.test_recovery import until

COMMAND = str(Path(sys.executable).with_name("sdr-kit"))
DATABASE = "sqlite:///sdr_kit.db"


@pytest.fixture(autouse=True)
def _a_list() -> None:
    rows = [f"Company {number},company-{number}.com\n" for number in range(5)]
    Path("list.csv").write_text("company,website\n" + "".join(rows))


class Said:
    """What a command did."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Types a command in this process."""

    monkeypatch.delenv("COLUMNS", raising=False)

    def type_it(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["sdr-kit", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Said(end.value.code, *capsys.readouterr())

    return type_it


def test_a_list_is_run_and_written(typed: Any) -> None:
    said = typed("run", "list.csv", "--output", "out.xlsx", "--invented")
    assert said.code == 0
    assert "5 accounts ready of 5 rows read from list.csv" in said.out
    assert "Sandbox, asked: general; 5 at once; kept in" in said.out
    assert "5 of 5 accounts completed, 0 failed" in said.out
    assert "Write the results with" not in said.out
    frame = pd.read_excel("out.xlsx", engine="calamine")
    assert list(frame["status"]) == ["completed"] * 5
    assert "\x1b" not in said.out + said.err


def test_auto_finds_the_number_and_is_told_as_the_choice(typed: Any) -> None:
    said = typed("run", "list.csv", "--concurrency", "Auto")
    assert said.code == 0
    assert "asked: general; auto, at most 50 at once; kept in" in said.out
    assert "at work (auto, " in said.err
    assert re.search(r"finished +auto +5 of 5", typed("jobs").out)
    assert json.loads(typed("jobs", "--json").out)[0]["concurrency"] == "auto"
    Store(DATABASE).reopen(1, [0, 1], again=True)
    said = typed("resume", "1", "--json")  # as it was begun
    assert json.loads(said.out)["concurrency"] == "auto"
    assert "auto, at most 50 at once" in said.err
    fence = Store(DATABASE).job(1).lease.fence
    Store(DATABASE).reopen(1, [0], again=True, fence=fence)
    said = typed("resume", "1", "--concurrency", "3", "--json")
    assert json.loads(said.out)["concurrency"] == 3
    assert json.loads(said.out)["progress"]["auto"] is False


def test_a_job_elsewhere_is_told_to_find_the_number(typed: Any) -> None:
    command = [COMMAND, "run", "long.csv", "--concurrency", "2"]
    rows = [f"Company {number},company-{number}.com\n" for number in range(400)]
    Path("long.csv").write_text("company,website\n" + "".join(rows))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as elsewhere:  # noqa: S603
        until(lambda: Path("sdr_kit.db").exists() and "running" in typed("jobs").out)
        said = typed("set", "1", "--concurrency", "auto")
        assert said.code == 0
        assert re.search(
            r"running, \d+ of 400 accounts, auto, (at most 50|\d+ found)", said.out
        )
        assert re.search(r"running +auto ", typed("jobs").out)
        said = typed("set", "1", "--concurrency", "4")
        assert re.search(r"running, \d+ of 400 accounts, 4 at once", said.out)
        typed("cancel", "1")
        assert elsewhere.wait(30) == 1


def test_no_database_is_made_by_looking(typed: Any) -> None:
    said = typed("jobs")
    assert (said.code, "There are no jobs in " in said.out) == (0, True)
    assert json.loads(typed("jobs", "--json").out) == []
    for words in (
        ("pause", "7"),
        ("set", "7", "--concurrency", "3"),
        ("export", "7", "out.csv"),
        ("resume", "7"),
        ("retry", "7"),
        ("watch", "7"),
    ):
        said = typed(*words)
        assert said.code == 2
        assert "there is no job 7" in said.err
    assert not Path("sdr_kit.db").exists()


def test_what_to_type_next_is_on_the_same_database(typed: Any) -> None:
    named = ("--database", "sqlite:///my other.db")
    said = typed("run", "list.csv", *named)
    *_, last = said.out.splitlines()
    _, _, command = last.partition("Write the results with: sdr-kit ")
    written = typed(*shlex.split(command))
    assert written.code == 0, written.err
    assert len(pd.read_excel("results.xlsx", engine="calamine")) == 5
    Store("sqlite:///my other.db").reopen(1, [0], again=True)
    watched = typed("watch", "1", *named)
    assert "sdr-kit resume 1 --database 'sqlite:///my other.db'" in watched.out


def test_json_is_one_document_and_the_rest_is_elsewhere(typed: Any) -> None:
    said = typed("run", "list.csv", "--json", "--mode", "sequential")
    told = json.loads(said.out)
    assert told["job"] == 1
    assert told["summary"]["completed"] == told["progress"]["total"] == 5
    assert told["progress"]["limit"] == 1
    assert told["failures"] == []
    assert "5 accounts ready" in said.err
    (row,) = json.loads(typed("jobs", "--json").out)
    assert (row["job"], row["state"], row["completed"]) == (1, "finished", 5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "nothing.csv"], "there is no such file"),
        (["run", "list.csv", "--concurrency", "11"], "a whole number from 1 to 10"),
        (["run", "list.csv", "--concurrency", "0"], "a whole number from 1 to 10"),
        (
            ["run", "list.csv", "--concurrency", "many"],
            "'many'; it must be a whole number from 1 to 10 (MAX_CONCURRENCY), or",
        ),
        (["run", "list.csv", "--concurrency", "5.5"], "concurrency is '5.5'"),
        (["run", "list.csv", "--concurrency", ""], "concurrency is ''"),
        (["resume", "7", "--concurrency", "fast"], "or 'auto'"),
        (["retry", "7", "--concurrency", "11"], "from 1 to 10 (MAX_CONCURRENCY)"),
        (["set", "7", "--concurrency", "fast"], "concurrency is 'fast'"),
        (["run", "list.csv", "--mode", "fast"], "must be 'sequential' or 'parallel'"),
        (["run", "list.csv", "--researcher", "me"], "there is no researcher 'me'"),
        (["run", "list.csv", "--researcher", "openai"], "set OPENAI_API_KEY"),
        (["run", "list.csv", "--brief", "no.toml"], "no.toml"),
        (["run", "list.csv", "--budget-usd", "0"], "above 0"),
        (["run", "list.csv", "--budget-usd", "ten"], "'ten' is no number"),
        (["run", "list.csv", "--output", "out.pdf"], "must end in .csv"),
        (["run", "list.csv", "--output", "no/out.csv"], "there is no folder no"),
        (["run", "list.csv", "--database", "nonsense"], "nonsense"),
        (["run"], "ACCOUNTS"),
        (["resume", "7"], "there is no job 7"),
        (["retry", "7"], "there is no job 7"),
        (["watch", "7"], "there is no job 7"),
        (["pause", "7"], "there is no job 7"),
        (["set", "7"], "--concurrency or --budget-usd"),
        (["export", "7", "out.csv"], "there is no job 7"),
        (["resume", "x"], "'ID': 'x' is no whole number"),
        (["serve", "--port", "70000"], "a whole number from 0 to 65,535"),
        (["lab", "--port", "http"], "'http' is no whole number"),
        (["bench", "--accounts", "0"], "a whole number from 1 to 10,000"),
        (["bench", "--time-scale", "fast"], "'fast' is no number"),
        (["bench", "--concurrency", "1,x"], "write numbers with commas"),
        (["bench", "--picture", "x.gif"], ".html or .png"),
        (["fly"], "fly"),
        (["--fast"], "--fast"),
    ],
)
def test_wrong_use_is_one_sentence(typed: Any, words: list[str], sentence: str) -> None:
    said = typed(*words)
    assert said.code == 2
    assert said.out == ""
    assert sentence in said.err
    assert said.err.startswith("sdr-kit: ")
    assert said.err.count("\n") == 1


def test_a_wrong_setting_is_one_sentence(
    typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_CONCURRENCY", "none")
    said = typed("run", "list.csv")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "MAX_CONCURRENCY='none'" in said.err


class Refusing(BaseHTTPRequestHandler):
    """A provider that takes no question about our companies."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = json.dumps({"error": {"message": "not <this> [one]\x1b[31m"}})
        self.send_response(400 if "Company" in body else 404)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("refusing")
def test_failures_are_told_by_cause_and_end_with_1(typed: Any) -> None:
    said = typed("run", "list.csv", "--researcher", "openai")
    assert said.code == 1
    assert "0 of 5 accounts completed, 5 failed" in said.out
    assert "not <this> [one][31m" in said.out
    assert "sdr-kit retry 1" in said.out
    assert "\x1b" not in said.out
    assert "sk-secret" not in said.out + said.err
    again = typed("retry", "1", "--json")  # who was asked is found by itself
    assert again.code == 1
    told = json.loads(again.out)
    assert told["progress"]["retries"] == 5
    assert told["failures"][0]["accounts"] >= 1


def test_a_job_is_gone_on_with_by_who_began_it(typed: Any) -> None:
    typed("run", "list.csv", "--brief", "workforce-identity")
    store = Store(DATABASE)
    store.reopen(1, [0, 1], again=True)
    said = typed("resume", "1")
    assert said.code == 0
    assert "asked: workforce-identity" in said.out
    assert "5 of 5 accounts completed" in said.out


def test_the_jobs_are_a_table(typed: Any) -> None:
    assert "There are no jobs" in typed("jobs").out
    Path("list.csv").rename("a [bold]list[red].csv")
    typed("run", "a [bold]list[red].csv")
    said = typed("jobs")
    assert said.code == 0
    assert "a [bold]list[red].csv" in said.out
    assert "5 of 5" in said.out
    for words in (["pause", "1"], ["cancel", "1"], ["set", "1", "--concurrency", "3"]):
        said = typed(*words)
        assert said.code == 2
        assert "nobody works on job 1" in said.err


def test_a_job_of_another_process_is_not_taken(typed: Any) -> None:
    store = Store(DATABASE)
    job_id = store.create_job(
        tuple(made_up(3)),
        Beginning(researcher="Sandbox", concurrency=5, synthetic=True),
    )
    held = Holder(host="elsewhere", pid=1, began=0.0).written()
    with store._db._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET holder = ?", (held,))
    said = typed("resume", str(job_id))
    assert said.code == 2
    assert "being worked on by process 1 on elsewhere" in said.err


def test_a_job_is_exported(typed: Any) -> None:
    typed("run", "list.csv")
    said = typed("export", "1", "out.csv")
    assert "left blank without --invented" in said.out
    assert "SYNTHETIC" not in Path("out.csv").read_text()
    typed("export", "1", "out.csv", "--invented", "--merged", "--accounts", "list.csv")
    text = Path("out.csv").read_text(encoding="utf-8-sig")
    assert text.startswith("company,website,tier")
    assert "SYNTHETIC" in text


def test_the_measure_is_a_table_and_a_picture(typed: Any) -> None:
    said = typed(
        *("bench", "--accounts", "6", "--concurrency", "1,3", "--time-scale", "0.05"),
        *("--picture", "bench.html", "--json"),
    )
    assert said.code == 0
    rows = json.loads(said.out)["rows"]
    assert [each["concurrency"] for each in rows] == [1, 3]
    assert "plotly" in Path("bench.html").read_text()
    assert not Path("sdr_kit.db").exists()


def test_help_is_there_at_once(typed: Any) -> None:
    """What is slow to load is loaded by the commands."""
    said = typed("--help")
    assert said.code == 0
    for command in ("run", "jobs", "resume", "export", "serve", "lab", "bench"):
        assert f"\n  {command} " in said.out
    code = (
        "import sys, sdr_kit.cli\n"
        "print([name for name in ('pandas', 'sqlalchemy', 'fastapi', 'plotly') "
        "if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert typed("--version").out.startswith("sdr-kit 0.")


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_what_it_says() -> None:
    """As with `sdr-kit run list.csv --output out.csv | head -1`."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(  # noqa: S603 (our own command)
        [COMMAND, "run", "list.csv", "--output", "out.csv"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert len(Path("out.csv").read_text().splitlines()) == 6
    assert "Traceback" not in done.stderr


STOPPED = """
import signal, sys, sdr_kit.cli
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(
    lambda event, _: event == "sqlite3.connect" and signal.raise_signal(signal.SIGINT)
)
sdr_kit.cli.main()
"""


@pytest.mark.slow
def test_ctrl_c_before_there_is_a_run_ends_with_1() -> None:
    """Here when the database is opened."""
    Store(DATABASE)
    done = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-c", STOPPED, "jobs"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "sdr-kit: stopped\n")


@pytest.mark.slow
def test_ctrl_c_is_how_the_server_ends() -> None:
    running = subprocess.Popen(  # noqa: S603 (our own command)
        [COMMAND, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, a child would ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    _, url, *_ = re.split(r"(http://\S+)/api", running.stdout.readline())
    health = f"{url}/api/health"
    assert httpx.get(health, timeout=30).status_code == 200  # it hears signals now
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "")


def many() -> None:
    rows = [f"Company {number}\n" for number in range(30)]
    Path("list.csv").write_text("company\n" + "".join(rows))


def completed() -> int:
    store = Store(DATABASE)
    return store.past(1).completed if store.jobs() else 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "told", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
def test_a_run_that_is_stopped_says_how_to_go_on(
    typed: Any, told: signal.Signals
) -> None:
    many()
    running = subprocess.Popen(  # noqa: S603 (our own command)
        [COMMAND, "run", "list.csv", "--concurrency", "10"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: completed() > 5)
    running.send_signal(told)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "sdr-kit resume 1" in out
    assert "Stopping" in err
    assert "Traceback" not in err
    assert Store(DATABASE).job(1).state == "cancelled"
    assert completed() < 30
    said = typed("resume", "1", "--concurrency", "10")
    assert said.code == 0
    calls = Store(DATABASE).attempts(1)
    answered = [each.position for each in calls if each.outcome == "completed"]
    assert sorted(answered) == list(range(30))


@pytest.mark.slow
def test_at_a_terminal_there_is_a_bar() -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(  # noqa: S603 (our own command)
        [COMMAND, "run", "list.csv"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "60"},
    )
    os.close(theirs)
    seen = b""
    while running.poll() is None or b"a minute, " not in seen:
        try:
            seen += os.read(ours, 65_536)
        except OSError:  # its end of the terminal is closed
            break
    running.wait(30)
    os.close(ours)
    assert running.returncode == 0
    assert b"\x1b[" in seen
    assert "━".encode() in seen
    assert b"of 5 completed" in seen
