"""Signatures by X.509 certificates: `openssl`, told what the protected branch lists, and nothing else.

The math first (`cms`), then whether that certificate is admitted (`certificates`, `chain`), then whether it is revoked
(`revocations`). docs/decisions/0023-x509-by-openssl.md says why not by gpgsm.
"""

from pathlib import Path

from cryptography.x509 import Certificate

from runner.sources.signatures import certificates, chain, cms, revocations
from runner.sources.signatures.certificates import UNREADABLE, Damaged, Listed, title
from runner.sources.signatures.commit import SignedCommit
from runner.sources.signatures.policy import Policy
from runner.sources.signatures.revocations import Revocations
from runner.sources.signatures.verdict import Bad, Good, shown

BEGIN = cms.BEGIN

_MEND = "Mend it by a signed commit to the protected branch."


def verify(commit: SignedCommit, signature: bytes, policy: Policy, folder: Path) -> Good | Bad:
    """Raises `WorldError` when no tool can say."""
    if policy.certificates is None:
        return Bad("it has an X.509 signature, and there is no list of certificates", "Add one, or sign with SSH.")
    try:
        listed = certificates.read(policy.certificates)
    except Damaged as error:
        return Bad(f"the list of certificates cannot be used: {error}", _MEND)
    try:
        revoked = revocations.read(policy.revoked_certificates, policy.revoked_at_head)
    except Damaged as error:
        return Bad(f"the file of revoked certificates cannot be used: {error}", _MEND)
    sealed = cms.unsealed(signature, commit.payload, certificates.pem(listed.people), folder)
    if isinstance(sealed, Bad):
        return sealed
    try:
        return _judged(sealed, listed, revoked, folder)
    except UNREADABLE as error:
        return Bad(f"a certificate in its X.509 signature makes no sense ({error})", "Sign with another certificate.")


def _judged(sealed: cms.Sealed, listed: Listed, revoked: Revocations, folder: Path) -> Good | Bad:
    """Raises one of `UNREADABLE` for a certificate that came with the signature."""
    signer = sealed.signer
    if certificates.is_authority(signer):
        return Bad(
            f"its certificate, of {shown(title(signer))}, is an authority's, and those sign no commits",
            "Sign with a certificate of a person (basicConstraints CA:FALSE).",
            chain.key(signer),
        )
    admission = _admission(sealed, listed, folder)
    if isinstance(admission, Bad):
        return admission
    trouble = revoked.trouble(signer, sealed.others, listed, folder)
    return Good(admission, chain.key(signer)) if trouble is None else chain.reason(trouble, signer)


def _admission(sealed: cms.Sealed, listed: Listed, folder: Path) -> str | Bad:
    """Who it is, as the list has it."""
    signer, others = sealed.signer, [*sealed.others, *listed.links]
    listed_itself = signer in listed.people
    anchors = [signer] if listed_itself else [each.certificate for each in listed.authorities]
    trouble = chain.trouble_of_signer(signer, anchors, others, folder)
    if trouble is not None:
        return chain.reason(trouble, signer)
    if listed_itself:
        return shown(title(signer))
    return _admitted_by_address(signer, others, listed, folder)


def _admitted_by_address(signer: Certificate, others: list[Certificate], listed: Listed, folder: Path) -> str | Bad:
    """Some authority on the list has certified it; does one that admits such an address?"""
    found = certificates.addresses(signer)
    for address in found:
        anchors = [each.certificate for each in listed.authorities if each.admits(address)]
        every = len(anchors) == len(listed.authorities)
        if every or (anchors and chain.trouble_of_signer(signer, anchors, others, folder) is None):
            return address
    whom = ", ".join(map(repr, found)) if found else "a certificate without an e-mail address (subjectAltName)"
    return Bad(
        f"its certificate, of {shown(title(signer))}, is of an authority on the list that does not admit {shown(whom)}",
        "Let somebody who is admitted sign it, or add the address to the authority's line `signers:`, by a signed commit to "
        "the protected branch.",
        chain.key(signer),
    )
