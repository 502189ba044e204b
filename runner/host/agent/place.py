"""Where the executor stands that the agent starts: a copy of the agent's own zipapp in its state folder.

A newer zipapp may take the place of the one that was started at any time; the agent that runs keeps its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import zipfile

import runner.host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_KEPT = 2  # versions: one may still be carrying out an event
_ZIPAPP, _START = "penstock-host.pyz", "start.py"


def hub_command(state: str) -> Sequence[str]:
    """The command that starts the hub; puts it in place below the folder *state* first. Raises `OSError`."""
    python = [sys.executable, "-I", "-S"]
    zipapp = zipapp_of_ours()
    if zipapp is None:
        return [*python, os.path.dirname(os.path.abspath(runner.host.__file__)), "hub"]
    return [*python, os.path.join(_put(zipapp, os.path.join(state, "executor")), _START), "hub"]


def zipapp_of_ours() -> str | None:
    """The zipapp that this process was started from, None when it was started from a folder."""
    spec = runner.host.__spec__
    path = getattr(spec.loader, "archive", None) if spec else None
    return os.path.abspath(path) if path else None


def _put(zipapp: str, place: str) -> str:
    with open(zipapp, "rb") as file:
        content = file.read()
    folder = os.path.join(place, hashlib.sha256(content).hexdigest()[:20])
    if not _holds(os.path.join(folder, _ZIPAPP), content):
        shutil.rmtree(folder, ignore_errors=True)
        fresh = folder + ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh, 0o700)
        with open(os.path.join(fresh, _ZIPAPP), "wb") as file:
            file.write(content)
        with zipfile.ZipFile(zipapp) as archive, open(os.path.join(fresh, _START), "wb") as file:
            file.write(archive.read("runner/host/start.py"))
        os.rename(fresh, folder)
    os.utime(folder)
    _tidy(place)
    return folder


def _holds(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read() == content
    except OSError:
        return False


def _tidy(place: str) -> None:
    paths = [os.path.join(place, name) for name in os.listdir(place)]
    for path in sorted(paths, key=lambda path: -os.stat(path).st_mtime)[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def agent_command() -> list[str]:
    """The command that starts the agent as this process was started."""
    zipapp = zipapp_of_ours()
    if zipapp is not None:
        return [sys.executable, "-I", "-S", zipapp]
    return [sys.executable, "-m", "runner", "agent"]
