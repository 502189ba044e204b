"""The folder of this process that a copy of the state is in. It goes with the process; what a killed one left goes later."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from runner.errors import WorldError

_LOCK = "alive"


class CopyFolder:
    """Below *parent*, for this user alone."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        prefix = f"penstock-state-{os.geteuid()}-"
        _sweep(parent, prefix)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            self._lock = _locked(self.path)
        except OSError as error:
            raise WorldError(
                f"no copy of the state can be made in {parent}: {error.strerror}; TMPDIR names another"
            ) from error

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> int:
    fresh = folder / f"{_LOCK}.new"
    descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    fresh.rename(folder / _LOCK)  # locked before anybody sees it
    return descriptor


def _sweep(parent: Path, prefix: str) -> None:
    for lock in parent.glob(f"{prefix}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except BlockingIOError:
            pass  # of a process that lives
        finally:
            os.close(descriptor)
