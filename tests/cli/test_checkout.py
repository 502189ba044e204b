from pathlib import Path

import pytest
from local_git import commit, git, new_repository

from runner.cli import checkout
from runner.config import RepositoryConfig
from runner.errors import UserError


def test_head_its_branch_and_its_folder_are_found_from_below(tmp_path: Path) -> None:
    head = commit(new_repository(tmp_path / "shop"))
    (tmp_path / "shop" / "web").mkdir()
    found = checkout.find(tmp_path / "shop" / "web")
    assert (found.root, found.commit_id, found.branch, found.tag) == (tmp_path / "shop", head, "main", None)


def test_a_detached_head_has_no_branch_but_may_have_a_tag(tmp_path: Path) -> None:
    new_repository(tmp_path)
    commit(tmp_path)
    git(tmp_path, "checkout", "--quiet", "--detach")
    assert checkout.find(tmp_path)[2:4] == (None, None)
    git(tmp_path, "tag", "v1.2")
    assert checkout.find(tmp_path)[2:4] == (None, "v1.2")


def test_a_repository_without_a_commit_is_told_what_to_do(tmp_path: Path) -> None:
    new_repository(tmp_path)
    with pytest.raises(UserError, match=r"has no commit yet.*git commit"):
        checkout.find(tmp_path)


def test_a_folder_outside_of_any_repository_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match=r"not in a git repository.*git init"):
        checkout.find(tmp_path)
    assert checkout.find_if_any(tmp_path) is None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        checkout.find(tmp_path / "nowhere")


def test_a_machine_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git command is not installed"):
        checkout.find(tmp_path)


def test_a_bare_repository_has_a_head_too(tmp_path: Path) -> None:
    new_repository(tmp_path / "work")
    head = commit(tmp_path / "work")
    git(tmp_path, "clone", "--quiet", "--bare", "work", "shop.git")
    found = checkout.find(tmp_path / "shop.git")
    assert (found.root, found.commit_id) == (tmp_path / "shop.git", head)


def test_changed_and_new_files_are_counted_and_ignored_ones_are_not(tmp_path: Path) -> None:
    new_repository(tmp_path)
    (tmp_path / "old").write_text("1")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git(tmp_path, "add", "--all")
    commit(tmp_path)
    assert checkout.find(tmp_path).uncommitted == 0
    for name in ("old", "new", "a.log"):
        (tmp_path / name).write_text("2")
    assert checkout.find(tmp_path).uncommitted == 2


SAME = (
    ("git@git.example.com:acme/shop.git", "https://git.example.com/acme/shop"),
    ("ssh://git@git.example.com/acme/shop.git", "git@git.example.com:acme/shop"),
    ("https://user@Git.example.com/acme/shop/", "https://git.example.com/acme/shop.git"),
    ("/srv/git/shop.git", "file:///srv/git/shop.git"),
)


@pytest.mark.parametrize(("remote", "url"), SAME)
def test_a_configured_repository_is_recognized_however_its_url_is_spelled(
    remote: str, url: str, tmp_path: Path
) -> None:
    new_repository(tmp_path)
    commit(tmp_path)
    git(tmp_path, "remote", "add", "origin", remote)
    others = [RepositoryConfig(name="other", url="https://git.example.com/acme/other")]
    wanted = RepositoryConfig(name="shop", url=url)
    assert checkout.configured(checkout.find(tmp_path), [*others, wanted]) == wanted
    assert checkout.configured(checkout.find(tmp_path), others) is None


def test_the_checkout_itself_goes_before_its_remotes(tmp_path: Path) -> None:
    new_repository(tmp_path)
    commit(tmp_path)
    git(tmp_path, "remote", "add", "origin", "https://git.example.com/acme/shop")
    remote = RepositoryConfig(name="remote", url="https://git.example.com/acme/shop")
    itself = RepositoryConfig(name="itself", url=str(tmp_path))
    assert checkout.configured(checkout.find(tmp_path), [remote, itself]) == itself


def test_an_unknown_checkout_gets_a_name_that_no_configured_repository_has(tmp_path: Path) -> None:
    new_repository(tmp_path / "my shop")
    commit(tmp_path / "my shop")
    taken = [RepositoryConfig(name="my-shop", url="https://git.example.com/acme/shop")]
    found = checkout.as_repository(checkout.find(tmp_path / "my shop"), taken)
    assert (found.name, found.url) == ("my-shop-checkout", str(tmp_path / "my shop"))
