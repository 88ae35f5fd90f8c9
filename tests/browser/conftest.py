from __future__ import annotations

import secrets
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import CHROMIUM, CHROMIUM_FLAGS, Lab, running_lab

MANY = 400  # enough for a run of a minute and more


# Playwright keeps an event loop running on this thread, so both end with this package.


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed: the browser tests did not run")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def _fresh_kernel(lab: Lab) -> Iterator[None]:
    yield
    lab.shut_down_kernels()


@pytest.fixture
def long_notebook(lab: Lab) -> str:
    """The workbench on a list long enough to be steered, with a busy cell below."""
    folder = lab.folder / "notebooks"
    rows = "".join(f"Company {i},company-{i}.com\n" for i in range(MANY))
    (folder / "many.csv").write_text(f"company_name,domain\n{rows}")
    notebook = nbformat.read(folder / "01-workbench.ipynb", as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = 'accounts_csv = "many.csv"\nconcurrency = [1, 5]\nsample = 3'
    busy = (
        "import time\n"
        "before = workbench.job.progress.completed\n"
        "time.sleep(2)\n"
        'print("meanwhile", workbench.job.progress.completed - before)'
    )
    cell = nbformat.v4.new_code_cell(id="busy")
    cell.source = f"if workbench.job:\n{textwrap.indent(busy, '    ')}"
    notebook.cells.append(cell)
    name = f"long-{secrets.token_hex(4)}.ipynb"
    nbformat.write(notebook, folder / name)
    return name


FUNCTION = """
import asyncio
import sdr_kit

failed = set()

async def research(account):
    await asyncio.sleep(0.15)
    if account.position % 6 == 1 and account.position not in failed:
        failed.add(account.position)
        raise sdr_kit.Permanent("No website <b>found</b>")
    return {
        "summary": f"Sells things to people ({account.position})",
        "tier": "ABC"[account.position % 3],
        "priority_score": account.position % 10 + 1,
        "auth": {"provider": "Okta", "since": 2020},
    }
"""


@pytest.fixture
def function_notebook(lab: Lab) -> str:
    """The panel without a list, beside a function of a cell that fails now and then."""
    show = 'sdr_kit.Workbench(researchers={"My function": research})'
    cells = [nbformat.v4.new_code_cell(source) for source in (FUNCTION, show)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    name = f"function-{secrets.token_hex(4)}.ipynb"
    nbformat.write(notebook, lab.folder / "notebooks" / name)
    return name
