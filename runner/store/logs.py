"""The output of scripts, as files beside the database: one per deployment and target."""

from pathlib import Path

from runner.errors import WorldError


class LogFiles:
    """Implements the port `Logs` under *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, deployment_id: str, target: str, text: str) -> None:
        path = self._path(deployment_id, target)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise WorldError(f"the log {path} cannot be written: {error.strerror}") from error

    def read(self, deployment_id: str, target: str) -> str:
        try:
            return self._path(deployment_id, target).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise WorldError(f"the log of {deployment_id} on {target} cannot be read: {error.strerror}") from error

    def _path(self, deployment_id: str, target: str) -> Path:
        return self._folder / deployment_id / f"{target}.log"
