"""Unpacks bundles, a member at a time in constant memory, and never outside the folder that they are unpacked into.

The control side has checked the archive before; here nothing is taken on trust, as this may run as root.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import stat
import tarfile
import time
import zipfile
import zlib
from typing import IO

from runner.host.outcome import Failure

_MODES = {"tar": "r|*", "tgz": "r|gz"}  # `tar` finds out by itself how an archive is compressed, as GNU tar does
_PIECE = 1 << 18


def unpack(archive: str, kind: str, folder: str) -> None:
    """Unpack *archive*, of *kind* tar, tgz or zip, into the empty *folder*. Raises `Failure` when it is unsound."""
    try:
        if kind == "zip":
            _unpack_zip(archive, folder)
        elif kind in _MODES:
            _unpack_tar(archive, _MODES[kind], folder)
        else:
            raise Failure("The bundle type {} is not one of tar, tgz, zip.".format(kind))
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Failure("The bundle is not a sound {} archive: {}".format(kind, error)) from error


def _unpack_tar(archive: str, mode: str, folder: str) -> None:
    tree = _Tree(folder)
    with open(archive, "rb") as file, tarfile.open(fileobj=file, mode=mode, bufsize=_PIECE) as tar:  # type: ignore[call-overload]
        for member in tar:
            _unpack_member(tar, member, tree)
            tar.members.clear()  # else it remembers every member of a bundle of 100,000 files
    tree.finish()


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: _Tree) -> None:
    path = tree.place(member.name.split("/"))
    if member.isdir():
        tree.make_folder(path, member.mode, member.mtime, _owner(member))
        return
    if path == tree.root:
        raise Failure("The bundle has a member without a name.")
    tree.clear(path)
    if member.issym():
        tree.make_link(path, member.linkname, _owner(member))
    elif member.islnk():
        os.link(tree.place(member.linkname.split("/")), path, follow_symlinks=False)
    elif member.isfile():
        source = tar.extractfile(member)
        assert source is not None
        with source:
            tree.make_file(path, source, member.size, member.mode, member.mtime, _owner(member))
    else:
        raise Failure("The bundle's member {} is neither file, folder nor link.".format(member.name))


def _unpack_zip(archive: str, folder: str) -> None:
    tree = _Tree(folder)
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            parts = [part for part in member.filename.split("/") if part != ".."]  # dropped, as unzip does
            path = tree.place(parts)
            kind = stat.S_IFMT(member.external_attr >> 16)
            mode = (member.external_attr >> 16) & 0o777
            mtime = time.mktime((*member.date_time, 0, 0, -1))
            if member.is_dir():
                tree.make_folder(path, mode or 0o755, mtime, None)
                continue
            tree.clear(path)
            with bundle.open(member) as source:
                if kind == stat.S_IFLNK:
                    tree.make_link(path, os.fsdecode(source.read(4096)), None)
                elif kind in (0, stat.S_IFREG):
                    tree.make_file(path, source, member.file_size, mode or 0o644, mtime, None)
                else:
                    raise Failure("The bundle's member {} is neither file, folder nor link.".format(member.filename))
    tree.finish()


class _Tree:
    """What is being unpacked below *root*. Times and modes of folders are set last, for they may forbid writing."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self._folders: list[tuple[str, int, float]] = []
        self._known = {self.root}

    def place(self, parts: list[str]) -> str:
        """Where a member of that name goes; its folder is made. Raises `Failure` when that would be outside."""
        parts = [part for part in parts if part not in ("", ".")]
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

    def clear(self, path: str) -> None:
        """A later member of the same name replaces an earlier one."""
        if os.path.islink(path):
            self._known = {self.root}  # members may have gone through this link; where it leads may change now
            os.unlink(path)
        elif os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)

    def make_folder(self, path: str, mode: int, mtime: float, owner: tuple[int, int] | None) -> None:
        self.clear(path)
        os.makedirs(path, exist_ok=True)
        if owner:
            os.chown(path, *owner)
        self._folders.append((path, mode, mtime))

    def make_link(self, path: str, target: str, owner: tuple[int, int] | None) -> None:
        os.symlink(target, path)
        if owner:
            os.lchown(path, *owner)

    def make_file(
        self, path: str, source: IO[bytes], size: int, mode: int, mtime: float, owner: tuple[int, int] | None
    ) -> None:
        with open(path, "xb", buffering=0) as file:
            for piece in iter(lambda: source.read(_PIECE), b""):
                size -= file.write(piece)
            if size:
                raise Failure("The bundle's member {} is cut short.".format(path))
            if owner:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode & 0o7777)
        os.utime(path, (mtime, mtime))

    def finish(self) -> None:
        for path, mode, mtime in reversed(self._folders):
            os.chmod(path, mode & 0o7777)
            os.utime(path, (mtime, mtime))


def _owner(member: tarfile.TarInfo) -> tuple[int, int] | None:
    """User and group IDs on this host: by name if it has that name. Only root can give files away."""
    if os.geteuid() != 0:
        return None
    return _user_id(member.uname, member.uid), _group_id(member.gname, member.gid)


@functools.lru_cache(maxsize=64)
def _user_id(name: str, otherwise: int) -> int:
    try:
        return pwd.getpwnam(name).pw_uid if name else otherwise
    except KeyError:
        return otherwise


@functools.lru_cache(maxsize=64)
def _group_id(name: str, otherwise: int) -> int:
    try:
        return grp.getgrnam(name).gr_gid if name else otherwise
    except KeyError:
        return otherwise
