"""One HTTP/1.1 connection: bytes of a request in, an answer out, one at a time."""

import asyncio
from typing import NamedTuple

import httptools

LONGEST = 64 * 1024 * 1024  # bytes of one answer, its head included: about 900,000 refs


class Response(NamedTuple):
    """*headers*: names in lower case; of one that comes twice, the last."""

    status: int
    headers: dict[str, str]
    body: bytes


class BrokenAnswer(Exception):
    """The other side sent what is no HTTP, or too much."""


class Closed(Exception):
    """The other side closed the connection before its answer was complete. *silent*: it had not said a byte of it."""

    def __init__(self, silent: bool) -> None:
        super().__init__("closed")
        self.silent = silent


class Connection(asyncio.Protocol):
    """Use it by one task at a time. *idle_since*: of the loop's clock; when the last answer was complete."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._forget()

    async def exchange(self, request: bytes, within: float) -> Response:
        """Send *request* and return the answer, whole *within* so many seconds.

        Raises `Closed`, `BrokenAnswer`, `TimeoutError`; then, and cancelled, it closes the connection.
        """
        if self._transport is None or self._transport.is_closing():
            raise Closed(silent=True)
        self._forget()
        self._answer = self._loop.create_future()
        self._transport.write(request)
        timer = self._loop.call_later(within, self._fail, TimeoutError())  # a third of what asyncio.timeout costs
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._answer = None
            self.idle_since = self._loop.time()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """At once; what was not sent is not sent. May be repeated."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
        elif self._received > LONGEST:
            self._fail(BrokenAnswer(f"answers with more than {LONGEST >> 20} MiB"))
        else:
            try:
                self._parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
                self._fail(BrokenAnswer(f"answers with something that is no HTTP ({error})"))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._headers_complete and not self._is_measured() and error is None:
            self._finish()  # such an answer ends with its connection
        else:
            self._fail(Closed(silent=not self._received))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headers_complete = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            self._forget()  # an interim answer: the real one follows
            return
        keep = self._parser.should_keep_alive()
        self._finish()
        if not keep:
            self.close()

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            answer = Response(self._parser.get_status_code(), self._headers, b"".join(self._body))
            self._answer.set_result(answer)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _is_measured(self) -> bool:
        return "content-length" in self._headers or "chunked" in self._headers.get("transfer-encoding", "")

    def _forget(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._headers_complete = False
        self._received = 0
