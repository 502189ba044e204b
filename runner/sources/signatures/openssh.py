"""Signatures by SSH keys: `ssh-keygen -Y`, asked as git asks it.

A key counts or not at the time that the commit tells (`valid-after`, `valid-before`); revoked keys never count.
Sources: git's gpg-interface.c, "verify_ssh_signed_buffer"; ssh-keygen(1), "ALLOWED SIGNERS"; OpenSSH's PROTOCOL.sshsig.
"""

import base64
import binascii
import datetime as dt
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from runner.sources.signatures import tools
from runner.sources.signatures.commit import SignedCommit
from runner.sources.signatures.verdict import Bad, Good, shown

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
NAMESPACE = "git"

_MOST_PRINCIPALS = 50  # that are tried for one key
_GOOD = re.compile(r'Good "git" signature for (?P<who>.+) with (?P<type>\S+) key (?P<key>\S+)')


class Sealed(NamedTuple):
    """What a signature says of itself. *key*: SHA-256 fingerprint of its public key, or of its certificate."""

    kind: str
    key: str
    namespace: str


def verify(
    commit: SignedCommit, signature: bytes, allowed: bytes | None, revoked: bytes | None, folder: Path
) -> Good | Bad:
    """*allowed*: an allowed_signers file, *revoked*: keys or a KRL. Raises `WorldError` when no tool can say."""
    sealed = read(signature)
    if sealed is None:
        return Bad("its SSH signature is damaged", "Sign the commit again.")
    key = sealed.key if not sealed.kind.endswith("-cert-v01@openssh.com") else f"certificate {sealed.key}"
    if sealed.namespace != NAMESPACE:
        return Bad(
            f"its signature was made for {shown(repr(sealed.namespace))}, not for git",
            "Sign with `git commit -S`.",
            key,
        )
    if allowed is None:
        return Bad(
            "it has an SSH signature, and there is no list of SSH signers", "Add one, or sign with OpenPGP.", key
        )
    if commit.time is None:
        return Bad("it does not tell when it was made, so no key can be valid then", "Commit again.", key)
    (folder / "signature").write_bytes(signature)
    (folder / "allowed").write_bytes(allowed)
    when = dt.datetime.fromtimestamp(commit.time, dt.UTC).strftime("%Y%m%d%H%M%S")
    return _ask(commit.payload, f"-Overify-time={when}", revoked, folder, key)


def read(signature: bytes) -> Sealed | None:
    """None when it is no SSH signature."""
    if not signature.startswith(BEGIN) or not signature.rstrip().endswith(END):
        return None
    try:
        blob = base64.b64decode(b"".join(signature.rstrip()[len(BEGIN) : -len(END)].split()), validate=True)
        if blob[:6] != b"SSHSIG":
            return None
        public, rest = _string(blob[10:])
        namespace, _ = _string(rest)
        kind, _ = _string(public)
        digest = base64.b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()
        return Sealed(kind.decode(), f"SHA256:{digest}", namespace.decode())
    except (binascii.Error, ValueError):
        return None


def _ask(payload: bytes, when: str, revoked: bytes | None, folder: Path, key: str) -> Good | Bad:
    found = tools.run(["ssh-keygen", "-Y", "find-principals", "-f", "allowed", "-s", "signature", when], folder)
    principals = [line for line in found.out.splitlines() if line.strip()]
    if found.code or not principals:
        return _nobody(payload, when, folder, key)
    said = tools.Said(1, "", "")
    for principal in principals[:_MOST_PRINCIPALS]:
        verification = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-f", "allowed", "-I", principal]
        said = tools.run([*verification, "-s", "signature", when], folder, payload)
        if said.code == 0 and (good := _GOOD.match(said.out)):
            if revoked is not None and _is_revoked(verification, when, payload, revoked, folder):
                return Bad(
                    f"its key, of {shown(principal)}, is revoked (or the file of revoked keys is damaged)",
                    "Sign with another key.",
                    good["key"],
                )
            return Good(shown(good["who"]), good["key"])
    return _failed(said, shown(principals[0]), key)


def _is_revoked(verification: list[str], when: str, payload: bytes, revoked: bytes, folder: Path) -> bool:
    """ssh-keygen does not say why it refuses, so it is asked again with the revoked keys."""
    (folder / "revoked").write_bytes(revoked)
    return tools.run([*verification, "-s", "signature", when, "-r", "revoked"], folder, payload).code != 0


def _nobody(payload: bytes, when: str, folder: Path, key: str) -> Bad:
    """No line of the list is for this key at that time: is the signature at least right?"""
    checked = ["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", "signature", when]
    said = tools.run(checked, folder, payload)
    if said.code:
        return _tampered(key)
    return Bad(
        "its key is not on the list of signers, or not valid at the commit's time",
        "Let somebody who is on the list sign it; or add the key there, or mend its valid-after and valid-before, by a "
        "commit to the protected branch that is signed itself.",
        key,
    )


def _failed(said: tools.Said, principal: str, key: str) -> Bad:
    if "incorrect signature" in said.err.lower():
        return _tampered(key)
    why = shown(said.err.strip().splitlines()[0] if said.err.strip() else f"status {said.code}")
    return Bad(
        f"its key, of {principal}, is not allowed to sign it (ssh-keygen says: {why})",
        "See the options of its line in the list of signers: namespaces, valid-after, valid-before.",
        key,
    )


def _tampered(key: str) -> Bad:
    return Bad(
        "its signature is not of this content: somebody has changed one of the two", "Sign the commit again.", key
    )


def _string(blob: bytes) -> tuple[bytes, bytes]:
    """One SSH string, and what comes behind it."""
    length = int.from_bytes(blob[:4], "big")
    if len(blob) < 4 + length or len(blob) < 4:
        raise ValueError("too short")
    return blob[4 : 4 + length], blob[4 + length :]
