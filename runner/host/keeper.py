"""The keeper of one script: starts it, logs what it prints, ends it when its time is up, records how it ended.

Source: agent 1.8, "running a hook". Ours differs where the agent hangs: a script that ignores TERM is killed after a
grace, and a background child that keeps the output open is waited for only shortly and then left to itself.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import time
from typing import NamedTuple

from runner.host import orphans
from runner.host.journal import Journal
from runner.host.logs import LONGEST_LINE, ScriptsLog
from runner.host.outcome import (
    SCRIPT_FAILED,
    SCRIPT_MISSING,
    SCRIPT_NOT_EXECUTABLE,
    SCRIPT_TIMED_OUT,
    SUCCESS,
    UNKNOWN_ERROR,
    Failure,
)
from runner.host.request import Limits, Request, Script

_AT_SCRIPT = "Script at specified location: {} "
_TO_DEFAULT = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD]


class Job(NamedTuple):
    """Script *number* of an event, at *path*. *is_last*: the event's own end, which follows, is what is made durable."""

    number: int
    is_last: bool
    script: Script
    path: str
    environment: dict[str, str]


def keep(job: Job, request: Request, folder: str, journal: Journal, log: ScriptsLog, tell: int) -> None:
    """Run the script of *job* in *folder*, to its end in the journal. *tell*: gets a byte whenever the log has grown."""
    os.setsid()
    os.chdir(folder)
    if job.number == 0:
        log.add([b"LifecycleEvent - " + request.event.encode()])
    log.add([b"Script - " + os.fsencode(job.script.location)])
    journal.add("script started", number=job.number, pid=os.getpid(), ticks=orphans.ticks_of(os.getpid()))
    code, message = SUCCESS, ""
    try:
        _run(job, request.limits, _Printer(log, tell))
    except Failure as failure:
        code, message = failure.code, failure.message
    except OSError as error:
        code, message = UNKNOWN_ERROR, "{}could not be run: {}".format(_AT_SCRIPT.format(job.script.location), error)
    journal.add("script ended", durable=not job.is_last, number=job.number, code=code, message=message)


class _Printer:
    """Takes what the script prints, a line at a time, into the log."""

    def __init__(self, log: ScriptsLog, tell: int) -> None:
        self._log = log
        self._tell = tell

    def print(self, lines: list[bytes]) -> None:
        self._log.add(lines)
        try:
            os.write(self._tell, b".")
        except OSError:  # full: the session has news waiting anyway; broken: the session is dead, and we go on
            pass


class _Stream:
    """One of the two outputs of a script, cut into lines."""

    def __init__(self, fd: int, prefix: bytes, printer: _Printer) -> None:
        self.fd = fd
        self._prefix = prefix
        self._printer = printer
        self._rest = b""

    def take(self) -> bool:
        """Log what has come. False: the output has been closed by all who had it."""
        piece = os.read(self.fd, 65536)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if not piece or len(self._rest) > LONGEST_LINE:
            lines, self._rest = lines + [self._rest] * bool(self._rest), b""
        if lines:
            self._printer.print([self._prefix + part for line in lines for part in _cut(line)])
        return bool(piece)


def _cut(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)] or [b""]


def _run(job: Job, limits: Limits, printer: _Printer) -> None:
    """Run the script to its end. Raises `Failure` when it is missing, cannot run, takes too long or fails."""
    script = job.script
    _make_executable(job)
    deadline = time.monotonic() + script.timeout
    woken = _wake_on_child_exit()
    pid, streams = _spawn(job, printer)
    status, in_time = _wait(pid, streams, woken, deadline, limits)
    signal.set_wakeup_fd(-1)
    if streams:
        printer.print([b"[warning]a process that the script left behind keeps its output open; what it prints is lost"])
        _let_go(streams)
    if not in_time:
        message = _AT_SCRIPT.format(script.location) + "failed to complete in {} seconds".format(script.timeout)
        raise Failure(message, SCRIPT_TIMED_OUT)
    if status:
        raise Failure(_AT_SCRIPT.format(script.location) + _why(status, script), SCRIPT_FAILED)


