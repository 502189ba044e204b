"""Unpacks an archive of this machine, a member at a time in constant memory."""

from __future__ import annotations

from runner.host.bundles.archives import UNSOUND, read_members, unsound
from runner.host.bundles.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

_PIECE = 1 << 18


def unpack(archive: str, kind: str, folder: str) -> int:
    """Unpack *archive*, of *kind* tar, tgz or zip, into the empty *folder*. Returns the bytes of disk that it takes.

    Raises `Failure` when it is unsound, or would get out of the folder.
    """
    tree = Tree(folder)
    try:
        for member, content in read_members(archive, kind):
            tree.add(member, _writer(content))
    except UNSOUND as error:
        raise unsound(kind, error) from error
    tree.finish()
    return tree.bytes


def _writer(content: IO[bytes] | None) -> Callable[[str], None]:
    def write(path: str) -> None:
        assert content is not None  # files have one
        with open(path, "xb") as file:
            for piece in iter(lambda: content.read(_PIECE), b""):
                file.write(piece)

    return write
