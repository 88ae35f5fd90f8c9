from __future__ import annotations

import csv
import io
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sdr_kit.loading.records
import sdr_kit.loading.tables
from sdr_kit.account import Account
from sdr_kit.accounts import Accounts, load_accounts
from sdr_kit.errors import AccountsError
from sdr_kit.loading.columns import COLUMNS
from sdr_kit.loading.names import name_key
from sdr_kit.loading.records import TEXT
from sdr_kit.loading.tables import Source
from tests.shared import shared

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLE = REPOSITORY / "notebooks" / "sample_accounts.csv"


def load(text: str) -> Accounts:
    return load_accounts(text.encode())


def real(path: str) -> Path:
    return shared(f"accounts/{path}")


# What comes out


def test_the_plain_layout_gives_four_columns_then_the_others() -> None:
    accounts = load(
        "id,owner,company_name,note\n007,Mira,Acme,NA\n008,,Beta,1/2/2024\n"
    )
    expected = pd.DataFrame(
        {
            "company_name": ["Acme", "Beta"],
            "domain": [None, None],
            "industry": [None, None],
            "owner": ["Mira", None],
            "id": ["007", "008"],
            "note": ["NA", "1/2/2024"],
        },
        dtype=TEXT,
    )
    expected.insert(4, "shared_domain", [False, False])
    pd.testing.assert_frame_equal(accounts.frame, expected)
    assert isinstance(accounts.frame.index, pd.RangeIndex)


@pytest.mark.parametrize(
    "header", ["company_name", "Company Name", " COMPANY-NAME ", "CompanyName"]
)
def test_our_columns_are_recognised_however_they_are_spelled(header: str) -> None:
    frame = load(f"{header},Domain \nAcme,acme.com\n").frame
    assert list(frame.columns) == [*COLUMNS, "shared_domain"]
    assert frame.loc[0, "domain"] == "acme.com"


def test_names_are_on_one_line_and_other_text_is_as_it_came() -> None:
    frame = load(
        'company_name,industry,note\n"  Acme\n  Corp\u00a0\u200b ", Toys , x \n'
    ).frame
    assert frame.iloc[0].tolist()[0] == "Acme Corp"
    assert frame.loc[0, "industry"] == " Toys "
    assert frame.loc[0, "note"] == " x "


def test_blank_is_missing_in_our_columns_and_blank_in_the_others() -> None:
    frame = load("company_name,domain,industry,owner,note\nAcme, ,\t,,\n").frame
    assert frame.loc[0, ["domain", "industry", "owner"]].isna().all()
    assert frame.loc[0, "note"] == ""


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan", "TRUE", "1e5", "=1+1"])
def test_text_stays_text(text: str) -> None:
    accounts = load(f"company_name,industry,note\n{text},{text},{text}\n")
    assert accounts.frame[["company_name", "industry", "note"]].iloc[0].tolist() == [
        text,
        text,
        text,
    ]


def test_a_header_without_rows_is_a_list_of_none() -> None:
    accounts = load("company_name,note\n")
    assert (len(accounts), accounts.rows_read, list(accounts)) == (0, 0, [])
    assert list(accounts.frame.columns)[-1] == "note"
    assert accounts.rejected.columns.tolist() == [
        "row",
        "reason",
        "company_name",
        "note",
    ]


def test_column_names_are_made_unique_and_nothing_is_lost() -> None:
    accounts = load("company_name,x,x_2,x,,x,\nAcme,1,2,3,4,5,6\n,a,b,c,d,e,f\n")
    others = accounts.frame.iloc[0, 5:].to_dict()
    assert others == {
        "x": "1",
        "x_2": "2",
        "x_3": "3",
        "column_5": "4",
        "x_4": "5",
        "column_7": "6",
    }
    assert accounts.rejected.iloc[0, 3:].tolist() == list("abcdef")


@pytest.mark.slow
def test_a_header_of_equal_names_costs_no_more_than_another() -> None:
    started = time.process_time()
    accounts = load("company_name" + ",x" * 4_000)
    assert accounts.frame.columns[-1] == "x_4000"
    assert time.process_time() - started < 2


