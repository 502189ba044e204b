"""Reading tar, tgz and zip bundles one member at a time, without trusting them and without unpacking anything.

What is damaged or without end is an `InvalidRevision`. Whether a member is harmless is for `inspection` to say.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias, cast

from runner.errors import InvalidRevision
from runner.model.revision import BundleType

Kind: TypeAlias = Literal["file", "folder", "link", "hard link", "other"]

_CHUNK = 1024 * 1024
_LONGEST_HEADER = 256 * 1024  # bytes; of one extended tar header, and of a link's target in a zip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a bundle may need at most. *ratio*: unpacked to packed bytes, once more than *free_of_ratio* bytes came out."""

    entries: int = 100_000
    size: int = 16 * 1024**3
    ratio: int = 200
    free_of_ratio: int = 64 * 1024**2

    def check(self, unpacked: int, packed: int) -> None:
        """Raises `InvalidRevision` when *unpacked* bytes out of *packed* are too many."""
        if unpacked > self.size:
            raise InvalidRevision(f"the bundle unpacks to more than {self.size} bytes")
        if unpacked > self.free_of_ratio and unpacked > packed * self.ratio:
            raise InvalidRevision(f"the bundle unpacks to more than {self.ratio} times its size: a decompression bomb?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry as the archive has it. *content* may be called before the next member is asked for, and not later."""

    name: str
    kind: Kind
    size: int
    target: str  # of a link
    content: Callable[[], IO[bytes]]


def members(path: Path, bundle_type: BundleType, limits: Limits) -> Iterator[Member]:
    """Every member in order; a tar has been read whole at the end, and its checksum compared. Use it inside `sound`."""
    return _zip_members(path, limits) if bundle_type == "zip" else _tar_members(path, bundle_type, limits)


@contextlib.contextmanager
def sound(bundle_type: BundleType) -> Iterator[None]:
    """What the libraries say of a damaged archive, as `InvalidRevision`."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InvalidRevision(f"the bundle is no sound {bundle_type} archive: {error}") from error
    except (NotImplementedError, OverflowError, ValueError) as error:
        raise InvalidRevision(f"the bundle is a {bundle_type} archive that cannot be read: {error}") from error


def _tar_members(path: Path, bundle_type: BundleType, limits: Limits) -> Iterator[Member]:
    with _decompressed(path, bundle_type) as stream:
        measured = _Measured(stream, path.stat().st_size, limits)
        with tarfile.open(fileobj=measured, mode="r:", encoding="utf-8") as tar:
            while header := tar.next():
                yield _tar_member(tar, header)
                tar.members = []  # type: ignore[attr-defined]  # it would remember them all
        measured.finish()


def _tar_member(tar: tarfile.TarFile, header: tarfile.TarInfo) -> Member:
    kind: Kind = "other"
    if header.isreg():
        kind = "file"
    elif header.isdir():
        kind = "folder"
    elif header.issym():
        kind = "link"
    elif header.islnk():
        kind = "hard link"

    def content() -> IO[bytes]:
        return tar.extractfile(header) or io.BytesIO()

    size = header.size if kind == "file" else 0
    return Member(name=header.name, kind=kind, size=size, target=header.linkname, content=content)


@contextlib.contextmanager
def _decompressed(path: Path, bundle_type: BundleType) -> Iterator[IO[bytes]]:
    """`tar -xf` finds out about compression by itself; `tar -xzf` insists on gzip: so does the CodeDeploy agent."""
    with path.open("rb") as file:
        magic = file.read(6)
        file.seek(0)
        stream = _stream(file, magic, bundle_type)
        try:
            yield stream
        except OSError as error:  # bz2 says so when its data are not
            if error.errno is None:
                raise InvalidRevision(f"the bundle's compressed data are damaged: {error}") from error
            raise


def _stream(file: IO[bytes], magic: bytes, bundle_type: BundleType) -> IO[bytes]:
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if bundle_type == "tgz":
        raise InvalidRevision("the bundle is declared as tgz and is not compressed by gzip; is it a plain tar?")
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if magic == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file)
    return file


class _Measured(io.RawIOBase):
    """A stream that only goes forward and counts: what tarfile reads cannot make it go round, or swell."""

    def __init__(self, stream: IO[bytes], packed: int, limits: Limits) -> None:
        self._stream, self._packed, self._limits = stream, packed, limits
        self._position = 0
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _CHUNK:
            raise InvalidRevision(f"the bundle has a header of {size} bytes")
        return self._take(size)

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self._position:
            raise InvalidRevision("the bundle has a header that points backwards")
        while self._position < position and self._take(min(_CHUNK, position - self._position)):
            pass
        return self._position

    def finish(self) -> None:
        """Read what is left, so that checksums are compared. tarfile takes garbage for the end; we do not."""
        if self._last.strip(b"\0"):
            raise InvalidRevision(f"the bundle is damaged or cut off near byte {self._position}")
        while self._take(_CHUNK):
            pass

    def _take(self, size: int) -> bytes:
        self._last = self._stream.read(size)
        self._position += len(self._last)
        self._limits.check(self._position, self._packed)
        return self._last


def _zip_members(path: Path, limits: Limits) -> Iterator[Member]:
    packed, unpacked = path.stat().st_size, 0
    with zipfile.ZipFile(path) as archive:
        if len(archive.filelist) > limits.entries:
            raise InvalidRevision(f"the bundle has more than {limits.entries} entries")
        for header in archive.filelist:
            unpacked += header.file_size
            limits.check(unpacked, packed)
            if header.flag_bits & 0x1:
                raise InvalidRevision(f"{header.filename!r} in the bundle is encrypted; bundles must not be")
            yield _zip_member(archive, header)


def _zip_member(archive: zipfile.ZipFile, header: zipfile.ZipInfo) -> Member:
    kind, target = _zip_kind(header), ""
    if kind == "link":
        if header.file_size > _LONGEST_HEADER:
            raise InvalidRevision(
                f"the link {header.filename!r} in the bundle has a target of {header.file_size} bytes"
            )
        target = archive.read(header).decode(errors="surrogateescape")

    def content() -> IO[bytes]:
        return archive.open(header)

    return Member(name=header.filename, kind=kind, size=header.file_size, target=target, content=content)


def _zip_kind(header: zipfile.ZipInfo) -> Kind:
    mode = header.external_attr >> 16
    if header.is_dir():
        return "folder"
    match stat.S_IFMT(mode):
        case stat.S_IFLNK:
            return "link"
        case 0 | stat.S_IFREG:
            return "file"
        case _:
            return "other"
