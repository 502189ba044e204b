"""Reads archives a member at a time, in constant memory. What a member may do is for `runner.host.bundles.tree` to say.

The control side reads bundles with this too, to list what is in them, so that both agree on every archive.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib

from runner.host.bundles.inflating import plain
from runner.host.bundles.member import FILE, FOLDER, HARD_LINK, LINK, Member, room_for
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PIECE = 1 << 18

UNSOUND = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading an archive that is damaged raises, both here and from the content of a member."""


def read_members(archive: str, kind: str) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Every member of *archive*, of *kind* tar, tgz or zip, in order, a file with its content, to be read before the next.

    Raises `Failure` for what is neither file, folder nor link; `UNSOUND` errors, see `unsound`.
    """
    if kind == "zip":
        return _of_zip(archive)
    if kind in ("tar", "tgz"):
        return _of_tar(archive, kind)
    raise Failure("The bundle type {} is not one of tar, tgz, zip.".format(kind))


def unsound(kind: str, error: Exception) -> Failure:
    """The failure that an `UNSOUND` error means."""
    return Failure("The bundle is not a sound {} archive: {}".format(kind, error))


def unpacked_size(archive: str, kind: str) -> int:
    """Bytes of disk that the archive needs when it is unpacked, about. Raises as `read_members` does."""
    return sum(room_for(member.size) for member, _ in read_members(archive, kind))


def _of_tar(archive: str, kind: str) -> Iterator[tuple[Member, IO[bytes] | None]]:
    with open(archive, "rb") as file, tarfile.open(fileobj=plain(file, kind), mode="r|", bufsize=_PIECE) as tar:
        for info in tar:
            kind = _kind_of(info)
            member = Member(
                kind=kind,
                name=info.name,
                mode=info.mode,
                mtime=info.mtime,
                owner=(info.uid, info.gid, info.uname, info.gname),
                target=info.linkname if kind in (LINK, HARD_LINK) else "",
                size=info.size if kind == FILE else 0,
            )
            yield member, tar.extractfile(info) if kind == FILE else None
            tar.members.clear()  # type: ignore[attr-defined]  # else it remembers every member of a bundle of 100,000 files


def _kind_of(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return FOLDER
    if info.issym():
        return LINK
    if info.islnk():
        return HARD_LINK
    if info.isfile():
        return FILE
    raise Failure("The bundle's member {} is neither file, folder nor link.".format(info.name))


def _of_zip(archive: str) -> Iterator[tuple[Member, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            name = "/".join(part for part in info.filename.split("/") if part != "..")  # dropped, as unzip does
            kind = stat.S_IFMT(info.external_attr >> 16)
            mode = (info.external_attr >> 16) & 0o777
            if info.is_dir():
                yield Member(kind=FOLDER, name=name, mode=mode or 0o755, mtime=info.date_time), None
            elif kind == stat.S_IFLNK:
                with bundle.open(info) as source:
                    target = source.read(4096).decode("utf-8", "surrogateescape")
                yield Member(kind=LINK, name=name, mode=mode, mtime=info.date_time, target=target), None
            elif kind in (0, stat.S_IFREG):
                member = Member(kind=FILE, name=name, mode=mode or 0o644, mtime=info.date_time, size=info.file_size)
                with bundle.open(info) as source:
                    yield member, source
            else:
                raise Failure("The bundle's member {} is neither file, folder nor link.".format(info.filename))
