"""Services: created with tasks that run, changed only as their controller allows, and told of with what truly runs."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs import models, responses

from support.corrections.ecs import blue_green, deployments, task_sets, words
from support.corrections.ecs.fleet import FLEETS

_USE = "Use AWS CodeDeploy to trigger a new deployment."
_NEW_TASKS = ("taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "forceNewDeployment")
_OTHERS = {
    "desiredCount": "desired_count",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "enableExecuteCommand": "enable_execute_command",
    "propagateTags": "propagate_tags",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "platformVersion": "platform_version",
    "networkConfiguration": "network_configuration",
    "loadBalancers": "load_balancers",
}
"""What UpdateService changes, and moto's names for it."""

_ROLLING = {"maximumPercent": 200, "minimumHealthyPercent": 100}
_BY_ECS = {"strategy": "ROLLING", "deploymentCircuitBreaker": {"enable": False, "rollback": False}}


def apply() -> None:
    response = responses.EC2ContainerServiceResponse
    response.create_service = _creating(response.create_service)
    response.update_service = _update_service
    response.delete_service = _delete_service
    models.Service._validate_network = _without_groups(models.Service._validate_network)


def _creating(original: Callable[..., ActionResult]) -> Callable[..., ActionResult]:
    def create_service(self: responses.EC2ContainerServiceResponse) -> ActionResult:
        backend, given = self.ecs_backend, self._get_params()
        cluster = backend._get_cluster(given.get("cluster", "default"))
        known = backend.services.get(f"{cluster.name}:{given['serviceName']}")
        if known is not None and known.status != "INACTIVE":
            if given.get("clientToken") and given["clientToken"] == known.client_token:
                return ActionResult({"service": known})
            raise words.invalid("Creation of service was not idempotent.")
        controller = (given.get("deploymentController") or {}).get("type", "ECS")
        if definition := given.get("taskDefinition"):
            found = backend.describe_task_definition(definition)
            task_sets.check_network(backend, None, found, given.get("networkConfiguration"))
            task_sets.check_balancers(found, given.get("loadBalancers") or [], attached=True)
        elif controller != "EXTERNAL":
            raise words.invalid("TaskDefinition cannot be blank.")
        original(self)
        service = backend.services[f"{cluster.name}:{given['serviceName']}"]
        _complete(service, given)
        _first_tasks(backend, service)
        return ActionResult({"service": service})

    return create_service


def _complete(service: models.Service, given: dict[str, Any]) -> None:
    """What moto does not keep."""
    service.created_at, service.client_token = utcnow(), given.get("clientToken")
    service.deployments, service.service_deployments, service.service_revisions = [], [], []
    service.deployment_configuration = {**_ROLLING, **(given.get("deploymentConfiguration") or {})}
    if service.deployment_controller["type"] == "ECS":
        service.deployment_configuration = {**_BY_ECS, **service.deployment_configuration}
    service.health_check_grace_period_seconds = given.get("healthCheckGracePeriodSeconds", 0)
    service.capacity_provider_strategy = given.get("capacityProviderStrategy")
    service.enable_execute_command = bool(given.get("enableExecuteCommand", False))
    service.platform_version = service.platform_version or "LATEST"
    service.running_count = service.pending_count = 0
    if service.capacity_provider_strategy:
        service.launch_type = None


def _first_tasks(backend: models.EC2ContainerServiceBackend, service: models.Service) -> None:
    if service.deployment_controller["type"] == "ECS":
        deployments.begin(backend, service)
        deployments.refresh(service)
    elif service.deployment_controller["type"] == "CODE_DEPLOY":
        first = task_sets.add_task_set(
            backend,
            service,
            backend.describe_task_definition(service.task_definition),
            {
                "load_balancers": service.load_balancers,
                "network_configuration": service.network_configuration,
                "launch_type": service.launch_type,
                "platform_version": service.platform_version,
                "capacity_provider_strategy": service.capacity_provider_strategy,
                "scale": {"value": 100.0, "unit": "PERCENT"},
            },
        )
        first.status = "PRIMARY"


