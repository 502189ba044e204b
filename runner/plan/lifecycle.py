"""The lifecycle events of a deployment, read from the shipped `pipelines/`."""

from functools import cache
from itertools import dropwhile
from typing import Any

from runner import resources, yaml
from runner.model.manifest import GroupSettings
from runner.model.traffic import LoadBalancing
from runner.model.value import Value


class Pipeline(Value, frozen=True, kw_only=True):
    """The names of all lifecycle events of a deployment type, in order. *traffic*: those of a load balancer."""

    events: tuple[str, ...]
    traffic: frozenset[str] = frozenset()

    def of(self, settings: GroupSettings) -> tuple[str, ...]:
        """The events of a deployment with these settings; event numbers count in this tuple, and in no other.

        *settings*: the deployment's own snapshot, which never changes. Without a load balancer there are no traffic
        events; they are not skipped either. An instance that is launched has no traffic yet that could be blocked; on one
        that ends nothing is installed.
        Source: CodeDeploy user guide, "Lifecycle event hook availability".
        """
        events = self.behind(settings.load_balancer)
        if settings.ec2.held is None:
            return events
        if settings.ec2.held.transition == "launching":
            return tuple(dropwhile(self.traffic.__contains__, events))
        return events[: events.index("ApplicationStop") + 1]

    def behind(self, load_balancer: LoadBalancing | None) -> tuple[str, ...]:
        """As `of`, for whoever knows no more than that."""
        if load_balancer is not None:
            return self.events
        return tuple(event for event in self.events if event not in self.traffic)


class BlueGreenPipeline(Value, frozen=True, kw_only=True):
    """The lifecycle events of a blue/green deployment on servers, as far as they run without a break.

    *install*: a green host gets the revision. *allow*: a host gets traffic. *block*: a host loses it.
    """

    install: tuple[str, ...]
    allow: tuple[str, ...]
    block: tuple[str, ...]


@cache
def server_blue_green() -> BlueGreenPipeline:
    """The pipeline of a blue/green deployment on servers."""
    events = _events("server-blue-green.yaml")
    green = [event for event in events if event["hosts"] == "green"]
    return BlueGreenPipeline(
        install=tuple(event["name"] for event in green if "needs" not in event),
        allow=tuple(event["name"] for event in green if "needs" in event),
        block=tuple(event["name"] for event in events if event["hosts"] == "blue"),
    )


@cache
def server_in_place() -> Pipeline:
    """The pipeline of an in-place deployment on servers."""
    events = _events("server-in-place.yaml")
    return Pipeline(
        events=tuple(event["name"] for event in events),
        traffic=frozenset(event["name"] for event in events if event.get("needs") == "load_balancer"),
    )


def _events(file: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = yaml.read(resources.read("pipelines", file), file).data["lifecycle_events"]
    return events
