"""Invents an answer that fits a JSON schema: the sandbox knows no brief of its own.

The same account and seed give the same answer. Every text is marked SYNTHETIC, every
address is at `sandbox.invalid`, which exists nowhere. What a property is called decides
what is said where it matters: a `tier` has sensible shares, a priority agrees with it,
and only an A has triggers.
"""

from __future__ import annotations

import random
import re
from typing import Any

from sdr_kit.research.loose import amount, count, listed, rows, table, words

DEFAULT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "tier": {"type": "string", "enum": ["A", "B", "C"]},
    },
}
MAX_DEPTH = 20  # of a schema that contains itself
# Share of the accounts in the tier, and the lowest and highest priority in it.
TIERS = {"A": (0.15, 8, 10), "B": (0.35, 5, 7), "C": (0.50, 1, 4)}
UNKNOWN_SHARE = 0.1  # of the answers but the first two kinds: nobody finds everything
_ALWAYS_KNOWN = ("summary", "findings")
_FACTS = (
    "opened a second office",
    "is looking for three sales managers",
    "raised money from its investors",
    "moved its shop to another platform",
    "has a new head of operations",
    "announced a product for small customers",
)
_ADDRESS = re.compile(r"(?i)source|url|uri|link|address")


def invented(schema: dict[str, Any], account: dict[str, str], seed: int) -> Any:
    """Gives an answer of the form of a schema; never raises.

    Args:
        schema: A JSON schema; what is not understood in it is passed over.
        account: `company_name`, and `domain` and `industry` if they are known.
        seed: Another seed gives another answer.
    """
    return _Inventor(schema, account, seed).value(schema, "", "", 0)


class _Inventor:
    def __init__(
        self, root: dict[str, Any], account: dict[str, str], seed: int
    ) -> None:
        self.company = account["company_name"]
        self.industry = account.get("industry", "an unknown industry")
        who = account.get("domain") or self.company
        self.draw = random.Random(f"{seed}:{who}")  # noqa: S311 - no secrets here
        self.slug = f"{self.draw.getrandbits(32):08x}"
        shares = [share for share, _, _ in TIERS.values()]
        self.tier = self.draw.choices(list(TIERS), shares)[0]
        self.root = root

    def value(self, schema: dict[str, Any], name: str, field: str, depth: int) -> Any:
        """Invents a value.

        Args:
            schema: Of the value.
            name: Of the property that holds it.
            field: Of the nearest property that tells one field from another.
            depth: Of the nesting.
        """
        schema = self._resolved(schema)
        options = schema.get("enum") if "const" not in schema else [schema["const"]]
        if listed(options) and options:
            tiers = set(map(str, options)) >= set(TIERS)
            return self.tier if tiers else self.draw.choice(options)
        kind = _kind(schema) if depth <= MAX_DEPTH else "null"
        if kind == "object":
            return self._object(schema, name, depth)
        if kind == "array":
            return self._array(schema, name, field, depth)
        return self._single(schema, name, field, kind)

    def _single(self, schema: dict[str, Any], name: str, field: str, kind: str) -> Any:
        if kind in ("integer", "number"):
            return self._number(schema, name, kind)
        if kind == "boolean":
            return self.draw.random() < 0.5
        return None if kind == "null" else self._text(schema, name, field)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follows references and takes the first choice that is not null."""
        for _ in range(MAX_DEPTH):
            choices = rows(schema.get("anyOf")) or rows(schema.get("oneOf"))
            if reference := words(schema.get("$ref")):
                found: object = self.root
                for step in reference.split("/")[1:]:
                    found = table(found).get(step)
                schema = table(found)
            elif choices:
                real = [each for each in choices if each.get("type") != "null"]
                schema = (real or choices)[0]
            elif merged := rows(schema.get("allOf")):
                schema = {
                    **{key: value for each in merged for key, value in each.items()},
                    **{key: value for key, value in schema.items() if key != "allOf"},
                }
            else:
                return schema
        return {}

    def _object(self, schema: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        return {
            inner: self.value(
                table(each), inner, name if inner == "answer" else inner, depth + 1
            )
            for inner, each in table(schema.get("properties")).items()
        }

    def _array(
        self, schema: dict[str, Any], name: str, field: str, depth: int
    ) -> list[Any]:
        if name == "triggers" and self.tier != "A":
            return []
        least = min(count(schema.get("minItems")) or 1, 100)
        most = count(schema.get("maxItems")) or max(least, 2)
        length = self.draw.randint(least, max(least, min(most, least + 1)))
        items = [
            self.value(table(schema.get("items")), name, field, depth + 1)
            for _ in range(length)
        ]
        if name == "triggers":  # one has happened once
            items = list(
                {str(table(item).get("trigger")): item for item in items}.values()
            )
        elif all(isinstance(item, str) for item in items):  # a sentence is said once
            said = list(dict.fromkeys(items))
            items = said if len(said) >= least else items
        return items

    def _number(self, schema: dict[str, Any], name: str, kind: str) -> float:
        low, high = amount(schema.get("minimum")), amount(schema.get("maximum"))
        if "priority" in name:
            _, low, high = TIERS[self.tier]
        elif name == "confidence":
            low, high = 0.3, 0.95
        low = min(1.0, 1.0 if high is None else high) if low is None else low
        high = low + 99 if high is None else max(high, low)
        if kind == "integer":
            return self.draw.randint(round(low), round(high))
        return round(self.draw.uniform(low, high), 2)

    def _text(self, schema: dict[str, Any], name: str, field: str) -> str:
        if _ADDRESS.fullmatch(name) or schema.get("format") == "uri":
            page = self.draw.randrange(1, 100)
            return f"https://sandbox.invalid/{self.slug}/{page}"
        if field == "summary":
            people = self.draw.randrange(10, 5000)
            return (
                f"SYNTHETIC: {self.company} is an invented company in {self.industry} "
                f"with about {people} people."
            )
        may_be_unknown = name == "answer" and field not in _ALWAYS_KNOWN
        if may_be_unknown and self.draw.random() < UNKNOWN_SHARE:
            return "unknown"
        if field == "findings":
            facts = self.draw.sample(_FACTS, self.draw.randint(2, 4))
            return "\n".join(self._fact(fact) for fact in facts)
        if "tier" in field or "priority" in field:
            return f"SYNTHETIC: drawn from the seed, tier {self.tier}."
        return self._fact(self.draw.choice(_FACTS))

    def _fact(self, fact: str) -> str:
        return f"SYNTHETIC: {self.company} {fact}."


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if listed(kind):
        kinds = [each for each in kind if each != "null"]
        kind = kinds[0] if kinds else "null"
    if not isinstance(kind, str):
        return "object" if "properties" in schema else "string"
    return kind
