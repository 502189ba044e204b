"""Makes the pack of a bundle: what hosts are sent of it. Reads the archive as a host would, once, in constant memory.

A pack is a folder:

bundle      the path of the archive
listing     its members, see `runner.host.bundles.listing`
index       an `ENTRY` for each distinct content: SHA-256, size, and where it is: number of a file, offset, length
contents-0  contents, as `runner.host.bundles.exchange` sends them
contents-1  ... hard links to such files of other packs: what they have is not compressed again
"""

import hashlib
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from runner.host.bundles.archives import UNSOUND, read_members, unsound
from runner.host.bundles.exchange import FRAME, RAW, ZLIB
from runner.host.bundles.lines import LinesFile
from runner.host.bundles.listing import add_line
from runner.host.bundles.member import Member
from runner.host.outcome import Failure
from runner.model.revision import Bundle

ENTRY = struct.Struct(">32sQHQQ")

_PIECE = 1 << 18
_SMALL = 4 << 20  # bytes; a larger content is not held in memory
_LEVEL = 1  # of zlib: the network is what takes long, not the processor
_TINY = 64  # bytes; not worth a try
_WORTH = 0.95  # what compresses to more than this is sent as it is
_MOST_FILES = 16  # of contents; else one file that changes each time would make the chain of links ever longer


class Place(NamedTuple):
    """Where a content stands, as it is sent: *length* bytes at *offset* of *file*. *size*: its own, not compressed."""

    size: int
    file: Path
    offset: int
    length: int


def make_pack(bundle: Bundle, folder: Path, known: Mapping[bytes, Place]) -> None:
    """Make the pack of *bundle* in *folder*, which is empty. *known*: contents of other packs, by SHA-256.

    Raises `Failure`, in the words of a host, when the bundle is not what it should be, or unsound.
    """
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(_check, bundle)  # meanwhile: hashing leaves the interpreter to others
        try:
            _pack(bundle, folder, known)
        finally:
            checking.result()  # what is wrong with the whole is said, not what that does to its parts
    (folder / "bundle").write_bytes(os.fsencode(bundle.path))


def _pack(bundle: Bundle, folder: Path, known: Mapping[bytes, Place]) -> None:
    with (
        LinesFile(str(folder / "listing")) as listing,
        (folder / "index").open("wb") as index,
        _contents(folder, 0).open("wb") as contents,
    ):
        packer = _Packer(folder, contents, index, known)
        try:
            for member, content in read_members(bundle.path, bundle.bundle_type):
                number, digest = packer.take(member, content) if content else (None, None)
                add_line(listing, member, number, digest)
        except UNSOUND as error:
            raise unsound(bundle.bundle_type, error) from error
        for file in (index, contents):
            file.flush()
            os.fsync(file.fileno())


def index_of(folder: Path) -> bytes:
    """The index of the pack in *folder*. Raises `FileNotFoundError`."""
    return (folder / "index").read_bytes()


def place_in(folder: Path, index: bytes, number: int) -> Place:
    """Where content *number* of the pack in *folder* with that *index* stands."""
    _, size, file, offset, length = ENTRY.unpack_from(index, number * ENTRY.size)
    return Place(size, _contents(folder, file), offset, length)


def places_of(folder: Path) -> Iterator[tuple[bytes, Place]]:
    """The contents of the pack in *folder*, in order, by SHA-256. Raises `FileNotFoundError`."""
    for digest, size, file, offset, length in ENTRY.iter_unpack(index_of(folder)):
        yield digest, Place(size, _contents(folder, file), offset, length)


