"""What a script prints, on its way from a pipe into the log."""

from __future__ import annotations

import fcntl
import os

from runner.host.lean.signals import signal
from runner.host.scripts.logs import LONGEST_LINE, ScriptsLog

_PIECE = 65536  # bytes; as much as a pipe holds at first. Larger pieces cost more: fresh memory for each
_WIDE = 1 << 20
_F_SETPIPE_SZ = 1031  # of Linux; Python names it from 3.10 on


class Stream:
    """One of the two outputs of a script, readable at *fd*, cut into lines; each goes into *log* after *prefix*."""

    def __init__(self, fd: int, prefix: bytes, log: ScriptsLog) -> None:
        self.fd = fd
        self._prefix = prefix
        self._log = log
        self._rest = b""
        self._is_wide = False

    def take(self) -> bool:
        """Log what has come. False: the output has been closed by all who had it."""
        try:
            piece = os.read(self.fd, _PIECE)
        except BlockingIOError:
            return True
        if len(piece) == _PIECE and not self._is_wide:
            self._widen()
        end = piece.rfind(b"\n") + 1
        if end:
            self._add(self._rest + piece[:end])
            self._rest = piece[end:]
        else:
            self._rest += piece
        if self._rest and (not piece or len(self._rest) > LONGEST_LINE):
            self._add(self._rest + b"\n")
            self._rest = b""
        return bool(piece)

    def _add(self, whole: bytes) -> None:
        self._log.add(self._prefix, cut(whole))

    def _widen(self) -> None:
        """It prints much: have it wait for us less often. Where that is refused, nothing is lost but time."""
        try:
            fcntl.fcntl(self.fd, _F_SETPIPE_SZ, _WIDE)
        except OSError:
            pass
        self._is_wide = True


def cut(whole: bytes) -> bytes:
    """*whole* lines, the longest of them cut into several. Looks at one byte in thousands when there is nothing to cut."""
    done, at, parts = 0, 0, []
    while len(whole) - at > LONGEST_LINE:
        end = whole.rfind(b"\n", at, at + LONGEST_LINE + 1)
        if end >= 0:
            at = end + 1
            continue
        at += LONGEST_LINE
        parts.append(whole[done:at])
        done = at
    return b"\n".join([*parts, whole[done:]])


def let_go(streams: list[Stream]) -> None:
    """Keep reading, in a process that costs next to nothing, what a daemon prints: a closed pipe would kill it."""
    for stream in streams:
        os.set_blocking(stream.fd, True)
        actions = [
            (os.POSIX_SPAWN_DUP2, stream.fd, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        try:
            os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=actions, setsigdef=[signal.SIGPIPE])
        except OSError:
            pass
        os.close(stream.fd)
