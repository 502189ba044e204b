"""One entry of a bundle, wherever it was read."""

from __future__ import annotations

from runner.host.lean.record import Record

FOLDER, FILE, LINK, HARD_LINK = "folder", "file", "link", "hard link"


class Member(Record):
    """One entry of an archive. *target*: of a link. *size*: bytes, of a file; there may prove to be fewer.

    *mtime*: seconds since 1970, or year, month, day, hour, minute and second by the clock of the host, as zip has it.
    *owner*: user ID, group ID and the names of both ("" if the archive has none); None where it does not say.
    """

    kind: str
    name: str
    mode: int
    mtime: float | tuple[int, ...]
    owner: tuple[int, int, str, str] | None = None
    target: str = ""
    size: int = 0


def room_for(size: int) -> int:
    """Bytes of disk that a file of *size* bytes takes, about: file systems give whole blocks."""
    return (size + 4095) // 4096 * 4096
