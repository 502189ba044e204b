"""What moto does not tell, or not so: tasks of a service, service deployments and revisions, and their stop."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs import models, responses
from moto.ecs.exceptions import ECSException

from support.corrections.ecs import deployments
from support.corrections.ecs.fleet import FLEETS
from support.corrections.ecs.services import with_groups


def apply() -> None:
    response, backend = responses.EC2ContainerServiceResponse, models.EC2ContainerServiceBackend
    backend.list_tasks = _listing(backend.list_tasks)
    backend.stop_task = _stopping(backend.stop_task)
    models.Task.__init__ = _started(models.Task.__init__)
    response.list_service_deployments = _list_service_deployments
    response.describe_service_deployments = _describe_service_deployments
    response.describe_service_revisions = _describe_service_revisions
    response.stop_service_deployment = _stop_service_deployment


def _listing(original: Callable[..., list[models.Task]]) -> Callable[..., list[models.Task]]:
    """Of one service, if that is asked for; those that shall run, unless others are (API reference, ListTasks)."""

    def list_tasks(
        self: Any, cluster: Any, instance: Any, family: Any, by: Any, service: Any, status: Any
    ) -> list[models.Task]:
        found = original(self, cluster, instance, family, by, None, status or "RUNNING")
        group = service and f"service:{service.split('/')[-1]}"
        return [task for task in found if group is None or task.group == group]

    return list_tasks


def _stopping(original: Callable[..., models.Task]) -> Callable[..., models.Task]:
    """A task of a service is drained first, and replaced."""

    def stop_task(self: Any, cluster_str: str, task_str: str, reason: str | None) -> models.Task:
        for fleet in FLEETS.values():
            for task in fleet.tasks:
                if task.task.task_arn.split("/")[-1] == task_str.split("/")[-1]:
                    task.stop(reason or "Task stopped by user", "UserInitiated")
                    return task.task
        return original(self, cluster_str, task_str, reason)

    return stop_task


def _started(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: models.Task, *rest: Any, **given: Any) -> None:
        if network := given.get("networking_configuration"):
            given["networking_configuration"] = with_groups(network)
        original(self, *rest, **given)

    return __init__


def _list_service_deployments(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    service = self.ecs_backend._get_service(self._get_param("cluster", "default"), self._get_param("service"))
    wanted = self._get_param("status", [])
    told = [each for each in _all_of(service) if not wanted or each["status"] in wanted]
    return ActionResult({"serviceDeployments": told})


def _describe_service_deployments(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    known = {each["serviceDeploymentArn"]: each for service in _services(self) for each in _all_of(service)}
    asked = self._get_param("serviceDeploymentArns", [])
    failures = [{"arn": each, "reason": "MISSING"} for each in asked if each not in known]
    return ActionResult({"serviceDeployments": [known[each] for each in asked if each in known], "failures": failures})


def _describe_service_revisions(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    known = {each["serviceRevisionArn"]: each for service in _services(self) for each in service.service_revisions}
    asked = self._get_param("serviceRevisionArns", [])
    failures = [{"arn": each, "reason": "MISSING"} for each in asked if each not in known]
    return ActionResult({"serviceRevisions": [known[each] for each in asked if each in known], "failures": failures})


def _stop_service_deployment(self: responses.EC2ContainerServiceResponse) -> ActionResult:
    """Only ROLLBACK, which is the default; ABORT is refused."""
    arn = self._get_param("serviceDeploymentArn")
    if self._get_param("stopType", "ROLLBACK") != "ROLLBACK":
        raise ECSException("UnsupportedFeatureException", "Only the stop type ROLLBACK is supported.")
    for service in _services(self):
        for each in _all_of(service):
            if each["serviceDeploymentArn"] == arn:
                _roll_back(service, each)
                return ActionResult({"serviceDeploymentArn": arn})
    raise ECSException("ServiceDeploymentNotFoundException", "The service deployment was not found.")


def _roll_back(service: models.Service, followed: dict[str, Any]) -> None:
    if followed["status"] != "IN_PROGRESS":
        raise ECSException(
            "ConflictException", f"The service deployment is {followed['status']} and cannot be stopped."
        )
    if deployments.last_completed(service) is None:
        raise ECSException("ConflictException", "There is no service revision to roll back to.")
    deployments.roll_back(service, "Rollback requested by StopServiceDeployment.")


def _services(self: responses.EC2ContainerServiceResponse) -> list[models.Service]:
    return list(self.ecs_backend.services.values())


def _all_of(service: models.Service) -> list[dict[str, Any]]:
    return service.service_deployments
