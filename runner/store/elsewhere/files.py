"""What is in the state folder beside the database, and must not be lost: small files, and bundles.

Whose signatures count decides what is deployed. A rollback may need a bundle or a document that its source has lost: the
checkout of a job often holds one commit. Mirrors of repositories and the logs of scripts stay behind.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from runner.errors import WorldError
from runner.log import get_logger
from runner.ports.state_objects import StateObjects
from runner.store.elsewhere.piece import SmallFile

_SMALL = ("signatures/*/trusted", "signatures/*/accepted/*", "bundles/*.json", "bundles/index/*", "documents/*")
LARGEST = 256 * 1024 * 1024  # bytes; a bundle that is larger is fetched from its source again


class Files:
    """Of the copy in *folder*."""

    def __init__(self, folder: Path, objects: StateObjects) -> None:
        self._folder, self._objects = folder, objects
        self._known: dict[str, tuple[int, int]] = {}  # path: when it was modified, and its size

    def restore(self, files: Mapping[str, SmallFile | None]) -> None:
        """Raises `WorldError` for a path that none of ours has."""
        for path, small in files.items():
            if not _is_ours(path):
                raise WorldError(
                    f"the state {self._objects.address} is damaged: it holds a file {path!r}", retryable=False
                )
            file = self._folder / path
            if small is None:
                file.unlink(missing_ok=True)
                continue
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_bytes(small.content)
            os.utime(file, ns=(small.modified_at, small.modified_at))
        self._known = self._there()

    def changes(self) -> dict[str, SmallFile | None]:
        """Small files as they are now, if they are not as they were at the last `told`; None: gone."""
        there = self._there()
        changed = (path for path, mark in there.items() if self._known.get(path) != mark)
        files = {path: small for path in changed if (small := self._read(path)) is not None}
        return {**files, **{path: None for path in self._known if path not in there}}

    def told(self, files: Mapping[str, SmallFile | None]) -> None:
        """*files* are written elsewhere by now."""
        for path, small in files.items():
            if small is None:
                self._known.pop(path, None)
            else:
                self._known[path] = (small.modified_at, len(small.content))

    def all(self) -> dict[str, SmallFile | None]:
        return {path: small for path in self._there() if (small := self._read(path)) is not None}

    def put_bundles(self, files: Mapping[str, SmallFile | None]) -> None:
        """The archives that *files* tell of, before these. By content: what is there already is the same."""
        for path in files:
            archive = self._folder / path.removesuffix(".json")
            if not path.endswith(".json") or not archive.is_file() or archive.stat().st_size > LARGEST:
                continue
            name = f"bundles/{archive.name}"
            if not self._objects.names(name):
                self._objects.create(name, archive.read_bytes())

    def bring_bundle(self, archive: Path) -> bool:
        """Fetch *archive*, which is to be in the cache of bundles and is not. False: it is not kept, or was spoilt."""
        found = self._objects.find(f"bundles/{archive.name}")
        if found is None or hashlib.sha256(found.content).hexdigest() != archive.name.partition(".")[0]:
            return False
        part = archive.with_name(f".{archive.name}.{os.getpid()}")
        part.write_bytes(found.content)
        part.replace(archive)
        get_logger().debug("bundle fetched from the state", bundle=archive.name)
        return True

    def given_up_bundles(self) -> list[str]:
        """Names of those that the cache has no more."""
        wanted = {f"bundles/{each.stem}" for each in (self._folder / "bundles").glob("*.json")}
        return [each for each in self._objects.names("bundles/") if each not in wanted]

    def _there(self) -> dict[str, tuple[int, int]]:
        return dict(self._look())

    def _look(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for pattern in _SMALL:
            for file in self._folder.glob(pattern):
                try:
                    found = file.stat()
                except FileNotFoundError:  # pruned meanwhile
                    continue
                if not file.name.startswith("."):  # half-written
                    yield file.relative_to(self._folder).as_posix(), (found.st_mtime_ns, found.st_size)

    def _read(self, path: str) -> SmallFile | None:
        try:
            with (self._folder / path).open("rb") as file:
                return SmallFile(os.fstat(file.fileno()).st_mtime_ns, file.read())
        except FileNotFoundError:
            return None


def _is_ours(path: str) -> bool:
    """Whether it stays in the folder, and is a name that is written there."""
    named = PurePosixPath(path)
    return not named.is_absolute() and ".." not in named.parts and any(named.match(each) for each in _SMALL)
