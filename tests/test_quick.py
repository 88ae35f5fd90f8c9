"""Values that are cheap to make are the values that dataclasses makes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace

import pytest

from sdr_kit.quick import quickly_made


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    name: str
    size: int = 3
    more: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is blank")
        object.__setattr__(self, "size", int(self.size))


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Quick:
    name: str
    size: int = 3
    more: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is blank")
        object.__setattr__(self, "size", int(self.size))


def test_a_quick_value_is_like_a_plain_one() -> None:
    plain, quick = Plain(name="a", size=4), Quick(name="a", size=4)
    assert type(quick) is Quick
    assert asdict(quick) == asdict(plain)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    assert quick == Quick(name="a", size=4) != Quick(name="b", size=4)
    assert inspect.signature(Quick) == inspect.signature(Plain)
    assert replace(quick, size=5) == Quick(name="a", size=5)
    assert copy.deepcopy(quick) == quick == copy.copy(quick)


def test_it_is_frozen() -> None:
    quick = Quick(name="a")
    with pytest.raises(FrozenInstanceError):
        quick.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del quick.name


def test_a_default_is_made_anew_for_each() -> None:
    assert Quick(name="a").more == {}
    assert Quick(name="a").more is not Quick(name="a").more


def test_it_refuses_nonsense_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="blank"):
        Quick(name="")
    with pytest.raises(TypeError, match="name"):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="other"):
        Quick(name="a", other=1)  # type: ignore[call-arg]


def test_a_subclass_is_made_too() -> None:
    class Wider(Quick):
        pass

    wider = Wider(name="a", size=9)
    assert type(wider) is Wider
    assert (wider.name, wider.size, wider.more) == ("a", 9, {})
