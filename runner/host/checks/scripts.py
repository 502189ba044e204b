"""The part of a check that is about scripts: which would run, of which revision, and whether they can."""

from __future__ import annotations

import os
import pwd
import shutil

from runner.host.outcome import Failure
from runner.host.scripts.environment import environment_for
from runner.host.scripts.revision import pointer_for, scripts_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.host.checks.explanation import Explanation
    from runner.host.layout import Layout
    from runner.host.request import Request, Script

EVENTS = (
    *("BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop", "BeforeInstall", "AfterInstall"),
    *("ApplicationStart", "ValidateService", "BeforeAllowTraffic", "AfterAllowTraffic"),
)
"""In order; those that run scripts."""

_EARLY = ("BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop", "BeforeInstall")
_MAY_CHANGE = "Scripts of {} run before Install, and may change what it will find."


def check(request: Request, layout: Layout, unpacked: Layout, found: Explanation) -> None:
    """Explain every event's scripts. *layout*: of the host as it is; *unpacked*: with the new bundle's archive."""
    for event in EVENTS:
        asked = request.replace(event=event)
        try:
            chosen = scripts_for(asked, layout if pointer_for(asked, layout) else unpacked)
        except (Failure, OSError, ValueError) as error:
            found.problem(event, str(error))
            continue
        path = environment_for(asked, layout)["PATH"]
        of_new = chosen.archive == unpacked.archive
        for script in chosen.scripts:
            fact = {
                "event": event,
                "location": script.location,
                "deployment": None if of_new else chosen.deployment,
                "timeout": script.timeout,
                "runas": script.runas,
                "sudo": script.sudo,
                **_file_facts(chosen.path_of(script)),
            }
            found.lists["scripts"].append(fact)
            for problem in _problems(script, chosen.path_of(script), path):
                found.problem(event, "{}: {}".format(script.location, problem))
        if chosen.scripts and event in _EARLY:
            found.note(_MAY_CHANGE.format(event))


def _file_facts(path: str) -> dict[str, object]:
    exists = os.path.exists(path)
    return {
        "exists": exists,
        "executable": exists and os.access(path, os.X_OK),
        "interpreter": _interpreter(path),
    }


def _problems(script: Script, path: str, search: str) -> Iterator[str]:
    if not os.path.exists(path):
        yield "there is no such script in the bundle"
        return
    if not os.path.isfile(path):
        yield "is not a file"
        return
    yield from _problems_of_interpreter(_interpreter(path), search)
    if script.runas:
        yield from _problems_of_user(script, search)
    if script.sudo and shutil.which("sudo", path=search) is None:
        yield "asks for sudo, which this host does not have"


def _interpreter(path: str) -> str | None:
    """What stands behind `#!`; None when nothing does, and `/bin/sh` or the kernel runs it."""
    try:
        with open(path, "rb") as file:
            first = file.read(256).split(b"\n", 1)[0]
    except OSError:
        return None
    return os.fsdecode(first[2:].strip(b" \t")) if first.startswith(b"#!") else None


def _problems_of_interpreter(interpreter: str | None, search: str) -> Iterator[str]:
    if interpreter is None:
        return
    if interpreter.endswith("\r"):
        yield "has Windows line ends, so its interpreter will not be found; save it with Unix ones"
        return
    words = interpreter.split()
    if not words or not os.access(words[0], os.X_OK):
        yield "its interpreter {} is not on this host".format(words[0] if words else "''")
    elif os.path.basename(words[0]) == "env":
        wanted = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        if wanted and shutil.which(wanted, path=search) is None:
            yield "its interpreter {} is not in the PATH of scripts, {}".format(wanted, search)


def _problems_of_user(script: Script, search: str) -> Iterator[str]:
    try:
        account = pwd.getpwnam(script.runas or "")
    except (KeyError, ValueError):
        yield "runs as {}, whom this host does not have".format(script.runas)
        return
    if os.path.basename(account.pw_shell) in ("nologin", "false"):
        yield "runs as {}, whose shell {} lets nobody in".format(script.runas, account.pw_shell)
    if shutil.which("su", path=search) is None:
        yield "runs as {}, for which this host lacks su".format(script.runas)
    if os.geteuid() and not script.sudo:
        yield "runs as {}, but only root may do that without sudo, and the executor is not root here".format(
            script.runas
        )
