"""A simulated rollout: applies what `decide` says to a view, with a fake clock and whatever goes wrong on the hosts.

The simulation is what the store does, without a database: it records ended targets and started events, and nothing else.
It checks the promises at every step, whoever uses it.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

from runner.model.deployment import DeploymentStatus
from runner.model.target import EventStatus, TargetStatus
from runner.plan.batches import Batch, Hold, RolloutPlan
from runner.plan.decide import Decision, TargetView, View, decide

EVENTS = ("ApplicationStop", "DownloadBundle", "Install", "ValidateService")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Fails = Callable[[str, int], bool]


@dataclass
class Rollout:
    """One simulated rollout. *fails* says of (target, event index) whether that lifecycle event fails."""

    plan: RolloutPlan
    healthy: Sequence[bool]
    fails: Fails
    random: Random = field(default_factory=lambda: Random(0))
    ignore_stop_failures: bool = False

    def __post_init__(self) -> None:
        targets = tuple(
            TargetView(id=f"h{index:03}", healthy=healthy, status=TargetStatus.PENDING)
            for index, healthy in enumerate(self.healthy)
        )
        self.view = View(
            now=START,
            events=EVENTS,
            plan=self.plan,
            targets=targets,
            ignore_application_stop_failures=self.ignore_stop_failures,
        )
        self.started: list[tuple[str, int]] = []
        self.most_in_flight = 0
        self.status: DeploymentStatus | None = None
        self.error_code: str | None = None
        self.stopped_at: int | None = None

    # What the world does.

    def in_flight(self) -> list[TargetView]:
        return [each for each in self.view.targets if each.event_status is EventStatus.IN_PROGRESS]

    def end_event(self, target: TargetView) -> None:
        failed = self.fails(target.id, target.event)
        self._set(target.id, event_status=EventStatus.FAILED if failed else EventStatus.SUCCEEDED)

    def pass_time(self) -> None:
        if self.view.hold_until:
            self.view = msgspec.structs.replace(self.view, now=max(self.view.now, self.view.hold_until))

    def request_stop(self) -> None:
        self.stopped_at = len(self.started)
        self.view = msgspec.structs.replace(self.view, stop_requested=True)

    # What the store does.

    def decide(self) -> Decision:
        decision = decide(self.view)
        self._check(decision)
        for ended in decision.ended:
            self._set(ended.target, status=ended.status)
        for start in decision.started:
            self.started.append((start.target, start.event))
            self._set(
                start.target, status=TargetStatus.IN_PROGRESS, event=start.event, event_status=EventStatus.IN_PROGRESS
            )
        self.view = msgspec.structs.replace(self.view, step=decision.step, hold_until=decision.hold_until)
        self.status, self.error_code = decision.status, decision.error.code if decision.error else None
        out = [each for each in self.view.targets if each.status is TargetStatus.IN_PROGRESS]
        self.most_in_flight = max(self.most_in_flight, len(out))
        return decision

    def run(self, *, stop_after: int | None = None, crash: bool = False) -> DeploymentStatus:
        """Drive to the end; returns the terminal status. *crash*: decide twice on the same view, as a restart does."""
        for _step in range(20 * len(self.healthy) * len(EVENTS) + 100):
            if stop_after is not None and len(self.started) >= stop_after and self.stopped_at is None:
                self.request_stop()
            decision = self.decide()
            if decision.status:
                return decision.status
            if crash:
                again = decide(self.view)
                assert not again.ended and not again.started and again.status is None, (
                    "deciding again changed something"
                )
            running = self.in_flight()
            if running:
                for target in self.random.sample(running, self.random.randint(1, len(running))):
                    self.end_event(target)
            else:
                assert decision.hold_until or decision.started, "nothing in flight, nothing to wait for: stuck"
                self.pass_time()
        raise AssertionError("the rollout never ended")

    # The promises.

    def _check(self, decision: Decision) -> None:
        by_id = {each.id: each for each in self.view.targets}
        ended = {each.target: each.status for each in decision.ended}
        after = {each.id: ended.get(each.id, each.status) for each in self.view.targets}
        failed = sum(status is TargetStatus.FAILED for status in after.values())
        out = sum(status is TargetStatus.IN_PROGRESS for status in after.values())
        for start in decision.started:
            target = by_id[start.target]
            assert (start.target, start.event) not in self.started, "a lifecycle event was started twice"
            assert not target.status.is_terminal, "a target that had ended was touched"
            if start.event == 0:
                out += 1
                unavailable = out + (failed if target.healthy else 0)
                assert unavailable <= self.plan.window, "more hosts out of service than allowed"
            assert not self.view.stop_requested, "a step after a stop"
        if decision.status:
            assert not any(status is TargetStatus.IN_PROGRESS for status in after.values())
            assert all(status.is_terminal for status in after.values()), "a target was left without an end"
            never = {each.id for each in self.view.targets} - {target for target, _ in self.started}
            assert all(after[each] is TargetStatus.SKIPPED for each in never), "a host never reached is Skipped"
            assert sum(after[each] is TargetStatus.SKIPPED for each in after) == len(never)

    def _set(self, target: str, **changes: object) -> None:
        targets = tuple(
            msgspec.structs.replace(each, **changes) if each.id == target else each for each in self.view.targets
        )
        self.view = msgspec.structs.replace(self.view, targets=targets)

    def count(self, status: TargetStatus) -> int:
        return sum(each.status is status for each in self.view.targets)


def plan_of(
    total: int, minimum: int, *, max_failed: int | None = None, sizes: Sequence[int | None] = ()
) -> RolloutPlan:
    """A plan with batches of *sizes* (None: a hold of a minute); one batch over all where none is given."""
    steps = tuple(Hold(duration=dt.timedelta(minutes=1)) if size is None else Batch(size=size) for size in sizes)
    return RolloutPlan(
        configuration="test",
        total=total,
        minimum_healthy=minimum,
        window=total - minimum,
        max_failed=max_failed,
        steps=steps or (Batch(size=total),),
    )
