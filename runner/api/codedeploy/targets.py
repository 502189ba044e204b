"""Operations on the targets of a deployment."""

from collections.abc import Mapping, Sequence

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.listing import SIZE
from runner.api.codedeploy.target_info import deployment_target
from runner.errors import Refused
from runner.model.deployment import Deployment
from runner.model.target import Target, TargetStatus
from runner.ports.deployments import DeploymentStore

_STATUSES = (*map(str, TargetStatus), "Unknown")


def operations(deployments: DeploymentStore, arns: Arns) -> dict[str, Operation]:
    handlers = _Targets(deployments, arns)
    return {
        "GetDeploymentTarget": Operation(handlers.get),
        "BatchGetDeploymentTargets": Operation(handlers.batch_get),
        "ListDeploymentTargets": Operation(handlers.names),
    }


class _Targets:
    def __init__(self, deployments: DeploymentStore, arns: Arns) -> None:
        self._deployments, self._arns = deployments, arns

    def get(self, call: Call) -> Result:
        deployment = started(self._deployments, call)
        (found,) = self._found(deployment, [call.params["targetId"]])
        return {"deploymentTarget": deployment_target(deployment, found, self._arns)}

    def batch_get(self, call: Call) -> Result:
        wanted = call.params["targetIds"]
        _check_number(self._deployments.get(call.params["deploymentId"]), wanted)
        deployment = started(self._deployments, call)
        found = self._found(deployment, wanted)
        return {"deploymentTargets": [deployment_target(deployment, each, self._arns) for each in found]}

    def names(self, call: Call) -> Result:
        filters = call.params.get("targetFilters") or {}
        statuses = check_statuses(filters.get("TargetStatus") or [])
        _check_filters(filters)
        deployment = started(self._deployments, call)
        labels = check_labels(filters.get("ServerInstanceLabel") or [], deployment)
        page = target_page(self._deployments, call, deployment, statuses, labels)
        return {"targetIds": page["ids"], "nextToken": page["nextToken"]}

    def _found(self, deployment: Deployment, wanted: Sequence[str]) -> list[Target]:
        found = self._deployments.targets(deployment.id, wanted)
        if missing := sorted(set(wanted) - {each.id for each in found}):
            raise Refused(
                "DeploymentTargetDoesNotExistException", f"{deployment.id} has no target {', '.join(missing[:5])}"
            )
        return found


def _check_number(deployment: Deployment, wanted: Sequence[str]) -> None:
    """The service's model bounds the number for servers."""
    if deployment.settings.platform != "Server" and len(wanted) > 1:
        raise Refused(
            "DeploymentTargetListSizeExceededException",
            f"{deployment.id} deploys to {deployment.settings.platform} and has one target; ask for that one alone",
        )


def started(deployments: DeploymentStore, call: Call) -> Deployment:
    """The deployment. Raises `Refused`, DeploymentNotStarted, while its targets are not known."""
    deployment = deployments.get(call.params["deploymentId"])
    if deployment.started_at is None:
        reason = f"{deployment.error.code}: {deployment.error.message}" if deployment.error else "ask again in a moment"
        raise Refused(
            "DeploymentNotStartedException", f"{deployment.id} has not started, so it has no targets; {reason}"
        )
    return deployment


def check_statuses(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in _STATUSES:
            raise Refused("InvalidInstanceStatusException", f"{name} is no status of a target: {', '.join(_STATUSES)}")
    return names


def check_labels(labels: Sequence[str], deployment: Deployment) -> Sequence[str]:
    """Blue and green are instances where one fleet of servers replaces another. Raises `Refused`."""
    for label in labels:
        if label not in ("Blue", "Green"):
            raise Refused("InvalidInstanceTypeException", f"{label} is no type of an instance: Blue or Green")
    if labels and deployment.settings.green is None:
        platform = deployment.settings.platform
        kind = "an in-place deployment" if platform == "Server" else f"a deployment to {platform}"
        raise Refused(
            "InvalidDeploymentInstanceTypeException",
            f"{deployment.id} is {kind}, which has neither Blue nor Green instances",
        )
    return labels


def target_page(
    deployments: DeploymentStore,
    call: Call,
    deployment: Deployment,
    statuses: Sequence[str],
    labels: Sequence[str],
) -> Result:
    """`ids` and `nextToken` of one page."""
    after = call.pages.after()
    page = deployments.target_page(deployment.id, statuses, after["position"] if after else None, SIZE, labels)
    token = None if page.after is None else call.pages.token({"position": page.after})
    return {"ids": page.ids, "nextToken": token}


def _check_filters(filters: Mapping[str, Sequence[str]]) -> None:
    for name in filters:
        if name not in ("TargetStatus", "ServerInstanceLabel"):
            raise Refused(
                "InvalidTargetFilterNameException", f"{name} is no filter: TargetStatus or ServerInstanceLabel"
            )
