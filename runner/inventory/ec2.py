"""Port `Instances` for EC2: by tags, and by Auto Scaling groups."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from runner.aws import Aws
from runner.config import InstancesConfig
from runner.errors import Refused
from runner.inventory.filters import queries
from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.manifest import GroupSettings
from runner.model.tags import matches
from runner.model.target import Host

Described = Mapping[str, Any]
"""An instance as DescribeInstances has it."""

_AT_ONCE = 200  # values of a filter. Source: EC2 API reference, "DescribeInstances"
_ADDRESSES = {
    "private_ip": "PrivateIpAddress",
    "public_ip": "PublicIpAddress",
    "private_dns": "PrivateDnsName",
    "public_dns": "PublicDnsName",
}

# One that is powered off matches like any other and fails (CodeDeploy user guide, "Minimum healthy hosts": stopped hosts
# count), so that nobody believes a fleet to be up to date that is not. One that ends is none any more.
_ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}

# Members that are starting get the last successful revision by their launch hook; one in standby was taken out by hand,
# and AllowTraffic would put it back into traffic.
_IN_SERVICE = "InService"


class Ec2Instances:
    """Implements port `Instances`. *config*: how instances are reached."""

    def __init__(self, aws: Aws, config: InstancesConfig) -> None:
        self._aws, self._config = aws, config

    def of(self, settings: GroupSettings) -> tuple[Host, ...]:
        return self.found(settings.place, settings.ec2)

    def found(self, place: AwsPlace, wanted: Ec2Targets) -> tuple[Host, ...]:
        """The instances of *wanted* at *place*, each once, in order of name. Raises `Refused`, `AwsError`."""
        described = {each["InstanceId"]: each for each in self._described(place, wanted)}
        return tuple(self._host(described[name]) for name in sorted(described))

    def _described(self, place: AwsPlace, wanted: Ec2Targets) -> Iterator[Described]:
        if wanted.tag_set:
            yield from self._tagged(place, wanted)
        if wanted.held:
            yield from self._instances(place, [{"Name": "instance-id", "Values": [wanted.held.instance]}])
        if wanted.auto_scaling_groups:
            members = self._members(place, wanted.auto_scaling_groups)
            for some in (members[start : start + _AT_ONCE] for start in range(0, len(members), _AT_ONCE)):
                yield from self._instances(place, [{"Name": "instance-id", "Values": some}])

    def _tagged(self, place: AwsPlace, wanted: Ec2Targets) -> Iterator[Described]:
        """EC2 finds at least those that match, and which do is decided here, by the same rules as for all hosts."""
        for filters in queries(wanted.tag_set):
            for each in self._instances(place, filters):
                if matches(wanted.tag_set, tags_of(each)):
                    yield each

    def _instances(self, place: AwsPlace, filters: list[dict[str, Any]]) -> list[Described]:
        asked = {"Filters": [*filters, _ALIVE]}
        reservations = self._aws.pages(place, "ec2", "describe_instances", asked, "Reservations")
        return [instance for reservation in reservations for instance in reservation["Instances"]]

    def _members(self, place: AwsPlace, names: tuple[str, ...]) -> list[str]:
        """The instances in service of Auto Scaling groups. Raises `Refused` for a group that is not there."""
        asked = {"AutoScalingGroupNames": list(names)}
        groups = self._aws.pages(place, "autoscaling", "describe_auto_scaling_groups", asked, "AutoScalingGroups")
        _check_there(names, (group["AutoScalingGroupName"] for group in groups), place)
        members = [member for group in groups for member in group["Instances"]]
        return [each["InstanceId"] for each in members if each["LifecycleState"] == _IN_SERVICE]

    def _host(self, instance: Described) -> Host:
        config, name = self._config, instance["InstanceId"]
        # Without such an address (a stopped one has no public one) the ID is tried, which ~/.ssh/config may know.
        address = instance.get(_ADDRESSES[config.address]) or None
        return Host(
            name=name,
            transport=config.transport,
            folder=config.folder,
            ssh=msgspec.structs.replace(config.ssh, address=address) if config.transport == "ssh" else None,
            tags=tags_of(instance),
            environment=config.environment,
            zone=(instance.get("Placement") or {}).get("AvailabilityZone", ""),
            instance=name,
        )


def tags_of(instance: Described) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags") or ()}


def _check_there(names: Iterable[str], found: Iterable[str], place: AwsPlace) -> None:
    if missing := sorted(set(names) - set(found)):
        raise Refused(
            "AUTO_SCALING_CONFIGURATION",
            f"there is no Auto Scaling group {', '.join(missing)} in {place}; name one that is there, or create it",
        )
