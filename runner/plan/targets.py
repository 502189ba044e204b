"""Which hosts a deployment group has."""

from collections.abc import Iterable

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.target import Host


def choose(hosts: Iterable[Host], settings: GroupSettings) -> tuple[Host, ...]:
    """The hosts that have, for every tag of the group, one of its values; keys and values are case-sensitive.

    Raises `NoInstances` when there is none.
    """
    known = tuple(hosts)
    chosen = tuple(host for host in known if _matches(host, settings.tags))
    if not chosen:
        wanted = " and ".join(f"{key}={'|'.join(values)}" for key, values in settings.tags.items())
        raise NoInstances(
            f"no host has the tags {wanted} of deployment group {settings.name} "
            f"({len(known)} hosts are configured; tag one under [hosts] in penstock.toml)"
        )
    return chosen


def _matches(host: Host, tags: dict[str, tuple[str, ...]]) -> bool:
    return all(host.tags.get(key) in values for key, values in tags.items())
