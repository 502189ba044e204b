"""A web server that is sick, slow or dead when a test wants it to be. It keeps connections open, as real ones do."""

import asyncio


class WebServer:
    """Answers every request with *says*; `/slow` only once `release` was called; `/health` with 503 while `sick`."""

    def __init__(self, says: str) -> None:
        self.says, self.sick = says, False
        self.waiting = 0  # requests for /slow that are under way
        self._released = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """All connections end at once."""
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            self.release()
            await asyncio.gather(*self._open.values())
            await self._server.wait_closed()
            self._server = None

    def release(self) -> None:
        self._released.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open[writer] = task
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(await self._answer(head.split(b" ", 2)[1]))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _answer(self, path: bytes) -> bytes:
        if path == b"/slow":
            self.waiting += 1
            await self._released.wait()
            self.waiting -= 1
        status = b"503 Sick" if self.sick and path == b"/health" else b"200 OK"
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(self.says), self.says.encode())


async def get(port: int, path: str = "/") -> str:
    """The body of one answer; raises `AssertionError` unless its status is 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200"), head
        return body
    finally:
        writer.close()
