"""What a run would cost before it begins, from what is stored of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass

from sdr_kit.accounts import Accounts
from sdr_kit.estimate import Estimate
from sdr_kit.fingerprint import fingerprint_of, provider_of, terms_of
from sdr_kit.planned import Terms, maybe_estimate
from sdr_kit.request import maybe_since
from sdr_kit.settings import Concurrency, Settings
from sdr_kit.store import AnyStore
from sdr_kit.worker import Researcher

KNOWN = 200  # earlier accounts that an estimate is drawn from


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """What a run need not pay for.

    Attributes:
        accounts: How many of the list are stored and fresh.
        saved_usd: What they cost, where it is known.
    """

    accounts: int
    saved_usd: float


def fresh(
    accounts: Accounts, researcher: Researcher, *, store: AnyStore, settings: Settings
) -> Fresh:
    """Says how much of a list is stored and would be reused."""
    fingerprint = fingerprint_of(researcher)
    since = maybe_since(researcher, settings)
    if fingerprint is None or since is None:
        return Fresh(accounts=0, saved_usd=0.0)
    found = store.fresh(accounts.keys, fingerprint=fingerprint, since=since)
    known = [key for key in accounts.keys if key in found]
    return Fresh(accounts=len(known), saved_usd=sum(found[key] or 0.0 for key in known))


def maybe_forecast(
    researcher: Researcher,
    *,
    store: AnyStore,
    accounts: int,
    concurrency: Concurrency,
    settings: Settings,
) -> Estimate | None:
    """Estimates what asking a researcher will take, from what it took before.

    None when it has not answered anybody yet, at these prices: failures alone say
    nothing of what answers cost.

    Args:
        researcher: Who would be asked.
        store: Where it was asked before.
        accounts: How many it would be asked about.
        concurrency: How many at once, or `"auto"`.
        settings: The gap between two starts, and the most that auto may try.
    """
    terms = terms_of(researcher)
    known = store.latest(terms, limit=KNOWN) if terms else []
    if not any(each.status == "completed" for each in known):
        return None
    return maybe_estimate(
        known,
        accounts=accounts,
        concurrency=concurrency,
        terms=Terms(settings=settings, learned=store.learned(provider_of(researcher))),
    )
