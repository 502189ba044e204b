"""What a plan may ask of the disk: as it is, or as it will be once certain paths are gone. Reads only."""

from __future__ import annotations

import os
import stat

_MOST_LINKS = 40  # on one path, as the kernel has it


class Disk:
    """The disk as it is."""

    def exists(self, path: str) -> bool:
        """Whether something is there; a symbolic link counts as what it leads to."""
        return os.path.exists(path)

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def names(self, directory: str) -> list[str]:
        """What is in *directory*, in order of name."""
        return sorted(os.listdir(directory))

    def real(self, path: str) -> str:
        """*path* without symbolic links."""
        return os.path.realpath(path)


class DiskAfter(Disk):
    """The disk as if `remove` had removed what it was told to, by the rules of a cleanup. Nothing is really removed.

    *freed*: bytes of the files that would go.
    """

    def __init__(self) -> None:
        self.freed = 0
        self._gone: set[str] = set()
        self._folders: dict[str, str | None] = {}  # real paths that were found before

    def remove(self, path: str) -> str:
        """Removes a file or link, and a directory that is empty by then. Says what *path* was and whether it goes.

        Returns `file`, `directory`, `kept` for a directory that keeps something, `missing`.
        """
        entry, status = self._entry(path)
        if status is None:
            return "missing"
        if stat.S_ISDIR(status.st_mode) and not self._is_empty(entry):
            return "kept"
        self._gone.add(entry)
        if stat.S_ISREG(status.st_mode):
            self.freed += status.st_size if status.st_nlink == 1 else 0
        else:
            self._folders.clear()  # it may have been on the way to them
        return "directory" if stat.S_ISDIR(status.st_mode) else "file"

    def exists(self, path: str) -> bool:
        return self._real(path) is not None

    def is_directory(self, path: str) -> bool:
        real = self._real(path)
        return real is not None and os.path.isdir(real)

    def names(self, directory: str) -> list[str]:
        real = self._real(directory)
        if real is None:
            raise FileNotFoundError(directory)
        return [name for name in sorted(os.listdir(real)) if os.path.join(real, name) not in self._gone]

    def real(self, path: str) -> str:
        return self._real(path) or os.path.abspath(path)

    def _is_empty(self, directory: str) -> bool:
        try:
            return all(os.path.join(directory, name) in self._gone for name in os.listdir(directory))
        except PermissionError:  # who cannot look takes it that something is there
            return False

    def _entry(self, path: str) -> tuple[str, os.stat_result | None]:
        """The real path of what *path* itself names, be it a link, and its status; None when nothing is there."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = self._walk(folder)
        real = self._folders[folder]
        entry = os.path.join(real or folder, name)
        if real is None or entry in self._gone:
            return entry, None
        try:
            return entry, os.lstat(entry)
        except OSError:
            return entry, None

    def _real(self, path: str) -> str | None:
        """Where *path* leads, None when that is nowhere."""
        entry, status = self._entry(path)
        if status is None:
            return None
        return self._walk(path) if stat.S_ISLNK(status.st_mode) else entry

    def _walk(self, path: str) -> str | None:
        """As `_real`, name by name, as the kernel does it."""
        found, links, names = "/", 0, path.split("/")[::-1]
        while names:
            name = names.pop()
            if name in ("", ".", ".."):
                found = os.path.dirname(found) if name == ".." else found
                continue
            entry = os.path.join(found, name)
            try:
                mode = 0 if entry in self._gone else os.lstat(entry).st_mode
            except OSError:
                mode = 0
            if stat.S_ISLNK(mode):
                links += 1
                target = os.readlink(entry)
                names += target.split("/")[::-1]
                found = "/" if target.startswith("/") else found
            elif mode and (stat.S_ISDIR(mode) or not names):
                found = entry
            else:
                return None
            if links > _MOST_LINKS:
                return None
        return found
