from __future__ import annotations

import codecs
import random

import pandas as pd
import pytest

from sdr_kit.errors import AccountsError
from sdr_kit.loading.decode import decode
from tests.shared import shared

NAMES = {
    "cp1252": [
        "Société Générale",
        "Müller GmbH",
        "L\u2019Oréal \u2013 Paris",
        "Raízen",
    ],
    "cp1250": ["Łódź Tkaniny", "Żabka Polska", "Spółka Górnicza", "Małopolska Śnieżka"],
    "cp1251": ["Газпром", "Сбербанк России", "Лукойл", "Магнит Розница"],
    "cp1253": ["Ελληνικά Πετρέλαια", "Τράπεζα Πειραιώς", "Αθηναϊκή Ζυθοποιία"],
    "cp932": ["トヨタ自動車", "株式会社日立製作所", "ソフトバンク", "任天堂"],
    "gb18030": ["中国石油化工", "阿里巴巴集团", "腾讯控股有限公司", "华为技术"],
    "big5": ["台積電股份有限公司", "鴻海精密工業", "聯發科技"],
    "cp949": ["삼성전자", "현대자동차", "네이버"],
}


def listed(names: list[str], end: str = "\r\n") -> str:
    rows = (f"{name};acme{place}.com" for place, name in enumerate(names))
    return end.join(["company_name;domain", *rows, ""])


@pytest.mark.parametrize("encoding", NAMES)
@pytest.mark.parametrize("times", [1, 5, 100])
def test_another_script_is_told_from_a_few_names(encoding: str, times: int) -> None:
    text = listed(NAMES[encoding] * times)
    assert decode(text.encode(encoding))[0] == text


def test_western_names_are_never_taken_for_another_script() -> None:
    """Drawn from 72 real names beyond ASCII, one to forty a list."""
    frame = pd.read_csv(
        shared("accounts/accounts_real_5k.csv"), dtype=str, na_filter=False
    )
    names = []
    for name in frame["company_name"]:
        try:
            encoded = name.encode("cp1252")
        except UnicodeEncodeError:
            continue
        if not encoded.isascii():
            names.append(name)
    assert len(names) == 72
    chance = random.Random(5)
    for count in (1, 2, 3, 5, 10, 20, 40):
        for _ in range(30):
            text = listed(chance.sample(names, count))
            assert decode(text.encode("cp1252")) == (text, "Windows-1252")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (codecs.BOM_UTF8 + "é".encode(), "UTF-8"),
        ("é".encode(), "UTF-8"),
        ("é".encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "UTF-16"),
        (codecs.BOM_UTF32_LE + "é".encode("utf-32-le"), "UTF-32"),
        ("name;é".encode("utf-16-le"), "UTF-16"),
        ("name;é\u4e2d".encode("utf-16-be"), "UTF-16"),
        (b"\xe9", "Windows-1252"),
        (b"\x81\xe9", "Latin-1"),
    ],
)
def test_what_is_certain_comes_first(content: bytes, name: str) -> None:
    text, found = decode(content)
    assert "é" in text
    assert text[0] != "\ufeff"
    assert found == name


def test_old_macs_letters_are_read_where_their_line_ends_are() -> None:
    text = listed(["Müller", "Société Générale", "Ömer"], end="\r")
    assert decode(text.encode("mac_roman")) == (text, "Mac Roman")
    assert decode(text.encode("cp1252")) == (text, "Windows-1252")


def test_a_line_of_another_encoding_does_not_spoil_the_others() -> None:
    lines = ["Société;é", "Müller;ü", "Ørsted;ø"]
    content = b"\n".join(
        [lines[0].encode(), lines[1].encode("cp1252"), lines[2].encode()]
    )
    assert decode(content) == ("\n".join(lines), "UTF-8 with lines in Windows-1252")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"company\nAc\0me\n", "there is a NUL at line 2"),
        (b"company\n\xe9\0\n", "there is a NUL at line 2"),
        (codecs.BOM_UTF16_LE + b"abc", "it says that it is UTF-16, but byte 5"),
        (codecs.BOM_UTF8 + b"\xe9\n", "it says that it is UTF-8, but byte"),
        (b"a\xe9\x01\x02", "not UTF-8 at line 1 (byte 2 of the file)"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"PAR1", "this is a Parquet file"),
        (b" \n<!DOCTYPE html><table>", "this is a web page or XML"),
        (b'<?xml version="1.0"?><Workbook>', "this is a web page or XML"),
    ],
)
def test_what_is_no_text_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(AccountsError) as caught:
        decode(content)
    assert message in str(caught.value)


def test_any_bytes_are_text_or_one_clear_error() -> None:
    chance = random.Random(2)
    told = 0
    for _ in range(300):
        content = chance.randbytes(chance.randrange(1, 60))
        try:
            text, _ = decode(content)
        except AccountsError:
            continue
        told += 1
        text.encode()
        assert "\0" not in text
    assert told
