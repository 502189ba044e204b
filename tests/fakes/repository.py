"""The port `Repository` in memory: a remote that one pushes to, and a mirror that knows what was fetched."""

import hashlib
import re
from collections.abc import Mapping

from runner.errors import RevisionDoesNotExist, UserError, WorldError
from runner.model.revision import Commit, check_commit_id

MAIN = "refs/heads/main"


class FakeRepository:
    """Push with `push`, force-push with `push(..., onto=OLDER)`, break the remote by `trouble = WorldError(...)`."""

    def __init__(self, name: str = "shop") -> None:
        self.name = name
        self.trouble: WorldError | None = None
        self._heads: dict[str, str] = {}
        self._trees: dict[str, dict[str, bytes]] = {}
        self._parents: dict[str, str | None] = {}
        self._commits: dict[str, Commit] = {}
        self._fetched: set[str] = set()

    def push(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        ref: str = MAIN,
        onto: str | None = None,
        message: str = "a change\n",
        author: str = "Ada Example <ada@example.com>",
        time: str = "2026-01-05T10:00:00+00:00",
    ) -> str:
        """Commit *files* (None removes one) on top of *onto*, by default what *ref* has, and move *ref* there."""
        parent = onto or self._heads.get(ref)
        tree = dict(self._trees[parent]) if parent else {}
        for path, content in files.items():
            if content is None:
                tree.pop(path, None)
            else:
                tree[path] = content if isinstance(content, bytes) else content.encode()
        commit_id = hashlib.sha1(repr((parent, sorted(tree.items()), message, author, time)).encode()).hexdigest()
        self._trees[commit_id], self._parents[commit_id] = tree, parent
        self._commits[commit_id] = Commit(id=commit_id, author=author, message=message, time=time)
        self._heads[ref] = commit_id
        return commit_id

    def point(self, ref: str, commit_id: str | None) -> None:
        """Make *ref* (a branch or a tag) name *commit_id*, or remove it."""
        if commit_id is None:
            self._heads.pop(ref, None)
        else:
            self._heads[ref] = commit_id

    def tree(self, commit_id: str) -> dict[str, bytes]:
        """All files of a commit (no part of the port)."""
        return self._trees[self._fetched_id(commit_id)]

    def heads(self) -> dict[str, str]:
        self._reach()
        return dict(self._heads)

    def fetch(self, commit_id: str) -> None:
        if self._knows(check_commit_id(commit_id)):
            return
        self._reach()
        if not any(commit_id in self._history(head) for head in self._heads.values()):
            raise RevisionDoesNotExist(f"repository {self.name} has no commit {commit_id}")
        self._fetched.update(self._history(commit_id))

    def commit(self, commit_id: str) -> Commit:
        return self._commits[self._fetched_id(commit_id)]

    def manifests(self, commit_id: str) -> dict[str, str]:
        tree = self._trees[self._fetched_id(commit_id)]
        pattern = re.compile(r"(.*/)?penstock\.yaml|\.penstock/[^/]+\.yaml")
        return {path: self._text(path, content) for path, content in tree.items() if pattern.fullmatch(path)}

    def read(self, commit_id: str, path: str) -> bytes | None:
        return self._trees[self._fetched_id(commit_id)].get(path)

    def changed_paths(self, before: str, after: str) -> frozenset[str] | None:
        if not self._knows(check_commit_id(before)):
            return None
        old, new = self._trees[before], self._trees[self._fetched_id(after)]
        return frozenset(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))

    def is_ancestor(self, before: str, after: str) -> bool:
        return self._knows(check_commit_id(before)) and before in self._history(self._fetched_id(after))

    def _reach(self) -> None:
        if self.trouble:
            raise self.trouble

    def _knows(self, commit_id: str) -> bool:
        return commit_id in self._fetched

    def _fetched_id(self, commit_id: str) -> str:
        if not self._knows(check_commit_id(commit_id)):
            raise RevisionDoesNotExist(f"repository {self.name} has no commit {commit_id}")
        return commit_id

    def _history(self, commit_id: str | None) -> list[str]:
        found = []
        while commit_id:
            found.append(commit_id)
            commit_id = self._parents[commit_id]
        return found

    def _text(self, path: str, content: bytes) -> str:
        if len(content) > 1024 * 1024:
            raise UserError(f"{path} is {len(content)} bytes long")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8") from error
