from __future__ import annotations

import datetime
import io
import struct
import zipfile
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]

import sdr_kit.loading.sheets
from sdr_kit.accounts import load_accounts
from sdr_kit.errors import AccountsError
from tests.workbooks import XLS, ods, ods_row, packed, xlsb, xlsx

HEADER = ["Company", "Website", "Founded", "Size"]
BOND = ["007", "bond.co.uk", datetime.date(2024, 1, 31), 5.0]


def test_cells_are_what_a_person_reads() -> None:
    values = {
        "Whole": 5.0,
        "Part": 0.25,
        "Text": "007",
        "Long": 1234567890123,
        "Huge": 1e21,
        "Yes": True,
        "Day": datetime.date(2024, 1, 31),
        "Moment": datetime.datetime(2024, 1, 31, 8, 5),  # noqa: DTZ001
        "Formula": "=1+1",
        "Blank": None,
    }
    rows: list[list[object]] = [["Company", *values], ["Acme", *values.values()]]
    frame = load_accounts(xlsx({"A": rows})).frame
    assert frame[list(values)].iloc[0].to_dict() == {
        "Whole": "5",
        "Part": "0.25",
        "Text": "007",
        "Long": "1234567890123",
        "Huge": "1e+21",
        "Yes": "TRUE",
        "Day": "2024-01-31",
        "Moment": "2024-01-31 08:05:00",
        "Formula": "0",  # the value that xlsxwriter saves; nothing is calculated
        "Blank": "",
    }


def test_a_workbook_gives_the_same_from_a_path_bytes_and_a_file(tmp_path: Path) -> None:
    content = xlsx({"Accounts": [["Accounts of today"], [], HEADER, BOND]})
    path = tmp_path / "list.xlsx"
    path.write_bytes(content)
    for source in (path, content, bytearray(content), io.BytesIO(content)):
        accounts = load_accounts(source)
        assert accounts.frame["company_name"].tolist() == ["007"]
        assert accounts.rows.tolist() == [4]
        assert accounts.layout == ('Excel workbook, sheet "Accounts", header in row 3')


def test_the_first_visible_sheet_with_a_company_column_is_read() -> None:
    content = xlsx(
        {
            "Hidden": [HEADER, ["Secret", "s.com"]],
            "Notes": [["Read me"], ["These are the accounts of today"]],
            "Accounts": [HEADER, BOND],
            "Old": [HEADER, ["Old", "old.com"]],
        },
        "Hidden",
    )
    accounts = load_accounts(content)
    assert accounts.frame["company_name"].tolist() == ["007"]
    assert 'sheet "Accounts"' in accounts.layout


def test_a_chosen_label_finds_the_sheet() -> None:
    content = xlsx({"A": [["Company"], ["No"]], "B": [["Mandant"], ["Yes"]]})
    accounts = load_accounts(content, columns={"company_name": "Mandant"})
    assert accounts.frame["company_name"].tolist() == ["Yes"]


def test_rows_keep_their_numbers_and_columns_wherever_a_sheet_begins() -> None:
    rows: list[list[object]] = [
        [],
        [None, *HEADER],
        [],
        [None, *BOND],
        [None, None, None, None, 7.0],
    ]
    accounts = load_accounts(xlsx({"A": rows}))
    assert accounts.rows.tolist() == [4]
    assert accounts.rejected["row"].tolist() == [5]
    assert accounts.frame.loc[0, "Size"] == "5"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (XLS, "Excel workbook"),
        (
            xlsb({(0, 0): "Company", (0, 1): "Size", (1, 0): "007", (1, 1): 5.0}),
            "Excel workbook",
        ),
        (
            ods(
                ods_row("Company", "Size")
                + ods_row("007", "5", repeated=2)
                + ods_row(repeated=1_048_000)
            ),
            "OpenDocument spreadsheet",
        ),
    ],
    ids=["xls", "xlsb", "ods"],
)
def test_older_and_other_formats_are_read(content: bytes, kind: str) -> None:
    accounts = load_accounts(content)
    assert "007" in accounts.frame["company_name"].tolist()
    assert "5" in accounts.frame["Size"].tolist()
    assert accounts.layout.startswith(f'{kind}, sheet "Accounts"')


