"""The list of what an Install has made, which the next Install of the group removes.

One path a line, in the order in which they were made; a last line that lacks its end was never finished and does not
count. Source: agent 1.8, "Install", and its quirk of SELinux lines.
"""

from __future__ import annotations

import os
import stat

from runner.host.files.disk import DiskAfter

SEMANAGE = "semanage\0"


def recorded(path: str) -> list[str]:
    """The lines of the cleanup list in the file *path*; none when there is no such file."""
    try:
        with open(path, "rb") as file:
            return [os.fsdecode(line) for line in file.read().split(b"\n")[:-1]]
    except FileNotFoundError:
        return []


def clean_up(path: str) -> None:
    """Remove what the file *path* lists, last first; then the file. What is not there, or not empty, is left."""
    for line in reversed(recorded(path)):
        if line.startswith(SEMANAGE):
            _forget_context(line[len(SEMANAGE) :])
        else:
            _remove(line)
    if os.path.exists(path):
        os.unlink(path)


def foresee(lines: list[str]) -> tuple[DiskAfter, dict[str, list[str]]]:
    """The disk as `clean_up` of *lines* would leave it, and what would become of them: see `DiskAfter.remove`."""
    disk = DiskAfter()
    fates: dict[str, list[str]] = {"file": [], "directory": [], "kept": [], "missing": []}
    for line in reversed(lines):
        if not line.startswith(SEMANAGE):
            fates[disk.remove(line)].append(line)
    return disk, fates


def _forget_context(path: str) -> None:
    import subprocess  # costly, and hardly ever needed

    subprocess.run(["semanage", "fcontext", "-d", path], check=False, capture_output=True)


def _remove(path: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        if not os.path.isdir(path) or not os.listdir(path):
            raise
