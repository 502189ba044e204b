"""The body of a delivery: hashed as it comes, kept only while it is small. Nobody is known yet who sends it."""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence

from runner.api.asgi import Receive
from runner.api.awsjson.exchange import HungUp
from runner.api.webhooks.refusal import Refusal

LARGEST = 5 << 20  # bytes. GitHub would send 25 MB; a push of a thousand commits has a tenth of this
KEPT = 256 << 10  # bytes of one body; a larger one is verified all the same, but nothing is read out of it
KEPT_OF_ALL = 32 << 20  # bytes of all bodies that are arriving
SLOWEST = 20.0  # seconds for a body to arrive; senders give up after 10


def too_large() -> Refusal:
    return Refusal(413, f"the body may have {LARGEST} bytes; the repository is polled all the same")


class Body:
    """One body. *content*: None when it was too large to keep; *macs* and *plain* have seen it all then, else nothing."""

    def __init__(self, macs: "Sequence[hmac.HMAC]", plain: "hashlib._Hash", content: bytes | None) -> None:
        self.content = content
        self._macs, self._plain = macs, plain

    def is_signed(self, given: bytes) -> bool:
        """Whether *given*, `sha256=` and hex, is its signature by one of the keys. Each is compared in constant time, and
        whoever signed with none of them has waited for all. To be asked once.
        """
        for mac in self._macs:
            if self.content is not None:
                mac.update(self.content)
            if hmac.compare_digest(given, b"sha256=" + mac.hexdigest().encode()):
                return True
        return False

    def sha256(self) -> str:
        """In hex. To be asked once."""
        if self.content is not None:
            self._plain.update(self.content)
        return self._plain.hexdigest()


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
        own = [mac.copy() for mac in macs]
        for mac in own:
            mac.update(before)
        if seconds is None:
            return await self._read(receive, own)
        try:
            async with asyncio.timeout(seconds):
                return await self._read(receive, own)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {seconds:g} seconds") from None

    async def _read(self, receive: Receive, macs: "list[hmac.HMAC]") -> Body:
        pieces: list[bytes] | None = []
        plain, size, taken = hashlib.sha256(), 0, 0
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
                if pieces is not None and size <= KEPT and len(piece) <= self._room:
                    pieces.append(piece)
                    self._room, taken = self._room - len(piece), taken + len(piece)
                    continue
                for each in (*(pieces or ()), piece):  # from here on it is only hashed
                    plain.update(each)
                    for mac in macs:
                        mac.update(each)
                pieces, self._room, taken = None, self._room + taken, 0
            return Body(macs, plain, None if pieces is None else b"".join(pieces))
        finally:
            self._room += taken
