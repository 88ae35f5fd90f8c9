"""What the guide says is true: its examples, links, tables and commands."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

import sdr_kit
from sdr_kit import Sandbox, Settings
from tests.reader import FENCE, fenced, type_all

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ACCOUNTS = 9  # of the sample list: enough for each example


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text("utf-8"))


def named(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


# Examples.


@contextmanager
def provider_nearby() -> Iterator[str]:
    """The address of a server that speaks OpenAI's format, on a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox(time_scale=0.05)) as sandbox,
    ):
        yield sandbox.base_url


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder as a reader has it: a list, a brief, the notebooks, a key."""
    rows = (ROOT / "notebooks/sample_accounts.csv").read_text("utf-8").splitlines()
    Path("accounts.csv").write_text("\n".join(rows[: ACCOUNTS + 1]), "utf-8")
    shutil.copytree(ROOT / "notebooks", "notebooks")
    (brief,) = fenced(ROOT / "docs/researchers.md", "toml")
    Path("payroll.toml").write_text(brief, "utf-8")
    with provider_nearby() as address:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        monkeypatch.setenv("OPENAI_API", "responses")
        yield


@pytest.mark.usefixtures("reader")
@named([page for page in PAGES[1:] if fenced(page, "python")])
def test_the_examples_run_in_their_order(page: Path) -> None:
    done = subprocess.run(  # noqa: S603 (our own guide)
        [sys.executable, "-m", "tests.reader", str(page)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.usefixtures("reader")
async def test_the_first_example_is_short_and_researches_all() -> None:
    readme = ROOT / "README.md"
    assert len(fenced(readme, "python")[0].splitlines()) <= 12
    names = await type_all(readme)
    assert names["run"].summary.completed == 32


@named([page for page in PAGES if fenced(page, "toml")])
def test_the_briefs_are_briefs(page: Path) -> None:
    for number, text in enumerate(fenced(page, "toml")):
        file = Path(f"brief-{number}.toml")
        file.write_text(text, "utf-8")
        assert Sandbox(str(file)).fingerprint is None  # made, and never reused


# Links.


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {each.strip().replace(" ", "-") for each in words}


@named(PAGES)
def test_the_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(LINK.findall((ROOT / "README.md").read_text("utf-8")))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages - listed == set()


def test_every_picture_is_shown_and_small() -> None:
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    for picture in (ROOT / "docs/pictures").iterdir():
        assert f"pictures/{picture.name})" in shown
        assert picture.stat().st_size < 250_000


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_no_place_of_one_machine_is_in_the_guide() -> None:
    for page in PAGES:
        assert not re.search(r"/(?:work|root|tmp|home)/", page.read_text("utf-8"))


# Settings.


def rows(page: Path, *, columns: int) -> list[list[str]]:
    """The rows of the tables of a page that have so many columns, without heads."""
    found = []
    for line in page.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and "---" not in line:
            found.append(cells)
    return found


def settings_rows() -> dict[str, list[str]]:
    table = rows(ROOT / "docs/configuration.md", columns=4)
    return {cells[0].strip("`"): cells[1:] for cells in table if cells[0][0] == "`"}


def test_every_setting_is_in_the_table_in_order() -> None:
    names = [name.upper() for name in Settings.model_fields]
    assert list(settings_rows()) == names


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_default_of_a_setting_is_as_the_table_says(name: str) -> None:
    written = settings_rows()[name.upper()][0]
    default = Settings.model_fields[name].default
    if default is None:
        assert written.startswith("unset: ")
    else:
        said = str(default).lower() if isinstance(default, bool) else default
        number = f"{said:g}" if isinstance(said, float) else str(said)
        assert written == f"`{number}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_range_of_a_setting_is_as_the_table_says(name: str) -> None:
    written = settings_rows()[name.upper()][1]
    rules = Settings.model_fields[name].metadata
    bounds = [
        float(getattr(rule, kind))
        for kind in ("gt", "ge", "min_length", "le")
        for rule in rules
        if getattr(rule, kind, None) is not None
    ]
    bounds = [bound for bound in bounds if bound != 1 or "min_length" not in str(rules)]
    assert ("above" in written) == any(hasattr(rule, "gt") for rule in rules)
    numbers = re.findall(r"\d[\d,]*", written)
    assert [float(number.replace(",", "")) for number in numbers] == bounds


def test_the_settings_are_in_the_example_file() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    listed = re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)


# Names.


@pytest.mark.parametrize("name", sdr_kit.__all__)
def test_every_public_name_is_explained_somewhere(name: str) -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert re.search(rf"`(?:[^`\n]*\W)?{name}\b", text), name


def modules() -> set[str]:
    folder = ROOT / "sdr_kit"
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*.py")}
    return {file for file in files if not file.endswith("__init__.py")}


def test_architecture_names_every_module_and_no_other() -> None:
    pytest.importorskip("sdr_kit.cli", reason="there is no command line yet")
    text = prose(ROOT / "docs/architecture.md")
    told = set(re.findall(r"`((?:\w+/)*\w+\.py)`", text))
    tests = {name for name in told if name.startswith("tests/")}
    assert told - tests == modules()
    assert all((ROOT / name).exists() for name in tests)


# Commands.


def command_lines() -> list[str]:
    """What the guide tells people to type of ours."""
    lines = [
        line.strip().removeprefix("uv run ")
        for page in PAGES
        for block in fenced(page, "sh")
        for line in block.splitlines()
    ]
    inline = re.findall(r"`(sdr-kit [^`…]*)`", "".join(map(prose, PAGES)))
    return sorted({line for line in [*lines, *inline] if line.startswith("sdr-kit ")})


@pytest.mark.parametrize("line", command_lines())
@pytest.mark.usefixtures("reader")
def test_a_command_line_can_be_typed(line: str) -> None:
    """Its command exists, and so do its options; nothing is run."""
    cli = pytest.importorskip("sdr_kit.cli", reason="there is no command line yet")
    import typer

    command: Any = typer.main.get_command(cli.app)
    args = shlex.split(line)[1:]
    if args == ["--help"]:
        return
    name, chosen, rest = command.resolve_command(
        command.make_context("sdr-kit", args, resilient_parsing=True), args
    )
    if rest != ["--help"]:
        chosen.make_context(name, rest)


def test_modules_that_are_run_exist() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for module in set(re.findall(r"python -m (tests[.\w]+)", text)):
        assert importlib.util.find_spec(module) is not None, module
    for script in set(re.findall(r"(?:python|pytest) (tests/[\w/]+\.py)", text)):
        assert (ROOT / script).exists(), script


# Numbers.


def number(cell: str) -> float:
    return float(re.sub(r"[^\d.]", "", cell))


def test_the_arithmetic_of_rate_limits_is_right() -> None:
    """An account takes a request, 20 s, 10,000 tokens in and 1,000 out."""
    table = [
        cells
        for cells in rows(ROOT / "docs/concurrency.md", columns=6)
        if "as of" in cells[0]
    ]
    assert len(table) == 6
    for _, requests, read, written, a_minute, at_once in table:
        if written:
            accounts = min(number(read) / 10_000, number(written) / 1_000)
        else:
            accounts = number(read) / 11_000
        accounts = min(accounts, number(requests))
        assert int(accounts) == number(a_minute)
        assert int(accounts * 20 / 60) == number(at_once)
