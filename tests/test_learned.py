"""What a run has found out for the next."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.law.learned import NOTHING_LEARNED, Learned


def test_nothing_is_nothing() -> None:
    assert not NOTHING_LEARNED
    assert not Learned()


@pytest.mark.parametrize("name", ["cap", "per_minute", "knee"])
def test_each_alone_is_something_and_must_be_above_0(name: str) -> None:
    def learned(value: Any) -> Learned:
        return Learned(**{name: value})

    assert learned(1)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=name):
            learned(wrong)
