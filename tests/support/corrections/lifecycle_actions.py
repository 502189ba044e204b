"""What an instance waits for while a lifecycle hook holds it, and who is told."""

import contextlib
import datetime as dt
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling import models
from moto.autoscaling.exceptions import ValidationError
from moto.sqs.models import sqs_backends

_LONGEST = 172800  # seconds, however many heartbeats come
_speed = {"factor": 1.0}


def speed(factor: float) -> None:
    """Time-outs of lifecycle hooks pass so many times faster."""
    _speed["factor"] = float(factor)


@dataclass
class Waiting:
    """For one hook. *default*: the result when nobody says one in time. *heartbeat*: seconds."""

    default: str
    heartbeat: float
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    result: str | None = None
    began: float = field(default_factory=lambda: time.monotonic())
    beaten: float = field(default_factory=lambda: time.monotonic())

    def beat(self) -> None:
        self.beaten = time.monotonic()

    def is_over(self) -> bool:
        now, longest = time.monotonic(), min(_LONGEST, 100 * self.heartbeat)
        passed = (now - self.beaten) * _speed["factor"] > self.heartbeat
        return self.result is None and (passed or (now - self.began) * _speed["factor"] > longest)


def put(backend: Any, group: str, wanted: dict[str, Any]) -> None:
    """PutLifecycleHook; what is not said of a hook that is there stays."""
    name = wanted["LifecycleHookName"]
    hook = backend.lifecycle_hooks.get(f"{group}_{name}")
    if hook is None:
        if "LifecycleTransition" not in wanted:
            raise ValidationError("LifecycleTransition is required when creating a lifecycle hook")
        hook = backend.create_lifecycle_hook(name, group, wanted["LifecycleTransition"], None, None)
        hook.role_arn = hook.notification_target_arn = hook.notification_metadata = None
    timeout = wanted.get("HeartbeatTimeout", hook.heartbeat_timeout)
    if not 30 <= int(timeout) <= 7200:
        raise ValidationError("HeartbeatTimeout must be between 30 and 7200 seconds")
    hook.heartbeat_timeout, hook.global_timeout = int(timeout), min(_LONGEST, 100 * int(timeout))
    hook.default_result = wanted.get("DefaultResult", hook.default_result)
    hook.lifecycle_transition = wanted.get("LifecycleTransition", hook.lifecycle_transition)
    hook.role_arn = wanted.get("RoleARN", hook.role_arn)
    hook.notification_target_arn = wanted.get("NotificationTargetARN", hook.notification_target_arn)
    hook.notification_metadata = wanted.get("NotificationMetadata", hook.notification_metadata)
    _tell(hook, backend, {"Event": "autoscaling:TEST_NOTIFICATION"})


def begun(group: Any, state: Any, transition: str) -> dict[str, Waiting]:
    """One for each hook of the group at *transition*; who watches the hook is told."""
    made: dict[str, Waiting] = {}
    for hook in group.autoscaling_backend.describe_lifecycle_hooks(group.name):
        if hook.lifecycle_transition == transition:
            waiting = made[hook.name] = Waiting(hook.default_result, float(hook.heartbeat_timeout))
            said = {
                "LifecycleHookName": hook.name,
                "LifecycleTransition": transition,
                "EC2InstanceId": state.instance_id,
                "LifecycleActionToken": waiting.token,
            }
            _tell(hook, group.autoscaling_backend, said)
    return made


def _tell(hook: models.LifecycleHook, backend: Any, said: dict[str, Any]) -> None:
    target = hook.notification_target_arn
    if not target or ":sqs:" not in target:
        return
    message = {
        "AccountId": backend.account_id,
        "RequestId": str(uuid.uuid4()),
        "AutoScalingGroupName": hook.auto_scaling_group_name,
        "Service": "AWS Auto Scaling",
        "Time": dt.datetime.now(dt.UTC).isoformat(),
        **said,
    }
    if metadata := getattr(hook, "notification_metadata", None):
        message["NotificationMetadata"] = metadata
    _, _, _, region, account, queue = target.split(":")
    with contextlib.suppress(Exception):  # a queue that is gone hears nothing
        sqs_backends[account][region].send_message(queue, json.dumps(message))
