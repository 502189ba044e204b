"""What the fake AWS holds: services with task sets and tasks, listeners, rules, target groups. Time moves when it is told.

Tasks start three seconds after they were asked for and are healthy two seconds after a load balancer looks at them.
"""

import datetime as dt
import pickle
from dataclasses import dataclass, field
from math import ceil
from typing import Any

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
_REMEMBERED = 10  # stopped tasks of a task set
START, HEALTHY, DRAIN = 3.0, 2.0, 4.0  # seconds
ACCOUNT = "eu-west-1:111122223333"
ELB = f"arn:aws:elasticloadbalancing:{ACCOUNT}"
ECS = f"arn:aws:ecs:{ACCOUNT}"


def balancer(name: str, kind: str = "app") -> str:
    return f"{ELB}:loadbalancer/{kind}/{name}/50dc6c495c0c9188"


def listener(name: str, number: int, kind: str = "app") -> str:
    return f"{ELB}:listener/{kind}/{name}/50dc6c495c0c9188/{number:016x}"


def rule(name: str, of: int, number: int) -> str:
    return f"{ELB}:listener-rule/app/{name}/50dc6c495c0c9188/{of:016x}/{number:016x}"


def group(name: str) -> str:
    return f"{ELB}:targetgroup/{name}/73e2d6bc24d8a067"


