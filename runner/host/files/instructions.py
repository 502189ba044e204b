"""Plans an Install: which directories to make, which files to copy, whose owner and mode to set. Touches nothing.

Source: agent 1.8, the installer's instructions, which these resemble in their JSON.
"""

from __future__ import annotations

import os

from runner.host.files.disk import Disk
from runner.host.files.permissions import Permissions
from runner.host.layout import Layout
from runner.host.outcome import Failure
from runner.host.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Instruction = Dict[str, Any]

_MOST_PROBLEMS = 100  # shown in one message
_EXISTS = "The deployment failed because a specified file already exists at this location: {}"
_BAD_BEHAVIOR = "The deployment failed because an invalid option was specified for fileExistsBehavior: {}"
_LEADS_OUT = "The source {} leads out of the bundle, to {}; `keep_inside_bundle` forbids that."
_BROKEN_NAME = "The name {!r} has a line break, which the list of what to clean up later cannot hold."


def plan(request: Request, layout: Layout, disk: Disk) -> list[Instruction]:
    """The instructions in the order to carry them out. Raises `Failure` with everything that stands against them.

    *disk*: what the instructions will find.
    """
    drawn = draw_up(request, layout, disk)
    if drawn.problems:
        raise Failure("\n".join(_first(drawn.problems)))
    return drawn.instructions


def draw_up(request: Request, layout: Layout, disk: Disk) -> Plan:
    """The plan of an Install, together with its problems."""
    kept_inside = disk.real(layout.archive) if request.options.keep_inside_bundle else None
    drawn = Plan(request.appspec.file_exists_behavior or request.file_exists_behavior, disk, kept_inside)
    for mapping in request.appspec.files:
        drawn.add(os.path.normpath(layout.archive + "/" + mapping.source), layout.on_host(mapping.destination))
    permissions = Permissions(drawn.copies, drawn.directories, disk)
    for permission in request.appspec.permissions:
        permissions.add(permission.replace(object=layout.on_host(permission.object)))
    drawn.problems += permissions.problems
    drawn.instructions += permissions.instructions
    return drawn


def _first(problems: list[str]) -> list[str]:
    rest = len(problems) - _MOST_PROBLEMS
    return problems[:_MOST_PROBLEMS] + (["... and {} more.".format(rest)] if rest > 0 else [])


class Plan:
    """What the `files` section makes. *copies*: destination to source. *directories*: the ones to make, in order.

    *retained*: destinations that stay as they are, by RETAIN. *overwritten*: those that are there already, by OVERWRITE.
    """

    def __init__(self, behavior: str, disk: Disk, kept_inside: str | None) -> None:
        self.instructions: list[Instruction] = []
        self.copies: dict[str, str] = {}
        self.directories: dict[str, None] = {}
        self.retained: list[str] = []
        self.overwritten: list[str] = []
        self.problems: list[str] = []
        self._behavior = behavior
        self._disk = disk
        self._kept_inside = kept_inside  # the real path that no source may lead out of

    def add(self, source: str, destination: str) -> None:
        """One mapping: the content of a directory into *destination*, a file into it under its own name."""
        if self._leads_out(source):
            return
        if self._disk.is_directory(source):
            self._make_ancestors(destination)
            self._add_directory(source, destination, (self._disk.real(source),))
        else:
            destination = os.path.join(destination, os.path.basename(source))
            self._make_ancestors(destination)
            self._add_file(source, destination)

    def _leads_out(self, source: str) -> bool:
        if self._kept_inside is None:
            return False
        real = self._disk.real(source)
        if is_inside(real, self._kept_inside):
            return False
        self.problems.append(_LEADS_OUT.format(source, real))
        return True

    def _make_ancestors(self, destination: str) -> None:
        missing = []
        parent = os.path.dirname(destination)
        while not self._disk.exists(parent):
            missing.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(missing):
            self._make(path)

    def _add_directory(self, source: str, destination: str, above: tuple[str, ...]) -> None:
        """Links to directories are followed, as the agent does; *above*: real paths of those that we are inside of."""
        if not self._disk.is_directory(destination):
            self._make(destination)
        for name in self._disk.names(source):
            entry, target = os.path.join(source, name), os.path.join(destination, name)
            if os.path.islink(entry) and self._leads_out(entry):
                continue
            if not self._disk.is_directory(entry):
                self._add_file(entry, target)
                continue
            real = self._disk.real(entry)
            if real in above:
                self.problems.append("{} is a link to a directory that it is in.".format(entry))
            else:
                self._add_directory(entry, target, (*above, real))

    def _add_file(self, source: str, destination: str) -> None:
        if self._disk.exists(destination):
            if self._behavior == "RETAIN":
                self.retained.append(destination)
                return
            if self._behavior == "OVERWRITE":
                self.overwritten.append(destination)
            else:
                message = _EXISTS if self._behavior == "DISALLOW" else _BAD_BEHAVIOR
                self.problems.append(message.format(destination if message == _EXISTS else self._behavior))
                return
        self._copy(source, destination)

    def _copy(self, source: str, destination: str) -> None:
        if "\n" in destination:
            self.problems.append(_BROKEN_NAME.format(destination))
        elif destination in self.copies:
            self.problems.append(
                "The deployment failed because the application specification file specifies two source files named "
                "{} and {} for the same destination path {}".format(self.copies[destination], source, destination)
            )
        elif destination in self.directories:
            self.problems.append(_both(destination))
        else:
            self.copies[destination] = source
            self.instructions.append({"type": "copy", "source": source, "destination": destination})

    def _make(self, path: str) -> None:
        if "\n" in path:
            self.problems.append(_BROKEN_NAME.format(path))
        elif path in self.copies:
            self.problems.append(_both(path))
        elif path not in self.directories:
            self.directories[path] = None
            self.instructions.append({"type": "mkdir", "directory": path})


def _both(path: str) -> str:
    return (
        "The deployment failed because the application specification file makes {} both a file and a directory".format(
            path
        )
    )


def is_inside(path: str, folder: str) -> bool:
    """Whether the real path *path* is the real path *folder*, or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
