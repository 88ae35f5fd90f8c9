from __future__ import annotations

import pandas as pd
import pytest

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import (
    COLUMNS,
    export_name,
    find_header,
    label_key,
    recognise,
)


def load(text: str, **columns: str) -> Accounts:
    return load_accounts(text.encode(), columns=columns or None)


def places(*header: str) -> dict[str, list[str]]:
    return {
        column: [header[place] for place in some]
        for column, some in recognise(header).items()
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("company_name", " Company-Name* "),
        ("Owner.Name", "OWNER NAME"),
        ("Société", "SOCIETE"),
        ("Website-URL", "website url"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_label_have_one_key(one: str, other: str) -> None:
    assert label_key(one) == label_key(other)


def test_a_label_with_a_delimiter_in_it_is_several() -> None:
    assert recognise(["Company;Name"]) == {}


@pytest.mark.parametrize(
    ("header", "company"),
    [
        (("Name", "Website"), ["Name"]),
        (("First Name", "Last Name", "Company"), ["Company"]),
        (("Name", "Email", "Company"), ["Company"]),
        (("First Name", "Last Name", "Name"), None),
        (("Vorname", "Nachname", "Firma", "Name"), ["Firma"]),
        (
            ("Company Name for Emails", "Company"),
            ["Company", "Company Name for Emails"],
        ),
        (("Account ID", "Parent Account", "Phone"), None),
        (("Account", "Account Name"), ["Account Name"]),
        (("Account", "Name"), ["Name"]),
        (("Client", "Kunde"), ["Client", "Kunde"]),
        (("Name", "Email", "Title", "Phone"), None),
        (("Name", "Email", "Phone"), None),
        (("Name", "Lead Owner", "Website"), None),
        (("Name", "Contact Owner", "Account"), ["Account"]),
        (("Name", "Email", "Website"), ["Name"]),
    ],
)
def test_a_bare_name_is_the_company_only_without_a_better_column(
    header: tuple[str, ...], company: list[str] | None
) -> None:
    assert places(*header).get("company_name") == company


@pytest.mark.parametrize(
    ("header", "column", "expected"),
    [
        (("Website", "Domain"), "domain", ["Domain", "Website"]),
        (
            ("Website URL", "Company Domain Name"),
            "domain",
            ["Company Domain Name", "Website URL"],
        ),
        (("URL", "Website"), "domain", ["Website"]),
        (("Site", "Website"), "domain", ["Website"]),
        (("Nom", "Site"), "domain", ["Site"]),
        (("Company Linkedin Url", "Facebook Url"), "domain", None),
        (("OwnerId", "Owner.Name"), "owner", ["Owner.Name"]),
        (("OwnerId", "Phone"), "owner", ["OwnerId"]),
        (("Account Owner: Full Name",), "owner", ["Account Owner: Full Name"]),
        (
            ("okta_account_owner", "auth0_account_owner"),
            "owner",
            ["auth0_account_owner", "okta_account_owner"],
        ),
        (("Industry Group", "Industry"), "industry", ["Industry"]),
        (
            ("Secteur", "Secteur d\u2019activité"),
            "industry",
            ["Secteur d\u2019activité", "Secteur"],
        ),
    ],
)
def test_several_columns_of_one_meaning_are_ranked(
    header: tuple[str, ...], column: str, expected: list[str] | None
) -> None:
    assert places(*header).get(column) == expected


def test_the_next_column_fills_the_blanks_and_stays() -> None:
    accounts = load(
        "Company,Website,Domain,Company Name for Emails\n"
        "A,https://a.com/x,,Ay\n"
        "B,b.com,other.com,\n"
        "C,c.com,linkedin.com/company/c,\n"
        ",d.com,,Dee\n"
        "E,n/a,linkedin.com/company/e,\n"
    )
    frame = accounts.frame
    assert frame["company_name"].tolist() == ["A", "B", "C", "Dee", "E"]
    assert frame["domain"].fillna("").tolist() == [
        "a.com",
        "other.com",
        "c.com",
        "d.com",
        "",
    ]
    assert frame.columns.tolist()[5:] == ["Website", "Company Name for Emails"]
    assert frame["Website"].tolist()[0] == "https://a.com/x"
    assert accounts.notes["value"].tolist() == ["linkedin.com/company/e"]


def test_two_owners_of_an_account_are_both_kept_and_the_filled_one_counts() -> None:
    accounts = load(
        "company_name,okta_account_owner,auth0_account_owner\n"
        "A,Mira,\nB,,Jo\nC,Mira,Jo\nD,,\n"
    )
    assert accounts.frame["owner"].fillna("").tolist() == ["Mira", "Jo", "Jo", ""]
    assert accounts.frame["okta_account_owner"].tolist() == ["Mira", "", "Mira", ""]
    assert accounts.frame["auth0_account_owner"].tolist() == ["", "Jo", "Jo", ""]
    assert accounts.recognised.to_dict("records")[3] == {
        "column": "owner",
        "source_columns": "auth0_account_owner, okta_account_owner",
        "filled": 3,
    }


def test_two_columns_of_one_name_are_one_unless_they_contradict() -> None:
    accounts = load("Company,Industry,industry\nA,Toys,\nB,,Games\nC,Art, Art \n")
    assert accounts.frame["industry"].tolist() == ["Toys", "Games", "Art"]
    with pytest.raises(
        AccountsError, match=r'"Industry", "industry".* in row 3; .*choose'
    ):
        load("Company,Industry,industry\nA,Toys,Toys\nB,Toys,Games\n")


def test_what_a_person_chose_beats_what_is_recognised() -> None:
    text = "Company,Kunde,Website,Webshop\nAgency,Acme,agency.com,acme.com\n"
    accounts = load(text, company_name="Kunde", domain=" webshop ")
    assert accounts.frame[["company_name", "domain"]].to_numpy().tolist() == [
        ["Acme", "acme.com"]
    ]
    assert accounts.frame.columns.tolist()[5:] == ["Company", "Website"]
    assert accounts.recognised["source_columns"].tolist() == [
        "Kunde",
        "Webshop",
        "",
        "",
    ]


def test_a_chosen_label_finds_header_and_delimiter() -> None:
    accounts = load(
        "Company list\n\nMandant;Ort\nAcme, Inc;Ulm\n", company_name="Mandant"
    )
    assert accounts.frame["company_name"].tolist() == ["Acme, Inc"]
    assert accounts.rows.tolist() == [4]


def test_a_repeated_label_is_chosen_by_the_name_it_gets() -> None:
    text = "Company,Industry,Industry\nA,Toys,Games\n"
    assert load(text, industry="Industry_2").frame["industry"].tolist() == ["Games"]


def test_a_wrong_choice_is_one_clear_error() -> None:
    with pytest.raises(
        AccountsError, match=r'no column "Kunde" for company_name; .*"Firma"'
    ):
        load("Firma,Ort\nAcme,Ulm\n", company_name="Kunde")
    with pytest.raises(ValueError, match=r"'name'.*ours are company_name, domain"):
        load_accounts(b"Firma\nAcme\n", columns={"name": "Firma"})
    with pytest.raises(TypeError, match="it must be a label"):
        load_accounts(b"Firma\nAcme\n", columns={"domain": 3})  # type: ignore[dict-item]


def test_columns_can_be_chosen_of_a_data_frame() -> None:
    source = pd.DataFrame({"Kunde": ["Acme"], 7: ["acme.com"]})
    accounts = load_accounts(source, columns={"company_name": "Kunde", "domain": "7"})
    assert accounts.frame.loc[0, "domain"] == "acme.com"
    assert accounts.layout == "DataFrame"


def test_a_source_s_own_column_of_our_name_is_kept_beside_ours() -> None:
    accounts = load(
        "Firma,Company Name,owner,Account Owner,shared_domain\nA,B,C,D,with Acme\n",
        company_name="Firma",
    )
    assert accounts.frame.iloc[0].dropna().to_dict() == {
        "company_name": "A",
        "owner": "D",
        "shared_domain": False,
        "Company Name": "B",
        "owner_2": "C",
        "shared_domain_2": "with Acme",
    }
    (account,) = accounts
    assert set(account.extra) == {"Company Name", "owner_2", "shared_domain_2"}


def test_what_was_recognised_is_shown() -> None:
    accounts = load("Company name,City\nA,Ulm\nB,\n")
    assert accounts.recognised.to_dict("list") == {
        "column": list(COLUMNS),
        "source_columns": ["Company name", "", "", ""],
        "filled": [2, 0, 0, 0],
    }
    assert accounts.layout == "Text in UTF-8, separated by commas"


def test_the_header_is_the_row_that_names_most_of_ours_below_narrower_ones() -> None:
    rows = [["Company", "Acme"], ["Account Name", "Website", "Phone"], ["Name", "x"]]
    assert find_header(rows) == (1, 2)
    data = [["Company", "x", "y"], ["Name", "Website", "Industry"]]
    assert find_header(data) == (0, 1)
    assert find_header([["a"], ["b"]]) is None


@pytest.mark.parametrize(
    "above", [["Company", "", "Owner", ""], ["Account Name", "contains", "foo", "bar"]]
)
def test_a_header_below_groups_of_columns_or_a_filter_is_found(
    above: list[str],
) -> None:
    header = ["Account Name", "Website", "First", "Last"]
    assert find_header([above, header, ["Acme", "acme.com", "Jo", "Doe"]]) == (1, 2)
    assert find_header([header, ["Client", "Internet", "Jo", "Doe"]]) == (0, 2)


def test_an_export_nobody_knows_has_no_name() -> None:
    assert export_name(["company_name", "domain"]) is None
    assert export_name(["Record ID", "Company name", "City"]) == "HubSpot"


@pytest.mark.parametrize("label", ["Customer", "Client", "Account", "Kunde", "Company"])
@pytest.mark.parametrize(
    "cells", [("Yes", "No"), ("TRUE", ""), ("1", "0"), ("0013000000AbCdE", "17")]
)
def test_flags_and_ids_are_no_company_beside_names(
    label: str, cells: tuple[str, str]
) -> None:
    for header in (f"Name,Domain,{label}", f"{label},Domain,Name"):
        first, last = ("A,a.com,{}", "B,b.com,{}")
        if header.startswith(label):
            first, last = ("{},a.com,A", "{},b.com,B")
        accounts = load(
            f"{header}\n{first.format(cells[0])}\n{last.format(cells[1])}\n"
        )
        assert accounts.frame["company_name"].tolist() == ["A", "B"]
        assert accounts.frame[label].tolist() == list(cells)


def test_flags_are_no_company_even_alone_but_a_company_may_be_a_number() -> None:
    with pytest.raises(AccountsError, match=r'no column company_name.*"Customer"'):
        load("Domain,Customer\na.com,Yes\nb.com,No\n")
    assert load("Domain,Customer\na.com,Acme\nb.com,3\n").rows_read == 2
    names = load("Company,Domain\n007,a.com\n1688,b.com\n").frame["company_name"]
    assert names.tolist() == ["007", "1688"]


def test_a_place_in_salesforce_s_site_is_no_domain() -> None:
    accounts = load("Account Name,Site,Website\nA,hq.berlin,\nB,hq.berlin,b.com\n")
    assert accounts.frame["domain"].fillna("").tolist() == ["", "b.com"]
    assert accounts.frame["Site"].tolist() == ["hq.berlin", "hq.berlin"]


@pytest.mark.parametrize("cell", ["True", "FALSE", "yes", "No", ""])
def test_the_flag_of_an_earlier_export_is_told_anew(cell: str) -> None:
    text = f"company_name,domain,shared_domain\nA,z.com,{cell}\nB,z.com,\n"
    accounts = load(text)
    assert accounts.frame.columns.tolist() == [*COLUMNS, "shared_domain"]
    assert accounts.frame["shared_domain"].tolist() == [True, True]


def test_export_and_load_again_adds_no_column() -> None:
    accounts = load("company_name,domain,note\nA,z.com,1\nB,z.com,2\n")
    for _ in range(3):
        again = load_accounts(accounts.frame.to_csv(index=False).encode())
        assert again.frame.columns.tolist() == accounts.frame.columns.tolist()
        accounts = again


@pytest.mark.parametrize("columns", ["Firma", ["Firma"], 3])
def test_columns_that_are_no_mapping_are_a_clear_error(columns: object) -> None:
    with pytest.raises(TypeError, match="it must map our columns"):
        load_accounts(b"Firma\nAcme\n", columns=columns)  # type: ignore[arg-type]
