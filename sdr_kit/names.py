"""What two spellings of one company's name have in common."""

from __future__ import annotations

import re
import unicodedata

from cleanco import basename
from cleanco.clean import prepare_default_terms, strip_tail
from cleanco.non_nfkd_map import NON_NFKD_MAP

_NO_ASCII_LETTER = re.compile(r"[^a-z0-9]+")
_TRADE_MARK = re.compile("[\u2122\u2120\u00ae\u00a9]")  # NFKD would make TM letters
_PLAIN_LETTERS = str.maketrans({key: str(to) for key, to in NON_NFKD_MAP.items()})


def name_key(company_name: str) -> str:
    """Gives what two spellings of one company's name have in common.

    Case, spaces, punctuation, accents and the legal form at the end are left out:
    `Société Générale S.A.` and `SOCIETE GENERALE` are both `societegenerale`. A name
    that is nothing but these is its own key. For comparing only, not for showing.
    """
    words = strip_tail(company_name).split()
    # basename tries every legal form; most names end in none, which one look tells.
    formal = words and _letters(words[-1]) in _LEGAL_ENDINGS
    bare = basename(company_name) if formal else company_name
    return _letters(bare) or _letters(company_name) or company_name


def account_key(company_name: str, domain: str | None) -> str:
    """Gives what identifies a company from one list to the next: domain and name.

    What a person has said about an account is kept under this key.
    """
    return f"{domain or ''}/{name_key(company_name)}"


def _letters(text: str) -> str:
    """Leaves letters and digits, in lower case and without accents."""
    if text.isascii():
        return _NO_ASCII_LETTER.sub("", text.lower())
    text = _TRADE_MARK.sub("", text.translate(_PLAIN_LETTERS).casefold())
    return "".join(
        char
        for char in unicodedata.normalize("NFKD", text)
        # Marks outside the Latin accents are part of a word (Thai, Hindi, Japanese).
        if unicodedata.category(char)[0] in "LNM" and not "\u0300" <= char <= "\u036f"
    )


_LEGAL_ENDINGS = {_letters(words[-1]) for _, words in prepare_default_terms()}
