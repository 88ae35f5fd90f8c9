from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from sdr_kit.loading.domains import (
    IP_ADDRESS,
    MAX_CHARACTERS,
    NOT_AN_ADDRESS,
    FoundDomain,
    clean_domain,
)


@pytest.mark.parametrize(
    ("cell", "domain"),
    [
        ("acme.com", "acme.com"),
        ("  ACME.Com ", "acme.com"),
        ("acme.com.", "acme.com"),
        ('"acme.com"', "acme.com"),
        ("\u201cacme.com\u201d", "acme.com"),
        ("www.acme.com", "acme.com"),
        ("https://www.Acme.co.uk/about?x=1", "acme.co.uk"),
        ("http://shop.acme.co.jp#top", "acme.co.jp"),
        ("//acme.com/x", "acme.com"),
        ("https:/acme.com", "acme.com"),
        ("http//acme.com", "acme.com"),
        ("https:\\\\acme.com\\x", "acme.com"),
        ("httpbin.org", "httpbin.org"),
        ("acme.com:8080/path", "acme.com"),
        ("https://user:secret@acme.com:8443/a@b", "acme.com"),
        ("https://acme.com?next=https://other.com", "acme.com"),
        ("user@acme.com", "acme.com"),
        ("mailto:user@acme.com", "acme.com"),
        ("Jo Doe <jo@acme.com>", "acme.com"),
        ("foo_bar.acme.com", "acme.com"),
        ("www.bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.DE", "xn--bcher-kva.de"),
        ("bu\u0308cher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("acme\u3002com", "acme.com"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("google.com", "google.com"),
        ("jo@apple.com", "apple.com"),
        ("https://pragmaticleaders.io, https://ostronaut.com", "pragmaticleaders.io"),
        ("n/a acme.com", "acme.com"),
        ("linkedin.com/company/acme; acme.com", "acme.com"),
        ("acme@gmail.com acme.com", "acme.com"),
    ],
)
def test_a_cell_gives_its_registrable_domain(cell: str, domain: str) -> None:
    assert clean_domain(cell) == FoundDomain(domain=domain)


@pytest.mark.parametrize(
    ("cell", "domain"),
    [
        ("foo.myshopify.com", "foo.myshopify.com"),
        ("https://www.foo.github.io/x", "foo.github.io"),
        ("sorted-lp.webflow.io", "sorted-lp.webflow.io"),
        ("a.foo.wordpress.com", "foo.wordpress.com"),
        ("acme.uk.com", "acme.uk.com"),
    ],
)
def test_customers_of_one_host_are_different_companies(cell: str, domain: str) -> None:
    assert clean_domain(cell).domain == domain


@pytest.mark.parametrize(
    "domain", ["webflow.io", "blogspot.com", "myshopify.com", "wordpress.com", "uk.com"]
)
def test_a_host_s_own_name_stands_for_the_host(domain: str) -> None:
    assert clean_domain(domain).domain == domain
    assert clean_domain(f"https://www.{domain}/").domain == domain


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("acme", NOT_AN_ADDRESS),
        ("n/a", NOT_AN_ADDRESS),
        ("-", NOT_AN_ADDRESS),
        ("http://", NOT_AN_ADDRESS),
        ("http://url", NOT_AN_ADDRESS),
        ("localhost", NOT_AN_ADDRESS),
        ("http://localhost:8080/", NOT_AN_ADDRESS),
        ("intranet.local", NOT_AN_ADDRESS),
        ("co.uk", NOT_AN_ADDRESS),
        ("com", NOT_AN_ADDRESS),
        ("acme..com", NOT_AN_ADDRESS),
        ("-acme.com", NOT_AN_ADDRESS),
        ("foo_bar.com", NOT_AN_ADDRESS),
        ("javascript:alert(1)", NOT_AN_ADDRESS),
        ("<script>", NOT_AN_ADDRESS),
        ("\ud800.com", NOT_AN_ADDRESS),
        ("127.0.0.1", IP_ADDRESS),
        ("http://10.0.0.1:80/x", IP_ADDRESS),
        ("jo@[192.0.2.1]", IP_ADDRESS),
        ("::1", IP_ADDRESS),
        ("http://[2001:db8::1]:80/", IP_ADDRESS),
    ],
)
def test_what_is_no_domain_has_a_reason(cell: str, reason: str) -> None:
    assert clean_domain(cell) == FoundDomain(reason=reason)


