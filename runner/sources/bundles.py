"""The cache of bundles: archives named by the SHA-256 of their content, and an index of which revision is which.

bundles/<sha256>.<type>         the archive; it never changes
bundles/<sha256>.<type>.json    what its inspection found; an archive without this was never accepted
bundles/index/<hash of key>     which archive a revision is
bundles/incoming/               archives on their way; each is locked by whoever writes it
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import IO, TypeAlias

from runner.errors import InvalidRevision, WorldError
from runner.model.revision import Bundle, BundleType
from runner.sources.archive import Limits, members, sound
from runner.sources.inspection import Contents, inspect, link_target, normal_name
from runner.sources.locks import exclusive

LONGEST_READ = 16 * 1024 * 1024  # bytes; of a file that is read out of a bundle
_MOST_LINKS = 8
_LOCKS = 64  # lock files; two revisions may share one, and then wait for each other


class Incoming:
    """An archive being written: hashes what passes."""

    def __init__(self, file: IO[bytes], folder: Path) -> None:
        self._file, self._folder = file, folder
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.expected = 0

    def expect(self, size: int) -> None:
        """Say how many bytes will come. Raises `WorldError` when the disk has no room for them."""
        self.expected = size
        if shutil.disk_usage(self._folder).free < size:
            raise no_space(self._folder, size)

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)


Writer: TypeAlias = Callable[[Incoming], None]
"""Writes one archive. What it raises is raised to everybody who asked for it."""


class Bundles:
    """The cache in *folder*. Safe for threads and for several processes."""

    def __init__(
        self, folder: Path, limits: Limits | None = None, bring_back: Callable[[Path], bool] = lambda archive: False
    ) -> None:
        """*bring_back*: of archives that were accepted and are not on this disk; False: it cannot."""
        self._folder, self._limits, self._bring_back = folder, limits or Limits(), bring_back
        self._coming: dict[str, Future[Bundle]] = {}
        self._guard = threading.Lock()
        self._swept = False

    def find(self, key: str) -> Bundle | None:
        """The bundle that *key* names, if it is here."""
        try:
            entry = json.loads(self._entry(key).read_text())
            path = self._folder / f"{entry['sha256']}.{entry['bundle_type']}"
            if not path.exists() and _found(path).exists() and not self._bring_back(path):
                return None
            if path.stat().st_size != entry["size"]:
                return None
            os.utime(_found(path))  # the time of its last use, for `prune`
        except (OSError, ValueError, KeyError):
            return None
        return Bundle(path=str(path), **entry)

    def get(self, key: str, bundle_type: BundleType, write: Writer, *, label: str) -> Bundle:
        """The bundle that *key* names, written by *write* unless it is here. Written once, however many ask meanwhile.

        *label*: what people call it.

        Raises `InvalidRevision` for an archive that is damaged or hostile, `WorldError` when the disk refuses.
        """
        found = self.find(key)
        if found:
            return found
        with self._guard:
            coming = self._coming.get(key)
            mine = coming is None
            if coming is None:
                coming = self._coming[key] = Future()
        if mine:
            self._fulfil(coming, lambda: self._bring(key, bundle_type, write, label), key)
        return coming.result()

    def name(self, key: str, bundle: Bundle) -> None:
        """Let *key* name *bundle* too."""
        entry = {"bundle_type": bundle.bundle_type, "sha256": bundle.sha256, "size": bundle.size}
        with disk(self._folder):
            write_whole(self._entry(key), json.dumps(entry))

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        """One file of the bundle, None if absent. A single top folder that holds the AppSpec is looked through."""
        path = Path(bundle.path)
        top = self._contents(path).top
        wanted = normal_name(f"{top}/{name}" if top else name)
        for _ in range(_MOST_LINKS):
            content, follow = self._look_up(path, bundle.bundle_type, wanted)
            if not follow:
                return content
            wanted = follow
        raise InvalidRevision(f"{name} in the bundle is a link that leads from link to link")

    def prune(self, keep: int, in_use: Collection[str]) -> int:
        """Remove all but the *keep* bundles used last and those whose SHA-256 is *in_use*. Returns how many went.

        Give *keep* at least 1: a bundle that another thread was handed just now may not be *in_use* yet.
        """
        with disk(self._folder), exclusive(self._folder / "prune.lock"):
            accepted = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            idle = [path for path in accepted if path.name.partition(".")[0] not in in_use]
            doomed = idle[keep:]
            for found in doomed:
                found.unlink(missing_ok=True)
                found.with_suffix("").unlink(missing_ok=True)
            for entry in (self._folder / "index").glob("*"):
                if not self._leads_somewhere(entry):
                    entry.unlink(missing_ok=True)
        return len(doomed)

    def _fulfil(self, coming: "Future[Bundle]", bring: Callable[[], Bundle], key: str) -> None:
        try:
            coming.set_result(bring())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
            coming.set_exception(error)
        finally:
            with self._guard:
                del self._coming[key]

    def _bring(self, key: str, bundle_type: BundleType, write: Writer, label: str) -> Bundle:
        with disk(self._folder):
            (self._folder / "index").mkdir(parents=True, exist_ok=True)
            (self._folder / "incoming").mkdir(exist_ok=True)
        self._sweep_once()
        number = int(_digest(key)[:8], 16) % _LOCKS
        with exclusive(self._folder / "locks" / str(number)):
            found = self.find(key)  # another process may have brought it while we waited
            if found:
                return found
            bundle = self._accept(bundle_type, write, label)
            self.name(key, bundle)
            return bundle

    def _accept(self, bundle_type: BundleType, write: Writer, label: str) -> Bundle:
        with disk(self._folder), self._incoming_file() as (file, path):
            incoming = Incoming(file, self._folder)
            with _needing(self._folder, incoming):
                write(incoming)
                file.flush()
                os.fsync(file.fileno())
            contents = self._inspected(path, bundle_type, label)
            final = self._folder / f"{incoming.sha256.hexdigest()}.{bundle_type}"
            path.replace(final)
            write_whole(_found(final), json.dumps(asdict(contents)))
            return Bundle(
                path=str(final), bundle_type=bundle_type, sha256=incoming.sha256.hexdigest(), size=incoming.size
            )

    def _inspected(self, path: Path, bundle_type: BundleType, label: str) -> Contents:
        try:
            return inspect(path, bundle_type, self._limits)
        except InvalidRevision as error:
            raise InvalidRevision(f"{label} cannot be deployed: {error}") from error

    @contextlib.contextmanager
    def _incoming_file(self) -> Iterator[tuple[IO[bytes], Path]]:
        """A file that is gone afterwards unless it was moved to its place."""
        folder = self._folder / "incoming"
        with exclusive(self._folder / "incoming.lock"):
            descriptor, name = tempfile.mkstemp(dir=folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # alive: see _sweep_once
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _sweep_once(self) -> None:
        """Remove what processes that were killed left half-written. Those alive hold a lock on theirs."""
        if self._swept:
            return
        self._swept = True
        with disk(self._folder), exclusive(self._folder / "incoming.lock"):
            for path in (self._folder / "incoming").iterdir():
                with path.open("rb") as file, contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)

    def _contents(self, path: Path) -> Contents:
        try:
            return Contents(**json.loads(_found(path).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise WorldError(
                f"the bundle {path.name} is no longer in the cache {self._folder}; fetch it again"
            ) from error

    def _look_up(self, path: Path, bundle_type: BundleType, wanted: str) -> tuple[bytes | None, str | None]:
        """The member's content, or the name of the member that it links to."""
        with disk(self._folder), sound(bundle_type):
            for member in members(path, bundle_type, self._limits):
                if normal_name(member.name) != wanted:
                    continue
                if member.kind == "link":
                    return None, link_target(wanted, member.target)
                if member.kind == "hard link":
                    return None, normal_name(member.target)
                if member.kind != "file":
                    return None, None
                if member.size > LONGEST_READ:
                    raise InvalidRevision(
                        f"{wanted} in the bundle is {member.size} bytes long; {LONGEST_READ} may be read"
                    )
                with member.content() as stream:
                    return stream.read(), None
        return None, None

    def _leads_somewhere(self, entry: Path) -> bool:
        try:
            content = json.loads(entry.read_text())
            return _found(self._folder / f"{content['sha256']}.{content['bundle_type']}").exists()
        except (OSError, ValueError, KeyError):
            return False

    def _entry(self, key: str) -> Path:
        return self._folder / "index" / _digest(key)


def no_space(folder: Path, needed: int) -> WorldError:
    """The error of a full disk."""
    free = shutil.disk_usage(folder).free
    wants = f"{needed} bytes are needed, " if needed else ""
    return WorldError(f"no space left for the bundle in {folder}: {wants}{free} are free")


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[None]:
    """What the disk below *folder* refuses, as our own error."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(folder, 0) from error
        raise WorldError(f"the bundle cache {folder} cannot be used: {error}") from error


@contextlib.contextmanager
def _needing(folder: Path, incoming: Incoming) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(folder, max(incoming.expected, incoming.size)) from error
        raise


def _found(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def write_whole(path: Path, text: str | bytes) -> None:
    """All of it or nothing, also when the power fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
