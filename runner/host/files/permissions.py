"""Plans the `permissions` section: which of the files and directories that this Install makes, each entry is about.

Nothing that was there before is ever touched, nor the object itself when it is a directory. Source: agent 1.8.
"""

from __future__ import annotations

from runner.host.files.disk import Disk
from runner.host.lean.stars import fits
from runner.host.request import AclEntry, Permission

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class Permissions:
    """Collects *instructions*, and *problems* instead where the agent would refuse."""

    def __init__(self, copies: Mapping[str, str], directories: Mapping[str, None], disk: Disk) -> None:
        self.instructions: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._copies = copies
        self._directories = directories
        self._disk = disk
        self._seen: set[str] = set()

    def add(self, permission: Permission) -> None:
        """One entry, whose object is already a path of this machine. One that is about nothing is silently nothing."""
        if permission.object in self._copies:
            if "file" in permission.types:
                self._add_file(permission)
        elif permission.object in self._directories or self._disk.is_directory(permission.object):
            for path in self._below(permission):
                self._set(path, permission)

    def _add_file(self, permission: Permission) -> None:
        if permission.pattern != "**" or permission.except_:
            self.problems.append(
                "Attempt to use pattern or except when setting permissions on the file {}; these are for "
                "directories.".format(permission.object)
            )
        else:
            self._set(permission.object, permission)

    def _below(self, permission: Permission) -> Iterable[str]:
        matches: list[str] = []
        if "file" in permission.types:
            matches += [path for path in self._copies if _matches(path, permission)]
        if "directory" in permission.types:
            matches += [path for path in self._directories if _matches(path, permission)]
        return matches

    def _set(self, path: str, permission: Permission) -> None:
        if path in self._seen:
            self.problems.append(
                "The deployment failed because the permissions setting for ({}) is specified more than once in the "
                "application specification file.".format(path)
            )
            return
        self._seen.add(path)
        acls = permission.acls or ()
        if path in self._copies and any(entry.default for entry in acls):
            self.problems.append("Attempt to set default acl on file {}; only a directory can have one.".format(path))
            return
        self.instructions += _instructions(path, permission)


def _instructions(path: str, permission: Permission) -> list[dict[str, Any]]:
    """In the agent's order: owner last, which takes set-user-ID away again."""
    found: list[dict[str, Any]] = []
    if permission.mode is not None:
        found.append({"type": "chmod", "mode": permission.mode, "file": path})
    if permission.acls:
        found.append({"type": "setfacl", "acl": [_acl_text(entry) for entry in permission.acls], "file": path})
    if permission.context_type is not None:
        context = {"user": permission.context_user, "type": permission.context_type, "range": permission.context_range}
        found.append({"type": "semanage", "context": context, "file": path})
    if permission.owner is not None or permission.group is not None:
        found.append({"type": "chown", "owner": permission.owner, "group": permission.group, "file": path})
    return found


def _acl_text(entry: AclEntry) -> str:
    return "{}{}:{}:{}".format("default:" if entry.default else "", entry.kind, entry.name, entry.perms)


def _matches(path: str, permission: Permission) -> bool:
    """Whether *path* is below the object and meant: `**` means all, any other pattern and `except` one level only."""
    below = permission.object.rstrip("/") + "/"
    if not path.startswith(below):
        return False
    name = path[len(below) :]
    if permission.pattern != "**" and not _fits(name, permission.pattern):
        return False
    return not any(_fits(name, pattern) for pattern in permission.except_)


def _fits(name: str, pattern: str) -> bool:
    """Only `*` is special, and no pattern reaches into a subdirectory."""
    return "/" not in name and fits(name, pattern)
