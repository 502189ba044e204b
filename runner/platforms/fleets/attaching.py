"""Which Auto Scaling group puts the instances that it launches into traffic: the one whose fleet has the traffic.

Instances are registered one by one, as carefully as was asked for; only what is launched later depends on this.
"""

from functools import partial

from runner.errors import Refused
from runner.model.command import FleetTask
from runner.platforms.fleets.groups import AutoScaling
from runner.platforms.fleets.work import Work


async def attach(work: Work, groups: AutoScaling, task: FleetTask) -> None:
    """What the one group is attached to, the other is from now on. Raises `Refused`, `AwsError`."""
    (original,), (replacement,) = task.original.ec2.auto_scaling_groups, task.replacement.ec2.auto_scaling_groups
    old, new = (replacement, original) if task.restoring else (original, replacement)
    await work.insist(partial(_move, groups, old, new, work))


def _move(groups: AutoScaling, old: str, new: str, work: Work) -> None:
    shown = groups.find(old)
    if shown is None:  # somebody has deleted it: nothing of it comes into traffic
        return
    if groups.find(new) is None:
        raise Refused("AUTO_SCALING_CONFIGURATION", f"Auto Scaling group {new} was deleted by somebody else")
    if arns := shown.get("TargetGroupARNs"):
        groups.call("attach_load_balancer_target_groups", AutoScalingGroupName=new, TargetGroupARNs=arns)
        groups.call("detach_load_balancer_target_groups", AutoScalingGroupName=old, TargetGroupARNs=arns)
    if names := shown.get("LoadBalancerNames"):
        groups.call("attach_load_balancers", AutoScalingGroupName=new, LoadBalancerNames=names)
        groups.call("detach_load_balancers", AutoScalingGroupName=old, LoadBalancerNames=names)
    work.say(f"instances that {new} launches get traffic from now on, those of {old} no longer")
