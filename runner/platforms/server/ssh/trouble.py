"""What can be wrong with a host's key, in words that tell what to do."""

from collections.abc import Sequence

from runner.errors import WorldError
from runner.platforms.server.ssh.known_hosts import Entry, fingerprint, kind


class Refused(WorldError):
    """Somebody has to mend something first; trying again changes nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


def unknown_key(name: str, host: str, key: bytes, file: str) -> Refused:
    """*name*: the machine in known_hosts. *host*: the one in the configuration, to name on the command line."""
    return Refused(
        f"the key of {name} is not known: nothing in {file} says that {kind(key)} {fingerprint(key)} is its key. "
        f"`penstock hosts trust {host}` shows it and adds it"
    )


def changed_key(name: str, host: str, key: bytes, known: Sequence[Entry]) -> Refused:
    """*name*, *host*: as for `unknown_key`."""
    listed = "; ".join(f"{kind(entry.key)} {fingerprint(entry.key)} ({entry.where})" for entry in known)
    return Refused(
        f"THE KEY OF {name} HAS CHANGED. Known: {listed}. Offered: {kind(key)} {fingerprint(key)}. Either the host was "
        f"installed anew, or somebody stands in between. Nothing was sent. If the new key is right: "
        f"`ssh-keygen -R '{name}' -f {known[0].file}`, then `penstock hosts trust {host}`"
    )


def revoked_key(name: str, key: bytes, said: Sequence[Entry]) -> Refused:
    return Refused(
        f"the key that {name} offers, {kind(key)} {fingerprint(key)}, is marked as revoked ({said[0].where})"
    )
