"""Sends the log of one lifecycle event to the control side while it is being written, from wherever that had got to.

Not without end: after `most` bytes of an event one line tells where the rest is, on this host.
"""

from __future__ import annotations

from runner.host.scripts.reading import PIECE, Log
from runner.host.wire import Wire

_FULL = "[warning]the output goes on; only its first {} bytes are sent, the rest is in {} on this host\n"


class Feed:
    """Streams *log* as answers to request *number*. *offset* None: from where the event `begins_at`.

    *most*: bytes of scripts.log that are sent of one event.
    """

    def __init__(self, wire: Wire, number: int, log: Log, offset: int | None, most: int) -> None:
        self.wire = wire
        self.number = number
        self._log = log
        self._offset = offset
        self._most = most
        self._end: int | None = None

    def begins_at(self, offset: int) -> None:
        """The event's own log begins at *offset*; the asker gets it from there, unless it named where it had got to."""
        self._end = offset + self._most
        if self._offset is None:
            self._offset = offset

    def pump(self) -> bool:
        """Send what is new, as far as the connection takes it at once. True: the asker has everything."""
        while not self.wire.gone:
            text, after = self._next()
            if not text:
                break
            if not self.wire.offer(self._message(text, after)):
                return False
            self._offset = after
        return self.wire.flush()  # the last piece may still be on its way, and no news will come to push it

    def finish(self) -> None:
        """Send all that is left, waiting for the asker to take it."""
        while not self.wire.gone:
            text, after = self._next()
            if not text:
                break
            self.wire.send(self._message(text, after))
            self._offset = after
        self._log.close()

    def _next(self) -> tuple[str, int]:
        """The next lines and the position after them; that is beyond the end when it is the last line, which is ours."""
        at, end = self._offset, self._end
        if at is None or end is None or at > end:
            return "", 0
        text, after = self._log.lines(at, end)
        if text or end - at > PIECE or not self._log.lines(at)[0]:
            return text, min(after, end)
        return _FULL.format(self._most, self._log.path), end + 1

    def _message(self, text: str, offset: int) -> dict[str, object]:
        return {"id": self.number, "log": text, "offset": offset}
