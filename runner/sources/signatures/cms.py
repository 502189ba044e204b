"""What an X.509 signature is: a CMS structure, detached, as gpgsm and smimesign make it; taken apart by `openssl cms`.

Nothing here trusts a certificate; `chain` does. Sources: RFC 5652, section 5; openssl-cms(1); git's gpg-interface.c.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from runner.sources.signatures import tools
from runner.sources.signatures.certificates import UNREADABLE
from runner.sources.signatures.verdict import Bad

BEGIN, END = b"-----BEGIN SIGNED MESSAGE-----", b"-----END SIGNED MESSAGE-----"

_MOST_CERTIFICATES = 16  # in one signature; honest ones bring up to four
_SIGNED_DATA, _DATA = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")
_SHA2 = {bytes.fromhex(f"6086480165030402{last}") for last in ("01", "02", "03")}  # SHA-256, SHA-384, SHA-512

_AGAIN = "Sign the commit again."
_DAMAGED = Bad("its X.509 signature is damaged, or has something beside it", _AGAIN)


class Sealed(NamedTuple):
    """*signer*: whose key has signed the content, trusted or not. *others*: what else the signature brings."""

    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]


def unsealed(signature: bytes, payload: bytes, known: bytes, folder: Path) -> Sealed | Bad:
    """Who signed *payload*. *known*: certificates, PEM, for signatures that leave out the signer's own.

    Raises `WorldError` when the tool cannot say.
    """
    blob = _binary(signature)
    if blob is None:
        return _DAMAGED
    (folder / "signature").write_bytes(blob)
    (folder / "payload").write_bytes(payload)
    (folder / "known").write_bytes(known)
    return _unfit(folder) or _verified(folder, ["-certfile", "known"] if known else [])


def _binary(signature: bytes) -> bytes | None:
    """None unless it is exactly one block, and nothing around it."""
    text = signature.strip()
    if not (text.startswith(BEGIN) and text.endswith(END)):
        return None
    try:
        return base64.b64decode(b"".join(text[len(BEGIN) : -len(END)].split()), validate=True)
    except binascii.Error:
        return None


def _unfit(folder: Path) -> Bad | None:
    """Why this structure is not looked at further; openssl would be content with more."""
    rewritten = ["openssl", "cms", "-cmsout", "-inform", "DER", "-in", "signature", "-outform", "DER", "-out", "exact"]
    if tools.run(rewritten, folder).code:  # gpgsm writes BER, of lengths that are not told beforehand
        return _DAMAGED
    try:
        content, signers = _content_and_signers((folder / "exact").read_bytes())
        if len(signers) != 1:
            return Bad("its X.509 signature is of several signers, or of none", _AGAIN)
        _version, _who, (_, digest), *_rest = elements(signers[0][1])
        algorithm = elements(digest)[0][1]
    except (ValueError, IndexError):
        return _DAMAGED
    if content != [(0x06, _DATA)]:
        return Bad("its X.509 signature has content of its own", "Sign with `git commit -S`.")
    if algorithm not in _SHA2:
        return Bad("its X.509 signature is not made with SHA-256, SHA-384 or SHA-512", "Sign with one of these.")
    return None


def _content_and_signers(exact: bytes) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """The elements of `encapContentInfo` and of `signerInfos`. Raises `ValueError` when it is no signed data."""
    [(_, info)] = elements(exact)
    (_, kind), (_, wrapped) = elements(info)
    [(_, signed)] = elements(wrapped)
    _version, _digests, (_, content), *_certificates, (_, signers) = elements(signed)
    if kind != _SIGNED_DATA:
        raise ValueError("no signed data")
    return elements(content), elements(signers)


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each. Raises `ValueError` where lengths do not fit."""
    found = []
    at = 0
    while at < len(der):
        tag, length, at = der[at], int.from_bytes(der[at + 1 : at + 2], "big"), at + 2
        if length > 0x80:
            size = length - 0x80
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise ValueError("too short")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _verified(folder: Path, known: list[str]) -> Sealed | Bad:
    """Whether the signature is right. Whose certificate it is, openssl tells; that one is judged, and no other."""
    command = ["openssl", "cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", "signature"]
    command += ["-content", "payload", *known, "-signer", "signer", "-certsout", "brought"]
    said = tools.run([*command, "-out", os.devnull], folder)
    if "signer certificate not found" in said.err:
        return Bad("its certificate is neither in the signature nor on the list", "Sign with it included.")
    if said.code:
        return Bad("its signature is not of this content: somebody has changed one of the two", _AGAIN)
    try:
        [signer] = x509.load_pem_x509_certificates((folder / "signer").read_bytes())
        brought = (folder / "brought").read_bytes()
        others = x509.load_pem_x509_certificates(brought) if brought else []
    except UNREADABLE:
        return Bad("a certificate in its X.509 signature cannot be read", "Sign with another certificate.")
    if len(others) > _MOST_CERTIFICATES:
        return Bad(f"its X.509 signature brings more than {_MOST_CERTIFICATES} certificates", _AGAIN)
    return Sealed(signer, tuple(others))
