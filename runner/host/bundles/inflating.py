"""Reads compressed tars in constant memory.

`tarfile` can read them by itself, but unpacks as much at a time as a whole piece of the archive may hold: of zeros, a
thousand times the piece.
"""

from __future__ import annotations

import tarfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Protocol

    class Readable(Protocol):
        def read(self, size: int, /) -> bytes: ...


def plain(file: IO[bytes], kind: str) -> IO[bytes]:
    """The tar in *file*, from its beginning, of *kind* tgz; a `tar` may be compressed in any way, as GNU tar has it."""
    start = file.read(10)
    file.seek(0)
    if kind == "tgz" or start[:3] == b"\x1f\x8b\x08":
        import gzip

        return _Sound(gzip.GzipFile(fileobj=file))  # type: ignore[return-value]
    if start[:3] == b"BZh" and start[4:] == b"1AY&SY":
        import bz2

        return _Sound(bz2.BZ2File(file))  # type: ignore[return-value]
    if start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00\x80")):
        import lzma

        return _Sound(lzma.LZMAFile(file), lzma.LZMAError)  # type: ignore[return-value]
    return file


class _Sound:
    """A compressed file whose damages are told as `tarfile` tells its own."""

    def __init__(self, file: Readable, *damages: type[Exception]) -> None:
        self._file = file
        self._damages = damages

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            if error.errno is not None:  # the disk's, not the archive's
                raise
            raise tarfile.ReadError(str(error)) from error
        except self._damages as error:
            raise tarfile.ReadError(str(error)) from error
