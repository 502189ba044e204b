"""CreateDeployment: what is asked for is checked against the group, whose settings the deployment keeps as they are now.

Order: what is required, what is malformed, what does not exist, what does not fit, and last whether the group is free.
"""

from typing import Any

import msgspec

from runner.api.call import Call, Operation, Params, Result
from runner.api.codedeploy.group_checks import check_alarms, check_auto_rollback, rollback_on
from runner.api.codedeploy.not_built import check_built, refuse_alarms, refuse_restart
from runner.api.codedeploy.wire import location_revision
from runner.errors import Refused
from runner.model.application import Group
from runner.model.deployment import Options
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.revision import Revision
from runner.model.rollout import Rollout
from runner.plan.revisions import check_platform
from runner.ports.catalog import CatalogStore
from runner.ports.deployments import DeploymentStore


def operations(deployments: DeploymentStore, catalog: CatalogStore) -> dict[str, Operation]:
    return {"CreateDeployment": Operation(_Creating(deployments, catalog).create, changes=True)}


class _Creating:
    def __init__(self, deployments: DeploymentStore, catalog: CatalogStore) -> None:
        self._deployments, self._catalog = deployments, catalog

    def create(self, call: Call) -> Result:
        params = call.params
        revision = _revision(params)
        rollback, alarms = _overrides(params)
        self._catalog.applications.get(params["applicationName"])
        group = self._catalog.groups.get(params["applicationName"], params["deploymentGroupName"])
        settings = self._settings(group, params.get("deploymentConfigName"), rollback)
        _check_fit(params, group, revision)
        check_built(group, alarms_overridden=alarms is not None)
        made = self._deployments.create(group, settings, revision, _options(params), call.now)
        return {"deploymentId": made}

    def _settings(self, group: Group, config: str | None, rollback: dict[str, Any] | None) -> GroupSettings:
        """The group's own, with what the deployment says instead."""
        changes: dict[str, Any] = {}
        if config is not None:
            changes["rollout"] = self._rollout(config, group.platform)
        if rollback is not None:
            changes["rollback_on"] = rollback_on(rollback)
        return msgspec.structs.replace(group.settings, **changes)

    def _rollout(self, name: str, platform: ComputePlatform) -> Rollout:
        config = self._catalog.configs.get(name)
        if config.platform != platform:
            raise Refused(
                "InvalidComputePlatformException",
                f"{name} is a configuration for {config.platform}; this application is for {platform}",
            )
        return config.rollout


def _revision(params: Params) -> Revision:
    if params.get("deploymentMode") == "RESTART":
        raise refuse_restart()
    if not params.get("revision"):
        raise Refused("RevisionRequiredException", "RevisionLocation must be specified")
    return location_revision(params["revision"])


def _overrides(params: Params) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The deployment's own rollback and alarm configuration, checked."""
    rollback, alarms = params.get("autoRollbackConfiguration"), params.get("overrideAlarmConfiguration")
    if rollback is not None:
        check_auto_rollback(rollback)
    if alarms is not None:
        check_alarms(alarms)
        if alarms.get("enabled"):
            raise refuse_alarms()
    return rollback, alarms


def _check_fit(params: Params, group: Group, revision: Revision) -> None:
    if group.platform != "Server":
        _check_server_options(params, group.platform)
    check_platform(revision, group.platform)
    style = group.settings.declared.get("deploymentStyle") or {}
    if params.get("targetInstances") and style.get("deploymentType") != "BLUE_GREEN":
        raise Refused(
            "InvalidTargetInstancesException",
            f"targetInstances are the replacements of a blue/green deployment; {group.name} is deployed to in place",
        )
    if (params.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend"):
        raise Refused(
            "InvalidAutoScalingGroupProcessToSuspendException",
            "Auto Scaling groups are not built yet in this version of Penstock; leave ec2DeploymentOptions out",
        )


def _check_server_options(params: Params, platform: ComputePlatform) -> None:
    for member in ("ignoreApplicationStopFailures", "updateOutdatedInstancesOnly"):
        if params.get(member):
            code = f"Invalid{member[0].upper()}{member[1:]}ValueException"
            raise Refused(code, f"{member} is for servers; this application is for {platform}")


def _options(params: Params) -> Options:
    given = ("autoRollbackConfiguration", "overrideAlarmConfiguration")
    return Options(
        description=params.get("description") or "",
        ignore_application_stop_failures=bool(params.get("ignoreApplicationStopFailures")),
        file_exists_behavior=params.get("fileExistsBehavior") or "DISALLOW",
        update_outdated_instances_only=bool(params.get("updateOutdatedInstancesOnly")),
        declared={name: params[name] for name in given if params.get(name) is not None},
    )
