"""How long importing the kit takes, beyond pandas, which it cannot do without."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from sdr_kit.costs.figure import Figure

ROUNDS = 3
TARGET_SECONDS = 0.3

IMPORTS = """
import time
began = time.perf_counter()
import pandas
between = time.perf_counter()
import sdr_kit
print(between - began, time.perf_counter() - between)
"""


def loading_figures() -> list[Figure]:
    """Measures `import sdr_kit` after `import pandas`, each in a new process."""
    seconds = [_once() for _ in range(ROUNDS)]
    pandas, ours = (median(each[what] for each in seconds) for what in (0, 1))
    return [
        Figure(
            what="import sdr_kit, after pandas",
            ours=f"{ours:.2f} s",
            peer=f"{pandas:.2f} s import pandas",
            ratio=ours / pandas,
            target=TARGET_SECONDS,
            value=ours,
        )
    ]


def _once() -> tuple[float, float]:
    done = subprocess.run(  # noqa: S603 (ourselves)
        [sys.executable, "-c", IMPORTS], stdout=subprocess.PIPE, text=True, check=True
    )
    pandas, ours = map(float, done.stdout.split())
    return pandas, ours
