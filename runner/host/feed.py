"""Sends the log of one lifecycle event to the control side while it is being written, from wherever that had got to."""

from __future__ import annotations

import os
import select

from runner.host.logs import read_lines
from runner.host.wire import Wire


class Feed:
    """Streams scripts.log at *path* as answers to request *number*. *offset* None: from where the event `begins_at`."""

    def __init__(self, wire: Wire, number: int, path: str, offset: int | None) -> None:
        self.wire = wire
        self._number = number
        self._path = path
        self._offset = offset

    def begins_at(self, offset: int) -> None:
        """The event's own log begins at *offset*; it counts unless the asker named one."""
        if self._offset is None:
            self._offset = offset

    def pump(self) -> bool:
        """Send what is new, as far as the connection takes it at once. True: the asker has everything."""
        while not self.wire.gone and self._offset is not None:
            text, after = read_lines(self._path, self._offset)
            if not text:
                break
            if not self.wire.offer(self._message(text, after)):
                return False
            self._offset = after
        return self.wire.flush()  # the last piece may still be on its way, and no news will come to push it

    def follow(self, news: int) -> None:
        """Pump whenever something arrives on the pipe *news*, until all its writers have closed it."""
        while True:
            poller = select.poll()
            poller.register(news, select.POLLIN)
            if not self.pump():
                poller.register(self.wire.sink, select.POLLOUT)
            ready = [fd for fd, _ in poller.poll()]
            if news in ready and not os.read(news, 65536):
                return

    def finish(self) -> None:
        """Send all that is left, waiting for the asker to take it."""
        while self._offset is not None and not self.wire.gone:
            text, after = read_lines(self._path, self._offset)
            if not text:
                return
            self.wire.send(self._message(text, after))
            self._offset = after

    def _message(self, text: str, offset: int) -> dict[str, object]:
        return {"id": self._number, "log": text, "offset": offset}
