"""Reads a log that is kept in pieces, by positions in the whole of it, which stay true however often it was rotated.

PATH is the piece that is written to; an older one is PATH.START, START being the position of its first byte.
"""

from __future__ import annotations

import os


def older(path: str) -> list[tuple[int, str]]:
    """The start and the path of every piece that was set aside, oldest first."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    starts = [each[len(name) + 1 :] for each in names if each.startswith(name + ".")]
    return sorted((int(start), path + "." + start) for start in starts if start.isdigit())


def start_of(path: str) -> int:
    """The position at which the piece that is written to begins."""
    for start, piece in older(path)[-1:]:
        return start + size_of(piece)
    return 0


def end_of(path: str) -> int:
    """How much has been written in all; only the writer can rely on it."""
    return start_of(path) + size_of(path)


def size_of(path: str) -> int:
    """Bytes in the file *path*, 0 when there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


class Pieces:
    """Reads the log at *path* while another process may write and rotate it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self._start = 0
        self._end: int | None = None  # of a piece that was set aside

    def read(self, position: int, most: int) -> tuple[bytes, int]:
        """At most *most* bytes from *position*, and where they really begin: further on when those there are gone.

        Nothing when *position* is the end.
        """
        while True:
            if self._fd < 0 or position < self._start or position == self._end:
                position = self._open(position)
            if self._fd < 0:
                return b"", position
            piece = os.pread(self._fd, most, position - self._start)
            if piece or self._is_newest():
                return piece, position
            self.close()  # it was set aside; more may have come to it before that

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _is_newest(self) -> bool:
        try:
            return self._end is None and os.stat(self._path).st_ino == os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return False

    def _open(self, position: int) -> int:
        """Open the piece that holds *position*, or else the first after it. Returns the position that is now there."""
        self.close()
        while True:
            for start, piece in older(self._path):
                end = start + size_of(piece)
                if position < end and self._open_file(piece, start, end):
                    return max(position, start)
            if not self._open_file(self._path, 0, None):
                return position
            self._start = start_of(self._path)
            if self._is_newest():  # else it was set aside between the two looks
                return max(position, self._start)
            self.close()

    def _open_file(self, path: str, start: int, end: int | None) -> bool:
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        self._start, self._end = start, end
        return True
