"""Whatever the schema, the sandbox's answer fits it."""

from __future__ import annotations

from typing import Any

import pytest

from sdr_kit.research.inventor import invented

ACME = {"company_name": "Acme"}
TREE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"more": {"anyOf": [{"$ref": "#/$defs/node"}]}},
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 4}, lambda x: x in (3, 4)),
        ({"type": "number", "maximum": 0.5, "minimum": 0}, lambda x: 0 <= x <= 0.5),
        ({"type": "integer", "maximum": 0}, lambda x: x <= 0),
        ({"type": ["null", "boolean"]}, lambda x: isinstance(x, bool)),
        ({"type": "null"}, lambda x: x is None),
        ({"const": 7}, lambda x: x == 7),
        ({"enum": ["x", "y"]}, lambda x: x in ("x", "y")),
        ({"enum": ["C", "B", "A"]}, lambda x: x in ("A", "B", "C")),
        ({"type": "array", "minItems": 5, "items": {"type": "null"}}, [None] * 5),
        ({"type": "array", "maxItems": 1, "items": {"const": 0}}, [0]),
        ({"anyOf": [{"type": "null"}, {"const": 1}]}, lambda x: x == 1),
        ({"allOf": [{"type": "integer"}], "minimum": 9, "maximum": 9}, 9),
        ({"properties": {"url": {}}}, lambda x: x["url"].startswith("https://sandbox")),
        ({"type": "string"}, lambda x: x.startswith("SYNTHETIC: ")),
        (TREE, lambda x: "more" in x),
        ({"$ref": "#/nowhere"}, lambda x: isinstance(x, str)),
        ({"$ref": "#"}, lambda x: isinstance(x, str)),
        ({"type": 7, "enum": 7, "anyOf": 7, "properties": 7}, lambda _: True),
    ],
    ids=range(18),
)
def test_an_answer_fits_its_schema(schema: dict[str, Any], fits: Any) -> None:
    for seed in range(20):
        answer = invented(schema, ACME, seed)
        assert fits(answer) if callable(fits) else answer == fits


def test_the_same_account_gets_the_same_answer() -> None:
    schema = {"properties": {"summary": {}, "count": {"type": "integer"}}}
    assert invented(schema, ACME, 1) == invented(schema, ACME, 1)
    assert invented(schema, ACME, 1) != invented(schema, ACME, 2)


def test_a_sentence_is_said_once() -> None:
    reasons = {"type": "array", "items": {"type": "string"}}
    schema = {"properties": {"tier_reasons": reasons, "priority_reasons": reasons}}
    for seed in range(20):
        answer = invented(schema, ACME, seed)
        for said in answer.values():
            assert len(said) == len(set(said)) == 1
    two = {"type": "array", "minItems": 2, "items": {"const": "x"}}
    assert invented(two, ACME, 1) == ["x", "x"]  # where the schema wants it
