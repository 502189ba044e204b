"""Task sets: made once per client token, with tasks that run, drained before they are gone."""

import math
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs import models, responses
from moto.ecs.exceptions import ECSException

from support.corrections import elbv2
from support.corrections.ecs import words
from support.corrections.ecs.fleet import FLEETS, Fleet
from support.corrections.ecs.tasks import Order

_MOST = 5  # "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit."
_LONGEST_TOKEN = 36  # API reference, CreateTaskSet: "Up to 36 ASCII characters in the range of 33-126"

_under_code_deploy = False


def accept_code_deploy(accepted: bool) -> None:
    """Whether task sets of services of the controller CODE_DEPLOY may be made and changed. At first not.

    The API reference grants these calls to the controller EXTERNAL; what AWS answers for CODE_DEPLOY is not documented.
    """
    global _under_code_deploy
    _under_code_deploy = accepted


def apply() -> None:
    backend = models.EC2ContainerServiceBackend
    backend.create_task_set = create_task_set
    backend.update_task_set = update_task_set
    backend.update_service_primary_task_set = update_primary
    responses.EC2ContainerServiceResponse.delete_task_set = _delete_task_set
    responses.EC2ContainerServiceResponse.describe_task_sets = _describing(
        responses.EC2ContainerServiceResponse.describe_task_sets
    )


def create_task_set(
    self: models.EC2ContainerServiceBackend, service: str, cluster_str: str, task_definition: str, **given: Any
) -> models.TaskSet:
    found = changeable(self, cluster_str, service)
    definition = self.describe_task_definition(task_definition)
    token = given.get("client_token")
    if known := _by_token(found, token):
        if known.task_definition != definition.arn:
            raise words.invalid("The client token was used before, with other parameters.")
        return known
    if len(found.task_sets) >= _MOST:
        exist = f"{_MOST} deployments exist on the service."
        raise words.invalid(f"{exist} Unable to create new TaskSet since this exceeds the maximum limit.")
    _check(self, found, definition, given)
    return add_task_set(self, found, definition, given)


def add_task_set(
    backend: models.EC2ContainerServiceBackend,
    service: models.Service,
    definition: models.TaskDefinition,
    given: dict[str, Any],
) -> models.TaskSet:
    """*given*: as CreateTaskSet has it, in snake case."""
    made = models.TaskSet(
        service.name, service.cluster_name, definition.arn, backend.account_id, backend.region_name, **given
    )
    made.service_arn, made.cluster_arn = service.arn, service.cluster_arn
    made.started_by = None
    if not given.get("capacity_provider_strategy"):
        made.launch_type = given.get("launch_type") or "EC2"
    order = Order(
        owner=made.id,
        task_definition=definition.arn,
        load_balancers=made.load_balancers,
        network=made.network_configuration,
        launch_type=made.launch_type,
        platform_version=made.platform_version,
    )
    Fleet(backend, service, order)
    service.task_sets.append(made)
    refresh(service)
    return made


def update_task_set(
    self: models.EC2ContainerServiceBackend, cluster: str, service: str, task_set: str, scale: dict[str, Any]
) -> models.TaskSet:
    found = changeable(self, cluster, service)
    changed = find(found, task_set)
    if changed.status == "DRAINING":
        raise words.invalid("Unable to update a task set that is DRAINING.")
    if not 0 <= float(scale["value"]) <= 100:
        raise words.invalid("Scale value must be between 0 and 100.")
    changed.scale, changed.updated_at = {"unit": "PERCENT", **scale}, utcnow()
    refresh(found)
    return changed


def update_primary(
    self: models.EC2ContainerServiceBackend, cluster: str, service: str, primary_task_set: str
) -> models.TaskSet:
    found = changeable(self, cluster, service)
    chosen = find(found, primary_task_set)
    if chosen.status == "DRAINING":
        raise words.invalid("A task set that is DRAINING cannot become the primary task set.")
    for each in found.task_sets:
        if each.status == "PRIMARY":
            each.status = "ACTIVE"
    chosen.status, chosen.updated_at = "PRIMARY", utcnow()
    for name in ("load_balancers", "task_definition", "network_configuration", "platform_version", "launch_type"):
        setattr(found, name, getattr(chosen, name))
    return chosen


def delete_task_set(
    backend: models.EC2ContainerServiceBackend, cluster: str, service: str, task_set: str, force: bool
) -> models.TaskSet:
    """It drains, and is gone when its last task is."""
    found = changeable(backend, cluster, service)
    deleted = find(found, task_set)
    if not force and deleted.status == "PRIMARY":
        raise words.invalid("The primary task set cannot be deleted, unless force is set.")
    if not force and float(deleted.scale["value"]) > 0 and deleted.status != "DRAINING":
        raise words.invalid("The task set has not been scaled down to zero. Use force to delete it all the same.")
    deleted.status, deleted.updated_at = "DRAINING", utcnow()
    refresh(found)
    return deleted


