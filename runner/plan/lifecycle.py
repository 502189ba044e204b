"""The lifecycle events of a deployment, read from the shipped `pipelines/`."""

from functools import cache

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
        events; they are not skipped either. Source: CodeDeploy user guide, "Lifecycle event hook availability".
        """
        return self.behind(settings.load_balancer)

    def behind(self, load_balancer: LoadBalancing | None) -> tuple[str, ...]:
        """As `of`, for whoever knows no more than that."""
        if load_balancer is not None:
            return self.events
        return tuple(event for event in self.events if event not in self.traffic)


@cache
def server_in_place() -> Pipeline:
    """The pipeline of an in-place deployment on servers."""
    pipeline = yaml.read(resources.read("pipelines", "server-in-place.yaml"), "server-in-place.yaml").data
    events = pipeline["lifecycle_events"]
    return Pipeline(
        events=tuple(event["name"] for event in events),
        traffic=frozenset(event["name"] for event in events if event.get("needs") == "load_balancer"),
    )
