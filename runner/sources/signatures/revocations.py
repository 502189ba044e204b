"""The file of revoked certificates: the certificates themselves, and revocation lists (CRLs) of authorities, in PEM.

A revocation list is signed by its authority. So one that stands on the protected branch now counts beside those of the
trusted commit, whoever committed it: else nobody could sign the commit that renews a list which has run out. It counts only
where the trusted commit has one of that authority, or whoever can push could ask for one, by way of a list out of date.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from runner.sources.signatures.certificates import UNREADABLE, Damaged, Listed, blocks, certificate_of, folded, names
from runner.sources.signatures.chain import FOREIGN, Trouble, trouble_of_revocation

_REVOKED = 23  # as openssl counts its errors
_NO_LIST = 3


class Revocations(NamedTuple):
    """*lists*: of the trusted commit; *newer*: on the protected branch now, signed by an authority or not."""

    certificates: frozenset[x509.Certificate]
    lists: tuple[x509.CertificateRevocationList, ...]
    newer: tuple[x509.CertificateRevocationList, ...]

    def trouble(
        self, signer: x509.Certificate, brought: Iterable[x509.Certificate], listed: Listed, folder: Path
    ) -> Trouble | None:
        """None unless *signer*, or an authority that it may be below, is revoked or has a revocation list out of date.

        Where there is no list of an authority, nothing that it certified is known to be revoked.
        """
        authorities = listed.of_authorities()
        issuers = {folded(each.issuer) for each in self.lists}
        for each in _line(signer, [*brought, *authorities]) if self.certificates or issuers else ():
            depth = int(each != signer)
            if each in self.certificates:
                return Trouble(_REVOKED, depth, "")
            subject, issuer = names(each)
            if issuer in issuers and subject != issuer:
                anchors = [other for other in authorities if other != each]
                lists = self._of(issuer, [*authorities, *brought])
                found = trouble_of_revocation(each, anchors, brought, lists, folder)
                if found is not None:
                    code = _NO_LIST if found.code in FOREIGN else found.code
                    return found._replace(code=code, depth=max(depth, found.depth))
        return None

    def _of(self, issuer: str, authorities: Iterable[x509.Certificate]) -> list[x509.CertificateRevocationList]:
        """openssl would take the newest in that name, and stumble over it where that authority has not signed it."""
        here = [each for each in authorities if names(each)[0] == issuer]
        newer = [each for each in self.newer if folded(each.issuer) == issuer]
        newer = [each for each in newer if any(_has_signed(authority, each) for authority in here)]
        return [*(each for each in self.lists if folded(each.issuer) == issuer), *newer]


def read(text: bytes | None, at_head: bytes | None) -> Revocations:
    """*at_head*: the file as the protected branch has it now. Raises `Damaged`, for *text* only."""
    certificates, lists = [], []
    for _, label, block in blocks(text or b""):
        if label == "X509 CRL":
            lists.append(_list_of(block))
        elif label == "CERTIFICATE":
            certificates.append(certificate_of(block))
        else:
            raise Damaged(f"it has a block {label}, and may have certificates and revocation lists (X509 CRL) only")
    return Revocations(frozenset(certificates), tuple(lists), _newer(at_head))


def _newer(text: bytes | None) -> tuple[x509.CertificateRevocationList, ...]:
    """Whoever can push may have written this: what is wrong with it is nobody's fault who signs."""
    try:
        return tuple(_list_of(block) for _, label, block in blocks(text or b"") if label == "X509 CRL")
    except Damaged:
        return ()


def _has_signed(authority: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    try:
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # TypeError is caught
    except (*UNREADABLE, UnsupportedAlgorithm):
        return False


def _list_of(block: bytes) -> x509.CertificateRevocationList:
    try:
        found = x509.load_pem_x509_crl(block)
        folded(found.issuer)
    except UNREADABLE as error:
        raise Damaged(f"it has a block that is no revocation list ({error})") from error
    return found


def _line(signer: x509.Certificate, candidates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """*signer* and all that may stand above it, by their names."""
    by_name: dict[str, list[x509.Certificate]] = {}
    for each in candidates:
        by_name.setdefault(names(each)[0], []).append(each)
    found, waiting = [signer], [signer]
    while waiting:
        above = by_name.pop(names(waiting.pop())[1], [])
        found += above
        waiting += above
    return list(dict.fromkeys(found))
