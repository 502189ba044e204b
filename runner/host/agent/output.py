"""Sends what the scripts of one command print, a tenth of a second at a time.

The script never waits for it: while the server does not take it, what it prints stays in the host's own log.
"""

from __future__ import annotations

import time

from runner.host.agent.errors import Rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[str, int, int], "tuple[str, int | None]"]  # text, from, to; status, how far the server has it

_EVERY = 0.1  # seconds that output may wait for more of it
_SILENCE = 60.0  # seconds; a server that has heard nothing of a host for longer may take it for dead
_MOST = 64 << 10  # characters of one update
_MOST_REPEATS = 3  # of a piece that the server does not take
_OVER = ("Succeeded", "Failed")


class Behind(Exception):
    """The server has less than was sent to it: it has to come from the executor again, from `Output.sent` on."""


class Output:
    """*send*: gives the server a piece of output, however long that takes. Raises `Rejected`.

    *sent*: where the server has got to, an offset in the host's log; None before the event's beginning.
    *silence*: seconds without output after which a sign of life is sent.
    """

    def __init__(self, send: Send, silence: float = _SILENCE) -> None:
        self._send, self._silence = send, silence
        self._heard = time.monotonic()
        self.sent: int | None = None
        self._text, self._offset, self._since = "", 0, 0.0
        self._mute = False
        self._repeats = 0

    def seconds_left(self) -> float | None:
        """When `flush` is due; None when nobody listens any more."""
        if self._mute:
            return None
        due = self._since + _EVERY if self._text else self._heard + self._silence
        return max(0.0, due - time.monotonic())

    def take(self, text: str, offset: int) -> None:
        """Take the output up to *offset*; it may be sent now. Raises `Behind`."""
        if self._text and len(self._text) + len(text) > _MOST:
            self.flush()
        if not self._text:
            self._since = time.monotonic()
        self._text += text
        self._offset = offset

    def flush(self) -> None:
        """Send what is waiting, or a sign of life when that is due. Raises `Behind`."""
        text, self._text = self._text, ""
        if text:
            self._judge(*self._try(text, self.sent or 0, self._offset))
        elif self.seconds_left() == 0:
            self._judge(*self._try("", self.sent or 0, self.sent or 0))

    def _judge(self, over: bool, has: int | None) -> None:
        """*has*: how far the server has the output, None for as far as it was sent."""
        if over or has is None or has >= self._offset:
            self.sent, self._repeats = self._offset or self.sent, 0
            return
        self.sent = has or None
        self._repeats += 1
        self._mute = self._repeats > _MOST_REPEATS
        if not self._mute:
            raise Behind

    def drop(self) -> None:
        """Forget what is waiting: the executor will say it again, from `sent` on."""
        self._text, self._offset = "", self.sent or 0

    def _try(self, text: str, begins: int, ends: int) -> tuple[bool, int | None]:
        """Whether nobody listens any more, and how far the server has the output."""
        if self._mute:
            return True, None
        try:
            status, has = self._send(text, begins, ends)
        except Rejected:  # what it prints matters less than how it ends
            self._mute = True
            return True, None
        self._heard = time.monotonic()
        self._mute = status in _OVER
        return self._mute, has
