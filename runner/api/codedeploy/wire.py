"""Our nouns in the wire API's shapes: revisions (both ways), configurations, tags. Members without a value are None."""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from runner.errors import InvalidRevision, Refused, UserError
from runner.model.application import DeploymentConfig, RegisteredRevision
from runner.model.revision import (
    AppSpecRevision,
    GitHubRevision,
    GitRevision,
    ImageRevision,
    Revision,
    S3Revision,
    check_commit_id,
)
from runner.model.rollout import MinimumHealthyHosts

Shape: TypeAlias = dict[str, Any]

_MEMBER = {
    "S3": "s3Location",
    "GitHub": "gitHubLocation",
    "String": "string",
    "AppSpecContent": "appSpecContent",
}


def revision_location(revision: Revision, *, content: bool = False) -> Shape:
    """A `RevisionLocation`. *content*: with the text of an AppSpec; else only its SHA-256.

    A commit of a configured repository is a gitHubLocation whose repository is that one's name and has no owner, with
    `:FOLDER` behind it when the application is not at the top. So is an image, by the commit whose manifest names it.
    """
    match revision:
        case S3Revision():
            location: Shape = {
                "bucket": revision.bucket,
                "key": revision.key,
                "bundleType": revision.bundle_type,
                "version": revision.version,
                "eTag": revision.etag,
            }
            kind = "S3"
        case GitHubRevision() | GitRevision() | ImageRevision():
            location = {"repository": _repository(revision), "commitId": revision.commit_id}
            kind = "GitHub"
        case AppSpecRevision():
            location = {"content": revision.content if content else None, "sha256": revision.sha256}
            kind = "String" if revision.legacy else "AppSpecContent"
    return {"revisionType": kind, _MEMBER[kind]: location}


def _repository(revision: GitHubRevision | GitRevision | ImageRevision) -> str:
    if isinstance(revision, GitHubRevision):
        return revision.repository
    repository = revision.git if isinstance(revision, ImageRevision) else revision.repository
    return f"{repository}:{revision.root}" if revision.root else repository


def location_revision(location: Mapping[str, Any]) -> Revision:
    """The revision that a `RevisionLocation` names. An AppSpec that is named by its SHA-256 alone has no content.

    Raises `Refused`: RevisionRequired for an empty one; `InvalidRevision` for anything but one complete location.
    """
    given = [name for name in _MEMBER.values() if location.get(name) is not None]
    kind = location.get("revisionType")
    if kind is None and not given:
        raise Refused("RevisionRequiredException", "RevisionLocation must be specified")
    if kind not in _MEMBER:
        raise InvalidRevision(f"a revision needs a revisionType: {', '.join(_MEMBER)}")
    if given != [_MEMBER[kind]]:
        raise InvalidRevision(f"a revision of type {kind} has {_MEMBER[kind]}, and no other location")
    inner = location[_MEMBER[kind]]
    match kind:
        case "S3":
            return _s3(inner)
        case "GitHub":
            return _git(inner)
        case _:
            return _appspec(inner, legacy=kind == "String")


def _s3(location: Mapping[str, Any]) -> S3Revision:
    for member in ("bucket", "key", "bundleType"):
        if not location.get(member):
            raise InvalidRevision(f"s3Location needs a {member}")
    return S3Revision(
        bucket=location["bucket"],
        key=location["key"],
        bundle_type=location["bundleType"],
        version=location.get("version") or None,
        etag=(location.get("eTag") or "").strip('"') or None,  # S3 itself gives them in quotes
    )


def _git(location: Mapping[str, Any]) -> GitHubRevision | GitRevision:
    repository, commit_id = location.get("repository") or "", location.get("commitId") or ""
    try:
        check_commit_id(commit_id)
    except UserError as error:
        raise InvalidRevision(f"gitHubLocation: {error}") from error
    configured, _, root = repository.partition(":")
    if configured and "/" not in configured:
        return GitRevision(repository=configured, commit_id=commit_id, root=root)
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name or ":" in repository:
        raise InvalidRevision("gitHubLocation needs a repository, as OWNER/NAME or the name of a configured one")
    return GitHubRevision(repository=repository, commit_id=commit_id)


def _appspec(inner: Mapping[str, Any], *, legacy: bool) -> AppSpecRevision:
    content, told = inner.get("content") or "", (inner.get("sha256") or "").lower()
    if not content and not told:
        raise InvalidRevision("the AppSpec has no content")
    digest = hashlib.sha256(content.encode()).hexdigest() if content else told
    if told and told != digest:
        raise InvalidRevision(f"the AppSpec's SHA-256 is {digest}, not {told}")
    return AppSpecRevision(content=content, sha256=digest, legacy=legacy)


def revision_info(registered: RegisteredRevision) -> Shape:
    """A `GenericRevisionInfo`."""
    return {
        "description": registered.description or None,
        "deploymentGroups": list(registered.groups),
        "firstUsedTime": registered.first_used_at,
        "lastUsedTime": registered.last_used_at,
        "registerTime": registered.registered_at,
    }


def minimum_healthy(rule: MinimumHealthyHosts | None) -> Shape | None:
    return None if rule is None else {"type": rule.type, "value": rule.value}


def config_info(config: DeploymentConfig) -> Shape:
    """A `DeploymentConfigInfo`."""
    return {
        "deploymentConfigId": config.id,
        "deploymentConfigName": config.name,
        "minimumHealthyHosts": minimum_healthy(config.minimum_healthy),
        "createTime": config.created_at,
        "computePlatform": config.platform,
        "trafficRoutingConfig": config.traffic,
        "zonalConfig": config.zonal,
    }


def tag_list(tags: Mapping[str, str]) -> list[Shape]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
