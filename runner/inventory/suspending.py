"""Auto Scaling groups that leave a deployment its instances: processes suspended before it, resumed when it has ended.

Source: CodeDeploy API reference, "ec2DeploymentOptions"; Auto Scaling API reference, "SuspendProcesses".
"""

import asyncio
import threading
from contextlib import suppress
from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import WorldError
from runner.log import get_logger
from runner.model.aws import AwsPlace
from runner.model.deployment import Deployment
from runner.model.ec2 import Process
from runner.ports import Clock
from runner.ports.suspensions import Suspension, SuspensionStore
from runner.threads import in_thread

LOOK_EVERY = 5.0  # seconds
AGAIN_AFTER = 60.0  # seconds: what could not be resumed
BRIEFLY = 10.0  # seconds of patience: deployments that are about to begin wait meanwhile


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
        """All that the deployment's settings want suspended. Blocks. Raises `AwsError`.

        Only in place, and not for a single instance that Auto Scaling itself starts or ends.
        """
        wanted, settings = deployment.settings.ec2, deployment.settings
        if not wanted.suspended or settings.green is not None or deployment.creator.startswith("autoscaling"):
            return
        with self._turn:
            for group in wanted.auto_scaling_groups:
                self._suspend(deployment, group)

    def resume(self) -> bool:
        """Resume what ended deployments no longer need. Blocks. False when something is left that could not be."""
        with self._turn:
            tried = [self._resume(suspension, processes) for suspension, processes in self._store.over()]
            return all(tried)

    async def run(self) -> None:
        """Do so whenever a deployment has ended, until cancelled."""
        while True:
            done = False
            with suppress(WorldError):  # the database is busy
                done = await in_thread(self.resume)
            await asyncio.sleep(LOOK_EVERY if done else AGAIN_AFTER)

    async def finish(self) -> None:
        """Do so once, before the process ends; what fails is left to the next."""
        with suppress(WorldError):
            await in_thread(self.resume)

    def _suspend(self, deployment: Deployment, group: str) -> None:
        place, wanted = deployment.settings.place, deployment.settings.ec2.suspended
        found = self._describe(place, group)
        already = {each["ProcessName"] for one in found for each in one.get("SuspendedProcesses") or ()}

        def choose(ours: frozenset[Process]) -> tuple[Process, ...]:
            return tuple(each for each in wanted if each in ours or each not in already)

        suspension = self._store.begin(deployment.id, place, group, choose, self._clock())
        if suspension is not None and suspension.processes:
            self._call(suspension, "suspend_processes", suspension.processes)

    def _resume(self, suspension: Suspension, processes: tuple[Process, ...]) -> bool:
        try:
            there = not processes or bool(self._describe(suspension.place, suspension.group, BRIEFLY))
            if processes and there:
                self._call(suspension, "resume_processes", processes, BRIEFLY)
        except AwsError as error:
            self._tell(suspension, error.message)
            return False
        self._store.resumed(suspension, self._clock(), gone=not there)
        return True

    def _describe(self, place: AwsPlace, group: str, patience: float = 60.0) -> list[dict[str, Any]]:
        asked = {"AutoScalingGroupNames": [group]}
        answer = self._aws.call(place, "autoscaling", "describe_auto_scaling_groups", asked, patience=patience)
        return list(answer["AutoScalingGroups"])

    def _tell(self, suspension: Suspension, why: str) -> None:
        """Once for each reason."""
        key = (suspension.deployment_id, suspension.group)
        if self._told.get(key) != why:
            self._told[key] = why
            self._log.error(
                "processes not resumed", deployment=suspension.deployment_id, group=suspension.group, error=why
            )
            self._store.not_resumed(suspension, why, self._clock())

    def _call(
        self, suspension: Suspension, operation: str, processes: tuple[Process, ...], patience: float = 60.0
    ) -> None:
        params = {"AutoScalingGroupName": suspension.group, "ScalingProcesses": list(processes)}
        self._aws.call(suspension.place, "autoscaling", operation, params, patience=patience)
