"""Which column of a list is the company, its domain, its industry and its owner.

CRMs name the same things differently. Each of our four columns has a list of labels
that mean it, best first: where a list has several ("Domain" and "Website"), the first
is the column and the next ones fill its blanks, row by row. Some labels mean it only
when nothing better is there: a bare "Name" may be a person's, an owner's id is no
name, and "Customer" is often a yes or no. Labels are compared by their letters and
digits: case, accents, spaces and punctuation are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

NAME, DOMAIN, INDUSTRY, OWNER = COLUMNS = (
    "company_name",
    "domain",
    "industry",
    "owner",
)

SHARED = "shared_domain"  # the flag that stands beside them

# Salesforce puts about ten lines of filters above a formatted report's header.
HEADER_WITHIN = 50  # records that are looked at
MAX_TITLE = 3  # lines above a list of one column


def _labels(text: str) -> tuple[str, ...]:
    return tuple(label_key(line) for line in text.split(",") if line.strip())


_NO_LABEL = re.compile(r"[^\w;|\t,]|_")  # a label with a delimiter in it is several


def label_key(label: str) -> str:
    """Gives what two spellings of one label have in common."""
    if label.isascii():
        return _NO_LABEL.sub("", label.lower())
    letters = unicodedata.normalize("NFKD", label.casefold())
    return _NO_LABEL.sub(
        "", "".join(char for char in letters if not unicodedata.combining(char))
    )


# Two owners of one account, one a product: both stay columns of the source.
TEAM_OWNERS = _labels("auth0_account_owner, okta_account_owner")

# English first, as the exports have it; then German, French, Spanish, Portuguese,
# Italian, Dutch, Scandinavian and Polish.
_MEANING = {
    NAME: _labels(
        """
        company name, account name, company, company/account, organization name,
        organisation name, organization, organisation, organization - name,
        company name for emails, account.name, account: account name,
        associated company, primary associated company, deal - organization,
        person - organization, employer, business name, legal entity name,
        current company, company legal name,
        Firmenname, Firma, Unternehmensname, Unternehmen, Name des Unternehmens,
        Accountname, Organisationsname, Kundenname, Gesellschaft,
        Nom de l'entreprise, Nom de la société, Raison sociale, Nom du compte,
        Entreprise, Société, Organisation - Nom,
        Nombre de la empresa, Nombre de empresa, Nombre de la cuenta, Razón social,
        Empresa, Compañía, Nome da empresa, Nome da conta, Razão social,
        Nome azienda, Nome dell'azienda, Ragione sociale, Azienda, Società,
        Bedrijfsnaam, Bedrijf, Företagsnamn, Företag, Virksomhed, Nazwa firmy,
        client name, customer name
        """
    ),
    DOMAIN: _labels(
        """
        domain, company domain name, company domain, domain name, primary domain,
        organization - domain, account domain, website domain, email domain,
        company email domain,
        website, company website, website url, company website url, account website,
        organization - website, web site, website address, homepage, home page,
        homepage url, company url, organization website, account: website,
        account.website,
        Webseite, Website-URL, Internetseite, Internetadresse, Domäne, Domaine,
        Unternehmensdomain, Unternehmens-Domainname, Unternehmenswebsite, Firmendomain,
        Internet,
        Nom de domaine, Nom de domaine de l'entreprise, Site web, Site internet,
        URL du site web, Sitio web, Página web, Dominio, Nombre de dominio,
        Domínio, Sito web, Sito
        """
    ),
    INDUSTRY: _labels(
        """
        industry, primary industry, company industry, industries, industry name,
        account industry, organization - industry, account: industry,
        account.industry, industry sector, sector, vertical,
        Branche, Industrie, Wirtschaftszweig, Sektor, Secteur d'activité, Secteur,
        Industria, Setor, Settore, Bransch, Branża
        """
    ),
    OWNER: (
        *_labels(
            """
            account owner, company owner, owner name, owner.name, owner full name,
            owner: full name, owner, record owner, organization owner,
            organization - owner, account owner name, account: account owner,
            account.owner.name, account owner: full name, sales owner,
            account executive, account manager, sales rep, assigned to,
            Account-Inhaber, Inhaber, Unternehmensinhaber, Besitzer, Eigentümer,
            Zuständiger Mitarbeiter für Unternehmen, Zuständig, Kundenbetreuer,
            Propriétaire du compte, Propriétaire de l'entreprise, Propriétaire,
            Propietario de la cuenta, Propietario de la empresa, Propietario,
            Proprietário, Proprietario, Eigenaar, Ägare
            """
        ),
        *TEAM_OWNERS,
    ),
}
_ONLY_WITHOUT_BETTER = {
    NAME: _labels("name, Nom, Nombre, Nome, Naam, Namn, Nazwa, legal name"),
    # Salesforce's "Site" is a place ("HQ Berlin"), other people's their website.
    DOMAIN: _labels("site, url, web, www, link"),
    INDUSTRY: _labels("sub industry, industry group"),
    OWNER: _labels("owner alias, account owner alias, owner email, owner id"),
}
# Words that are as often a yes or no, or an id, as a name.
_ONLY_WITHOUT_ANY = {NAME: _labels("account, client, customer, Kunde")}
_TIERS = (_MEANING, _ONLY_WITHOUT_BETTER, _ONLY_WITHOUT_ANY)
_SURE, _BARE, _LAST = range(len(_TIERS))

_OF_A_PERSON = frozenset(
    _labels(
        """
        first name, last name, surname, given name, family name, Vorname, Nachname,
        Prénom, Nom de famille, Nombre de pila, Apellido, Apellidos, Cognome,
        Achternaam, job title, title, salutation, Anrede, contact owner, contact id,
        contact record type, lead owner, lead source, lead status, lead id, seniority,
        job role
        """
    )
)
# Beside a website it may be the company's.
_OF_A_PERSON_ALONE = frozenset(
    _labels("email, e-mail, email address, e-mail address, work email")
)

_FLAGS = frozenset(
    (
        "yes",
        "no",
        "true",
        "false",
        "y",
        "n",
        "x",
        "ja",
        "nein",
        "oui",
        "non",
        "si",
        "sí",
    )
)
# A number; a record's id in Salesforce (15 or 18 characters) or a UUID.
_ID = re.compile(
    r"[\d.,]+|(?=\D*\d)[a-z0-9]{15}(?:[a-z0-9]{3})?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meaning:
    column: str
    tier: int
    rank: int


def _meanings() -> dict[str, _Meaning]:
    found: dict[str, _Meaning] = {}
    for tier, table in enumerate(_TIERS):
        for column, keys in table.items():
            for rank, key in enumerate(keys):
                same = _Meaning(column=column, tier=tier, rank=rank)
                found.setdefault(key, same)
    return found


_KNOWN = _meanings()


def recognise(
    header: Sequence[str],
    chosen: Mapping[str, str] | None = None,
    *,
    no_names: Collection[int] = (),
) -> dict[str, list[int]]:
    """Finds the columns that are ours: each with its places in the header, best first.

    Args:
        header: The labels of a list.
        chosen: What a person says: our column to the label of the source.
        no_names: Places whose cells are `no_names`: the company only without another.
    """
    keys = [label_key(label) for label in header]
    taken = dict(_chosen_places(header, keys, chosen or {}))
    found: dict[str, list[tuple[int, int, int]]] = {}
    for place, key in enumerate(keys):
        meaning = _KNOWN.get(key)
        if meaning and meaning.column not in taken and place not in taken.values():
            rank = (meaning.tier, meaning.rank, place)
            found.setdefault(meaning.column, []).append(rank)
    if NAME in found:
        found[NAME] = _names(found[NAME], keys, no_names, alone=DOMAIN not in found)
    places = {column: [place] for column, place in taken.items()}
    for column, ranks in found.items():
        best = min((tier for tier, _, _ in ranks), default=None)
        places[column] = [place for tier, _, place in sorted(ranks) if tier == best]
    return {column: places[column] for column in COLUMNS if places.get(column)}


def _names(
    ranks: list[tuple[int, int, int]],
    keys: Sequence[str],
    no_names: Collection[int],
    *,
    alone: bool,
) -> list[tuple[int, int, int]]:
    """Leaves out what is a person's name, a flag or an id."""
    person = not _OF_A_PERSON.isdisjoint(keys)
    person = person or (alone and not _OF_A_PERSON_ALONE.isdisjoint(keys))
    left = [rank for rank in ranks if not (person and rank[0] == _BARE)]
    names = [rank for rank in left if rank[2] not in no_names]
    return names or [rank for rank in left if rank[0] != _LAST]


