"""The folder that a bundle is unpacked into: each member goes where it belongs in it, and never outside.

The control side has checked the archive before; here nothing is taken on trust, as this may run as root.
"""

from __future__ import annotations

import grp
import os
import pwd
import time

from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.host.bundles.member import Member


class Tree:
    """What is being unpacked into the empty folder *root*. *bytes*: of disk, so far.

    Times and modes of folders are set last, by `finish`, for they may forbid writing.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.bytes = 0
        self._folders: list[tuple[str, int, float]] = []
        self._known = {self.root}
        self._may_give_away = os.geteuid() == 0
        self._owners: dict[tuple[int, int, str, str], tuple[int, int]] = {}

    def add(self, member: Member, fill: Callable[[str], None]) -> str:
        """Put *member* into its place, and return that. *fill* makes the file at a path, which is free, with its content.

        Raises `Failure` when the member would get outside, or its content is not of the size that it should be.
        """
        path = self._place(member.name)
        if member.kind == "folder":
            self._add_folder(path, member)
            return path
        if path == self.root:
            raise Failure("The bundle has a member without a name.")
        self._clear(path)
        if member.kind == "link":
            os.symlink(_native(member.target), path)
            self._give_away(path, member)
        elif member.kind == "hard link":
            os.link(self._place(member.target), path, follow_symlinks=False)
        else:
            fill(path)
            self._dress_file(path, member)
        return path

    def finish(self) -> None:
        """Everything is there."""
        for path, mode, mtime in reversed(self._folders):
            os.chmod(path, mode & 0o7777)
            os.utime(path, (mtime, mtime))
            self.bytes += 4096

    def _place(self, name: str) -> str:
        """Where a member of that name goes; the folder around it is made."""
        parts = [part for part in _native(name).split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Failure("The bundle's member {} leads out of the bundle.".format("/".join(parts)))
        if not parts:
            return self.root
        return os.path.join(self._folder(os.path.join(self.root, *parts[:-1])), parts[-1])

    def _folder(self, path: str) -> str:
        if path in self._known:
            return path
        if os.path.commonpath((os.path.realpath(path), self.root)) != self.root:
            raise Failure("The bundle has members behind a link that leads out of it: {}".format(path))
        os.makedirs(path, exist_ok=True)
        self._known.add(path)
        return path

    def _clear(self, path: str) -> None:
        """A later member of the same name replaces an earlier one."""
        if os.path.islink(path):
            self._known = {self.root}  # members may have gone through this link; where it leads may change now
            os.unlink(path)
        elif os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)

    def _add_folder(self, path: str, member: Member) -> None:
        self._clear(path)
        os.makedirs(path, exist_ok=True)
        self._give_away(path, member)
        self._folders.append((path, member.mode, _seconds(member.mtime)))

    def _dress_file(self, path: str, member: Member) -> None:
        """Owner, mode and time; in this order, for a change of owner takes set-user-ID away."""
        self._give_away(path, member)
        os.chmod(path, member.mode & 0o7777)
        mtime = _seconds(member.mtime)
        os.utime(path, (mtime, mtime))
        status = os.lstat(path)
        if status.st_size != member.size:
            raise Failure("The bundle's member {} is cut short.".format(path))
        self.bytes += status.st_blocks * 512

    def _give_away(self, path: str, member: Member) -> None:
        """To the user and group of that name on this host, or else of that number. Only root can."""
        if member.owner is None or not self._may_give_away:
            return
        if member.owner not in self._owners:
            self._owners[member.owner] = _owner_here(*member.owner)
        os.lchown(path, *self._owners[member.owner])


def _owner_here(uid: int, gid: int, user: str, group: str) -> tuple[int, int]:
    try:
        uid = pwd.getpwnam(user).pw_uid if user else uid
    except KeyError:
        pass
    try:
        gid = grp.getgrnam(group).gr_gid if group else gid
    except KeyError:
        pass
    return uid, gid


def _native(name: str) -> str:
    """*name*, decoded as UTF-8 with whatever else it holds escaped, as this process would have decoded it."""
    if "\0" in name:
        raise Failure("The bundle has a member with a zero byte in its name: {!r}".format(name))
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def _seconds(mtime: float | tuple[int, ...]) -> float:
    return time.mktime((*mtime, 0, 0, -1)) if isinstance(mtime, tuple) else mtime  # type: ignore[arg-type]
