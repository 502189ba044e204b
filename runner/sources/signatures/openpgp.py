"""Signatures by OpenPGP keys: `gpg`, with a home of its own that holds the allowed keys and nothing else.

A key counts or not at this moment: gpg, and so git, finds no signature good whose key has expired or was revoked since.
No agent is started and no network is asked. Sources: git's gpg-interface.c, "parse_gpg_output"; GnuPG's doc/DETAILS.
"""

from pathlib import Path

from runner.sources.signatures import tools
from runner.sources.signatures.commit import SignedCommit
from runner.sources.signatures.verdict import Bad, Good, shown

BEGIN, END = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"

_GPG = (
    "gpg",
    "--no-options",
    "--batch",
    "--no-tty",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--trust-model=always",
    "--status-fd=1",
)
_ENDINGS = ("GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG")  # of one signature, one each


def verify(commit: SignedCommit, signature: bytes, allowed: bytes | None, folder: Path) -> Good | Bad:
    """*allowed*: public keys, armoured or not. Raises `WorldError` when no tool can say."""
    if allowed is None:
        return Bad("it has an OpenPGP signature, and there is no list of OpenPGP keys", "Add one, or sign with SSH.")
    if not _is_whole(signature):
        return Bad("its OpenPGP signature is damaged, or has something beside it", "Sign the commit again.")
    imported = tools.run([*_GPG, "--import"], folder, allowed)
    if "[GNUPG:] IMPORT_OK " not in imported.out:
        return Bad(
            "no key can be read from the list of OpenPGP keys",
            "Write it with `gpg --armor --export ADDRESS ...`, and commit it to the protected branch.",
        )
    (folder / "signature").write_bytes(signature)
    said = tools.run([*_GPG, "--verify", "signature", "-"], folder, commit.payload)
    return _read(said, _statuses(said.out))


def _is_whole(signature: bytes) -> bool:
    """Exactly one block, and nothing around it."""
    return (
        signature.startswith(BEGIN)
        and signature.rstrip().endswith(END)
        and signature.count(b"-----BEGIN") == 1
        and signature.count(b"-----END") == 1
    )


def _statuses(out: str) -> list[list[str]]:
    lines = (line.removeprefix("[GNUPG:] ") for line in out.splitlines() if line.startswith("[GNUPG:] "))
    return [line.split(" ") for line in lines]


def _read(said: tools.Said, statuses: list[list[str]]) -> Good | Bad:
    endings = [status for status in statuses if status[0] in _ENDINGS]
    prints = [status[1] for status in statuses if status[0] == "VALIDSIG" and len(status) > 1]
    if len(endings) != 1 or len(endings[0]) < 2:
        return Bad("its OpenPGP signature is damaged, or more than one", "Sign the commit again.")
    ending, key, *rest = endings[0]
    key = prints[0] if len(prints) == 1 else key
    who = shown(" ".join(rest))
    match ending:
        case "GOODSIG" if said.code == 0 and len(prints) == 1:
            return Good(who, key)
        case "EXPKEYSIG":
            return Bad(
                f"its key, of {who}, has expired",
                "Extend the key and commit the list of keys anew, or sign with another.",
                key,
            )
        case "EXPSIG":
            return Bad(f"its signature, by {who}, has expired", "Sign the commit again.", key)
        case "REVKEYSIG":
            return Bad(f"its key, of {who}, is revoked", "Sign with another key.", key)
        case "BADSIG":
            return Bad(
                "its signature is not of this content: somebody has changed one of the two",
                "Sign the commit again.",
                key,
            )
        case _ if any(status[0] == "NO_PUBKEY" for status in statuses):
            return Bad(
                "its key is not on the list of OpenPGP keys",
                "Let somebody whose key is there sign it, or add the key by a signed commit to the protected branch.",
                rest[-1] if rest and len(rest[-1]) >= 40 else key,
            )
        case _:
            return Bad("its OpenPGP signature cannot be verified", "Sign the commit again, with a current gpg.", key)
