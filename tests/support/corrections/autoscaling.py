"""Auto Scaling: groups keep their size, lifecycle hooks hold instances, suspended processes do nothing.

An instance that starts waits in Pending:Wait while a hook for launching holds it, and only then enters service and its
load balancers; one that ends leaves them first, waits in Terminating:Wait, and is then terminated. Time-outs pass as
many times faster as the door `autoscaling_speed` says. Notifications go to SQS queues, none to SNS topics.
Facts: Auto Scaling's API reference and user guide, "Amazon EC2 Auto Scaling lifecycle hooks", "Suspend-resume processes".
"""

import contextlib
import sys
import threading
import time
import traceback
from typing import Any

from moto.autoscaling import models, responses
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.core.responses import ActionResult, EmptyResult
from moto.elb.exceptions import LoadBalancerNotFoundError
from moto.elbv2.exceptions import TargetGroupNotFoundError

from support.corrections import lifecycle_actions as actions
from support.serial import LOCK

_EVERY = 0.1  # seconds until what has timed out, or is missing, is noticed
_COUNTED = ("InService", "Pending", "Pending:Wait")  # towards the size that a group shall have
_LAUNCHING, _TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


def apply() -> None:
    _correct_groups()
    _correct_hooks()
    threading.Thread(target=_watch, daemon=True).start()


def reset() -> None:
    actions.speed(1)


DOOR = {"autoscaling_speed": actions.speed}


class ResourceInUse(AutoscalingClientError):
    code = "ResourceInUse"


# groups


def _correct_groups() -> None:
    group, backend, response = models.FakeAutoScalingGroup, models.AutoScalingBackend, responses.AutoScalingResponse
    plain_launch, plain_delete = group.replace_autoscaling_group_instances, backend.delete_auto_scaling_group
    plain_elbs, plain_resume = backend.update_attached_elbs, backend.resume_processes

    def launch(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        if _is_suspended(self, "Launch"):
            return
        before = list(self.instance_states)
        plain_launch(self, count_needed, propagated_tags)
        for state in [each for each in self.instance_states if each not in before]:
            _launched(self, state)

    def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        _converge(self)

    def terminate_instance(self: Any, instance_id: str, should_decrement: bool) -> models.TerminateInstanceActivity:
        state = _state(self, instance_id)
        owner, size = state.auto_scaling_group, state.auto_scaling_group.desired_capacity
        owner.desired_capacity = size - 1 if should_decrement else size
        _terminate(owner, state)
        _converge(owner)
        return models.TerminateInstanceActivity(state.instance, size)

    def update_attached_target_groups(self: Any, group_name: str) -> None:
        owner = self.autoscaling_groups[group_name]
        for state in owner.active_instances() if not _is_suspended(owner, "AddToLoadBalancer") else ():
            _add_to_target_groups(owner, state)

    def update_attached_elbs(self: Any, group_name: str) -> None:
        if not _is_suspended(self.autoscaling_groups[group_name], "AddToLoadBalancer"):
            plain_elbs(self, group_name)

    def resume_processes(self: Any, group_name: str, scaling_processes: list[str]) -> None:
        plain_resume(self, group_name, scaling_processes)
        _converge(self.autoscaling_groups[group_name])

    def delete_auto_scaling_group(self: Any) -> ActionResult:
        name, owner = self._get_param("AutoScalingGroupName"), None
        owner = self.autoscaling_backend.autoscaling_groups.get(name)
        if owner and owner.instance_states and not self._get_bool_param("ForceDelete", False):
            raise ResourceInUse("You cannot delete an AutoScalingGroup while there are instances still in the group.")
        for state in list(owner.instance_states) if owner else ():
            _leave(owner, state)
            _gone(owner, state)
        if owner:
            owner.suspended_processes, owner.instance_states = [], []
        plain_delete(self.autoscaling_backend, name)
        return EmptyResult()

    group.replace_autoscaling_group_instances, group.set_desired_capacity = launch, set_desired_capacity
    backend.terminate_instance, backend.resume_processes = terminate_instance, resume_processes
    backend.update_attached_target_groups = update_attached_target_groups
    backend.update_attached_elbs = update_attached_elbs
    response.delete_auto_scaling_group = delete_auto_scaling_group


def _converge(group: Any) -> None:
    """As many instances as it shall have, unless launching or terminating is suspended."""
    counted = [each for each in group.instance_states if each.lifecycle_state in _COUNTED]
    missing = (group.desired_capacity or 0) - len(counted)
    if missing > 0:
        group.replace_autoscaling_group_instances(missing, group.get_propagated_tags())
    elif missing < 0 and not _is_suspended(group, "Terminate"):
        for state in [each for each in counted if not each.protected_from_scale_in][:-missing]:
            _terminate(group, state)


def _launched(group: Any, state: Any) -> None:
    state.waits = actions.begun(group, state, _LAUNCHING)
    if state.waits:
        state.lifecycle_state = "Pending:Wait"
    else:
        _enter_service(group, state)


def _enter_service(group: Any, state: Any) -> None:
    state.lifecycle_state = "InService"
    if _is_suspended(group, "AddToLoadBalancer"):
        return
    _add_to_target_groups(group, state)
    for name in group.load_balancer_names or ():
        with contextlib.suppress(LoadBalancerNotFoundError):
            group.autoscaling_backend.elb_backend.register_instances(name, {state.instance_id}, from_autoscaling=True)


def _add_to_target_groups(group: Any, state: Any) -> None:
    elbv2 = group.autoscaling_backend.elbv2_backend
    for arn in group.target_group_arns or ():
        with contextlib.suppress(TargetGroupNotFoundError):
            (target_group,) = elbv2.describe_target_groups(load_balancer_arn=None, target_group_arns=[arn], names=None)
            if state.instance_id not in target_group.targets:
                elbv2.register_targets(arn, [{"Id": state.instance_id, "Port": target_group.port}])


def _terminate(group: Any, state: Any) -> None:
    if state.lifecycle_state.startswith("Terminating"):
        return
    _leave(group, state)
    state.waits = actions.begun(group, state, _TERMINATING)
    if state.waits:
        state.lifecycle_state = "Terminating:Wait"
    else:
        _gone(group, state)


def _leave(group: Any, state: Any) -> None:
    """Its load balancers, which happens before a hook holds it."""
    backend = group.autoscaling_backend
    for arn in group.target_group_arns or ():
        with contextlib.suppress(TargetGroupNotFoundError):
            (target_group,) = backend.elbv2_backend.describe_target_groups(
                load_balancer_arn=None, target_group_arns=[arn], names=None
            )
            if state.instance_id in target_group.targets:
                backend.elbv2_backend.deregister_targets(arn, [{"Id": state.instance_id}])
    for name in group.load_balancer_names or ():
        with contextlib.suppress(LoadBalancerNotFoundError):
            backend.elb_backend.deregister_instances(name, {state.instance_id}, from_autoscaling=True)


def _gone(group: Any, state: Any) -> None:
    group.instance_states = [each for each in group.instance_states if each is not state]
    group.autoscaling_backend.ec2_backend.terminate_instances([state.instance_id])


def _is_suspended(group: Any, process: str) -> bool:
    return any(each["ProcessName"] == process for each in group.suspended_processes)


def _state(backend: Any, instance_id: str) -> Any:
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance_id == instance_id:
                return state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


# hooks


def _correct_hooks() -> None:
    response = responses.AutoScalingResponse
    plain_create = response.create_auto_scaling_group

    def put_lifecycle_hook(self: Any) -> ActionResult:
        if self._get_param("AutoScalingGroupName") not in self.autoscaling_backend.autoscaling_groups:
            raise ValidationError("AutoScalingGroup name not found - null")
        actions.put(self.autoscaling_backend, self._get_param("AutoScalingGroupName"), dict(self._get_params()))
        return EmptyResult()

    def create_auto_scaling_group(self: Any) -> ActionResult:
        name, wanted = self._get_param("AutoScalingGroupName"), self._get_param("LifecycleHookSpecificationList", [])
        for each in wanted:  # before its first instances start
            actions.put(self.autoscaling_backend, name, dict(each))
        return plain_create(self)

    def complete_lifecycle_action(self: Any) -> ActionResult:
        group, state, waiting = _waiting(self)
        waiting.result = self._get_param("LifecycleActionResult")
        _go_on(group, state)
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self: Any) -> ActionResult:
        _, _, waiting = _waiting(self)
        waiting.beat()
        return EmptyResult()

    response.put_lifecycle_hook, response.create_auto_scaling_group = put_lifecycle_hook, create_auto_scaling_group
    response.complete_lifecycle_action = complete_lifecycle_action
    response.record_lifecycle_action_heartbeat = record_lifecycle_action_heartbeat