class _Packer:
    def __init__(self, folder: Path, contents: IO[bytes], index: IO[bytes], known: Mapping[bytes, Place]) -> None:
        self._folder, self._contents, self._index, self._known = folder, contents, index, known
        self._sizes = {place.size for place in known.values()}
        self._numbers: dict[bytes, int] = {}
        self._links: dict[Path, int | None] = {}

    def take(self, member: Member, content: IO[bytes]) -> tuple[int, bytes | None]:
        """The number of *content*, of a file, and its SHA-256 when it is new; then it stands in the pack."""
        pieces = _Hashing(content, member)
        if member.size <= _PIECE:  # nearly all
            return self._take_small(b"".join(pieces), pieces.digest())
        if member.size > _SMALL and member.size not in self._sizes:  # nothing like it is here: no need to know it first
            offset, length = self._write(pieces)
            return self._add(pieces.digest(), Place(member.size, _contents(self._folder, 0), offset, length), 0)
        with tempfile.SpooledTemporaryFile(max_size=_SMALL) as spool:
            for piece in pieces:
                spool.write(piece)
            if found := self._find(pieces.digest()):
                return found
            spool.seek(0)
            offset, length = self._write(iter(lambda: spool.read(_PIECE), b""))
        return self._add(pieces.digest(), Place(member.size, _contents(self._folder, 0), offset, length), 0)

    def _take_small(self, content: bytes, digest: bytes) -> tuple[int, bytes | None]:
        if found := self._find(digest):
            return found
        offset = self._contents.tell()
        packed = zlib.compress(content, _LEVEL) if len(content) > _TINY else content
        is_worth_it = len(packed) < len(content) * _WORTH
        whole = packed if is_worth_it else content
        self._contents.write(FRAME.pack(ZLIB if is_worth_it else RAW, len(whole)) + whole)
        place = Place(len(content), _contents(self._folder, 0), offset, FRAME.size + len(whole))
        return self._add(digest, place, 0)

    def _find(self, digest: bytes) -> tuple[int, bytes | None] | None:
        """As `take`, for a content that is in this pack or in another."""
        if digest in self._numbers:
            return self._numbers[digest], None
        if (place := self._known.get(digest)) and (file := self._link(place.file)) is not None:
            return self._add(digest, place, file)
        return None

    def _add(self, digest: bytes, place: Place, file: int) -> tuple[int, bytes]:
        self._index.write(ENTRY.pack(digest, place.size, file, place.offset, place.length))
        self._sizes.add(place.size)
        number = self._numbers[digest] = len(self._numbers)
        return number, digest

    def _link(self, file: Path) -> int | None:
        """The number by which this pack has the contents *file* of another; None when it cannot have that too."""
        if file not in self._links:
            number = 1 + sum(each is not None for each in self._links.values())
            try:
                if number < _MOST_FILES:
                    _contents(self._folder, number).hardlink_to(file)
                self._links[file] = number if number < _MOST_FILES else None
            except OSError:  # it has just gone, or this file system has no hard links
                self._links[file] = None
        return self._links[file]

    def _write(self, pieces: Iterable[bytes]) -> tuple[int, int]:
        """Write a content, compressed if its beginning says that it is worth it. Returns its offset and its length."""
        offset = self._contents.tell()
        pieces = iter(pieces)
        first = next(pieces, b"")
        is_worth_it = len(zlib.compress(first, _LEVEL)) < len(first) * _WORTH
        self._contents.write(FRAME.pack(RAW, 0))
        for piece in _compressed(chain([first], pieces)) if is_worth_it else chain([first], pieces):
            self._contents.write(piece)
        length = self._contents.tell() - offset
        self._contents.seek(offset)
        self._contents.write(FRAME.pack(ZLIB if is_worth_it else RAW, length - FRAME.size))
        self._contents.seek(0, os.SEEK_END)
        return offset, length


class _Hashing:
    """The content of *member*, a piece at a time, hashed as it passes. Raises `Failure` when it is cut short."""

    def __init__(self, content: IO[bytes], member: Member) -> None:
        self._content, self._member = content, member
        self._sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        left = self._member.size
        for piece in iter(lambda: self._content.read(_PIECE), b""):
            left -= len(piece)
            self._sha256.update(piece)
            yield piece
        if left:
            raise Failure(f"The bundle's member {self._member.name} is cut short.")

    def digest(self) -> bytes:
        return self._sha256.digest()


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _contents(folder: Path, number: int) -> Path:
    return folder / f"contents-{number}"


def _check(bundle: Bundle) -> None:
    try:
        with Path(bundle.path).open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise Failure(f"The bundle {bundle.path} is gone from the cache of the control side.") from error
    if actual != bundle.sha256:
        raise Failure(
            f"Expected deployment artifact bundle sha256 {bundle.sha256} but was actually {actual}; it was damaged on "
            f"its way or in the cache, {bundle.path}."
        )
