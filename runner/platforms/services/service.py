"""An ECS service as DescribeServices shows it: one call tells of its task sets, its deployments and its events."""

import datetime as dt
from math import ceil
from typing import Any, Literal, NamedTuple, cast

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.services import Controller, TaskSet
from runner.platforms.services.calls import Calls

Shown = dict[str, Any]  # a task set or a deployment as ECS shows it

_GONE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException"})


class Service(NamedTuple):
    """*shown*: as ECS shows it."""

    shown: dict[str, Any]

    @property
    def controller(self) -> Controller:
        return cast(Controller, self.shown.get("deploymentController", {}).get("type", "ECS"))

    @property
    def strategy(self) -> str:
        """ECS's own way to deploy: ROLLING, BLUE_GREEN, CANARY, LINEAR."""
        return str(self.shown.get("deploymentConfiguration", {}).get("strategy") or "ROLLING")

    @property
    def desired(self) -> int:
        return int(self.shown.get("desiredCount", 0))

    @property
    def task_sets(self) -> list[Shown]:
        """Without those that are being deleted."""
        return [each for each in self.shown.get("taskSets", []) if each["status"] != "DRAINING"]

    @property
    def deployments(self) -> list[Shown]:
        return list(self.shown.get("deployments", []))

    @property
    def primary(self) -> Shown | None:
        return next((each for each in self.task_sets if each["status"] == "PRIMARY"), None)

    @property
    def primary_deployment(self) -> Shown | None:
        return next((each for each in self.deployments if each["status"] == "PRIMARY"), None)

    def find(self, task_set: str) -> Shown | None:
        """By its ID, also when it is being deleted."""
        return next((each for each in self.shown.get("taskSets", []) if each["id"] == task_set), None)

    def events(self, since: dt.datetime | None = None, most: int = 5) -> list[str]:
        """What the service has said last, oldest first."""
        said = [each for each in self.shown.get("events", []) if since is None or each["createdAt"] >= since]
        return [f"{each['createdAt']:%H:%M:%S} {each['message']}" for each in reversed(said[:most])]


def describe(calls: Calls, cluster: str, name: str) -> Service:
    """Raises `Refused` when it is not there."""
    try:
        answer = calls.ecs("describe_services", cluster=cluster, services=[name])
    except AwsError as error:
        if error.aws_code in _GONE:
            raise Refused("INVALID_ECS_SERVICE", _absent(cluster, name, error.message)) from error
        raise
    if not answer["services"]:
        raise Refused("INVALID_ECS_SERVICE", _absent(cluster, name, _why(answer)))
    return Service(answer["services"][0])


def wanted_tasks(service: Service, task_set: Shown) -> int:
    """How many tasks ECS keeps running of a task set."""
    computed = task_set.get("computedDesiredCount")
    return int(computed) if computed is not None else ceil(service.desired * scale(task_set) / 100)


def scale(task_set: Shown) -> float:
    """Percent of the service's tasks."""
    return float(task_set.get("scale", {}).get("value", 100))


def is_steady(service: Service, task_set: Shown) -> bool:
    running, pending = task_set.get("runningCount", 0), task_set.get("pendingCount", 0)
    settled = task_set.get("stabilityStatus") == "STEADY_STATE" and not pending
    return bool(settled and running == wanted_tasks(service, task_set))


def seen(service: Service, shown: Shown, label: Literal["Blue", "Green"], weight: int, group: str) -> TaskSet:
    """A task set as the state of a target keeps it."""
    return TaskSet(
        id=shown["id"],
        arn=shown.get("taskSetArn", ""),
        task_definition=shown.get("taskDefinition", ""),
        label=label,
        status=shown["status"],
        desired=wanted_tasks(service, shown),
        pending=shown.get("pendingCount", 0),
        running=shown.get("runningCount", 0),
        weight=weight,
        target_group=group,
    )


def _absent(cluster: str, name: str, why: str) -> str:
    return f"there is no ECS service {name} in cluster {cluster}: {why}. Check both names, the region and the account"


def _why(answer: dict[str, Any]) -> str:
    return "; ".join(each.get("reason", "") for each in answer.get("failures", [])) or "not found"
