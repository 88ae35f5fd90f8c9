"""Whether account after account fails in the same way."""

from __future__ import annotations

import pytest

from sdr_kit.law.alike import SAME_FAILURES, Alike


def failed(it: Alike, message: str, *, about: str = "", times: int = 1) -> bool:
    return [it.failed(message, about) for _ in range(times)][-1]


def test_so_many_in_a_row_are_too_many() -> None:
    it = Alike()
    assert not failed(it, "HTTP 404", times=SAME_FAILURES - 1)
    assert failed(it, "HTTP 404")


@pytest.mark.parametrize("between", ["success", "another"])
def test_something_else_begins_the_count_anew(between: str) -> None:
    it = Alike()
    failed(it, "not found", times=SAME_FAILURES - 1)
    if between == "success":
        it.succeeded()
    else:
        failed(it, "bad key")
    assert not failed(it, "not found")


def test_names_and_words_with_digits_are_left_out() -> None:
    it = Alike()
    for n in range(SAME_FAILURES - 1):
        assert not it.failed(f"no page of Acme {'x' * n} (req-{n})", f"Acme {'x' * n}")
    assert it.failed("no page of Globex (req-77)", "Globex")


def test_no_message_is_no_likeness() -> None:
    assert not failed(Alike(), "", times=5 * SAME_FAILURES)


def test_what_is_tolerated_is_not_asked_about_again() -> None:
    it = Alike()
    failed(it, "not found", times=SAME_FAILURES)
    it.tolerate()
    assert not failed(it, "not found", times=3 * SAME_FAILURES)
    assert failed(it, "bad key", times=SAME_FAILURES)


def test_too_few_to_ask_about_are_not_tolerated() -> None:
    it = Alike()
    failed(it, "not found", times=SAME_FAILURES - 1)
    it.tolerate()
    assert failed(it, "not found")
