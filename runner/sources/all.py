"""Where revisions come from, all of it: the port `Sources` on git mirrors, S3, registries and the caches on disk."""

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.config import RegistryConfig, RepositoryConfig
from runner.errors import InvalidRevision, UserError
from runner.model.revision import (
    AppSpecRevision,
    Bundle,
    GitHubRevision,
    GitRevision,
    ImageLocation,
    ImageRevision,
    Revision,
    S3Location,
    S3Revision,
)
from runner.sources.bundles import Bundles
from runner.sources.documents import Documents, check_length
from runner.sources.github import repository_of
from runner.sources.signatures import Signatures

if TYPE_CHECKING:
    from runner.aws import Aws
    from runner.sources.git import GitRepository
    from runner.sources.git.tokens import Logins
    from runner.sources.s3 import Objects


class AllSources:
    """The configured *repositories*, and every bucket and image that this process may read, cached below *state_folder*.

    *aws*: the process's own, for images in Amazon ECR. *registries*: where to log in. *logins*: as of `SmartHttp`.
    *bring_back*: as of `Bundles`.
    """

    def __init__(
        self,
        repositories: Iterable[RepositoryConfig],
        state_folder: Path,
        aws: "Callable[[], Aws] | None" = None,
        registries: Iterable[RegistryConfig] = (),
        logins: "Logins" = lambda config: None,
        bring_back: Callable[[Path], bool] = lambda archive: False,
    ) -> None:
        self._configured = {each.name: each for each in repositories}
        self._folder = state_folder
        self._bundles = Bundles(state_folder / "bundles", bring_back=bring_back)
        self._documents = Documents(state_folder / "documents")
        self._aws = aws or _new_aws
        self._registries = tuple(registries)
        self._logins = logins
        self._open: dict[str, GitRepository] = {}
        self._known_to_all = frozenset(self._configured)  # of others only the trees of commits are needed

    def repository(self, name: str) -> "GitRepository":
        """Raises `UserError` when the configuration has no repository of that name."""
        if name not in self._configured:
            known = ", ".join(sorted(self._configured)) or "none"
            raise UserError(f"no repository {name!r} is configured (known: {known})")
        if name not in self._open:
            from runner.sources.git import GitRepository

            config = self._configured[name]
            mirror = self._folder / "mirrors" / f"{quote(name, safe='')}.git"
            made = GitRepository(config, mirror, self._logins(config), shallow=name not in self._known_to_all)
            self._open.setdefault(name, made)
        return self._open[name]

    def judge(self, repository: str, commit_id: str, *, demanded: bool = False) -> bool:
        if signatures := self._signatures(repository):
            return signatures.judge(self.repository(repository), commit_id, demanded=demanded)
        if demanded:
            raise InvalidRevision(
                f"a manifest of {repository} demands signed commits, and the runner's configuration does not say whose "
                "signatures count; give the repository a table `signatures` there"
            )
        return False

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        return self._objects.resolve(location, commit_id)

    def resolve_image(self, location: ImageLocation, git: str, commit_id: str, root: str) -> ImageRevision:
        from runner.sources.images import pinned

        return pinned(location, git, commit_id, root, self._registries, self._aws)

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

    def document(self, revision: Revision, path: str) -> tuple[str, bytes]:
        match revision:
            case AppSpecRevision():
                return "AppSpecContent", check_length(revision.content.encode(), "the AppSpec")
            case S3Revision():
                return self._document_in_s3(revision)
            case GitHubRevision():
                return path, self._document_in_git(self._on_github(revision), path)
            case GitRevision():
                return path, self._document_in_git(revision, path)
            case ImageRevision():
                commit = GitRevision(repository=revision.git, commit_id=revision.commit_id, root=revision.root)
                return path, self._document_in_git(commit, path)

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
        self._judge_once(repository, revision.commit_id)
        tree = f"tree:{repository.tree_key(revision.commit_id, revision.root)}"
        bundle = self._bundles.get(
            tree,
            "tar",
            lambda incoming: repository.export(revision.commit_id, revision.root, incoming),
            label=revision.label,
        )
        self._bundles.name(key, bundle)
        return bundle

    def _judge_once(self, repository: "GitRepository", commit_id: str) -> None:
        """Whoever named the commit, the API too: what was never accepted is never deployed."""
        if signatures := self._signatures(repository.name):
            signatures.judge_once(repository, commit_id)

    def _signatures(self, repository: str) -> Signatures | None:
        configured = self._configured[repository].signatures if repository in self._configured else None
        folder = self._folder / "signatures" / quote(repository, safe="")
        return Signatures(configured, folder) if configured else None

    def _document_in_git(self, revision: GitRevision, path: str) -> bytes:
        full = f"{revision.root}/{path}" if revision.root else path

        def bring() -> bytes:
            repository = self.repository(revision.repository)
            repository.fetch(revision.commit_id)
            self._judge_once(repository, revision.commit_id)
            found = repository.read(revision.commit_id, full)
            if found is None:
                raise InvalidRevision(f"commit {revision.short} of {revision.repository} holds no file {full}")
            return found

        return self._documents.get(f"{full} of {revision.label}", bring)

    def _document_in_s3(self, revision: S3Revision) -> tuple[str, bytes]:
        if revision.bundle_type not in ("YAML", "JSON"):
            raise InvalidRevision(
                f"{revision.label} is an archive; an AppSpec for Lambda or ECS is a YAML or JSON file"
            )
        exact = revision if revision.etag else self._objects.pin(revision)
        found = self._documents.get(f"{exact.label}#{exact.etag}", lambda: self._objects.read(exact))
        return revision.key.rsplit("/", 1)[-1], found

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


def _new_aws() -> "Aws":
    from runner.aws import Aws

    return Aws()
