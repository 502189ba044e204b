"""The listing of a bundle: its members in order, and of each file the number of its content.

Made on the control side, read on hosts. Contents are numbered from 0 in the order in which they first come up; the
first line that has a number also tells the content's size and SHA-256.
"""

from __future__ import annotations

import array

from runner.host.bundles.lines import LinesFile, read_lines
from runner.host.bundles.member import FILE, Member, room_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def add_line(listing: LinesFile, member: Member, number: int | None, digest: bytes | None) -> None:
    """Add *member* to *listing*. *number*: of its content, for a file; *digest*: where that number is new."""
    listing.add(
        [
            member.kind,
            member.name,
            member.mode,
            member.mtime,
            member.owner,
            member.target,
            number,
            member.size if digest else None,
            digest.hex() if digest else None,
        ]
    )


class Contents:
    """The distinct contents that a listing names, by number: SHA-256, size in bytes, and how many files have it.

    *room*: bytes of disk that the whole bundle needs, about.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self.sizes = array.array("Q")
        self.uses = array.array("L")
        self.room = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def digest(self, number: int) -> bytes:
        return bytes(self._digests[32 * number : 32 * number + 32])

    def add(self, digest: bytes, size: int) -> None:
        self._digests += digest
        self.sizes.append(size)
        self.uses.append(0)


def contents_of(listing: str) -> Contents:
    """All contents of the listing in the file *listing*. Raises `ValueError` when it is damaged."""
    contents = Contents()
    for line in read_lines(listing):
        number, size, digest = line[6:]
        if number is None:
            continue
        if number == len(contents) and digest:
            contents.add(bytes.fromhex(digest), size)
        contents.uses[number] += 1
        contents.room += room_for(contents.sizes[number])
    return contents


def members_of(listing: str, contents: Contents) -> Iterator[tuple[Member, int]]:
    """Every member of the listing in the file *listing*, a file with the number of its content, others with -1."""
    for kind, name, mode, mtime, owner, target, number, _, _ in read_lines(listing):
        member = Member(
            kind=kind,
            name=name,
            mode=mode,
            mtime=tuple(mtime) if isinstance(mtime, list) else mtime,
            owner=tuple(owner) if owner else None,
            target=target,
            size=contents.sizes[number] if kind == FILE else 0,
        )
        yield member, -1 if number is None else number
