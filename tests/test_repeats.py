from __future__ import annotations

import random

import pandas as pd
import pytest

from sdr_kit.loading.domains import clean_domain
from sdr_kit.loading.names import alike, name_key, name_words
from sdr_kit.loading.repeats import (
    MAX_COMPARED,
    SAME_NAME,
    SIMILAR,
    repeats,
    shared_domains,
)
from tests.shared import shared


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Siemens Aktiengesellschaft", "Siemens AG"),
        ("Acme Gesellschaft mit beschränkter Haftung", "Acme GmbH"),
        ("Acme GmbH und Co. KG", "Acme"),
        ("Acme SE & Co. KGaA", "Acme"),
        ("Acme UG (haftungsbeschränkt)", "Acme"),
        ("Acme Société Anonyme", "Acme S.A."),
        ("Acme Société par actions simplifiée", "ACME SAS"),
        ("Acme Limited Liability Company", "Acme LLC"),
        ("Acme Public Limited Company", "Acme plc"),
        ("Acme Pty Limited", "Acme"),
        ("Acme Co., Ltd.", "Acme"),
        ("Acme Sociedad Anónima", "Acme S.A."),
        ("Acme Società per Azioni", "Acme S.p.A."),
        ("Acme, S.A.B. de C.V.", "Acme"),
        ("Acme Besloten Vennootschap", "Acme B.V."),
        ("AddLife AB (publ)", "ADDLIFE"),
        ("Acme Sdn. Bhd.", "Acme Berhad"),
        ("Acme Anonim Şirketi", "Acme A.Ş."),
    ],
)
def test_a_legal_form_is_no_part_of_a_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Microsoft", "Microsft"),
        ("Micorsoft Deutschland", "Microsoft Deutschland"),
        ("JP Morgan Chase", "JPMorgan Chase"),
        ("The Home Depot", "Home Depot"),
        ("Johnson & Johnson", "Johnson and Johnson"),
        ("Société Generle", "Société Générale"),
        ("Nitto Denko", "Nito Denko"),
    ],
)
def test_a_slip_of_the_keyboard_is_alike(one: str, other: str) -> None:
    assert alike(name_words(one), name_words(other))
    assert alike(name_words(other), name_words(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Whirlpool", "Pool"),
        ("Maeil Dairies", "Maeil Holdings"),
        ("SpareBank 1 SMN", "Sparebank 1 Nordvest"),
        ("Global Sustainable Future Akk", "Global Sustainable Future 2"),
        ("Fund 2030", "Fund 2031"),
        ("Global Fund II", "Global Fund III"),
        ("Acme", "Acme Europe"),
        ("Acme North", "Acme South"),
        ("Acme East", "Acme West"),
        ("Acme Austria", "Acme Australia"),
        ("Volvo Cars", "Volvo Trucks"),
        ("RH", "Robert Half"),
    ],
)
def test_different_companies_of_one_house_are_not_alike(one: str, other: str) -> None:
    assert not alike(name_words(one), name_words(other))
    assert not alike(name_words(other), name_words(one))


def real_names() -> tuple[list[str], list[str | None]]:
    frame = pd.read_csv(
        shared("accounts/accounts_real_5k.csv"), dtype=str, na_filter=False
    )
    names = [" ".join(name.split()) for name in frame["company_name"]]
    domains = [
        clean_domain(cell).domain_for(name_key(name))
        for cell, name in zip(frame["domain"], names, strict=True)
    ]
    return names, domains


def test_no_two_real_companies_that_differ_are_alike() -> None:
    """Looked at one by one: 81 pairs of names on 16 domains, and 23 funds on one."""
    names, domains = real_names()
    places = [place for place, name in enumerate(names) if name]
    found = repeats(names, domains, places)
    assert [repeat for repeat in found if repeat.way == SIMILAR] == []
    left = {*places} - {repeat.position for repeat in found}
    shared_here = shared_domains(domains[place] for place in left)
    assert len(shared_here) == 17
    assert {"rh.com", "danskeinvest.dk", "sparebank1.no", "poolcorp.com"} < shared_here


def test_most_real_names_with_a_slip_are_found_again() -> None:
    """Those that are not have a slip in a legal form, a number or a short word."""
    names, _ = real_names()
    chance = random.Random(1)
    long = [name for name in names if len("".join(name_words(name))) >= 6]
    found = 0
    for name in chance.sample(long, 1_000):
        at = chance.randrange(len(name) - 1)
        slips = (
            name[:at] + name[at + 1 :],
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        )
        slip = chance.choice(slips)
        found += alike(name_words(name), name_words(slip))
    assert found > 850


def test_the_order_of_a_list_does_not_change_what_is_left_by_name() -> None:
    rows = [("Acme", None), ("Acme", "acme.com"), ("Beta", None), ("Beta AG", None)]
    chance = random.Random(4)
    for _ in range(10):
        chance.shuffle(rows)
        names, domains = (list(column) for column in zip(*rows, strict=True))
        found = repeats(names, domains, range(len(rows)))
        assert {repeat.way for repeat in found} == {SAME_NAME}
        gone = {repeat.position for repeat in found}
        left = [row for place, row in enumerate(rows) if place not in gone]
        assert ("Acme", "acme.com") in left
        assert len(left) == 2


def test_only_rows_that_stay_are_repeated() -> None:
    names = ["Microsoft", "Microsft", "Microsft Inc", "Microsoft", "Microsoft"]
    domains = ["ms.com", "ms.com", "ms.com", "ms.com", None]
    found = repeats(names, domains, range(5))
    assert [(repeat.position, repeat.of) for repeat in found] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
    ]


def test_a_domain_of_thousands_of_names_costs_no_more_than_each_name() -> None:
    """Names are compared with the first ones alone; equal ones are always found."""
    names = [f"{'abcdefghij'[n % 10]}{n:05}x company" for n in range(6_000)]
    names += [names[0], names[5_000], "a00000y company", "a05000y company"]
    found = repeats(names, ["x.com"] * len(names), range(len(names)))
    assert [(repeat.position, repeat.of) for repeat in found] == [
        (6_000, 0),
        (6_001, 5_000),
        (6_002, 0),
    ]
    assert len(names) > 50 * MAX_COMPARED
