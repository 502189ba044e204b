"""Asks `openssl verify` whether a certificate may sign now, and puts its answer into words. No network is asked.

A certificate counts or not at this moment, with all above it, as gpgsm has it. Sources: openssl-verify(1),
openssl-verification-options(1); the numbers of errors: X509_STORE_CTX_get_error(3).
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from runner.errors import WorldError
from runner.sources.signatures import tools
from runner.sources.signatures.certificates import fingerprint, pem, title
from runner.sources.signatures.verdict import Bad, shown

_VERIFY = (
    "openssl",
    "verify",
    "-no-CApath",
    "-no-CAstore",
    "-partial_chain",  # what is on the list counts as it is, also where it is not the root
    "-auth_level=2",  # RSA from 2048 bits on, no SHA-1
    "-verify_depth=8",
)
_SIGNING = ("-purpose", "smimesign")
_ERROR = re.compile(r"^error (?P<code>[0-9]+) at (?P<depth>[0-9]+) depth lookup: (?P<text>.*)$", re.MULTILINE)

_NO_ISSUER = 20
FOREIGN = {2, 18, 19, _NO_ISSUER, 21}
_OUTSIDE = {47, 48}  # permitted and excluded subtrees
_WEAK = {66, 67, 68}
_NO_CRL = {3, 4, 6, 8, 33, 35}


class Trouble(NamedTuple):
    """What openssl says. *depth*: 0 is the certificate itself, 1 the one above it, and so on."""

    code: int
    depth: int
    text: str


def trouble_of_signer(
    signer: x509.Certificate, anchors: Iterable[x509.Certificate], others: Iterable[x509.Certificate], folder: Path
) -> Trouble | None:
    """None when it may sign. *anchors*: what is trusted; *others*: what may lead there. Raises `WorldError`."""
    return _ask([*_VERIFY, *_SIGNING], signer, anchors, others, folder)


def trouble_of_revocation(
    certificate: x509.Certificate,
    anchors: Iterable[x509.Certificate],
    others: Iterable[x509.Certificate],
    lists: Iterable[x509.CertificateRevocationList],
    folder: Path,
) -> Trouble | None:
    """None when the newest of *lists* that its authority has signed is up to date, and does not name it."""
    (folder / "crls").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in lists))
    return _ask([*_VERIFY, "-crl_check", "-CRLfile", "crls"], certificate, anchors, others, folder)


def _ask(
    command: list[str],
    certificate: x509.Certificate,
    anchors: Iterable[x509.Certificate],
    others: Iterable[x509.Certificate],
    folder: Path,
) -> Trouble | None:
    trusted, untrusted = pem(anchors), pem(others)
    if not trusted:
        return Trouble(_NO_ISSUER, 0, "nothing is trusted")  # openssl reads no empty file
    (folder / "certificate").write_bytes(pem([certificate]))
    (folder / "anchors").write_bytes(trusted)
    if untrusted:
        (folder / "others").write_bytes(untrusted)
        command = [*command, "-untrusted", "others"]
    said = tools.run([*command, "-CAfile", "anchors", "certificate"], folder)
    if said.code == 0 and said.out.strip() == "certificate: OK":
        return None
    found = _ERROR.search(said.err)
    if found is None and "Use -help for" in said.err:
        raise WorldError(
            "signatures cannot be verified: this machine's openssl is too old; install version 3.0 or later"
        )
    if found is None:
        return Trouble(-1, 0, shown(said.err.strip().splitlines()[-1] if said.err.strip() else f"status {said.code}"))
    return Trouble(int(found["code"]), int(found["depth"]), shown(found["text"]))


def reason(trouble: Trouble, signer: x509.Certificate) -> Bad:
    """*trouble* of *signer*, or of an authority above it."""
    above = trouble.depth > 0
    whose = f"{'an authority above ' if above else ''}its certificate, of {shown(title(signer))},"
    why, remedy = _words(trouble, whose, above)
    return Bad(why, remedy, key(signer))


def _words(trouble: Trouble, whose: str, above: bool) -> tuple[str, str]:
    other = "Sign with another certificate."
    code = trouble.code
    if code in FOREIGN:
        return (
            f"{whose} is neither on the list of certificates nor below an authority there",
            "Let somebody who is admitted sign it, or add the certificate by a signed commit to the protected branch.",
        )
    if code == 9:
        return f"{whose} is not valid yet", "Wait, or sign with another certificate; see that the clocks are right."
    if code == 10:
        return f"{whose} has expired", "Renew it; sign again with the new one."
    if code == 23:
        return f"{whose} is revoked", other
    if code == 26:
        use = "sign certificates for e-mail" if above else "make signatures (keyUsage, extendedKeyUsage)"
        return f"{whose} is not made to {use}", other
    if code in _OUTSIDE:
        return f"{whose} has a name that an authority above it may not certify", other
    if code in _WEAK:
        return f"{whose} has a key or a signature that is too weak ({trouble.text})", other
    return _words_of_lists(trouble, whose) or (f"{whose} cannot be accepted (openssl says: {trouble.text})", other)


def _words_of_lists(trouble: Trouble, whose: str) -> tuple[str, str] | None:
    if trouble.code == 12:
        return (
            f"{whose} cannot be known not to be revoked: the revocation list of its authority is out of date",
            "Push a fresh one to the protected branch; it counts at once, whoever commits it.",
        )
    if trouble.code == 11:
        return (
            f"{whose} cannot be known not to be revoked: the revocation list of its authority is not valid yet",
            "Wait; see that the clocks are right.",
        )
    if trouble.code in _NO_CRL:
        return (
            f"{whose} cannot be known not to be revoked: no revocation list there is one of its authority ({trouble.text})",
            "Put a right one there, and the authority's certificate on the list of certificates.",
        )
    return None


def key(certificate: x509.Certificate) -> str:
    return f"certificate {fingerprint(certificate)}"
