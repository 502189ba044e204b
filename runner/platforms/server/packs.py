"""The packs of bundles, each made once however many hosts ask for it at the same time, and kept as long as its bundle."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from runner.errors import WorldError
from runner.model.revision import Bundle
from runner.platforms.server.packing import ENTRY, Place, index_of, make_pack, place_in, places_of
from runner.threads import in_thread

Ranges: TypeAlias = list[tuple[int, int]]
"""Numbers of contents: from the first up to, and without, the second."""

_PIECE = 1 << 18
_OPEN_PACKS = 8  # whose index is kept in memory, 6 MB for 100,000 contents
_LOOK_AT = 4  # of the newest packs, for contents that need not be compressed again


class Pack:
    """The pack in *folder*. Its files may go while it is in use; then `OSError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.listing = folder / "listing"
        self._index = index_of(folder)

    def length(self, ranges: Ranges) -> int:
        """Bytes that the contents of *ranges* are when they are sent. Raises `IndexError`: there are no such contents."""
        return sum(place.length for place in self._places(ranges))

    def pieces(self, ranges: Ranges) -> Iterator[bytes]:
        """What is sent for *ranges*, in pieces."""
        with contextlib.ExitStack() as opened:
            files: dict[Path, int] = {}
            for file, offset, length in _joined(self._places(ranges)):
                if file not in files:
                    files[file] = opened.enter_context(file.open("rb", buffering=0)).fileno()
                yield from _slice(files[file], offset, length)

    def _places(self, ranges: Ranges) -> Iterator[Place]:
        for first, end in ranges:
            if not 0 <= first < end <= len(self._index) // ENTRY.size:
                raise IndexError(first)
            for number in range(first, end):
                yield place_in(self._folder, self._index, number)


class Packs:
    """The packs in *folder*; None: in a folder `packs` beside each bundle. Several processes may share it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._packs: dict[tuple[str, str], asyncio.Task[Pack]] = {}  # the one asked for last is the last

    async def pack_of(self, bundle: Bundle) -> Pack:
        """The pack of *bundle*, made now unless it is there.

        Raises `Failure`, in the words of a host, when no host could unpack the bundle; `WorldError`.
        """
        key = (bundle.sha256, bundle.bundle_type)
        task = self._packs.get(key)
        if task is None or (task.done() and not _is_good(task)):
            folder = self._folder or Path(bundle.path).parent / "packs"
            task = asyncio.create_task(in_thread(lambda: _open(bundle, folder)))
        self._packs.pop(key, None)
        self._packs[key] = task
        for old in list(self._packs)[:-_OPEN_PACKS]:
            if self._packs[old].done():
                del self._packs[old]
        return await asyncio.shield(task)  # one who stops waiting does not stop it for the others


def _is_good(task: "asyncio.Task[Pack]") -> bool:
    return not task.cancelled() and task.exception() is None and task.result().listing.exists()


def _open(bundle: Bundle, folder: Path) -> Pack:
    final = folder / f"{bundle.sha256}.{bundle.bundle_type}"
    try:
        with contextlib.suppress(FileNotFoundError, struct.error):
            return Pack(final)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _prune(folder)
        _make(bundle, folder, final)
        return Pack(final)
    except OSError as error:
        raise WorldError(f"the bundle cannot be packed in {folder}: {error}") from error


def _make(bundle: Bundle, folder: Path, final: Path) -> None:
    with _unfinished(folder) as made:
        make_pack(bundle, made, _known(folder))
        if final.exists() and not _is_whole(final):
            shutil.rmtree(final)
        try:
            made.rename(final)
        except OSError:
            if not final.exists():  # another process was faster
                raise


_UNFINISHED = "unfinished-"


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder to work in, locked, so that other processes see that somebody does; removed unless it was renamed."""
    with contextlib.ExitStack() as until_the_end:
        with _locked(folder):  # nobody may look for what the dead left between its making and its lock
            made = Path(tempfile.mkdtemp(dir=folder, prefix=_UNFINISHED))
            until_the_end.callback(shutil.rmtree, made, ignore_errors=True)
            until_the_end.enter_context(_locked(made))
        yield made


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """*how*: `LOCK_NB` raises `BlockingIOError` when another process has the lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)


def _prune(folder: Path) -> None:
    """Remove the packs whose bundle has gone, and what dead processes left unfinished."""
    with _locked(folder):
        for pack in folder.iterdir():
            with contextlib.suppress(OSError):
                if pack.name.startswith(_UNFINISHED):
                    with _locked(pack, fcntl.LOCK_NB):
                        shutil.rmtree(pack)
                elif not Path(os.fsdecode((pack / "bundle").read_bytes())).exists():
                    shutil.rmtree(pack)


def _known(folder: Path) -> dict[bytes, Place]:
    ages: dict[Path, int] = {}
    for pack in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # finished, or pruned, by another process just now
            if not pack.name.startswith(_UNFINISHED):
                ages[pack] = pack.stat().st_mtime_ns
    newest = sorted(ages, key=ages.__getitem__)[-_LOOK_AT:]
    known: dict[bytes, Place] = {}
    for pack in newest:
        with contextlib.suppress(OSError, struct.error):
            known.update(places_of(pack))
    return known


def _is_whole(pack: Path) -> bool:
    try:
        Pack(pack)
    except (OSError, struct.error):
        return False
    return True


def _joined(places: Iterator[Place]) -> Iterator[tuple[Path, int, int]]:
    """File, offset and length of what is to be sent; places that follow each other are one."""
    now: tuple[Path, int, int] | None = None
    for place in places:
        if now and (now[0], now[1] + now[2]) == (place.file, place.offset):
            now = (now[0], now[1], now[2] + place.length)
            continue
        if now:
            yield now
        now = (place.file, place.offset, place.length)
    if now:
        yield now


def _slice(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    while length:
        piece = os.pread(descriptor, min(_PIECE, length), offset)
        if not piece:
            raise OSError("a pack is shorter than it was")
        offset, length = offset + len(piece), length - len(piece)
        yield piece
