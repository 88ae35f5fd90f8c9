"""Bytes in, text out, with the name of the encoding.

What is certain comes first: a byte order mark, then strict UTF-8 (text in another
encoding is almost never valid UTF-8), then UTF-16 that shows itself by its zeros. The
rest is of the Windows-1252 family. Detectors guess badly on a few names, so another
family is believed only when charset-normalizer finds another script in enough text.
"""

from __future__ import annotations

import codecs
import re

from sdr_kit.errors import AccountsError

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# What is no text at all, and what to do with it.
_NO_TEXT = {
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"BZh": "a bzip2 archive; unpack it",
    b"\xfd7zXZ": "an xz archive; unpack it",
    b"7z\xbc\xaf": "a 7-Zip archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"PAR1": "a Parquet file; read it with pandas and give the DataFrame",
    b"SQLite format 3\0": "a database; export the table as CSV",
    b"%PDF": "a PDF; ask for the list as CSV or Excel",
    b"\x89PNG": "a picture; ask for the list as CSV or Excel",
    b"\xff\xd8\xff": "a picture; ask for the list as CSV or Excel",
}
_MARKUP = re.compile(r"\s*<(?:!doctype|html|table|\?xml|head|body|meta)\b", re.I)
_CONTROL = re.compile("[\0-\x08\x0e-\x19\x1b-\x1f]")

_BEYOND = re.compile(rb"[\x80-\xff]+")
_UTF8 = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)

# What Polish letters in a word are when they are read as Windows-1252.
_POLISH = re.compile(
    "(?<=[a-z\u00f3])[\u00b9\u00b3\u00bf]|[\u00a3\u00af](?=[a-z\u00f3])"
)
MIN_POLISH = 3

# Charsets of single countries that a spreadsheet there still writes.
_FAMILIES = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp932",
    "gb18030",
    "big5",
    "cp949",
)
_NAMES = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp932": "Shift JIS",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "cp949": "EUC-KR",
    "mac_roman": "Mac Roman",
    "latin-1": "Latin-1",
}
# Below this many bytes beyond ASCII a detector mistakes "Müller" for Czech.
MIN_EVIDENCE = 12
MAX_EVIDENCE = 65_536  # bytes that are enough to tell
AS_UTF8 = "save it as CSV UTF-8 and load that"


def decode(content: bytes) -> tuple[str, str]:
    """Gives the text of a file and the name of its encoding.

    Raises:
        AccountsError: It is no text, or not in an encoding that can be told.
    """
    for magic, what in _NO_TEXT.items():
        if content.startswith(magic):
            raise AccountsError(f"this is {what}")
    text, name = _read(content)
    if _MARKUP.match(text):
        raise AccountsError(
            "this is a web page or XML, not a table, whatever its name says; open it "
            "in a spreadsheet and save it as .xlsx or CSV UTF-8"
        )
    return check_text(text), name


def _read(content: bytes) -> tuple[str, str]:
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            return _strict(content, codec, name), name
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _read_without_mark(content, error)
    codec16 = _utf16_by_zeros(content) if "\0" in text else None
    return (
        (_strict(content, codec16, "UTF-16"), "UTF-16") if codec16 else (text, "UTF-8")
    )


def _read_without_mark(content: bytes, not_utf8: UnicodeDecodeError) -> tuple[str, str]:
    codec = _utf16_by_zeros(content)
    if codec:
        return _strict(content, codec, "UTF-16"), "UTF-16"
    if _mostly_utf8(content):
        return _by_line(content), "UTF-8 with lines in Windows-1252"
    try:
        codec = _family(content)
        text = content.decode(codec)
    except UnicodeDecodeError:
        # The five bytes that Windows-1252 leaves open are controls in Latin-1.
        text, codec = content.decode("latin-1"), "latin-1"
    if "\0" not in text and len(_CONTROL.findall(text)) * 100 > len(text):
        at = not_utf8.start
        line = len(content[: at + 1].splitlines())
        raise AccountsError(
            f"a binary file, not text: not UTF-8 at line {line:,} (byte {at + 1:,} of "
            f"the file) and full of control characters; {AS_UTF8}"
        ) from not_utf8
    return text, _NAMES[codec]


def _strict(content: bytes, codec: str, name: str) -> str:
    try:
        return content.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise AccountsError(
            f"it says that it is {name}, but byte {error.start + 1:,} of the file is "
            f"not ({error.reason}); {AS_UTF8}"
        ) from error


def _utf16_by_zeros(content: bytes) -> str | None:
    """Recognises UTF-16 without a mark: ASCII in it has a zero beside each byte."""
    even, odd = content[::2].count(0), content[1::2].count(0)
    head = content[:4]
    if len(content) < 4 or len(content) % 2 or (even and odd):
        return None
    if odd and head[1] == head[3] == 0:
        return "utf-16-le"
    return "utf-16-be" if even and head[0] == head[2] == 0 else None


def _mostly_utf8(content: bytes) -> bool:
    """Says whether some lines of another encoding were put into UTF-8."""
    characters = _UTF8.findall(content)
    beyond = sum(map(len, _BEYOND.findall(content)))
    strays = beyond - sum(map(len, characters))
    return len(characters) > strays


def _by_line(content: bytes) -> str:
    lines: list[str] = []
    for line in content.splitlines(keepends=True):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(line.decode("cp1252", "replace"))
    return "".join(lines)


def _family(content: bytes) -> str:
    """Chooses between the encodings that any bytes could be."""
    lines = [line for line in content.splitlines() if not line.isascii()]
    evidence = b"\n".join(lines)[:MAX_EVIDENCE]
    beyond = [byte for byte in evidence if byte >= 0x80]
    if b"\r" in content and b"\n" not in content and _mac(beyond):
        return "mac_roman"
    polish = len(_POLISH.findall(evidence.decode("latin-1")))
    if polish >= MIN_POLISH and polish * 10 > len(beyond):
        return "cp1250"
    if len(beyond) < MIN_EVIDENCE:
        return "cp1252"
    from charset_normalizer import from_bytes

    matches = from_bytes(evidence, cp_isolation=list(_FAMILIES))
    chaos = {match.encoding: match.chaos for match in matches}
    best = matches.best()
    if best is None:
        return "cp1252"
    # Central European and Western texts share most letters: both look well in either.
    if best.encoding == "cp1250" and chaos.get("cp1252", 0) <= chaos["cp1250"]:
        return "cp1252"
    return best.encoding


def _mac(beyond: list[int]) -> bool:
    """Says whether letters beyond ASCII lie where old Macs had them."""
    return sum(byte < 0xA0 for byte in beyond) * 2 > len(beyond)


def check_text(text: str) -> str:
    """Gives the text back when every character can be kept.

    Raises:
        AccountsError: There is a NUL or half a character in it.
    """
    at = text.find("\0")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise AccountsError(
            f"a binary file, not text: there is a NUL at line {line:,}; {AS_UTF8}"
        )
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:  # a file opened with "surrogateescape"
        raise AccountsError(
            f"character {error.start + 1:,} is half of one; open the file in binary "
            "mode, or with its encoding"
        ) from error
    return text
