"""What a preview must not show, and what it does not ask for."""

from collections.abc import Mapping

from msgspec.structs import replace

from runner.model.manifest import Manifest
from runner.model.pull_request import GroupPreview
from runner.model.revision import GitRevision, ImageLocation, ImageRevision, Revision, S3Revision

SHORTEST = 3  # characters of a value that is hidden; less is in every text
_LATER = "newest"


def hidden(text: str, environment: Mapping[str, str]) -> str:
    """*text* with names, `${NAME}`, in place of the values of *environment*; the longest first."""
    for name, value in sorted(environment.items(), key=lambda each: -len(each[1])):
        if len(value) >= SHORTEST:
            text = text.replace(value, f"${{{name}}}")
    return text


def hidden_in_group(group: GroupPreview, environment: Mapping[str, str]) -> GroupPreview:
    return replace(
        group,
        rollout=hidden(group.rollout, environment),
        facts=tuple((name, hidden(text, environment)) for name, text in group.facts),
    )


def unpinned(wanted: Manifest, repository: str, merged: str) -> Revision:
    """What would be deployed, without asking S3 or a registry what that is now: pins are stand-ins."""
    location = wanted.revision
    if location is None:
        return GitRevision(repository=repository, commit_id=merged, root=wanted.root)
    if isinstance(location, ImageLocation):
        return ImageRevision(
            repository=location.repository,
            tag=location.tag,
            digest=f"sha256:{'0' * 64}",
            commit_id=merged,
            git=repository,
            root=wanted.root,
        )
    return S3Revision(
        bucket=location.bucket,
        key=location.key,
        bundle_type=location.bundle_type,
        etag=location.etag,
        version=location.version or _LATER,
        commit_id=merged,
    )
