"""Operations that steer a deployment under way: stop it, and cut its waits short."""

from runner.api.call import Call, Operation, Result
from runner.errors import DeploymentAlreadyCompleted, DeploymentIsNotInReadyState, Refused
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.rollout import HoldStep, RolloutStep, ShiftStep
from runner.ports.deployments import DeploymentStore
from runner.service import Service

READY, TERMINATION = "READY_WAIT", "TERMINATION_WAIT"


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
        """READY_WAIT also ends the holds of a manifest's rollout, and the bake of the group before."""
        deployment = self._deployments.get(call.params["deploymentId"])
        asked = call.params.get("deploymentWaitType") or READY
        _check_type(deployment, asked)
        if not deployment.status.is_terminal and not _is_in(deployment, asked):
            raise DeploymentIsNotInReadyState(f"{deployment.id} is not in a {asked} that could be cut short")
        self._service.continue_(deployment.id)
        return {}

    def skip_wait(self, call: Call) -> Result:
        """As ContinueDeployment with TERMINATION_WAIT, by exceptions of its own."""
        deployment = self._deployments.get(call.params["deploymentId"])
        _check_type(deployment, TERMINATION)
        if deployment.status.is_terminal:
            raise DeploymentAlreadyCompleted(f"{deployment.id} has ended: {deployment.status}")
        if not _is_in(deployment, TERMINATION):
            raise Refused(
                "DeploymentNotStartedException", f"{deployment.id} has not begun to wait for the end of the original"
            )
        self._service.continue_(deployment.id)
        return {}


def _check_type(deployment: Deployment, asked: str) -> None:
    """Raises `Refused`, UnsupportedActionForDeploymentType, for one that never waits so."""
    if deployment.settings.platform == "ECS" or deployment.settings.green is not None:
        return
    if asked == TERMINATION or not _has_holds(deployment):
        kind = "an in-place deployment" if deployment.settings.platform == "Server" else "a deployment to Lambda"
        raise Refused(
            "UnsupportedActionForDeploymentTypeException",
            f"{deployment.id} is {kind}: it has no {asked} that could be cut short",
        )


def _has_holds(deployment: Deployment) -> bool:
    """What passes between two shifts of a CodeDeploy configuration is no wait that CodeDeploy lets anybody end."""
    settings = deployment.settings
    return not settings.declared and (settings.after is not None or any(map(_holds, settings.rollout.steps)))


def _holds(step: RolloutStep) -> bool:
    return isinstance(step, HoldStep) or (isinstance(step, ShiftStep) and step.every is not None)


def _is_in(deployment: Deployment, asked: str) -> bool:
    """A wait for the group before has no kind; whether there is one at all is seen when it is continued."""
    if asked == TERMINATION:
        return deployment.wait == "termination"
    return deployment.wait == "ready" or (deployment.wait != "termination" and _has_holds(deployment))
