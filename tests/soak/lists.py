"""Loads lists that nobody would send: odd ones, garbled ones, ones cut in two.

    uv run python -m tests.soak.lists --inputs 20000

What comes of each is accounts, or one `AccountsError`; every row that was read ends in
exactly one place, and everything that can be asked of a list can be asked of this one.
Where it can be known without the loader which rows there are, they are compared.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdr_kit import schema
from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.errors import AccountsError
from tests.shared import SHARED_DATA
from tests.soak.table import Line, exactly, written
from tests.workbooks import XLS, ods, ods_row, xlsb, xlsx

Chance = random.Random
LARGEST = 60_000  # bytes; a larger file shows nothing more, and slowly

HEADS = [
    "company_name",
    "Company",
    "Account Name",
    "Name",
    "domain",
    "Website",
    "Owner",
]
HEADS += ["Industry", "notes", "", " ", "company_name", "shared_domain", "row", "Größe"]
CELLS = ["Acme", "Acme Inc.", "acme.com", "https://www.acme.com/x?y", "a@b.de", "", " "]
CELLS += [
    "=1+1",
    "007",
    "NA",
    "nan",
    "1e999",
    "Zoë GmbH",
    "株式会社",
    "\u2028",
    "\u00a0",
]
CELLS += [
    "Total",
    "Grand Total",
    "Records: 5",
    "Jane Doe (2)",
    "x" * 300,
    "http://[::1",
]
CELLS += ["xn--a", "-.-", "...", "\u202eA", "🚀", "a\tb", "1,5", "B;C", "company_name"]
CELLS += ["https://[", "//", "user:pw@h.de", "ß.de", "a..b", "١٢٣", "\x1c", "\x85"]
QUOTED = ['"', '"a,b"', '"a\nb"', '"a""b"', '5" pipe', '""', "\0", "\ufeff", "\ud800"]
BYTES = [b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b",", b"\t", b"\x80"]
BYTES += [b"\xc3", b"\x1a", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"sep=;\n", b"\x9d"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1", "cp1251"]
ENCODINGS += ["shift_jis", "gb18030", "mac_roman", "utf-32"]
WITHIN = {"company_name", "Company", "Account Name"}


def grid(chance: Chance, *more: str) -> list[list[str]]:
    """Makes a header and rows, some of them ragged."""
    width = chance.randint(1, 6)
    head = chance.choices(HEADS, k=width)
    if chance.random() < 0.9 and not WITHIN & set(head):
        head[chance.randrange(width)] = "company_name"
    cells = [*CELLS, *more]
    rows = []
    for _ in range(chance.choice([0, 1, 2, 5, 20])):
        wide = width + (chance.randint(-1, 2) if chance.random() < 0.1 else 0)
        rows.append(chance.choices(cells, k=max(0, wide)))
    return [head, *rows]


def text_of(rows: Sequence[Sequence[str]], mark: str, end: str) -> str:
    return end.join(mark.join(row) for row in rows)


def some_text(chance: Chance) -> bytes:
    """A list as text, in some encoding, with quotes where they do not belong."""
    rows = grid(chance, *QUOTED)
    text = text_of(rows, chance.choice(",;\t|"), chance.choice(["\n", "\r\n", "\r"]))
    above = chance.choice(["", "", "", "My report\n\n", "sep=;\n", "\n\n"])
    return (above + text).encode(chance.choice(ENCODINGS), "replace")


@functools.cache
def files() -> list[bytes]:
    """The real files beside the checkout, where they are, and their like."""
    folder = SHARED_DATA / "accounts"
    found = sorted(path for path in folder.rglob("*.*") if path.is_file())
    plain = [b"company_name,domain\nAcme,acme.com\n", b"", b"\n", b"company_name"]
    return [*(path.read_bytes()[:LARGEST] for path in found), *plain]


def some_file(chance: Chance) -> bytes:
    return garbled(chance, chance.choice(files()))


@functools.cache
def books() -> list[bytes]:
    rows: list[list[Any]] = [["company_name", "domain", "since"], ["Acme", "acme.com"]]
    rows += [["B", None, 3.5], ["C", "c.de", datetime.date(2020, 1, 1)], [None, True]]
    cells: dict[tuple[int, int], str | float] = {
        (0, 0): "company_name",
        (1, 0): "Acme",
        (1, 2): 2.5,
        (3, 0): "B",
    }
    lines = ods_row("company_name", "domain") + ods_row("Acme", "a.com", repeated=3)
    return [xlsx({"A": rows, "B": rows}, "B"), xlsb(cells), ods(lines), XLS]


def some_book(chance: Chance) -> bytes:
    """A workbook of any kind, mostly damaged; or a sheet of anything."""
    if chance.random() < 0.3:
        return xlsx({"Sheet": grid(chance)})
    return garbled(chance, chance.choice(books()))


def garbled(chance: Chance, content: bytes) -> bytes:
    """Cuts, doubles, turns over and overwrites some bytes."""
    changed = bytearray(content)
    for _ in range(chance.choice([0, 1, 1, 2, 8])):
        at = chance.randrange(len(changed) + 1)
        size = chance.choice([1, 1, 2, 16, 500])
        kind = chance.randrange(6)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            del changed[at : at + size]
        elif kind == 2:
            changed[at:at] = changed[at : at + size]
        elif kind == 3:
            changed[at:at] = chance.choice(BYTES)
        elif kind == 4:
            changed[at : at + size] = chance.randbytes(size)
        elif at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


VALUES: list[Any] = [None, np.nan, pd.NA, pd.NaT, "", "Acme", "acme.com", 0, 1, -0.0]
VALUES += [1.5, 1e300, np.inf, 2**70, True, b"bytes", ["list"], {"a": 1}, (), 1j]
VALUES += [pd.Timestamp("2020-01-01", tz="UTC"), datetime.date(2020, 1, 1), object]
VALUES += [pd.Timedelta(1), "\ud800", np.float32(1.5), np.int8(3), "Total", set()]
DTYPES = ["object", "category", "string", "Int64", "float64", "bool", "datetime64[ns]"]
DTYPES += ["boolean", "timedelta64[ns]", "complex128", "int8", "Float32", "interval"]


def some_column(chance: Chance, rows: int) -> Any:
    kind: Any = chance.choice(DTYPES)
    if kind == "interval":
        return pd.interval_range(0, periods=rows) if rows else pd.Series(dtype=object)
    if kind in ("object", "category"):
        values = pd.Series(chance.choices(VALUES, k=rows), dtype=object)
        try:
            return values.astype(kind)
        except (TypeError, ValueError):  # a category must be hashable
            return values
    if kind == "string":
        return pd.Series(chance.choices([*CELLS, None], k=rows), dtype=kind)
    return pd.Series(chance.choices([0, 1], k=rows)).astype(kind)


def some_index(chance: Chance, rows: int) -> Any:
    numbers = [chance.choice([0, 1, 1, 7]) for _ in range(rows)]
    return chance.choice(
        [
            pd.RangeIndex(rows),
            pd.Index(numbers),
            pd.Index(
                chance.choices([None, "a", 1.5, ("t", 1), True], k=rows), dtype=object
            ),
            pd.MultiIndex.from_arrays([numbers, range(rows)]),
            pd.date_range("2020-01-01", periods=rows, tz="UTC"),
            pd.CategoricalIndex(numbers),
            pd.Index(np.linspace(0, 1, rows)),
        ]
    )


def some_frame(chance: Chance) -> pd.DataFrame:
    """A DataFrame of odd dtypes, labels and index."""
    rows = chance.choice([0, 1, 3, 12])
    width = chance.randint(1, 5)
    labels: list[Any] = chance.choices(
        [*HEADS, 3, None, np.nan, ("a", 1), 2.5], k=width
    )
    if chance.random() < 0.9:
        labels[chance.randrange(width)] = "company_name"
    columns = [pd.Series(list(some_column(chance, rows))) for _ in labels]
    if chance.random() < 0.5:
        columns = [pd.Series(some_column(chance, rows)) for _ in labels]
    frame = pd.concat(columns, axis="columns")
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    return frame.set_axis(some_index(chance, rows))


Source = bytes | pd.DataFrame
KINDS: list[tuple[Callable[[Chance], Source], float]] = [
    (some_text, 40),
    (some_file, 25),
    (some_frame, 25),
    (some_book, 10),
]


def some_source(chance: Chance) -> Source:
    makers, weights = zip(*KINDS, strict=True)
    maker: Callable[[Chance], Source] = chance.choices(makers, weights)[0]
    return maker(chance)


def check(source: Source) -> str:
    """Loads a list and holds it against what must be so; says what became of it."""
    try:
        accounts = load_accounts(source)
    except AccountsError:
        return "refused"
    _check_books(accounts)
    if isinstance(source, pd.DataFrame):
        assert accounts.rows_read == len(source)
    elif b'"' not in source and accounts.layout == "Text in UTF-8, separated by commas":
        _check_lines(accounts, source)
    _ask_everything(accounts)
    return "loaded"


def _check_books(accounts: Accounts) -> None:
    books, fates = accounts.books, accounts.fates
    assert accounts.rows_read == len(accounts.table.rows) == len(fates)
    assert books["ready"] + books["duplicates"] + books["rejected"] == len(fates)
    told = Counter(fates["fate"])
    assert told["account"] == len(accounts) == books["ready"]
    assert told["duplicate"] == len(accounts.duplicates)
    assert told["rejected"] == len(accounts.rejected)


def _check_lines(accounts: Accounts, content: bytes) -> None:
    """Without quotes a row is a line: each below the header that is not empty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    filled = [number for number, line in enumerate(lines, start=1) if line]
    rows = [*accounts.table.rows]
    if filled and lines[filled[0] - 1].lower().startswith("sep="):
        return
    assert rows == filled[len(filled) - len(rows) :]
    assert len(filled) > len(rows)


