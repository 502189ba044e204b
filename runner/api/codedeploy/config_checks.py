"""What makes a deployment configuration one.

Source: CodeDeploy API reference, "CreateDeploymentConfig"; user guide, "Working with deployment configurations".
"""

from collections.abc import Mapping
from typing import Any

from runner.errors import Refused
from runner.model.platform import ComputePlatform
from runner.model.rollout import MinimumHealthyHosts
from runner.render.deployment_configs import PREFIX

LONGEST_SHIFT = 2880  # minutes from the first shift of traffic to the last


def check_name(name: str) -> None:
    """Raises `Refused`, InvalidDeploymentConfigName."""
    if name.startswith(PREFIX):
        raise Refused("InvalidDeploymentConfigNameException", f"names that begin with {PREFIX} are reserved")


def minimum_healthy(shape: Mapping[str, Any] | None, platform: ComputePlatform) -> MinimumHealthyHosts | None:
    """Raises `Refused`, InvalidMinimumHealthyHostValue."""
    code = "InvalidMinimumHealthyHostValueException"
    if platform != "Server":
        if shape is not None:
            raise Refused(code, f"minimumHealthyHosts is for servers; a configuration for {platform} has none")
        return None
    if shape is None:
        raise Refused(code, "a configuration for servers needs minimumHealthyHosts")
    return _hosts(shape, code)


def _hosts(shape: Mapping[str, Any], code: str) -> MinimumHealthyHosts:
    kind, value = shape.get("type"), shape.get("value")
    if kind == "HOST_COUNT" and value is not None and value >= 0:
        return MinimumHealthyHosts(type="HOST_COUNT", value=value)
    if kind == "FLEET_PERCENT" and value is not None and 0 <= value <= 99:
        return MinimumHealthyHosts(type="FLEET_PERCENT", value=value)
    raise Refused(code, "the minimum is a HOST_COUNT of 0 or more, or a FLEET_PERCENT from 0 to 99")


def check_traffic(shape: Mapping[str, Any] | None, platform: ComputePlatform) -> None:
    """Raises `Refused`, InvalidTrafficRoutingConfiguration."""
    if platform == "Server":
        if shape is not None:
            raise _traffic("trafficRoutingConfig is for Lambda and ECS; a configuration for servers has none")
        return
    if shape is None or shape.get("type") is None:
        raise _traffic(f"a configuration for {platform} needs a trafficRoutingConfig with a type")
    kind = shape["type"]
    member = {"TimeBasedCanary": "timeBasedCanary", "TimeBasedLinear": "timeBasedLinear"}.get(kind)
    given = [name for name in ("timeBasedCanary", "timeBasedLinear") if shape.get(name) is not None]
    if given != ([member] if member else []):
        raise _traffic(f"a trafficRoutingConfig of type {kind} has {member or 'no further members'}, and no other")
    if member:
        _check_shifts(shape[member], member)


def _check_shifts(shape: Mapping[str, Any], member: str) -> None:
    word = member.removeprefix("timeBased").lower()
    percent, interval = shape.get(f"{word}Percentage"), shape.get(f"{word}Interval")
    if percent is None or not 1 <= percent <= 99:
        raise _traffic(f"{word}Percentage must be from 1 to 99")
    shifts = 1 if word == "canary" else -(-100 // percent)
    if interval is None or not 1 <= interval <= LONGEST_SHIFT // shifts:
        raise _traffic(f"{word}Interval must be from 1 to {LONGEST_SHIFT // shifts} minutes, with {percent} %")


def _traffic(message: str) -> Refused:
    return Refused("InvalidTrafficRoutingConfigurationException", message)


def check_zonal(shape: Mapping[str, Any] | None, platform: ComputePlatform) -> None:
    """Raises `Refused`, InvalidZonalDeploymentConfiguration."""
    code = "InvalidZonalDeploymentConfigurationException"
    if shape is None:
        return
    if platform != "Server":
        raise Refused(code, f"zonalConfig is for servers; a configuration for {platform} has none")
    for member in ("firstZoneMonitorDurationInSeconds", "monitorDurationInSeconds"):
        if shape.get(member, 0) < 0:
            raise Refused(code, f"{member} must be 0 or more")
    if shape.get("minimumHealthyHostsPerZone") is not None:
        _hosts(shape["minimumHealthyHostsPerZone"], code)
