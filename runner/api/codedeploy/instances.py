"""The operations on instances of a deployment: older names of those on targets, for servers only."""

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.target_info import instance_summary
from runner.api.codedeploy.targets import check_labels, check_statuses, started, target_page
from runner.errors import Refused
from runner.model.deployment import Deployment
from runner.ports.deployments import DeploymentStore


def operations(deployments: DeploymentStore) -> dict[str, Operation]:
    handlers = _Instances(deployments)
    return {
        "GetDeploymentInstance": Operation(handlers.get),
        "BatchGetDeploymentInstances": Operation(handlers.batch_get),
        "ListDeploymentInstances": Operation(handlers.names),
    }


class _Instances:
    def __init__(self, deployments: DeploymentStore) -> None:
        self._deployments = deployments

    def get(self, call: Call) -> Result:
        deployment = self._of_servers(call)
        name = call.params["instanceId"]
        found = self._deployments.targets(deployment.id, [name])
        if not found:
            raise Refused("InstanceDoesNotExistException", f"{deployment.id} has no instance {name}")
        return {"instanceSummary": instance_summary(deployment.id, found[0])}

    def batch_get(self, call: Call) -> Result:
        """Those that are not known are named in `errorMessage`."""
        wanted = call.params["instanceIds"]
        deployment = self._of_servers(call)
        found = self._deployments.targets(deployment.id, wanted)
        missing = sorted(set(wanted) - {each.id for each in found})
        return {
            "instancesSummary": [instance_summary(deployment.id, each) for each in found],
            "errorMessage": f"{deployment.id} has no instance {', '.join(missing)}" if missing else None,
        }

    def names(self, call: Call) -> Result:
        statuses = check_statuses(call.params.get("instanceStatusFilter") or [])
        deployment = self._of_servers(call)
        labels = check_labels(call.params.get("instanceTypeFilter") or [], deployment)
        page = target_page(self._deployments, call, started(self._deployments, call), statuses, labels)
        return {"instancesList": page["ids"], "nextToken": page["nextToken"]}

    def _of_servers(self, call: Call) -> Deployment:
        deployment = self._deployments.get(call.params["deploymentId"])
        platform = deployment.settings.platform
        if platform != "Server":
            raise Refused(
                "InvalidComputePlatformException",
                f"{deployment.id} deploys to {platform}, which has no instances; ask for its deployment target",
            )
        return deployment
