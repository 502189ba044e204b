"""What a merge would be, against git's own merges."""

from pathlib import Path

import pytest
from local_git import commit, git, new_repository

from runner.config import RepositoryConfig
from runner.errors import RevisionDoesNotExist
from runner.sources.git import GitRepository


class Work:
    """A repository with a first commit on main and on topic, and our mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.path = new_repository(folder / "shop")
        self.first = self.write("main", {"a": "1\n2\n3\n", "b": "b\n"})
        self.mirror = GitRepository(RepositoryConfig(name="shop", url=str(self.path)), folder / "shop.mirror")

    def write(self, branch: str, files: dict[str, str]) -> str:
        if git(self.path, "branch", "--list"):
            git(
                self.path,
                "checkout",
                "--quiet",
                *([] if git(self.path, "branch", "--list", branch) else ["-b"]),
                branch,
            )
        for name, content in files.items():
            (self.path / name).write_text(content)
        git(self.path, "add", "--all")
        return commit(self.path)

    def merged(self, base: str, head: str) -> str | None:
        self.mirror.fetch(base)
        self.mirror.fetch(head)
        return self.mirror.merged(base, head)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_a_merge_has_the_tree_that_git_makes(work: Work) -> None:
    head = work.write("topic", {"a": "1\n2\nthree\n", "c": "new\n"})
    base = work.write("main", {"a": "one\n2\n3\n"})
    found = work.merged(base, head)
    assert found is not None
    git(work.path, "merge", "--quiet", "--no-ff", "--message", "merge", "topic")
    ours = {name: work.mirror.read(found, name) for name in ("a", "b", "c")}
    assert ours == {name: (work.path / name).read_bytes() for name in ours}
    assert work.mirror.changed_paths(base, found) == {"a", "c"}
    assert work.mirror.commit(found).message == work.mirror.commit(head).message


def test_a_merge_is_the_same_commit_whenever_it_is_asked_for(work: Work) -> None:
    head = work.write("topic", {"c": "new\n"})
    base = work.write("main", {"d": "new\n"})
    found = work.merged(base, head)
    assert found not in (None, base, head)
    assert work.merged(base, head) == found


def test_what_builds_on_the_base_is_its_own_merge(work: Work) -> None:
    head = work.write("topic", {"c": "new\n"})
    assert work.merged(work.first, head) == head


def test_conflicts_make_no_merge(work: Work) -> None:
    head = work.write("topic", {"b": "mine\n"})
    base = work.write("main", {"b": "yours\n"})
    assert work.merged(base, head) is None


def test_a_commit_that_was_not_fetched_is_named(work: Work) -> None:
    work.mirror.fetch(work.first)
    with pytest.raises(RevisionDoesNotExist, match="c" * 40):
        work.mirror.merged(work.first, "c" * 40)
