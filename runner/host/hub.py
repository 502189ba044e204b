"""Starts a session for the price of a fork: the modules are loaded once, each connection gets a process of its own.

The control side holds the other end of one Unix socket and passes the connections through it as file descriptors, so
nothing listens anywhere and nobody else can connect. When that socket closes the hub ends; its sessions go on.
"""

from __future__ import annotations

import array
import gc
import socket

from runner.host import session
from runner.host.bundles import unpack  # noqa: F401  loaded here, once, so that no session pays for it
from runner.host.lean.signals import signal

_INT = array.array("i").itemsize


def serve(channel_fd: int) -> None:
    """Fork one session for each descriptor that arrives on the socket *channel_fd*, until its other end is closed."""
    session.detach(new_session=False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets ended sessions for us
    gc.freeze()
    gc.enable()
    channel = socket.socket(fileno=channel_fd)
    while True:
        connections = _receive(channel)
        if connections is None:
            return
        for connection in connections:
            session.serve_apart(connection, lambda: session.occupy_standard_streams(channel.detach()))


def _receive(channel: socket.socket) -> list[int] | None:
    """The descriptors of the next message, None when the control side is gone."""
    try:
        content, ancillary, _, _ = channel.recvmsg(64, socket.CMSG_SPACE(16 * _INT))
    except OSError:
        return None
    if not content:
        return None
    fds = array.array("i")
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(raw[: len(raw) - len(raw) % _INT])
    return list(fds)
