"""Which internet domain belongs to a company, read from what a cell says.

A cell of a CRM holds anything: a bare domain, a URL with a path, an e-mail address,
two of them, a LinkedIn page, a free mailbox, a word. What identifies a company is
the *registrable* domain: the part someone registered (`acme.co.uk`), in lower case
and punycode. Suffixes come from the Public Suffix List that tldextract bundles: no
network, no cache folder. The list's private part counts, since `foo.myshopify.com`
and `bar.myshopify.com` are two companies; the operator's own name (`webflow.io`)
stands for the operator.

A profile page, a store listing or a free mailbox says nothing about its user, so its
domain is kept from every account but the provider's own.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

MAX_CHARACTERS = 2_048  # of a cell that are looked at; browsers bound a URL near this
MAX_ADDRESSES = 8  # in one cell
MAX_HOST = 253  # RFC 1035, section 2.3.4, as text
CACHE_SIZE = 32_768  # cells; below 10 MB when they are ordinary URLs
MIN_DISTINCTIVE = 5  # letters of a label that a name may merely start with: not "x"

NOT_AN_ADDRESS = "not a web address"
IP_ADDRESS = "an IP address, not a domain"
MAIL_PROVIDER = "{} is a mail provider, not the company's own domain"
SHARED_PAGES = "{} holds other people's pages, not the company's own site"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Free mailboxes. Brands with a domain in every country are known by their label.
_MAIL_LABELS = _words(
    "gmail googlemail hotmail yahoo ymail rocketmail gmx protonmail tutanota"
)
_MAIL_DOMAINS = _words(
    """
    126.com 139.com 163.com aim.com aliyun.com aol.com att.net bellsouth.net
    bigpond.com bk.ru bluewin.ch btinternet.com comcast.net cox.net daum.net
    fastmail.com fastmail.fm foxmail.com free.fr freenet.de hanmail.net hey.com
    hushmail.com icloud.com inbox.com inbox.ru laposte.net libero.it list.ru
    live.be live.ca live.co.uk live.com live.de live.fr live.in live.it live.nl
    mac.com mail.com mail.ru me.com msn.com naver.com ntlworld.com o2.pl orange.fr
    outlook.com outlook.com.br outlook.de outlook.es outlook.fr outlook.it pm.me
    proton.me qq.com rediffmail.com sbcglobal.net seznam.cz sina.com sky.com
    t-online.de tuta.com tuta.io ukr.net verizon.net virgilio.it wanadoo.fr web.de
    wp.pl ya.ru yahoomail.com yandex.com yandex.ru yeah.net zoho.com zohomail.com
    """
)
# Places where anyone has a page: networks, directories, code hosts, short links.
_PAGE_DOMAINS = _words(
    """
    about.me angel.co apkpure.com bandcamp.com behance.net bit.ly bitbucket.org
    capterra.com clutch.co crunchbase.com discord.com discord.gg dribbble.com
    etsy.com eventbrite.com facebook.com fb.com fb.me flickr.com g.page g2.com
    github.com gitlab.com glassdoor.com gofundme.com goo.gl indeed.com
    indiegogo.com instagram.com kickstarter.com linkedin.com linktr.ee lnkd.in
    medium.com meetup.com patreon.com pinterest.com pitchbook.com producthunt.com
    quora.com reddit.com slideshare.net snapchat.com soundcloud.com t.co t.me
    telegram.me threads.net tiktok.com tinyurl.com tripadvisor.com trustpilot.com
    twitch.tv twitter.com vimeo.com vk.com wa.me weibo.com wellfound.com
    wikipedia.org x.com xing.com yelp.com youtu.be youtube.com zoominfo.com
    """
)
# Pages of a domain that is otherwise an ordinary company's: google.com is Google's.
_PAGE_PLACES = _words(
    """
    apps.apple.com itunes.apple.com apps.microsoft.com business.google.com
    chrome.google.com chromewebstore.google.com docs.google.com drive.google.com
    google.com/maps google.com/search google.com/url maps.google.com
    play.google.com plus.google.com sites.google.com web.archive.org
    ycombinator.com/companies
    """
)
# Hosts whose customers have a name below theirs and which are missing from the list.
_HOSTING_SUFFIXES = (
    "business.site",
    "squarespace.com",
    "substack.com",
    "tumblr.com",
    "weebly.com",
    "wordpress.com",
)

_BETWEEN_ADDRESSES = re.compile(r"[\s,;|]+")
_WRAPPING = "\"'`<>()[]{}«»“”„\u2018\u2019"
_SCHEME = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?[/\\]{2,}|https?:?[/\\]+|(?:https?|ftp|mailto):", re.I
)
_END_OF_HOST = re.compile(r"[/\\?#]")
_PORT = re.compile(r":\d*$")
_ASCII_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDomain:
    """What a cell says about a company's domain.

    Attributes:
        domain: The registrable domain in lower case and punycode, or None.
        reason: Why `domain` is None, in plain words; None for a blank cell.
        provider: The registrable domain of the network or mail provider that the
            cell names; it is a domain for that provider's own account only.
        front_page: The provider was named without a page, a mailbox or a subdomain.
    """

    domain: str | None = None
    reason: str | None = None
    provider: str | None = None
    front_page: bool = False

    def domain_for(self, name_key: str) -> str | None:
        """Gives the domain for the company of this name, or None.

        Args:
            name_key: The name in lower case without spaces, punctuation and legal
                form. Equal to the provider's label (`linkedin`), it is the
                provider's own account; a longer name (`linkedinireland`) is too
                when the cell is the front page of a network.
        """
        if self.provider is None:
            return self.domain
        label = self.provider.partition(".")[0].replace("-", "")
        whole = self.provider.replace(".", "").replace("-", "")
        longer = self.front_page and len(label) >= MIN_DISTINCTIVE
        own = name_key in (label, whole) or (longer and name_key.startswith(label))
        return self.provider if own else None


def clean_domain(text: str) -> FoundDomain:
    """Finds the company's registrable domain in a cell.

    Understands bare domains, URLs (userinfo, port, path, trailing dots), e-mail
    addresses, names in any script, surrounding quotes, and several of these in one
    cell: the first that can be a company's own counts. Nothing is looked up.

    Args:
        text: The cell as it came; what is past 2,048 characters is not read.
    """
    return _find(text[:MAX_CHARACTERS])


@functools.lru_cache(maxsize=CACHE_SIZE)
def _find(text: str) -> FoundDomain:
    parts = [part for part in _BETWEEN_ADDRESSES.split(text) if part]
    findings = [_read(part) for part in parts[:MAX_ADDRESSES]]
    ranked = sorted(findings, key=lambda found: (not found.domain, not found.provider))
    return ranked[0] if ranked else FoundDomain()


def _read(address: str) -> FoundDomain:
    address = address.strip(_WRAPPING)
    if scheme := _SCHEME.match(address):
        address = address[scheme.end() :]
    location, *rest = _END_OF_HOST.split(address, maxsplit=1)
    user, _, host = location.rpartition("@")
    if _is_ip_address(host):
        return FoundDomain(reason=IP_ADDRESS)
    host = _ascii_host(_PORT.sub("", host).strip(_WRAPPING + "."))
    domain = _registrable(host)
    if domain is None:
        return FoundDomain(reason=NOT_AN_ADDRESS)
    page = rest[0] if rest else ""
    if domain in _MAIL_DOMAINS or domain.partition(".")[0] in _MAIL_LABELS:
        return FoundDomain(provider=domain, reason=MAIL_PROVIDER.format(domain))
    if place := _shared_place(domain, host, page):
        front = host == domain and not user and not page
        reason = SHARED_PAGES.format(place)
        return FoundDomain(provider=domain, reason=reason, front_page=front)
    return FoundDomain(domain=domain)


def _is_ip_address(host: str) -> bool:
    if not (":" in host or host[-1:].isdigit()):
        return False  # almost every cell; parsing costs more than all the rest
    return any(_parses_as_ip(text.strip("[]")) for text in (host, _PORT.sub("", host)))


def _parses_as_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ascii_host(host: str) -> str:
    """Gives the host in lower case and punycode without `www.`; `""` for no host."""
    if len(host) > MAX_HOST:
        return ""
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:  # idna's own errors are UnicodeErrors
            return ""
    host = host.lower().removeprefix("www.")
    return host if len(host) <= MAX_HOST and _ASCII_HOST.fullmatch(host) else ""


def _registrable(host: str) -> str | None:
    customers, operators = _extractors()
    found = customers.extract_str(host)
    if not found.domain:  # a host's own name, such as webflow.io, or a bare suffix
        found = operators.extract_str(host)
    usable = found.domain and found.suffix and "_" not in found.domain
    return f"{found.domain}.{found.suffix}" if usable else None


@functools.cache
def _extractors() -> tuple[TLDExtract, TLDExtract]:
    """Makes the two readers of the suffix list: with private suffixes and without.

    On first use, because importing tldextract takes about 0.2 s.
    """
    from tldextract import TLDExtract

    customers = TLDExtract(
        suffix_list_urls=(),
        cache_dir=None,
        include_psl_private_domains=True,
        extra_suffixes=_HOSTING_SUFFIXES,
    )
    return customers, TLDExtract(suffix_list_urls=(), cache_dir=None)


def _shared_place(domain: str, host: str, page: str) -> str | None:
    """Gives the network, store or directory that the address is a page of, or None."""
    section = f"{host}/{_END_OF_HOST.split(page, maxsplit=1)[0]}"
    if domain in _PAGE_DOMAINS:
        return domain
    return next((place for place in (host, section) if place in _PAGE_PLACES), None)
