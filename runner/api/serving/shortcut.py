"""uvicorn's protocol, with a way past ASGI for requests that are there whole: see `runner.api.direct`.

What begins a request is put off until its body has come. If that is so before the next read from the socket, the request is
handed over; if not, it goes the general way, as if nothing had been put off.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from runner.api.asgi import CLOSE
from runner.api.direct import Answer, Direct, Request

FindDirect: TypeAlias = Callable[[bytes, bytes], Direct | None]
"""What takes requests of a method and URL whole, None where nothing does."""

_WHOLE = b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b"


class Exchange:
    """A request past ASGI, with what uvicorn wants to know of the request that a connection is busy with."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    more_body = False
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self) -> None:
        self.disconnected, self.keep_alive, self.response_complete = False, True, False


class Shortcut(HttpToolsProtocol):
    """*_find*: what takes requests whole. *_taker*, *_pieces*: of a request that is put off."""

    __slots__ = ("_find", "_pieces", "_taker")

    def __init__(self, config: Config, state: ServerState, find: FindDirect) -> None:
        super().__init__(config, state, {})
        self._find = find
        self._pieces: list[bytes] = []
        self._taker: Direct | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._taker is not None:
            pieces, self._taker, self._pieces = self._pieces, None, []
            if not self.transport.is_closing():
                self.begin()
                super().on_body(b"".join(pieces))

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False  # uvicorn's scope is made in `begin`

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()  # it runs when what came before in the same piece is answered already
        self._taker = self._find(self.parser.get_method(), self.url)
        if self._taker is None or not self.is_simple():
            self._taker = None
            self.begin()

    def on_body(self, body: bytes) -> None:
        if self._taker is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._taker is None:
            super().on_message_complete()
            return
        taker, pieces, self._taker, self._pieces = self._taker, self._pieces, None, []
        exchange = Exchange()
        self.busy_with(exchange)
        client = self.client[0] if self.client else ""
        request = Request(self.url.decode("ascii"), dict(self.headers), b"".join(pieces), client)
        taker(request, partial(self._answer, exchange))

    def begin(self) -> None:
        """The general way."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def busy_with(self, exchange: Exchange) -> None:
        self.cycle = exchange  # type: ignore[assignment]

    def is_simple(self) -> bool:
        """Whether this request may be put off: nothing is before it, and nothing special is wanted."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and self.parser.get_http_version() == "1.1"
        )

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        if exchange.disconnected or self.transport.is_closing():
            return
        exchange.response_complete = True
        self.transport.write(_in_bytes(answer, exchange.keep_alive))
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _in_bytes(answer: Answer, keep_alive: bool) -> bytes:
    body = msgspec.json.encode(answer.told)
    headers = answer.headers if keep_alive else (*answer.headers, CLOSE)
    more = b"".join([b"%b: %b\r\n" % header for header in headers]) if headers else b""
    return _WHOLE % (STATUS_LINE[answer.status], len(body), more, body)
