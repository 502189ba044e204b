"""Git's protocol 2, as much of it as asking for refs takes: bytes in and out, no connection.

Source: gitprotocol-v2(5), "ls-refs"; gitprotocol-http(5), "Smart Clients"; gitprotocol-common(5), "pkt-line Format".
"""

import hashlib
import re
from collections.abc import Iterator

from runner.config import RepositoryConfig
from runner.errors import WorldError

PROTOCOL = "version=2"  # the header Git-Protocol
_FLUSH, _DELIMITER = b"0000", b"0001"
_FIXED = re.compile(r"[^*?]*")
_OBJECT_ID = re.compile(rb"[0-9a-f]{40}")
_SERVICE = b"# service=git-upload-pack"


class Refs:
    """An answer to `request`, as it came. Implements `Answer`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.digest = hashlib.blake2b(raw, digest_size=16).digest()

    def heads(self) -> dict[str, str]:
        return heads(self._raw)


def request(config: RepositoryConfig) -> bytes:
    """What to send for the refs that *config* may select. The server is to say which commit an annotated tag names."""
    wanted = [_packet(b"ref-prefix " + prefix.encode(errors="surrogateescape")) for prefix in prefixes(config)]
    # no capabilities: servers before git 2.28 refuse an object-format, and without one SHA-1 is meant
    return _packet(b"command=ls-refs") + _DELIMITER + _packet(b"peel") + b"".join(wanted) + _FLUSH


def prefixes(config: RepositoryConfig) -> tuple[str, ...]:
    """Of full ref names: the globs of *config* up to their first wildcard. More refs begin so than are selected."""
    branches = [f"refs/heads/{_fixed(glob)}" for glob in config.branches]
    tags = [f"refs/tags/{_fixed(glob)}" for glob in config.tags]
    # without any prefix a server sends all that it has
    return tuple(dict.fromkeys(branches + tags)) or ("refs/heads/",)


def speaks(advertised: bytes) -> bool:
    """Whether a server that answered `info/refs` so takes `request`."""
    try:
        lines = list(_packets(advertised))
    except WorldError:
        return False
    if lines[:1] == [_SERVICE]:  # some servers say it in protocol 2 as well
        lines = lines[2:]
    formats = [line for line in lines if line is not None and line.startswith(b"object-format=")]
    asks = any(line is not None and line.split(b"=")[0] == b"ls-refs" for line in lines)
    return lines[:1] == [b"version 2"] and asks and formats in ([], [b"object-format=sha1"])


def is_whole(raw: bytes) -> bool:
    """Whether *raw* can be an answer to `request`, without reading all of it."""
    return raw.endswith(_FLUSH) and raw[4:8] != b"ERR "


def heads(raw: bytes) -> dict[str, str]:
    """Full ref name to commit ID, branches and tags only. Raises `WorldError` for bytes that are no such answer."""
    found: dict[str, str] = {}
    for line in _packets(raw):
        if line is None:
            continue
        object_id, _, rest = line.partition(b" ")
        name, *attributes = rest.split(b" ")
        for each in attributes:
            if each.startswith(b"peeled:"):
                object_id = each.removeprefix(b"peeled:")
        if not _OBJECT_ID.fullmatch(object_id) or not name:
            raise WorldError(f"the server's list of refs has a line that makes no sense: {line[:80]!r}")
        if name.startswith((b"refs/heads/", b"refs/tags/")):
            found[name.decode(errors="surrogateescape")] = object_id.decode()
    return found


def _fixed(glob: str) -> str:
    match = _FIXED.match(glob)
    return match.group() if match else ""


def _packet(line: bytes) -> bytes:
    return b"%04x%s\n" % (len(line) + 5, line)


def _packets(raw: bytes) -> Iterator[bytes | None]:
    """Lines without their break; None for a packet that only separates."""
    at = 0
    while at < len(raw):
        try:
            length = int(raw[at : at + 4], 16)
        except ValueError:
            length = -1
        if length in (0, 1, 2):
            at += 4
            yield None
            continue
        if length < 4 or at + length > len(raw):
            raise WorldError("the server's answer is not in git's protocol, or was cut off")
        yield raw[at + 4 : at + length].removesuffix(b"\n")
        at += length
