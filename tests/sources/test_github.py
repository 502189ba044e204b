"""Revisions on GitHub: which repository they are taken from, and that they come."""

from pathlib import Path

import pytest
from gitserver import Origin

from runner.config import RepositoryConfig, load
from runner.errors import InvalidFiles, RevisionDoesNotExist
from runner.model.revision import GitHubRevision, GitRevision
from runner.sources.all import AllSources
from runner.sources.github import repository_of

APPSPEC = {"appspec.yml": b"version: 0.0\nos: linux\n"}


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/ACME/shop",
        "https://github.com/acme/Shop.git",
        "https://robot@github.com/acme/shop.git/",
        "https://github.com:443/acme/shop",
        "git@github.com:acme/shop.git",
        "ssh://git@github.com/acme/shop",
        "ssh://git@github.com:22/acme/shop.git",
    ],
)
def test_a_configured_repository_is_known_by_its_address(url: str):
    others = RepositoryConfig(name="other", url="https://github.com/acme/shop-two")
    assert repository_of("acme/Shop", [others, RepositoryConfig(name="ours", url=url)]).name == "ours"


@pytest.mark.parametrize(
    "url", ["https://github.com.example.com/acme/shop", "/srv/github.com/acme/shop", "https://example.com/acme/shop"]
)
def test_another_address_is_not_githubs(url: str):
    found = repository_of("acme/shop", [RepositoryConfig(name="ours", url=url)])
    assert (found.url, found.credentials) == ("https://github.com/acme/shop", None)


def test_a_mirror_comes_before_githubs_own():
    known = [
        RepositoryConfig(name="direct", url="https://github.com/acme/shop"),
        RepositoryConfig(name="mirror", url="https://git.example.com/shop", github="Acme/Shop"),
    ]
    assert repository_of("acme/shop", known).name == "mirror"


def test_a_commit_comes_from_the_mirror_and_is_the_same_bundle_as_the_repositorys_own(tmp_path: Path):
    origin = Origin(tmp_path / "origin")
    commit = origin.commit(APPSPEC)
    mirror = RepositoryConfig(name="ours", url=str(origin.path), github="acme/shop")
    sources = AllSources([mirror], tmp_path / "state")
    bundle = sources.fetch(GitHubRevision(repository="Acme/shop", commit_id=commit))
    assert sources.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]
    assert sources.fetch(GitRevision(repository="ours", commit_id=commit)) == bundle
    with pytest.raises(RevisionDoesNotExist):
        sources.fetch(GitHubRevision(repository="acme/shop", commit_id="0" * 40))


def test_the_configuration_says_which_repository_is_a_mirror(tmp_path: Path):
    file = tmp_path / "penstock.toml"
    file.write_text('[repositories.ours]\nurl = "https://git.example.com/shop"\ngithub = "acme/shop"\n')
    assert load(file).repositories[0].github == "acme/shop"
    file.write_text('[repositories.ours]\nurl = "https://git.example.com/shop"\ngithub = "shop"\n')
    with pytest.raises(InvalidFiles, match="OWNER/NAME"):
        load(file)