def test_columns_called_row_reason_and_surplus_keep_their_cells() -> None:
    accounts = load("company_name,row,reason,surplus\n,1,2,3\nAcme,4,5,6,7\n")
    rejected = accounts.rejected
    assert rejected["row"].tolist() == [2, 3]
    assert rejected["row_2"].tolist() == ["1", "4"]
    assert rejected["reason_2"].tolist() == ["2", "5"]
    assert rejected["surplus"].tolist() == ["3", "6"]
    assert rejected["surplus_2"].tolist() == ["", '["7"]']


def test_iterating_gives_accounts_with_missing_as_none() -> None:
    frame = pd.DataFrame(
        {
            "company_name": ["Acme", "Beta"],
            "domain": ["acme.com", None],
            "size": [1.0, float("nan")],
            "since": [pd.Timestamp("2020-01-01"), pd.NaT],
        }
    )
    first, second = load_accounts(frame)
    assert first == Account(
        company_name="Acme",
        position=0,
        domain="acme.com",
        extra={"size": 1.0, "since": pd.Timestamp("2020-01-01")},
    )
    assert (second.position, second.domain) == (1, None)
    assert second.extra == {"size": None, "since": None}


# Where every row ended


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    accounts = load(
        'company_name,note\nAcme,"one\ntwo\nthree"\n\n,four\n,\n\n\nAcme,five\n'
    )
    assert accounts.rejected["row"].tolist() == [4, 5]
    assert accounts.rejected["reason"].tolist() == ["no company name", "empty row"]
    assert accounts.duplicates["row"].tolist() == [8]
    assert accounts.duplicates["repeats_row"].tolist() == [2]
    assert accounts.rows_read == 4


def test_blank_lines_above_the_header_count_for_the_numbers() -> None:
    assert load("\n\ncompany_name\nAcme\n \n").rejected["row"].tolist() == [5]


def test_ragged_rows_are_filled_trimmed_or_rejected() -> None:
    accounts = load(
        "company_name,domain,note\n"
        "Short\n"
        "Trailing,trailing.com,x,,  ,\n"
        'Long,long.com,x,,"a,b",c\n'
        ",,,,\n"
        ",,,surplus\n"
    )
    assert accounts.frame["company_name"].tolist() == ["Short", "Trailing"]
    assert accounts.frame["note"].tolist() == ["", "x"]
    assert accounts.rejected["reason"].tolist() == [
        "has 6 cells, the header has 3",
        "empty row",
        "has 4 cells, the header has 3",
    ]
    assert accounts.rejected["surplus"].tolist() == [
        '["", "a,b", "c"]',
        "",
        '["surplus"]',
    ]


def test_a_one_column_list_may_have_blank_and_quoted_blank_lines() -> None:
    accounts = load('company_name\nAcme\n\n""\n   \nBeta')
    assert len(accounts) == 2
    assert accounts.rejected["row"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("Acme,acme.com", "ACME Inc.,www.acme.com", "same company and domain as row 2"),
        ("Acme,", "acme ltd,", "no domain, same name as row 2"),
        ("Acme,acme.com", "Acme,", "no domain, same name as row 2"),
        ("Acme,a@gmail.com", "Acme,b@gmail.com", "no domain, same name as row 2"),
        ("Acme,acme.com", "Acme,acme.org", None),
        (
            "AddLife AB (publ),add.life",
            "ADDLIFE,add.life",
            "same company and domain as row 2",
        ),
        (
            "Siemens AG,x.de",
            "Siemens Aktiengesellschaft,x.de",
            "same company and domain as row 2",
        ),
        (
            "Booking.com,booking.com",
            "Booking,booking.com",
            "same company and domain as row 2",
        ),
        (
            "Microsoft,ms.com",
            "Microsft Corp,ms.com",
            "same domain and a similar name as row 2",
        ),
        (
            "The Home Depot,hd.com",
            "Home Depot,hd.com",
            "same domain and a similar name as row 2",
        ),
        (
            "JP Morgan,jpm.com",
            "JPMorgan & Co.,jpm.com",
            "same company and domain as row 2",
        ),
        ("Microsoft,ms.com", "Microsft,microsoft.com", None),
        ("Microsoft,", "Microsft,", None),
        ("Fund 2030 A,f.com", "Fund 2031 A,f.com", None),
        ("Global Fund A,f.com", "Global Fund B,f.com", None),
        ("Global Fund,f.com", "Global Fund 2,f.com", None),
        ("Acme North,acme.com", "Acme South,acme.com", None),
        ("Acme Austria,acme.com", "Acme Australia,acme.com", None),
        ("Maeil Dairies,m.com", "Maeil Holdings,m.com", None),
        ("Whirlpool,p.com", "Pool,p.com", None),
        ("Acme,", "Acme,acme.com", "no domain, same name as row 3"),
        ("Restoration Hardware,rh.com", "Robert Half,rh.com", None),
        ("Acme,", "Acme Europe,", None),
    ],
)
def test_what_repeats_an_earlier_row_and_what_does_not(
    first: str, second: str, reason: str | None
) -> None:
    duplicates = load(f"company_name,domain\n{first}\n{second}\n").duplicates
    assert duplicates["reason"].tolist() == ([reason] if reason else [])


