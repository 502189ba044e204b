"""The revisions that this host keeps: what each of them holds, how much room it takes, and when it has to go.

Two files of a deployment tell: `revision.json`, its size and the folder of the bundle that was taken for its top, and
`contents`, a line for each file: SHA-256, size, time of change and inode as they were, and its path in the bundle.
"""

from __future__ import annotations

import os

from runner.host.bundles.lines import LinesFile, read_lines
from runner.host.layout import Layout, archive_of, read_pointer, write_whole
from runner.host.lean import plain_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from typing import Any


def keep_at_most(layout: Layout, most: int) -> None:
    """Remove the oldest revisions until *most* remain with the new one; never the last that was installed."""
    others = _others(layout)
    for path in others[: max(0, len(others) - (most - 1))]:
        _remove_unless_last(path, layout)


def keep_room(layout: Layout, size: int, most: int) -> None:
    """Remove the oldest revisions until the rest and the new one, of *size* bytes, take no more than *most*.

    The last that was installed stays, even when that is too much: this limits what is kept, not what is deployed.
    """
    sizes = [(size_of(path), path) for path in _others(layout)]
    left = sum(each for each, _ in sizes) + size
    for each, path in sizes:
        if left > most and _remove_unless_last(path, layout):
            left -= each


def describe(deployment: str, size: int, top: str) -> None:
    """Note that the revision takes *size* bytes, and that the folder *top* of its bundle, or "", became its archive."""
    write_whole(os.path.join(deployment, "revision.json"), plain_json.dumps({"size": size, "top": top}))


def size_of(deployment: str) -> int:
    """Bytes of disk that the revision takes: as noted, or else as counted now."""
    try:
        return int(_description(deployment)["size"])
    except (OSError, ValueError, KeyError):
        return sum(
            os.lstat(os.path.join(folder, name)).st_blocks * 512
            for folder, _, names in os.walk(deployment)
            for name in names
        )


def contents_file(deployment: str) -> LinesFile:
    """The list of contents of the revision, to be written anew with `add_file`."""
    return LinesFile(os.path.join(deployment, "contents"))


def add_file(contents: LinesFile, digest: bytes, path: str, inside: str) -> None:
    """Note that the file *path*, which is called *inside* in the bundle, has the content with that SHA-256."""
    status = os.lstat(path)
    contents.add([digest.hex(), status.st_size, status.st_mtime_ns, status.st_ino, inside])


def files_with(wanted: Container[bytes], state: str) -> Iterator[tuple[bytes, str]]:
    """Files of all revisions below *state* that had a content with a SHA-256 in *wanted*, and seem not to have changed.

    The newest revisions come first. *wanted* may shrink meanwhile.
    """
    for _, deployment in sorted(_deployments(state), reverse=True):
        if not wanted:
            return
        try:
            yield from _files_of(deployment, wanted)
        except (OSError, ValueError, KeyError):  # it has gone, or was never complete, or came as an archive
            continue


def _files_of(deployment: str, wanted: Container[bytes]) -> Iterator[tuple[bytes, str]]:
    top = _description(deployment)["top"]
    for digest, size, mtime, inode, inside in read_lines(os.path.join(deployment, "contents")):
        if bytes.fromhex(digest) not in wanted:
            continue
        path = os.path.join(archive_of(deployment), os.path.relpath(inside, top) if top else inside)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if (status.st_size, status.st_mtime_ns, status.st_ino) == (size, mtime, inode):
            yield bytes.fromhex(digest), path


def _description(deployment: str) -> dict[str, Any]:
    with open(os.path.join(deployment, "revision.json"), encoding="utf-8", errors="surrogateescape") as file:
        found: dict[str, Any] = plain_json.loads(file.read())
        return found


def _deployments(state: str) -> Iterator[tuple[int, str]]:
    """The folders of the deployments of all groups that have a list of contents, with the time of that."""
    for group in os.listdir(state):
        for path in _folders_in(os.path.join(state, group)):
            try:
                yield os.stat(os.path.join(path, "contents")).st_mtime_ns, path
            except OSError:
                continue


def _folders_in(path: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _others(layout: Layout) -> list[str]:
    """Everything in the group's folder beside the deployment itself, the oldest first."""
    with os.scandir(layout.group) as entries:
        return [
            path
            for _, path in sorted(
                (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
                for entry in entries
                if entry.path != layout.deployment
            )
        ]


def _remove_unless_last(path: str, layout: Layout) -> bool:
    if path == read_pointer(layout.last_successful):
        return False
    remove(path)
    return True


def remove(path: str) -> None:
    """Remove whatever is at *path*, without following links; nothing there is fine."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            _empty(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def _empty(folder: int) -> None:
    """Remove all that is in the open *folder*, and close it. `shutil` would do; loading it costs as much as the work."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _empty(os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder))
                    os.rmdir(entry.name, dir_fd=folder)
                else:
                    os.unlink(entry.name, dir_fd=folder)
    finally:
        os.close(folder)
