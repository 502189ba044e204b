"""The body of a delivery: hashed as it comes, kept only while it is small. Nobody is known yet who sends it."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from runner.api.asgi import Receive
from runner.api.awsjson.exchange import HungUp
from runner.api.webhooks.refusal import Refusal

LARGEST = 5 << 20  # bytes. GitHub would send 25 MB; a push of a thousand commits has a tenth of this
KEPT = 256 << 10  # bytes of one body; a larger one is verified all the same, but nothing is read out of it
KEPT_OF_ALL = 32 << 20  # bytes of all bodies that are arriving
SLOWEST = 20.0  # seconds for a body to arrive; senders give up after 10


def too_large() -> Refusal:
    return Refusal(413, f"the body may have {LARGEST} bytes; the repository is polled all the same")


class Kept:
    """A body that is here. *macs*: begun with each key; *before*: what is signed in front of it."""

    __slots__ = ("_before", "_macs", "content")

    def __init__(self, macs: "Sequence[hmac.HMAC]", before: bytes, content: bytes) -> None:
        self.content, self._macs, self._before = content, macs, before

    def is_signed(self, given: bytes) -> bool:
        """Whether *given*, `sha256=` and hex, is its signature by one of the keys."""
        return _is_one_of(given, map(self._signed, self._macs))

    def sha256(self) -> str:
        """In hex."""
        return hashlib.sha256(self.content).hexdigest()

    def _signed(self, begun: "hmac.HMAC") -> "hmac.HMAC":
        mac = begun.copy()
        if self._before:
            mac.update(self._before)
        mac.update(self.content)
        return mac


class Hashed:
    """A body that is too large to keep; everything of it goes through `update`."""

    content: None = None

    def __init__(self, macs: "Sequence[hmac.HMAC]", before: bytes) -> None:
        self._macs, self._plain = [mac.copy() for mac in macs], hashlib.sha256()
        for mac in self._macs:
            mac.update(before)

    def update(self, piece: bytes) -> None:
        self._plain.update(piece)
        for mac in self._macs:
            mac.update(piece)

    def is_signed(self, given: bytes) -> bool:
        """As of one that was kept."""
        return _is_one_of(given, self._macs)

    def sha256(self) -> str:
        """In hex."""
        return self._plain.hexdigest()


Body: TypeAlias = Kept | Hashed


def _is_one_of(given: bytes, macs: "Iterable[hmac.HMAC]") -> bool:
    """Each is compared in constant time, and whoever signed with none of them has waited for all."""
    return any(hmac.compare_digest(given, b"sha256=" + mac.hexdigest().encode()) for mac in macs)


class Reading:
    """Reads bodies, many at once, with one bound on the memory that they take together."""

    def __init__(self, kept_of_all: int = KEPT_OF_ALL) -> None:
        self._room = kept_of_all

    async def read(
        self, receive: Receive, macs: "Sequence[hmac.HMAC]", before: bytes, seconds: float | None = SLOWEST
    ) -> Body:
        """The body. *macs*: begun with each key; *before*: what is signed in front of the body. *seconds*: within which it
        must arrive, None when it is known to be there.

        Raises `Refusal` (408, 413), `HungUp`.
        """
        if seconds is None:
            return await self._read(receive, macs, before)
        try:
            async with asyncio.timeout(seconds):
                return await self._read(receive, macs, before)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {seconds:g} seconds") from None

    async def _read(self, receive: Receive, macs: "Sequence[hmac.HMAC]", before: bytes) -> Body:
        pieces: list[bytes] = []
        hashed: Hashed | None = None
        size, taken = 0, 0
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HungUp
                piece, more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if size > LARGEST:
                    raise too_large()
                if hashed is None and size <= KEPT and len(piece) <= self._room:
                    pieces.append(piece)
                    self._room, taken = self._room - len(piece), taken + len(piece)
                    continue
                if hashed is None:  # from here on it is only hashed
                    hashed = Hashed(macs, before)
                    for each in pieces:
                        hashed.update(each)
                    pieces, self._room, taken = [], self._room + taken, 0
                hashed.update(piece)
            return hashed or Kept(macs, before, b"".join(pieces))
        finally:
            self._room += taken
