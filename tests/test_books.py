from __future__ import annotations

import pandas as pd
import pytest

from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.loading.books import Rows
from sdr_kit.loading.names import account_key

LIST = """company_name,domain,note
Acme,acme.com,1
Acme Inc,acme.com,2
Robert Half,rh.com,3
RH,rh.com,4
Beta,,5
Beta AG,,6
,,7
Gamma,gamma.com,8
"""


def loaded() -> Accounts:
    return load_accounts(LIST.encode())


def rows(accounts: Accounts) -> tuple[list[int], list[int], list[int]]:
    ends = (
        accounts.rows.tolist(),
        accounts.duplicates["row"].tolist(),
        accounts.rejected["row"].tolist(),
    )
    assert sorted([*ends[0], *ends[1], *ends[2]]) == list(range(2, 10))
    assert accounts.rows_read == 8
    assert len(accounts.frame) == len(accounts.rows)
    assert accounts.frame.index.tolist() == list(range(len(accounts)))
    return ends


def test_a_kept_duplicate_is_an_account_in_the_source_s_order() -> None:
    accounts = loaded()
    assert rows(accounts) == ([2, 4, 5, 6, 9], [3, 7], [8])
    kept = accounts.keep(3)
    assert rows(kept) == ([2, 3, 4, 5, 6, 9], [7], [8])
    assert kept.frame["note"].tolist() == list("123458")
    assert [account.company_name for account in kept][:2] == ["Acme", "Acme Inc"]
    assert rows(accounts)[1] == [3, 7]
    assert rows(accounts.keep(accounts.duplicates["row"]))[1] == []


def test_a_dropped_row_is_rejected_and_can_be_had_back() -> None:
    accounts = loaded()
    dropped = accounts.drop([2, 9])
    assert rows(dropped) == ([4, 5, 6], [3, 7], [2, 8, 9])
    assert dropped.rejected["reason"].tolist() == [
        "dropped by hand",
        "no company name",
        "dropped by hand",
    ]
    assert dropped.rejected["note"].tolist() == ["1", "7", "8"]
    again = dropped.keep([9, 2])
    pd.testing.assert_frame_equal(again.frame, accounts.frame)
    pd.testing.assert_frame_equal(again.rejected, accounts.rejected)


def test_a_kept_duplicate_can_be_dropped_and_kept_again() -> None:
    accounts = loaded().keep(3).drop(3)
    assert rows(accounts) == ([2, 4, 5, 6, 9], [7], [3, 8])
    assert rows(accounts.keep(3))[0] == [2, 3, 4, 5, 6, 9]


def test_shared_domains_are_flagged_counted_and_follow_what_is_kept() -> None:
    accounts = loaded()
    flagged = accounts.frame["shared_domain"]
    assert flagged.dtype == bool
    assert flagged.tolist() == [False, True, True, False, False]
    assert accounts.books == {
        "rows_read": 8,
        "ready": 5,
        "duplicates": 2,
        "shared_domains": 1,
        "on_shared_domains": 2,
        "rejected": 1,
    }
    assert "2 accounts on 1 shared domain" in repr(accounts)
    kept = accounts.keep(3)
    assert kept.frame["shared_domain"].tolist() == [True] * 4 + [False] * 2
    assert kept.books["shared_domains"] == 2
    assert not accounts.drop(4).frame["shared_domain"].any()


def test_the_flag_is_no_column_of_the_source() -> None:
    assert all(set(account.extra) == {"note"} for account in loaded())


@pytest.mark.parametrize("wanted", [2, [3, 4], "3", 8, 99, None, (3, 99)])
def test_a_row_that_is_no_duplicate_is_refused(wanted: Rows) -> None:
    with pytest.raises(ValueError, match=r"is no duplicate of this list; .* are 3, 7"):
        loaded().keep(wanted)


@pytest.mark.parametrize("wanted", [3, 8, "x", [2, 7]])
def test_a_row_that_is_no_account_is_refused(wanted: Rows) -> None:
    with pytest.raises(ValueError, match=r"is no account of this list; .* are 2, 4, 5"):
        loaded().drop(wanted)


def test_a_footer_or_a_ragged_row_cannot_be_kept() -> None:
    accounts = load_accounts(b"company_name,x\nA,1\nB,1,2\n")
    with pytest.raises(ValueError, match="row 3 is no duplicate"):
        accounts.keep(3)


def test_nothing_to_keep_or_drop_changes_nothing() -> None:
    assert rows(loaded().keep([]).drop([])) == rows(loaded())


def test_a_data_frame_s_labels_name_its_rows() -> None:
    source = pd.DataFrame(
        {"company_name": ["A", "A", "B", "B"]},
        index=pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1), ("y", 2)]),
    )
    accounts = load_accounts(source)
    kept = accounts.keep(("x", 2))
    assert kept.frame.index.tolist() == [("x", 1), ("x", 2), ("y", 1)]
    assert accounts.keep([("x", 2), ("y", 2)]).rows_read == 4
    assert len(accounts.drop(accounts.rows)) == 0


def test_a_label_that_several_rows_bear_means_all_of_them() -> None:
    source = pd.DataFrame({"company_name": ["A", "A", "A", "B"]}, index=[5, 5, 5, 6])
    assert len(load_accounts(source).keep(5)) == 4


def test_a_sample_keeps_its_flags_and_can_be_dropped_from() -> None:
    sample = loaded().sample(2)
    assert sample.frame.index.tolist() == [1, 3]
    assert sample.frame["shared_domain"].tolist() == [True, False]
    assert sample.rows.tolist() == [4, 6]
    smaller = sample.drop(4)
    assert smaller.rows.tolist() == [6]
    assert smaller.rows_read == 2
    assert smaller.keep(4).frame.equals(sample.frame)


def test_notes_are_of_accounts_and_duplicates_alone() -> None:
    accounts = load_accounts(b"company_name,domain\nA,n/a\nB,n/a\nA,n/a\n,n/a\n")
    assert accounts.notes["row"].tolist() == [2, 3, 4]
    assert accounts.drop(3).notes["row"].tolist() == [2, 4]
    assert accounts.drop(3).keep(3).notes["row"].tolist() == [2, 3, 4]


def test_keys_identify_accounts_from_one_list_to_the_next() -> None:
    accounts = loaded()
    assert accounts.keys == [
        "acme.com/acme",
        "rh.com/roberthalf",
        "rh.com/rh",
        "/beta",
        "gamma.com/gamma",
    ]
    assert accounts.keys is accounts.keys
    assert accounts.keys[0] == account_key("ACME Ltd.", "acme.com")
