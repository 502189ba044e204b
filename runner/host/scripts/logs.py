"""Writes the logs of scripts while they print. Both are rotated while they are written, so neither can fill a disk.

scripts.log, one per deployment, is read back by positions in the whole of it (`pieces`); penstock-deployments.log, one per
host and shared by all that deploy there, is for people, and its older files are `.1`, `.2` ...
"""

from __future__ import annotations

import fcntl
import os
import time

from runner.host.layout import Layout
from runner.host.request import Limits
from runner.host.scripts import pieces

LONGEST_LINE = 32768  # bytes; longer ones are cut into several
STAMP = 20  # bytes of "YYYY-MM-DD HH:MM:SS "
_MOST_OF_ALL, _KEPT_OF_ALL = 64 << 20, 8  # penstock-deployments.log: bytes of a file, files
_LOOK_EVERY = 1 << 20  # bytes written to penstock-deployments.log between two looks at its size


class ScriptsLog:
    """Adds lines to scripts.log of one deployment and to the host's log of all of them.

    A full disk loses lines here; it never stops a script.
    """

    def __init__(self, layout: Layout, deployment: str, limits: Limits) -> None:
        self._own = _Own(layout.scripts_log, limits.log_piece, limits.log_pieces)
        self._all = _All(layout.deployments_log, _MOST_OF_ALL, _KEPT_OF_ALL)
        self._deployment = deployment.encode()

    def add(self, prefix: bytes, lines: bytes) -> None:
        """Add *lines*, the last of which is finished too, each after this host's local time and *prefix*."""
        seconds = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)).encode()
        exact = b"[%s.%03d] [%s]" % (stamp, int(seconds * 1000) % 1000, self._deployment)
        self._own.write(_before_each(stamp + b" " + prefix, lines))
        self._all.write(_before_each(exact + prefix, lines))

    def close(self) -> None:
        self._own.close()
        self._all.close()


def _before_each(head: bytes, lines: bytes) -> list[bytes | memoryview]:
    """*lines*, each after *head*, as pieces of one write: output may be large, so it is copied as rarely as possible."""
    return [head, memoryview(lines.replace(b"\n", b"\n" + head))[: -len(head)]]


class _Own:
    """The log of one deployment. Only one process at a time writes it: the one that holds the group's lock."""

    def __init__(self, path: str, most: int, keep: int) -> None:
        self._path, self._most, self._keep = path, most, keep
        self._fd = _open_for_lines(path)
        self._size = os.fstat(self._fd).st_size

    def write(self, content: list[bytes | memoryview]) -> None:
        if self._size and self._size + sum(map(len, content)) > self._most:
            self._set_aside()
        self._size += _write(self._fd, content)

    def close(self) -> None:
        os.close(self._fd)

    def _set_aside(self) -> None:
        try:
            os.rename(self._path, "{}.{}".format(self._path, pieces.start_of(self._path)))
            older = pieces.older(self._path)
            for _, oldest in older[: max(0, len(older) + 1 - self._keep)]:
                os.unlink(oldest)
            fd = _open_for_lines(self._path)
        except OSError:
            return  # then it grows; losing it would be worse
        os.close(self._fd)
        self._fd, self._size = fd, 0


class _All:
    """The log of all deployments of this host. Any number of processes write it, and any of them may rotate it."""

    def __init__(self, path: str, most: int, keep: int) -> None:
        self._path, self._most, self._keep = path, most, keep
        self._fd = _open_for_lines(path)
        self._unseen = _LOOK_EVERY

    def write(self, content: list[bytes | memoryview]) -> None:
        if self._unseen >= _LOOK_EVERY:
            self._unseen = 0
            self._follow()
        self._unseen += _write(self._fd, content)

    def close(self) -> None:
        os.close(self._fd)

    def _follow(self) -> None:
        """Rotate the log if it is too large, and go over to the new file, whoever made it."""
        try:
            rotate(self._path, self._fd, self._most, self._keep)
            if not _is_at(self._fd, self._path):
                fd = _open_for_lines(self._path)
                os.close(self._fd)
                self._fd = fd
        except OSError:
            pass


def rotate(path: str, fd: int, most: int, keep: int) -> None:
    """Set the log *path*, open as *fd*, aside as `.1`, `.2` ... if it is larger than *most* bytes; *keep* files in all."""
    if os.fstat(fd).st_size <= most:
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        if not _is_at(fd, path):
            return  # another process was faster
        for number in range(keep - 1, 0, -1):
            before = path if number == 1 else "{}.{}".format(path, number - 1)
            if os.path.exists(before):
                os.replace(before, "{}.{}".format(path, number))
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False


def _open_for_lines(path: str) -> int:
    """Open for adding lines; a last line that a crash left unfinished is finished first."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        _write(fd, [b"\n"])
    return fd


def _write(fd: int, content: list[bytes | memoryview]) -> int:
    try:
        return os.writev(fd, content)
    except OSError:
        return 0
