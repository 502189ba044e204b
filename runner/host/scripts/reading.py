"""Reads scripts.log back: in pieces for the control side, and its tail for the diagnostics."""

from __future__ import annotations

from runner.host.scripts.logs import STAMP
from runner.host.scripts.pieces import Pieces, end_of

PIECE = 65536  # bytes, and more than the longest line
_TAIL = 2048  # characters, and always fewer


class Log:
    """The scripts.log at *path*, read by positions in the whole of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._pieces = Pieces(path)

    def lines(self, position: int, end: int | None = None) -> tuple[str, int]:
        """Whole lines from *position*, at most some 64 KiB and none beyond *end*, without their time; and what follows.

        A line of ours takes the place of those that rotation has removed.
        """
        most = PIECE if end is None else min(PIECE, end - position)
        if most <= 0:
            return "", position
        piece, begin = self._pieces.read(position, most)
        whole = piece[: piece.rfind(b"\n") + 1]
        gone = "" if begin == position else _gone(begin - position, self.path)
        if not whole:
            return gone, begin
        text = b"".join([line[STAMP:] + b"\n" for line in whole[:-1].split(b"\n")])
        return gone + text.decode("utf-8", "replace"), begin + len(whole)

    def close(self) -> None:
        self._pieces.close()


def _gone(count: int, path: str) -> str:
    return "[warning]{} bytes of the output are missing here: {} was rotated before they could be sent\n".format(
        count, path
    )


def tail(path: str, start: int) -> str:
    """The last whole lines after position *start*, fewer than 2048 characters; "" when the very last is longer."""
    begin = max(start, end_of(path) - 2 * PIECE)
    log = Log(path)
    text = ""
    while True:
        more, begin = log.lines(begin)
        if not more:
            break
        text = (text + more)[-PIECE:]
    log.close()
    kept: list[str] = []
    room = _TAIL
    for line in reversed(text.split("\n")[:-1]):
        room -= len(line) + 1
        if room <= 0:
            break
        kept.insert(0, line + "\n")
    return "".join(kept)
