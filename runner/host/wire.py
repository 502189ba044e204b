"""One connection to the control side: JSON lines over two file descriptors, which may be one.

Nothing that the control side does or fails to do may hold up a script, so sending never blocks unless asked to.
"""

from __future__ import annotations

import json
import os
import select
from typing import Any

_PIECE = 65536
_HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Wire:
    """Reads requests, writes answers. *gone*: the other side hung up; whatever is sent from then on is dropped."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.gone = False
        self._received = bytearray()
        self._pending = b""
        os.set_blocking(source, False)
        os.set_blocking(sink, False)

    def receive(self) -> Any:
        """Wait for the next message. None when the other side hung up. Raises `ValueError` for a line that is not JSON."""
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                return json.loads(line)
            self._wait(self.source, select.POLLIN, None)
            try:
                piece = os.read(self.source, _PIECE)
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            if not piece:
                return None
            self._received += piece

    def offer(self, message: dict[str, Any]) -> bool:
        """Begin to send *message* unless an earlier one is still on its way. Never waits; False: offer it again later."""
        if not self.gone and not self.flush():
            return False
        self._pending = b"" if self.gone else json.dumps(message).encode() + b"\n"
        self.flush()
        return True

    def send(self, message: dict[str, Any], patience: float = 600.0) -> None:
        """Send *message*, waiting up to *patience* seconds at a time for a slow other side before giving it up."""
        while not self.offer(message):
            self._wait_for_room(patience)
        while not self.flush():
            self._wait_for_room(patience)

    def is_hung_up(self) -> bool:
        """Whether the other side has closed the connection, as far as can be told without reading from it."""
        poller = select.poll()
        poller.register(self.source, getattr(select, "POLLRDHUP", 0))
        return self.gone or any(happened & _HUNG_UP for _, happened in poller.poll(0))

    def close(self) -> None:
        """Close this process's copy of the descriptors."""
        for fd in {self.source, self.sink}:
            os.close(fd)

    def flush(self) -> bool:
        """Write what is pending as far as it goes; True when nothing is left."""
        while self._pending and not self.gone:
            try:
                self._pending = self._pending[os.write(self.sink, self._pending) :]
            except BlockingIOError:
                return False
            except OSError:
                self.gone = True
        return True

    def _wait_for_room(self, patience: float) -> None:
        if not self._wait(self.sink, select.POLLOUT, patience):
            self.gone = True

    @staticmethod
    def _wait(fd: int, events: int, seconds: float | None) -> bool:
        poller = select.poll()
        poller.register(fd, events)
        return bool(poller.poll(None if seconds is None else seconds * 1000))