def forward(*weights: tuple[str, int], **more: Any) -> list[dict[str, Any]]:
    """The actions of a listener, as DescribeListeners shows them."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}, **more}
    single = {"TargetGroupArn": weights[0][0]} if len(weights) == 1 else {}
    return [{"Type": "forward", **single, "ForwardConfig": config, "Order": 1}]


@dataclass
class Job:
    """A task. *fails_at*: when it stops by itself."""

    started_by: str
    definition: str
    created: float
    fails_at: float | None = None
    stopped: float | None = None

    def runs(self, now: float) -> bool:
        return self.stopped is None and now >= self.created + START


@dataclass
class Running:
    """A task set, or a deployment of a service that ECS drives."""

    id: str
    definition: str
    created: float
    scale: float = 100.0
    status: str = "ACTIVE"
    token: str = ""
    external: str = ""
    groups: list[str] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    draining: float | None = None
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0

    def alive(self) -> list[Job]:
        return [job for job in self.jobs if job.stopped is None]


@dataclass
class Fleet:
    """One service."""

    cluster: str
    name: str
    controller: str
    desired: int = 2
    strategy: str = "ROLLING"
    breaker: bool = False
    rolls_back: bool = False
    sets: list[Running] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    launches: list[dict[str, Any]] = field(default_factory=list)  # service deployments

    def wanted(self, running: Running) -> int:
        return 0 if running.draining is not None else ceil(self.desired * running.scale / 100)


class World:
    """All state. `tick` brings it to a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.fleets: dict[tuple[str, str], Fleet] = {}
        self.definitions: dict[str, list[dict[str, Any]]] = {}  # family to its revisions
        self.listeners: dict[str, list[dict[str, Any]]] = {}
        self.rules: dict[str, list[dict[str, Any]]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.attached: dict[str, float] = {}  # group to the time since which a load balancer looks at it
        self.numbers = 0

    def copy(self) -> "World":
        same: World = pickle.loads(pickle.dumps(self))
        return same

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def time(self, at: float | None = None) -> dt.datetime:
        return NOON + dt.timedelta(seconds=self.now if at is None else at)

    def entrances(self) -> dict[str, list[dict[str, Any]]]:
        return {**self.listeners, **self.rules}

    def definition(self, name: str) -> dict[str, Any] | None:
        """By ARN, `family:revision` or `family`."""
        family, _, revision = name.rpartition("/")[2].partition(":")
        known = self.definitions.get(family, [])
        if revision:
            return next((each for each in known if each["revision"] == int(revision)), None)
        return next((each for each in reversed(known) if each["status"] == "ACTIVE"), None)

    def register(self, family: str, **more: Any) -> str:
        known = self.definitions.setdefault(family, [])
        revision = len(known) + 1
        arn = f"{ECS}:task-definition/{family}:{revision}"
        known.append({"taskDefinitionArn": arn, "family": family, "revision": revision, "status": "ACTIVE", **more})
        return arn

    def is_broken(self, definition: str) -> bool:
        """Whether its tasks exit soon after their start."""
        known = self.definition(definition)
        return bool(known and any("broken" in each.get("image", "") for each in known["containerDefinitions"]))

    def tick(self, seconds: float) -> None:
        """In steps, so that what follows from something happens after it."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.5)
            self._look_at_groups()
            for fleet in self.fleets.values():
                for running in list(fleet.sets):
                    self._run(fleet, running)
                if fleet.controller == "ECS":
                    self._roll(fleet)

    def health(self, arn: str) -> list[str]:
        """State of each target of a group."""
        states = []
        for fleet in self.fleets.values():
            for running in fleet.sets:
                if arn in running.groups:
                    states += [self._health(arn, running, job) for job in running.jobs if job.runs(self.now)]
        return states

    def _health(self, arn: str, running: Running, job: Job) -> str:
        if running.draining is not None:
            return "draining"
        if arn not in self.attached:
            return "unused"
        since = max(self.attached[arn], job.created + START)
        return "healthy" if self.now >= since + HEALTHY else "initial"

    def _look_at_groups(self) -> None:
        named = {arn for actions in self.entrances().values() for arn in named_in(actions)}
        self.attached = {arn: self.attached.get(arn, self.now) for arn in sorted(named)}

    def _run(self, fleet: Fleet, running: Running) -> None:
        for job in running.alive():
            if job.fails_at is not None and self.now >= job.fails_at:
                job.stopped = self.now
                running.failed += 1
                fleet.events.append((self.now, f"(service {fleet.name}) has stopped 1 running tasks"))
        wanted = fleet.wanted(running)
        for job in running.alive()[wanted:]:
            if running.draining is None or self.now >= running.draining + DRAIN:
                job.stopped = self.now
        ended = [job for job in running.jobs if job.stopped is not None]
        running.jobs = [*ended[-_REMEMBERED:], *running.alive()]
        while len(running.alive()) < wanted:
            fails = self.now + START + 0.5 if self.is_broken(running.definition) else None
            running.jobs.append(Job(running.id, running.definition, self.now, fails))
        if running.draining is not None and not running.alive():
            fleet.sets.remove(running)

    def _roll(self, fleet: Fleet) -> None:
        """What ECS itself does with a service: the new tasks, then the end of the old ones; or back."""
        primary = next(each for each in fleet.sets if each.status == "PRIMARY")
        if primary.rollout == "IN_PROGRESS":
            others = [each for each in fleet.sets if each is not primary]
            if primary.failed >= 3 and fleet.breaker:
                self._break(fleet, primary)
            elif self._is_up(fleet, primary):
                for each in others:
                    each.draining = self.now if each.draining is None else each.draining
                if not others:
                    primary.rollout, primary.reason = "COMPLETED", f"ECS deployment {primary.id} completed."
        for launch in fleet.launches:
            self._launch(fleet, launch)

    def _is_up(self, fleet: Fleet, running: Running) -> bool:
        up = sum(job.runs(self.now) for job in running.alive())
        return up >= fleet.desired and not self.is_broken(running.definition)

    def _break(self, fleet: Fleet, primary: Running) -> None:
        primary.rollout, primary.reason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
        former = next((each for each in fleet.sets if each is not primary), None)
        if fleet.rolls_back and former is not None:
            primary.status, primary.draining = "ACTIVE", self.now + 20
            former.status, former.rollout, former.failed = "PRIMARY", "IN_PROGRESS", 0
            former.id, former.draining = f"ecs-svc/{self.number()}", None

    def _launch(self, fleet: Fleet, launch: dict[str, Any]) -> None:
        """A service deployment of ECS's own blue/green follows the tasks of its revision."""
        running = next((each for each in fleet.sets if each.id == launch["runs"]), None)
        if launch["status"] == "ROLLBACK_REQUESTED":
            launch["status"] = "ROLLBACK_SUCCESSFUL"
            former = self.begin(fleet, launch["from"])
            former.rollout = "IN_PROGRESS"
        elif launch["status"] == "IN_PROGRESS" and running is not None:
            if running.rollout == "COMPLETED":
                launch["status"] = "SUCCESSFUL"
            elif running.failed >= 3:
                launch |= {"status": "ROLLBACK_SUCCESSFUL", "reason": "Service deployment rolled back: tasks failed."}
                self.begin(fleet, launch["from"])

    def begin(self, fleet: Fleet, definition: str) -> Running:
        """A new deployment of a service that ECS drives; the one before goes on until it is replaced."""
        for each in fleet.sets:
            each.status = "ACTIVE"
            each.draining = self.now if self.is_broken(each.definition) else each.draining
        new = Running(f"ecs-svc/{self.number()}", definition, self.now, status="PRIMARY")
        fleet.sets.append(new)
        return new


def named_in(actions: list[dict[str, Any]]) -> dict[str, int]:
    """Target group to its weight."""
    found: dict[str, int] = {}
    for action in actions:
        for each in action.get("ForwardConfig", {}).get("TargetGroups", []):
            found[each["TargetGroupArn"]] = each.get("Weight", 1)
        if "TargetGroupArn" in action:
            found.setdefault(action["TargetGroupArn"], 1)
    return found
