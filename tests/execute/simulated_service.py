"""ECS and a load balancer in memory for simulations: the service `api`, and what must hold of it after every change."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from execute.traffic_simulation import Simulation
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import Running, World, forward, named_in
from platforms.services.fake_world import group as target_group
from platforms.services.service_deployments import BLUE, GREEN, PRODUCTION, ROUTE, TEST, blue_green_world, definition

from runner.model.aws import AwsPlace
from runner.model.manifest import BlueGreen
from runner.model.revision import AppSpecRevision, Revision
from runner.model.services import ServiceSettings
from runner.platforms.services import ServicePlatform
from runner.ports import TrafficPlatform

ORIGINAL, OTHER = "ecs-svc/1", target_group("other")
FOREIGN = forward((BLUE, 37), (OTHER, 63))
LIMIT = dt.timedelta(minutes=2)  # of an act
_APPSPEC = {
    "version": 0.0,
    "Resources": [
        {
            "TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": "api",
                    "LoadBalancerInfo": {"ContainerName": "api", "ContainerPort": 8080},
                },
            }
        }
    ],
}


class ServiceSide:
    """*keeps*: how long the original is kept once the replacement serves. *reached*: as of `FunctionSide`."""

    simulation: Simulation

    def __init__(self, *, lag: float = 0.0, desired: int = 2, broken: bool = False, waits: BlueGreen) -> None:
        self.wrong: list[str] = []
        self.world: World = blue_green_world(desired=desired)
        if broken:
            self.world.register("api", **definition("broken"))
        self.cloud = FakeCloud(self.world)
        self.cloud.lag = lag
        self.cloud.advance(lag)
        self.cloud.watch = self._look
        self.call, self.pages = self.cloud.call, self.cloud.pages
        self._waits = waits
        self.reached: list[tuple[float, float]] = []
        self._meddled: set[str] = set()  # what somebody else has changed: listeners, and "primary"
        self._made: dict[str, set[str]] = {}  # deployment to its task sets

    @property
    def sets(self) -> list[Running]:
        return self.world.fleets["prod", "api"].sets

    def has_original(self) -> bool:
        return any(each.id == ORIGINAL and each.draining is None for each in self.sets)

    def now(self) -> dt.datetime:
        return self.cloud.clock()

    def advance(self, seconds: float) -> None:
        self.cloud.advance(seconds)

    def platform(self, aws: Any) -> TrafficPlatform:
        cloud, settle = self.cloud, 2 * self.cloud.lag + 5
        return ServicePlatform(aws, clock=cloud.clock, pause=cloud.pause, every=1.0, limit=LIMIT, settle=settle)

    def wish(self) -> tuple[Revision, dict[str, Any]]:
        service = ServiceSettings(cluster="prod", name="api", routes=(ROUTE,))
        settings = {"platform": "ECS", "place": AwsPlace(region="eu-west-1"), "service": service}
        revision = AppSpecRevision(content=json.dumps(_APPSPEC), sha256="0" * 64)
        return revision, {**settings, "blue_green": self._waits}

    def meddle(self, operation: str) -> bool:
        """ModifyListener knows no precondition, so nobody can be safe between a look and the write that follows it, nor
        from what a look does not show yet. Somebody else comes right before a look, or while nothing is under way; what
        he did before the deployment began is how the deployment found it.
        """
        if self.cloud.lag or operation not in ("", "describe_listeners"):
            return False
        if operation and self.simulation.acting is None:
            return False
        if operation == "" and not self._meddled and len(self.sets) > 1:
            self._promote_a_stranger()
        elif self.has_original():
            self.world.listeners[PRODUCTION] = FOREIGN
            self._meddled.add(PRODUCTION)
        return bool(self._meddled)

    def _promote_a_stranger(self) -> None:
        for each in self.sets:
            each.status = "ACTIVE"
        theirs = Running("ecs-svc/theirs", self.sets[0].definition, self.world.now, status="PRIMARY")
        self.sets.append(theirs)
        self._meddled.add("primary")

    def before(self, operation: str, params: Mapping[str, Any]) -> None:
        touched = params.get("ListenerArn") if operation == "modify_listener" else None
        if operation in ("update_service_primary_task_set", "delete_task_set"):
            touched = "primary"
        if touched in self._meddled and not _is_ours_to_delete(operation, params):
            self.wrong.append(f"{operation} {params} though somebody else had changed that")

    def after(self, operation: str, params: Mapping[str, Any]) -> None:
        """All is looked at after every change; see `_look`."""

    def _look(self, world: World) -> None:
        for look in (self._weights, self._health, self._life_of_the_original, self._task_sets):
            look(world)

    def _weights(self, world: World) -> None:
        for entrance in {PRODUCTION, TEST} - self._meddled:
            weights = named_in(world.listeners[entrance])
            if sum(weights.values()) not in (1, 100) or not weights.keys() <= {BLUE, GREEN}:
                self.wrong.append(f"the weights of {entrance} are {weights}")
        green = named_in(world.listeners[PRODUCTION]).get(GREEN, 0)
        task = self.simulation.acting
        if task and task.job.restoring is None and green > (self.reached[-1][1] if self.reached else 0):
            self.reached.append((world.now, green))
            if green != task.act.weight:
                self.wrong.append(f"{task.act} brought the replacement to {green} percent")

    def _health(self, world: World) -> None:
        for arn, weight in named_in(world.listeners[PRODUCTION]).items():
            if weight and arn in (BLUE, GREEN) and "healthy" not in world.health(arn):
                self.wrong.append(f"{arn} has weight {weight}, and its targets are {world.health(arn)}")

    def _life_of_the_original(self, world: World) -> None:
        original = next((each for each in self.sets if each.id == ORIGINAL), None)
        if original is not None and original.draining is None and original.scale == 100:
            return
        keeps, task = self._waits.termination_wait, self.simulation.acting
        served = next((at for at, weight in self.reached if weight == 100), None)
        if served is None or keeps is None:
            self.wrong.append(f"the original task set is gone; the replacement was at {self.reached}")
        elif original is not None and original.draining == world.now:
            kept = world.now - served
            if kept < keeps.total_seconds() and "termination" not in self.simulation.continued:
                self.wrong.append(f"the original was kept for {kept} s only")
            if task is None or task.act.event != "Terminate" or task.job.restoring is not None:
                self.wrong.append(f"the original was deleted by {task and task.act}")

    def _task_sets(self, world: World) -> None:
        for each in self.sets:
            self._made.setdefault(each.external, set()).add(each.id)
        if any(len(made) > 1 for deployment, made in self._made.items() if deployment):
            self.wrong.append(f"task sets were made twice: {self._made}")
        if [each.status for each in self.sets].count("PRIMARY") != 1:
            self.wrong.append(f"primary are {[each.id for each in self.sets if each.status == 'PRIMARY']}")


def _is_ours_to_delete(operation: str, params: Mapping[str, Any]) -> bool:
    return operation == "delete_task_set" and params["taskSet"] not in (ORIGINAL, "ecs-svc/theirs")