def test_an_old_workbook_has_text_and_dates_and_its_hidden_sheet_is_passed_over() -> (
    None
):
    accounts = load_accounts(XLS)
    assert accounts.frame["company_name"].tolist() == ["Zoë GmbH", "007"]
    assert accounts.frame["Founded"].tolist() == ["2024-01-31", ""]
    assert accounts.rows.tolist() == [4, 5]


def lying(content: bytes) -> bytes:
    """Declares that every part is of 10 bytes, at both places."""
    changed = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = changed.find(mark)
        while place >= 0:
            struct.pack_into("<I", changed, place + at, 10)
            place = changed.find(mark, place + 4)
    return bytes(changed)


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdr_kit.loading.sheets, "MAX_UNPACKED", 3_000_000)
    bomb = packed(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/worksheets/sheet1.xml": b"<row/>" * 600_000,
        }
    )
    with zipfile.ZipFile(io.BytesIO(lying(bomb))) as archive:
        assert archive.infolist()[1].file_size == 10
    monkeypatch.setattr(sdr_kit.loading.sheets, "_sheets", None)  # nothing is read
    for content in (bomb, lying(bomb)):
        with pytest.raises(AccountsError, match="unpacks to more than 3,000,000 bytes"):
            load_accounts(content)


@pytest.mark.slow
def test_one_cell_far_away_is_one_clear_error() -> None:
    """The square from the first cell to the last would take 400 GB."""
    rows = b'<row r="1"><c r="A1" t="inlineStr"><is><t>Company</t></is></c></row>'
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with zipfile.ZipFile(io.BytesIO(xlsx({"A": [HEADER]}))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b"<sheetData>" + rows + far + b"</sheetData></worksheet>"
    )
    for content in (packed(parts), xlsb({(0, 0): "Company", (1_048_575, 16_383): "x"})):
        with pytest.raises(AccountsError, match="takes more than 4 GB"):
            load_accounts(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed({"a.csv": "company_name\nAcme"}), "this is a zip archive; unpack it"),
        (xlsx({"A": [HEADER]})[:-100], "damaged"),
        (XLS[:3_000], "damaged"),
        (
            XLS[:8] + "EncryptedPackage".encode("utf-16-le") + bytes(600),
            "protected by a password",
        ),
        (xlsx({"A": [], "B": [["x"]]}), 'visible ones are: "A", "B"'),
        (xlsx({"A": [["x", "y"]]}), 'the columns are: "x", "y"'),
        (xlsx({"A": []}), "it is empty"),
    ],
)
def test_what_is_no_list_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(AccountsError) as caught:
        load_accounts(content)
    assert message in str(caught.value)


def test_a_workbook_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdr_kit.loading.sheets, "MAX_SECONDS", 0.0)
    with pytest.raises(AccountsError, match="this workbook cannot be read"):
        load_accounts(xlsx({"A": [HEADER, BOND]}))


def merged(
    cells: dict[str, str], down: dict[str, str], across: dict[str, str]
) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Accounts")
        for place, cell in cells.items():
            sheet.write(place, cell)
        for place, cell in (down | across).items():
            sheet.merge_range(place, cell)
    return file.getvalue()


def test_a_cell_that_is_merged_downwards_is_every_row_s() -> None:
    cells = {"B3": "Owner", "C3": "Company", "C4": "A", "C5": "B", "C6": "C"}
    content = merged(cells, {"B4:B5": "Jane"}, {"B1:C1": "Accounts of today"})
    frame = load_accounts(content).frame
    assert frame["company_name"].tolist() == ["A", "B", "C"]
    assert frame["owner"].fillna("").tolist() == ["Jane", "Jane", ""]


def test_the_lower_of_two_header_rows_names_the_columns() -> None:
    labels = {"A2": "Account Name", "B2": "Website", "C2": "First", "D2": "Last"}
    acme = {"A3": "Acme", "B3": "acme.com", "C3": "Jo", "D3": "Doe"}
    groups = {"A1:B1": "Company", "C1:D1": "Owner"}
    accounts = load_accounts(merged(labels | acme, {}, groups))
    assert accounts.frame["company_name"].tolist() == ["Acme"]
    assert accounts.frame["domain"].tolist() == ["acme.com"]
    assert accounts.rows_read == 1
