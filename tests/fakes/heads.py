"""Repositories for watchers, which ask for nothing but heads: one read by the git command, one scripted by the test."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from local_git import git

from runner.errors import WorldError
from runner.model.revision import Commit

Answer = Callable[[], dict[str, str]]


class HeadsOnly:
    """A `Repository` whose heads come from *answer*. Remembers how often it was asked, and how many asked at once."""

    def __init__(self, name: str, answer: Answer) -> None:
        self.name = name
        self.answer = answer
        self.asked = 0
        self.asking = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def heads(self) -> dict[str, str]:
        with self._lock:
            self.asked += 1
            self.asking += 1
            self.most_at_once = max(self.most_at_once, self.asking)
        try:
            return self.answer()
        finally:
            with self._lock:
                self.asking -= 1

    def fetch(self, commit_id: str) -> None:
        _not_asked()

    def commit(self, commit_id: str) -> Commit:
        _not_asked()

    def manifests(self, commit_id: str) -> dict[str, str]:
        _not_asked()

    def read(self, commit_id: str, path: str) -> bytes | None:
        _not_asked()

    def changed_paths(self, before: str, after: str) -> frozenset[str] | None:
        _not_asked()

    def is_ancestor(self, before: str, after: str) -> bool:
        _not_asked()


def heads_of(folder: Path) -> Answer:
    """Ask the git command for the heads of the repository at *folder*."""

    def answer() -> dict[str, str]:
        try:
            lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
        except (OSError, subprocess.CalledProcessError) as error:
            raise WorldError(f"there is no repository at {folder}") from error
        return dict(line.split(" ") for line in lines.splitlines())

    return answer


def _not_asked() -> NoReturn:
    raise AssertionError("a watcher asks for heads and for nothing else")