def test_a_repeat_names_the_row_that_stays() -> None:
    accounts = load("company_name,domain\nA,a.com\nA,a.com\nB,a.com\nA,a.com\nA,\n")
    assert accounts.frame["company_name"].tolist() == ["A", "B"]
    assert accounts.duplicates["repeats_row"].tolist() == [2, 2, 2]


def test_a_rejected_row_is_repeated_by_none() -> None:
    accounts = load("company_name,domain\nAcme,acme.com,surplus\nAcme,acme.com\n")
    assert len(accounts) == 1
    assert len(accounts.rejected) == 1


def test_an_unusable_domain_is_noted_and_its_account_stays() -> None:
    accounts = load(
        "company_name,domain\nAcme,https://linkedin.com/company/acme\n"
        "LinkedIn Corp.,linkedin.com\nBeta,n/a\n,n/a\n"
    )
    assert accounts.frame["domain"].fillna("").tolist() == ["", "linkedin.com", ""]
    assert accounts.notes.to_dict("records") == [
        {
            "row": 2,
            "company_name": "Acme",
            "column": "domain",
            "value": "https://linkedin.com/company/acme",
            "reason": "linkedin.com holds other people's pages, "
            "not the company's own site",
        },
        {
            "row": 4,
            "company_name": "Beta",
            "column": "domain",
            "value": "n/a",
            "reason": "not a web address",
        },
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme, Inc.", "ACME inc"),
        ("Acme", "Acme GmbH & Co. KG"),
        ("Société Générale S.A.", "SOCIETE GENERALE"),
        ("Ørsted A/S", "Orsted"),
        ("Coca-Cola", "Coca Cola Co."),
        ("Yahoo! Inc", "yahoo"),
        ("Acme\u2122", "Acme"),
        ("Inc!!!", "INC"),
        ("株式会社日立", "株式会社 日立"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Inc", "AG"),
        ("!!!", "???"),
        ("Acme Europe", "Acme"),
        ("ハ", "バ"),
        ("Volvo Cars", "Volvo Trucks"),
    ],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


# What may be given


def test_all_sources_of_one_list_give_the_same(tmp_path: Path) -> None:
    content = "company_name,note\r\nÅland Tea,é\r\n".encode()
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    expected = load_accounts(content).frame
    with path.open(encoding="utf-8") as text, path.open("rb") as binary:
        sources: list[Source] = [
            path,
            str(path),
            bytearray(content),
            memoryview(content),
            b"\xef\xbb\xbf" + content,
            io.BytesIO(content),
            io.StringIO("\ufeff" + content.decode()),
            text,
            binary,
        ]
        for source in sources:
            pd.testing.assert_frame_equal(load_accounts(source).frame, expected)
        assert load_accounts(path).source == "list.csv"
        assert not text.closed


def test_an_unbuffered_file_is_read_to_its_end() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    assert len(load_accounts(Trickle(b"company_name\nAcme\nBeta\n"))) == 2


def test_a_data_frame_keeps_labels_dtypes_and_values_and_is_left_alone() -> None:
    source = pd.DataFrame(
        {
            "size": [10, 20, 30, 40],
            "Company Name": [" Acme ", None, 123.0, "acme ltd"],
            "tags": [["a"], ["b"], ["c"], ["d"]],
            "kind": pd.Categorical(["x", "y", "x", "y"]),
        },
        index=pd.Index(["w", "x", "y", "z"], name="key"),
    )
    before = source.copy(deep=True)
    accounts = load_accounts(source)
    pd.testing.assert_frame_equal(source, before)
    assert accounts.frame.index.tolist() == ["w", "y"]
    assert accounts.frame["company_name"].tolist() == ["Acme", "123.0"]
    assert accounts.frame["size"].tolist() == [10, 30]
    assert accounts.frame.dtypes[["size", "kind"]].tolist() == [np.int64, "category"]
    assert accounts.frame.loc["w", "tags"] == ["a"]
    assert accounts.duplicates.iloc[0].tolist()[:2] == ["z", "w"]
    assert accounts.duplicates["reason"].tolist() == ["no domain, same name as row w"]
    assert accounts.rejected["row"].tolist() == ["x"]
    assert accounts.rejected["tags"].tolist() == [["b"]]
    assert accounts.source == "DataFrame"


@pytest.mark.parametrize("dtype", ["float64", "Float64", "float32"])
def test_whole_numbers_with_a_gap_are_read_as_in_a_sheet(dtype: str) -> None:
    source = pd.DataFrame({"company_name": [3, 1688, None]}, dtype=dtype)
    assert load_accounts(source).frame["company_name"].tolist() == ["3", "1688"]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 5, 5]),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)]),
        pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02"]),
    ],
)
def test_a_data_frame_may_have_any_index(index: pd.Index[int]) -> None:
    source = pd.DataFrame({"company_name": ["A", "A", pd.NA], 0: [1, 2, 3]}, index)
    accounts = load_accounts(source)
    assert accounts.frame.index.equals(source.index[:1])
    assert accounts.frame["0"].tolist() == [1]
    assert accounts.duplicates["row"].tolist() == [index[1]]
    assert accounts.rejected["row"].tolist() == [index[2]]


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, "", " "]
)
def test_every_kind_of_missing_name_is_blank(missing: object) -> None:
    source = pd.DataFrame(
        {"company_name": ["Acme", missing], "x": [1, 2]}, dtype=object
    )
    assert load_accounts(source).rejected["reason"].tolist() == ["no company name"]


