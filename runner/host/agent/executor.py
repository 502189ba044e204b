"""The executor of this package, as a child that forks a session for each connection: see `runner.host.hub`.

The child ends with the agent; its sessions, and what they run, do not.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import subprocess
import threading
import time

from runner.host.agent.errors import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_LONGEST_LINE = 4 << 20  # bytes
_LONGEST_END = 5.0  # seconds
_NOT_FOR_SCRIPTS = (
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
)


class Executor:
    """*command*: starts the hub on the socket that is its standard input."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._hub: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._guard = threading.Lock()

    def start(self) -> None:
        """Start the hub now, so that the first event need not wait for it. Raises `Broken`."""
        with self._guard:
            self._channel = self._channel or self._started()

    def session(self) -> Session:
        """A new session. Raises `Broken` when no process can be had for it."""
        ours, theirs = socket.socketpair()
        try:
            with self._guard:
                self._pass_on(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Session(ours)

    def close(self) -> None:
        """Let the hub end."""
        with self._guard:
            self._let_go()

    def _pass_on(self, connection: socket.socket) -> None:
        for last in (False, True):
            channel = self._channel = self._channel or self._started()
            try:
                descriptors = array.array("i", [connection.fileno()])
                channel.sendmsg([b"+"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
                return
            except OSError as error:
                self._let_go()  # it died; another will do
                if last:
                    raise Broken("the executor cannot be reached: {}".format(error)) from error

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            self._hub = subprocess.Popen(
                self._command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name not in _NOT_FOR_SCRIPTS},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise Broken("the executor cannot be started: {}".format(error)) from error
        finally:
            theirs.close()
        return ours

    def _let_go(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._hub is not None:
            try:
                self._hub.wait(_LONGEST_END)
            except subprocess.TimeoutExpired:  # it hangs; nothing depends on it but new sessions
                self._hub.kill()
                self._hub.wait()
            self._hub = None


class Session:
    """One connection to the executor, for one request; every method raises `Broken` when it breaks.

    While nobody reads, the executor keeps what it has to say and goes on.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()
        connection.settimeout(None)

    def ask(self, request: dict[str, Any]) -> None:
        """Have *request* carried out, or join whoever does so already."""
        try:
            self._connection.sendall(json.dumps({"id": 1, "run": request}).encode() + b"\n")
        except OSError as error:
            raise Broken("the executor cannot be reached: {}".format(error)) from error

    def next(self, seconds: float | None) -> dict[str, Any] | None:
        """The next thing that it says: `log` with its `offset`, `need`, or `end`. None after *seconds* of silence."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                return self._parsed(bytes(line))
            if not self._wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                return None
            self._received += self._piece()

    def close(self) -> None:
        """Hang up. An event in flight goes on."""
        self._connection.close()

    def _wait(self, seconds: float | None) -> bool:
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        return bool(poller.poll(None if seconds is None else seconds * 1000))

    def _piece(self) -> bytes:
        try:
            piece = self._connection.recv(1 << 16)
        except OSError as error:
            raise Broken("the executor broke off: {}".format(error)) from error
        if not piece or len(self._received) > _LONGEST_LINE:
            raise Broken("the executor ended unexpectedly")
        return piece

    @staticmethod
    def _parsed(line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except ValueError as error:
            raise Broken("the executor said what is not an answer") from error
        if not isinstance(message, dict):
            raise Broken("the executor said what is not an answer")
        return message
