"""Rules about revisions: what tells two of them apart, and which platform takes which."""

import hashlib
import json

from runner.errors import InvalidRevision
from runner.model.platform import ComputePlatform
from runner.model.revision import (
    AppSpecRevision,
    GitHubRevision,
    GitRevision,
    ImageRevision,
    Revision,
    S3Revision,
)

_ARCHIVES = ("tar", "tgz", "zip")


def identity(revision: Revision) -> str:
    """SHA-256 of all members that tell *revision* from others: 64 hex digits.

    An object in S3 with an ETag and the same object without are two revisions. What asked for it is not part of it.
    Source: CodeDeploy API reference, "GetApplicationRevision".
    """
    return hashlib.sha256(json.dumps(_members(revision)).encode()).hexdigest()


def _members(revision: Revision) -> list[str | None]:
    match revision:
        case S3Revision():
            return ["S3", revision.bucket, revision.key, revision.bundle_type, revision.version, revision.etag]
        case GitHubRevision():
            return ["GitHub", revision.repository, revision.commit_id]
        case GitRevision():
            return ["git", revision.repository, revision.root, revision.commit_id]
        case ImageRevision():
            return ["image", revision.repository, revision.digest, revision.git, revision.root, revision.commit_id]
        case AppSpecRevision():
            return ["String" if revision.legacy else "AppSpecContent", revision.sha256]


def check_platform(revision: Revision, platform: ComputePlatform) -> None:
    """Raises `InvalidRevision` when applications of *platform* cannot have such a revision.

    Source: CodeDeploy user guide, "Working with application revisions".
    """
    match revision:
        case S3Revision() if platform == "Server" and revision.bundle_type not in _ARCHIVES:
            raise InvalidRevision(f"a server's bundle is of type tar, tgz or zip, not {revision.bundle_type}")
        case S3Revision() if platform != "Server" and revision.bundle_type in _ARCHIVES:
            raise InvalidRevision(f"an AppSpec file for {platform} is of type YAML or JSON, not {revision.bundle_type}")
        case GitHubRevision() | GitRevision() if platform != "Server":
            raise InvalidRevision(
                f"a revision from a git repository is for servers; this application is for {platform}"
            )
        case AppSpecRevision() if platform == "Server":
            raise InvalidRevision("servers need a bundle: give the revision as s3Location or gitHubLocation")
        case AppSpecRevision(legacy=True) if platform == "ECS":
            raise InvalidRevision("revisions of type String are for Lambda functions; use AppSpecContent")
