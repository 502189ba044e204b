"""Files of JSON lines, compressed: read and written a line at a time, however many there are.

Names of files may hold any bytes: what is not UTF-8 is escaped (`surrogateescape`) and so passes through JSON.
"""

from __future__ import annotations

import zlib

from runner.host.lean import plain_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Any

_PIECE = 1 << 16
_AT_ONCE = 256  # lines


class LinesFile:
    """Writes the file *path* anew. Use it as a context manager: the file is whole after that."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "wb")  # noqa: SIM115  closed by __exit__
        self._packer = zlib.compressobj(6)
        self._waiting: list[str] = []

    def add(self, line: Any) -> None:
        self._waiting.append(plain_json.dumps(line))
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def __enter__(self) -> LinesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._write()
                self._file.write(self._packer.flush())

    def _write(self) -> None:
        if self._waiting:
            self._file.write(self._packer.compress(("\n".join(self._waiting) + "\n").encode()))
            self._waiting = []


def read_lines(path: str) -> Iterator[Any]:
    """Every line of the file *path*. Raises `ValueError` when the file is damaged or ends too early."""
    rest = b""
    with open(path, "rb", buffering=0) as file:
        try:
            for piece in inflated(iter(lambda: file.read(_PIECE), b"")):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield plain_json.loads(line)
        except zlib.error as error:
            raise ValueError("{} is damaged: {}".format(path, error)) from error


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What zlib had compressed, in pieces of at most 64 KiB, however well it had. Raises `zlib.error`, also at its end."""
    unpacker = zlib.decompressobj()
    for packed in pieces:
        is_full = True
        while packed or is_full:
            piece = unpacker.decompress(packed, _PIECE)
            yield piece
            packed, is_full = unpacker.unconsumed_tail, len(piece) == _PIECE
    if not unpacker.eof:
        raise zlib.error("it ends too early")
