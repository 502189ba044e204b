"""The same for groups of servers: their Auto Scaling groups, and the load balancers that instances are registered with."""

from typing import Any

from runner.aws.doctor.findings import Finding, fine, missing
from runner.aws.doctor.seen import Looking
from runner.aws.doctor.subject import Instances


def look_at_instances(looking: Looking, instances: Instances) -> None:
    for name in instances.auto_scaling_groups:
        _look_at_auto_scaling_group(looking, name, instances)
    for group in instances.target_groups:
        member = "TargetGroupArns" if group.startswith("arn:") else "Names"
        asked = {member: [group]}
        if found := looking.find(
            f"target group {group}", "elbv2", "describe_target_groups", asked, _unfit_target_group
        ):
            looking.remember("target_groups", found["TargetGroups"][0]["TargetGroupArn"])
    for name in instances.classic:
        looking.find(f"classic load balancer {name}", "elb", "describe_load_balancers", {"LoadBalancerNames": [name]})


def _look_at_auto_scaling_group(looking: Looking, name: str, instances: Instances) -> None:
    what, asked = f"Auto Scaling group {name}", {"AutoScalingGroupNames": [name]}
    said = looking.ask(what, "autoscaling", "describe_auto_scaling_groups", asked)
    if said is None:
        return
    found: dict[str, Any] | None = next(iter(said["AutoScalingGroups"]), None)
    why = _unfit_group(found, looking.who.region, copied=instances.copies)
    looking.note(missing(what, why) if why else fine(what))
    if found is None:
        return
    looking.known.setdefault("auto_scaling_groups", {})[name] = found["AutoScalingGroupARN"]
    if instances.copies:
        _look_at_what_is_copied(looking, found)


def _unfit_group(found: dict[str, Any] | None, region: str, *, copied: bool) -> str:
    if found is None:
        return f"there is no such group in {region}"
    if status := found.get("Status"):
        return f"its status is {status!r}"
    if copied and not found["DesiredCapacity"]:
        return "it wants no instances, and neither would its copy"
    return ""


def _look_at_what_is_copied(looking: Looking, found: dict[str, Any]) -> None:
    looking.known["has_template"] = bool(found.get("LaunchTemplate") or found.get("MixedInstancesPolicy"))
    looking.known["attached"] = bool(found.get("TargetGroupARNs"))
    looking.known["attached_classic"] = bool(found.get("LoadBalancerNames"))
    if members := [each["InstanceId"] for each in found["Instances"]]:
        _look_at_role(looking, members[0])


def _look_at_role(looking: Looking, instance: str) -> None:
    """The role that instances have: who copies the group passes it on. Its name is not the profile's, so IAM is asked."""
    asked = {"Filters": [{"Name": "instance-id", "Values": [instance]}]}
    said = looking.ask_if_allowed("ec2", "describe_instances", asked)
    shown = [each for reservation in (said or {}).get("Reservations", ()) for each in reservation["Instances"]]
    profile = shown[0].get("IamInstanceProfile") if shown else None
    if not profile:
        return
    name = profile["Arn"].rpartition("/")[2]
    if found := looking.ask_if_allowed("iam", "get_instance_profile", {"InstanceProfileName": name}):
        looking.remember("roles", *(each["Arn"] for each in found["InstanceProfile"]["Roles"]))
        return
    why = f"iam:GetInstanceProfile is not allowed, so nobody knows the role of {name}, and whether it may be passed"
    looking.note(Finding(what="iam:PassRole", verdict="unknown", message=why))


def _unfit_target_group(answer: dict[str, Any]) -> str | None:
    found = answer["TargetGroups"][0]
    if (kind := found.get("TargetType", "instance")) not in ("instance", "ip"):
        return f"it has targets of type {kind}; instances can be in one of type instance or ip"
    if not found.get("LoadBalancerArns"):
        return "no load balancer sends requests to it, so that nothing in it would ever be healthy"
    return None
