"""A deployment to one target whose traffic moves, as a straight line of steps; and what a platform is asked to do of it.

The place in the line, and what became of the act that is under way there, is all that must be remembered.
"""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.aws import AwsPlace
from runner.model.checks import Check
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.services import EcsSpec, EcsState
from runner.model.value import Value

TargetSpec: TypeAlias = LambdaSpec | EcsSpec
TargetState: TypeAlias = LambdaState | EcsState

WaitKind: TypeAlias = Literal["hold", "ready", "termination"]


# Acts of ours, for which CodeDeploy has no lifecycle event: neither its API nor its notifications tell of them.
OUR_ACTS = frozenset({"Publish", "Scale", "Check", "Terminate"})


class Act(Value, frozen=True, kw_only=True, tag="act"):
    """Something the platform does. *event*: the lifecycle event that it is (a part of), or one of `OUR_ACTS`.

    *weight*: percent of production traffic on the replacement afterwards. *scale*: percent of its tasks that run.
    *checks*: names of those that must pass now, or while it runs.
    """

    event: str
    weight: int | None = None
    scale: int | None = None
    checks: tuple[str, ...] = ()


class Wait(Value, frozen=True, kw_only=True, tag="wait"):
    """Time passes. *duration* None: until somebody continues. *expires*: what its end means when nobody did.

    *checks*: names of those that are looked at again and again meanwhile.
    """

    kind: WaitKind
    duration: dt.timedelta | None
    expires: Literal["continue", "stop"] = "continue"
    checks: tuple[str, ...] = ()


Step: TypeAlias = Act | Wait


class Program(Value, frozen=True, kw_only=True):
    """All steps. *serving*: index of the first step at which the target has succeeded; what follows only cleans up."""

    configuration: str
    steps: tuple[Step, ...]
    serving: int

    @property
    def events(self) -> tuple[str, ...]:
        """Its blocks in order; all moves of traffic are one. Event numbers of its deployment count in this tuple."""
        return tuple(dict.fromkeys(step.event for step in self.steps if isinstance(step, Act)))

    @property
    def waits(self) -> dt.timedelta:
        """All its waits together, those without an end not counted."""
        lengths = (step.duration for step in self.steps if isinstance(step, Wait) and step.duration)
        return sum(lengths, dt.timedelta(0))


class TrafficJob(Value, frozen=True, kw_only=True):
    """Everything about a deployment that its platform needs; the same for all its acts.

    *restoring*: on a rollback, what the deployment that is rolled back left; its work is to undo that.
    """

    deployment_id: str
    application: str
    group: str
    group_id: str
    place: AwsPlace
    spec: TargetSpec
    checks: dict[str, Check] = {}
    restoring: TargetState | None = None


class Task(Value, frozen=True, kw_only=True):
    """Do *act* on *target*. *state*: what the act before reported. *attempt*: counts the acts of one event, from 1."""

    job: TrafficJob
    target: str
    act: Act
    attempt: int
    state: TargetState

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.job.deployment_id, self.target, self.act.event, self.attempt)
