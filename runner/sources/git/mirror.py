"""The bare mirror of one repository on disk. It is a cache: whatever is wrong with it, it is thrown away and made anew.

One process at a time writes (a lock beside the mirror); any number of threads and processes read meanwhile. Each thread has
libgit2 objects of its own.
"""

import contextlib
import gc
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, RepositoryOpenFlag

from runner.errors import WorldError
from runner.sources.locks import exclusive

KEPT = "refs/penstock/kept/"
"""Every commit that was fetched is kept under a ref of its own name. A force-push takes nothing from us, and a branch
called `a` never stands in the way of a branch called `a/b`."""

_MOST_PACKS = 64  # every fetch leaves one; libgit2 looks through all of them for each object
_NEAR_PAST = 1000  # commits
_LOCAL = frozenset({4, 5, 6, 7, 9, 11, 14, 15, 21})
"""libgit2's error classes reference, zlib, repository, config, odb, object, tree, indexer, fetchhead (its errors.h)."""


class Mirror:
    """The bare repository at *path*, made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_file = path.with_name(f"{path.name}.lock")
        self._local = threading.local()

    def open(self) -> pygit2.Repository:
        """This thread's own handle on the mirror. Raises `WorldError` when the disk refuses."""
        held: tuple[int, pygit2.Repository] | None = getattr(self._local, "held", None)
        if held and held[0] == self._inode():
            return held[1]
        return self._reopen()

    def forget(self) -> None:
        """Let this thread open the mirror afresh next time."""
        self._local.held = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer. What a writer that was killed left behind is cleared away first."""
        with exclusive(self._lock_file) as lock:
            if os.fstat(lock).st_size:
                self._sweep()
            os.pwrite(lock, b"writing", 0)
            self._local.writing = True
            try:
                self._make_if_missing()
                yield
            finally:
                self._local.writing = False
            os.ftruncate(lock, 0)  # only in good order: after an exception (or a kill) the next writer sweeps

    def discard(self) -> None:
        """Throw the mirror away and make an empty one. Call it while `writing`."""
        doomed = self.path.with_name(f"{self.path.name}.doomed-{os.getpid()}-{threading.get_ident()}")
        with _disk(self.path):
            if self.path.exists():
                self.path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        self.forget()
        gc.collect()  # handles that nobody has: libgit2 would take the packs that they hold for new ones of the same name
        self._make_if_missing()

    def drop_superseded(self, commit_id: str) -> None:
        """Forget the names of those kept commits that *commit_id* builds on: its own name keeps them."""
        repository = self.open()
        kept = {name.removeprefix(KEPT) for name in repository.references if name.startswith(KEPT)} - {commit_id}
        if not kept or KEPT + commit_id not in repository.references:
            return
        for _, commit in zip(range(_NEAR_PAST), repository.walk(commit_id), strict=False):
            if str(commit.id) in kept and str(commit.id) != commit_id:
                repository.references.delete(KEPT + str(commit.id))

    def compact(self) -> None:
        """Make one pack out of too many."""
        folder = self.path / "objects" / "pack"
        old = list(folder.glob("pack-*.idx"))
        if len(old) <= _MOST_PACKS:
            return
        with _disk(self.path):
            staging = folder / f"penstock-{os.getpid()}"
            staging.mkdir()
            self.open().pack(staging)
            for new in sorted(staging.iterdir(), key=lambda path: path.suffix == ".idx"):  # an index is a claim: last
                new.replace(folder / new.name)
            staging.rmdir()
            kept = {path.stem for path in folder.glob("pack-*.idx")} - {path.stem for path in old}
            for index in (each for each in old if kept and each.stem not in kept):
                index.unlink()
                index.with_suffix(".pack").unlink(missing_ok=True)
        self.forget()

    def is_sound(self) -> bool:
        """Whether everything that is kept is there and can be read. Goes through all of it: only for when something is
        wrong."""
        try:
            repository = self._reopen()
            for object_id in repository.odb:
                repository.odb.read(object_id)
            return all(_is_whole(repository, repository.references[name].target) for name in repository.references)
        except (pygit2.GitError, KeyError):
            return False

    def _inode(self) -> int:
        """Changes when somebody, maybe another process, has made the mirror anew."""
        try:
            return self.path.stat().st_ino
        except OSError:
            return -1

    def _reopen(self) -> pygit2.Repository:
        inode = self._inode()
        try:
            repository = _bare(self.path)
        except (pygit2.GitError, KeyError):
            self._make()
            inode = self._inode()
            repository = _bare(self.path)
        self._local.held = (inode, repository)
        return repository

    def _make(self) -> None:
        if getattr(self._local, "writing", False):
            self._make_if_missing()
        else:
            with self.writing():
                pass

    def _make_if_missing(self) -> None:
        """A mirror appears whole, by one rename, or not at all."""
        if self._is_repository():
            return
        fresh = self.path.with_name(f"{self.path.name}.new-{os.getpid()}")
        with _disk(self.path):
            shutil.rmtree(fresh, ignore_errors=True)
            pygit2.init_repository(str(fresh), bare=True)
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
            fresh.rename(self.path)

    def _is_repository(self) -> bool:
        try:
            _bare(self.path)
        except (pygit2.GitError, KeyError):
            return False
        return True

    def _sweep(self) -> None:
        """We hold the lock, so nobody is writing: lock files and unfinished packs are a dead writer's."""
        with _disk(self.path):
            for leftover in self.path.parent.glob(f"{self.path.name}.*-*"):
                if leftover.name.startswith((f"{self.path.name}.new-", f"{self.path.name}.doomed-")):
                    shutil.rmtree(leftover, ignore_errors=True)
            for lock in self.path.rglob("*.lock"):
                lock.unlink(missing_ok=True)
            for path in (self.path / "objects" / "pack").glob("*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif not path.name.startswith("pack-") or (
                    path.suffix == ".pack" and not path.with_suffix(".idx").exists()
                ):
                    path.unlink(missing_ok=True)


def looks_like_damage(error: Exception) -> bool:
    """Whether *error*, met while fetching, may come from what lies in the mirror and not from the network."""
    return isinstance(error, KeyError) or getattr(error, "error_class", None) in _LOCAL


def _is_whole(repository: pygit2.Repository, kept: object) -> bool:
    """Whether the history of *kept* is there down to the last file. Raises what pygit2 raises when it is not."""
    seen: set[pygit2.Oid] = set()
    for commit in repository.walk(repository[str(kept)].peel(pygit2.Commit).id):
        waiting = [commit.tree_id]
        while waiting:
            object_id = waiting.pop()
            if object_id in seen:
                continue
            seen.add(object_id)
            tree = repository[object_id].peel(pygit2.Tree)
            waiting += [entry.id for entry in tree if entry.filemode == FileMode.TREE]
            files = (entry.id for entry in tree if entry.filemode not in (FileMode.TREE, FileMode.COMMIT))
            if not all(each in repository for each in files):
                return False
    return True


def _bare(path: Path) -> pygit2.Repository:
    return pygit2.Repository(str(path), RepositoryOpenFlag.BARE | RepositoryOpenFlag.NO_SEARCH)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """What the disk refuses while we tend the mirror at *path*, as our own error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WorldError(f"cannot write the mirror {path}: {error.strerror or error}") from error
    except pygit2.GitError as error:
        raise WorldError(f"cannot write the mirror {path}: {error}") from error