def _update_service(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    given = {name: value for name, value in self._get_params().items() if value is not None}
    service = self.ecs_backend._get_service(given.get("cluster", "default"), given["service"])
    if service.status != "ACTIVE":
        raise words.not_active()
    controller = service.deployment_controller["type"]
    if controller != "ECS":
        _refuse(controller, given)
    if definition := given.get("taskDefinition"):
        service_definition = self.ecs_backend.describe_task_definition(definition)
        balancers = given.get("loadBalancers", service.load_balancers)
        task_sets.check_balancers(service_definition, balancers, attached=True)
    before = _described(service)
    _change(service, given, self.ecs_backend)
    if controller == "ECS" and (_described(service) != before or given.get("forceNewDeployment")):
        if service.deployment_configuration["strategy"] != "ROLLING":
            service.load_balancers = [blue_green.other(each) for each in service.load_balancers]
        deployments.begin(self.ecs_backend, service)
    refresh(service)
    return ActionResult({"service": service})


def _refuse(controller: str, given: dict[str, Any]) -> None:
    """API reference, UpdateService: what only a new task set, or CodeDeploy, can change."""
    use = _USE if controller == "CODE_DEPLOY" else "Create a new task set."
    for name in _NEW_TASKS:
        if given.get(name):
            what = "task definition" if name == "taskDefinition" else "network parameters"
            raise words.invalid(f"Unable to update {what} on services with a {controller} deployment controller. {use}")


def _change(service: models.Service, given: dict[str, Any], backend: models.EC2ContainerServiceBackend) -> None:
    if network := given.get("networkConfiguration"):
        service._validate_network(network)
    for name, motos in _OTHERS.items():
        if name in given:
            setattr(service, motos, given[name])
    if definition := given.get("taskDefinition"):
        service.task_definition = backend.describe_task_definition(definition).arn
    if configuration := given.get("deploymentConfiguration"):
        service.deployment_configuration = {**service.deployment_configuration, **configuration}


def _described(service: models.Service) -> tuple[Any, ...]:
    """What new tasks are started for when it changes."""
    return service.task_definition, service.network_configuration, service.platform_version, service.load_balancers


def _delete_service(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    """It drains, and is INACTIVE when its last task is gone."""
    service = self.ecs_backend._get_service(self._get_param("cluster", "default"), self._get_param("service"))
    if not self._get_param("force", False):
        if service.desired_count > 0:
            raise words.invalid("The service cannot be stopped while it is scaled above 0.")
        if service.task_sets:
            raise words.invalid("The service cannot be stopped while it has task sets. Use force to delete it.")
    service.status, service.desired_count = "DRAINING", 0
    for each in service.task_sets:
        each.status = "DRAINING"
    refresh(service)
    return ActionResult({"service": service})


def tick(service: models.Service) -> None:
    if service.deployments:
        rolling = service.deployment_configuration["strategy"] == "ROLLING" or service.status == "DRAINING"
        (deployments if rolling else blue_green).tick(service)
    else:
        task_sets.refresh(service)
    if (
        service.status == "DRAINING"
        and not service.task_sets
        and all(FLEETS[each].is_empty() for each in _fleets(service))
    ):
        service.status, service.running_count, service.pending_count = "INACTIVE", 0, 0
        for each in _fleets(service):
            del FLEETS[each]
        service.deployments = []


def refresh(service: models.Service) -> None:
    (deployments if service.deployments else task_sets).refresh(service)


def _fleets(service: models.Service) -> list[str]:
    return [each["id"] for each in service.deployments]


def _without_groups(original: Callable[..., Any]) -> Callable[..., Any]:
    """securityGroups may be left out (API reference, AwsVpcConfiguration)."""

    def _validate_network(self: models.Service, network: dict[str, Any]) -> dict[str, Any]:
        return original(self, with_groups(network))

    return _validate_network


def with_groups(network: dict[str, Any]) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"securityGroups": [], **network["awsvpcConfiguration"]}}
