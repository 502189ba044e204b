"""Sources together: what a fetched revision costs, and what is exported once."""

from pathlib import Path

import pytest
from gitserver import HttpServer, Origin, Shop

from runner.config import RepositoryConfig
from runner.errors import InvalidRevision
from runner.model.revision import GitRevision
from runner.sources.all import AllSources


def sources(state: Path, **urls: str) -> AllSources:
    return AllSources([RepositoryConfig(name=name, url=url) for name, url in urls.items()], state)


def test_one_tree_in_two_commits_of_one_moment_is_exported_once(tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    when = "2026-01-05T10:00:00+0000"
    commits = [origin.commit({"shop/appspec.yml": "1", "other": text}, text, when=when) for text in ("first", "second")]
    both = sources(tmp_path / "state", shop=str(origin.path))
    bundles = [both.fetch(GitRevision(repository="shop", commit_id=each, root="shop")) for each in commits]
    assert bundles[0] == bundles[1]
    assert len(list((tmp_path / "state" / "bundles").glob("*.tar"))) == 1


def test_a_revision_that_was_fetched_needs_no_network_and_no_mirror(
    shop: Shop, http: HttpServer, tmp_path: Path
) -> None:
    revision = GitRevision(repository="shop", commit_id=shop.second)
    bundle = sources(tmp_path, shop=f"{http.url}/shop.git").fetch(revision)
    (tmp_path / "mirrors").rename(tmp_path / "gone")
    http.requests.clear()
    assert sources(tmp_path, shop=f"{http.url}/shop.git").fetch(revision) == bundle
    assert http.requests == []


def test_a_repository_may_have_any_name(shop: Shop, tmp_path: Path) -> None:
    for name in ("team/shop", "..", "a b%"):
        assert sources(tmp_path, **{name: str(shop.origin.path)}).repository(name).heads() == shop.heads
    assert len(list((tmp_path / "mirrors").glob("*.git"))) == 3


def test_a_link_in_a_commit_that_leaves_the_bundle_is_refused(tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    (origin.clone / "shop").mkdir()
    (origin.clone / "shop" / "secrets").symlink_to("../../etc")
    commit_id = origin.commit({"shop/appspec.yml": "1"})
    both = sources(tmp_path / "state", shop=str(origin.path))
    with pytest.raises(InvalidRevision, match=f"^shop@sha1:{commit_id} cannot be deployed: the link 'secrets'"):
        both.fetch(GitRevision(repository="shop", commit_id=commit_id, root="shop"))


def test_pruning_reaches_the_cache(shop: Shop, tmp_path: Path) -> None:
    both = sources(tmp_path, shop=str(shop.origin.path))
    first, second = (both.fetch(GitRevision(repository="shop", commit_id=each)) for each in (shop.first, shop.second))
    assert both.prune(0, [second.sha256]) == 1
    assert not Path(first.path).exists()
    assert Path(second.path).exists()
