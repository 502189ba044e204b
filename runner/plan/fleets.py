"""A blue/green deployment on servers as a line of steps: whole fleets go through lifecycle events, one after the other.

Source: CodeDeploy user guide, "Working with deployments in a blue/green environment", "AppSpec 'hooks' section".
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from runner.model.fleets import Fleet, Label, Live
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.program import Act, Wait
from runner.model.rollout import Rollout
from runner.model.tags import TagFilter
from runner.model.value import Value
from runner.plan.batches import Batch, RolloutPlan, compile_rollout
from runner.plan.lifecycle import BlueGreenPipeline

PROVISION, ATTACH, TERMINATE = "Provision", "Attach", "Terminate"  # acts on a fleet as a whole

# How long its events may take, beside its waits and holds. Source: CodeDeploy user guide, "Deployments limits": 109 hours,
# of which 48 are the longest wait for somebody and 48 the longest until the original ends.
LONGEST = dt.timedelta(hours=13)


class Stage(Value, frozen=True, kw_only=True, tag="stage"):
    """The hosts of one fleet go through *events*.

    *together*: all at once, and one that fails fails it; else as carefully as the deployment configuration says.
    """

    label: Label
    events: tuple[str, ...]
    together: bool = False


FleetStep: TypeAlias = Stage | Act | Wait


class FleetProgram(Value, frozen=True, kw_only=True):
    """All steps. *serving*: index of the first step at which traffic is where it belongs; what follows only cleans up.

    *restoring*: it gives the original its traffic back.
    """

    configuration: str
    steps: tuple[FleetStep, ...]
    serving: int
    restoring: bool = False

    def events_of(self, label: str | None) -> tuple[str, ...]:
        """All lifecycle events of a host of that fleet; event numbers of its targets count in this tuple."""
        stages = (step for step in self.steps if isinstance(step, Stage))
        return tuple(event for stage in stages if stage.label == label for event in stage.events)

    def first_event(self, number: int) -> int:
        """Which event of its fleet the stage that is step *number* begins with."""
        stage = self.steps[number]
        assert isinstance(stage, Stage)
        before = (step for step in self.steps[:number] if isinstance(step, Stage))
        return sum(len(each.events) for each in before if each.label == stage.label)

    def is_last_stage(self, number: int) -> bool:
        """Whether no host of its fleet has an event after the stage that is step *number*."""
        stage = self.steps[number]
        assert isinstance(stage, Stage)
        return all(not isinstance(step, Stage) or step.label != stage.label for step in self.steps[number + 1 :])

    def ends_stage(self, label: str | None, event: int) -> bool:
        """Whether the next event of that fleet's hosts belongs to a later stage, or there is none."""
        stages = [len(step.events) for step in self.steps if isinstance(step, Stage) and step.label == label]
        return event + 1 in (sum(stages[: number + 1]) for number in range(len(stages)))

    @property
    def waits(self) -> dt.timedelta:
        lengths = (step.duration for step in self.steps if isinstance(step, Wait) and step.duration)
        return sum(lengths, dt.timedelta(0))


def compile_fleets(
    settings: GroupSettings, pipeline: BlueGreenPipeline, *, restoring: bool, has_original: bool = True
) -> FleetProgram:
    """The program of one deployment to a group that has `green`. *has_original*: there is something to replace."""
    name = settings.rollout.name
    attach = [Act(event=ATTACH)] if settings.green and settings.green.copy else []
    if restoring:
        steps: list[FleetStep] = [
            Stage(label="Blue", events=pipeline.allow, together=True),
            Stage(label="Green", events=pipeline.block, together=True),
        ]
        return FleetProgram(configuration=name, steps=(*steps, *attach), serving=len(steps), restoring=True)
    waits = settings.blue_green
    steps = [
        *([Act(event=PROVISION)] if settings.green and settings.green.copy else []),
        Stage(label="Green", events=pipeline.install),
        *([Wait(kind="ready", duration=waits.ready_wait, expires="stop")] if waits.ready_wait else []),
        Stage(label="Green", events=pipeline.allow),
        Stage(label="Blue", events=pipeline.block, together=True),
    ]
    end = _end_of_the_original(waits) if has_original else ()
    return FleetProgram(configuration=name, steps=(*steps, *attach, *end), serving=len(steps))


