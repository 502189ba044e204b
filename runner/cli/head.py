"""What HEAD of a checkout wants deployed: its manifests rendered and resolved, and everything checked beforehand."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from runner.cli import checkout as checkouts
from runner.cli.checkout import Checkout
from runner.cli.session import Hold, note, opened, repository_of
from runner.cli.words import count
from runner.errors import ApplicationDoesNotExist, DeploymentGroupDoesNotExist, RevisionDoesNotExist
from runner.model.manifest import Manifest
from runner.model.revision import GitRevision
from runner.model.work import Wish

if TYPE_CHECKING:
    from runner.ports import Repository
    from runner.wiring import Runner

Chosen = tuple[Manifest, tuple[str, ...]]
"""A manifest and the names of its groups that are meant; none for all."""


class Head(NamedTuple):
    """HEAD as the runner sees it. *is_configured*: other processes know the repository too."""

    runner: "Runner"
    checkout: Checkout
    repository: "Repository"
    is_configured: bool
    chosen: tuple[Chosen, ...]

    def wanted(self) -> list[Wish]:
        """Everything pinned, and checked for what would fail later. Raises before anything is recorded."""
        return [self._wanted(manifest, groups) for manifest, groups in self.chosen]

    def script_seconds(self, wanted: Wish) -> dict[str, int] | None:
        """How long the scripts of each lifecycle event may take on a host; None where the AppSpec is not in the commit."""
        from runner.render import appspec

        if wanted.manifest.platform != "Server":
            return {}
        if not isinstance(wanted.revision, GitRevision):
            return None
        root, name = wanted.manifest.root, wanted.manifest.appspec
        text = self.repository.read(self.checkout.commit_id, f"{root}/{name}" if root else name)
        if text is None:
            return None
        spec, _warnings = appspec.parse(text, name)
        return {event: sum(script.timeout for script in scripts) for event, scripts in spec.hooks.items()}

    def absent(self, wanted: Sequence[Wish]) -> list[str]:
        """Why the bundle of a revision cannot be made, as messages: submodules, and files in Git LFS."""
        found: dict[str, None] = {}
        source = self.runner.sources.repository(self.repository.name)
        of_servers = (each for each in wanted if each.manifest.platform == "Server")
        for root in {each.manifest.root for each in of_servers if isinstance(each.revision, GitRevision)}:
            found.update(dict.fromkeys(source.absent(self.checkout.commit_id, root)))
        return sorted(found)

    def keep_bundles(self, wanted: Sequence[Wish]) -> None:
        """Bring revisions into the cache that another process would not know where to find.

        What functions and services need of a commit is there already: it was read to be checked.
        """
        if not self.is_configured:
            for each in wanted:
                if each.manifest.platform == "Server":
                    self.runner.sources.fetch(each.revision)

    def _wanted(self, manifest: Manifest, groups: tuple[str, ...]) -> Wish:
        revision = self.runner.flow.resolve(manifest, self.repository, self.checkout.commit_id)
        self.runner.flow.check_plan(manifest, revision, self.repository)
        return Wish(manifest=manifest, revision=revision, groups=groups)


@contextmanager
def at_head(arguments: argparse.Namespace, *, hold: Hold = "wait") -> Iterator[Head]:
    """A runner that knows the checkout of `arguments.folder`, and the manifests that the arguments choose.

    *hold*: as of `opened`.
    """
    checkout = checkouts.find(arguments.folder)
    repository, known = repository_of(arguments, checkout)
    with opened(arguments, checkout=None if known else repository, logging=True, hold=hold) as runner:
        runner.store  # noqa: B018 - makes the state folder, for this user alone, before anything is put into it
        source = runner.sources.repository(repository.name)
        _fetch(source, checkout, repository.url)
        manifests = runner.flow.render(source, checkout.commit_id, branch=checkout.branch, tag=checkout.tag)
        yield Head(runner, checkout, source, known, choose(manifests, arguments.application, arguments.group))


def warn_of_changes(checkout: Checkout) -> None:
    """Say what is in the work tree and will not be deployed."""
    if checkout.uncommitted:
        changed = count(checkout.uncommitted, "file")
        note(f"{changed} changed or new since commit {checkout.commit_id[:10]}; only what is committed is deployed")


def choose(manifests: Sequence[Manifest], applications: Sequence[str], groups: Sequence[str]) -> tuple[Chosen, ...]:
    """The manifests of the named applications (all where none is named) that have one of the named groups.

    Raises `ApplicationDoesNotExist`, `DeploymentGroupDoesNotExist`.
    """
    _check_known(applications, [manifest.application for manifest in manifests], "application", ApplicationDoesNotExist)
    there = [each for each in manifests if not applications or each.application in applications]
    names = [settings.name for manifest in there for settings in manifest.groups]
    _check_known(groups, names, "deployment group", DeploymentGroupDoesNotExist)
    meant = [(each, tuple(one.name for one in each.groups if one.name in groups)) for each in there]
    return tuple((manifest, some) for manifest, some in meant if some or not groups)


def _check_known(
    asked: Sequence[str],
    known: Sequence[str],
    what: str,
    missing: type[ApplicationDoesNotExist] | type[DeploymentGroupDoesNotExist],
) -> None:
    for name in asked:
        if name not in known:
            raise missing(f"this commit has no {what} {name}; it has {', '.join(dict.fromkeys(known))}")


def _fetch(source: "Repository", checkout: Checkout, url: str) -> None:
    try:
        source.fetch(checkout.commit_id)
    except RevisionDoesNotExist as error:
        if url == str(checkout.root):
            raise
        raise RevisionDoesNotExist(
            f"{url} does not have commit {checkout.commit_id[:10]}, which HEAD points at; push it first"
        ) from error
