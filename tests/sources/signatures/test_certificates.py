"""The list of certificates, and CMS structures: what is read, and what is refused as unclear."""

import re

import pytest
from certificate_signers import Certified, certified
from hypothesis import given
from hypothesis import strategies as st

from runner.sources.signatures import cms
from runner.sources.signatures.certificates import Authority, Damaged, blocks, read


@pytest.fixture(scope="module")
def root() -> Certified:
    return certified("Root", authority=True)


@pytest.fixture(scope="module")
def ada() -> Certified:
    return certified("Ada", address="ada@example.com")


def test_people_authorities_and_links_are_told_apart(root: Certified, ada: Certified) -> None:
    link = certified("Link", root, authority=True)
    text = (
        f"Our list\n\nsubject=Ada\n{ada.pem}\nSigners: *@example.com , x@example.org\r\n{root.pem}{link.pem}# the end"
    )
    found = read(text.encode())
    assert found.people == (ada.certificate,)
    assert found.authorities == (Authority(root.certificate, ("*@example.com", "x@example.org")),)
    assert found.links == (link.certificate,)


def test_line_ends_of_windows_are_read(root: Certified) -> None:
    found = read(f"signers: *@example.com\n{root.pem}".replace("\n", "\r\n").encode())
    assert [each.patterns for each in found.authorities] == [("*@example.com",)]


@pytest.mark.parametrize(
    ("pattern", "address", "admitted"),
    [
        ("ada@example.com", "ada@example.com", True),
        ("ada@example.com", "Ada@EXAMPLE.com", True),
        ("*@example.com", "ada.b+c@example.com", True),
        ("?da@example.com", "ada@example.com", True),
        ("*@*", "ada@example.com", True),
        ("*@*.example.com", "ada@example.com", False),
        ("*@example.com", "ada@example.com.evil.org", False),
        ("*@example.com", "ada@evil.org@example.com", False),
        ("*@example.com", "ada@example.com\n", False),
        ("*@example.com", "a\0da@example.com", False),
        ("*@example.com", "@example.com", False),
        ("a.a@example.com", "axa@example.com", False),
        ("[a]da@example.com", "ada@example.com", False),
        ("k@example.com", "\N{KELVIN SIGN}@example.com", False),
    ],
)
def test_an_address_is_admitted_by_its_pattern(root: Certified, pattern: str, address: str, *, admitted: bool) -> None:
    assert Authority(root.certificate, (pattern,)).admits(address) == admitted


def test_what_is_unclear_is_refused(root: Certified, ada: Certified) -> None:
    for text, why in (
        ("", "no certificate of a person"),
        (root.pem, "none of an authority with a line `signers:`"),
        (f"signers: *\n{root.pem}", "'*', which is no address"),
        (f"signers: a@x.org b@x.org\n{root.pem}", "'a@x.org b@x.org', which is no address"),
        (f"signers:\n{root.pem}", "'', which is no address"),
        (f"signers: ada@example.com\n{ada.pem}", "stands above CN=Ada, which is no authority's"),
        (f"{ada.pem}signers: ada@example.com\n", "its last line `signers:` no certificate"),
        (ada.pem + ada.private, "it has a block PRIVATE KEY"),
        (ada.pem[:-30], "no end"),
        (ada.pem[30:], "without a beginning"),
        (ada.pem[:-30] + "\n" + ada.pem, "without an end"),
        (ada.pem.replace("M", "A"), "a block that is no certificate"),
    ):
        with pytest.raises(Damaged, match=re.escape(why)):
            read(text.encode())


def test_a_file_of_beginnings_takes_no_longer_than_any_other() -> None:
    """Each line is looked at once: 4 MiB, the most, are read long before this test's limit."""
    with pytest.raises(Damaged):
        list(blocks(b"-----BEGIN X509 CRL-----\n" * 160_000))
    assert list(blocks(b"\n" * 4_000_000)) == []


@given(st.binary(max_size=300))
def test_no_text_is_too_strange_to_be_read_as_a_list(text: bytes) -> None:
    with pytest.raises(Damaged):
        read(b"-----BEGIN CERTIFICATE-----\n" + text + b"\n-----END CERTIFICATE-----\n")


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange_to_be_taken_apart(der: bytes) -> None:
    try:
        found = cms.elements(der)
    except ValueError:
        return
    assert sum(len(content) for _, content in found) <= len(der)
