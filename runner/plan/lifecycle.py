"""The lifecycle events of a deployment, read from the shipped `pipelines/`."""

from functools import cache

from runner import resources, yaml


@cache
def server_in_place() -> tuple[str, ...]:
    """Names of the lifecycle events of an in-place deployment on servers, in order."""
    pipeline = yaml.read(resources.read("pipelines", "server-in-place.yaml"), "server-in-place.yaml").data
    return tuple(event["name"] for event in pipeline["lifecycle_events"])
