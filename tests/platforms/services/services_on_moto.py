"""Deployments by the real `Aws` to the service of `support.ecs_world`, in this process or in one that may be killed."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from platforms.services.act_process import PACE
from support.ecs_world import CLUSTER, CONTAINER, PORT, SERVICE, EcsWorld

from runner.aws import Aws
from runner.model.aws import AwsPlace
from runner.model.command import Outcome
from runner.model.program import Act, Task, TrafficJob
from runner.model.services import EcsSpec, EcsState, Route
from runner.model.value import from_json, to_json
from runner.platforms.services import ServicePlatform

_KILLED = -9
_PROCESS = str(Path(__file__).with_name("act_process.py"))


class MotoDeployment:
    """*controller* ECS needs no routes."""

    def __init__(self, world: EcsWorld, definition: str | None, id: str = "d-ABCDEF123", **spec: object) -> None:
        self.world = world
        route = Route(listener=world.listener, test_listener=world.test_listener, target_groups=("blue", "green"))
        given = {"task_definition": definition, "routes": (route,), "network": world.network, **spec}
        self.spec = EcsSpec(cluster=CLUSTER, service=SERVICE, container=CONTAINER, port=PORT, **given)
        self.id = id
        self.restoring: EcsState | None = None
        self.state: EcsState | None = None
        self.said: list[str] = []
        self.deaths = 0

    def platform(self) -> ServicePlatform:
        return ServicePlatform(Aws(), **PACE)

    def task(self, act: Act) -> Task:
        job = TrafficJob(
            deployment_id=self.id,
            application="shop",
            group="main",
            group_id="g-1",
            place=AwsPlace(region="eu-west-1"),
            spec=self.spec,
            restoring=self.restoring,
        )
        if self.state is None:
            _, self.state = self.platform().inspect(job)
        return Task(job=job, target=f"{CLUSTER}:{SERVICE}", act=act, attempt=1, state=self.state)

    def act(self, act: Act) -> Outcome:
        outcome = asyncio.run(self.platform().act(self.task(act), self.said.append))
        assert isinstance(outcome.state, EcsState)
        self.state = outcome.state
        return outcome

    def succeed(self, acts: Sequence[Act]) -> EcsState:
        for act in acts:
            outcome = self.act(act)
            assert outcome.succeeded, outcome.diagnostics.message
        assert self.state is not None
        return self.state

    def undo(self) -> "MotoDeployment":
        rollback = MotoDeployment(self.world, self.spec.task_definition, "d-ROLLBACK1")
        rollback.spec, rollback.restoring = self.spec, self.state
        return rollback

    def act_in_a_process(self, act: Act, folder: Path, dies_after: int | None) -> None:
        """The act in a process of its own, which is killed right after so many changes; then again."""
        while True:
            process = self._start(act, folder)
            if dies_after is not None:
                self.world.aws.kill_after(process.pid, dies_after)
            assert process.stdin is not None
            process.stdin.close()
            if process.wait(timeout=60) != _KILLED:
                break
            self.deaths, dies_after = self.deaths + 1, None
        self.world.aws.mend()
        outcome = from_json((folder / "outcome.json").read_bytes(), Outcome)
        assert outcome.succeeded, outcome.diagnostics.message
        assert isinstance(outcome.state, EcsState)
        self.state = outcome.state

    def _start(self, act: Act, folder: Path) -> subprocess.Popen[bytes]:
        (folder / "task.json").write_text(to_json(self.task(act)))
        return subprocess.Popen([sys.executable, _PROCESS, str(folder)], stdin=subprocess.PIPE)
