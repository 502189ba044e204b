"""Asks the control side, in the middle of a request, for what the host needs of a bundle.

    host     {"id": 1, "need": "listing"}
    control  {"id": 1, "listing": N}           and N bytes: the listing, see `runner.host.bundles.listing`
    host     {"id": 1, "need": [[3, 7], ...]}  contents 3 up to, and without, 7, and so on in order
    control  {"id": 1, "content": N}           and N bytes: these contents, in order

While the control side prepares an answer it sends {"id": 1, "wait": true} now and then; when it never can, because of
the bundle, {"id": 1, "failure": "why"}. Each content is a byte, 1 when zlib has compressed it, its length in eight
bytes, highest first, and that many bytes.
"""

from __future__ import annotations

import struct

from runner.host.outcome import Failure
from runner.host.wire import HungUp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runner.host.wire import Wire

FRAME = struct.Struct(">BQ")
RAW, ZLIB = 0, 1

_PIECE = 1 << 16


class Exchange:
    """Asks about request *number* on *wire*.

    Every method raises `HungUp` when the control side is gone, or silent for *patience* seconds; `Failure` when it has
    no sound bundle to give.
    """

    def __init__(self, wire: Wire, number: int, patience: float) -> None:
        self._wire = wire
        self._number = number
        self._patience = patience

    def listing_into(self, path: str) -> None:
        """Write the listing of the request's bundle to the file *path*."""
        self._ask("listing", "listing")
        with open(path, "wb") as file:
            while self._wire.owed:
                file.write(self._wire.take(_PIECE, self._patience))

    def ask_for(self, ranges: list[list[int]]) -> None:
        """Ask for contents; then take them one after the other, with `next_content`."""
        self._ask(ranges, "content")

    def next_content(self) -> tuple[bool, Iterator[bytes]]:
        """The next content, a piece at a time, which has to be read to its end. True: it is compressed."""
        header = b""
        while len(header) < FRAME.size:
            header += self._some(FRAME.size - len(header))
        packing, length = FRAME.unpack(header)
        return packing == ZLIB, self._pieces(length)

    def _pieces(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self._some(min(_PIECE, length))
            length -= len(piece)
            yield piece

    def _some(self, most: int) -> bytes:
        piece = self._wire.take(most, self._patience)
        if not piece:
            raise Failure("The control side announced more of the bundle's contents than it sent.")
        return piece

    def _ask(self, what: Any, answer: str) -> None:
        self._wire.send({"id": self._number, "need": what}, self._patience)
        while True:
            try:
                message = self._wire.receive(self._patience)
            except ValueError as error:
                raise HungUp from error
            if not isinstance(message, dict):
                raise HungUp
            if "failure" in message:
                raise Failure(message["failure"])
            if answer in message:
                self._wire.owed = int(message[answer])
                return
