"""A CodeDeploy endpoint as the action asks it: AWS's own, or `penstock serve`."""

import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import WorldError
from runner.model.aws import AwsPlace

_BATCH = 25  # targets in one BatchGetDeploymentTargets
_SILENCE = 10.0  # seconds
_PATIENCE = 120.0  # seconds without the server, for looking on; what was asked of it goes on meanwhile
_FOR_CREATING = 10.0
_FOR_STOPPING = 3.0  # seconds: a cancelled step has not ten


class Server:
    """Every method blocks. *endpoint*: None for AWS. After `leave`, those that wait to ask again raise `WorldError`."""

    def __init__(self, endpoint: str | None, region: str | None) -> None:
        if endpoint:
            os.environ["AWS_ENDPOINT_URL_CODEDEPLOY"] = endpoint  # boto3 reads it
        self._place = AwsPlace(region=region)
        self._leaving = threading.Event()
        self._aws = Aws(sleep=self._sleep)

    def leave(self) -> None:
        self._leaving.set()

    def create(self, application: str, group: str, revision: Mapping[str, Any], description: str) -> str:
        """The new deployment's ID."""
        names = {"applicationName": application, "deploymentGroupName": group, "revision": revision}
        asked = {**names, **({"description": description} if description else {})}
        made = self._call("create_deployment", asked, _FOR_CREATING)
        return str(made["deploymentId"])

    def stop(self, deployment_id: str) -> None:
        """Ask for it; whether it is rolled back is for its group to say. One that has ended stays as it is."""
        try:
            self._stop(deployment_id)
        except AwsError as error:
            if not error.retryable:
                raise
            self._stop(deployment_id)  # an answer may be lost; asking twice does no harm

    def _stop(self, deployment_id: str) -> None:
        asked, limits = {"deploymentId": deployment_id}, {"patience": _FOR_STOPPING, "timeout": _FOR_STOPPING}
        try:
            self._aws.call(self._place, "codedeploy", "stop_deployment", asked, **limits)
        except AwsError as error:
            if error.aws_code != "DeploymentAlreadyCompletedException":
                raise

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        """`deploymentInfo`."""
        return dict(self._call("get_deployment", {"deploymentId": deployment_id})["deploymentInfo"])

    def targets(self, deployment_id: str) -> list[dict[str, Any]]:
        """Each as its `instanceTarget`, `lambdaTarget` or `ecsTarget`; none of one that ended before it began."""
        try:
            ids = list(self._target_ids(deployment_id))
        except AwsError as error:
            if error.aws_code == "DeploymentNotStartedException":
                return []
            raise
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _BATCH):
            asked = {"deploymentId": deployment_id, "targetIds": ids[start : start + _BATCH]}
            found += self._call("batch_get_deployment_targets", asked).get("deploymentTargets", [])
        return [_inner(each) for each in found]

    def _target_ids(self, deployment_id: str) -> Iterator[str]:
        asked = {"deploymentId": deployment_id}
        while True:
            answer = self._call("list_deployment_targets", asked)
            yield from answer.get("targetIds", [])
            if not answer.get("nextToken"):
                return
            asked = {"deploymentId": deployment_id, "nextToken": answer["nextToken"]}

    def _call(self, operation: str, params: Mapping[str, Any], patience: float = _PATIENCE) -> dict[str, Any]:
        return self._aws.call(self._place, "codedeploy", operation, params, patience=patience, timeout=_SILENCE)

    def _sleep(self, seconds: float) -> None:
        if self._leaving.wait(seconds):
            raise WorldError("told to leave")


def _inner(target: Mapping[str, Any]) -> dict[str, Any]:
    return next((dict(value) for key, value in target.items() if key != "deploymentTargetType"), {})
