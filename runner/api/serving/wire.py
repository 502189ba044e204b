"""A transport that sends the head of an answer together with the beginning of its body."""

import asyncio
from collections.abc import Callable
from typing import Any

_ONE_PIECE = 64 * 1024  # bytes; a larger body is not copied only to stand behind its head


class Wire:
    """What uvicorn's protocol needs of a transport. *end* closes the real one, once."""

    __slots__ = ("_end", "_head", "_transport", "closing")

    def __init__(self, transport: asyncio.Transport, end: Callable[[asyncio.Transport], None]) -> None:
        self._transport, self._end = transport, end
        self._head = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        """Send *data*, unless it is just a head: that waits for the next write, `flush` or `close`."""
        if self._head:
            head, self._head = self._head, b""
            if len(data) > _ONE_PIECE:
                self._transport.write(head)
            else:
                data = head + data
        elif _is_head(data):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.flush()
            self._end(self._transport)

    def abort(self) -> None:
        self.closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self.closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


def _is_head(data: bytes) -> bool:
    """Not an interim one: `100 Continue` has no body to wait for."""
    return data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n") and not data.startswith(b"HTTP/1.1 1")
