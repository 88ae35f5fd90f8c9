"""What the project says of itself in several places is the same in all of them."""

from __future__ import annotations

import logging
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import sdr_kit

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# The public names, as the design lists them.
PUBLIC = {
    *("Account", "AnthropicResearcher", "Job", "OpenAIResearcher", "Outcome"),
    *("Research", "Sandbox"),
    *("Settings", "Store", "Workbench"),
    *("AccountsError", "Permanent", "RateLimited", "SdrKitError", "StopRun"),
    *("Transient", "compare", "jobs", "load_accounts", "process", "resume", "run_sync"),
    *("Plan", "plan", "start"),
}


def bounds(requirement: str) -> tuple[str, str]:
    parsed = Requirement(requirement)
    return parsed.name.replace("_", "-").lower(), str(parsed.specifier)


@pytest.fixture
def environment() -> Any:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_conda_and_pip_ask_for_the_same(environment: Any) -> None:
    listed = environment["dependencies"]
    *conda, pip = listed
    assert conda[0] == f"python{PYPROJECT['project']['requires-python']}"
    assert conda[1] == "pip"
    assert pip["pip"][-1] == "-e .[api]"
    wanted = dict(
        map(
            bounds,
            [
                *PYPROJECT["project"]["dependencies"],
                *PYPROJECT["dependency-groups"]["dev"],
            ],
        )
    )
    for requirement in [*conda[2:], *pip["pip"][:-1]]:
        name, specifier = bounds(requirement)
        assert wanted[name] == specifier, name


def test_conda_forge_is_asked_only_for_what_it_surely_has(environment: Any) -> None:
    """One name that it lacks would break the whole file."""
    assert environment["channels"] == ["conda-forge"]
    names = [bounds(each)[0] for each in environment["dependencies"][2:-1]]
    assert names == ["jupyterlab", "ipywidgets", "pandas", "httpx", "tenacity"]


def test_the_public_names_are_those_of_the_design() -> None:
    assert set(sdr_kit.__all__) == PUBLIC
    assert sdr_kit.__all__ == sorted(sdr_kit.__all__)
    for name in sdr_kit.__all__:
        assert getattr(sdr_kit, name).__doc__
    assert set(sdr_kit.__all__) <= set(dir(sdr_kit))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'proces'"):
        _ = sdr_kit.proces


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "plotly ipywidgets anywidget IPython sqlalchemy aiohttp httpx pydantic"
    code = (
        "import sys, sdr_kit\n"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_log_is_quiet_until_somebody_listens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.getLogger("sdr_kit.engine").warning("not to be seen")
    assert capsys.readouterr().err == ""


def test_the_readme_gives_both_ways_and_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    for line in (
        "conda env create -f environment.yml",
        "pip install uv && uv run jupyter lab notebooks/01-workbench.ipynb",
        "pip install uv && uv run pytest",
    ):
        assert line in readme


def test_the_readme_says_why_each_dependency_is_there() -> None:
    reasons = (ROOT / "README.md").read_text().split("Why each dependency")[1]
    for requirement in PYPROJECT["project"]["dependencies"]:
        assert Requirement(requirement).name in reasons
