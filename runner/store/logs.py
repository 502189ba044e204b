"""The output of scripts, as files beside the database: one per deployment, target and lifecycle event."""

from pathlib import Path

from runner.errors import WorldError


class LogFiles:
    """Implements the port `Logs` under *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, deployment_id: str, target: str, event: int) -> None:
        path = self._path(deployment_id, target, event)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise WorldError(f"the log {path} cannot be written: {error.strerror}") from error

    def append(self, deployment_id: str, target: str, event: int, text: str) -> None:
        path = self._path(deployment_id, target, event)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise WorldError(f"the log {path} cannot be written: {error.strerror}") from error

    def read(self, deployment_id: str, target: str) -> str:
        folder = self._folder / deployment_id / target
        try:
            found = sorted(folder.iterdir()) if folder.is_dir() else []
            return "".join(path.read_text(encoding="utf-8", errors="replace") for path in found)
        except OSError as error:
            raise WorldError(f"the log of {deployment_id} on {target} cannot be read: {error.strerror}") from error

    def _path(self, deployment_id: str, target: str, event: int) -> Path:
        return self._folder / deployment_id / target / f"{event:02}.log"
