"""The commands that this agent has taken, on disk from before the acknowledgement until the server knows the outcome."""

from __future__ import annotations

import hashlib
import json
import os
import time

from runner.host.lean.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OLDEST = 24 * 3600.0  # seconds; the official agent gives up on commands after that time too
_SUFFIX = ".json"


class Command(Record):
    """One command as it was handed out. *attempt*: of the lifecycle event; the server calls it the nonce."""

    identifier: str
    host: str
    execution_id: str
    event: str
    attempt: int

    @classmethod
    def from_wire(cls, value: Any) -> Command:
        """From PollHostCommand's answer. Raises `ValueError` for what is no command."""
        try:
            made = cls(
                identifier=value["HostCommandIdentifier"],
                host=value["HostIdentifier"],
                execution_id=value["DeploymentExecutionId"],
                event=value["CommandName"],
                attempt=int(value["Nonce"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("the server handed out what is not a command") from error
        if not all(
            isinstance(each, str) and each for each in (made.identifier, made.host, made.execution_id, made.event)
        ):
            raise ValueError("the server handed out what is not a command")
        return made


class Ongoing:
    """A folder with a file for each command."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        os.makedirs(folder, 0o700, exist_ok=True)

    def note(self, command: Command) -> None:
        """Have *command* survive the death of this process, and of the machine. Raises `OSError`."""
        path = self._path(command)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(json.dumps(command.members()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
        self._make_durable()

    def forget(self, command: Command) -> None:
        """Nothing is owed for *command* any more."""
        try:
            os.unlink(self._path(command))
        except FileNotFoundError:
            pass

    def left(self) -> list[Command]:
        """What an earlier process has left undone, oldest first. What is too old, torn or not ours is removed."""
        found = []
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            try:
                changed = os.stat(path).st_mtime
                if name.endswith(_SUFFIX) and time.time() - changed < _OLDEST:
                    with open(path, encoding="utf-8") as file:
                        found.append((changed, path, Command(**json.loads(file.read()))))
                    continue
            except (OSError, ValueError, TypeError):
                pass
            os.unlink(path)
        return [command for _, _, command in sorted(found, key=lambda each: each[:2])]

    def _path(self, command: Command) -> str:
        return os.path.join(self._folder, hashlib.sha256(command.identifier.encode()).hexdigest()[:32] + _SUFFIX)

    def _make_durable(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
