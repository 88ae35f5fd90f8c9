"""What two spellings of one name have in common, and how alike two names are."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

from cleanco.clean import custom_basename, prepare_default_terms, strip_tail
from cleanco.non_nfkd_map import NON_NFKD_MAP
from rapidfuzz.distance import OSA

# In 5,000 real companies no two that differ on one domain come nearer than 62 % in the
# stretch where they differ (Whirlpool and Pool; most are below 40), and one slip of the
# keyboard in five letters leaves 80 %.
ALIKE = 0.8
MIN_ALIKE = 4  # letters of the shorter stretch; below, every word is near another

_NO_ASCII_LETTER = re.compile(r"[^a-z0-9]+")
_TRADE_MARK = re.compile("[\u2122\u2120\u00ae\u00a9]")  # NFKD would make TM letters
_PLAIN_LETTERS = str.maketrans({key: str(to) for key, to in NON_NFKD_MAP.items()})
_BETWEEN_WORDS = re.compile(r"[\s/,;:()\[\]&+\u2013\u2014-]+")
_NO_DIGIT = re.compile(r"\D+")
_SMALL_WORDS = frozenset(("the", "and", "und", "et", "y", "e"))

# Those that cleanco lacks: lower case, no accents, no punctuation at the end.
_MORE_TERMS = """
    aktiengesellschaft
    gesellschaft mit beschrankter haftung
    kommanditgesellschaft
    kommanditgesellschaft auf aktien
    offene handelsgesellschaft
    eingetragene genossenschaft
    europaische gesellschaft
    gmbh & co kgaa
    gmbh & co kommanditgesellschaft
    gmbh + co kg
    gmbh und co kg
    gmbh & co ohg
    ag & co kg
    ag & co kgaa
    se & co kg
    se & co kgaa
    ug & co kg
    ug (haftungsbeschrankt
    ug haftungsbeschrankt
    gemeinnutzige gmbh
    ggmbh
    mbh
    ug
    se
    societe anonyme
    societe par actions simplifiee
    societe par actions simplifiee unipersonnelle
    societe a responsabilite limitee
    societe europeenne
    societe cooperative
    sociedad anonima
    sociedad anonima de capital variable
    sociedad limitada
    sociedad de responsabilidad limitada
    sociedade anonima
    sociedade limitada
    societa per azioni
    societa a responsabilita limitata
    sa de cv
    sab de cv
    sapi de cv
    s de rl de cv
    naamloze vennootschap
    besloten vennootschap
    bv
    aktiebolag
    aktiebolag (publ
    ab (publ
    (publ
    publ
    aktieselskab
    anpartsselskab
    aksjeselskap
    allmennaksjeselskap
    osakeyhtio
    anonim sirketi
    limited sirketi
    limited liability company
    limited liability partnership
    limited partnership
    public limited company
    private limited
    private limited company
    pvt ltd
    pvt limited
    pty limited
    co ltd
    co limited
    company limited
    company inc
    corporation limited
    berhad
    sendirian berhad
    tbk
    pjsc
    psc
    ojsc
    jsc
    joint stock company
    public joint stock company
    public company limited
    pcl
    spa
    srl
    sp zoo
    sp z oo
    spolka akcyjna
    spolka z ograniczona odpowiedzialnoscia
    kabushiki kaisha
    kk
"""


def name_key(company_name: str) -> str:
    """Gives what two spellings of one company's name have in common.

    Case, spaces, punctuation, accents and the legal form at the end are left out:
    `Société Générale S.A.` and `SOCIETE GENERALE` are both `societegenerale`. A name
    that is nothing but these is its own key. For comparing only, not for showing.
    """
    bare = _without_legal_form(company_name)
    return _letters(bare) or _letters(company_name) or company_name


def account_key(company_name: str, domain: str | None) -> str:
    """Gives what identifies a company from one list to the next: domain and name.

    What a person has said about an account is kept under this key. Two rows that repeat
    each other and are both kept by hand have one key, and so one set of notes.
    """
    return f"{domain or ''}/{name_key(company_name)}"


def name_words(company_name: str) -> tuple[str, ...]:
    """Gives the words of a name without its legal form, "the" and "and"."""
    words = map(_letters, _BETWEEN_WORDS.split(_without_legal_form(company_name)))
    kept = tuple(word for word in words if word and word not in _SMALL_WORDS)
    return kept or (name_key(company_name),)


def alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Says whether two names differ by no more than a slip of the keyboard.

    Only the stretch between the words that both begin and end with is compared: long
    names of different funds share most of their words. Different numbers are different
    companies, and so are a name and the same name with a word more.

    Args:
        one: `name_words` of a name.
        other: The same of another.
    """
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    first = "".join(one[start : len(one) - end])
    second = "".join(other[start : len(other) - end])
    if first == second:
        return True
    if min(len(first), len(second)) < MIN_ALIKE:
        return False
    if _NO_DIGIT.sub(" ", first) != _NO_DIGIT.sub(" ", second):
        return False
    return OSA.normalized_similarity(first, second) >= ALIKE


@functools.lru_cache(maxsize=32_768)
def _without_legal_form(company_name: str) -> str:
    words = strip_tail(company_name).split()
    # cleanco tries every legal form; most names end in none, which one look tells.
    if not words or _letters(words[-1]) not in _LEGAL_ENDINGS:
        return company_name
    return str(custom_basename(company_name, _TERMS)) or company_name


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


def _terms() -> list[tuple[int, list[str]]]:
    """Gives every legal form as cleanco takes it: word count, words; longest first."""
    more = [line.split() for line in _MORE_TERMS.splitlines() if line.strip()]
    every = [*(words for _, words in prepare_default_terms()), *more]
    different = {" ".join(words): words for words in every}.values()
    longest_first = sorted(different, key=lambda words: (-len(words), words))
    return [(len(words), words) for words in longest_first]


_TERMS = _terms()
_LEGAL_ENDINGS = {_letters(words[-1]) for _, words in _TERMS}
