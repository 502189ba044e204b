"""Commits without their history: what is fetched of repositories that are on GitHub and in no configuration."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitserver import HttpServer, Origin, git, http_server

from runner.config import RepositoryConfig
from runner.errors import RevisionDoesNotExist, WorldError
from runner.model.revision import GitHubRevision
from runner.sources import all as sources
from runner.sources.git import GitRepository


class Site:
    """Five commits, each with a file of 100 kB more, on a server that gives commits by their ID as GitHub does."""

    def __init__(self, folder: Path, server: HttpServer, origin: Origin) -> None:
        self.folder, self.server, self.origin = folder, server, origin
        git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=origin.path)
        self.commits = [origin.commit({f"{number}": os.urandom(100_000)}) for number in range(5)]
        self.config = RepositoryConfig(name="github.com/acme/shop", url=f"{server.url}/shop.git")

    def repository(self, name: str = "mirror", *, shallow: bool = True) -> GitRepository:
        return GitRepository(self.config, self.folder / name, shallow=shallow)

    def history(self, name: str = "mirror") -> list[str]:
        """Commits that the mirror holds."""
        found = git("rev-list", "--all", cwd=self.folder / name).split()
        return sorted(self.commits.index(each) for each in found)

    def size(self, name: str) -> int:
        return sum(each.stat().st_size for each in (self.folder / name / "objects/pack").glob("*.pack"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with http_server(tmp_path / "served") as server:
        yield Site(tmp_path, server, Origin(tmp_path / "served"))


def exported(repository: GitRepository, commit_id: str) -> bytes:
    out = io.BytesIO()
    repository.export(commit_id, "", out)
    return out.getvalue()


def test_only_the_commit_itself_comes_and_its_bundle_is_the_same(site: Site) -> None:
    alone, whole = site.repository(), site.repository("whole", shallow=False)
    site.origin.commit({str(number): b"" for number in range(4)})  # what was there is in the history alone
    last = git("rev-parse", "HEAD", cwd=site.origin.clone)
    alone.fetch(last)
    whole.fetch(last)
    assert git("rev-list", "--all", cwd=site.folder / "mirror").split() == [last]
    assert site.size("mirror") < 150_000
    assert site.size("whole") > 500_000
    assert exported(alone, last) == exported(whole, last)


@pytest.mark.parametrize("order", [(1, 3, 2), (3, 1, 4), (4, 0, 2)])
def test_commits_come_in_any_order_and_what_is_there_already_is_not_sent_again(
    site: Site, order: tuple[int, ...]
) -> None:
    repository = site.repository()
    for number in order:
        repository.fetch(site.commits[number])
    assert site.history() == sorted(order)
    assert site.size("mirror") < (max(order) + 1) * 100_000 + 50_000
    whole = site.repository("whole", shallow=False)
    whole.fetch(site.commits[-1])
    for number in order:
        assert exported(repository, site.commits[number]) == exported(whole, site.commits[number])
    site.server.requests.clear()
    repository.fetch(site.commits[order[0]])
    assert site.server.requests == []


def test_a_commit_that_is_not_there_is_told_and_nothing_else_is_fetched_instead(site: Site) -> None:
    repository = site.repository()
    with pytest.raises(RevisionDoesNotExist, match="was it pushed, or since dropped by a force-push"):
        repository.fetch("0123456789" * 4)
    assert site.history() == []
    repository.fetch(site.commits[2])
    assert site.history() == [2]


def test_a_server_in_trouble_is_not_taken_for_a_missing_commit(site: Site) -> None:
    site.config = RepositoryConfig(name="shop", url="http://127.0.0.1:1/shop.git")
    with pytest.raises(WorldError, match="nothing listens there"):
        site.repository().fetch(site.commits[2])


@pytest.mark.parametrize("shallow", [True, False])
def test_a_mirror_that_was_damaged_is_made_anew(site: Site, shallow: bool) -> None:
    repository = site.repository(shallow=shallow)
    repository.fetch(site.commits[2])
    for pack in (site.folder / "mirror/objects/pack").iterdir():
        pack.chmod(0o600)
        pack.write_bytes(b"rubbish")
    repository = site.repository(shallow=shallow)
    repository.fetch(site.commits[2])
    assert exported(repository, site.commits[2])


def test_repositories_of_the_configuration_have_their_history_and_others_on_github_do_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "repository_of", lambda name, known: site.config)
    every = sources.AllSources([RepositoryConfig(name="ours", url=site.config.url)], site.folder / "state")
    every.fetch(GitHubRevision(repository="acme/shop", commit_id=site.commits[3]))
    every.repository("ours").fetch(site.commits[3])
    assert site.history("state/mirrors/github.com%2Facme%2Fshop.git") == [3]
    assert site.history("state/mirrors/ours.git") == [0, 1, 2, 3]
