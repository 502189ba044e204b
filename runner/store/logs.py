"""The output of scripts, as files beside the database: one per deployment, target and lifecycle event."""

import contextlib
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from runner.errors import WorldError

_FULL = (
    "\n[warning]more than {most} bytes were printed; the rest is on the host, in "
    "var/lib/penstock/*/{deployment}/logs/scripts.log of its folder\n"
)


class LogFiles:
    """Implements the port `Logs` under *folder*. Writes with few calls: it is called for every piece of output.

    *most*: bytes that are kept of one event's output, its beginning; then one line tells where the rest is.
    """

    def __init__(self, folder: Path, most: int = 16 << 20) -> None:
        self._folder, self._most = str(folder), most

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
                os.write(descriptor, self._as_far_as_kept(text.encode(), os.fstat(descriptor).st_size, deployment_id))
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

    def sweep(self, known: Callable[[Collection[str]], Collection[str]]) -> None:
        """Remove the output of deployments that are no more, as their application was deleted. What fails is left.

        *known*: which of these IDs are still deployments. A deployment is recorded before its first output is kept, so
        none that begins meanwhile is taken for a deleted one.
        """
        try:
            kept = os.listdir(self._folder)  # noqa: PTH208
        except OSError:
            return
        for gone in set(kept).difference(known(kept)):
            shutil.rmtree(Path(self._folder, gone), ignore_errors=True)

    def _as_far_as_kept(self, content: bytes, size: int, deployment_id: str) -> bytes:
        """What of *content* has room behind *size* bytes; the line that says so takes the file beyond the limit, once."""
        if size + len(content) <= self._most:
            return content
        if size > self._most:
            return b""
        kept = content[: self._most - size].decode(errors="ignore")
        return (kept + _FULL.format(most=self._most, deployment=deployment_id)).encode()

    def _path(self, deployment_id: str, target: str, event: int) -> str:
        return f"{self._folder}/{deployment_id}/{target}/{event:02}.log"


def _open(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)
