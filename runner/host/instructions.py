"""Plans an Install: which directories to make, which files to copy, whose owner and mode to set. Touches nothing.

Source: agent 1.8, the installer's instructions, which these resemble in their JSON.
"""

from __future__ import annotations

import os
from typing import Any, Dict

from runner.host.layout import Layout
from runner.host.outcome import Failure
from runner.host.permissions import Permissions
from runner.host.request import Request

Instruction = Dict[str, Any]

_MOST_PROBLEMS = 100  # shown in one message
_EXISTS = "The deployment failed because a specified file already exists at this location: {}"
_BAD_BEHAVIOR = "The deployment failed because an invalid option was specified for fileExistsBehavior: {}"

_BROKEN_NAME = "The name {!r} has a line break, which the list of what to clean up later cannot hold."


def plan(request: Request, layout: Layout) -> list[Instruction]:
    """The instructions in the order to carry them out. Raises `Failure` with everything that stands against them."""
    planned = _Plan(request.appspec.file_exists_behavior or request.file_exists_behavior)
    for mapping in request.appspec.files:
        planned.add(os.path.normpath(layout.archive + "/" + mapping.source), layout.on_host(mapping.destination))
    permissions = Permissions(planned.copies, planned.directories)
    for permission in request.appspec.permissions:
        permissions.add(permission.replace(object=layout.on_host(permission.object)))
    problems = planned.problems + permissions.problems
    if problems:
        raise Failure("\n".join(_first(problems)))
    return planned.instructions + permissions.instructions


def _first(problems: list[str]) -> list[str]:
    rest = len(problems) - _MOST_PROBLEMS
    return problems[:_MOST_PROBLEMS] + (["... and {} more.".format(rest)] if rest > 0 else [])


class _Plan:
    """What the `files` section makes. *copies*: destination to source. *directories*: the ones to make, in order."""

    def __init__(self, behavior: str) -> None:
        self.instructions: list[Instruction] = []
        self.copies: dict[str, str] = {}
        self.directories: dict[str, None] = {}
        self.problems: list[str] = []
        self._behavior = behavior

    def add(self, source: str, destination: str) -> None:
        """One mapping: the content of a directory into *destination*, a file into it under its own name."""
        if os.path.isdir(source):
            self._make_ancestors(destination)
            self._add_directory(source, destination, (os.path.realpath(source),))
        else:
            destination = os.path.join(destination, os.path.basename(source))
            self._make_ancestors(destination)
            self._add_file(source, destination)

    def _make_ancestors(self, destination: str) -> None:
        missing = []
        parent = os.path.dirname(destination)
        while not os.path.exists(parent):
            missing.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(missing):
            self._make(path)

    def _add_directory(self, source: str, destination: str, above: tuple[str, ...]) -> None:
        """Links to directories are followed, as the agent does; *above*: real paths of those that we are inside of."""
        if not os.path.isdir(destination):
            self._make(destination)
        for name in sorted(os.listdir(source)):
            entry, target = os.path.join(source, name), os.path.join(destination, name)
            if not os.path.isdir(entry):
                self._add_file(entry, target)
                continue
            real = os.path.realpath(entry)
            if real in above:
                self.problems.append("{} is a link to a directory that it is in.".format(entry))
            else:
                self._add_directory(entry, target, (*above, real))

    def _add_file(self, source: str, destination: str) -> None:
        if os.path.exists(destination):
            if self._behavior == "RETAIN":
                return
            if self._behavior != "OVERWRITE":
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
