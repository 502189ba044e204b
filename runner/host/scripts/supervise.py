"""Watches over one script below its shell: logs what it prints, ends it when its time is up, and knows when it is over.

Source: agent 1.8, "running a hook". Ours differs where the agent hangs: a script that ignores TERM is killed after a
grace, and a background child that keeps the output open is waited for only shortly and then left to itself.
"""

from __future__ import annotations

import os
import select
import time

from runner.host.journal import Journal
from runner.host.lean.signals import signal
from runner.host.request import Limits
from runner.host.scripts import orphans
from runner.host.scripts.feed import Feed
from runner.host.scripts.logs import ScriptsLog
from runner.host.scripts.output import Stream, let_go
from runner.host.scripts.process import now
from runner.host.scripts.shell import Shell

_LOOK_AGAIN = 0.02  # seconds between two looks, where nothing wakes us
_LONGEST_WAIT = 3600.0  # seconds; `poll` takes no large numbers
_LEFT_OPEN = b"a process that the script left behind keeps its output open; what it prints is lost\n"


class Supervision:
    """Of script *number*, below *shell*. *timeout*: seconds from the shell's start, by a clock that nobody can set."""

    def __init__(
        self, number: int, shell: Shell, timeout: int, limits: Limits, journal: Journal, log: ScriptsLog, feed: Feed
    ) -> None:
        self._number, self._shell, self._limits = number, shell, limits
        self._journal, self._log, self._feed = journal, log, feed
        self._until = shell.process.began() + timeout
        self._status: int | None = None
        outputs = ((shell.out, b"[stdout]"), (shell.err, b"[stderr]"))
        self._streams = {fd: Stream(fd, prefix, log) for fd, prefix in outputs if fd >= 0}
        self._poller = select.poll()
        for fd in self._streams:
            self._poller.register(fd, select.POLLIN)
        self._news = True
        self._bell = _bell(shell)
        self._rang = self._bell < 0
        if self._bell >= 0:
            self._poller.register(self._bell, select.POLLIN)

    def to_the_end(self) -> int | None:
        """Return once the script is over and its output is logged: the shell's wait status if it is a child of ours.

        The journal then has the script's end, unless the shell was killed; and `script timed out`, if it had to be ended.
        """
        while not self._is_over():
            self._listen()
            if now() >= self._until:
                self._insist()
        if self._bell >= 0:
            self._poller.unregister(self._bell)
            os.close(self._bell)
        self._end_what_is_left()
        self._until = now() + self._limits.drain_grace
        while self._streams and now() < self._until:
            self._listen()
        if self._streams:
            self._log.add(b"[warning]", _LEFT_OPEN)
            let_go(list(self._streams.values()))
        self._send_away()
        self._feed.pump()
        return self._status

    def _is_over(self) -> bool:
        shell = self._shell
        if not shell.is_child:  # once the end is recorded, all that the shell still does is to keep its output for us
            return self._journal.script_end(self._number) is not None or not shell.process.is_alive()
        if self._streams and not self._rang:
            return False
        done, status = os.waitpid(shell.process.pid, os.WNOHANG if self._streams else 0)
        if done:
            self._status = status
        return bool(done)

    def _listen(self) -> None:
        """Log what the script prints until something has happened, or nothing has for a while."""
        behind = self._news and not self._feed.pump()
        if behind:
            self._poller.register(self._feed.wire.sink, select.POLLOUT)
        self._news = behind
        for fd, _ in self._poller.poll(self._patience() * 1000 + 1):
            self._rang = self._rang or fd == self._bell
            if fd in self._streams:
                self._take(fd)
        if behind:
            self._poller.unregister(self._feed.wire.sink)

    def _patience(self) -> float:
        looking = self._bell < 0 or not self._shell.is_child
        return min(max(0.0, self._until - now()), _LOOK_AGAIN if looking else _LONGEST_WAIT)

    def _take(self, fd: int) -> None:
        self._news = True
        if not self._streams[fd].take():
            self._poller.unregister(fd)
            os.close(fd)
            del self._streams[fd]

    def _insist(self) -> None:
        """The time is up: TERM first, KILL every time after that."""
        first = not self._journal.has_timed_out(self._number)
        if first:
            self._journal.add("script timed out", number=self._number)
        _signal_group(self._shell.process.pid, signal.SIGTERM if first else signal.SIGKILL)
        self._until = now() + self._limits.term_grace

    def _end_what_is_left(self) -> None:
        group, ended = self._shell.process, self._journal.script_end(self._number)
        if self._journal.has_timed_out(self._number):
            while now() < self._until and _signal_group(group.pid, 0):
                time.sleep(_LOOK_AGAIN)
            _signal_group(group.pid, signal.SIGKILL)
        elif ended is None and self._status is not None:
            orphans.end(group, self._limits.term_grace)

    def _send_away(self) -> None:
        """An adopted shell that keeps the output for us has done so. Not before: we may have died while reading."""
        if not self._shell.is_child and self._shell.process.is_alive():
            os.kill(self._shell.process.pid, signal.SIGKILL)


def _bell(shell: Shell) -> int:
    """A descriptor that becomes readable when *shell* has ended, -1 where the system has no such thing."""
    if not hasattr(os, "pidfd_open"):  # Python 3.8
        return -1
    try:
        return int(os.pidfd_open(shell.process.pid))
    except OSError:
        return -1


def _signal_group(group: int, number: int) -> bool:
    """False when nobody is left in the process group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user
        return True
    return True
