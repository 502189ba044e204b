"""The part of a check that is about files: what Install would remove, make, copy and set, and what is in its way."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat

from runner.host.files.cleanup import foresee, recorded
from runner.host.files.disk import Disk
from runner.host.files.install import check_revision
from runner.host.files.instructions import draw_up
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.host.checks.explanation import Explanation
    from runner.host.files.instructions import Plan
    from runner.host.layout import Layout
    from runner.host.request import Request

_BLOCK = 4096  # bytes; what a small file takes
_MIB = 1 << 20
_KEPT_LATER = "When Install fails, it has removed the previous {} files already; `plan_before_removing` keeps them."


def check_folder(layout: Layout, found: Explanation) -> None:
    """Whether there is room for our state: a folder that stands for `/` and can be written."""
    if not os.path.isdir(layout.folder):
        if os.path.lexists(layout.folder):
            found.problem("ApplicationStop", "The host's folder {} is not a folder.".format(layout.folder))
        elif not os.path.isdir(os.path.dirname(layout.folder)):
            found.problem("ApplicationStop", "Neither the host's folder {} nor its parent exist.".format(layout.folder))
        else:
            found.note("The host's folder {} does not exist yet; it will be made.".format(layout.folder))
    elif not os.access(_existing(layout.state, Disk()), os.W_OK | os.X_OK):
        found.problem("ApplicationStop", "The executor may not write to {}.".format(layout.state))


def check(request: Request, unpacked: Layout, found: Explanation) -> Needs:
    """Explain the Install of what *unpacked* holds. Returns how much room it takes."""
    disk, fates = foresee(recorded(unpacked.cleanup))
    found.lists["removed"] += fates["file"] + fates["directory"]
    found.lists["kept"] += fates["kept"]
    before = len(found.problems)
    try:
        check_revision(request, unpacked)
        plan = draw_up(request, unpacked, disk)
    except (Failure, OSError) as error:
        found.problem("Install", str(error))
        plan = None
    needs = Needs(unpacked, disk)
    if plan is not None:
        _explain(plan, unpacked, disk, found, needs)
    _check_removal(fates["file"] + fates["directory"], found)
    if len(found.problems) > before and fates["file"] and not request.options.plan_before_removing:
        found.note(_KEPT_LATER.format(len(fates["file"])))
    return needs


def _explain(plan: Plan, unpacked: Layout, disk: Disk, found: Explanation, needs: Needs) -> None:
    for message in plan.problems:
        found.problem("Install", message)
    replaced = set(plan.overwritten)
    places: dict[str, str | None] = {}
    for instruction in plan.instructions:
        kind = instruction["type"]
        if kind == "mkdir":
            found.lists["directories"].append(instruction["directory"])
            _check_place(instruction["directory"], disk, places, found)
        elif kind == "copy":
            _explain_copy(instruction, unpacked, disk, replaced, places, found, needs)
        else:
            found.lists["permissions"].append(instruction)
            _check_permission(instruction, found)
    found.lists["retained"] += plan.retained


def _explain_copy(
    instruction: dict[str, Any],
    unpacked: Layout,
    disk: Disk,
    replaced: set[str],
    places: dict[str, str | None],
    found: Explanation,
    needs: Needs,
) -> None:
    source, destination = instruction["source"], instruction["destination"]
    shown = os.path.relpath(source, unpacked.archive)
    try:
        status = os.lstat(source)
    except OSError as error:
        found.problem("Install", "The source {} cannot be copied: {}.".format(shown, error.strerror))
        return
    is_link = stat.S_ISLNK(status.st_mode)
    if not is_link and not stat.S_ISREG(status.st_mode):
        found.problem("Install", "The source {} is neither a file nor a directory nor a link.".format(shown))
    if is_link and disk.exists(destination):
        found.problem("Install", "The link {} cannot take the place of {}.".format(shown, destination))
    size = 0 if is_link else status.st_size
    copy = {"source": shown, "destination": destination, "size": size, "replaces": destination in replaced}
    found.lists["copies"].append(copy)
    _check_place(destination, disk, places, found)
    needs.add(destination, size)


def _check_place(path: str, disk: Disk, places: dict[str, str | None], found: Explanation) -> None:
    """Whether something can be made at *path*. *places*: what was found out about folders before."""
    parent = os.path.dirname(path)
    if parent not in places:
        places[parent] = _why_not(parent, disk)
    why = places[parent]
    if why is not None:
        found.problem("Install", why)


def _why_not(parent: str, disk: Disk) -> str | None:
    existing = _existing(parent, disk)
    if not disk.is_directory(existing):
        return "{} is not a directory, so nothing can be put below it.".format(existing)
    if not os.access(existing, os.W_OK | os.X_OK):
        return "The executor may not write to {}.".format(existing)
    return None


def _check_removal(paths: list[str], found: Explanation) -> None:
    for parent in dict.fromkeys(os.path.dirname(path) for path in paths):
        if not os.access(parent, os.W_OK | os.X_OK):
            found.problem("Install", "The executor may not remove the previous files in {}.".format(parent))


def _check_permission(instruction: dict[str, Any], found: Explanation) -> None:
    kind = instruction["type"]
    if kind == "chown":
        _check_names(instruction["owner"], instruction["group"], found)
        _check_right(instruction["owner"], found)
    elif kind == "setfacl":
        _check_tools(("setfacl",), found)
        for entry in instruction["acl"]:
            who, name = entry.replace("default:", "", 1).split(":")[:2]
            if who in ("user", "group"):
                _check_names(name if who == "user" else None, name if who == "group" else None, found)
    elif kind == "semanage":
        _check_tools(("semanage", "restorecon"), found)


def _check_names(owner: str | None, group: str | None, found: Explanation) -> None:
    if owner and not owner.isdigit() and not _is_known(pwd.getpwnam, owner):
        found.problem("Install", "The permissions name the user {}, whom this host does not have.".format(owner))
    if group and not group.isdigit() and not _is_known(grp.getgrnam, group):
        found.problem("Install", "The permissions name the group {}, which this host does not have.".format(group))


def _check_right(owner: str | None, found: Explanation) -> None:
    """Only root may give files away."""
    if owner and os.geteuid() and _uid(owner) not in (None, os.geteuid()):
        found.problem("Install", "The executor is not root here, and cannot give files to {}.".format(owner))


def _uid(owner: str) -> int | None:
    if owner.isdigit():
        return int(owner)
    return pwd.getpwnam(owner).pw_uid if _is_known(pwd.getpwnam, owner) else None


def _is_known(look_up: Any, name: str) -> bool:
    try:
        look_up(name)
    except (KeyError, ValueError):
        return False
    return True


def _check_tools(names: tuple[str, ...], found: Explanation) -> None:
    for name in names:
        if shutil.which(name) is None:
            found.problem("Install", "The permissions need the program {}, which this host does not have.".format(name))


class Needs:
    """How many bytes go to each file system. The unpacked bundle is counted from the start."""

    def __init__(self, unpacked: Layout, disk: Disk) -> None:
        self._disk = disk
        self._places: dict[str, int] = {}  # folder to its file system
        self._needed: dict[int, int] = {}
        self._shown: dict[int, str] = {}
        state = os.path.join(unpacked.group, "bundle")
        for folder, _, names in os.walk(unpacked.archive):
            for name in names:
                self.add(state, os.lstat(os.path.join(folder, name)).st_size)

    def add(self, path: str, size: int) -> None:
        """A file of *size* bytes will be made at *path*."""
        parent = os.path.dirname(path)
        if parent not in self._places:
            existing = _existing(parent, self._disk)
            self._places[parent] = os.stat(existing).st_dev
            self._shown.setdefault(self._places[parent], existing)
        device = self._places[parent]
        self._needed[device] = self._needed.get(device, 0) + -(-size // _BLOCK) * _BLOCK

    def compare(self, found: Explanation) -> None:
        """Explain it, against what is free now; that old files and revisions go first is not counted."""
        for device, needed in self._needed.items():
            room = os.statvfs(self._shown[device])
            free = room.f_bavail * room.f_frsize
            found.lists["space"].append({"path": self._shown[device], "needed": needed, "free": free})
            if needed > free:
                message = "{:.1f} MiB are needed on the file system of {}, but only {:.1f} MiB are free."
                sizes = needed / _MIB, self._shown[device], free / _MIB
                found.problem("DownloadBundle", message.format(*sizes))


def _existing(path: str, disk: Disk) -> str:
    """*path*, or what is above it and there."""
    while not disk.exists(path):
        path = os.path.dirname(path)
    return path
