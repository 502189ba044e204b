"""The port `Sources` in memory: repositories of `fakes.repository`, and buckets of objects."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from fakes.repository import FakeRepository

from runner.errors import InvalidRevision, RevisionDoesNotExist, UserError, WorldError
from runner.model.revision import (
    AppSpecRevision,
    Bundle,
    GitRevision,
    ImageLocation,
    ImageRevision,
    Revision,
    S3Location,
    S3Revision,
)


@dataclass(frozen=True)
class _Object:
    files: dict[str, bytes]
    etag: str
    version: str | None


class FakeSources:
    """Its bundles are no archives: `path` is a name, and only `read` can look inside.

    `put` uploads an object as the files that its archive holds; a document is the one file in it. `push_image` pushes an
    image. *trouble*: raised by every call that would go outside.
    """

    def __init__(self, repositories: Iterable[FakeRepository] = ()) -> None:
        self.repositories = {each.name: each for each in repositories}
        self.trouble: WorldError | None = None
        self.fetched: list[Revision] = []  # what really went outside, in order
        self._objects: dict[tuple[str, str], list[_Object]] = {}
        self._cached: dict[str, Bundle] = {}
        self._files: dict[str, dict[str, bytes]] = {}
        self._images: dict[tuple[str, str], str] = {}
        self._documents: dict[str, bytes] = {}

    def put(self, bucket: str, key: str, files: Mapping[str, bytes], *, versioned: bool = False) -> str:
        """Upload; returns the ETag. On a *versioned* bucket older versions stay."""
        etag = hashlib.md5(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
        kept = self._objects.setdefault((bucket, key), [])
        if not versioned:
            kept.clear()
        kept.append(_Object(dict(files), etag, f"version-{len(kept) + 1}" if versioned else None))
        return etag

    def push_image(self, repository: str, tag: str, content: bytes) -> str:
        """Returns the digest."""
        self._images[repository, tag] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return self._images[repository, tag]

    def resolve_image(self, location: ImageLocation, git: str, commit_id: str, root: str) -> ImageRevision:
        if self.trouble:
            raise self.trouble
        digest = self._images.get((location.repository, location.tag))
        if digest is None:
            raise RevisionDoesNotExist(f"there is no image {location.repository}:{location.tag}")
        return ImageRevision(
            repository=location.repository, tag=location.tag, digest=digest, commit_id=commit_id, git=git, root=root
        )

    def document(self, revision: Revision, path: str) -> tuple[str, bytes]:
        if isinstance(revision, AppSpecRevision):
            return "AppSpecContent", revision.content.encode()
        if isinstance(revision, S3Revision):
            return self._document_in_s3(revision)
        if isinstance(revision, ImageRevision):
            revision = GitRevision(repository=revision.git, commit_id=revision.commit_id, root=revision.root)
        assert isinstance(revision, GitRevision)
        key = f"{revision.label}#{revision.root}#{path}"
        if key not in self._documents:
            repository = self.repository(revision.repository)
            repository.fetch(revision.commit_id)
            found = repository.read(revision.commit_id, _folder(revision.root) + path)
            if found is None:
                raise InvalidRevision(f"commit {revision.short} holds no file {path}")
            self._documents[key] = found
        return path, self._documents[key]

    def repository(self, name: str) -> FakeRepository:
        if name not in self.repositories:
            raise UserError(f"no repository {name!r} is configured")
        return self.repositories[name]

    def judge(self, repository: str, commit_id: str, *, demanded: bool = False) -> bool:
        if demanded:
            raise InvalidRevision(f"nobody says whose signatures count in {repository}")
        return False

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        found = self._object(location.bucket, location.key, location.version)
        if location.etag and location.etag.strip('"') != found.etag:
            raise InvalidRevision(f"{location.key} changed: expected ETag {location.etag}, found {found.etag}")
        if location.pin == "version" and found.version is None:
            raise InvalidRevision(f"{location.key} has no version")
        return S3Revision(
            bucket=location.bucket,
            key=location.key,
            bundle_type=location.bundle_type,
            etag=found.etag,
            version=found.version if location.pin == "version" or location.version else None,
            commit_id=commit_id,
        )

    def pin(self, revision: Revision) -> Revision:
        if not isinstance(revision, S3Revision) or revision.etag is not None:
            return revision
        found = self._object(revision.bucket, revision.key, revision.version)
        return msgspec.structs.replace(revision, etag=found.etag, version=found.version)

    def fetch(self, revision: Revision) -> Bundle:
        if not isinstance(revision, GitRevision | S3Revision):
            raise InvalidRevision(f"{revision.label} is no bundle for servers")
        revision = self.pin(revision)
        name = f"{revision.label}#{revision.root if isinstance(revision, GitRevision) else revision.etag}"
        if name not in self._cached:
            files = self._git_files(revision) if isinstance(revision, GitRevision) else self._s3_files(revision)
            self.fetched.append(revision)
            digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
            self._files[digest] = files
            kind = "tar" if isinstance(revision, GitRevision) else revision.bundle_type
            size = sum(map(len, files.values()))
            self._cached[name] = Bundle(path=f"memory/{digest}", bundle_type=kind, sha256=digest, size=size)
        return self._cached[name]

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        files = self._files[bundle.sha256]
        tops = {path.partition("/")[0] for path in files}
        if len(tops) == 1 and name not in files:
            (top,) = tops
            if any("appspec" in path.split("/")[1].lower() for path in files if path.count("/") == 1):
                return files.get(f"{top}/{name}")
        return files.get(name)

    def _document_in_s3(self, revision: S3Revision) -> tuple[str, bytes]:
        if revision.bundle_type not in ("YAML", "JSON"):
            raise InvalidRevision(f"{revision.label} is an archive")
        exact = self.pin(revision)
        assert isinstance(exact, S3Revision)
        (content,) = self._s3_files(exact).values()
        return revision.key.rsplit("/", 1)[-1], content

    def _git_files(self, revision: GitRevision) -> dict[str, bytes]:
        repository = self.repository(revision.repository)
        repository.fetch(revision.commit_id)
        paths = (path for path in repository.tree(revision.commit_id) if path.startswith(_folder(revision.root)))
        files = {path: repository.read(revision.commit_id, path) or b"" for path in paths}
        if not files:
            raise InvalidRevision(f"commit {revision.short} has no folder {revision.root}")
        return {path.removeprefix(_folder(revision.root)): content for path, content in files.items()}

    def _s3_files(self, revision: S3Revision) -> dict[str, bytes]:
        found = self._object(revision.bucket, revision.key, revision.version)
        if found.etag != revision.etag:
            raise InvalidRevision(f"{revision.key} changed: expected ETag {revision.etag}, found {found.etag}")
        return found.files

    def _object(self, bucket: str, key: str, version: str | None) -> _Object:
        if self.trouble:
            raise self.trouble
        kept = [each for each in self._objects.get((bucket, key), []) if version in (None, each.version)]
        if not kept:
            raise RevisionDoesNotExist(f"there is no s3://{bucket}/{key}")
        return kept[-1]


def _folder(root: str) -> str:
    return f"{root}/" if root else ""
