"""A commit's tree as a bundle: the same bytes each time, modes and links kept, and nothing that cannot be deployed."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from gitserver import Origin, git

from runner.config import RepositoryConfig
from runner.errors import InvalidRevision
from runner.sources.git import GitRepository


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


def open_(origin: Origin, mirror: Path) -> GitRepository:
    return GitRepository(RepositoryConfig(name="shop", url=str(origin.path)), mirror)


def exported(origin: Origin, commit_id: str, root: str = "", mirror: str = "mirror") -> bytes:
    repository = open_(origin, origin.path.parent / mirror)
    repository.fetch(commit_id)
    out = io.BytesIO()
    repository.export(commit_id, root, out)
    return out.getvalue()


def headers(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {header.name: header for header in archive}


def test_modes_and_links_are_kept_and_nothing_tells_who_made_it(origin: Origin) -> None:
    (origin.clone / "run.sh").write_text("#!/bin/sh\n")
    (origin.clone / "run.sh").chmod(0o775)
    (origin.clone / "web").mkdir()
    (origin.clone / "web" / "home").symlink_to("../run.sh")
    commit_id = origin.commit({"web/index.html": "hello"}, when="2026-01-05T10:00:00+0100")
    found = headers(exported(origin, commit_id))
    assert list(found) == ["run.sh", "web", "web/home", "web/index.html"]
    assert [oct(header.mode) for header in found.values()] == ["0o755", "0o755", "0o777", "0o644"]
    assert found["web"].isdir()
    assert found["web/home"].linkname == "../run.sh"
    assert found["web/index.html"].size == 5
    for header in found.values():
        assert (header.uid, header.gid, header.uname, header.gname) == (0, 0, "", "")
        assert header.mtime == 1767603600


def test_the_same_commit_gives_the_same_bytes_from_any_mirror(origin: Origin) -> None:
    commit_id = origin.commit({"a": "1", "b/c": os.urandom(10_000), "caf\u00e9": "2", "x" * 200: "3"})
    assert exported(origin, commit_id, mirror="one") == exported(origin, commit_id, mirror="two")


def test_only_the_root_is_exported(origin: Origin) -> None:
    commit_id = origin.commit({"a": "1", "apps/shop/appspec.yml": "2", "apps/shop/deep/x": "3", "apps/other/y": "4"})
    assert list(headers(exported(origin, commit_id, "apps/shop"))) == ["appspec.yml", "deep", "deep/x"]


@pytest.mark.parametrize("root", ["nowhere", "a", "apps/nowhere"])
def test_a_root_that_is_no_folder_is_named(origin: Origin, root: str) -> None:
    commit_id = origin.commit({"a": "1", "apps/x": "2"})
    with pytest.raises(InvalidRevision, match=f"no folder {root}"):
        exported(origin, commit_id, root)


def test_a_submodule_is_named(origin: Origin, tmp_path: Path) -> None:
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/library", cwd=origin.clone)
    git("commit", "--quiet", "--message", "submodule", cwd=origin.clone)
    git("push", "--quiet", "origin", "HEAD:refs/heads/main", cwd=origin.clone)
    commit_id = git("rev-parse", "HEAD", cwd=origin.clone)
    with pytest.raises(InvalidRevision, match="vendor/library is a submodule"):
        exported(origin, commit_id)
    repository = open_(origin, tmp_path / "mirror")
    assert repository.manifests(commit_id) == {}
    assert repository.read(commit_id, "vendor/library") is None


def test_a_file_in_git_lfs_is_named(origin: Origin) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    commit_id = origin.commit({"media/film.bin": pointer})
    with pytest.raises(InvalidRevision, match=r"media/film\.bin is kept in Git LFS"):
        exported(origin, commit_id)


def test_a_manifest_that_is_a_link_is_not_followed(origin: Origin, tmp_path: Path) -> None:
    (origin.clone / "penstock.yaml").symlink_to("/etc/passwd")
    commit_id = origin.commit({"a": "1"})
    repository = open_(origin, tmp_path / "mirror")
    repository.fetch(commit_id)
    assert repository.manifests(commit_id) == {}
    assert repository.read(commit_id, "penstock.yaml") is None


def test_names_in_any_bytes_are_kept(origin: Origin) -> None:
    (origin.clone / os.fsdecode(b"caf\xe9")).write_text("1")
    commit_id = origin.commit({})
    content = exported(origin, commit_id)
    assert b"caf\xe9" in content
    assert list(headers(content)) == [os.fsdecode(b"caf\xe9")]


def odd_commit(origin: Origin, *lines: str) -> str:
    """A commit as no git would write it, and every git reads it."""
    tree = git("rev-parse", "HEAD^{tree}", cwd=origin.clone)
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        cwd=origin.path,
        input="\n".join((f"tree {tree}", *lines)).encode("latin-1"),
        stdout=subprocess.PIPE,
        check=True,
    )
    commit_id = made.stdout.decode().strip()
    git("update-ref", "refs/heads/odd", commit_id, cwd=origin.path)
    return commit_id


def test_a_message_in_an_unknown_encoding_is_shown_as_well_as_it_goes(origin: Origin, tmp_path: Path) -> None:
    origin.commit({"a": "1"})
    who = "Ad\xe9 <ada@example.com> 1000 +0000"
    commit_id = odd_commit(origin, f"author {who}", f"committer {who}", "encoding bogus", "", "caf\xe9")
    repository = open_(origin, tmp_path / "mirror")
    repository.fetch(commit_id)
    commit = repository.commit(commit_id)
    assert (commit.author, commit.message) == ("Ad\ufffd <ada@example.com>", "caf\ufffd")


def test_an_impossible_time_is_the_commits_fault(origin: Origin, tmp_path: Path) -> None:
    origin.commit({"a": "1"})
    who = "Ada <ada@example.com> 99999999999999 +0000"
    commit_id = odd_commit(origin, f"author {who}", f"committer {who}", "", "late")
    repository = open_(origin, tmp_path / "mirror")
    repository.fetch(commit_id)
    with pytest.raises(InvalidRevision, match="impossible time"):
        repository.commit(commit_id)


@pytest.mark.parametrize("name", [b"..", b".git", b"a/b"])
def test_a_tree_with_a_name_that_no_honest_tree_has_is_refused(origin: Origin, name: bytes) -> None:
    origin.commit({"a": "1"})
    blob = git("rev-parse", "HEAD:a", cwd=origin.clone)
    tree = b"100644 " + name + b"\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=origin.path,
        input=tree,
        stdout=subprocess.PIPE,
        check=True,
    )
    commit_id = git("commit-tree", "-m", "odd", made.stdout.decode().strip(), cwd=origin.path)
    git("update-ref", "refs/heads/odd", commit_id, cwd=origin.path)
    with pytest.raises(InvalidRevision, match="with the name"):
        exported(origin, commit_id)


def test_a_tree_that_grows_without_end_is_refused(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six folders in each of six levels, and all are one: a few hundred bytes that unpack to 46,656 folders."""
    from runner.sources.git import trees

    monkeypatch.setattr(trees, "MOST_ENTRIES", 10_000)
    origin.commit({"a": "1"})
    below = git("rev-parse", "HEAD^{tree}", cwd=origin.clone)
    for _ in range(6):
        listing = "".join(f"040000 tree {below}\td{number}\n" for number in range(6))
        done = subprocess.run(
            ["git", "mktree"], cwd=origin.path, input=listing, stdout=subprocess.PIPE, text=True, check=True
        )
        below = done.stdout.strip()
    commit_id = git("commit-tree", "-m", "bomb", below, cwd=origin.path)
    git("update-ref", "refs/heads/bomb", commit_id, cwd=origin.path)
    repository = open_(origin, origin.path.parent / "mirror")
    repository.fetch(commit_id)
    with pytest.raises(InvalidRevision, match="more than 10000 entries"):
        repository.manifests(commit_id)
