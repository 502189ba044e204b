"""Which files `penstock validate` checks."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

MANIFEST, MORE = "penstock.yaml", ".penstock"
_ELSEWHERE = frozenset({".git", ".venv", "node_modules", "__pycache__"})  # never looked into


def manifests(folder: Path) -> Iterator[str]:
    """Paths of manifests below *folder*, by the same rule by which they are found in a commit."""
    for name in _files(folder):
        path = PurePosixPath(name)
        if path.name == MANIFEST or (str(path.parent) == MORE and path.suffix == ".yaml"):
            yield name


def _files(folder: Path) -> Iterable[str]:
    """Files below *folder*: in a git checkout those that the next commit could hold, elsewhere all."""
    top = folder.resolve()
    if any((each / ".git").exists() for each in (top, *top.parents)):
        import subprocess

        command = ("git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        with contextlib.suppress(OSError):
            listed = subprocess.run(command, capture_output=True, check=False)
            if listed.returncode == 0:
                names = dict.fromkeys(os.fsdecode(listed.stdout).split("\0")[:-1])
                return [name for name in names if (folder / name).is_file()]
    return _walked(folder)


def _walked(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _ELSEWHERE]
        for name in files:
            yield (Path(parent) / name).relative_to(folder).as_posix()
