"""A commit's tree as a tar: the same bytes whenever and wherever it is made."""

import io
import tarfile
from typing import IO, Protocol, cast

import pygit2
from pygit2.enums import FileMode

from runner.errors import InvalidRevision
from runner.sources.git.trees import Node, walk

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_LONGEST = 1024


class Sink(Protocol):
    """Where a tar goes."""

    def write(self, data: bytes, /) -> object: ...


def write_tar(repository: pygit2.Repository, tree: pygit2.Tree, time: int, out: Sink) -> None:
    """Write *tree* to *out*: modes 0644 and 0755, links as links, owner 0, every time *time* (seconds).

    Raises `InvalidRevision` for what a tree alone cannot give: submodules and files kept in Git LFS.
    """
    # GNU format: names of any length and in any bytes, no header that depends on the machine
    with tarfile.open(fileobj=cast("IO[bytes]", out), mode="w|", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for node in walk(repository, tree):
            content = _content(repository, node)
            tar.addfile(_header(node, content, time), io.BytesIO(content) if node.is_file else None)
            tar.getmembers().clear()  # it would remember them all


def _content(repository: pygit2.Repository, node: Node) -> bytes:
    if node.is_folder:
        return b""
    if node.is_submodule:
        raise InvalidRevision(
            f"{node.path} is a submodule; its files are not part of the commit and cannot be deployed"
        )
    content = repository[node.id].peel(pygit2.Blob).data
    if len(content) < _LFS_LONGEST and content.startswith(_LFS):
        raise InvalidRevision(
            f"{node.path} is kept in Git LFS; the commit holds only a pointer, which is useless on a host"
        )
    return content


def _header(node: Node, content: bytes, time: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(node.path)
    header.mtime = time
    if node.is_folder:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
    elif node.is_link:
        header.type, header.mode = tarfile.SYMTYPE, 0o777
        header.linkname = content.decode(errors="surrogateescape")
    else:
        header.mode = 0o755 if node.mode == FileMode.BLOB_EXECUTABLE else 0o644
        header.size = len(content)
    return header