def _make_executable(job: Job) -> None:
    if not os.path.exists(job.path):
        raise Failure("Script does not exist at specified location: {}".format(job.path), SCRIPT_MISSING)
    if os.access(job.path, os.X_OK):
        return
    try:
        os.chmod(job.path, os.stat(job.path).st_mode | 0o111)
    except OSError as error:
        message = "Unable to set script at specified location: {} as executable: {}".format(job.script.location, error)
        raise Failure(message, SCRIPT_NOT_EXECUTABLE) from error


def _wake_on_child_exit() -> int:
    """A pipe that becomes readable when a child ends; a poll on the outputs alone would miss it."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken


def _spawn(job: Job, printer: _Printer) -> tuple[int, dict[int, _Stream]]:
    """Start the script in a process group of its own, with nothing to read. Returns its ID and its outputs."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    try:
        pid = _execute(_command(job), job.environment, out_end, err_end)
    except OSError as error:
        message = _AT_SCRIPT.format(job.script.location) + "could not be started: {}".format(error.strerror)
        raise Failure(message, SCRIPT_FAILED) from error
    finally:
        os.close(out_end)
        os.close(err_end)
    return pid, {out: _Stream(out, b"[stdout]", printer), err: _Stream(err, b"[stderr]", printer)}


def _command(job: Job) -> list[str]:
    script = job.script
    command = ["su", script.runas, "-c", shlex.quote(job.path)] if script.runas else [job.path]
    return ["sudo", *command] if script.sudo else command


def _execute(command: list[str], environment: dict[str, str], out: int, err: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, err, 2),
    ]
    os.environ["PATH"] = environment["PATH"]  # where `su` and `sudo` are looked for
    spawn = os.posix_spawn if "/" in command[0] else os.posix_spawnp
    try:
        return spawn(command[0], command, environment, file_actions=actions, setpgroup=0, setsigdef=_TO_DEFAULT)
    except OSError as error:
        if error.errno != _NO_SHEBANG:
            raise
    shell = ["/bin/sh", *command]
    return os.posix_spawn(shell[0], shell, environment, file_actions=actions, setpgroup=0, setsigdef=_TO_DEFAULT)


_NO_SHEBANG = 8  # ENOEXEC


def _wait(pid: int, streams: dict[int, _Stream], woken: int, deadline: float, limits: Limits) -> tuple[int, bool]:
    """Log the script's output until it has ended. Leaves in *streams* what others still hold open shortly after that.

    Returns its wait status and whether it ended by itself before *deadline*; if not, its whole process group is ended.
    """
    poller = select.poll()
    for fd in (*streams, woken):
        poller.register(fd, select.POLLIN)
    status: int | None = None
    in_time = True
    until = deadline
    while True:
        for fd, _ in poller.poll(max(0, until - time.monotonic()) * 1000 + 1):
            if fd == woken:
                os.read(woken, 512)
            elif not streams[fd].take():
                poller.unregister(fd)
                os.close(fd)
                del streams[fd]
        if status is None:
            status = _ended(pid)
            if status is not None:
                until = time.monotonic() + limits.drain_grace
        if status is not None and (not streams or time.monotonic() >= until):
            break
        if status is None and time.monotonic() >= until:
            _signal_group(pid, signal.SIGTERM if in_time else signal.SIGKILL)
            in_time, until = False, time.monotonic() + limits.term_grace
    if not in_time:
        _end_group(pid, until)
    return status, in_time


def _ended(pid: int) -> int | None:
    """The wait status of the child *pid*, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return status if done else None


def _end_group(group: int, until: float) -> None:
    """The script is dead; give what is left of its process group until *until*, then kill it."""
    while time.monotonic() < until and _signal_group(group, 0):
        time.sleep(0.02)
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """False when nobody is left in the process group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user
        return True
    return True


def _let_go(streams: dict[int, _Stream]) -> None:
    """Keep reading, in a process that costs next to nothing, what a daemon prints: a closed pipe would kill it."""
    for fd in streams:
        actions = [
            (os.POSIX_SPAWN_DUP2, fd, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        try:
            os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=actions, setsigdef=_TO_DEFAULT)
        except OSError:
            pass


def _why(status: int, script: Script) -> str:
    who = "run as user {} ".format(script.runas) if script.runas else ""
    if os.WIFSIGNALED(status):
        return who + "was ended by signal {}".format(os.WTERMSIG(status))
    return who + "failed with exit code {}".format(os.WEXITSTATUS(status))
