"""A commit's tree as a tar: the same bytes whenever and wherever it is made."""

import io
import tarfile
from collections.abc import Iterator
from typing import IO, Protocol, cast

import pygit2
from pygit2.enums import FileMode, ObjectType

from runner.errors import InvalidRevision
from runner.plan.absent import LONGEST_POINTER, is_pointer, of_pointer, of_submodule
from runner.sources.git.trees import Node, walk


class Sink(Protocol):
    """Where a tar goes."""

    def write(self, data: bytes, /) -> object: ...


def write_tar(repository: pygit2.Repository, tree: pygit2.Tree, time: int, out: Sink, root: str = "") -> None:
    """Write *tree* to *out*: modes 0644 and 0755, links as links, owner 0, every time *time* (seconds).

    Raises `InvalidRevision` for what a tree alone cannot give: submodules and files kept in Git LFS. *root*: where the tree
    is in its commit, for messages.
    """
    # GNU format: names of any length and in any bytes, no header that depends on the machine
    with tarfile.open(fileobj=cast("IO[bytes]", out), mode="w|", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for node in walk(repository, tree):
            content = _content(repository, node, root)
            tar.addfile(_header(node, content, time), io.BytesIO(content) if node.is_file else None)
            tar.getmembers().clear()  # it would remember them all


def absent(repository: pygit2.Repository, tree: pygit2.Tree, root: str) -> Iterator[str]:
    """All that `write_tar` would refuse, as messages. Reads no file that is longer than a pointer."""
    for node in walk(repository, tree):
        if node.is_submodule:
            yield of_submodule(_full(root, node))
        elif node.is_file and _may_be_pointer(repository, node):
            content = repository[node.id].peel(pygit2.Blob).data
            if is_pointer(content):
                yield of_pointer(_full(root, node))


def _content(repository: pygit2.Repository, node: Node, root: str) -> bytes:
    if node.is_folder:
        return b""
    if node.is_submodule:
        raise InvalidRevision(of_submodule(_full(root, node)))
    content = repository[node.id].peel(pygit2.Blob).data
    if is_pointer(content):
        raise InvalidRevision(of_pointer(_full(root, node)))
    return content


def _may_be_pointer(repository: pygit2.Repository, node: Node) -> bool:
    kind, size = repository.odb.read_header(node.id)
    return kind == ObjectType.BLOB and size < LONGEST_POINTER


def _full(root: str, node: Node) -> str:
    return f"{root}/{node.path}" if root else node.path


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
