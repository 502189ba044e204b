"""The control side of one session on a host: asks for one lifecycle event after the other over one connection."""

import asyncio
from typing import Any

import msgspec

from runner.model.command import Outcome
from runner.model.revision import Bundle
from runner.model.value import from_json
from runner.platforms.server.connection import Broken, Connection
from runner.platforms.server.packs import Packs
from runner.platforms.server.supply import Need, Supply
from runner.ports import Report


class _Answer(msgspec.Struct):
    """*log*: a piece of output up to *offset*; *need*: of the bundle; *end*: how the event ended, the last answer."""

    id: int
    log: str | None = None
    offset: int = 0
    need: Need | None = None
    end: Outcome | None = None


class Session:
    """One open connection. Serves one `ask` at a time; after `Broken` it is of no more use."""

    def __init__(self, connection: Connection, packs: Packs) -> None:
        self._connection, self._packs = connection, packs
        self._asked = 0

    async def ask(self, request: dict[str, Any], bundle: Bundle, progress: "Progress") -> Outcome:
        """Have the host carry out *request* and wait for its end, however long that takes. Raises `Broken`.

        *bundle*: what the host may ask for pieces of meanwhile. Raises `WorldError` when they cannot be given.
        """
        self._asked += 1
        message = {"id": self._asked, "run": request | progress.seen}
        await self._connection.send(msgspec.json.encode(message) + b"\n")
        supply = Supply(self._connection, self._packs, bundle)
        answer = await self._next()
        while True:
            need = None
            if answer.id == self._asked:
                if answer.end is not None:
                    return answer.end
                if answer.log is not None:
                    progress.take(answer.log, answer.offset)
                need = answer.need
            answer = await self._next() if need is None else await self._supplied(supply, need)

    async def close(self) -> None:
        """Hang up. An event in flight goes on, on its host."""
        await self._connection.close()

    async def _supplied(self, supply: Supply, need: Need) -> _Answer:
        """The answer to what is sent for *need*. It may come early: a host whose disk is full takes no more."""
        sending = asyncio.create_task(supply.answer(self._asked, need))
        reading = asyncio.create_task(self._next())
        try:
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not sending.done():
                await self.close()  # half a message has been sent: this connection is of no more use
            elif not isinstance(sending.exception(), Broken):  # else it may still have left word
                sending.result()
            return await reading
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)

    async def _next(self) -> _Answer:
        line = await self._connection.receive_line()
        try:
            return from_json(line, _Answer)
        except msgspec.DecodeError as error:
            raise Broken(f"the executor on the host sent what is not an answer: {error}") from error


class Progress:
    """How much of an event's output has been reported; it outlives connections, so that nothing is reported twice."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.seen: dict[str, int] = {}  # the request's `offset`, once there is one

    def take(self, text: str, offset: int) -> None:
        self.seen["offset"] = offset
        self._report(text)
