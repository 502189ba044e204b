"""One client's connection: uvicorn's protocol, and what it leaves to a proxy in front.

* A client has so long for the head of a request, and for taking in an answer; heads have a size.
* Beyond so many connections, newcomers are told 503; those that are there stay.
* Head and body of an answer leave in one segment: two cost a client with delayed acknowledgements 40 ms.
* When a client hangs up, the task that works on its request is cancelled. Applications may rely on it where
  `scope["extensions"]` has `CANCELS`, and need no second task that waits for `http.disconnect`.
* Where it has `ARRIVED` the whole body is there when the application begins: `receive` will not wait.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from runner.api.asgi import ARRIVED, CANCELS, CLOSE, Receive, Scope, Send, answer
from runner.api.serving.idle import Idle
from runner.api.serving.shortcut import Exchange, FindDirect, Shortcut
from runner.api.serving.wire import Wire
from runner.log import get_logger

_EXTENSIONS: dict[str, dict[str, Any]] = {CANCELS: {}}
_EXTENSIONS_OF_WHOLE: dict[str, dict[str, Any]] = {CANCELS: {}, ARRIVED: {}}
_SPARE = 256  # connections beyond the limit that live long enough to be told 503
_LINGER = 2.0  # seconds in which a client may go on sending what we do not read, so that it hears the answer

_ARRIVALS = memoryview(bytearray(64 * 1024))
"""Where all connections read to, one after the other. asyncio's own way, memory for 256 KiB each time, takes 15 us."""

log = get_logger()


class Limits(NamedTuple):
    """Times in seconds. *idle*: from an answer to the next request. *stall*: for taking something in."""

    connections: int = 12_000
    handshake: float = 10.0
    head: float = 15.0
    idle: float = 75.0
    stall: float = 60.0
    look: float = 10.0  # at the files of the certificate
    head_bytes: int = 32 * 1024


class Connection(Shortcut, asyncio.BufferedProtocol):
    """Lives as long as its socket. The slots keep what is added out of the dict that all instances share the keys of."""

    __slots__ = (
        "_gone",
        "_head_bytes",
        "_idle",
        "_in_head",
        "_limits",
        "_piece",
        "_refused",
        "_running",
        "_stalled",
        "_task",
        "_timer",
        "_wire",
    )

    def __init__(self, config: Config, state: ServerState, limits: Limits, find: FindDirect) -> None:
        super().__init__(config, state, find)
        self._limits = limits
        self._idle = Idle(self.loop, limits.idle, self.timeout_keep_alive_handler)
        self._timer: asyncio.TimerHandle | None = None  # for a head
        self._stalled: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | Exchange | None = None  # what is worked on; others of a pipeline wait
        self._task: asyncio.Task[Any] | None = None
        self._head_bytes = 0  # of a head that is not complete
        self._piece = 0  # bytes that came last
        self._in_head, self._gone, self._refused = False, False, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._wire = Wire(transport, self._end)
        super().connection_made(cast("asyncio.Transport", self._wire))
        excess = len(self.connections) - self._limits.connections
        self._refused = excess > 0
        if self._refused:
            _tell_full(self._limits.connections)
        if excess > _SPARE:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._cancel_timers()
        if self._running is not None:
            self._running.disconnected = True  # uvicorn tells only the last request of a pipeline
        if self._task is not None:
            self._task.cancel()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _ARRIVALS

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_ARRIVALS[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self._wire.is_closing():
            return  # what comes after the last answer
        self._piece = len(data)
        super().data_received(data)
        if self._wire.is_closing():
            return  # it was no HTTP
        if self._in_head:
            self._expect_head()  # most heads come in one piece, and need no timer
            self._head_bytes += self._piece
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(b"431 Request Header Fields Too Large", b"The head of the request is too large.\n")
        elif self._is_between() and not self._idle:
            self._expect_head()  # empty lines are no request, and do not make a connection live longer

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().on_headers_complete()

    def is_simple(self) -> bool:
        return not self._refused and self._head_fits() and super().is_simple()

    def begin(self) -> None:
        here, self.app = self.app, cast("Any", self._application())
        try:
            super().begin()
        finally:
            self.app = here

    def busy_with(self, exchange: Exchange) -> None:
        self._running = exchange
        super().busy_with(exchange)

    def on_response_complete(self) -> None:
        """In place of uvicorn's, which makes a timer here and cancels it with each request."""
        self._wire.flush()
        if self._wire.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle.begin()

    def _unset_keepalive_if_required(self) -> None:
        self._idle.end()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._abort_later(self._limits.stall)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None and not self._wire.closing:
            self._stalled.cancel()
            self._stalled = None

    def _application(self) -> Callable[..., Any]:
        if self._refused:
            return _full
        return self._run if self._head_fits() else _large

    def _head_fits(self) -> bool:
        if self._head_bytes + self._piece <= self._limits.head_bytes:
            return True  # no need to count
        return len(self.url) + sum(map(len, chain.from_iterable(self.headers))) <= self._limits.head_bytes

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = self._running is not None and not self._running.more_body
        scope["extensions"] = _EXTENSIONS_OF_WHOLE if whole else _EXTENSIONS
        self._task = asyncio.current_task()
        try:
            await cast("Any", self.config.loaded_app)(scope, receive, send)
        except asyncio.CancelledError:  # the client has hung up, or the listener ends and cannot wait any longer
            if not self._gone and self._running is not None:
                self._running.disconnected = True
                self._wire.abort()
        finally:
            self._task = None

    def _is_between(self) -> bool:
        """Whether no request is being worked on."""
        return self._running is None or self._running.response_complete

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.head, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._in_head:
            self._refuse(b"408 Request Timeout", b"The head of the request took too long.\n")
        else:
            self._wire.close()

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Answer what never became a request, and end."""
        if self._is_between():
            head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self._wire.write(head % (status, len(text)) + text)
        self._wire.close()

    def _end(self, transport: asyncio.Transport) -> None:
        """Close *transport*, but not on a client that is still sending: the reset would take our answer with it."""
        self._cancel_timers()
        if self._gone or not (self._in_head or (self.cycle is not None and self.cycle.more_body)):
            transport.close()
            if not self._gone and transport.get_write_buffer_size():  # of TLS a transport that is lost has no buffer
                self._abort_later(self._limits.stall)
            return
        self.flow.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        self._abort_later(_LINGER)

    def _abort_later(self, seconds: float) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._stalled = self.loop.call_later(seconds, self._wire.abort)

    def _cancel_timers(self) -> None:
        self._idle.cancel()
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._timer = self._stalled = None


async def _full(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 503, {"message": "the listener has no more room for connections; try again later"}, CLOSE)


async def _large(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 431, {"message": "the head of the request is too large"}, CLOSE)


_told_at = float("-inf")


def _tell_full(connections: int) -> None:
    """A line a minute, however many are refused."""
    global _told_at
    if time.monotonic() - _told_at > 60:
        _told_at = time.monotonic()
        log.warning("connections refused", limit=connections, see="max_connections, and the limit of open files")
