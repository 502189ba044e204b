"""The contents of a bundle on their way into a deployment: files named by their SHA-256, until all of them are there.

What has arrived is kept when the connection breaks. Nothing here is trusted by its name: whatever was here before, or
comes from another revision, is hashed before it counts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import zlib

from runner.host.bundles.lines import inflated
from runner.host.files.copying import copy_content
from runner.host.lean.digest import sha256
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    from runner.host.bundles.listing import Contents

_PIECE = 1 << 18
_FICLONE = 0x40049409
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Incoming:
    """The folder *path*, which is there, for *contents*. *lacking*: which are not there yet, number by SHA-256."""

    def __init__(self, path: str, contents: Contents) -> None:
        self._path = path
        self._contents = contents
        self._uses = contents.uses[:]
        self.lacking = {contents.digest(number): number for number in range(len(contents))}

    def take_up(self) -> None:
        """Find what an earlier attempt has left here."""
        for name in os.listdir(self._path):
            digest = _digest(name)
            if digest in self.lacking:
                try:
                    if _hash_of(os.path.join(self._path, name)) == digest:
                        del self.lacking[digest]
                except PermissionError:  # not ours to read any more: its file had been given its mode
                    pass

    def copy(self, digest: bytes, source: str) -> None:
        """Copy *source*, if it has that content; if it has not, that content is still lacking."""
        path = self._of(digest)
        try:
            found = _copy_and_hash(source, path) == digest
        except OSError as error:  # it is gone, is a link now, cannot be read ...
            if error.errno in _NO_ROOM:
                raise
            found = False
        if found:
            del self.lacking[digest]
        else:
            _unlink(path)

    def needs(self) -> list[list[int]]:
        """What is lacking, as ranges of numbers: from the first up to, and without, the second."""
        ranges: list[list[int]] = []
        for number in sorted(self.lacking.values()):
            if ranges and ranges[-1][1] == number:
                ranges[-1][1] += 1
            else:
                ranges.append([number, number + 1])
        return ranges

    def receive(self, number: int, is_packed: bool, pieces: Iterable[bytes]) -> None:
        """Write content *number*. Raises `Failure` when *pieces* are something else."""
        digest = self._contents.digest(number)
        path = self._of(digest)
        left = self._contents.sizes[number]
        actual = sha256(left)
        with _fresh(path) as file:
            try:
                for piece in inflated(pieces) if is_packed else pieces:
                    left -= len(piece)
                    if left < 0:
                        break
                    actual.update(piece)
                    file.write(piece)
            except zlib.error:
                left = -1
        if left or actual.digest() != digest:
            _unlink(path)
            raise Failure("A content of the bundle, {}, was damaged on its way or before.".format(digest.hex()))
        del self.lacking[digest]

    def put(self, number: int, path: str) -> None:
        """Make the file *path* with content *number*. Every file of the bundle has to be put once, no more.

        Files stay apart although they have one content, for a script may write into one of them. The last one needs no
        copy: it stands in both places until this folder goes.
        """
        source = self._of(self._contents.digest(number))
        self._uses[number] -= 1
        if self._uses[number] or not _link(source, path):
            copy_content(source, path)

    def _of(self, digest: bytes) -> str:
        return os.path.join(self._path, digest.hex())


def _digest(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""


def _fresh(path: str) -> IO[bytes]:
    _unlink(path)
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _hash_of(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return _hash(iter(lambda: file.read(_PIECE), b""), os.path.getsize(path))


def _hash(pieces: Iterable[bytes], size: int) -> bytes:
    digest = sha256(size)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _copy_and_hash(source: str, destination: str) -> bytes:
    """Copy, sharing the blocks where the file system can, and return the SHA-256 of the copy."""
    from_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with open(from_fd, "rb", buffering=0) as reading, _fresh(destination) as writing:
        size = os.fstat(from_fd).st_size
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:
            return _hash(_passing(reading, writing), size)
        return _hash(iter(lambda: writing.read(_PIECE), b""), size)


def _passing(reading: IO[bytes], writing: IO[bytes]) -> Iterator[bytes]:
    for piece in iter(lambda: reading.read(_PIECE), b""):
        writing.write(piece)
        yield piece


def _link(source: str, path: str) -> bool:
    """Whether *source* could be given the name *path* too."""
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True
