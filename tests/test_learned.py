"""What a run has found out for the next."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.law.learned import NOTHING_LEARNED, Learned


def test_nothing_is_nothing() -> None:
    assert Learned() == NOTHING_LEARNED


@pytest.mark.parametrize("name", ["cap", "per_minute", "knee", "harmless"])
def test_each_is_above_0_and_some_are_refusals(name: str) -> None:
    def learned(value: Any) -> Learned:
        return Learned(**{name: value})

    assert learned(1).refuses == (name in {"cap", "per_minute"})
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=name):
            learned(wrong)
