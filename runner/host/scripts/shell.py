"""Starts a script below a shell that puts its exit status into the journal, whatever becomes of us meanwhile.

The shell holds the reading ends of the script's output too, so that our death breaks no pipe, and whoever comes after
us can open them through /proc and go on reading.
"""

from __future__ import annotations

import fcntl
import os

from runner.host.lean.record import Record
from runner.host.lean.signals import signal
from runner.host.scripts.process import Process, process_of

_OUT, _ERR = 4, 5  # the descriptors of the shell from which the output can be read
_TO_DEFAULT = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD]

# It waits for a word first: nothing may run before its start is in the journal. A trapped signal goes back to its
# default in the script. What the shell itself would print of the script's end goes nowhere. The one `printf` is one write
# to a file that is only ever added to. When we are dead by then, the shell keeps the output readable for a minute; `exec`
# leaves it the number and the start by which it is known.
_WRAPPER = """\
read -r _ || exit 0
trap : HUP INT QUIT TERM USR1 USR2 ALRM
(exec "$@" </dev/null 2>&6 3>&- 4<&- 5<&- 6>&-)
set -- $?
printf '%s%d}}\\n' {end} "$1" >&3
kill -0 {session} || exec sleep 60 </dev/null >/dev/null 2>&1 6>&-
exit "$1"
"""


class Shell(Record):
    """A shell that runs, or ran, a script. *out*, *err*: its output, -1 when it cannot be had. *is_child*: of ours."""

    process: Process
    out: int
    err: int
    is_child: bool


class Start(Record):
    """A shell that waits for `give_word`; if that never comes, it ends without having run anything."""

    shell: Shell
    word: int

    def give_word(self) -> None:
        os.write(self.word, b"\n")
        os.close(self.word)


def start(command: list[str], environment: dict[str, str], journal: int, end: str) -> Start:
    """Start a shell for *command*. *journal*: a descriptor; it will get *end*, the exit status in decimal, and `}`."""
    wait, word = _pipe()
    out, out_end = _pipe()
    err, err_end = _pipe()
    text = _WRAPPER.format(end=quoted(end), session=os.getpid())
    journal = _above(os.dup(journal))
    actions = [
        (os.POSIX_SPAWN_DUP2, wait, 0),
        (os.POSIX_SPAWN_DUP2, out_end, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, journal, 3),
        (os.POSIX_SPAWN_DUP2, out, _OUT),
        (os.POSIX_SPAWN_DUP2, err, _ERR),
        (os.POSIX_SPAWN_DUP2, err_end, 6),
    ]
    whole = ["/bin/sh", "-c", text, "penstock", *_with_strange_names(command, environment)]
    try:
        pid = os.posix_spawn(whole[0], whole, environment, file_actions=actions, setpgroup=0, setsigdef=_TO_DEFAULT)
    except BaseException:
        for fd in (word, out, err):
            os.close(fd)
        raise
    finally:
        for fd in (wait, out_end, err_end, journal):
            os.close(fd)
    return Start(shell=Shell(process=process_of(pid), out=out, err=err, is_child=True), word=word)


def adopt(process: Process) -> Shell:
    """The shell *process*, which a session that is dead by now had started, with its output where that can be had."""
    return Shell(process=process, out=_open(process, _OUT), err=_open(process, _ERR), is_child=False)


def _open(process: Process, number: int) -> int:
    try:
        return _above(os.open("/proc/{}/fd/{}".format(process.pid, number), os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return -1


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    return _above(read), _above(write)


def _above(fd: int) -> int:
    """*fd* under a number that none of the shell's has, so that setting those up cannot run over it."""
    if fd > 9:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)


def quoted(text: str) -> str:
    """*text* as one word for a shell. `shlex` would do, but every start would pay for importing it."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _with_strange_names(command: list[str], environment: dict[str, str]) -> list[str]:
    """*command*, given the variables with names like `a.b`, which shells drop, by `env`."""
    strange = ["{}={}".format(name, value) for name, value in environment.items() if not name.isidentifier()]
    return ["/usr/bin/env", *strange, *command] if strange else command
