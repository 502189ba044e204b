"""The list of certificates: people, and authorities for the e-mail addresses that stand above them.

PEM, with text between the blocks, which RFC 7468 allows and openssl skips. Here a line of it counts:

    signers: *@example.com, ada@example.org
    -----BEGIN CERTIFICATE-----
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

_BEGIN, _END = re.compile(rb"-----BEGIN ([^-]+)-----\s*"), re.compile(rb"-----END ([^-]+)-----\s*")
_SIGNERS = re.compile(r"^signers:(.*)$", re.MULTILINE | re.IGNORECASE)
# What the library raises for what is no certificate and no revocation list.
UNREADABLE = (ValueError, TypeError, x509.InvalidVersion)

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # printable ASCII, one @


class Damaged(ValueError):
    """A file that does not say clearly what it means; the message does, from the middle of a sentence on."""


class Authority(NamedTuple):
    """*patterns*: addresses of those whom it admits."""

    certificate: x509.Certificate
    patterns: tuple[str, ...]

    def admits(self, address: str) -> bool:
        return any(_matches(pattern, address) for pattern in self.patterns)


class Listed(NamedTuple):
    """*people* sign themselves, *authorities* say who else may, *links* only lead from one certificate to another."""

    people: tuple[x509.Certificate, ...]
    authorities: tuple[Authority, ...]
    links: tuple[x509.Certificate, ...]

    def of_authorities(self) -> list[x509.Certificate]:
        return [*(each.certificate for each in self.authorities), *self.links]


def read(text: bytes) -> Listed:
    """Raises `Damaged`."""
    people, authorities, links = [], [], []
    for before, label, block in blocks(text):
        if label != "CERTIFICATE":
            raise Damaged(f"it has a block {label}, and may have certificates only")
        certificate, patterns = certificate_of(block), _patterns(before)
        if not is_authority(certificate):
            if patterns:
                raise Damaged(f"a line `signers:` stands above {title(certificate)}, which is no authority's")
            people.append(certificate)
        elif patterns:
            authorities.append(Authority(certificate, patterns))
        else:
            links.append(certificate)
    if not (people or authorities):
        raise Damaged("it has no certificate of a person, and none of an authority with a line `signers:` above it")
    return Listed(tuple(people), tuple(authorities), tuple(links))


def blocks(text: bytes) -> Iterator[tuple[str, str, bytes]]:
    """The text before each block, its label, and the block. Raises `Damaged`."""
    before: list[bytes] = []
    block: list[bytes] = []
    for line in text.splitlines():
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if bool(begin) == bool(block) and (begin or end):
            raise Damaged("it has a block without a beginning, or without an end")
        (block if begin or block else before).append(line)
        if end:
            yield _text(before), _text([end[1]]), b"\n".join(block) + b"\n"
            before, block = [], []
    if block or _SIGNERS.search(_text(before)):
        raise Damaged("its last block has no end, or its last line `signers:` no certificate")


def _text(lines: list[bytes]) -> str:
    return b"\n".join(lines).decode(errors="replace")


def certificate_of(block: bytes) -> x509.Certificate:
    """Raises `Damaged`."""
    try:
        certificate = x509.load_pem_x509_certificate(block)
        is_authority(certificate), addresses(certificate), names(certificate)  # all that is asked of it later
    except UNREADABLE as error:
        raise Damaged(f"it has a block that is no certificate ({error})") from error
    return certificate


def is_authority(certificate: x509.Certificate) -> bool:
    """Raises `ValueError` when its extensions make no sense."""
    found = _extension(certificate, x509.BasicConstraints)
    return found is not None and found.ca


def addresses(certificate: x509.Certificate) -> list[str]:
    """E-mail addresses of its subject's alternative names; those elsewhere do not count. Raises `ValueError`."""
    found = _extension(certificate, x509.SubjectAlternativeName)
    return [] if found is None else found.get_values_for_type(x509.RFC822Name)


def names(certificate: x509.Certificate) -> tuple[str, str]:
    """Subject and issuer, as openssl compares them: upper and lower case are the same, and so is any space."""
    return folded(certificate.subject), folded(certificate.issuer)


def folded(name: x509.Name) -> str:
    return " ".join(name.rfc4514_string().casefold().split())


def title(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a name"


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error


def _patterns(before: str) -> tuple[str, ...]:
    found = [each.strip() for line in _SIGNERS.findall(before) for each in line.split(",")]
    for each in found:
        if not _ADDRESS.fullmatch(each):
            raise Damaged(f"a line `signers:` has {each!r}, which is no address and no pattern such as *@example.com")
    return tuple(found)


def _matches(pattern: str, address: str) -> bool:
    """`*` and `?` stand for anything but @, so that `*@example.com` is no address with two."""
    parts = ("[^@]*" if each == "*" else "[^@]" if each == "?" else re.escape(each) for each in pattern)
    return bool(_ADDRESS.fullmatch(address) and re.fullmatch("".join(parts), address, re.IGNORECASE | re.ASCII))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as `openssl x509 -fingerprint -sha256` and `gpgsm --list-keys` write it."""
    return certificate.fingerprint(SHA256()).hex(":").upper()


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
