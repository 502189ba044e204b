"""What a deployment to an ECS service finds before it does anything, and whether the service is fit for it.

Everything here blocks and only reads. Raises `Refused` with CodeDeploy's error code.
"""

import msgspec

from runner.errors import Refused
from runner.model.program import TrafficJob
from runner.model.services import EcsSpec, EcsState
from runner.platforms.services import launches, task_definitions
from runner.platforms.services.calls import Calls
from runner.platforms.services.entrance_checks import found_entrances
from runner.platforms.services.rolling import shown_as_task_set
from runner.platforms.services.service import Service, Shown, describe, seen
from runner.platforms.services.undoing import undoable


def inspect(calls: Calls, job: TrafficJob) -> tuple[str, EcsState]:
    """The target's ID, and its state."""
    spec = job.spec
    assert isinstance(spec, EcsSpec)
    target = f"{spec.cluster}:{spec.service}"
    service = describe(calls, spec.cluster, spec.service)
    if (status := service.shown.get("status")) != "ACTIVE":
        raise Refused("INVALID_ECS_SERVICE", f"service {spec.service} is {status}, not ACTIVE")
    if job.restoring is not None:
        assert isinstance(job.restoring, EcsState)
        return target, undoable(calls, spec, service, job.restoring)
    definition = task_definitions.look_up(calls, spec)
    if service.controller == "ECS":
        return target, _driven_by_ecs(calls, spec, service, definition)
    return target, _blue_green(calls, spec, service, definition)


def _driven_by_ecs(calls: Calls, spec: EcsSpec, service: Service, definition: task_definitions.Definition) -> EcsState:
    deployment = service.primary_deployment
    if deployment is None:
        raise Refused("INVALID_ECS_SERVICE", f"service {spec.service} has no primary deployment")
    for each in service.shown.get("loadBalancers", []):
        task_definitions.check(definition, each["containerName"], each["containerPort"])
    launch = None if service.strategy == "ROLLING" else launches.newest(calls, spec.cluster, spec.service)
    arn = launch["serviceDeploymentArn"] if launch else ""
    return EcsState(
        cluster=spec.cluster,
        service=spec.service,
        controller="ECS",
        original=msgspec.structs.replace(shown_as_task_set(deployment, 0), arn=arn, weight=100),
        task_definition=definition.get("taskDefinitionArn"),
    )


def _blue_green(calls: Calls, spec: EcsSpec, service: Service, definition: task_definitions.Definition) -> EcsState:
    task_definitions.check(definition, spec.container, spec.port)
    primary = _primary(spec, service)
    before, pairs = found_entrances(calls, spec, primary, str(definition.get("networkMode") or "bridge"))
    return EcsState(
        cluster=spec.cluster,
        service=spec.service,
        controller=service.controller,
        original=seen(service, primary, "Blue", 100, pairs[0][0]),
        task_definition=definition.get("taskDefinitionArn"),
        before=before,
        pairs=pairs,
    )


def _primary(spec: EcsSpec, service: Service) -> Shown:
    if service.primary is None:
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"service {spec.service} has no primary task set. Create its first one with aws ecs create-task-set, and make "
            "it primary with aws ecs update-service-primary-task-set",
        )
    return service.primary
