"""Operations on deployments: get and list. The others are in the rooms that `operations` gathers."""

from typing import Any

from runner.api.call import Call, Operation, Params, Result
from runner.api.codedeploy import control, creating, hooks, instances, targets
from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.deployment_info import deployment_info
from runner.api.codedeploy.listing import SIZE
from runner.errors import Refused
from runner.ports.catalog import CatalogStore
from runner.ports.deployments import DeploymentFilter, DeploymentStore
from runner.ports.hooks import HookStore
from runner.service import Service


def operations(
    service: Service, deployments: DeploymentStore, catalog: CatalogStore, arns: Arns, hook_store: HookStore
) -> dict[str, Operation]:
    """All operations on deployments and their targets."""
    reading = _Reading(deployments, catalog)
    return {
        "GetDeployment": Operation(reading.get),
        "BatchGetDeployments": Operation(reading.batch_get),
        "ListDeployments": Operation(reading.ids),
        **creating.operations(deployments, catalog, arns.region),
        **control.operations(service, deployments),
        **targets.operations(deployments, arns),
        **instances.operations(deployments),
        **hooks.operations(deployments, hook_store),
    }


class _Reading:
    def __init__(self, deployments: DeploymentStore, catalog: CatalogStore) -> None:
        self._deployments, self._catalog = deployments, catalog

    def get(self, call: Call) -> Result:
        found = self._deployments.get(call.params["deploymentId"])
        return {"deploymentInfo": deployment_info(found, self._deployments.related([found.id]).get(found.id))}

    def batch_get(self, call: Call) -> Result:
        """IDs that are not known are left out."""
        found = self._deployments.several(call.params["deploymentIds"])
        related = self._deployments.related([each.id for each in found])
        return {"deploymentsInfo": [deployment_info(each, related.get(each.id)) for each in found]}

    def ids(self, call: Call) -> Result:
        """IDs, newest first. Nothing here was made by CloudFormation, so no external ID has deployments."""
        which, after = self._filter(call.params), call.pages.after()
        if call.params.get("externalId"):
            return {"deployments": []}
        page = self._deployments.page(which, after["number"] if after else None, SIZE)
        token = None if page.after is None else call.pages.token({"number": page.after})
        return {"deployments": page.ids, "nextToken": token}

    def _filter(self, params: Params) -> DeploymentFilter:
        application, group = params.get("applicationName"), params.get("deploymentGroupName")
        if application and not group:
            raise Refused("DeploymentGroupNameRequiredException", "give deploymentGroupName with applicationName")
        if group and not application:
            raise Refused("ApplicationNameRequiredException", "give applicationName with deploymentGroupName")
        since, until = _time_range(params.get("createTimeRange") or {})
        return DeploymentFilter(
            group_id=self._group_id(application, group) if application and group else None,
            statuses=tuple(params.get("includeOnlyStatuses") or ()),
            since=since,
            until=until,
        )

    def _group_id(self, application: str, group: str) -> str:
        self._catalog.applications.get(application)
        return self._catalog.groups.get(application, group).id


def _time_range(given: dict[str, Any]) -> tuple[Any, Any]:
    since, until = given.get("start"), given.get("end")
    if since and until and since > until:
        raise Refused("InvalidTimeRangeException", "createTimeRange starts after its end")
    return since, until
