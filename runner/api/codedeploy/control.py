"""Operations that steer a deployment under way: stop it, and cut its waits short."""

from runner.api.call import Call, Operation, Result
from runner.errors import Refused
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.rollout import HoldStep
from runner.ports.deployments import DeploymentStore
from runner.service import Service


def operations(service: Service, deployments: DeploymentStore) -> dict[str, Operation]:
    control = _Control(service, deployments)
    return {
        "StopDeployment": Operation(control.stop, changes=True),
        "ContinueDeployment": Operation(control.continue_, changes=True),
        "SkipWaitTimeForInstanceTermination": Operation(control.skip_wait, changes=True),
    }


class _Control:
    def __init__(self, service: Service, deployments: DeploymentStore) -> None:
        self._service, self._deployments = service, deployments

    def stop(self, call: Call) -> Result:
        """Pending until the lifecycle events under way have ended; Succeeded once it is stopped, and ever after."""
        rollback = call.params.get("autoRollbackEnabled")
        deployment = self._service.stop(call.params["deploymentId"], rollback=rollback)
        if deployment.status is DeploymentStatus.STOPPED:
            return {"status": "Succeeded", "statusMessage": "The deployment is stopped."}
        message = "No further lifecycle event is started; the deployment is stopped once those under way have ended."
        return {"status": "Pending", "statusMessage": message}

    def continue_(self, call: Call) -> Result:
        """Only a manifest's rollout has waits so far: its holds, and the bake of the group before."""
        deployment = self._deployments.get(call.params["deploymentId"])
        if call.params.get("deploymentWaitType") == "TERMINATION_WAIT" or not _has_waits(deployment):
            raise _nothing_to_wait_for(deployment)
        self._service.continue_(deployment.id)
        return {}

    def skip_wait(self, call: Call) -> Result:
        raise _nothing_to_wait_for(self._deployments.get(call.params["deploymentId"]))


def _has_waits(deployment: Deployment) -> bool:
    holds = any(isinstance(step, HoldStep) for step in deployment.settings.rollout.steps)
    return holds or deployment.settings.after is not None


def _nothing_to_wait_for(deployment: Deployment) -> Refused:
    return Refused(
        "UnsupportedActionForDeploymentTypeException",
        f"{deployment.id} is an in-place deployment: it has no such wait that could be cut short",
    )