def _end_of_the_original(waits: BlueGreen) -> Iterator[FleetStep]:
    if waits.termination_wait is None:
        return
    if waits.termination_wait:
        yield Wait(kind="termination", duration=waits.termination_wait)
    yield Act(event=TERMINATE)


def stage_plan(stage: Stage, rollout: Rollout, whole: int, left: int) -> RolloutPlan:
    """How *left* hosts go through *stage*, of a fleet of *whole*; the others have failed in an earlier stage.

    As many must be healthy at the end, and as few may have failed, as if it were all one stage. Raises
    `HealthConstraintsInvalid`.
    """
    if stage.together:
        batches = (Batch(size=left),)
        return RolloutPlan(
            configuration=rollout.name, total=left, minimum_healthy=left, window=left, max_failed=0, steps=batches
        )
    plan = compile_rollout(_of_one_place(rollout), whole)
    if left == whole:
        return plan
    rest = compile_rollout(msgspec.structs.replace(_of_one_place(rollout), minimum_healthy=None), left)
    return msgspec.structs.replace(
        rest,
        minimum_healthy=min(plan.minimum_healthy, left),
        window=min(plan.window, left),
        max_failed=None if plan.max_failed is None else plan.max_failed - (whole - left),
    )


def _of_one_place(rollout: Rollout) -> Rollout:
    """Zones are for deployments in place. Source: CodeDeploy user guide, "Zonal configuration"."""
    return msgspec.structs.replace(rollout, zonal=None)


def check_fleets(rollout: Rollout, number: int) -> None:
    """Whether *number* hosts can be installed at all. Raises `HealthConstraintsInvalid`."""
    if number:
        compile_rollout(_of_one_place(rollout), number)


def deadline(started_at: dt.datetime, program: FleetProgram, holds: dt.timedelta) -> dt.datetime:
    """When a deployment that began then has taken too long. *holds*: those of the stage under way, at most two times."""
    return started_at + LONGEST + program.waits + 2 * holds


# Which hosts are which.


def fleet_of(settings: GroupSettings) -> Fleet:
    return Fleet(tags=settings.tags, tag_set=settings.tag_set, ec2=settings.ec2)


def of_fleet(settings: GroupSettings, fleet: Fleet) -> GroupSettings:
    """*settings* with the hosts of *fleet*."""
    return msgspec.structs.replace(settings, tags=fleet.tags, tag_set=fleet.tag_set, ec2=fleet.ec2)


def fleets_of(settings: GroupSettings) -> list[GroupSettings]:
    """*settings* once for each fleet that they name."""
    green = settings.green.fleet if settings.green else None
    return [settings, *([of_fleet(settings, green)] if green else [])]


def sides(settings: GroupSettings, live: Live | None) -> tuple[Fleet, Fleet | None]:
    """The original, and the replacement where it is there already. A manifest names two fleets, which take turns."""
    own = fleet_of(settings)
    green = settings.green.fleet if settings.green else None
    if live is None or live.instead_of != own:
        return own, green
    return live.fleet, own if green == live.fleet else green


def redeclared(declared: Mapping[str, Any], fleet: Fleet) -> dict[str, Any]:
    """What the wire API was told of a group, with the hosts of *fleet* in place of its own; a DeploymentGroupInfo."""
    names = ("ec2TagFilters", "ec2TagSet", "onPremisesInstanceTagFilters", "onPremisesTagSet", "autoScalingGroups")
    made = {name: value for name, value in declared.items() if name not in names}
    for member, tag_set in (("ec2TagSet", fleet.ec2.tag_set), ("onPremisesTagSet", fleet.tag_set)):
        if tag_set:
            made[member] = {f"{member}List": [[_tag(each) for each in group] for group in tag_set]}
    if fleet.ec2.auto_scaling_groups:
        made["autoScalingGroups"] = [{"name": name} for name in fleet.ec2.auto_scaling_groups]
    return made


def _tag(tag: TagFilter) -> dict[str, str]:
    """A `TagFilter`, which has a Type."""
    if tag.key is None:
        return {"Value": tag.value or "", "Type": "VALUE_ONLY"}
    if tag.value is None:
        return {"Key": tag.key, "Type": "KEY_ONLY"}
    return {"Key": tag.key, "Value": tag.value, "Type": "KEY_AND_VALUE"}
