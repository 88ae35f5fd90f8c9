from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from sdr_kit.settings import Settings
from tests.virtual import VirtualLoop


def pytest_configure() -> None:
    """A shell has its background commands ignore Ctrl-C, and what they start."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(ignored) is signal.SIG_IGN:
            signal.signal(ignored, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Where everything is there, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def virtual_time() -> tuple[str, dict[str, object]]:
    """Give this as `anyio_backend` to run a test in virtual time."""
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's `.env` or writes to their database."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").touch()
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def settings() -> Settings:
    return Settings(max_concurrency=1000)
