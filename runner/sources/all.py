"""Where revisions come from, all of it: the port `Sources` on git mirrors, S3 and the cache of bundles."""

from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.config import RepositoryConfig
from runner.errors import InvalidRevision, UserError
from runner.model.revision import Bundle, GitHubRevision, GitRevision, Revision, S3Location, S3Revision
from runner.sources.bundles import Bundles
from runner.sources.github import repository_of

if TYPE_CHECKING:
    from runner.sources.git import GitRepository
    from runner.sources.s3 import Objects


class AllSources:
    """The configured *repositories*, and every bucket that this process may read, cached below *state_folder*."""

    def __init__(self, repositories: Iterable[RepositoryConfig], state_folder: Path) -> None:
        self._configured = {each.name: each for each in repositories}
        self._folder = state_folder
        self._bundles = Bundles(state_folder / "bundles")
        self._open: dict[str, GitRepository] = {}

    def repository(self, name: str) -> "GitRepository":
        """Raises `UserError` when the configuration has no repository of that name."""
        if name not in self._configured:
            known = ", ".join(sorted(self._configured)) or "none"
            raise UserError(f"no repository {name!r} is configured (known: {known})")
        if name not in self._open:
            from runner.sources.git import GitRepository

            made = GitRepository(self._configured[name], self._folder / "mirrors" / f"{quote(name, safe='')}.git")
            self._open.setdefault(name, made)
        return self._open[name]

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        return self._objects.resolve(location, commit_id)

    def pin(self, revision: Revision) -> Revision:
        if isinstance(revision, S3Revision) and revision.etag is None:
            return self._objects.pin(revision)
        return revision

    def fetch(self, revision: Revision) -> Bundle:
        if isinstance(revision, GitHubRevision):
            return self._fetch_git(self._on_github(revision))
        if isinstance(revision, GitRevision):
            return self._fetch_git(revision)
        if isinstance(revision, S3Revision):
            return self._fetch_s3(revision)
        raise InvalidRevision(f"{revision.label} is no bundle for servers")

    def local(self, path: Path) -> Bundle:
        """An archive or a folder of this machine. Raises `UserError`, `InvalidRevision`, `WorldError`."""
        from runner.sources.local import local_bundle

        return local_bundle(path, self._bundles)

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        return self._bundles.read(bundle, name)

    def prune(self, keep: int, in_use: Collection[str]) -> int:
        """Drop cached bundles but the *keep* used last and those whose SHA-256 is *in_use*. Returns how many went."""
        return self._bundles.prune(keep, in_use)

    def _fetch_git(self, revision: GitRevision) -> Bundle:
        """A revision deployed before needs no repository: a rollback works while the remote is down."""
        key = f"{revision.label}#{revision.root}"
        found = self._bundles.find(key)
        if found:
            return found
        repository = self.repository(revision.repository)
        repository.fetch(revision.commit_id)
        tree = f"tree:{repository.tree_key(revision.commit_id, revision.root)}"
        bundle = self._bundles.get(
            tree,
            "tar",
            lambda incoming: repository.export(revision.commit_id, revision.root, incoming),
            label=revision.label,
        )
        self._bundles.name(key, bundle)
        return bundle

    def _on_github(self, revision: GitHubRevision) -> GitRevision:
        """The same commit, of the repository that stands for `OWNER/NAME`: a configured one, else GitHub's own."""
        config = repository_of(revision.repository, self._configured.values())
        self._configured.setdefault(config.name, config)
        return GitRevision(repository=config.name, commit_id=revision.commit_id)

    def _fetch_s3(self, revision: S3Revision) -> Bundle:
        if revision.bundle_type == "YAML" or revision.bundle_type == "JSON":
            raise InvalidRevision(f"{revision.label} is an AppSpec for Lambda or ECS, no bundle for servers")
        kind = revision.bundle_type
        exact = revision if revision.etag else self._objects.pin(revision)
        return self._bundles.get(
            f"{exact.label}#{exact.etag}#{kind}",
            kind,
            lambda incoming: self._objects.download(exact, incoming),
            label=exact.label,
        )

    @cached_property
    def _objects(self) -> "Objects":
        from runner.sources.s3 import Objects

        return Objects()
