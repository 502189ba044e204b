"""Stays for a while when a session is over, so that the next one costs a fork and not a start of the interpreter.

It listens on a socket beside its own code, in a folder that only its user may enter: whoever can connect could have
started it as well. One process of each version stays; it goes when nobody has come for some time.
"""

from __future__ import annotations

import fcntl
import os
import select

from runner.host import session
from runner.host.lean.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST_PATH = 107  # bytes, of a socket's name


def stay(place: str, hello: bytes, seconds: float) -> None:
    """Serve whoever connects to the socket `warm` in the folder *place*, each in a process of their own.

    Returns once nobody has come for *seconds*; at once if another process stays here, or nothing can listen here.
    """
    path = os.path.join(place, "warm")
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return
    try:
        lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as long as this process lives
        listener = _listen(path)
    except (OSError, ImportError):
        return
    os.chdir("/")
    for number in (signal.SIGTERM, signal.SIGHUP):  # nothing is in flight here: a shutdown need not wait for us
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets ended sessions for us
    poller = select.poll()
    poller.register(listener.fileno(), select.POLLIN)
    while poller.poll(seconds * 1000):
        _serve_next(listener, lock, hello)
    try:
        os.unlink(path)
    except OSError:  # this version has been removed meanwhile
        pass


def _listen(path: str) -> Any:
    """Without `socket` around its C part, whose import takes longer than it takes to start a session."""
    from _socket import AF_UNIX, SOCK_STREAM, socket

    try:
        os.unlink(path)  # of one that was killed
    except FileNotFoundError:
        pass
    listener = socket(AF_UNIX, SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(16)
    return listener


def _serve_next(listener: Any, lock: int, hello: bytes) -> None:
    def let_go() -> None:
        listener.close()
        os.close(lock)

    try:
        connection = listener._accept()[0]
    except OSError:
        return
    session.serve_apart(connection, let_go, hello)
