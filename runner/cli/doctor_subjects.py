"""The deployment groups that `penstock doctor aws` examines: those of the state folder, and those of a checkout's HEAD."""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.aws.doctor import EcrRepository, Subject
from runner.cli import checkout as checkouts
from runner.cli.session import note, repository_of
from runner.errors import DeploymentGroupDoesNotExist, UserError
from runner.model.application import Group
from runner.model.manifest import Manifest
from runner.model.platform import ComputePlatform
from runner.model.revision import AppSpecRevision, ImageLocation, ImageRevision, S3Location
from runner.model.value import Value
from runner.render.traffic_appspec import parse_ecs, parse_lambda

if TYPE_CHECKING:
    from runner.wiring import Runner

Known = dict[tuple[str, str], Subject]
"""By application and group."""

_PLATFORMS: tuple[ComputePlatform, ...] = ("Lambda", "ECS", "Server")


def in_state(runner: "Runner") -> Known:
    groups = (group for platform in _PLATFORMS for group in runner.store.catalog.groups.of_platform(platform))
    return _by_name(_of_group(group, runner) for group in groups)


def in_checkout(arguments: argparse.Namespace, runner: "Runner") -> Known:
    """None where `arguments.folder` is no checkout with a manifest; what else is wrong with one is a remark."""
    checkout = checkouts.find_if_any(arguments.folder)
    if checkout is None:
        return {}
    repository, _known = repository_of(arguments, checkout)
    try:
        source = runner.sources.repository(repository.name)
        source.fetch(checkout.commit_id)
        manifests = runner.flow.render(source, checkout.commit_id, branch=checkout.branch, tag=checkout.tag)
    except UserError as error:
        note(f"the manifests of {checkout.root} are left out: {error.message}")
        return {}
    return _by_name(subject for manifest in manifests for subject in _of_manifest(manifest, runner))


def chosen(subjects: Sequence[Subject], places: Sequence[str]) -> list[Subject]:
    """Those in *places* (`application`, or `application/group`), all when none is named. Raises `UserError`."""
    for place in places:
        if not any(place in _names(subject) for subject in subjects):
            raise DeploymentGroupDoesNotExist(
                f"{place} is no application or deployment group, of the state folder or this checkout, that deploys in AWS"
            )
    return [each for each in subjects if not places or any(place in _names(each) for place in places)]


def _names(subject: Subject) -> tuple[str, str]:
    return subject.application, f"{subject.application}/{subject.group}"


def _by_name(subjects: Iterator[Subject]) -> Known:
    return {(each.application, each.group): each for each in subjects if each.concerns_aws}


def _of_manifest(manifest: Manifest, runner: "Runner") -> Iterator[Subject]:
    bucket = manifest.revision.bucket if isinstance(manifest.revision, S3Location) else None
    image = _repository(manifest.revision.repository) if isinstance(manifest.revision, ImageLocation) else None
    for settings in manifest.groups:
        live = runner.store.live(manifest.application, settings.name)
        yield Subject.of(manifest.application, settings, bucket=bucket, live=live, image=image)


def _of_group(group: Group, runner: "Runner") -> Subject:
    """A group that the wire API made names no function and no hooks: its last AppSpec does."""
    revision, live = group.target_revision, runner.store.live(group.application, group.name)
    image = _repository(revision.repository) if isinstance(revision, ImageRevision) else None
    subject = Subject.of(group.application, group.settings, live=live, image=image)
    if not isinstance(revision, AppSpecRevision):
        return subject
    try:
        if group.platform == "Lambda":
            function = parse_lambda(revision.content, "appspec")
            known = {"function": function.function, "alias": function.alias}
            return _with(subject, **known, hooks=tuple(function.hooks.values()))
        if group.platform == "ECS" and subject.service is not None:
            hooks = parse_ecs(revision.content, "appspec", subject.service).hooks
            return _with(subject, hooks=tuple(hooks.values()))
    except UserError:
        pass
    return subject


def _repository(image: str) -> EcrRepository | None:
    """None where it is pinned without AWS."""
    from runner.sources.images import ecr_of, parse

    try:
        name = parse(image)
    except UserError:  # said when a commit is deployed
        return None
    if (found := ecr_of(name)) is None:
        return None
    account, region = found
    return EcrRepository(account=account, region=region, name=name.path)


def _with(subject: Subject, **changes: object) -> Subject:
    import msgspec

    changed: Value = msgspec.structs.replace(subject, **changes)
    assert isinstance(changed, Subject)
    return changed