def _waiting(asked: Any) -> tuple[Any, Any, actions.Waiting]:
    """Group, instance and what it waits for, as the token or the instance's ID says."""
    group = asked.autoscaling_backend.autoscaling_groups.get(asked._get_param("AutoScalingGroupName"))
    hook, token = asked._get_param("LifecycleHookName"), asked._get_param("LifecycleActionToken")
    instance_id = asked._get_param("InstanceId")
    for state in group.instance_states if group else ():
        waiting = getattr(state, "waits", {}).get(hook)
        if waiting and waiting.result is None and (token == waiting.token or instance_id == state.instance_id):
            return group, state, waiting
    what = f"instance ID {instance_id}" if instance_id else f"token {token}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


def _go_on(group: Any, state: Any) -> None:
    """One ABANDON ends the waiting; otherwise every hook must be done."""
    results = [each.result for each in state.waits.values()]
    if "ABANDON" not in results and None in results:
        return
    state.waits = {}
    if state.lifecycle_state == "Pending:Wait" and "ABANDON" not in results:
        _enter_service(group, state)
    else:
        _gone(group, state)  # and `_watch` has another one launched, where it is missing


def _watch() -> None:
    """What has timed out goes on as its hook says; what is missing is launched."""
    while True:
        time.sleep(_EVERY)
        with LOCK:
            for backend in [each for account in models.autoscaling_backends.values() for each in account.values()]:
                for group in list(backend.autoscaling_groups.values()):
                    try:
                        _look_after(group)
                    except Exception:  # noqa: BLE001 - one group must not end the watch over all
                        traceback.print_exc(file=sys.stderr)


def _look_after(group: Any) -> None:
    for state in list(group.instance_states):
        over = [each for each in getattr(state, "waits", {}).values() if each.is_over()]
        for each in over:
            each.result = each.default
        if over:
            _go_on(group, state)
    _converge(group)
