"""Instances that Auto Scaling launches or ends, held back by a lifecycle hook until they have been deployed to."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.aws import AwsPlace
from runner.model.ec2 import Transition
from runner.model.value import Value

ActionResult: TypeAlias = Literal["CONTINUE", "ABANDON"]


class LifecycleHook(Value, frozen=True, kw_only=True):
    """The lifecycle hook *name* that holds instances of *auto_scaling_group* in *transition* for a deployment group."""

    group_id: str
    place: AwsPlace
    auto_scaling_group: str
    transition: Transition
    name: str


class LifecycleAction(Value, frozen=True, kw_only=True):
    """An *instance* that *hook* holds or held. *result*: what Auto Scaling is to be told; None while a deployment to the
    instance is under way. *told_at*: when it was told, or needed to be told no more. *beaten_at*: the last heartbeat.
    """

    hook: LifecycleHook
    instance: str
    deployment_id: str | None
    begun_at: dt.datetime
    beaten_at: dt.datetime
    result: ActionResult | None = None
    told_at: dt.datetime | None = None
