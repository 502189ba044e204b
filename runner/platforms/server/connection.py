"""An open connection to a session on a host, whatever carries it: bytes there, lines back."""

import asyncio
import contextlib
from typing import Protocol

from runner.errors import WorldError

LONGEST_MESSAGE = 4 << 20  # bytes of one JSON line


class Broken(WorldError):
    """The connection broke, or says nonsense. What had been asked for goes on, on the host."""


class Connection(Protocol):
    """One task sends, and one, which may be another, receives. After `Broken` it is of no more use."""

    async def send(self, content: bytes) -> None:
        """Send all of *content*, however large, waiting until the host takes it. Raises `Broken`.

        What the host sends meanwhile is taken in, so that neither side waits for the other.
        """
        ...

    async def receive_line(self) -> bytes:
        """The next line, with its line break, however long that takes. Raises `Broken`: hung up, or a line too long."""
        ...

    async def close(self) -> None:
        """Hang up. May be called again."""
        ...


class StreamConnection:
    """A connection over asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, content: bytes) -> None:
        try:
            self._writer.write(content)
            await self._writer.drain()
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from error

    async def receive_line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            raise Broken("the executor on the host ended unexpectedly") from error
        except asyncio.LimitOverrunError as error:
            raise Broken(f"the executor on the host sent what is not an answer: {error}") from error
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from error

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
