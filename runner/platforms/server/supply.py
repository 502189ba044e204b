"""Answers what a host asks for in the middle of a request: the listing of the bundle, and the contents that it lacks.

`runner.host.bundles.exchange` is the other end, and tells what goes over the wire.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from runner.host.outcome import Failure
from runner.model.revision import Bundle
from runner.platforms.server.connection import Broken, Connection
from runner.platforms.server.packs import Pack, Packs, Ranges

Need: TypeAlias = Literal["listing"] | Ranges

_SIGN_OF_LIFE = 15.0  # seconds; a host gives us up after four times as many
_PIECE = 1 << 18


class Supply:
    """Supplies the host behind *connection* with pieces of *bundle*."""

    def __init__(self, connection: Connection, packs: Packs, bundle: Bundle) -> None:
        self._connection, self._packs, self._bundle = connection, packs, bundle

    async def answer(self, number: int, need: Need) -> None:
        """Send what request *number* needs. Raises `Broken`, `WorldError`."""
        try:
            pack = await self._pack(number)
        except Failure as failure:  # the host has to record it
            await self._say(number, failure=failure.message)
            return
        try:
            if need == "listing":
                await self._say(number, listing=pack.listing.stat().st_size)
                await self._send(_pieces_of(pack))
            else:
                await self._say(number, content=pack.length(need))
                await self._send(pack.pieces(need))
        except OSError as error:
            raise Broken(f"the pack of the bundle cannot be read: {error}") from error
        except IndexError as error:
            raise Broken("the executor on the host asked for contents that the bundle does not have") from error

    async def _pack(self, number: int) -> Pack:
        """The pack of the bundle. While it is being made the host is told that we still live."""
        making = asyncio.ensure_future(self._packs.pack_of(self._bundle))
        try:
            while not (await asyncio.wait({making}, timeout=_SIGN_OF_LIFE))[0]:
                await self._say(number, wait=True)
        finally:
            making.cancel()
        return await making

    async def _say(self, number: int, **members: Any) -> None:
        await self._connection.send(json.dumps({"id": number, **members}).encode() + b"\n")

    async def _send(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:  # read as they go, for a moment each: the system has them in memory
            await self._connection.send(piece)


def _pieces_of(pack: Pack) -> Iterator[bytes]:
    with pack.listing.open("rb") as file:
        yield from iter(lambda: file.read(_PIECE), b"")
