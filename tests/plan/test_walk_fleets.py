"""What a blue/green deployment on servers never does, whatever fails, stops or takes long."""

import datetime as dt
import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.fleets import Fleet, Green, Live
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.program import Act, Wait
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.model.target import EventStatus, TargetStatus
from runner.plan.batches import minimum_healthy
from runner.plan.fleets import TERMINATE, FleetProgram, compile_fleets, redeclared, sides
from runner.plan.lifecycle import server_blue_green
from runner.plan.walk_fleets import FleetMove, FleetTarget, FleetView, walk_fleets

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PIPELINE = server_blue_green()
STARTED, ENDED = EventStatus.IN_PROGRESS, (EventStatus.SUCCEEDED, EventStatus.FAILED, EventStatus.SKIPPED)
CONFIGURATIONS = (
    Rollout(name="AllAtOnce", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=0)),
    Rollout(name="HalfAtATime", minimum_healthy=MinimumHealthyHosts(type="FLEET_PERCENT", value=50)),
    Rollout(name="OneAtATime", minimum_healthy=MinimumHealthyHosts(type="MOST_CONCURRENCY", value=1)),
    Rollout(
        name="careful",
        max_failed=1,
        steps=(
            BatchStep(size=Share(value=1)),
            HoldStep(duration=HOUR),
            BatchStep(size=Share(value=50, percent=True), repeat=True),
        ),
    ),
)


class Simulation:
    """Applies moves as the store does, and makes the world answer as *seed* says."""

    def __init__(
        self, seed: int, rollout: Rollout, greens: int, blues: int, waits: BlueGreen, *, trouble: float, people: float
    ) -> None:
        self.dice, self.trouble, self.people = random.Random(seed), trouble, people
        group = GroupSettings(name="live", rollout=rollout, blue_green=waits, green=Green(fleet=Fleet()))
        self.program = compile_fleets(group, PIPELINE, restoring=False)
        names = [("Green", f"g{number}") for number in range(greens)] + [
            ("Blue", f"b{number}") for number in range(blues)
        ]
        self.targets = {
            name: FleetTarget(id=name, label=label, healthy=self.dice.random() < 0.5, status=TargetStatus.PENDING)
            for label, name in names
        }
        self.view = FleetView(
            now=T0, program=self.program, rollout=rollout, targets=tuple(self.targets.values()), started_at=T0
        )
        self.began: list[tuple[str, str]] = []
        self.stopped_at: int | None = None
        self.waited = dt.timedelta(0)
        self.end: FleetMove | None = None

    def run(self) -> None:
        for _ in range(3_000):
            self._walk()
            if self.end is not None:
                return
            self._happen()
        raise AssertionError("it does not end")

    def _walk(self) -> None:
        for _ in range(20):
            move = walk_fleets(self.view)
            self._apply(move)
            if move.status is not None:
                self.end = move
                return
            if not move.again:
                break
        again = walk_fleets(self.view)
        assert not again.started and not again.start and again.status is None and not again.again

    def _apply(self, move: FleetMove) -> None:
        for ending in move.ended:
            target = self.targets[ending.target]
            assert not target.status.is_terminal
            self._change(ending.target, status=ending.status)
        for start in move.started:
            target = self.targets[start.target]
            assert start.event == target.event + 1 and not target.status.is_terminal
            self.began.append((start.target, self.program.events_of(target.label)[start.event]))
            self._change(start.target, status=TargetStatus.IN_PROGRESS, event=start.event, event_status=STARTED)
        stays = move.step == self.view.step
        act = STARTED if move.start else (self.view.act if stays else EventStatus.PENDING)
        if move.start:
            step = self.program.steps[move.step]
            assert isinstance(step, Act)
            self.began.append(("", step.event))
        self.view = msgspec.structs.replace(
            self.view,
            targets=tuple(self.targets.values()),
            step=move.step,
            batch=move.batch,
            hold_until=move.hold_until,
            act=act,
            continue_requested=self.view.continue_requested and stays and move.batch == self.view.batch,
        )

    def _change(self, name: str, **changes: object) -> None:
        self.targets[name] = msgspec.structs.replace(self.targets[name], **changes)

    def _happen(self) -> None:
        """One thing: an event or an act ends, or time passes, or somebody wants something."""
        running = [each.id for each in self.targets.values() if each.event_status is STARTED]
        unlucky = self.dice.random() < self.trouble
        if self.dice.random() < self.people:
            self._somebody()
        elif running:
            status = self.dice.choice(ENDED[1:]) if unlucky else EventStatus.SUCCEEDED
            self._change(self.dice.choice(running), event_status=status)
            self.view = msgspec.structs.replace(self.view, targets=tuple(self.targets.values()))
        elif self.view.act is STARTED:
            failure = ErrorInformation(code="INTERNAL_ERROR", message="no") if unlucky else None
            status = EventStatus.FAILED if unlucky else EventStatus.SUCCEEDED
            self.view = msgspec.structs.replace(self.view, act=status, failure=failure)
        else:
            self.view = msgspec.structs.replace(self.view, now=self.view.now + HOUR / 2)

    def _somebody(self) -> None:
        if self.dice.random() < 0.5:
            self.view = msgspec.structs.replace(self.view, continue_requested=True)
        elif self.stopped_at is None:
            self.stopped_at = len(self.began)
            self.view = msgspec.structs.replace(self.view, stop_requested=True)

    def count(self, label: str, status: TargetStatus) -> int:
        return sum(each.label == label and each.status is status for each in self.targets.values())


