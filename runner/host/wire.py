"""One connection to the control side: JSON lines over two file descriptors, which may be one.

Nothing that the control side does or fails to do may hold up a script, so sending never blocks unless asked to.
"""

from __future__ import annotations

import os
import select

from runner.host.lean import plain_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PIECE = 65536
_HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class HungUp(Exception):
    """The other side is gone, or as good as gone, in the middle of an event that cannot go on without it."""


class Wire:
    """Reads requests, writes answers. *gone*: the other side hung up; whatever is sent from then on is dropped.

    *owed*: bytes that a line has announced, and that have to be taken before the next line.
    """

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.gone = False
        self.owed = 0
        self._received = bytearray()
        self._pending = b""
        for fd in (source, sink):
            os.set_inheritable(fd, False)  # it is this process's death that the other side has to see
        os.set_blocking(source, False)
        os.set_blocking(sink, False)

    def receive(self, patience: float | None = None) -> Any:
        """Wait for the next message. None when the other side hung up, or is silent for *patience* seconds.

        Raises `ValueError` for a line that is not JSON.
        """
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                return plain_json.loads(line)
            piece = self._read(_PIECE, patience)
            if not piece:
                return None
            self._received += piece

    def take(self, most: int, patience: float) -> bytes:
        """Up to *most* of the bytes that are owed. Raises `HungUp` when there are none for *patience* seconds."""
        most = min(most, self.owed)
        piece = bytes(self._received[:most])
        if piece:
            del self._received[:most]
        elif most:
            piece = self._read(most, patience)
            if not piece:
                raise HungUp
        self.owed -= len(piece)
        return piece

    def offer(self, message: dict[str, Any]) -> bool:
        """Begin to send *message* unless an earlier one is still on its way. Never waits; False: offer it again later."""
        if not self.gone and not self.flush():
            return False
        self._pending = b"" if self.gone else plain_json.dumps(message).encode() + b"\n"
        self.flush()
        return True

    def send(self, message: dict[str, Any], patience: float = 600.0) -> None:
        """Send *message*, waiting up to *patience* seconds at a time for a slow other side before giving it up."""
        while not self.offer(message):
            self._wait_for_room(patience)
        while not self.flush():
            self._wait_for_room(patience)

    def wait_for_end(self, patience: float = 10.0) -> None:
        """Let the other side read our last words, although it is in the middle of its own: until it hangs up."""
        while self._read(_PIECE, patience):
            pass

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

    def _read(self, most: int, patience: float | None) -> bytes:
        """What has come, nothing when the other side hung up or is silent for *patience* seconds."""
        while self._wait(self.source, select.POLLIN, patience):
            try:
                return os.read(self.source, most)
            except BlockingIOError:
                continue
            except OSError:
                break
        return b""

    def _wait_for_room(self, patience: float) -> None:
        if not self._wait(self.sink, select.POLLOUT, patience):
            self.gone = True

    @staticmethod
    def _wait(fd: int, events: int, seconds: float | None) -> bool:
        poller = select.poll()
        poller.register(fd, events)
        return bool(poller.poll(None if seconds is None else seconds * 1000))
