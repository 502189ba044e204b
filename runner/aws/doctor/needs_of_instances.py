"""The same for groups of servers: EC2, Auto Scaling, and the load balancers that instances are registered with.

What would change a fleet that serves is not tried, however small the change: suspending processes, attaching, tagging.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.aws.doctor.identity import Identity
from runner.aws.doctor.need import Need
from runner.aws.doctor.seen import Seen
from runner.aws.doctor.subject import Instances

_NO_INSTANCE = "i-00000000000000000"
_NO_HOOK = "penstock-doctor"


class _Group(NamedTuple):
    """An Auto Scaling group that has the traffic, or may have it one day. *name*: one that is there, "" for copies."""

    name: str
    arn: str
    nobody: str  # a name of the same kind that no group has


def of_instances(instances: Instances, group: str, who: Identity, seen: Seen) -> Iterator[Need]:
    """*group*: the deployment group, after which copies of Auto Scaling groups are called."""
    groups = list(_groups(instances, group, who, seen))
    yield Need("ec2", "describe_instances", "*", {"MaxResults": 5})
    if groups:
        yield Need("autoscaling", "describe_auto_scaling_groups", "*", {"MaxRecords": 1})
    for each in groups:
        yield from _of_launches(each)
        if instances.suspends:
            yield Need("autoscaling", "suspend_processes", each.arn, None)
            yield Need("autoscaling", "resume_processes", each.arn, None)
    if instances.copies:
        yield from _of_copies(groups, seen)
    if instances.terminates:
        yield from _of_the_end(groups, who)
    if instances.target_groups:
        yield from _of_target_groups(seen)
    if instances.classic:
        yield from _of_classic(instances.classic, who)


def _groups(instances: Instances, group: str, who: Identity, seen: Seen) -> Iterator[_Group]:
    for name in instances.auto_scaling_groups:
        yield _Group(name, seen.auto_scaling_groups.get(name) or _named(name, who), "")
    if instances.copies:
        yield _Group("", _named(f"CodeDeploy_{group}_*", who), f"CodeDeploy_{group}_penstock-doctor")


def _named(name: str, who: Identity) -> str:
    """The ARN; the part in the middle is known of those that are there."""
    return who.of("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")


def _of_launches(group: _Group) -> Iterator[Need]:
    """A lifecycle hook, and the instances that it holds."""
    hook = {"AutoScalingGroupName": group.name or group.nobody, "LifecycleHookName": _NO_HOOK}
    action = {**hook, "InstanceId": _NO_INSTANCE}
    yield Need("autoscaling", "put_lifecycle_hook", group.arn, hook)  # a new one must say its transition
    yield Need("autoscaling", "record_lifecycle_action_heartbeat", group.arn, action)
    yield Need("autoscaling", "complete_lifecycle_action", group.arn, {**action, "LifecycleActionResult": "CONTINUE"})
    yield Need("autoscaling", "delete_lifecycle_hook", group.arn, hook)


def _of_copies(groups: Sequence[_Group], seen: Seen) -> Iterator[Need]:
    """Who makes an Auto Scaling group must be allowed what it does for him.

    Source: Amazon EC2 Auto Scaling user guide, "Control Amazon EC2 launch template usage in Auto Scaling groups".
    """
    copies = groups[-1]
    nothing = {"AutoScalingGroupName": copies.nobody, "MinSize": 0, "MaxSize": 0}
    yield Need("autoscaling", "create_auto_scaling_group", copies.arn, nothing)  # it does not say what is launched
    yield Need("autoscaling", "create_or_update_tags", copies.arn, None)
    if seen.has_template:
        yield Need("ec2", "run_instances", "*", None)
        yield Need("ec2", "create_tags", "*", None)
    for role in seen.roles:
        yield Need("iam", "pass_role", role, None, "ec2.amazonaws.com")
    for kind, named in (("load_balancer_target_groups", seen.attached), ("load_balancers", seen.attached_classic)):
        for group in groups if named else ():  # in a rollback they go back
            yield Need("autoscaling", f"attach_{kind}", group.arn, None)
            yield Need("autoscaling", f"detach_{kind}", group.arn, None)


def _of_the_end(groups: Sequence[_Group], who: Identity) -> Iterator[Need]:
    dry = {"InstanceIds": [_NO_INSTANCE], "DryRun": True}
    yield Need("ec2", "terminate_instances", who.of("ec2", "instance/*"), dry)
    for group in groups:
        nobody = {"AutoScalingGroupName": group.nobody} if group.nobody else None
        yield Need("autoscaling", "delete_auto_scaling_group", group.arn, nobody)


def _of_target_groups(seen: Seen) -> Iterator[Need]:
    yield Need("elbv2", "describe_target_groups", "*", {"PageSize": 1})
    one = {"TargetGroupArn": seen.target_groups[0]} if seen.target_groups else None
    yield Need("elbv2", "describe_target_health", "*", one)
    for arn in seen.target_groups:
        none = {"TargetGroupArn": arn, "Targets": []}
        yield Need("elbv2", "register_targets", arn, none)
        yield Need("elbv2", "deregister_targets", arn, none)


def _of_classic(names: Sequence[str], who: Identity) -> Iterator[Need]:
    yield Need("elb", "describe_load_balancers", "*", {"LoadBalancerNames": list(names)})
    yield Need("elb", "describe_instance_health", "*", {"LoadBalancerName": names[0]})
    for name in names:
        arn, none = who.of("elasticloadbalancing", f"loadbalancer/{name}"), {"LoadBalancerName": name, "Instances": []}
        yield Need("elb", "register_instances_with_load_balancer", arn, none)
        yield Need("elb", "deregister_instances_from_load_balancer", arn, none)
