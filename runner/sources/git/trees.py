"""Walking a commit's tree. Trees come from other people: names are checked, depth and number of entries are bounded."""

from collections.abc import Iterator
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode

from runner.errors import InvalidRevision

MOST_ENTRIES = 1_000_000
DEEPEST = 256  # folders


class Node(NamedTuple):
    """One entry below the tree that was walked. *path*: from that tree; bytes that are no UTF-8 as surrogates."""

    path: str
    mode: int  # git's
    id: pygit2.Oid

    @property
    def is_folder(self) -> bool:
        return self.mode == FileMode.TREE

    @property
    def is_file(self) -> bool:
        return self.mode in (FileMode.BLOB, FileMode.BLOB_EXECUTABLE, 0o100664)

    @property
    def is_link(self) -> bool:
        return self.mode == FileMode.LINK

    @property
    def is_submodule(self) -> bool:
        return self.mode == FileMode.COMMIT


def walk(repository: pygit2.Repository, tree: pygit2.Tree) -> Iterator[Node]:
    """Every entry below *tree*, folders before what is in them, in git's own order.

    Raises `InvalidRevision` for names that no honest tree has, and for trees without end.
    """
    waiting: list[tuple[str, Iterator[pygit2.Object]]] = [("", iter(tree))]
    count = 0
    while waiting:
        folder, entries = waiting[-1]
        entry = next(entries, None)
        if entry is None:
            waiting.pop()
            continue
        count += 1
        node = Node(folder + _name(entry, folder), int(entry.filemode), entry.id)
        if count > MOST_ENTRIES or len(waiting) > DEEPEST:
            raise InvalidRevision(
                f"the tree has more than {MOST_ENTRIES} entries or {DEEPEST} levels, at {node.path!r}"
            )
        yield node
        if node.is_folder:
            waiting.append((f"{node.path}/", iter(repository[node.id].peel(pygit2.Tree))))


def below(repository: pygit2.Repository, tree: pygit2.Tree, folder: str) -> pygit2.Tree | None:
    """The tree of *folder* ("" for *tree* itself), None when there is no such folder."""
    found = find(repository, tree, folder) if folder else None
    if not folder:
        return tree
    return repository[found.id].peel(pygit2.Tree) if found and found.is_folder else None


def find(repository: pygit2.Repository, tree: pygit2.Tree, path: str) -> Node | None:
    """The entry at *path*, None when there is none. Links are not followed."""
    node: Node | None = None
    for number, part in enumerate(parts := path.split("/")):
        if part in ("", ".", "..") or part not in tree:
            return None
        node = Node("/".join(parts[: number + 1]), int(tree[part].filemode), tree[part].id)
        if number + 1 < len(parts):
            if not node.is_folder:
                return None
            tree = repository[node.id].peel(pygit2.Tree)
    return node


def _name(entry: pygit2.Object, folder: str) -> str:
    raw = entry.raw_name or b""
    name = raw.decode(errors="surrogateescape")
    if name in ("", ".", "..") or name.lower() == ".git" or "/" in name or "\0" in name:
        raise InvalidRevision(f"the tree holds an entry with the name {name!r} in folder {folder or '/'!r}")
    return name
