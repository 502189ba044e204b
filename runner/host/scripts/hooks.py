"""Runs the scripts of one lifecycle event, in order, up to the first that fails.

Each runs below a shell that records its end by itself (`shell`), so our death loses nothing: the next session finds the
end, or adopts the script while it runs.
"""

from __future__ import annotations

import os

from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.lock import GroupLock
from runner.host.outcome import SCRIPT_FAILED, SCRIPT_MISSING, SCRIPT_NOT_EXECUTABLE, SCRIPT_TIMED_OUT, Failure
from runner.host.request import Request, Script
from runner.host.scripts import orphans, running, shell
from runner.host.scripts.environment import environment_for
from runner.host.scripts.feed import Feed
from runner.host.scripts.logs import ScriptsLog
from runner.host.scripts.process import Process
from runner.host.scripts.revision import Scripts, scripts_for
from runner.host.scripts.shell import quoted
from runner.host.scripts.supervise import Supervision

_MOST_STARTS = 5  # of one script, when something keeps killing its shell and us together
_AT_SCRIPT = "Script at specified location: {} "


def run(request: Request, layout: Layout, journal: Journal, feed: Feed, lock: GroupLock) -> str:
    """Run what the event's scripts have not yet done. Raises `Failure` for the first that fails."""
    found = scripts_for(request, layout)
    if not found.scripts:
        return ""
    log = ScriptsLog(layout, request.deployment, request.limits)
    os.chdir(layout.folder)
    try:
        for number in range(len(found.scripts)):
            _Script(number, found, request, layout, journal, feed, lock, log).finish()
    finally:
        log.close()
    return "Ran the scripts of {}.".format(found.deployment) if found.deployment != request.deployment else ""


class _Script:
    """Script *number* of the event."""

    def __init__(
        self,
        number: int,
        found: Scripts,
        request: Request,
        layout: Layout,
        journal: Journal,
        feed: Feed,
        lock: GroupLock,
        log: ScriptsLog,
    ) -> None:
        self._number, self._request, self._layout = number, request, layout
        self._journal, self._feed, self._lock, self._log = journal, feed, lock, log
        self._script = found.scripts[number]
        self._path = found.path_of(self._script)

    def finish(self) -> None:
        """See it to its end, from wherever it has got to. Raises `Failure` unless that is a success."""
        self._take_up()
        while not self._is_over():
            if len(self._journal.script_starts(self._number)) >= _MOST_STARTS:
                raise self._failure("was begun {} times and killed each time; it is not run again".format(_MOST_STARTS))
            self._run()
        if self._journal.has_timed_out(self._number):
            message = "failed to complete in {} seconds".format(self._script.timeout)
            raise self._failure(message, SCRIPT_TIMED_OUT)
        status = self._journal.script_end(self._number)
        if status:
            raise self._failure(_why(status, self._script))

    def _is_over(self) -> bool:
        return self._journal.script_end(self._number) is not None or self._journal.has_timed_out(self._number)

    def _take_up(self) -> None:
        """Adopt what a dead session has started, or end what is left of it."""
        for last in self._journal.script_starts(self._number)[-1:]:
            process = Process(pid=last["pid"], ticks=last["ticks"], boot=last["boot"])
            if process.is_alive():
                self._watch(shell.adopt(process))
            if self._journal.script_end(self._number) is None:
                orphans.end(process, self._request.limits.term_grace)

    def _run(self) -> None:
        """Start it and see it to its end. Raises `Failure` when it cannot be started, or kills its shell."""
        self._announce()
        self._make_executable()
        command = _command(self._script, self._path)
        environment = environment_for(self._request, self._layout)
        self._check(command, environment)
        if self._number:  # the end of the one before has to survive a power cut: it must not happen twice
            self._journal.make_durable()
        end = self._journal.unfinished_end(self._number)
        try:
            started = shell.start(command, environment, self._journal.fileno(), end)
        except OSError as error:
            raise self._failure("could not be started: {}".format(error.strerror)) from error
        self._set_going(started)
        status = self._watch(started.shell)
        if self._is_over() or status is None:
            return
        if os.WIFSIGNALED(status):
            raise self._failure(
                "failed: the shell that it ran below was killed by signal {}".format(os.WTERMSIG(status))
            )
        self._journal.add("script ended", number=self._number, status=os.WEXITSTATUS(status))

    def _announce(self) -> None:
        event = b"LifecycleEvent - " + self._request.event.encode() + b"\n" if self._number == 0 else b""
        self._log.add(b"", event + b"Script - " + os.fsencode(self._script.location) + b"\n")

    def _make_executable(self) -> None:
        if not os.path.exists(self._path):
            raise Failure(
                "Script does not exist at specified location: {}".format(self._path),
                SCRIPT_MISSING,
                self._script.location,
            )
        if os.access(self._path, os.X_OK):
            return
        try:
            os.chmod(self._path, os.stat(self._path).st_mode | 0o111)
        except OSError as error:
            message = "Unable to set script at specified location: {} as executable: {}"
            raise Failure(
                message.format(self._script.location, error), SCRIPT_NOT_EXECUTABLE, self._script.location
            ) from error

    def _check(self, command: list[str], environment: dict[str, str]) -> None:
        """What the shell would only print, we say."""
        if "/" not in command[0] and not _is_in_path(command[0], environment["PATH"]):
            raise self._failure("could not be started: No such file or directory: {}".format(command[0]))
        if os.path.isdir(self._path):
            raise self._failure("could not be started: Is a directory")

    def _set_going(self, started: shell.Start) -> None:
        process = started.shell.process
        self._journal.add(
            "script started", number=self._number, pid=process.pid, ticks=process.ticks, boot=process.boot
        )
        running.put_down(self._lock, self._journal, self._number, process, process.began() + self._script.timeout)
        started.give_word()

    def _watch(self, below: shell.Shell) -> int | None:
        limits = self._request.limits
        return Supervision(
            self._number, below, self._script.timeout, limits, self._journal, self._log, self._feed
        ).to_the_end()

    def _failure(self, message: str, code: str = SCRIPT_FAILED) -> Failure:
        location = self._script.location
        return Failure(_AT_SCRIPT.format(location) + message, code, location)


def _is_in_path(name: str, path: str) -> bool:
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in path.split(":"))


def _command(script: Script, path: str) -> list[str]:
    command = ["su", script.runas, "-c", quoted(path)] if script.runas else [path]
    return ["sudo", *command] if script.sudo else command


def _why(status: int, script: Script) -> str:
    who = "run as user {} ".format(script.runas) if script.runas else ""
    hint = ""
    if status in (126, 127):
        hint = ", as if a program that it needs, or its interpreter, were not there or not executable"
    elif 128 < status < 128 + 65:
        hint = ", as if ended by signal {}".format(status - 128)
    return who + "failed with exit code {}".format(status) + hint