def test_half_characters_are_replaced() -> None:
    source = pd.DataFrame({"company_name": ["Ac\ud800me"], "owner": ["\udfff"]})
    frame = load_accounts(source).frame
    assert frame[["company_name", "owner"]].to_numpy().tolist() == [["Ac?me", "?"]]


def test_a_wide_data_frame_is_loaded_without_complaint() -> None:
    source = pd.DataFrame({"company_name": ["Acme"]})
    wide = pd.concat(
        [source, *(source.add_suffix(f"_{n}") for n in range(300))], axis=1
    )
    assert load_accounts(wide).frame.shape == (1, 305)


# What cannot be loaded


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"\n\r\n\n", "it is empty"),
        (b"title,url\nAcme,x\n", 'the columns are: "title", "url"'),
        (b"company name,Company_Name\nA,B\n", "two columns mean company_name"),
        (b"company_name,Domain,DOMAIN\nA,b,c\n", '"Domain", "DOMAIN"'),
        (b'company_name\nAcme\n"Be"ta\n', "the trouble begins in row 3"),
        (b'company_name\nAcme\n"Be\nta\nGamma\n', "the trouble begins in row 3"),
        (b'"company_name\nAcme\n', "the trouble begins in row 1"),
        (b"company_name\n\x01\x02\x03\xe9\n", "not UTF-8 at line 2 (byte 17 of"),
        (b"company_name\nAc\0me\n", "a NUL at line 2"),
        (b"PK\x03\x04rest", "this workbook or zip archive is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "this workbook or zip archive is damaged"),
        ("company_name\nAcme\n".encode("utf-16")[:-1], "it says that it is UTF-16"),
        (b"\x1f\x8b\x08", "a gzip archive; unpack it"),
        (b"<html><table><tr><td>company_name", "this is a web page or XML"),
        (b"company_name\n" + b"x" * 131_073 + b"\n", "a cell of row 2 has more than"),
        (b"company_name" + b"," * 16_384 + b"\n", "16,384 are the most"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(AccountsError) as caught:
        load_accounts(content)
    assert message in str(caught.value)


def test_a_wrong_path_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").touch()
    for source, message in {
        "missing.csv": "missing.csv: there is no such file",
        str(tmp_path): "this is a folder",
        "": "this is a folder",
        "https://example.com/a.csv?key=sesame": "only local files",
        "FTP://example.com/a.csv": "only local files",
        "file:///etc/passwd": "only local files",
        "company_name\nAcme\n": "io.StringIO",
        "a\0b": "there is no such file",
        "x" * 5_000: "cannot be read",
        "~nobody-of-this-name/a.csv": "cannot be read",
        "/dev/zero": "there is no such file",
    }.items():
        with pytest.raises(AccountsError) as caught:
            load_accounts(source)
        assert message in str(caught.value), source
        assert "sesame" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_more_than_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdr_kit.loading.tables, "MAX_BYTES", 20)
    fits, over = b"company_name\nAcme 12", b"company_name\nAcme 123"
    path = tmp_path / "large.csv"
    path.write_bytes(over)
    assert len(load_accounts(fits)) == 1
    assert len(load_accounts(io.BytesIO(fits))) == 1
    endless = io.BytesIO(over + b"4" * 100)
    for source in (over, path, endless, io.StringIO(over.decode())):
        with pytest.raises(AccountsError, match="more than 20 bytes; split"):
            load_accounts(source)
    assert endless.tell() == 21


def test_short_rows_cannot_make_a_huge_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdr_kit.loading.records, "MAX_CELLS", 10_000)
    with pytest.raises(AccountsError, match="more than 10,000 cells by row 12 "):
        load("company_name" + "," * 999 + "\n" + "A\n" * 100_000)


