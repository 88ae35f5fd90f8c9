"""Where a provider is, with which key, and what it charges."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from sdr_kit.errors import SettingsError
from sdr_kit.prices import Prices
from sdr_kit.research.http import is_this_machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a provider is, and what it is known by.

    Attributes:
        prefix: Of the variables of its settings: `OPENAI`, `ANTHROPIC`.
        url: The address of its API, without a slash at the end.
        key: None where none is needed.
        model: Which model is asked.
        prices: What the model costs; None when nobody has said.
    """

    prefix: str
    url: str
    key: SecretStr | None
    model: str
    prices: Prices | None

    @property
    def host(self) -> str:
        """Host and port of the address."""
        return httpx.URL(self.url).netloc.decode("ascii")

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, which charges nothing."""
        return is_this_machine(httpx.URL(self.url).host)

    def is_at(self, host: str) -> bool:
        """Whether it is at this host or a subdomain of it."""
        return _is_at(self.url, host)


def endpoint(
    *,
    prefix: str,
    url: str,
    key: str | None,
    from_settings: SecretStr | None,
    needs_key: str,
    model: str,
    prices: str | None,
) -> Endpoint:
    """Checks where a provider is and with which key.

    Args:
        prefix: Of the variables of its settings.
        url: The address of its API.
        key: What the caller passed.
        from_settings: What the settings say otherwise.
        needs_key: The host, with its subdomains, that answers nobody without a key.
        model: Which model is asked.
        prices: As in the settings, or None.

    Raises:
        SettingsError: There is no key, or it cannot be one; or the address is not an
            http(s) address without a password in it; or the prices cannot be read.
    """
    address = _checked_url(url, prefix)
    required = _is_at(address, needs_key)
    try:
        read = None if prices is None else Prices.parse(prices)
    except ValueError as error:
        raise SettingsError(f"{prefix}_PRICES: {error}") from None
    if key is None and from_settings is not None:
        key = from_settings.get_secret_value()
    return Endpoint(
        prefix=prefix,
        url=address,
        key=_checked_key((key or "").strip(), prefix, required=required),
        model=model,
        prices=read,
    )


def _checked_key(key: str, prefix: str, *, required: bool) -> SecretStr | None:
    if not key and not required:
        return None
    if not key:
        raise SettingsError(
            f"{prefix}_API_KEY is not set: put it into .env or the environment, or "
            "pass api_key=; the sandbox needs none"
        )
    # The value is not shown: most of it may be the key.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            f"{prefix}_API_KEY has characters that no key has (a space, a line break, "
            "an accented letter); copy it again"
        )
    return SecretStr(key)


def _checked_url(base_url: str, prefix: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.userinfo:
        raise SettingsError(
            f"{prefix}_BASE_URL holds a user or password; keys go into {prefix}_API_KEY"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError(
            f"{prefix}_BASE_URL={base_url!r}: must be an http:// or https:// address"
        )
    return base_url.rstrip("/")


def _is_at(url: str, host: str) -> bool:
    found = httpx.URL(url).host
    return found == host or found.endswith(f".{host}")
