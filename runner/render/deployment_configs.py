"""The predefined deployment configurations of all platforms, which ship with the program."""

import functools
from typing import Any

from runner import resources, yaml
from runner.model.application import DeploymentConfig
from runner.model.rollout import MinimumHealthyHosts

PREFIX = "CodeDeployDefault."


@functools.cache
def predefined_configs() -> dict[str, DeploymentConfig]:
    """By their full names. Source: `pipelines/deployment-configs.yaml`."""
    name = "deployment-configs.yaml"
    data = yaml.read(resources.read("pipelines", name), name).data["deployment_configurations"]
    return {name: _config(name, number, each) for number, (name, each) in enumerate(data.items(), start=1)}


def _config(name: str, number: int, data: dict[str, Any]) -> DeploymentConfig:
    minimum, traffic = data.get("minimum_healthy_hosts"), data.get("traffic")
    return DeploymentConfig(
        id=f"00000000-0000-0000-0000-{number:012}",  # AWS numbers them like this
        name=name,
        platform=data["platform"],
        minimum_healthy=MinimumHealthyHosts(**minimum) if minimum else None,
        traffic=_traffic(traffic) if traffic else None,
    )


def _traffic(traffic: Any) -> dict[str, Any]:
    """In the shape of the wire API's `trafficRoutingConfig`."""
    if traffic == "all_at_once":
        return {"type": "AllAtOnce"}
    ((kind, shift),) = traffic.items()
    shape = {f"{kind}Percentage": shift["percent"], f"{kind}Interval": shift["minutes"]}
    return {"type": f"TimeBased{kind.capitalize()}", f"timeBased{kind.capitalize()}": shape}
