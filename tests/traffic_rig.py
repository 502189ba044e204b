"""The wire API in front of deployments to Lambda and ECS, whose acts succeed unless the test says otherwise.

    with TrafficRig(folder) as rig:
        made = rig.start(rig.function(deploymentConfigName="..."), function_appspec())
        rig.world.wait(minutes=5)               # time passes, and all that is due happens
        rig.target(made)                        # the one target, as GetDeploymentTarget tells of it

What AWS would hold moves as the acts say; platforms and AWS itself have tests of their own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
from deployment_rig import DeploymentRig
from store_cases import World
from traffic_shapes import ROLE, service_group

from runner.errors import UserError
from runner.execute.prepare import failure
from runner.model.command import Outcome
from runner.model.deployment import Deployment
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import TargetSpec, TargetState
from runner.model.revision import AppSpecRevision
from runner.model.services import EcsSpec, EcsState, TaskSet
from runner.model.target import Diagnostics
from runner.model.work import Action, EventEnded, PreparationFailed, Prepare, PreparedTraffic, Result, RunAct
from runner.render.traffic_appspec import parse_ecs, parse_lambda

GROUPS = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup"


class TrafficWorld(World):
    """*shifts*: every movement of production traffic, as seconds since the world began and the weight."""

    def __init__(self, folder: Path, hosts: int = 2) -> None:
        super().__init__(folder, hosts)
        self.began = self.now
        self.breaks: Callable[[RunAct], bool] = lambda act: False
        self.shifts: list[tuple[float, int]] = []

    def result(self, action: Action) -> Result:
        if isinstance(action, RunAct):
            return self._acted(action)
        if isinstance(action, Prepare) and action.deployment.settings.platform != "Server":
            return _prepared(action)
        return super().result(action)

    def wait(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Time passes by the second near the ends, and by the half minute between."""
        self.settle()
        left = minutes * 60 + seconds
        while left > 0:
            step = min(left, 30.0)
            self.tick(step)
            left -= step
            self.settle()

    def _acted(self, action: RunAct) -> EventEnded:
        task = action.task
        broken = self.breaks(action)
        if task.act.weight is not None and not broken:
            self.shifts.append(((self.now - self.began).total_seconds(), task.act.weight))
        diagnostics = Diagnostics(error_code="UnknownError", message="it broke") if broken else Diagnostics()
        outcome = Outcome(
            succeeded=not broken,
            diagnostics=diagnostics,
            code="ECS_UPDATE_ERROR" if broken else "",
            state=task.state if broken else _after(task.state, action),
        )
        return EventEnded(
            deployment_id=action.deployment_id,
            target=action.target,
            event=action.event,
            attempt=action.attempt,
            outcome=outcome,
        )


def _prepared(action: Prepare) -> PreparedTraffic | PreparationFailed:
    deployment = action.deployment
    if action.undoing:
        spec, state = action.undoing.spec, action.undoing.state
    else:
        try:
            spec = _spec(deployment)
        except UserError as error:
            return PreparationFailed(deployment_id=deployment.id, error=failure(error))
        state = _alias(spec) if isinstance(spec, LambdaSpec) else _service(spec)
    name = state.function if isinstance(state, LambdaState) else f"{state.cluster}:{state.service}"
    return PreparedTraffic(deployment_id=deployment.id, target=name, spec=spec, state=state)


def _spec(deployment: Deployment) -> TargetSpec:
    """As the AppSpec says; where there is none at hand (in S3, of a manifest), always the same."""
    settings, revision = deployment.settings, deployment.revision
    if settings.platform == "Lambda":
        if isinstance(revision, AppSpecRevision):
            return parse_lambda(revision.content, "appspec")
        return LambdaSpec(function="shop", alias="live", current_version="1", target_version="2")
    assert settings.service is not None
    if isinstance(revision, AppSpecRevision):
        return parse_ecs(revision.content, "appspec", settings.service)
    where = {"cluster": settings.service.cluster, "service": settings.service.name}
    return EcsSpec(**where, task_definition="web:2", container="web", port=80)


def _service(spec: EcsSpec) -> EcsState:
    group = f"{GROUPS}/blue/1"
    original = TaskSet(id="ecs-svc/1", status="PRIMARY", desired=2, running=2, weight=100, target_group=group)
    return EcsState(cluster=spec.cluster, service=spec.service, controller="CODE_DEPLOY", original=original)


def _alias(spec: LambdaSpec) -> LambdaState:
    assert spec.current_version
    return LambdaState(
        function=spec.function,
        alias=spec.alias,
        current_version=spec.current_version,
        target_version=spec.target_version,
    )


def _after(state: TargetState, action: RunAct) -> TargetState:
    """The state once the act has succeeded."""
    act, back = action.task.act, action.task.job.restoring is not None
    if isinstance(state, LambdaState):
        weight = 0 if back else act.weight
        return state if weight is None else msgspec.structs.replace(state, weight=weight)
    if act.event == "Install":
        made = TaskSet(id="ecs-svc/2", label="Green", desired=2, running=2, target_group=f"{GROUPS}/green/2")
        return msgspec.structs.replace(state, replacement=made)
    if act.event == "Terminate":
        return msgspec.structs.replace(state, **{"replacement" if back else "original": None})
    return state if act.weight is None else _shifted(state, 0 if back else act.weight)


def _shifted(state: EcsState, weight: int) -> EcsState:
    """*weight*: percent on the replacement; with all of it, it is the primary one."""
    moved = weight == 100
    sides = (("original", 100 - weight, not moved), ("replacement", weight, moved))
    changes = {
        side: msgspec.structs.replace(task_set, weight=share, status="PRIMARY" if primary else "ACTIVE")
        for side, share, primary in sides
        if (task_set := getattr(state, side)) is not None
    }
    return msgspec.structs.replace(state, **changes, moved=moved, weight=weight)


class TrafficRig(DeploymentRig):
    """See above. There are the applications `functions` (Lambda) and `services` (ECS), beside `api`."""

    world: TrafficWorld

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, world=TrafficWorld)

    def __enter__(self) -> Self:
        super().__enter__()
        self.client.create_application(applicationName="functions", computePlatform="Lambda")
        self.client.create_application(applicationName="services", computePlatform="ECS")
        return self

    def function(self, name: str = "live", **settings: Any) -> dict[str, str]:
        """A further deployment group for a Lambda function."""
        place = {"applicationName": "functions", "deploymentGroupName": name}
        self.client.create_deployment_group(**place, serviceRoleArn=ROLE, **settings)
        return place

    def service(self, name: str = "web", **settings: Any) -> dict[str, str]:
        """A further deployment group for an ECS service of that *name*. *settings*: as `service_group`'s."""
        place = {"applicationName": "services", "deploymentGroupName": name}
        wanted = {"ecsServices": [{"serviceName": name, "clusterName": "main"}], **settings}
        self.client.create_deployment_group(**place, **service_group(**wanted))
        return place

    def start(self, place: dict[str, str], revision: dict[str, Any], **options: Any) -> str:
        """A deployment that has gone as far as it can at this moment."""
        made = self.create(**place, revision=revision, **options)
        self.world.settle()
        return made

    def target(self, deployment_id: str) -> dict[str, Any]:
        """The one target, whatever its type."""
        (name,) = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        told = self.client.get_deployment_target(deploymentId=deployment_id, targetId=name)["deploymentTarget"]
        kind = told.pop("deploymentTargetType")
        ((member, target),) = told.items()
        assert kind.lower() == member.lower()
        return dict(target)
