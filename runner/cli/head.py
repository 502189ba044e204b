"""What HEAD of a checkout wants deployed: its manifests rendered and resolved, and everything checked beforehand."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from runner.cli import checkout as checkouts
from runner.cli.checkout import Checkout
from runner.cli.session import note, opened, repository_of
from runner.cli.words import count
from runner.errors import ApplicationDoesNotExist, DeploymentGroupDoesNotExist, RevisionDoesNotExist
from runner.model.manifest import Manifest
from runner.model.revision import Revision

if TYPE_CHECKING:
    from runner.ports import Repository
    from runner.wiring import Runner


class Wanted(NamedTuple):
    """One application. *groups*: empty for all of them."""

    manifest: Manifest
    revision: Revision
    groups: tuple[str, ...]


class Head(NamedTuple):
    """HEAD as the runner sees it. *repository*: the name under which the runner knows it."""

    checkout: Checkout
    repository: str
    wanted: tuple[Wanted, ...]


@contextmanager
def wanted_at_head(arguments: argparse.Namespace, *, deploying: bool) -> "Iterator[tuple[Runner, Head]]":
    """A runner that knows the checkout, and what is to be deployed. Raises before anything is recorded.

    *deploying*: warn of what will not be deployed.
    """
    checkout = checkouts.find(arguments.folder)
    repository, known = repository_of(arguments, checkout)
    if deploying and checkout.uncommitted:
        note(f"{count(checkout.uncommitted, 'file')} changed or new since {checkout.commit_id[:10]}: not deployed")
    with opened(arguments, checkout=None if known else repository, logging=True) as runner:
        source = runner.sources.repository(repository.name)
        _fetch(source, checkout, repository.url)
        manifests = runner.flow.render(source, checkout.commit_id, branch=checkout.branch, tag=checkout.tag)
        wanted = tuple(
            _resolved(runner, source, manifest, groups, checkout)
            for manifest, groups in choose(manifests, arguments.application, arguments.group)
        )
        yield runner, Head(checkout, repository.name, wanted)


def choose(
    manifests: Sequence[Manifest], applications: Sequence[str], groups: Sequence[str]
) -> list[tuple[Manifest, tuple[str, ...]]]:
    """The manifests of the named applications (all where none is named) that have one of the named groups.

    Raises `ApplicationDoesNotExist`, `DeploymentGroupDoesNotExist`.
    """
    known = [manifest.application for manifest in manifests]
    for name in applications:
        if name not in known:
            raise ApplicationDoesNotExist(f"this commit has no application {name}; it has {', '.join(known)}")
    chosen = [each for each in manifests if not applications or each.application in applications]
    there = {settings.name for manifest in chosen for settings in manifest.groups}
    for name in groups:
        if name not in there:
            raise DeploymentGroupDoesNotExist(f"this commit has no deployment group {name}; it has {', '.join(there)}")
    wanted = [
        (manifest, tuple(settings.name for settings in manifest.groups if settings.name in groups))
        for manifest in chosen
    ]
    return [(manifest, some) for manifest, some in wanted if some or not groups]


def _fetch(source: "Repository", checkout: Checkout, url: str) -> None:
    try:
        source.fetch(checkout.commit_id)
    except RevisionDoesNotExist as error:
        if checkout.remotes:
            raise RevisionDoesNotExist(
                f"{url} does not have commit {checkout.commit_id[:10]}, which HEAD points at; push it first"
            ) from error
        raise


def _resolved(
    runner: "Runner", source: "Repository", manifest: Manifest, groups: tuple[str, ...], checkout: Checkout
) -> Wanted:
    revision = runner.flow.resolve(manifest, source, checkout.commit_id)
    runner.flow.check_plan(manifest, revision, source)
    return Wanted(manifest, revision, groups)
