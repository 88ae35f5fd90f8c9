"""Which rows of a list are one company, and which only stand on one domain.

A row repeats another that stays when it has

* the same domain and the same name, or one that a slip of the keyboard makes of it
  (`names.alike`; legal forms aside). The first stays. A name that is the domain itself
  (`Booking.com`) is its label (`Booking`);
* no domain and the same name: as the first row that has a domain, wherever it stands,
  or else as the first without one. So a row with a domain never gives way to one that
  has none, and the order of a list does not change what is left of it.

Everything else stays: other names on one domain (a wrong domain stands on 14 companies
of a real list), and equal names on different domains. Only rows that stay are repeated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from sdr_kit.loading.names import ALIKE, alike, name_key, name_words

# More names than this on one domain, and it says nothing: the most in 5,000 real rows
# are 23 (funds). Beyond, only equal names repeat each other, so the cost stays linear.
MAX_COMPARED = 100

SAME = "same company and domain as"
SIMILAR = "same domain and a similar name as"
SAME_NAME = "no domain, same name as"


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """A row that repeats another: their positions, and in which way (`SAME`, ...)."""

    position: int
    of: int
    way: str


def repeats(
    names: Sequence[str], domains: Sequence[str | None], places: Iterable[int]
) -> list[Repeat]:
    """Finds the rows that repeat another one, which is always one that stays.

    Args:
        names: Clean names of all rows.
        domains: Their registrable domains.
        places: The positions of the rows that count, in order.
    """
    on_domain: dict[str, list[int]] = defaultdict(list)
    without: list[int] = []
    for place in places:
        domain = domains[place]
        (without if domain is None else on_domain[domain]).append(place)
    found: list[Repeat] = []
    staying: list[int] = []
    for domain, together in on_domain.items():
        if len(together) == 1:
            staying.extend(together)
            continue
        same = list(_on_one_domain(names, domain, together))
        found.extend(same)
        gone = {repeat.position for repeat in same}
        staying.extend(place for place in together if place not in gone)
    found.extend(_by_name(names, without, sorted(staying)))
    return sorted(found, key=lambda repeat: repeat.position)


def _on_one_domain(
    names: Sequence[str], domain: str, places: list[int]
) -> Iterator[Repeat]:
    whole, label = domain.replace(".", "").replace("-", ""), domain.partition(".")[0]
    first: dict[str, int] = {}
    compared: dict[int, str] = {}
    words: dict[int, tuple[str, ...]] = {}
    for place in places:
        key = name_key(names[place])
        key = label.replace("-", "") if key == whole else key
        of = first.setdefault(key, place)
        if of != place:
            yield Repeat(position=place, of=of, way=SAME)
            continue
        own = name_words(names[place])
        joined = "".join(own)
        near = process.extract(
            joined,
            compared,
            scorer=OSA.normalized_similarity,
            score_cutoff=ALIKE,
            limit=None,
        )
        similar = min((at for _, _, at in near if alike(own, words[at])), default=None)
        if similar is not None:
            first[key] = similar
            yield Repeat(position=place, of=similar, way=SIMILAR)
        elif len(compared) < MAX_COMPARED:
            compared[place], words[place] = joined, own


def _by_name(
    names: Sequence[str], without: list[int], staying: list[int]
) -> Iterator[Repeat]:
    if not without:
        return  # keys of all names take most of the time of a load
    first: dict[str, int] = {}
    for place in staying:
        first.setdefault(name_key(names[place]), place)
    for place in without:
        of = first.setdefault(name_key(names[place]), place)
        if of != place:
            yield Repeat(position=place, of=of, way=SAME_NAME)


def shared_domains(domains: Iterable[str | None]) -> frozenset[str]:
    """Gives the domains that stand on more than one of these accounts."""
    counted = Counter(domains)
    return frozenset(
        domain for domain, times in counted.items() if domain and times > 1
    )
