"""Revisions: what is deployed, pinned so that it can never mean something else tomorrow.

A *location* is what a manifest says; a *revision* is what `sources` resolved it to.
"""

import re
from typing import Literal, TypeAlias

from runner.errors import UserError
from runner.model.value import Value

BundleType: TypeAlias = Literal["tar", "tgz", "zip"]
DocumentType: TypeAlias = Literal["YAML", "JSON"]

_COMMIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def is_commit_id(text: object) -> bool:
    """Whether it is a full one: 40 or 64 hex digits, lower case."""
    return isinstance(text, str) and bool(_COMMIT_ID.fullmatch(text))


def check_commit_id(text: str) -> str:
    """Return *text* when it is a full commit ID, else raise `UserError`."""
    if is_commit_id(text):
        return text
    if re.fullmatch(r"[0-9a-fA-F]{4,39}", text):
        raise UserError(f"commit ID {text!r} is short; give all 40 digits (`git rev-parse {text}` prints them)")
    raise UserError(f"{text!r} is not a commit ID; 40 lower-case hex digits are expected")


class S3Location(Value, frozen=True, kw_only=True, tag="s3"):
    """An object in S3 as the manifest names it. *pin*: by which property the object is held fast."""

    bucket: str
    key: str
    bundle_type: BundleType | DocumentType  # a document is an AppSpec
    pin: Literal["etag", "version"] = "etag"
    etag: str | None = None  # given by the manifest: the object must have it
    version: str | None = None


class ImageLocation(Value, frozen=True, kw_only=True, tag="image"):
    """A container image as the manifest names it. *repository*: with its registry, `registry.example.com/shop/api`."""

    repository: str
    tag: str


Location: TypeAlias = S3Location | ImageLocation


class GitRevision(Value, frozen=True, kw_only=True, tag="git"):
    """The tree of one commit of a repository, from the application's folder (*root*) down."""

    repository: str  # the repository's name in the runner's configuration
    commit_id: str
    root: str = ""  # folder of the application inside the repository, "" for the top

    @property
    def short(self) -> str:
        return self.commit_id[:10]

    @property
    def label(self) -> str:
        """Name first, then algorithm and digest: `shop@sha1:<hex>`."""
        algorithm = "sha1" if len(self.commit_id) == 40 else "sha256"
        return f"{self.repository}@{algorithm}:{self.commit_id}"


class S3Revision(Value, frozen=True, kw_only=True, tag="s3"):
    """One object in S3, held by its ETag and, in versioned buckets, by its version. *commit_id*: whose manifest asked.

    Without either it is what the wire API was told: the newest object when the deployment begins, which pins it.
    """

    bucket: str
    key: str
    bundle_type: BundleType | DocumentType  # a document is the AppSpec of a Lambda function or an ECS service
    etag: str | None = None  # without quotes
    version: str | None = None
    commit_id: str | None = None

    @property
    def short(self) -> str:
        name = self.key.rsplit("/", 1)[-1]
        return self.commit_id[:10] if self.commit_id else f"{name}@{self.etag[:8]}" if self.etag else name

    @property
    def label(self) -> str:
        pin = f"?versionId={self.version}" if self.version else f"?eTag={self.etag}" if self.etag else ""
        return f"s3://{self.bucket}/{self.key}{pin}"


class GitHubRevision(Value, frozen=True, kw_only=True, tag="github"):
    """One commit of a repository on GitHub, as the wire API names it. *repository*: `OWNER/NAME`."""

    repository: str
    commit_id: str

    @property
    def short(self) -> str:
        return self.commit_id[:10]

    @property
    def label(self) -> str:
        return f"github:{self.repository}@{self.commit_id}"


class AppSpecRevision(Value, frozen=True, kw_only=True, tag="appspec"):
    """The AppSpec itself, of a Lambda function or an ECS service. *sha256*: of its text. *legacy*: given as `string`."""

    content: str
    sha256: str
    legacy: bool = False

    @property
    def short(self) -> str:
        return self.sha256[:10]

    @property
    def label(self) -> str:
        return f"appspec@sha256:{self.sha256}"


class ImageRevision(Value, frozen=True, kw_only=True, tag="image"):
    """A container image, held by its digest, and the commit whose manifest and task definition go with it.

    *digest*: `sha256:<hex>`. *git*: the repository's name in the runner's configuration; *root*: as of a `GitRevision`.
    """

    repository: str
    tag: str
    digest: str
    commit_id: str
    git: str
    root: str = ""

    @property
    def image(self) -> str:
        """What a task definition names: it can never mean another image."""
        return f"{self.repository}@{self.digest}"

    @property
    def short(self) -> str:
        return self.commit_id[:10]

    @property
    def label(self) -> str:
        return self.image


Revision: TypeAlias = GitRevision | S3Revision | GitHubRevision | AppSpecRevision | ImageRevision


class Bundle(Value, frozen=True, kw_only=True):
    """A fetched revision on this machine: an archive file that never changes. *path* is inside the bundle cache."""

    path: str
    bundle_type: BundleType
    sha256: str
    size: int  # bytes of the archive


class Commit(Value, frozen=True, kw_only=True):
    """What templates and people want to know of a commit."""

    id: str
    author: str
    message: str  # whole message, as committed
    time: str  # ISO 8601 with offset
