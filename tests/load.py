"""A steady load on a web server: clients that keep their connections, count every answer, and hide no error."""

import asyncio
import threading
import time
from collections import deque


class Load:
    """*connections* clients, each with one request after the other, in a thread of its own until the block ends."""

    def __init__(self, port: int, connections: int, path: str = "/") -> None:
        self._port, self._connections, self._path = port, connections, path
        self.answered = 0
        self.bodies: set[str] = set()
        self.errors: list[str] = []
        self._last: deque[str] = deque(maxlen=1000)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, answered: int) -> None:
        """Until there were so many answers in all."""
        limit = time.monotonic() + 60
        while self.answered < answered:
            assert time.monotonic() < limit, f"{self.answered} answers, {self.errors[:3]}"
            time.sleep(0.01)

    def recent(self, number: int) -> list[str]:
        return list(self._last)[-number:]

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._connections)))

    async def _client(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self._over.is_set():
            try:
                self._take(await _ask(reader, writer, self._path))
            except (OSError, asyncio.IncompleteReadError) as error:
                self.errors.append(repr(error))
                writer.transport.abort()
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.sleep(0.004)
        writer.close()
        await writer.wait_closed()

    def _take(self, answer: tuple[str, str]) -> None:
        status, body = answer
        self.answered += 1
        if status == "200":
            self.bodies.add(body)
            self._last.append(body)
        else:
            self.errors.append(status)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[str, str]:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
    body = await reader.readexactly(int(length.split(":")[1]))
    return head.split(" ")[1], body.decode()
