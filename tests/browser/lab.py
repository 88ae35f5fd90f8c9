"""A real JupyterLab, and a page of a real browser on it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request
from playwright.sync_api import TimeoutError as PageTimeout

REPOSITORY = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPOSITORY / "test-artifacts" / "screenshots"
QUIET = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@dataclass(frozen=True, slots=True)
class Lab:
    url: str
    token: str
    folder: Path

    def api(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(  # noqa: S310 (our own server)
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            body = answer.read()
        return json.loads(body) if body else None

    def choose_theme(self, name: str) -> None:
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True, exist_ok=True)
        chosen = json.dumps({"theme": name})
        (settings / "themes.jupyterlab-settings").write_text(chosen)

    def shut_down_kernels(self) -> None:
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", method="DELETE")


@contextlib.contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Starts JupyterLab on copies of the notebooks, with settings of its own."""
    shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
    (folder / ".env").touch()  # results go here, and no other `.env` is read
    overrides = folder / "app-settings"
    overrides.mkdir()
    (overrides / "overrides.json").write_text(json.dumps(QUIET))
    port, token = _free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        f"--IdentityProvider.token={token}",
        f"--LabApp.app_settings_dir={overrides}",
    ]
    places = {
        f"JUPYTER_{kind}_DIR": str(folder / kind.lower())
        for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    places["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 (our own command)
            command, stdout=log, stderr=log, env={**os.environ, **places}, cwd=folder
        )
        try:
            lab = Lab(f"http://127.0.0.1:{port}", token, folder)
            _until(lambda: _answers(lab), seconds=60, what="JupyterLab to answer")
            yield lab
            lab.shut_down_kernels()
        finally:
            server.terminate()
            server.wait(20)


# Now and then a new kernel (ipykernel 7.3 under JupyterLab 4.6) is idle and never runs
# a first cell, although that holds nothing but constants; why is not known. Such a
# kernel is replaced; one that has run a cell never is.
KERNELS = 3
FIRST_CELL_SECONDS = 15


@dataclass(slots=True)
class Notebook:
    """A notebook open in a page; remembers what the page complained about."""

    lab: Lab
    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def run_all(self, *, seconds: float = 120) -> None:
        for _ in range(KERNELS):
            self.page.get_by_role("menuitem", name="Run", exact=True).click()
            self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            if self._first_cell_has_run():
                break
            self._replace_kernel()
        self.wait_until_idle(seconds=seconds)

    def wait_until_ready(self) -> None:
        for _ in range(KERNELS - 1):
            with contextlib.suppress(PageTimeout):
                return wait_until_ready(self.page)
            self._replace_kernel()
        return wait_until_ready(self.page)

    def _first_cell_has_run(self) -> bool:
        with contextlib.suppress(PageTimeout):
            self.page.wait_for_function(
                """() => [...document.querySelectorAll('.jp-InputArea-prompt')]
                         .some((mark) => /\\[\\d+\\]/.test(mark.textContent))""",
                timeout=FIRST_CELL_SECONDS * 1000,
            )
            return True
        return False

    def _replace_kernel(self) -> None:
        self.lab.shut_down_kernels()
        self.page.reload()
        with contextlib.suppress(PageTimeout):
            wait_until_ready(self.page)
        self.complaints.clear()  # a lost connection is one

    def wait_until_idle(self, *, seconds: float = 120) -> None:
        self.page.wait_for_function(
            """() => {
                const marks = [...document.querySelectorAll('.jp-InputArea-prompt')];
                const said = marks.map((mark) => mark.textContent);
                const run = said.filter((text) => /\\[\\d+\\]/.test(text)).length;
                return run > 0 && !said.some((text) => text.includes('*'));
            }""",
            timeout=seconds * 1000,
        )

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        time.sleep(1)


@contextlib.contextmanager
def open_notebook(
    browser: Browser,
    lab: Lab,
    name: str,
    *,
    width: int = 1280,
    height: int = 1800,
    sharpness: float = 1,
) -> Iterator[Notebook]:
    page = browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=sharpness
    )
    notebook = Notebook(lab, page)

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            notebook.complaints.append(message.text)

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and (
            address.hostname != "127.0.0.1"
        ):
            notebook.strangers.append(request.url)

    page.on("console", hear)
    page.on("pageerror", lambda error: notebook.complaints.append(str(error)))
    page.on("request", note)
    workspace = secrets.token_hex(4)
    page.goto(
        f"{lab.url}/lab/workspaces/{workspace}/tree/{name}?token={lab.token}&reset"
    )
    try:
        notebook.wait_until_ready()
        yield notebook
    except BaseException:
        notebook.screenshot("0-when-it-failed")
        raise
    finally:
        page.close()


def wait_until_ready(page: Page) -> None:
    """Waits for the kernel to be connected and idle."""
    page.wait_for_selector(".jp-NotebookPanel", timeout=30_000)
    page.wait_for_function(
        """() => document.querySelector('#jp-main-statusbar')
                 ?.textContent.includes('| Idle')""",
        timeout=30_000,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(lab: Lab) -> bool:
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        return bool(lab.api("status"))
    return False


def _until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)