WAITS = st.builds(
    BlueGreen,
    ready_wait=st.sampled_from([None, HOUR]),
    termination_wait=st.sampled_from([None, dt.timedelta(0), 2 * HOUR]),
)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rollout=st.sampled_from(CONFIGURATIONS),
    greens=st.integers(2, 6),
    blues=st.integers(0, 6),
    waits=WAITS,
    trouble=st.sampled_from([0.0, 0.05, 0.3]),
    people=st.sampled_from([0.0, 0.02, 0.2]),
)
def test_traffic_is_never_taken_from_the_original_before_the_replacement_has_it(
    seed: int, rollout: Rollout, greens: int, blues: int, waits: BlueGreen, trouble: float, people: float
) -> None:
    world = Simulation(seed, rollout, greens, blues, waits, trouble=trouble, people=people)
    world.run()
    assert world.end is not None
    assert all(each.status.is_terminal for each in world.targets.values())
    floor = max(1, minimum_healthy(rollout.minimum_healthy, greens) if rollout.minimum_healthy else 1)
    order = [event for _, event in world.began]
    if "BeforeBlockTraffic" in order:
        assert world.count("Green", TargetStatus.SUCCEEDED) >= floor
        assert "AfterAllowTraffic" not in order[order.index("BeforeBlockTraffic") :]
    if TERMINATE in order:
        assert world.count("Blue", TargetStatus.SUCCEEDED) == blues and order[-1] == TERMINATE
    if "BeforeAllowTraffic" in order:
        assert "ValidateService" not in order[order.index("BeforeAllowTraffic") :]
    if world.stopped_at is not None:
        assert len(world.began) == world.stopped_at
    if world.end.status is DeploymentStatus.SUCCEEDED:
        assert world.count("Blue", TargetStatus.SUCCEEDED) == blues
        assert (TERMINATE in order) is (waits.termination_wait is not None)
    else:
        assert world.end.error is not None
    if trouble == people == 0:
        expected = DeploymentStatus.STOPPED if waits.ready_wait else DeploymentStatus.SUCCEEDED
        assert world.end.status is expected


def test_a_program_knows_which_events_a_host_of_each_fleet_has() -> None:
    group = GroupSettings(name="live", rollout=CONFIGURATIONS[0], green=Green(copy=True))
    made: FleetProgram = compile_fleets(group, PIPELINE, restoring=False)
    assert [step.event for step in made.steps if isinstance(step, Act)] == ["Provision", "Attach", "Terminate"]
    assert [step for step in made.steps if isinstance(step, Wait)] == []
    assert made.events_of("Green") == PIPELINE.install + PIPELINE.allow
    assert made.events_of("Blue") == PIPELINE.block
    assert [number for number in range(10) if made.ends_stage("Green", number)] == [6, 9]
    back = compile_fleets(group, PIPELINE, restoring=True)
    assert (back.events_of("Blue"), back.events_of("Green")) == (PIPELINE.allow, PIPELINE.block)
    assert [step.event for step in back.steps if isinstance(step, Act)] == ["Attach"]


def test_a_group_that_was_told_of_flat_tags_is_told_back_with_those_of_its_new_hosts() -> None:
    declared = {
        "ec2TagFilters": [{"Key": "a", "Value": "b"}],
        "serviceRoleArn": "r",
        "autoScalingGroups": [{"name": "x"}],
    }
    assert redeclared(declared, Fleet()) == {"serviceRoleArn": "r"}


def test_two_fleets_of_a_manifest_take_turns_until_it_names_others() -> None:
    a, b, c = (Fleet(tags={"fleet": (name,)}) for name in "abc")
    group = GroupSettings(name="live", rollout=CONFIGURATIONS[0], tags=a.tags, green=Green(fleet=b))
    assert sides(group, None) == (a, b)
    assert sides(group, Live(fleet=b, instead_of=a)) == (b, a)
    assert sides(group, Live(fleet=a, instead_of=a)) == (a, b)
    changed = msgspec.structs.replace(group, tags=c.tags)
    assert sides(changed, Live(fleet=b, instead_of=a)) == (c, b)
