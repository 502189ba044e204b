"""One channel of a link as a stream of bytes both ways, with what it says on standard error kept aside."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.exceptions import BufferTooSmallError, SSH2Error

from runner.platforms.server.connection import LONGEST_MESSAGE, Broken
from runner.platforms.server.ssh.link import Link

_PIECE = 64 << 10  # bytes for one read
_SLICE = 128 << 10  # bytes given to libssh2 in one call, so that others get their turn
_MOST_KEPT = 2 * LONGEST_MESSAGE  # bytes that wait to be received before reading pauses
_MOST_STDERR = 8 << 10
_STDERR = 1  # SSH_EXTENDED_DATA_STDERR
_SHORTEST_KEEPALIVE = 2.0  # seconds; libssh2 sends none more often


class Ended(Broken):
    """The other side has closed the channel by itself."""


class Stream:
    """*channel* of *link*. From its making on nobody else uses the link, until `close`.

    libssh2 may read packets of any kind whenever it is called, also to write; so after every call of it we look for
    what has come. While a packet is half sent, only the call that began it may go on: libssh2 cannot begin another.
    """

    def __init__(self, link: Link, channel: Any, keepalive: float) -> None:
        self._link, self._channel, self._keepalive = link, channel, max(keepalive, _SHORTEST_KEEPALIVE)
        self._received, self._stderr = bytearray(), bytearray()
        self._ended = False  # the other side sends no more
        self._error: Broken | None = None
        self._half_sent: Callable[[], object] | None = None  # what goes on once the socket takes more
        self._waiting: list[asyncio.Future[None]] = []
        self._reads = self._writes = False  # what the event loop watches the socket for
        link.heard = link.loop.time()
        link.session.keepalive_config(True, int(_SHORTEST_KEEPALIVE))
        self._timer = link.loop.call_later(self._keepalive, self._keep_alive)
        self._take()  # what came together with the channel's opening makes no descriptor ready any more

    @property
    def stderr(self) -> str:
        """The end of what has come on standard error."""
        return self._stderr.decode(errors="replace").strip()

    @property
    def is_reading(self) -> bool:
        """Whether more is taken in; not while too much waits to be received."""
        return self._reads

    @property
    def unread(self) -> str:
        """The end of what has come and was not received."""
        return self._received[-_MOST_STDERR:].decode(errors="replace").strip()

    async def send(self, content: bytes) -> None:
        """Send all of *content*, taking in meanwhile what comes. Raises `Broken`."""
        rest = memoryview(content)
        while rest:
            piece = bytes(rest[:_SLICE])
            sent = self._write(piece)
            rest = rest[sent:]
            if not rest:
                return
            if sent == len(piece) or self._has_room():
                await asyncio.sleep(0)
            else:
                await self._news()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        while self._half_sent or self._use(self._channel.send_eof, self._wake) == LIBSSH2_ERROR_EAGAIN:
            await self._news()
        self._take()

    async def receive_until(self, mark: bytes, at_most: int) -> bytes:
        """All up to *mark*, and with it. Raises `Broken` when the end or more than *at_most* bytes come before it."""
        looked = 0
        while (found := self._received.find(mark, looked)) < 0:
            if len(self._received) > at_most:
                raise Broken("the executor on the host sent what is not an answer: a line without end")
            if self._ended:
                raise Ended("the executor on the host ended unexpectedly")
            looked = max(0, len(self._received) - len(mark) + 1)
            await self._news()
        return self._cut(found + len(mark))

    async def receive_some(self) -> bytes:
        """What has come, at least a byte of it; nothing at the end."""
        while not self._received and not self._ended:
            await self._news()
        return self._cut(len(self._received))

    async def exit_status(self) -> int:
        """Wait for the end of the command, dropping what it prints; its exit status, 0 also when a signal ended it."""
        while await self.receive_some():
            pass
        while self._use(self._channel.wait_closed, self._wake) == LIBSSH2_ERROR_EAGAIN:
            await self._news()
        return int(self._channel.get_exit_status())

    def close(self) -> None:
        """Let go of the channel, which has ended, and leave the link to somebody else."""
        self._release(Broken("the connection was closed"))
        self._channel = None

    def hang_up(self) -> None:
        """Close the link. May be called again."""
        self._release(Broken("the connection was closed"))
        self._link.close(self._channel)
        self._channel = None

    def _write(self, piece: bytes) -> int:
        """Begin to send *piece*; how many bytes are gone."""
        self._check()
        if self._half_sent not in (None, self._wake):
            return 0
        _, sent = self._use(lambda: self._channel.write(piece), self._wake)
        self._take()
        return int(sent)

    def _has_room(self) -> bool:
        """Whether the other side takes more now: it may have said so while we were reading."""
        return self._half_sent is None and bool(self._use(self._channel.window_write, self._wake))

    def _take(self) -> None:
        """Take in all that has come."""
        if self._half_sent not in (None, self._take) or self._error:
            return
        try:
            while len(self._received) < _MOST_KEPT and (self._take_from(0) or self._take_waiting_stderr()):
                pass
            self._ended = bool(self._channel.eof())
            self._watch()
        except Broken as error:
            self._fail(error)
        self._wake()

    def _take_waiting_stderr(self) -> int:
        """Read of standard error only what libssh2 has already: to look for more, it might read other things too."""
        try:
            waits = self._channel.poll_channel_read(1)
        except BufferTooSmallError:
            # It stumbles over the answer to a keepalive, which stays in its queue: look at both.
            return self._take_from(_STDERR) or self._take_from(0)
        return self._take_from(_STDERR) if waits else 0

    def _take_from(self, number: int) -> int:
        """Read once from one of the two streams that come; how many bytes, 0 when there are none now."""
        count, piece = self._use(lambda: self._channel.read_ex(_PIECE, number), self._take)
        if number == 0:
            self._received += piece
        else:
            self._stderr += piece
            del self._stderr[:-_MOST_STDERR]
        return max(int(count), 0)

    def _use(self, function: Callable[[], Any], again: Callable[[], object]) -> Any:
        """Call libssh2. When it leaves a packet half sent, *again* is called once the socket takes more."""
        try:
            result = function()
        except SSH2Error as error:
            broken = Broken(f"the SSH connection to {self._link.name} broke: {self._link.describe(error)}")
            self._fail(broken)
            raise broken from error
        code = result[0] if isinstance(result, tuple) else result
        blocked = code == LIBSSH2_ERROR_EAGAIN and self._link.wants_to_write()
        self._half_sent = again if blocked else None
        self._watch()
        return result

    async def _news(self) -> None:
        """Wait until anything has changed. Raises `Broken` when it is the end of the connection."""
        self._check()
        self._watch()
        changed: asyncio.Future[None] = self._link.loop.create_future()
        self._waiting.append(changed)
        await changed
        self._check()

    def _check(self) -> None:
        if self._error:
            raise Broken(self._error.message)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _cut(self, length: int) -> bytes:
        was_full = len(self._received) >= _MOST_KEPT
        piece = bytes(self._received[:length])
        del self._received[:length]
        if was_full:
            self._take()  # what libssh2 has read meanwhile makes no descriptor ready
        return piece

    def _readable(self) -> None:
        self._link.note_arrival()
        self._take()

    def _writable(self) -> None:
        again = self._half_sent
        if again is None:
            self._watch()
        elif again == self._wake:
            self._writes = False  # whoever waits will try again, and say so if that is not the end of it
            self._link.loop.remove_writer(self._link.sock)
            self._wake()
        else:
            again()

    def _watch(self) -> None:
        """Have the event loop watch for what can be done next."""
        sound = self._error is None
        reads = sound and self._half_sent is None and len(self._received) < _MOST_KEPT
        writes = sound and self._half_sent is not None
        loop, sock = self._link.loop, self._link.sock
        if reads != self._reads:
            loop.add_reader(sock, self._readable) if reads else loop.remove_reader(sock)
        if writes != self._writes:
            loop.add_writer(sock, self._writable) if writes else loop.remove_writer(sock)
        self._reads, self._writes = reads, writes

    def _keep_alive(self) -> None:
        """Ask the other side for a sign of life when there was none for a while; three unanswered mean broken."""
        silence = self._link.loop.time() - self._link.heard
        if silence > 3 * self._keepalive:
            self._fail(Broken(f"the host has not answered for {silence:.0f} s"))
            return
        if silence > self._keepalive / 2 and self._half_sent is None:
            with contextlib.suppress(Broken):
                self._use(self._link.session.keepalive_send, self._wake)
        if self._error is None:
            self._timer = self._link.loop.call_later(self._keepalive, self._keep_alive)

    def _fail(self, error: Broken) -> None:
        if self._error is None:
            self._release(error)

    def _release(self, error: Broken) -> None:
        """Nobody gets anything from here any more."""
        self._error = self._error or error
        self._half_sent = None
        self._timer.cancel()
        if self._link.session is not None:
            self._watch()
        self._wake()


class SshConnection:
    """Implements `Connection`: a session of the executor over *stream*; *close* ends what that goes through."""

    def __init__(self, stream: Stream, close: Callable[[], Awaitable[None]]) -> None:
        self._stream, self._close = stream, close

    async def send(self, content: bytes) -> None:
        await self._stream.send(content)

    async def receive_line(self) -> bytes:
        try:
            return await self._stream.receive_until(b"\n", LONGEST_MESSAGE)
        except Ended as error:
            said = f": {self._stream.stderr}" if self._stream.stderr else ""
            raise Broken(f"{error.message}{said}") from error

    async def close(self) -> None:
        self._stream.hang_up()
        await self._close()
