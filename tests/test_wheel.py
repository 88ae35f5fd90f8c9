"""What is installed works without the checkout."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
INCLUDED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
SHIPPED = INCLUDED["build"]["targets"]["wheel"]["force-include"]


def command(*words: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 (tools of this environment)
        list(map(str, words)), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel; of the rest it sees ours."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d")
    subprocess.run([*build, folder], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    place = folder / "env"
    command(sys.executable, "-m", "venv", "--without-pip", place)
    python = place / "bin" / "python"
    offline = ("uv", "pip", "install", "--offline", "--no-deps", "--python")
    command(*offline, python, wheel)
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(command(python, "-c", find).strip())
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    found = command(python, "-P", "-c", "import sdr_kit; print(sdr_kit.__file__)")
    assert found.strip() == str(site / "sdr_kit" / "__init__.py")
    return python.parent


def test_the_notebooks_are_shipped() -> None:
    notebooks = ROOT / "notebooks"
    files = [*notebooks.glob("[0-9]*.ipynb"), *notebooks.glob("sample_*.csv")]
    assert set(SHIPPED) == {f"notebooks/{each.name}" for each in files}
    assert all(SHIPPED[each] == f"sdr_kit/{each}" for each in SHIPPED)


@pytest.mark.slow
def test_a_list_is_run_without_the_checkout(installed: Path) -> None:
    Path("mine.csv").write_text("company\nAcme GmbH\nGlobex\n")
    said = command(installed / "sdr-kit", "run", "mine.csv", "--json")
    assert json.loads(said)["summary"]["completed"] == 2
    assert Path("sdr_kit.db").is_file()


@pytest.mark.slow
def test_the_lab_opens_on_copies_of_the_notebooks(
    installed: Path, tmp_path: Path
) -> None:
    assets = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "lab"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = ("lab", "--no-browser", "--port", port, "--allow-root")
    lab = subprocess.Popen(  # noqa: S603 (our own command)
        [installed / "sdr-kit", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JUPYTERLAB_DIR": str(assets), "HOME": str(tmp_path)},
    )
    try:
        url = address(lab)
        page = served(url)
        assert page.status_code == 200
        assert "JupyterLab" in page.text
    finally:
        lab.terminate()
        lab.communicate(timeout=30)
    copied = {each.name for each in tmp_path.glob("*.*") if each.suffix != ".db"}
    assert {Path(each).name for each in SHIPPED} <= copied


def served(url: str) -> httpx.Response:
    """The page, once it is there: the address is said a moment before."""
    for _ in range(100):
        with contextlib.suppress(httpx.ConnectError):
            return httpx.get(url, follow_redirects=True, timeout=30)
        time.sleep(0.1)
    raise AssertionError("nobody listens")


def address(lab: subprocess.Popen[str]) -> str:
    """Where the workbench is, as JupyterLab says it."""
    assert lab.stdout is not None
    deadline = time.monotonic() + 40
    for line in lab.stdout:
        found = re.search(r"http://127\.0\.0\.1\S+01-workbench\.ipynb\S+", line)
        if found:
            return found[0]
        assert time.monotonic() < deadline
    raise AssertionError("JupyterLab has ended")