def refresh(service: models.Service) -> None:
    """Lets the fleets know what is wanted, and the task sets what there is; drained ones go."""
    for each in list(service.task_sets):
        fleet = FLEETS[each.id]
        share = float(each.scale["value"]) / 100
        fleet.desired = 0 if each.status == "DRAINING" else math.ceil(service.desired_count * share - 1e-9)
        each.computed_desired_count, each.running_count, each.pending_count = (
            fleet.desired,
            fleet.running,
            fleet.pending,
        )
        if each.status == "DRAINING" and fleet.is_empty():
            service.task_sets.remove(each)
            del FLEETS[each.id]
        _note_stability(service, each, fleet)
    service.running_count = sum(each.running_count for each in service.task_sets)
    service.pending_count = sum(each.pending_count for each in service.task_sets)


def _note_stability(service: models.Service, task_set: models.TaskSet, fleet: Fleet) -> None:
    status = "STEADY_STATE" if fleet.is_steady() else "STABILIZING"
    if status != task_set.stabilityStatus:
        task_set.stabilityStatus, task_set.stabilityStatusAt = status, utcnow()
        if status == "STEADY_STATE" and fleet.desired:
            words.note(service, f"(taskSet {task_set.id}) has reached a steady state.")


def find(service: models.Service, task_set: str) -> models.TaskSet:
    """By its ID or ARN."""
    for each in service.task_sets:
        if task_set in (each.task_set_arn, each.id, each.id.partition("/")[2]):
            return each
    raise words.no_task_set()


def changeable(backend: models.EC2ContainerServiceBackend, cluster: str, service: str) -> models.Service:
    """An active service that may have task sets."""
    found = backend._get_service(cluster, service)
    if found.status != "ACTIVE":
        raise words.not_active()
    controller = found.deployment_controller["type"]
    if controller == "EXTERNAL" or (controller == "CODE_DEPLOY" and _under_code_deploy):
        return found
    raise words.invalid(f"Task sets cannot be managed on services with the deployment controller {controller}.")


def _by_token(service: models.Service, token: str | None) -> models.TaskSet | None:
    if not token:
        return None
    if len(token) > _LONGEST_TOKEN or not all(33 <= ord(each) <= 126 for each in token):
        raise words.invalid(f"clientToken: up to {_LONGEST_TOKEN} printable ASCII characters without spaces.")
    return next((each for each in service.task_sets if each.client_token == token), None)


def _check(
    backend: models.EC2ContainerServiceBackend,
    service: models.Service,
    definition: models.TaskDefinition,
    given: dict[str, Any],
) -> None:
    network = given.get("network_configuration")
    check_network(backend, service, definition, network)
    check_balancers(definition, given.get("load_balancers") or [])
    if given.get("launch_type") and given.get("capacity_provider_strategy"):
        raise words.invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")


def check_network(
    backend: models.EC2ContainerServiceBackend,
    service: models.Service | None,
    definition: models.TaskDefinition,
    network: dict[str, Any] | None,
) -> None:
    if definition.network_mode == "awsvpc" and not network:
        raise words.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if network and service:
        service._validate_network(network)


def check_balancers(definition: models.TaskDefinition, balancers: list[dict[str, Any]], attached: bool = False) -> None:
    """Their target groups exist, and so do the containers and ports that they ask.

    *attached*: a load balancer uses the groups already. Services need that; of task sets CodeDeploy's tutorial does not.
    """
    ports = {
        each["name"]: {mapped.get("containerPort") for mapped in each.get("portMappings") or []}
        for each in definition.container_definitions
    }
    for each in balancers:
        if (arn := each.get("targetGroupArn")) is None:
            continue
        group = elbv2.find_group(arn)
        if group is None:
            raise words.invalid(f"The target group with targetGroupArn {arn} does not exist.")
        if group.target_type != "ip":
            if definition.network_mode != "awsvpc":
                raise words.invalid("This cloud runs tasks behind target groups of type ip only.")
            type_ = f"The provided target group {arn} has target type {group.target_type}"
            raise words.invalid(f"{type_}, which is incompatible with the awsvpc network mode.")
        if attached and not elbv2.is_used(group):
            raise words.invalid(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        if each.get("containerName") not in ports:
            raise words.invalid(f"The container {each.get('containerName')} does not exist in the task definition.")
        if each.get("containerPort") not in ports[each["containerName"]]:
            where = f"The container {each['containerName']} did not have a container port {each.get('containerPort')}"
            raise words.invalid(f"{where} defined.")


def _delete_task_set(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    deleted = delete_task_set(
        self.ecs_backend,
        self._get_param("cluster", "default"),
        self._get_param("service"),
        self._get_param("taskSet"),
        bool(self._get_param("force", False)),
    )
    return ActionResult({"taskSet": deleted})


def _describing(original: Callable[..., ActionResult]) -> Callable[..., ActionResult]:
    """Task sets that are not there are told of, by the ARN or ID that was asked for."""

    def describe_task_sets(self: responses.EC2ContainerServiceResponse) -> ActionResult:
        original(self)
        service = self.ecs_backend._get_service(self._get_param("cluster", "default"), self._get_param("service"))
        asked = self._get_param("taskSets", [])
        told, failures = [] if asked else list(service.task_sets), []
        for each in asked:
            try:
                told.append(find(service, each))
            except ECSException:
                failures.append({"arn": each, "reason": "MISSING"})
        return ActionResult({"taskSets": told, "failures": failures})

    return describe_task_sets
