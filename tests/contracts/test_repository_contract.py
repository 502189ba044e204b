"""What every repository promises, on the fake and on real git."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakes.repository import FakeRepository
from gitserver import Origin, git

from runner.config import RepositoryConfig
from runner.errors import RevisionDoesNotExist, UserError, WorldError
from runner.ports import Repository
from runner.sources.git import GitRepository

Files = Mapping[str, str | bytes | None]
NOBODY = "0123456789" * 4


class Side(ABC):
    """A repository, and the other side of it, where people push."""

    repository: Repository

    @abstractmethod
    def push(
        self, files: Files, *, onto: str | None = None, branch: str = "main", message: str = "a change\n"
    ) -> str: ...

    @abstractmethod
    def tag(self, name: str, commit_id: str) -> None: ...

    @abstractmethod
    def lose(self) -> None: ...


class FakeSide(Side):
    def __init__(self, folder: Path) -> None:
        self.fake = FakeRepository("shop")
        self.repository = self.fake

    def push(self, files: Files, *, onto: str | None = None, branch: str = "main", message: str = "a change\n") -> str:
        return self.fake.push(files, onto=onto, ref=f"refs/heads/{branch}", message=message)

    def tag(self, name: str, commit_id: str) -> None:
        self.fake.point(f"refs/tags/{name}", commit_id)

    def lose(self) -> None:
        self.fake.trouble = WorldError("repository shop is gone")


class GitSide(Side):
    def __init__(self, folder: Path) -> None:
        self.folder, self.origin = folder, Origin(folder)
        config = RepositoryConfig(name="shop", url=str(self.origin.path))
        self.repository = GitRepository(config, folder / "state" / "mirrors" / "shop.git")

    def push(self, files: Files, *, onto: str | None = None, branch: str = "main", message: str = "a change\n") -> str:
        if onto:
            git("reset", "--quiet", "--hard", onto, cwd=self.origin.clone)
        for path in (path for path, content in files.items() if content is None):
            git("rm", "--quiet", path, cwd=self.origin.clone)
        kept = {path: content for path, content in files.items() if content is not None}
        return self.origin.commit(kept, message, branch=branch, when="2026-01-05T10:00:00+0000")

    def tag(self, name: str, commit_id: str) -> None:
        git("tag", "--annotate", "--message", name, name, commit_id, cwd=self.origin.clone)
        git("push", "--quiet", "origin", name, cwd=self.origin.clone)

    def lose(self) -> None:
        self.origin.path.rename(self.folder / "moved")


@pytest.fixture(params=[FakeSide, GitSide], ids=["fake", "git"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    made: Side = request.param(tmp_path)
    return made


def test_heads_are_branches_and_tags_and_an_annotated_tag_gives_its_commit(side: Side) -> None:
    first = side.push({"a": "1"})
    second = side.push({"a": "2"}, branch="topic/one")
    side.tag("v1", first)
    heads = side.repository.heads()
    assert heads == {"refs/heads/main": first, "refs/heads/topic/one": second, "refs/tags/v1": first}


def test_an_empty_repository_has_no_heads(side: Side) -> None:
    assert side.repository.heads() == {}


def test_a_commit_that_was_not_fetched_does_not_exist(side: Side) -> None:
    commit_id = side.push({"a": "1"})
    with pytest.raises(RevisionDoesNotExist, match=commit_id):
        side.repository.commit(commit_id)


def test_fetch_brings_a_commit_with_its_history(side: Side) -> None:
    first, second = side.push({"a": "1"}), side.push({"a": "2"})
    side.repository.fetch(second)
    assert side.repository.read(first, "a") == b"1"
    assert side.repository.read(second, "a") == b"2"


def test_fetch_brings_a_commit_that_no_ref_names_any_more(side: Side) -> None:
    first = side.push({"a": "1"})
    side.push({"a": "2"})
    side.repository.fetch(first)
    assert side.repository.read(first, "a") == b"1"


def test_a_commit_knows_its_author_message_and_time(side: Side) -> None:
    commit_id = side.push({"a": "1"}, message="Sell more\n\nMuch more.\n")
    side.repository.fetch(commit_id)
    commit = side.repository.commit(commit_id)
    assert commit.id == commit_id
    assert commit.author == "Ada Example <ada@example.com>"
    assert commit.message == "Sell more\n\nMuch more.\n"
    assert commit.time == "2026-01-05T10:00:00+00:00"


def test_a_missing_commit_does_not_exist(side: Side) -> None:
    side.push({"a": "1"})
    for nobody in (NOBODY, "0123456789abcdef" * 4):
        with pytest.raises(RevisionDoesNotExist, match=nobody):
            side.repository.fetch(nobody)
        with pytest.raises(RevisionDoesNotExist, match=nobody):
            side.repository.commit(nobody)


def test_a_commit_dropped_by_a_force_push_before_we_fetched_does_not_exist(side: Side) -> None:
    first = side.push({"a": "1"})
    dropped = side.push({"a": "2"})
    side.push({"a": "3"}, onto=first)
    with pytest.raises(RevisionDoesNotExist, match=dropped):
        side.repository.fetch(dropped)


def test_a_fetched_commit_survives_a_force_push(side: Side) -> None:
    first = side.push({"a": "1"})
    dropped = side.push({"a": "2"})
    side.repository.fetch(dropped)
    newest = side.push({"a": "3"}, onto=first)
    side.repository.fetch(newest)
    assert side.repository.read(dropped, "a") == b"2"
    assert not side.repository.is_ancestor(dropped, newest)
    assert side.repository.is_ancestor(first, newest)


@pytest.mark.parametrize("text", ["0123456", "HEAD", "main", "0123456789" * 4 + "0", "ABCDEF0123" * 4, ""])
def test_an_id_that_is_not_a_full_one_is_the_users_mistake(side: Side, text: str) -> None:
    for ask in (side.repository.fetch, side.repository.commit, side.repository.manifests):
        with pytest.raises(UserError):
            ask(text)


def test_manifests_are_found_in_every_folder_and_below_dot_penstock(side: Side) -> None:
    files = {
        "penstock.yaml": "top",
        "shop/web/penstock.yaml": "web",
        ".penstock/jobs.yaml": "jobs",
        ".penstock/deeper/no.yaml": "no",
        "shop/.penstock/no.yaml": "no",
        "penstock.yml": "no",
        "notpenstock.yaml": "no",
        "penstock.yaml.d/x": "no",
    }
    commit_id = side.push(files)
    side.repository.fetch(commit_id)
    found = side.repository.manifests(commit_id)
    assert found == {"penstock.yaml": "top", "shop/web/penstock.yaml": "web", ".penstock/jobs.yaml": "jobs"}


@pytest.mark.parametrize("content", [b"caf\xe9", b"#" * (1024 * 1024 + 1)], ids=["not UTF-8", "too long"])
def test_a_manifest_that_cannot_be_text_is_named(side: Side, content: bytes) -> None:
    commit_id = side.push({"shop/penstock.yaml": content})
    side.repository.fetch(commit_id)
    with pytest.raises(UserError, match=r"shop/penstock\.yaml"):
        side.repository.manifests(commit_id)


def test_reading_a_file_that_is_not_there_gives_none(side: Side) -> None:
    commit_id = side.push({"folder/a": "1"})
    side.repository.fetch(commit_id)
    for path in ("b", "folder", "folder/b", "folder/a/b", "", "../a", "/folder/a"):
        assert side.repository.read(commit_id, path) is None


def test_changed_paths_hold_both_names_of_a_rename(side: Side) -> None:
    before = side.push({"old": "the same\n" * 20, "same": "1", "gone": "1"})
    after = side.push({"old": None, "new": "the same\n" * 20, "gone": None, "more/x": "1"})
    side.repository.fetch(after)
    assert side.repository.changed_paths(before, after) == {"old", "new", "gone", "more/x"}
    assert side.repository.changed_paths(after, after) == frozenset()


def test_changes_since_an_unknown_commit_are_unknown(side: Side) -> None:
    commit_id = side.push({"a": "1"})
    side.repository.fetch(commit_id)
    assert side.repository.changed_paths(NOBODY, commit_id) is None
    assert not side.repository.is_ancestor(NOBODY, commit_id)


def test_a_commit_is_its_own_ancestor(side: Side) -> None:
    first, second = side.push({"a": "1"}), side.push({"a": "2"})
    side.repository.fetch(second)
    assert side.repository.is_ancestor(first, second)
    assert side.repository.is_ancestor(second, second)
    assert not side.repository.is_ancestor(second, first)


def test_a_repository_that_is_gone_can_still_be_read_as_far_as_it_was_fetched(side: Side) -> None:
    commit_id = side.push({"a": "1"})
    side.repository.fetch(commit_id)
    side.lose()
    with pytest.raises(WorldError, match="shop"):
        side.repository.heads()
    with pytest.raises(WorldError, match="shop"):
        side.repository.fetch(NOBODY)
    side.repository.fetch(commit_id)
    assert side.repository.read(commit_id, "a") == b"1"