class Broken(io.BytesIO):
    def read(self, *_: object) -> bytes:
        raise RuntimeError("the reader broke")


class Odd(io.BytesIO):
    def read(self, *_: object) -> bytes:
        return 5  # type: ignore[return-value]


class Mutable(io.BytesIO):
    def read(self, *_: object) -> bytes:
        return bytearray(super().read())  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Broken(), "the file object cannot be read: the reader broke"),
        (Odd(), "the file object cannot be read"),
        (Mutable(b"company_name"), "gives bytearray, not bytes or text"),
    ],
)
def test_a_file_object_that_fails_is_one_clear_error(
    source: io.BytesIO, message: str
) -> None:
    with pytest.raises(AccountsError, match=message):
        load_accounts(source)


def test_a_text_file_of_another_encoding_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(b"company_name\n\xe9toile\n")
    for errors in ("strict", "surrogateescape"):
        with (
            path.open(encoding="utf-8", errors=errors) as file,
            pytest.raises(AccountsError),
        ):
            load_accounts(file)


@pytest.mark.parametrize("source", [None, 5, ["Acme"], {"company_name": ["Acme"]}])
def test_an_unknown_source_is_a_type_error(source: object) -> None:
    with pytest.raises(TypeError, match="it must be a path, bytes, a file object"):
        load_accounts(source)  # type: ignore[arg-type]


def test_a_data_frame_without_names_or_with_two_levels_is_refused() -> None:
    with pytest.raises(AccountsError, match="DataFrame: there is no column"):
        load_accounts(pd.DataFrame())
    levels = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))
    with pytest.raises(AccountsError, match="columns have 2 levels"):
        load_accounts(levels)


def test_a_long_header_is_shown_in_part() -> None:
    with pytest.raises(AccountsError) as caught:
        load(",".join(["x" * 5_000] * 1_000))
    assert "and 980 more" in str(caught.value)
    assert len(str(caught.value)) < 3_000


