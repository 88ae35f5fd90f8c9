"""Real material beside the checkout, for tests; it is not part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(path: str) -> Path:
    """Gives a file of the shared data; skips the test, aloud, where it is absent."""
    found = SHARED_DATA / path
    if not found.exists():
        pytest.skip(f"{path} of the shared data is not here: this test did not run")
    return found
