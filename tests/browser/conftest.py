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
    for file in lab.folder.glob("sdr_kit.db*"):  # each test begins without results
        file.unlink()


@pytest.fixture
def long_notebook(lab: Lab) -> str:
    """The workbench on a list long enough to be steered, with a busy cell below."""
    folder = lab.folder / "notebooks"
    rows = "".join(f"Company {i},company-{i}.com\n" for i in range(MANY))
    (folder / "many.csv").write_text(f"company_name,domain\n{rows}")
    notebook = nbformat.read(folder / "01-workbench.ipynb", as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = 'accounts_csv = "many.csv"\ncompared = [1, 5]\nsample = 3'
    # What runs the list without the panel would only take time here.
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("run-")]
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


PROVIDER = """
import asyncio
import secrets
import sdr_kit
from sdr_kit.account import Evidence, Usage

TODAY = "2026-11-23T10:00:00Z"

class Provider:
    name, paid = "Provider", True
    fingerprint = secrets.token_hex()  # nobody knows yet what it costs
    notices = ("Provider: it ignores the JSON schema: it is spelled out from now on",)

    async def __call__(self, account):
        await asyncio.sleep(0.15)
        usage = Usage(
            input_tokens=9_000, output_tokens=700, searches=3,
            cost_usd=0.0075 + 0.0005 * (account.position % 5),
        )
        if account.position % 9 == 4:
            raise sdr_kit.Permanent("The answer does not fit the brief").about(
                usage=usage, request_id="req_7", raw="I am <b>not</b> JSON"
            )
        source = f"https://www.{account.domain}/news/2026/a-round-of-funding?id=7"
        return sdr_kit.Research(
            fields={
                "authentication": "Auth0, since 2021 <script>alert(1)</script>",
                "news": "Raised 40 million dollars. " * (account.position % 3),
                "triggers": "funding",
                "tier_reason": "It has raised money, and login is a pain.",
            },
            tier="ABC"[account.position % 3],
            priority_score=9 - 3 * (account.position % 3),
            evidence={
                "authentication": (
                    Evidence(source=source, quote="We log in with Auth0.",
                             confidence=0.9, at=TODAY),
                    Evidence(source="https://status.example.com/", quote="Incident",
                             confidence=0.4, at=TODAY),
                ),
                "triggers": (Evidence(source=source, quote="Series C", at=TODAY),),
            },
            usage=usage,
            request_id=f"req_{account.position}",
        )

accounts = sdr_kit.load_accounts("sample_accounts.csv")
"""


@pytest.fixture
def function_notebook(lab: Lab) -> str:
    """The panel without a list, beside a function of a cell that fails now and then."""
    show = 'sdr_kit.Workbench(researchers={"My function": research})'
    return written(lab, "function", FUNCTION, show)


@pytest.fixture
def provider_notebook(lab: Lab) -> str:
    """The panel with a list, beside a provider that costs money."""
    show = 'sdr_kit.Workbench(accounts, researchers={"Provider": Provider()})'
    return written(lab, "provider", PROVIDER, show)


def written(lab: Lab, kind: str, *sources: str) -> str:
    """Writes a notebook of these cells and gives its name."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    name = f"{kind}-{secrets.token_hex(4)}.ipynb"
    nbformat.write(notebook, lab.folder / "notebooks" / name)
    return name