def _ask_everything(accounts: Accounts) -> None:
    """Asks for all that a panel, a run and a store ask for."""
    rows = list(accounts)
    assert [row.position for row in rows] == [*range(len(accounts))]
    assert len(accounts.keys) == len(rows)
    stored = [
        schema.account_row(1, row, key)
        for row, key in zip(rows, accounts.keys, strict=True)
    ]
    assert len(stored) == len(rows)
    again = Accounts.stored(rows, source=accounts.source, others=accounts.others)
    assert again.keys == accounts.keys
    assert len(again) == len(accounts)
    said = repr(accounts), accounts._repr_html_(), accounts.layout
    assert all(said)
    assert len(accounts.recognised) == 4
    assert accounts.notes is not None
    if len(accounts) > 1:
        assert len(accounts.sample(2)) == 2
    if len(accounts.duplicates):
        kept = accounts.keep(list(accounts.duplicates["row"]))
        assert kept.rows_read == accounts.rows_read
        assert len(kept) > len(accounts)


def load_many(inputs: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Gives what became of so many lists, and what must not have happened."""
    became: Counter[str] = Counter()
    troubles: dict[str, str] = {}
    for number in range(inputs):
        source = some_source(Chance(f"{seed}/{number}"))
        try:
            became[check(source)] += 1
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            became["troubles"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = (
                f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
            )
            shown = "".join(traceback.format_exception(error)[-6:])
            troubles.setdefault(
                kind, f"input {seed}/{number}\n{source!r:.2000}\n{shown}"
            )
    return became, list(troubles.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    became, troubles = load_many(asked.inputs, asked.seed)
    print(ascii("\n".join(troubles)).replace("\\n", "\n"))
    lines = [
        exactly("inputs", became.total(), asked.inputs),
        Line("  loaded with exact books", became["loaded"]),
        Line("  refused with an AccountsError", became["refused"]),
        exactly("  anything else", became["troubles"], 0),
    ]
    print(written(lines))
    sys.exit(not all(line.holds for line in lines))


if __name__ == "__main__":
    main()