def may_name(label: str) -> bool:
    """Says whether a label can be the company's."""
    meaning = _KNOWN.get(label_key(label))
    return meaning is not None and meaning.column == NAME


def no_names(cells: Iterable[str]) -> bool:
    """Says whether cells are flags or ids and no names: `Yes`, `0`, `0013000000Abcde`.

    Blank ones do not count; without any other it is False.
    """
    filled = (text for cell in cells if (text := cell.strip()))
    first = next(filled, None)
    return first is not None and all(map(_no_name, chain([first], filled)))


def _no_name(text: str) -> bool:
    return text.casefold() in _FLAGS or _ID.fullmatch(text) is not None


def _chosen_places(
    header: Sequence[str], keys: list[str], chosen: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """Finds the labels as they are written, or else by their letters."""
    for column, label in chosen.items():
        if label in header:
            yield column, list(header).index(label)
        elif (key := label_key(label)) in keys:
            yield column, keys.index(key)


def missing_labels(header: Sequence[str], chosen: Mapping[str, str]) -> list[str]:
    """Gives the columns whose chosen label is not in a header."""
    there = dict(_chosen_places(header, list(map(label_key, header)), chosen))
    return [column for column in chosen if column not in there]


def find_header(
    records: Sequence[Sequence[str]], chosen: Mapping[str, str] | None = None
) -> tuple[int, int] | None:
    """Finds the record that names the columns, and how many of ours it names.

    It is the first that names the company, unless a later one, below some lines of
    a title, names more of ours and has more cells. One of both is enough where the
    later one names the company beyond doubt ("Account Name"): above it may stand
    groups of columns, or a filter. With labels that a person chose, it has them all. A
    row that names the company alone, below others that are as wide, is data: a company
    may be called "Client".

    Returns:
        Its position and how many of ours it names, or None.
    """
    best: tuple[int, int] | None = None
    filled = 0
    for position, cells in enumerate(records[:HEADER_WITHIN]):
        ours = recognise(cells, chosen)
        if NAME not in ours or missing_labels(cells, chosen or {}):
            continue
        some = _filled(cells)
        if len(ours) == 1 and not _below_a_title(records[:position], some):
            continue
        if best is None or _better((len(ours), some), (best[1], filled), cells):
            best, filled = (position, len(ours)), some
    return best


def _better(one: tuple[int, int], other: tuple[int, int], cells: Sequence[str]) -> bool:
    """Compares two records by how many of ours they name and cells they have."""
    sure = any(
        may_name(cell) and _KNOWN[label_key(cell)].tier == _SURE for cell in cells
    )
    more = [mine - its for mine, its in zip(one, other, strict=True)]
    return min(more) >= 0 and sum(map(bool, more)) >= (1 if sure else 2)


def _below_a_title(above: Sequence[Sequence[str]], filled: int) -> bool:
    widest = max(map(_filled, above), default=0)
    return widest < filled or (filled == 1 and len(above) <= MAX_TITLE)


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


# By labels that no other export has together. The first that fits counts.
_EXPORTS = (
    ("Zoho", "record id, account name, account owner"),
    ("ZoomInfo", "zoominfo company id, company name"),
    ("HubSpot", "record id, company name"),
    ("HubSpot", "company domain name"),
    ("Apollo", "company, company name for emails"),
    ("Apollo", "company name, company name for emails"),
    ("Apollo", "company, account stage"),
    ("Apollo", "apollo account id"),
    ("Dynamics", "account name, (do not modify) account"),
    ("Crunchbase", "organization name, organization name url"),
    ("Pipedrive", "organization - name"),
    ("Clay", "name, domain, primary industry"),
    ("Clay", "company name, domain, primary industry"),
    ("LinkedIn", "companyname, companywebsite"),
    ("Salesforce report", "account name, account owner"),
    ("Salesforce Data Loader", "id, name, ownerid"),
    ("Salesforce Data Loader", "id, name, owner.name"),
)


def export_name(header: Sequence[str]) -> str | None:
    """Says whose export a header is, where its labels tell."""
    keys = {label_key(label) for label in header}
    return next(
        (name for name, ours in _EXPORTS if keys.issuperset(_labels(ours))), None
    )
