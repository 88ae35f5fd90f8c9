"""Types the examples of a page, as a reader does: `python -m tests.reader PAGE`.

A page is a notebook: what an example names, an earlier one has made. It has a process
of its own, because `run_sync` changes the event loops of the one that it is called in.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import sdr_kit

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def fenced(page: Path, *languages: str) -> list[str]:
    """The blocks of a page in these languages."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [code for language, code in found if language in languages]


async def type_all(page: Path) -> dict[str, Any]:
    """Runs the examples in their order and gives what they have named."""
    names: dict[str, Any] = {}
    for number, example in enumerate(fenced(page, "python"), start=1):
        where = f"{page.name}, example {number}"
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        waited = eval(compile(example, where, "exec", flags=flags), names)  # noqa: S307
        if waited is not None:
            await waited
    for each in names.values():
        if isinstance(each, sdr_kit.Job):
            await each.finished()
    return names


if __name__ == "__main__":
    asyncio.run(type_all(Path(sys.argv[1])))
