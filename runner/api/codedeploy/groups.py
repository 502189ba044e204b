"""Create, get, list, update and delete deployment groups."""

import uuid
from collections.abc import Mapping
from typing import Any

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.group_checks import check_combinations, check_group
from runner.api.codedeploy.group_info import group_info, with_hooks
from runner.api.codedeploy.group_platform import check_config, check_platform, default_config
from runner.api.codedeploy.group_settings import merged, settings
from runner.api.codedeploy.listing import name_page
from runner.api.codedeploy.owned import check_not_owned, owned
from runner.api.codedeploy.tags import resource_tags
from runner.api.codedeploy.wire import Shape
from runner.errors import ApplicationDoesNotExist, DeploymentGroupDoesNotExist, Refused
from runner.model.application import Application, DeploymentConfig, Group
from runner.model.platform import ComputePlatform
from runner.ports.catalog import CatalogStore

MOST = 1000  # of an application


def operations(catalog: CatalogStore, region: str) -> dict[str, Operation]:
    """*region*: where the targets of the groups are that are made here."""
    groups = _Groups(catalog, region)
    return {
        "CreateDeploymentGroup": Operation(groups.create, changes=True),
        "GetDeploymentGroup": Operation(groups.get),
        "BatchGetDeploymentGroups": Operation(groups.batch_get),
        "ListDeploymentGroups": Operation(groups.list_),
        "UpdateDeploymentGroup": Operation(groups.update, changes=True),
        "DeleteDeploymentGroup": Operation(groups.delete, changes=True),
    }


class _Groups:
    def __init__(self, catalog: CatalogStore, region: str) -> None:
        self._catalog, self._applications, self._groups = catalog, catalog.applications, catalog.groups
        self._region = region

    def create(self, call: Call) -> Result:
        given = call.params
        check_combinations(given)
        declared = merged({}, given)
        check_group(declared)
        tags = resource_tags(given.get("tags", ()))
        application = self._applications.get(given["applicationName"])
        check_not_owned(application)
        config = self._config(given.get("deploymentConfigName"), application.platform)
        check_platform(declared, application.platform)
        self._check_services(declared, application.name, given["deploymentGroupName"])
        group = Group(
            id=str(uuid.uuid4()),
            application=application.name,
            settings=settings(given["deploymentGroupName"], declared, config, application.platform, self._region),
            platform=application.platform,
            created_at=call.now,
        )
        self._check_limit(application)
        self._groups.create(group)
        self._catalog.tags.add(f"deploymentgroup/{group.id}", tags)
        return {"deploymentGroupId": group.id}

    def get(self, call: Call) -> Result:
        application = self._applications.get(call.params["applicationName"])
        group = self._groups.get(application.name, call.params["deploymentGroupName"])
        attempts = self._groups.attempts(group.last_attempted, group.last_successful)
        hooks = self._groups.hooks(group.id).get(group.id, [])
        return {"deploymentGroupInfo": group_info(group, attempts, hooks)}

    def batch_get(self, call: Call) -> Result:
        application = self._applications.get(call.params["applicationName"])
        found, unknown = [], []
        for name in dict.fromkeys(call.params["deploymentGroupNames"]):
            try:
                found.append(self._groups.get(application.name, name))
            except DeploymentGroupDoesNotExist:
                unknown.append(name)
        attempts = self._groups.attempts(*(i for each in found for i in (each.last_attempted, each.last_successful)))
        hooks = self._groups.hooks(*(each.id for each in found))
        return {
            "deploymentGroupsInfo": [group_info(each, attempts, hooks.get(each.id, [])) for each in found],
            "errorMessage": f"No Deployment Group found for name: {', '.join(unknown)}" if unknown else None,
        }

    def list_(self, call: Call) -> Result:
        application = self._applications.get(call.params["applicationName"]).name
        page = name_page(call, "deploymentGroups", lambda after, limit: self._groups.names(application, after, limit))
        return {"applicationName": application, **page}

    def update(self, call: Call) -> Result:
        """Members that are not given stay. Deployments under way keep the settings that they began with."""
        given = call.params
        check_combinations(given)
        check_group(merged({}, given))  # before it is known whether the group exists
        application = self._applications.get(given["applicationName"])
        group = self._groups.get(application.name, given["currentDeploymentGroupName"])
        check_not_owned(application)
        declared = merged(group.settings.declared, given)
        check_group(declared)
        config = self._config(given.get("deploymentConfigName", group.settings.rollout.name), group.platform)
        check_platform(declared, group.platform)
        self._check_services(declared, application.name, group.name)
        name = given.get("newDeploymentGroupName", group.name)
        self._groups.update(group, settings(name, declared, config, group.platform, self._region))
        return {"hooksNotCleanedUp": self._left(group, declared)}

    def delete(self, call: Call) -> Result:
        """A group that is not there is deleted already: the operation has no exception for it."""
        name = call.params["deploymentGroupName"]
        try:
            group = self._groups.get(self._applications.get(call.params["applicationName"]).name, name)
        except (ApplicationDoesNotExist, DeploymentGroupDoesNotExist):
            return {"hooksNotCleanedUp": []}
        if group.owner:
            raise owned(group.application, group.owner)
        if active := self._groups.unfinished(group):
            raise Refused(
                "InvalidOperationException",
                f"deployment {active} of deployment group {name} has not ended; stop it, or wait, then delete",
            )
        self._groups.delete(group, call.now)
        return {"hooksNotCleanedUp": self._left(group, {})}

    def _left(self, group: Group, declared: Mapping[str, Any]) -> list[Shape]:
        """The lifecycle hooks that nobody wants any more: they are removed within seconds, and are there until then."""
        names = {each["name"] for each in declared.get("autoScalingGroups") or ()}
        wanted = {"launching", *(("terminating",) if declared.get("terminationHookEnabled") else ())}
        hooks = self._groups.hooks(group.id).get(group.id, [])
        left = (hook for hook in hooks if hook.auto_scaling_group not in names or hook.transition not in wanted)
        return list(with_hooks(left).values())

    def _config(self, name: str | None, platform: ComputePlatform) -> DeploymentConfig:
        config = self._catalog.configs.get(name or default_config(platform))
        check_config(config, platform)
        return config

    def _check_limit(self, application: Application) -> None:
        if self._groups.count(application.name) >= MOST:
            raise Refused(
                "DeploymentGroupLimitExceededException",
                f"application {application.name} has {MOST} deployment groups; delete one first",
            )

    def _check_services(self, declared: dict[str, Any], application: str, name: str) -> None:
        """An ECS service belongs to one group of the whole account. *application*, *name*: of the group that asks."""
        for service in declared.get("ecsServices") or ():
            for group in self._groups.of_platform("ECS"):
                if (group.application, group.name) != (application, name) and _has(group, service):
                    raise Refused(
                        "ECSServiceMappingLimitExceededException",
                        f"the service {service.get('serviceName')} belongs to {group.application}/{group.name} already",
                    )


def _has(group: Group, service: dict[str, Any]) -> bool:
    """*service*: an `ECSService`. A manifest's group has it in its settings alone."""
    kept = group.settings.service
    own = {"serviceName": kept.name, "clusterName": kept.cluster} if kept else None
    return service == own or service in (group.settings.declared.get("ecsServices") or ())
