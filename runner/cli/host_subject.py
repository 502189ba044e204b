"""What `penstock host check` is about: which bundle, as a deployment to which group, on which host."""

import argparse
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from runner.errors import InvalidRevision, Mistake, UserError
from runner.model.command import Job
from runner.model.deployment import Deployment
from runner.model.revision import Bundle, GitRevision, Revision, check_commit_id
from runner.model.target import Host
from runner.render import appspec

if TYPE_CHECKING:
    from runner.wiring import Runner

_NOBODY = "check"  # stands for the group and the deployment where there is none


class Subject(NamedTuple):
    """*label*: the bundle as people call it. *place*: the group, None where none is meant."""

    host: Host
    job: Job
    label: str
    place: str | None
    warnings: tuple[Mistake, ...]


def find(arguments: argparse.Namespace, runner: "Runner") -> Subject:
    """Raises `UserError`: no such host, group, bundle or commit, or an AppSpec with mistakes; `WorldError`."""
    host = _host(arguments.name, runner.hosts())
    last = _last_deployment(arguments, runner)
    if arguments.bundle is None and last is None:
        raise UserError("say what to check: --bundle PATH, or the APPLICATION/GROUP that has been deployed")
    revision = _revision(arguments, last)
    bundle = runner.sources.local(arguments.bundle) if arguments.bundle else runner.sources.fetch(revision)
    label = str(arguments.bundle) if arguments.bundle else revision.label
    name = arguments.appspec or (last.appspec if last else "appspec.yml")
    spec, warnings = appspec.parse(_appspec(bundle, name, label, runner), name)
    job = Job(
        deployment_id=_NOBODY,
        application=last.application if last else _NOBODY,
        group=last.group if last else _NOBODY,
        group_id=last.group_id if last else _NOBODY,
        revision=revision,
        bundle=bundle,
        appspec=spec,
        appspec_file=name,
        file_exists_behavior=arguments.file_exists_behavior,
    )
    return Subject(host, job, label, last.place if last else None, warnings)


def _host(name: str, hosts: tuple[Host, ...]) -> Host:
    for host in hosts:
        if host.name == name:
            return host
    known = ", ".join(host.name for host in hosts) or "none"
    raise UserError(f"no host {name} is configured (known: {known})")


def _last_deployment(arguments: argparse.Namespace, runner: "Runner") -> Deployment | None:
    """The newest deployment to the group that is meant: what it has is what the host has."""
    groups = {f"{each.application}/{each.group}": each for each in runner.service.state().groups}
    place = arguments.place
    if place is None:
        here = [name for name, each in groups.items() if any(host.target == arguments.name for host in each.hosts)]
        if len(here) > 1:
            raise UserError(f"{arguments.name} is in several groups; name one of {', '.join(here)}")
        place = here[0] if here else None
    if place is None:
        return None
    if place not in groups:
        raise UserError(f"nothing was deployed to {place} yet (known: {', '.join(groups) or 'none'})")
    return groups[place].last


def _revision(arguments: argparse.Namespace, last: Deployment | None) -> Revision:
    if last is None:
        return GitRevision(repository=_NOBODY, commit_id="0" * 40)
    if arguments.revision is None:
        return last.exact
    if not isinstance(last.revision, GitRevision):
        raise UserError(f"{last.place} is deployed from S3, so there is no other commit of it; use --bundle")
    return msgspec.structs.replace(last.revision, commit_id=check_commit_id(arguments.revision))


def _appspec(bundle: Bundle, name: str, label: str, runner: "Runner") -> bytes:
    text = runner.sources.read(bundle, name)
    if text is None:
        raise InvalidRevision(f"{label} holds no {name}; every deployment needs an AppSpec file")
    return text