@pytest.mark.slow
def test_any_bytes_load_with_exact_books_or_are_refused() -> None:
    chance = random.Random(3)
    parts = [
        b",",
        b"\n",
        b"\r",
        b'"',
        b"A",
        b"a.com",
        b" ",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
    ]
    weights = [9, 6, 1, 2, 6, 4, 3, 1, 0.05, 0.05]
    loaded = 0
    for _ in range(400):
        body = b"".join(chance.choices(parts, weights, k=chance.randrange(40)))
        try:
            accounts = load_accounts(b"company_name,domain\n" + body)
        except AccountsError:
            continue
        loaded += 1
        text = body.decode(errors="replace")
        records = list(csv.reader(io.StringIO(text, newline="")))
        assert accounts.rows_read == sum(map(bool, records)), body
        assert [account.position for account in accounts] == [*range(len(accounts))]
    assert loaded > 50


# What it looks like


def test_a_sample_is_spread_evenly_in_order() -> None:
    accounts = load("company_name\n" + "".join(f"Company {n}\n" for n in range(100)))
    sample = accounts.sample(5)
    assert sample.frame.index.tolist() == [10, 30, 50, 70, 90]
    assert [account.position for account in sample] == [0, 1, 2, 3, 4]
    assert sample.rows_read == 5
    assert accounts.sample(100) is accounts
    assert len(accounts.sample(99).frame.index.unique()) == 99
    assert len(accounts.sample(np.int64(5))) == 5


@pytest.mark.parametrize("n", [0, -1, True, 2.0, "3", None, np.bool_(1), np.int64(0)])
def test_a_sample_of_nonsense_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="it must be a whole number, 1 or more"):
        load("company_name\nAcme\n").sample(n)


def test_the_counts_are_said_in_plain_words() -> None:
    accounts = load("company_name,domain\nAcme,n/a\nAcme,\n,x\n,\n")
    assert repr(accounts) == (
        "<Accounts from bytes: 1 account ready of 4 rows read, 1 duplicate, "
        "2 rows rejected, 1 cell kept out>"
    )
    assert "1 account ready of 4 rows read" in accounts._repr_html_()


def test_text_from_outside_is_escaped_in_html(tmp_path: Path) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.csv"
    path.write_text("company_name\n<script>alert(1)</script>\n")
    shown = load_accounts(path)._repr_html_()
    assert "<img" not in shown
    assert "<script" not in shown


# Real lists


def test_the_sample_list_of_the_notebooks_has_one_of_each_trouble() -> None:
    accounts = load_accounts(SAMPLE)
    books = (accounts.rows_read, len(accounts), len(accounts.duplicates))
    assert books == (34, 32, 1)
    assert accounts.duplicates[["row", "repeats_row"]].to_numpy().tolist() == [[14, 2]]
    assert accounts.rejected["reason"].tolist() == ["no company name"]
    assert accounts.notes["value"].tolist() == ["gmail.com"]
    assert accounts.frame["account_id"].str.fullmatch(r"00\d{3}").all()
    assert "xn--bcher-kva.de" in set(accounts.frame["domain"])


@pytest.mark.slow
def test_the_books_of_5_000_real_companies_are_exact() -> None:
    """Counted a second time without this package, the last three rows by eye."""
    accounts = load_accounts(real("accounts_real_5k.csv"))
    assert accounts.rows_read == 5_000
    assert len(accounts) == 4_595
    assert len(accounts.duplicates) == 378
    assert set(accounts.rejected["reason"]) == {"empty row"}
    assert len(accounts.rejected) == 27
    assert len(accounts.notes) == 15
    assert (accounts.notes["reason"] == "not a web address").sum() == 6
    assert accounts.frame["domain"].nunique() == 3_871
    assert (accounts.frame["domain"] == "rh.com").sum() == 11  # of 14 rows


def test_every_real_row_ends_in_exactly_one_place() -> None:
    source = pd.read_csv(real("accounts_real_5k.csv"), dtype=str, na_filter=False)
    accounts = load_accounts(source)
    ends = [
        *accounts.frame.index,
        *accounts.duplicates["row"],
        *accounts.rejected["row"],
    ]
    assert sorted(ends) == list(source.index)
