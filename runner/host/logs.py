"""The logs of scripts: written as they print, read back from any offset, and their tail for the diagnostics."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from runner.host.layout import Layout

LONGEST_LINE = 32768  # bytes; longer ones are cut into several
_STAMP = 20  # "YYYY-MM-DD HH:MM:SS "
_TAIL = 2048  # characters, and always fewer
_PIECE = 65536


class ScriptsLog:
    """Adds lines to scripts.log of one deployment and to the host's log of all of them.

    A full disk loses lines here; it never stops a script.
    """

    def __init__(self, layout: Layout, deployment: str) -> None:
        self._own = _open_for_lines(layout.scripts_log)
        self._all = _open_for_lines(layout.deployments_log)
        self._deployment = deployment.encode()

    def add(self, lines: Iterable[bytes]) -> None:
        """Add *lines*, which carry no newline, stamped with this host's local time."""
        seconds = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)).encode()
        exact = b"[%s.%03d] [%s]" % (stamp, int(seconds * 1000) % 1000, self._deployment)
        lines = list(lines)
        _write(self._own, b"".join([stamp + b" " + line + b"\n" for line in lines]))
        _write(self._all, b"".join([exact + line + b"\n" for line in lines]))

    def close(self) -> None:
        os.close(self._own)
        os.close(self._all)


def size_of(path: str) -> int:
    """Bytes in the file *path*, 0 when there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def read_lines(path: str, offset: int) -> tuple[str, int]:
    """Whole lines of scripts.log from *offset*, at most some 64 KiB, without their time; and the offset after them."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            piece = file.read(_PIECE)
    except FileNotFoundError:
        return "", offset
    whole = piece[: piece.rfind(b"\n") + 1]
    if not whole:
        return "", offset
    text = b"".join([line[_STAMP:] + b"\n" for line in whole[:-1].split(b"\n")])
    return text.decode("utf-8", "replace"), offset + len(whole)


def tail(path: str, start: int) -> str:
    """The last whole lines after offset *start*, fewer than 2048 characters; "" when the very last is longer."""
    begin = max(start, size_of(path) - 2 * _PIECE)
    text = ""
    while True:
        more, begin = read_lines(path, begin)
        if not more:
            break
        text = (text + more)[-_PIECE:]
    kept: list[str] = []
    room = _TAIL
    for line in reversed(text.split("\n")[:-1]):
        room -= len(line) + 1
        if room <= 0:
            break
        kept.insert(0, line + "\n")
    return "".join(kept)


def rotate(path: str, most: int = 64 << 20, keep: int = 8) -> None:
    """Set the log *path* aside as `.1`, `.2` ... once it is larger than *most* bytes; *keep* files in all."""
    if size_of(path) <= most:
        return
    for number in range(keep - 1, 0, -1):
        older = path if number == 1 else "{}.{}".format(path, number - 1)
        if os.path.exists(older):
            os.replace(older, "{}.{}".format(path, number))


def _open_for_lines(path: str) -> int:
    """Open for adding lines; a last line that a crash left unfinished is finished first."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        _write(fd, b"\n")
    return fd


def _write(fd: int, content: bytes) -> None:
    try:
        os.write(fd, content)
    except OSError:
        pass
