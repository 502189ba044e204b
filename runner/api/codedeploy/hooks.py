"""The answer of a lifecycle event hook function. Deployments to servers have scripts instead."""

from runner.api.call import Call, Operation, Result
from runner.errors import Refused
from runner.ports.deployments import DeploymentStore


def operations(deployments: DeploymentStore) -> dict[str, Operation]:
    def put_status(call: Call) -> Result:
        if call.params.get("status") not in ("Succeeded", "Failed"):
            raise Refused(
                "InvalidLifecycleEventHookExecutionStatusException", "the status of a hook is Succeeded or Failed"
            )
        deployment = deployments.get(call.params["deploymentId"])
        raise Refused(
            "UnsupportedActionForDeploymentTypeException",
            f"{deployment.id} deploys to servers: its hooks are scripts, whose exit code is their answer",
        )

    return {"PutLifecycleEventHookExecutionStatus": Operation(put_status, changes=True)}
