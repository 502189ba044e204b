"""Install: removes what the last Install of this group made, works out what to make now, and makes it.

Source: agent 1.8, "Install". The order is the agent's, down to its consequence that a plan which turns out impossible
has already cost the old files; ours reports all that is wrong with the plan, not the first.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess

from runner.host.carry_out import carry_out
from runner.host.instructions import Instruction, plan
from runner.host.layout import Layout, write_whole
from runner.host.outcome import Failure
from runner.host.request import Request

_SEMANAGE = "semanage\0"


def install(request: Request, layout: Layout) -> str:
    """Install the unpacked revision. Safe to do again after a crash at any point. Raises `Failure`."""
    _check(request, layout)
    _adopt_interrupted(request, layout)
    _clean_up(layout.cleanup)
    instructions = plan(request, layout)
    _write_instructions(request, layout, instructions)
    with open(layout.cleanup, "wb", buffering=0) as cleanup:
        for instruction in instructions:
            carry_out(instruction, lambda path: _record(cleanup.fileno(), path))
    stored = {"file": request.appspec_file, "appspec": request.appspec_json}
    write_whole(layout.appspec, json.dumps(stored))
    write_whole(layout.last_successful, layout.deployment)
    return ""


def _check(request: Request, layout: Layout) -> None:
    """The AppSpec is looked for under its given name and under its two usual ones."""
    names = (request.appspec_file, "appspec.yaml", "appspec.yml")
    if not os.path.isdir(layout.archive):
        raise Failure("The revision is not on this host: {} does not exist.".format(layout.archive))
    if not any(os.path.isfile(os.path.join(layout.archive, name)) for name in names):
        raise Failure("The AppSpec file {} is not in the revision on this host.".format(request.appspec_file))


def _adopt_interrupted(request: Request, layout: Layout) -> None:
    """A directory is recorded after it is made. If a crash came between, it is ours all the same: record it now."""
    try:
        with open(layout.instructions, encoding="utf-8", errors="surrogateescape") as file:
            stored = json.load(file)
    except (FileNotFoundError, ValueError):
        return
    if stored.get("deployment") != request.deployment or not os.path.exists(layout.cleanup):
        return
    recorded = set(_recorded(layout.cleanup))
    with open(layout.cleanup, "ab", buffering=0) as cleanup:
        for instruction in stored["instructions"]:
            if instruction["type"] == "mkdir" and instruction["directory"] not in recorded:
                if os.path.isdir(instruction["directory"]):
                    _record(cleanup.fileno(), instruction["directory"])
                return


def _clean_up(path: str) -> None:
    """Remove what the file *path* lists, last first; then the file. What is not there, or not empty, is left."""
    for line in reversed(_recorded(path)):
        if line.startswith(_SEMANAGE):
            subprocess.run(["semanage", "fcontext", "-d", line[len(_SEMANAGE) :]], check=False, capture_output=True)
        else:
            _remove(line)
    if os.path.exists(path):
        os.unlink(path)


def _recorded(path: str) -> list[str]:
    """The lines of a cleanup file; a last one that lacks its end was never finished, and does not count."""
    try:
        with open(path, "rb") as file:
            return [os.fsdecode(line) for line in file.read().split(b"\n")[:-1]]
    except FileNotFoundError:
        return []


def _remove(path: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        if not os.path.isdir(path) or not os.listdir(path):
            raise


def _write_instructions(request: Request, layout: Layout, instructions: list[Instruction]) -> None:
    content = {"deployment": request.deployment, "instructions": instructions}
    write_whole(layout.instructions, json.dumps(content, ensure_ascii=False))


def _record(fd: int, path: str) -> None:
    line = os.fsencode(path) + b"\n"
    if os.write(fd, line) != len(line):
        raise OSError("the list of installed files could not be written: the disk is full")
