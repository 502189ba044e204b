"""A commit object taken apart as git does before it verifies: what was signed, and the signature.

libgit2's own extraction is not used: it also finds a `gpgsig` line inside the commit's message.
Source: git's commit.c, "parse_buffer_signed_by_header"; gitformat-signature(5).
"""

import re
from typing import NamedTuple

_HEADER = re.compile(rb"(?P<name>[a-z0-9-]+) ?(?P<value>.*)", re.DOTALL)
_TIME = re.compile(rb"^committer [^\n]*> ([0-9]{1,11}) [+-][0-9]{4}$", re.MULTILINE)


class SignedCommit(NamedTuple):
    """*signatures*: as they stand in the commit, without the indentation; honest commits have one or none.

    *time*: when it says that it was committed, in seconds since 1970; None where that makes no sense.
    """

    id: str
    parents: tuple[str, ...]
    time: int | None
    payload: bytes
    signatures: tuple[bytes, ...]


def parse(commit_id: str, raw: bytes) -> SignedCommit:
    """*raw*: the object without git's own `commit SIZE` in front. The payload is all but headers named `gpgsig...`."""
    head, blank, message = raw.partition(b"\n\n")
    payload: list[bytes] = []
    signatures: list[bytes] = []
    for name, lines in _headers(head):
        if name == b"gpgsig":
            signatures.append(_unfolded(lines))
        elif not name.startswith(b"gpgsig"):  # `gpgsig-sha256` is the same commit's signature in another format
            payload += lines
    end = blank + message
    text = b"\n".join(payload) + end
    found = _TIME.search(text[: len(text) - len(end)])
    return SignedCommit(
        id=commit_id,
        parents=tuple(line[7:].decode("ascii", "replace") for line in payload if line.startswith(b"parent ")),
        time=int(found[1]) if found else None,
        payload=text,
        signatures=tuple(signatures),
    )


def _headers(head: bytes) -> list[tuple[bytes, list[bytes]]]:
    """Name and lines of each header; lines that begin with a space belong to the one before."""
    found: list[tuple[bytes, list[bytes]]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and found:
            found[-1][1].append(line)
        else:
            match = _HEADER.match(line)
            found.append((match["name"] if match else b"", [line]))
    return found


def _unfolded(lines: list[bytes]) -> bytes:
    first, *rest = lines
    return b"\n".join([first.removeprefix(b"gpgsig").removeprefix(b" "), *(line[1:] for line in rest)]) + b"\n"
