"""Auto Scaling groups that leave a deployment its instances: processes suspended before it, resumed when it has ended.

Source: CodeDeploy API reference, "ec2DeploymentOptions"; Auto Scaling API reference, "SuspendProcesses".
"""

import asyncio
import threading
from contextlib import suppress

from runner.aws import Aws, AwsError
from runner.log import get_logger
from runner.model.deployment import Deployment
from runner.model.ec2 import Process
from runner.ports import Clock
from runner.ports.suspensions import Suspension, SuspensionStore
from runner.threads import in_thread

LOOK_EVERY = 5.0  # seconds
AGAIN_AFTER = 60.0  # seconds: what could not be resumed

_NOT_THERE = "not found"  # a ValidationError, whose message is all that tells it from others


class Suspending:
    """One for a process, the one that drives. What is suspended is recorded before it is, so that nothing stays so.

    Who had suspended a process himself finds it suspended afterwards.
    """

    def __init__(self, store: SuspensionStore, aws: Aws, clock: Clock) -> None:
        self._store, self._aws, self._clock = store, aws, clock
        self._turn = threading.Lock()  # a deployment that is stopped must not be resumed before it was suspended
        self._told: dict[tuple[str, str], str] = {}
        self._log = get_logger()

    def suspend(self, deployment: Deployment) -> None:
        """All that the deployment's settings want suspended. Blocks. Raises `AwsError`."""
        wanted = deployment.settings.ec2
        if not wanted.suspended or deployment.settings.green is not None:
            return
        with self._turn:
            for group in wanted.auto_scaling_groups:
                self._suspend(deployment, group)

    def resume(self) -> bool:
        """Resume what ended deployments no longer need. Blocks. False when something is left that could not be."""
        with self._turn:
            return all([self._resume(suspension, processes) for suspension, processes in self._store.over()])

    async def run(self) -> None:
        """Do so whenever a deployment has ended, until cancelled."""
        while True:
            done = await in_thread(self.resume)
            await asyncio.sleep(LOOK_EVERY if done else AGAIN_AFTER)

    async def finish(self) -> None:
        """Do so once, before the process ends; what fails is left to the next."""
        with suppress(AwsError):
            await in_thread(self.resume)

    def _suspend(self, deployment: Deployment, group: str) -> None:
        place, wanted = deployment.settings.place, deployment.settings.ec2.suspended
        asked = {"AutoScalingGroupNames": [group]}
        found = self._aws.call(place, "autoscaling", "describe_auto_scaling_groups", asked)["AutoScalingGroups"]
        already = {each["ProcessName"] for one in found for each in one.get("SuspendedProcesses") or ()}

        def choose(ours: frozenset[Process]) -> tuple[Process, ...]:
            return tuple(each for each in wanted if each in ours or each not in already)

        suspension = self._store.begin(deployment.id, place, group, choose, self._clock())
        if suspension is not None and suspension.processes:
            self._call(suspension, "suspend_processes", suspension.processes)

    def _resume(self, suspension: Suspension, processes: tuple[Process, ...]) -> bool:
        gone = False
        try:
            if processes:
                self._call(suspension, "resume_processes", processes)
        except AwsError as error:
            gone = error.aws_code == "ValidationError" and _NOT_THERE in error.message
            if not gone:
                self._tell(suspension, error.message)
                return False
        self._store.resumed(suspension, self._clock(), gone=gone)
        return True

    def _tell(self, suspension: Suspension, why: str) -> None:
        """Once for each reason."""
        key = (suspension.deployment_id, suspension.group)
        if self._told.get(key) != why:
            self._told[key] = why
            self._log.error(
                "processes not resumed", deployment=suspension.deployment_id, group=suspension.group, error=why
            )
            self._store.not_resumed(suspension, why, self._clock())

    def _call(self, suspension: Suspension, operation: str, processes: tuple[Process, ...]) -> None:
        params = {"AutoScalingGroupName": suspension.group, "ScalingProcesses": list(processes)}
        self._aws.call(suspension.place, "autoscaling", operation, params)
