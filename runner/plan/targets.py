"""Which hosts a deployment group has."""

from collections.abc import Iterable

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.tags import matches
from runner.model.target import Host


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


def _matches(host: Host, settings: GroupSettings) -> bool:
    by_keys = all(host.tags.get(key) in values for key, values in settings.tags.items())
    return by_keys and matches(settings.tag_set, host.tags)
