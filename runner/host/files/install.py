"""Install: removes what the last Install of this group made, works out what to make now, and makes it.

Source: agent 1.8, "Install". The order is the agent's, down to its consequence that a plan which turns out impossible
has already cost the old files, unless `plan_before_removing` is chosen; ours reports all that is wrong with the plan.
"""

from __future__ import annotations

import os

from runner.host.files.carry_out import carry_out
from runner.host.files.cleanup import clean_up, foresee, recorded
from runner.host.files.disk import Disk
from runner.host.files.instructions import plan
from runner.host.layout import Layout, write_whole
from runner.host.lean import plain_json
from runner.host.outcome import Failure
from runner.host.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.host.files.instructions import Instruction


def install(request: Request, layout: Layout) -> str:
    """Install the unpacked revision. Safe to do again after a crash at any point. Raises `Failure`."""
    check_revision(request, layout)
    _adopt_interrupted(request, layout)
    if request.options.plan_before_removing:
        disk, _ = foresee(recorded(layout.cleanup))
        instructions = plan(request, layout, disk)
        clean_up(layout.cleanup)
    else:
        clean_up(layout.cleanup)
        instructions = plan(request, layout, Disk())
    _write_instructions(request, layout, instructions)
    with open(layout.cleanup, "wb", buffering=0) as cleanup:
        for instruction in instructions:
            carry_out(instruction, lambda path: _record(cleanup.fileno(), path))
    stored = {"file": request.appspec_file, "appspec": request.appspec_json}
    write_whole(layout.appspec, plain_json.dumps(stored))
    write_whole(layout.last_successful, layout.deployment)
    return ""


def check_revision(request: Request, layout: Layout) -> None:
    """The AppSpec is looked for under its given name and under its two usual ones."""
    names = (request.appspec_file, "appspec.yaml", "appspec.yml")
    if not os.path.isdir(layout.archive):
        raise Failure("The revision is not on this host: {} does not exist.".format(layout.archive))
    if not any(os.path.isfile(os.path.join(layout.archive, name)) for name in names):
        raise Failure("The AppSpec file {} is not in the revision on this host.".format(request.appspec_file))


def _interrupted(request: Request, layout: Layout) -> str | None:
    """A directory is recorded after it is made. If a crash came between, it is ours all the same: the one, or None."""
    try:
        with open(layout.instructions, encoding="utf-8", errors="surrogateescape") as file:
            stored = plain_json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return None
    if stored.get("deployment") != request.deployment or not os.path.exists(layout.cleanup):
        return None
    known = set(recorded(layout.cleanup))
    for instruction in stored["instructions"]:
        if instruction["type"] == "mkdir" and instruction["directory"] not in known:
            return str(instruction["directory"]) if os.path.isdir(instruction["directory"]) else None
    return None


def _adopt_interrupted(request: Request, layout: Layout) -> None:
    directory = _interrupted(request, layout)
    if directory is not None:
        with open(layout.cleanup, "ab", buffering=0) as cleanup:
            _record(cleanup.fileno(), directory)


def _write_instructions(request: Request, layout: Layout, instructions: list[Instruction]) -> None:
    content = {"deployment": request.deployment, "instructions": instructions}
    write_whole(layout.instructions, plain_json.dumps(content))


def _record(fd: int, path: str) -> None:
    line = os.fsencode(path) + b"\n"
    if os.write(fd, line) != len(line):
        raise OSError("the list of installed files could not be written: the disk is full")
