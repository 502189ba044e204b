"""A folder that is gone afterwards, however this process ends. It lies outside of what deployments touch."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "penstock-check-"
_REMOVE = 'trap "" HUP INT TERM; cat; chmod -R u+rwX "$1"; rm -rf "$1"'
_OLD = 60.0  # seconds; younger ones may not be locked yet


class Scratch:
    """A new folder below *parent*, for use in a `with` statement.

    A shell that waits for our end removes it, so that not even SIGKILL leaves it behind. What a crash of the whole
    machine leaves, the next one removes.
    """

    def __init__(self, parent: str | None = None) -> None:
        self._parent = parent or _roomy()

    def __enter__(self) -> str:
        _sweep(self._parent)
        self._folder = tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent)
        self._lock = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        awaited, self._alive = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, awaited, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        command = ["/bin/sh", "-c", _REMOVE, "sh", self._folder]
        self._remover = os.posix_spawn(command[0], command, os.environ, file_actions=actions, setpgroup=0)
        os.close(awaited)
        return self._folder

    def __exit__(self, *error: object) -> None:
        os.close(self._alive)
        os.waitpid(self._remover, 0)
        os.close(self._lock)


def _roomy() -> str:
    """On disk, where there is one: `/tmp` is memory on many hosts."""
    return "/var/tmp" if os.access("/var/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()


def _sweep(parent: str) -> None:
    for folder in _leftovers(parent):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # somebody is at work there
            pass
        finally:
            os.close(lock)


def _leftovers(parent: str) -> Iterator[str]:
    with os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                status = entry.stat(follow_symlinks=False)
                if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _OLD:
                    yield entry.path