@pytest.mark.parametrize("cell", ["", " ", "\n", ",;"])
def test_a_blank_cell_has_neither_domain_nor_reason(cell: str) -> None:
    assert clean_domain(cell) == FoundDomain()


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        ("https://www.linkedin.com/company/acme", "linkedin.com"),
        ("https://uk.linkedin.com/in/x", "linkedin.com"),
        ("https://m.facebook.com/acme", "facebook.com"),
        ("x.com/acme", "x.com"),
        ("twitter.com/acme", "twitter.com"),
        ("instagram.com/acme", "instagram.com"),
        ("youtube.com/@acme", "youtube.com"),
        ("tiktok.com/@acme", "tiktok.com"),
        ("crunchbase.com/organization/acme", "crunchbase.com"),
        ("github.com/acme", "github.com"),
        ("https://apps.apple.com/us/app/acme/id1", "apps.apple.com"),
        ("https://play.google.com/store/apps/details?id=acme", "play.google.com"),
        ("https://www.google.com/maps?cid=1", "google.com/maps"),
        ("https://www.ycombinator.com/companies/acme", "ycombinator.com/companies"),
        ("jo@gmail.com", "gmail.com"),
        ("gmail.com", "gmail.com"),
        ("jo@yahoo.co.uk", "yahoo.co.uk"),
        ("jo@outlook.com", "outlook.com"),
        ("jo@hotmail.fr", "hotmail.fr"),
        ("jo@icloud.com", "icloud.com"),
        ("jo@gmx.de", "gmx.de"),
        ("123@qq.com", "qq.com"),
        ("jo@proton.me", "proton.me"),
    ],
)
def test_a_profile_or_mailbox_is_no_company_domain(cell: str, place: str) -> None:
    found = clean_domain(cell)
    assert found.domain is None
    assert found.domain_for("acme") is None
    assert found.reason is not None
    assert found.reason.startswith(place)


@pytest.mark.parametrize(
    ("cell", "name_key", "domain"),
    [
        ("https://www.linkedin.com/company/linkedin", "linkedin", "linkedin.com"),
        ("linkedin.com", "linkedinireland", "linkedin.com"),
        ("linkedin.com/company/lir", "linkedinireland", None),
        ("yahoo.com", "yahoo", "yahoo.com"),
        ("web.de", "webde", "web.de"),
        ("jo@web.de", "webdesign", None),
        ("outlook.com", "outlooktherapeutics", None),
        ("x.com", "x", "x.com"),
        ("x.com", "xerox", None),
        ("itunes.apple.com", "applebees", None),
        ("acme.com", "other", "acme.com"),
    ],
)
def test_a_provider_s_domain_is_for_the_provider_alone(
    cell: str, name_key: str, domain: str | None
) -> None:
    assert clean_domain(cell).domain_for(name_key) == domain


def test_any_text_gives_a_lower_case_ascii_domain_or_none() -> None:
    chance = random.Random(7)
    parts = [*"ab.:/@?#[]-_%\\ ,1", "ß", "。", "xn--", ".com", "\u200d", "İ", "\ud800"]
    for _ in range(5_000):
        text = "".join(chance.choices(parts, k=chance.randrange(16)))
        domain = clean_domain(text).domain
        if domain is not None:
            assert domain.isascii(), text
            assert domain == domain.lower(), text
            assert clean_domain(domain).domain == domain, text


@pytest.mark.parametrize("unit", ["a", "a.", "ü.", "x@", "(", "//", "xn--"])
def test_an_endless_cell_is_cut_and_costs_little(unit: str) -> None:
    clean_domain("acme.com")  # loads the suffix list
    started = time.process_time()
    clean_domain(unit * 1_000_000)
    assert time.process_time() - started < 0.25
    late = " " * MAX_CHARACTERS + "acme.com"
    assert clean_domain(late) == FoundDomain()


def test_importing_leaves_the_suffix_list_alone() -> None:
    code = "import sdr_kit.loading.domains, sys; print('tldextract' in sys.modules)"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_finding_a_domain_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert clean_domain("never-seen-before.example.org").domain == "example.org"
