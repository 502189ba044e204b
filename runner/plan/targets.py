"""Which hosts a deployment group has."""

from collections.abc import Iterable, Sequence

import msgspec

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.tags import matches
from runner.model.target import Host, InstanceHealth, RevisionHealth


def choose(hosts: Iterable[Host], settings: GroupSettings, instances: Iterable[Host] = ()) -> tuple[Host, ...]:
    """The hosts that the group's tags and tag set name (keys and values are case-sensitive), and its *instances* in EC2.

    Each machine once: an instance that one of *hosts* names, or is, is reached as that host. Raises `NoInstances` when
    there is none.
    """
    known = tuple(hosts)
    if not settings.tags and not settings.tag_set and not settings.ec2:
        raise NoInstances(f"deployment group {settings.name} names no tags of hosts")
    found = _as_configured(known, instances)
    matching = (host for host in known if _matches(host, settings))
    chosen = {host.name: host for host in matching} | {host.name: host for host in found}
    if not chosen:
        raise NoInstances(_none(known, settings))
    return tuple(chosen.values())


def _as_configured(hosts: Sequence[Host], instances: Iterable[Host]) -> list[Host]:
    """The *instances*, each as the host that has its ID (in `instance`, or else as its name), with its zone in EC2."""
    own = {host.name: host for host in hosts} | {host.instance: host for host in hosts if host.instance}
    found = []
    for each in instances:
        host = own.get(each.instance)
        if host is not None:
            each = msgspec.structs.replace(host, instance=each.instance, zone=each.zone)
        found.append(each)
    return found


def _none(known: Sequence[Host], settings: GroupSettings) -> str:
    wanted = [f"{key}={'|'.join(values)}" for key, values in settings.tags.items()]
    wanted += [" or ".join(map(str, group)) for group in settings.tag_set]
    nobody = (
        f"no host has the tags {' and '.join(wanted)} of deployment group {settings.name} "
        f"({len(known)} hosts are known; tag one under [hosts] in penstock.toml)"
    )
    if not settings.ec2:
        return nobody
    region = settings.place.region or "the default region"
    nothing = f"deployment group {settings.name} has no EC2 instance in {region} by {settings.ec2}"
    return f"{nothing}, and {nobody}" if wanted else f"{nothing}; tag one, or start one"


def outdated(hosts: Iterable[Host], known: Iterable[InstanceHealth], group: str) -> tuple[Host, ...]:
    """The *hosts* that do not have the last successful revision of deployment group *group*.

    Raises `NoInstances` when all have it. Source: CodeDeploy API reference, "CreateDeployment".
    """
    current = {health.target for health in known if health.revision is RevisionHealth.CURRENT}
    left = tuple(host for host in hosts if host.name not in current)
    if not left:
        raise NoInstances(
            f"every host of deployment group {group} has its last successful revision already, and only outdated ones "
            "were to be updated (updateOutdatedInstancesOnly)"
        )
    return left


def _matches(host: Host, settings: GroupSettings) -> bool:
    if not settings.tags and not settings.tag_set:
        return False
    by_keys = all(host.tags.get(key) in values for key, values in settings.tags.items())
    return by_keys and matches(settings.tag_set, host.tags)
