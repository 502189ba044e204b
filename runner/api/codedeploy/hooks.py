"""The answer of a lifecycle event hook function: the only thing that ends its event well."""

from runner.api.call import Call, Operation, Result
from runner.errors import Refused
from runner.ports.deployments import DeploymentStore
from runner.ports.hooks import HookStore


def operations(deployments: DeploymentStore, hooks: HookStore) -> dict[str, Operation]:
    def put_status(call: Call) -> Result:
        status, execution_id = call.params.get("status"), call.params.get("lifecycleEventHookExecutionId")
        if status not in ("Succeeded", "Failed"):
            raise Refused(
                "InvalidLifecycleEventHookExecutionStatusException", "the status of a hook is Succeeded or Failed"
            )
        deployment = deployments.get(call.params["deploymentId"])
        if deployment.settings.platform == "Server":
            raise Refused(
                "UnsupportedActionForDeploymentTypeException",
                f"{deployment.id} deploys to servers: its hooks are scripts, whose exit code is their answer",
            )
        hooks.answer(deployment.id, execution_id or "", status, call.now)
        return {"lifecycleEventHookExecutionId": execution_id}

    return {"PutLifecycleEventHookExecutionStatus": Operation(put_status, changes=True)}
