"""Auto Scaling groups of deployment groups: each instance that is launched gets the last successful revision before it
enters service, and what runs on one that ends is stopped before, where the group wants that.

A lifecycle hook holds the instance meanwhile. Nobody has to send us anything: we ask.
Source: CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling"; Amazon EC2 Auto Scaling user guide,
"Amazon EC2 Auto Scaling lifecycle hooks".
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

from runner.aws import Aws
from runner.errors import RunnerError
from runner.log import get_logger
from runner.model.ec2 import Transition
from runner.model.lifecycle_actions import ActionResult, LifecycleAction, LifecycleHook
from runner.plan.lifecycle_actions import is_overdue
from runner.ports import Clock
from runner.ports.lifecycle_actions import LifecycleActionStore
from runner.threads import in_thread
from runner.watch.lifecycle_hooks import LifecycleHooks

_BEAT = dt.timedelta(minutes=5)
_WAITS: dict[Transition, str] = {"launching": "Pending:Wait", "terminating": "Terminating:Wait"}
_SERVES = "InService"


class AutoScalingWatch:
    """Looks every *interval* seconds. *begun* is called when there is a new deployment."""

    def __init__(
        self,
        aws: Aws,
        store: LifecycleActionStore,
        *,
        clock: Clock,
        interval: float = 10.0,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._hooks, self._store = LifecycleHooks(aws), store
        self._clock, self._interval, self._begun = clock, interval, begun
        self._put: dict[LifecycleHook, str] = {}  # to the ARN of the group that has it
        self._not_held: set[tuple[LifecycleHook, str]] = set()
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
        wanted, installed, actions = self._store.wanted(), self._store.installed(), self._store.actions()
        hooks = dict.fromkeys([*wanted, *installed, *(action.hook for action in actions)])
        for place in dict.fromkeys(hook.place for hook in hooks):
            with _Told(self, place):
                here = [hook for hook in hooks if hook.place == place]
                groups = self._hooks.groups(place, {hook.auto_scaling_group for hook in here})
                self._look_at(groups, [hook for hook in here if hook in set(wanted)])
                self._go_on(groups, [each for each in self._store.actions() if each.hook.place == place])
                self._remove(
                    groups, [hook for hook in installed if hook.place == place and hook not in set(wanted)], wanted
                )

    # Hooks for each group, and a deployment for each instance that one holds.

    def _look_at(self, groups: dict[str, Any], wanted: list[LifecycleHook]) -> None:
        for hook in wanted:
            with _Told(self, hook):
                if (group := groups.get(hook.auto_scaling_group)) is None:
                    self._warn(hook, f"there is no Auto Scaling group {hook.auto_scaling_group} in {hook.place}")
                    continue
                self._install(hook, group["AutoScalingGroupARN"])
                waits = _WAITS[hook.transition]
                self._begin(hook, [each["InstanceId"] for each in group["Instances"] if _state(each) == waits])

    def _install(self, hook: LifecycleHook, arn: str) -> None:
        """Once for each group, and again by each process: somebody may have removed it."""
        if self._put.get(hook) == arn:
            return
        self._store.installing(hook)
        self._hooks.put(hook)
        self._put[hook] = arn

    def _begin(self, hook: LifecycleHook, waiting: list[str]) -> None:
        known = self._store.known(hook) if waiting else set()
        new = [each for each in waiting if each not in known and (hook, each) not in self._not_held]
        # One that ends may be switched off already; that must not keep it.
        for instance in self._hooks.running(hook.place, new) if hook.transition == "launching" else new:
            if not self._hooks.beat(hook, instance):
                self._not_held.add((hook, instance))  # it was held before the hook was there
            elif made := self._store.begin(hook, instance, self._clock()):
                self._log.info(
                    f"instance {hook.transition}", instance=instance, group=hook.auto_scaling_group, deployment=made
                )
                self._begun()

    # What follows from how the deployments go.

    def _go_on(self, groups: dict[str, Any], actions: list[LifecycleAction]) -> None:
        for action in actions:
            with _Told(self, action.hook):
                group = groups.get(action.hook.auto_scaling_group) or {"Instances": ()}
                states = {each["InstanceId"]: _state(each) for each in group["Instances"]}
                self._go_on_with(action, states.get(action.instance, ""))

    def _go_on_with(self, action: LifecycleAction, state: str) -> None:
        now = self._clock()
        if action.told_at is not None:
            if not state.startswith("Pending") and self._store.settle(action, now, serves=state == _SERVES):
                self._begun()
        elif action.result is not None:
            self._complete(action, action.result)
        elif is_overdue(action, now):
            self._complete(action, "CONTINUE")
            self._begun()
        elif state != _WAITS[action.hook.transition] or now - action.beaten_at >= _BEAT:
            # What is read may lag behind; the answer to a heartbeat does not.
            if self._hooks.beat(action.hook, action.instance):
                self._store.beaten(action, now)
            else:
                self._store.told(action, now)  # Auto Scaling has decided by itself
                self._begun()

    def _complete(self, action: LifecycleAction, result: ActionResult) -> None:
        self._hooks.complete(action.hook, action.instance, result)
        self._store.told(action, self._clock())
        self._log.info(
            "lifecycle action completed", instance=action.instance, transition=action.hook.transition, result=result
        )

    def _remove(self, groups: dict[str, Any], hooks: list[LifecycleHook], wanted: list[LifecycleHook]) -> None:
        """Not while it holds an instance that is deployed to: Auto Scaling would decide about that one at once."""
        busy = {action.hook for action in self._store.actions() if action.told_at is None}
        for hook in hooks:
            with _Told(self, hook):
                if hook in busy:
                    continue
                if hook.auto_scaling_group in groups and not any(self._hooks.is_same(hook, each) for each in wanted):
                    self._hooks.delete(hook)
                self._put.pop(hook, None)
                self._store.removed(hook)

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
