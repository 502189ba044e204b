"""One session: serves one connection, one request after the other, each exactly once however often it is asked.

When the control side hangs up, the event in flight still goes on to its end and is recorded; then the session ends.
"""

from __future__ import annotations

import os
import time

from runner.host import event
from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.lean.signals import signal
from runner.host.lock import GroupLock
from runner.host.outcome import Failure, failed, now
from runner.host.request import Request
from runner.host.scripts import running
from runner.host.scripts.feed import Feed
from runner.host.scripts.reading import Log
from runner.host.wire import HungUp, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOOK_AGAIN = 0.02  # seconds between two attempts to take a lock that another session holds


def detach(new_session: bool = True) -> None:
    """Become independent of the control side: its terminal, its signals, its idea of new files' modes."""
    if new_session and os.getpid() != os.getsid(0):
        os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever stops the control side lets the event in flight end
    os.umask(0o022)


def occupy_standard_streams(*fds: int) -> None:
    """Point the descriptors *fds* at nothing, so that no file of ours ever gets the number of a standard stream."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(nothing, fd)
    if nothing > 2:
        os.close(nothing)


def serve_apart(connection: int, let_go: Callable[[], None], hello: bytes = b"") -> None:
    """Serve the descriptor *connection* in a process of its own, and close it in this one.

    *let_go*: gives up, over there, what belongs to this process alone. *hello*: what is said first.
    """
    try:
        child = os.fork()
    except OSError:  # no process to be had: the control side sees its connection close, and asks again
        child = -1
    if child:
        os.close(connection)
        return
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        let_go()
        detach()
        os.write(connection, hello)
        serve(Wire(connection, connection))
        status = 0
    finally:
        os._exit(status)


def serve(wire: Wire) -> None:
    """Answer requests until the control side hangs up or sends what is not JSON."""
    while not wire.gone and not wire.owed:
        try:
            message = wire.receive()
        except ValueError:
            return
        if message is None:
            return
        _answer(wire, message)
    if wire.owed and not wire.gone:
        wire.wait_for_end()


def _answer(wire: Wire, message: dict[str, Any]) -> None:
    number = message.get("id")
    if "check" in message:
        from runner.host.checks import check  # loaded by those who ask for it

        check.answer(wire, number or 0, message["check"])
        return
    try:
        request = Request.from_json(message["run"])
        layout = Layout(request.folder, request.group_id, request.deployment)
        layout.make()
        feed = Feed(wire, number or 0, Log(layout.scripts_log), request.offset, request.limits.max_output)
        outcome = _end_of(request, layout, feed)
    except (Failure, OSError, KeyError) as error:  # nothing could be recorded, so nothing was run
        failure = (
            error if isinstance(error, Failure) else Failure("This host cannot keep its journal: {}".format(error))
        )
        outcome = failed(failure, "", now())
    except HungUp:  # nothing has ended: whoever asks next takes it up
        wire.gone = True
        return
    else:
        if outcome is None:
            return
        feed.finish()
    wire.send({"id": number, "end": outcome})


def _end_of(request: Request, layout: Layout, feed: Feed) -> dict[str, Any] | None:
    """The outcome of *request*: recorded, joined, resumed or made. None when the asker left while another ran it."""
    journal = Journal(layout.journal, request.event, request.attempt)
    lock = GroupLock(layout.lock)
    try:
        _find_beginning(journal, feed)
        while journal.outcome() is None and not _may_run(request, journal, lock):
            if feed.wire.is_hung_up():
                return None
            _find_beginning(journal, feed)
            feed.pump()
            time.sleep(_LOOK_AGAIN)
        _find_beginning(journal, feed)
        return journal.outcome() or event.run(request, layout, journal, feed, lock)
    finally:
        lock.close()
        journal.close()


def _may_run(request: Request, journal: Journal, lock: GroupLock) -> bool:
    """Take the group's lock, unless another session has it, or has left a script of another event running."""
    if not lock.try_to_take():
        return False
    if running.is_in_the_way(lock, journal, request.limits.term_grace):
        lock.let_go()  # who can adopt that script needs it
        return False
    return True


def _find_beginning(journal: Journal, feed: Feed) -> None:
    began = journal.began()
    if began:
        feed.begins_at(began["log"])
