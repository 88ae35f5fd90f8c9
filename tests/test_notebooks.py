"""The notebooks: run from top to bottom, and written as they should be."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.providers import PRICES, SPEAKERS
from tests.servers import RawServer
from tests.test_keys import FAULTS, KEY, all_headers, files_of, find_key

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
OWN_FUNCTION = "03-your-own-researcher"  # its subject is the reader's own function
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# Smaller parameters for what takes minutes; the rest runs as it is.
SHORTER = {"02-throughput": "sizes, sample, time_scale = [10, 50], 30, 0.05"}

# ipykernel and papermill on the newest Python and pandas; none of it is ours.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the notebooks: what they write stays out of the checkout."""
    return Path(shutil.copytree(NOTEBOOKS[0].parent, tmp_path / "notebooks"))


@pytest.mark.slow
@EACH
async def test_run_all_finishes(path: Path, folder: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    if shorter := SHORTER.get(path.stem):
        first = [cell.cell_type for cell in notebook.cells].index("code")
        notebook.cells.insert(first + 1, nbformat.v4.new_code_cell(shorter))
    client = NotebookClient(
        notebook,
        timeout=100,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    await client.async_execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert last.outputs
    assert all(
        output.output_type != "stream" or output.name != "stderr"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


COMMAND = (sys.executable, "-m", "papermill")


def papermill(folder: Path, **parameters: object) -> subprocess.CompletedProcess[str]:
    """Runs the workbench as a batch job, with a list of three companies."""
    mine = folder / "mine.csv"
    names = ("My Own Company", "Another Company", "A Third Company")
    mine.write_text("\n".join(["company_name", *names]))
    given = {"accounts_csv": mine, "sample": 1, **parameters}
    options = [word for name in given for word in ("-p", name, str(given[name]))]
    return subprocess.run(  # noqa: S603 (our own command)
        [
            sys.executable,
            "-m",
            "papermill",
            "01-workbench.ipynb",
            "out.ipynb",
            *options,
        ],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.slow
def test_the_workbench_is_a_batch_job_that_reports(folder: Path) -> None:
    done = papermill(folder, concurrency=8)
    assert done.returncode == 0, done.stderr
    report = (folder / "out.ipynb").read_text()
    assert "3 of 3 accounts completed" in report
    *_, last = nbformat.reads(report, as_version=4).cells
    assert "My Own Company" in last.outputs[0]["data"]["text/html"]


@pytest.mark.soak
def test_a_parameter_that_is_wrong_is_said(folder: Path) -> None:
    """So the concurrency reaches the run."""
    done = papermill(folder, concurrency=11)
    assert done.returncode != 0
    assert "concurrency is 11; it must be a whole number from 1 to 10" in done.stderr


@pytest.mark.slow
async def test_the_notebook_about_providers_keeps_no_key(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    """It runs to its end, and is saved with its outputs."""
    speaker = SPEAKERS["responses"]
    notebook = nbformat.read(folder / "04-research-with-a-provider.ipynb", as_version=4)
    client = NotebookClient(
        notebook, timeout=100, resources={"metadata": {"path": str(folder)}}
    )
    async with RawServer().running() as server:
        server.on(speaker.path, FAULTS["said again"][0](speaker))
        for variable, value in {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{server.address}/v1",
            "OPENAI_API": "responses",
            "OPENAI_PRICES": PRICES,
            "RETRY_INITIAL_SECONDS": "0.01",
        }.items():
            monkeypatch.setenv(variable, value)
        await client.async_execute()
    assert KEY in all_headers(server.exchanges[0])
    saved = nbformat.writes(notebook)
    assert "OpenAI gpt-5-mini" in saved
    assert find_key({"notebook": saved, **files_of(tmp_path)}) == []


@EACH
def test_it_is_saved_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in notebook.metadata


@EACH
def test_it_begins_with_its_parameters_which_are_constants(path: Path) -> None:
    code = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    assert code[0].metadata.get("tags") == ["parameters"]
    for statement in ast.parse(code[0].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)


@EACH
def test_its_cells_are_sentences(path: Path) -> None:
    """At most six lines, without definitions, and nothing that nests a loop.

    In the notebook about the reader's own function a cell may be one function.
    """
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            function = path.stem == OWN_FUNCTION and is_one_function(cell.source)
            assert len(cell.source.splitlines()) <= (10 if function else 6)
            assert cell.source.count("def ") == (1 if function else 0)
            for word in ("class ", "try:", "asyncio.run", "run_sync", "!pip"):
                assert word not in cell.source


def is_one_function(source: str) -> bool:
    body = ast.parse(source).body
    return len(body) == 1 and isinstance(
        body[0], ast.FunctionDef | ast.AsyncFunctionDef
    )


ASKED = """
import sdr_kit

def research(account):
    with open("calls.txt", "a") as calls:
        calls.write(account.company_name + "\\n")
    return {"summary": f"sells things to {account.domain}"}

accounts = sdr_kit.load_accounts("sample_accounts.csv").sample(7)
run = await sdr_kit.process(accounts, research)
print(run.summary.completed, run.summary.reused)
"""


@pytest.mark.slow
async def test_a_notebook_that_is_run_again_makes_no_call(folder: Path) -> None:
    """With another kernel, and again in the same one."""
    said = []
    for _ in range(2):
        cells = [nbformat.v4.new_code_cell(ASKED) for _ in range(2)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})
        await client.async_execute()
        said += [cell.outputs[0].text.strip() for cell in cells]
    assert said == ["7 0", "7 7", "7 7", "7 7"]
    assert len((folder / "calls.txt").read_text().splitlines()) == 7
