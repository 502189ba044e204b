"""Auto Scaling groups of deployment groups: each instance that is launched gets the last successful revision before it
enters service.

A lifecycle hook holds the instance in `Pending:Wait` meanwhile. Nobody has to send us anything: we ask. An action of a hook
is named by its instance, so that no token has to be kept, and every call here may be repeated after a crash.
Source: CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling"; Amazon EC2 Auto Scaling user guide,
"Amazon EC2 Auto Scaling lifecycle hooks".
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runner.aws import Aws
from runner.aws.errors import AwsError
from runner.errors import RunnerError
from runner.log import get_logger
from runner.model.aws import AwsPlace
from runner.model.launches import Launch, LaunchHook
from runner.ports import Clock
from runner.ports.launches import LaunchStore
from runner.threads import in_thread

HEARTBEAT = 600  # seconds after which an instance that nobody cares for is abandoned
_BEAT = dt.timedelta(minutes=5)
_WAITS, _SERVES = "Pending:Wait", "InService"
_AT_ONCE = 100  # names of groups, IDs of instances
_NOT_THERE = "ValidationError"  # of Auto Scaling: no such group, hook, or action


class AutoScalingWatch:
    """Looks every *interval* seconds. *begun* is called when there is a new deployment."""

    def __init__(
        self,
        aws: Aws,
        store: LaunchStore,
        *,
        clock: Clock,
        interval: float = 10.0,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._aws, self._store, self._clock, self._interval, self._begun = aws, store, clock, interval, begun
        self._put: dict[LaunchHook, str] = {}  # to the ARN of the group that has it
        self._not_held: set[tuple[LaunchHook, str]] = set()
        self._said: dict[object, str] = {}
        self._log = get_logger()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await in_thread(self.look)
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                self._complain("look", error)
            await asyncio.sleep(self._interval)

    def look(self) -> None:
        """Once, at everything. Blocks."""
        wanted, installed, launches = self._store.wanted(), self._store.installed(), self._store.launches()
        hooks = dict.fromkeys([*wanted, *installed, *(launch.hook for launch in launches)])
        for place in dict.fromkeys(hook.place for hook in hooks):
            with _Told(self, place):
                here = [hook for hook in hooks if hook.place == place]
                groups = self._groups(place, {hook.auto_scaling_group for hook in here})
                self._look_at(groups, [hook for hook in here if hook in set(wanted)])
                self._go_on(groups, [each for each in self._store.launches() if each.hook.place == place])
                self._remove(
                    groups, [hook for hook in installed if hook.place == place and hook not in set(wanted)], wanted
                )

    def _groups(self, place: AwsPlace, names: Iterable[str]) -> dict[str, Any]:
        """Those that are there, by name, as DescribeAutoScalingGroups has them."""
        found: list[Any] = []
        for some in _some(sorted(names)):
            asked = {"AutoScalingGroupNames": some}
            found += self._aws.pages(place, "autoscaling", "describe_auto_scaling_groups", asked, "AutoScalingGroups")
        return {group["AutoScalingGroupName"]: group for group in found}

    # A hook for each group, and a deployment for each instance that it holds.

    def _look_at(self, groups: dict[str, Any], wanted: list[LaunchHook]) -> None:
        for hook in wanted:
            with _Told(self, hook):
                if (group := groups.get(hook.auto_scaling_group)) is None:
                    self._warn(hook, f"there is no Auto Scaling group {hook.auto_scaling_group} in {hook.place}")
                    continue
                self._install(hook, group["AutoScalingGroupARN"])
                self._begin(hook, [each["InstanceId"] for each in group["Instances"] if _state(each) == _WAITS])

    def _install(self, hook: LaunchHook, arn: str) -> None:
        """Once for each group, and again by each process: somebody may have removed it."""
        if self._put.get(hook) == arn:
            return
        self._store.installing(hook)
        wanted = {"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "DefaultResult": "ABANDON"}
        self._call(hook, "put_lifecycle_hook", **wanted, HeartbeatTimeout=HEARTBEAT)
        self._put[hook] = arn

    def _begin(self, hook: LaunchHook, waiting: list[str]) -> None:
        known = self._store.known(hook) if waiting else set()
        new = [each for each in waiting if each not in known and (hook, each) not in self._not_held]
        for instance in self._running(hook.place, new):
            if not self._beat(hook, instance):
                self._not_held.add((hook, instance))  # it was launched before the hook was there
            elif made := self._store.begin(hook, instance, self._clock()):
                self._log.info("instance launched", instance=instance, group=hook.auto_scaling_group, deployment=made)
                self._begun()

    def _running(self, place: AwsPlace, instances: list[str]) -> Iterator[str]:
        """Those that have booted so far that they have their addresses."""
        for some in _some(instances):
            filters = [{"Name": "instance-id", "Values": some}, {"Name": "instance-state-name", "Values": ["running"]}]
            found = self._aws.pages(place, "ec2", "describe_instances", {"Filters": filters}, "Reservations")
            yield from (each["InstanceId"] for reservation in found for each in reservation["Instances"])

    # What follows from how the deployments go.

    def _go_on(self, groups: dict[str, Any], launches: list[Launch]) -> None:
        for launch in launches:
            with _Told(self, launch.hook):
                group = groups.get(launch.hook.auto_scaling_group) or {"Instances": ()}
                states = {each["InstanceId"]: _state(each) for each in group["Instances"]}
                self._go_on_with(launch, states.get(launch.instance, ""))

    def _go_on_with(self, launch: Launch, state: str) -> None:
        now = self._clock()
        if launch.told_at is not None:
            if not state.startswith("Pending") and self._store.settle(launch, now, serves=state == _SERVES):
                self._begun()
        elif launch.result is not None:
            self._complete(launch)
        elif state != _WAITS or now - launch.beaten_at >= _BEAT:
            # What is read may lag behind; the answer to a heartbeat does not.
            if self._beat(launch.hook, launch.instance):
                self._store.beaten(launch, now)
            else:
                self._store.told(launch, now)  # Auto Scaling has decided by itself
                self._begun()

    def _complete(self, launch: Launch) -> None:
        """Say the result. A process that died may have said it before, and Auto Scaling may have decided by itself."""
        try:
            self._call(
                launch.hook,
                "complete_lifecycle_action",
                InstanceId=launch.instance,
                LifecycleActionResult=launch.result,
            )
        except AwsError as error:
            if error.aws_code != _NOT_THERE:
                raise
        self._store.told(launch, self._clock())
        self._log.info("launch ended", instance=launch.instance, result=launch.result)

    def _beat(self, hook: LaunchHook, instance: str) -> bool:
        """False: *hook* does not hold *instance*."""
        try:
            self._call(hook, "record_lifecycle_action_heartbeat", InstanceId=instance)
        except AwsError as error:
            if error.aws_code != _NOT_THERE:
                raise
            return False
        return True

    def _remove(self, groups: dict[str, Any], hooks: list[LaunchHook], wanted: list[LaunchHook]) -> None:
        """Not while it holds an instance that is deployed to: that one would be abandoned."""
        busy = {launch.hook for launch in self._store.launches() if launch.told_at is None}
        for hook in hooks:
            with _Told(self, hook):
                if hook in busy:
                    continue
                if hook.auto_scaling_group in groups and not any(self._is_same(hook, each) for each in wanted):
                    self._delete(hook)
                self._put.pop(hook, None)
                self._store.removed(hook)

    def _is_same(self, one: LaunchHook, other: LaunchHook) -> bool:
        """Whether only the role differs by which we reach the hook."""
        if (one.name, one.auto_scaling_group) != (other.name, other.auto_scaling_group):
            return False
        return all(of(one.place) == of(other.place) for of in (self._aws.region, self._aws.account))

    def _delete(self, hook: LaunchHook) -> None:
        try:
            self._call(hook, "delete_lifecycle_hook")
        except AwsError as error:
            if error.aws_code != _NOT_THERE:
                raise

    def _call(self, hook: LaunchHook, operation: str, **parameters: Any) -> None:
        named = {"AutoScalingGroupName": hook.auto_scaling_group, "LifecycleHookName": hook.name}
        self._aws.call(hook.place, "autoscaling", operation, {**named, **parameters})

    def _complain(self, about: object, error: Exception) -> None:
        self._warn(about, error.message if isinstance(error, RunnerError) else repr(error))

    def _warn(self, about: object, message: str) -> None:
        """Once, until it is something else."""
        if self._said.get(about) != message:
            self._said[about] = message
            self._log.warning("Auto Scaling groups could not be looked after", error=message)


class _Told:
    """What AWS refuses for one place or hook holds up none of the others."""

    def __init__(self, watch: AutoScalingWatch, about: object) -> None:
        self._watch, self._about = watch, about

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, RunnerError):
            self._watch._complain(self._about, error)
            return True
        return False


def _state(instance: dict[str, Any]) -> str:
    return str(instance["LifecycleState"])


def _some(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
