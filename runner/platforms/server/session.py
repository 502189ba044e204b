"""The control side of one session on a host: asks for one lifecycle event after the other over one connection."""

import asyncio
import contextlib
from typing import Any

import msgspec

from runner.errors import WorldError
from runner.model.command import Outcome
from runner.platforms.server.transport import Connection
from runner.ports import Report


class _Answer(msgspec.Struct):
    """*log*: a piece of output up to *offset*; *end*: how the event ended, which is the last answer."""

    id: int
    log: str | None = None
    offset: int = 0
    end: Outcome | None = None


_DECODER = msgspec.json.Decoder(_Answer)


class Broken(WorldError):
    """The connection broke, or says nonsense. What had been asked for goes on, on the host."""


class Session:
    """One open connection. Serves one `ask` at a time; after `Broken` it is of no more use."""

    def __init__(self, connection: Connection) -> None:
        self._reader, self._writer = connection
        self._asked = 0

    async def ask(self, request: dict[str, Any], progress: "Progress") -> Outcome:
        """Have the host carry out *request* and wait for its end, however long that takes. Raises `Broken`."""
        self._asked += 1
        message = {"id": self._asked, "run": request | progress.seen}
        try:
            self._writer.write(msgspec.json.encode(message) + b"\n")
            await self._writer.drain()
            while True:
                answer = await self._next()
                if answer.id != self._asked:
                    continue
                if answer.end is not None:
                    return answer.end
                if answer.log is not None:
                    progress.take(answer.log, answer.offset)
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from error

    async def close(self) -> None:
        """Hang up. An event in flight goes on, on its host."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _next(self) -> _Answer:
        try:
            line = await self._reader.readuntil(b"\n")
            return _DECODER.decode(line)
        except asyncio.IncompleteReadError as error:
            raise Broken("the executor on the host ended unexpectedly") from error
        except (msgspec.DecodeError, asyncio.LimitOverrunError) as error:
            raise Broken(f"the executor on the host sent what is not an answer: {error}") from error


class Progress:
    """How much of an event's output has been reported; it outlives connections, so that nothing is reported twice."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.seen: dict[str, int] = {}  # the request's `offset`, once there is one

    def take(self, text: str, offset: int) -> None:
        self.seen["offset"] = offset
        self._report(text)
