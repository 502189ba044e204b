"""Copies files as the official agent does: content first, then owner, mode and time, through links that stand in the way."""

from __future__ import annotations

import os
import stat

_PIECE = 1 << 20


def copy_content(source: str, destination: str) -> None:
    """Write the content of *source* into *destination*, which is made if need be, in constant memory.

    Raises `OSError`, which names *destination* when it is the disk that is full.
    """
    with open(source, "rb", buffering=0) as reading, open(destination, "wb", buffering=0) as writing:
        try:
            while os.sendfile(writing.fileno(), reading.fileno(), None, _PIECE):
                pass
        except OSError:  # some file systems cannot
            for piece in iter(lambda: reading.read(_PIECE), b""):
                _write_all(writing.fileno(), piece, destination)


def copy_file(source: str, destination: str) -> None:
    """Copy *source* to *destination*, or into it if that is a folder; a symbolic link is made anew, as a link.

    Owner, group, mode and modification time come along as far as this user may set them.
    """
    if os.path.islink(source):
        os.symlink(os.readlink(source), destination)
        return
    if os.path.isdir(destination):
        destination = os.path.join(destination, os.path.basename(source))
    copy_content(source, destination)
    status = os.stat(source)
    mode = stat.S_IMODE(status.st_mode)
    try:
        os.chown(destination, status.st_uid, status.st_gid)
    except PermissionError:
        mode &= 0o1777  # set-user-ID of another owner would mean somebody else
    os.chmod(destination, mode)
    os.utime(destination, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write_all(fd: int, content: bytes, path: str) -> None:
    while content:
        try:
            content = content[os.write(fd, content) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error
