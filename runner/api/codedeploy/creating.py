"""CreateDeployment: what is asked for is checked against the group, whose settings the deployment keeps as they are now.

Order: what is required, what is malformed, what does not exist, what does not fit, and last whether the group is free.
"""

from typing import Any

import msgspec

from runner.api.call import Call, Operation, Params, Result
from runner.api.codedeploy.group_checks import check_alarms, check_auto_rollback, check_options, rollback_on
from runner.api.codedeploy.group_settings import settings as compiled
from runner.api.codedeploy.group_settings import suspended
from runner.api.codedeploy.group_traffic import alarms
from runner.api.codedeploy.not_built import refuse_restart
from runner.api.codedeploy.target_instances import check_target_instances, with_target_instances
from runner.api.codedeploy.wire import location_revision
from runner.api.identity.roles import allow
from runner.errors import Refused
from runner.model.application import DeploymentConfig, Group
from runner.model.deployment import Options
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.revision import AppSpecRevision, Revision
from runner.plan.revisions import check_platform
from runner.ports.catalog import CatalogStore
from runner.ports.deployments import DeploymentStore


def operations(deployments: DeploymentStore, catalog: CatalogStore, region: str) -> dict[str, Operation]:
    """*region*: where the targets of groups are that were made through the API."""
    return {"CreateDeployment": Operation(_Creating(deployments, catalog, region).create, changes=True)}


class _Creating:
    def __init__(self, deployments: DeploymentStore, catalog: CatalogStore, region: str) -> None:
        self._deployments, self._catalog, self._region = deployments, catalog, region

    def create(self, call: Call) -> Result:
        params = call.params
        revision = _revision(params)
        overrides = _overrides(call)
        self._catalog.applications.get(params["applicationName"])
        group = self._catalog.groups.get(params["applicationName"], params["deploymentGroupName"])
        settings = msgspec.structs.replace(self._settings(group, params.get("deploymentConfigName")), **overrides)
        _check_fit(params, group, revision)
        check_target_instances(params, group, settings)
        settings = _with_options(with_target_instances(settings, params), params)
        whole = self._whole(group.application, revision)
        made = self._deployments.create(group, settings, whole, _options(params), call.now)
        return {"deploymentId": made}

    def _whole(self, application: str, revision: Revision) -> Revision:
        """With its text, where an AppSpec that the application knows is named by its digest alone."""
        if isinstance(revision, AppSpecRevision) and not revision.content:
            known = self._catalog.revisions.get(application, revision)
            return known.revision if known else revision
        return revision

    def _settings(self, group: Group, name: str | None) -> GroupSettings:
        """The group's own, with the configuration *name* instead of its own where one is given.

        They are compiled again from what the group was declared as, so that one that an older Penstock has made gets what
        that one only kept.
        """
        declared, own = group.settings.declared, group.settings.rollout.name
        if declared:
            config = self._config(name or own, group.platform)
            return compiled(group.name, declared, config, group.platform, self._region)
        if name is None:
            return group.settings
        return msgspec.structs.replace(group.settings, rollout=self._config(name, group.platform).rollout)

    def _config(self, name: str, platform: ComputePlatform) -> DeploymentConfig:
        config = self._catalog.configs.get(name)
        if config.platform != platform:
            raise Refused(
                "InvalidComputePlatformException",
                f"{name} is a configuration for {config.platform}; this application is for {platform}",
            )
        return config


def _revision(params: Params) -> Revision:
    if params.get("deploymentMode") == "RESTART":
        raise refuse_restart()
    if not params.get("revision"):
        raise Refused("RevisionRequiredException", "RevisionLocation must be specified")
    return location_revision(params["revision"])


def _overrides(call: Call) -> dict[str, Any]:
    """What the deployment says instead of its group's settings, checked.

    Who gives other alarms must be allowed to change the group's. Source: CodeDeploy API reference, "CreateDeployment".
    """
    made: dict[str, Any] = {}
    if (rollback := call.params.get("autoRollbackConfiguration")) is not None:
        check_auto_rollback(rollback)
        made["rollback_on"] = rollback_on(rollback)
    if (watched := call.params.get("overrideAlarmConfiguration")) is not None:
        allow(call.principal, "UpdateDeploymentGroup")
        check_alarms(watched)
        made["alarms"] = alarms(watched)
    return made


def _check_fit(params: Params, group: Group, revision: Revision) -> None:
    if group.platform != "Server":
        _check_server_options(params, group.platform)
    check_platform(revision, group.platform)
    style = group.settings.declared.get("deploymentStyle")
    check_options({"ec2DeploymentOptions": params.get("ec2DeploymentOptions"), "deploymentStyle": style})


def _check_server_options(params: Params, platform: ComputePlatform) -> None:
    for member in ("ignoreApplicationStopFailures", "updateOutdatedInstancesOnly"):
        if params.get(member):
            code = f"Invalid{member[0].upper()}{member[1:]}ValueException"
            raise Refused(code, f"{member} is for servers; this application is for {platform}")


def _with_options(settings: GroupSettings, params: Params) -> GroupSettings:
    """The deployment's own `ec2DeploymentOptions` instead of its group's."""
    if params.get("ec2DeploymentOptions") is None:
        return settings
    ec2 = msgspec.structs.replace(settings.ec2, suspended=suspended(params["ec2DeploymentOptions"]))
    return msgspec.structs.replace(settings, ec2=ec2)


def _options(params: Params) -> Options:
    given = ("autoRollbackConfiguration", "overrideAlarmConfiguration", "targetInstances", "ec2DeploymentOptions")
    return Options(
        description=params.get("description") or "",
        ignore_application_stop_failures=bool(params.get("ignoreApplicationStopFailures")),
        file_exists_behavior=params.get("fileExistsBehavior") or "DISALLOW",
        update_outdated_instances_only=bool(params.get("updateOutdatedInstancesOnly")),
        declared={name: params[name] for name in given if params.get(name) is not None},
    )
