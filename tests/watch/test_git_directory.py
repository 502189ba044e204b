"""Where the refs of a local repository are, for every way in which git lays one out."""

from pathlib import Path

import pytest
from local_git import commit, git, new_repository

from runner.errors import UserError, WorldError
from runner.watch.git_directory import git_directory, local_path


def test_a_work_tree_a_bare_one_and_one_without_its_suffix_are_found(tmp_path: Path) -> None:
    tree, bare = new_repository(tmp_path / "tree"), new_repository(tmp_path / "bare.git", bare=True)
    assert git_directory(str(tree)) == tree / ".git"
    assert git_directory(str(tree / ".git")) == tree / ".git"
    assert git_directory(str(bare)) == bare
    assert git_directory(str(tmp_path / "bare")) == bare


def test_a_file_url_with_blanks_is_found(tmp_path: Path) -> None:
    tree = new_repository(tmp_path / "a tree")
    assert git_directory(tree.as_uri()) == tree / ".git"
    assert git_directory(f"file://localhost{tree}".replace(" ", "%20")) == tree / ".git"


def test_a_linked_work_tree_leads_to_the_directory_that_all_share(tmp_path: Path) -> None:
    tree = new_repository(tmp_path / "tree")
    commit(tree)
    git(tree, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "side")
    assert git_directory(str(tmp_path / "linked")) == tree / ".git"


def test_a_git_directory_elsewhere_is_found_by_its_pointer(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--separate-git-dir", "elsewhere", "tree")
    (tmp_path / "tree" / ".git").write_text("gitdir: ../elsewhere\n")
    assert git_directory(str(tmp_path / "tree")) == tmp_path / "elsewhere"


def test_a_link_to_a_repository_is_followed(tmp_path: Path) -> None:
    tree = new_repository(tmp_path / "tree")
    (tmp_path / "link").symlink_to(tree)
    assert git_directory(str(tmp_path / "link")) == tree / ".git"


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_no_repository_is_the_worlds_failure_and_names_the_place(make: object, tmp_path: Path) -> None:
    place = tmp_path / "nothing"
    make(place)  # type: ignore[operator]
    with pytest.raises(WorldError, match=f"no git repository at {place}") as caught:
        git_directory(str(place))
    assert caught.value.retryable


@pytest.mark.parametrize("url", ["https://example.com/a.git", "ssh://git@example.com/a", "file://elsewhere/a"])
def test_a_remote_url_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UserError, match="on this machine"):
        local_path(url)
