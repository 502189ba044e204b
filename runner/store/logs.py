"""The output of scripts, as files beside the database: one per deployment, target and lifecycle event."""

import contextlib
import os
from pathlib import Path

from runner.errors import WorldError


class LogFiles:
    """Implements the port `Logs` under *folder*. Writes with few calls: it is called for every piece of output."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def begin(self, deployment_id: str, target: str, event: int) -> None:
        path = self._path(deployment_id, target, event)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
        except OSError as error:
            raise WorldError(f"the log {path} cannot be written: {error.strerror}") from error

    def append(self, deployment_id: str, target: str, event: int, text: str) -> None:
        path = self._path(deployment_id, target, event)
        try:
            descriptor = _open(path)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise WorldError(f"the log {path} cannot be written: {error.strerror}") from error

    def read(self, deployment_id: str, target: str) -> str:
        folder = Path(self._folder, deployment_id, target)
        try:
            found = sorted(folder.iterdir()) if folder.is_dir() else []
            return "".join(path.read_text(encoding="utf-8", errors="replace") for path in found)
        except OSError as error:
            raise WorldError(f"the log of {deployment_id} on {target} cannot be read: {error.strerror}") from error

    def _path(self, deployment_id: str, target: str, event: int) -> str:
        return f"{self._folder}/{deployment_id}/{target}/{event:02}.log"


def _open(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)
