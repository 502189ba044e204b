"""Which hosts a deployment group has."""

from collections.abc import Iterable

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.tags import matches
from runner.model.target import Host, InstanceHealth, RevisionHealth


def choose(hosts: Iterable[Host], settings: GroupSettings) -> tuple[Host, ...]:
    """The hosts that the group's tags and tag set name; keys and values are case-sensitive.

    Raises `NoInstances` when there is none.
    """
    known = tuple(hosts)
    if not settings.tags and not settings.tag_set:
        raise NoInstances(f"deployment group {settings.name} names no tags of hosts")
    chosen = tuple(host for host in known if _matches(host, settings))
    if not chosen:
        wanted = [f"{key}={'|'.join(values)}" for key, values in settings.tags.items()]
        wanted += [" or ".join(map(str, group)) for group in settings.tag_set]
        raise NoInstances(
            f"no host has the tags {' and '.join(wanted)} of deployment group {settings.name} "
            f"({len(known)} hosts are known; tag one under [hosts] in penstock.toml)"
        )
    return chosen


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
    by_keys = all(host.tags.get(key) in values for key, values in settings.tags.items())
    return by_keys and matches(settings.tag_set, host.tags)
