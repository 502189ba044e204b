"""Deployments to a service of the fake AWS, driven as the engine drives them: act by act, again after a crash."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from platforms.services.fake_cloud import FakeCloud, Killed
from platforms.services.fake_world import Fleet, Running, World, forward, group, listener

from runner.aws import AwsError
from runner.model.aws import AwsPlace
from runner.model.command import Outcome
from runner.model.program import Act, Task, TrafficJob
from runner.model.services import EcsSpec, EcsState, Route
from runner.platforms.services import ServicePlatform

ID = "d-ABCDEF123"
BLUE, GREEN = group("api-blue"), group("api-green")
PRODUCTION, TEST = listener("api", 80), listener("api", 8443)
ROUTE = Route(listener=PRODUCTION, test_listener=TEST, target_groups=("api-blue", "api-green"))
SPEC = EcsSpec(cluster="prod", service="api", task_definition="api", container="api", port=8080, routes=(ROUTE,))
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}

CANARY = (
    Act(event="Install", scale=100),
    Act(event="AllowTestTraffic"),
    Act(event="AllowTraffic", weight=10),
    Act(event="AllowTraffic", weight=100),
    Act(event="Terminate"),
)
ROLLBACK = (Act(event="AllowTraffic", weight=100), Act(event="Terminate"))
ROLLING = (Act(event="Install"),)


def definition(image: str = "api:1", port: int = 8080) -> dict[str, Any]:
    """What a task definition has beside its family."""
    container = {"name": "api", "image": image, "portMappings": [{"containerPort": port}]}
    return {"networkMode": "awsvpc", "containerDefinitions": [container]}


def blue_green_world(controller: str = "EXTERNAL", desired: int = 2) -> World:
    """Service `api` of cluster `prod` in steady state on revision 1, behind two listeners; revision 2 is registered."""
    world = World()
    for name in ("api-blue", "api-green", "other"):
        world.groups[group(name)] = {"TargetGroupArn": group(name), "TargetGroupName": name, "TargetType": "ip"}
    world.listeners = {PRODUCTION: forward((BLUE, 1)), TEST: forward((BLUE, 1))}
    first = world.register("api", **definition())
    asked = {"networkConfiguration": NETWORK, "launchType": "FARGATE", "platformVersion": "1.4.0"}
    primary = Running("ecs-svc/1", first, 0.0, status="PRIMARY", groups=[BLUE], asked=asked)
    world.numbers = 1
    world.fleets["prod", "api"] = Fleet("prod", "api", controller, desired, sets=[primary])
    world.tick(10)
    world.register("api", **definition("api:2"))
    return world


def rolling_world(strategy: str = "ROLLING", breaker: bool = True) -> World:
    """The same, driven by ECS itself."""
    world = World()
    first = world.register("api", **definition())
    primary = Running("ecs-svc/1", first, 0.0, status="PRIMARY")
    world.numbers = 1
    fleet = Fleet("prod", "api", "ECS", 2, strategy, breaker, breaker, sets=[primary])
    world.fleets["prod", "api"] = fleet
    world.tick(10)
    world.register("api", **definition("api:2"))
    return world


@dataclass
class Deployment:
    """One deployment. *crashes*: how often the process died; its acts are then done again from the state before."""

    cloud: FakeCloud
    spec: EcsSpec = SPEC
    id: str = ID
    restoring: EcsState | None = None
    limit: dt.timedelta = dt.timedelta(minutes=60)
    state: EcsState | None = None
    said: list[str] = field(default_factory=list)
    crashes: int = 0

    @property
    def job(self) -> TrafficJob:
        return TrafficJob(
            deployment_id=self.id,
            application="shop",
            group="prod",
            group_id="g-1",
            place=AwsPlace(region="eu-west-1"),
            spec=self.spec,
            restoring=self.restoring,
        )

    def platform(self) -> ServicePlatform:
        cloud: Any = self.cloud
        settle = 2 * self.cloud.lag + 5
        return ServicePlatform(cloud, clock=cloud.clock, pause=cloud.pause, every=1.0, limit=self.limit, settle=settle)

    def inspect(self) -> EcsState:
        """Again while AWS throttles; the real `Aws` waits that out by itself."""
        self.cloud.advance(self.cloud.lag)
        for _ in range(20):
            with contextlib.suppress(AwsError):
                target, self.state = self.platform().inspect(self.job)
                assert target == "prod:api"
                return self.state
        raise AssertionError("AWS never answered")

    def act(self, act: Act) -> Outcome:
        """Until it ends; a crash leads to the same act from the same state, in a new process."""
        state = self.state or self.inspect()
        while True:
            task = Task(job=self.job, target="prod:api", act=act, attempt=1, state=state)
            try:
                outcome = asyncio.run(self.platform().act(task, self.said.append))
            except Killed:
                self.crashes += 1
                continue
            assert isinstance(outcome.state, EcsState)
            self.state = outcome.state
            return outcome

    def run(self, acts: Sequence[Act] = CANARY) -> Outcome:
        """All acts until one fails; its outcome, or that of the last."""
        outcome = Outcome(succeeded=True)
        for act in acts:
            outcome = self.act(act)
            if not outcome.succeeded:
                break
        return outcome

    def succeed(self, acts: Sequence[Act] = CANARY) -> EcsState:
        outcome = self.run(acts)
        assert outcome.succeeded, outcome.diagnostics.message
        assert self.state is not None
        return self.state

    def undo(self, spec: EcsSpec | None = None) -> "Deployment":
        """The rollback of this deployment."""
        return Deployment(self.cloud, spec or self.spec, "d-ROLLBACK1", self.state, self.limit)
