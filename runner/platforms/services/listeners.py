"""Listeners and rules of Elastic Load Balancing: read and written. Everything here blocks."""

from collections.abc import Iterable

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services.actions import Actions, sendable
from runner.platforms.services.calls import Calls
from runner.platforms.services.routes import is_network, is_rule


def read(calls: Calls, arns: Iterable[str]) -> dict[str, Actions]:
    """What each listener (by default) and each rule does now. Raises `Refused` when one is gone; AWS does not say which."""
    wanted = list(dict.fromkeys(arns))
    found: dict[str, Actions] = {}
    try:
        if listeners := [arn for arn in wanted if not is_rule(arn)]:
            for each in calls.elb("describe_listeners", ListenerArns=listeners)["Listeners"]:
                found[each["ListenerArn"]] = each["DefaultActions"]
        if rules := [arn for arn in wanted if is_rule(arn)]:
            for each in calls.elb("describe_rules", RuleArns=rules)["Rules"]:
                found[each["RuleArn"]] = each["Actions"]
    except AwsError as error:
        if error.aws_code not in ("ListenerNotFound", "RuleNotFound"):
            raise
        which = " or ".join(wanted)
        raise Refused("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", f"there is no {which} ({error.message})") from error
    return {arn: found[arn] for arn in wanted if arn in found}


def rules_of(calls: Calls, listener: str) -> dict[str, Actions]:
    """The listener's rules by ARN, without its default one. A network load balancer's listeners have none."""
    if is_network(listener):
        return {}
    rules = calls.elb_pages("describe_rules", "Rules", ListenerArn=listener)
    return {each["RuleArn"]: each["Actions"] for each in rules if not each.get("IsDefault")}


def write(calls: Calls, arn: str, actions: Actions) -> None:
    """Everything else about the listener or rule stays as it is."""
    if is_rule(arn):
        calls.elb("modify_rule", RuleArn=arn, Actions=sendable(actions))
    else:
        calls.elb("modify_listener", ListenerArn=arn, DefaultActions=sendable(actions))


def all_of(calls: Calls, load_balancer: str) -> dict[str, Actions]:
    """Every listener and rule of a load balancer."""
    found: dict[str, Actions] = {}
    for each in calls.elb_pages("describe_listeners", "Listeners", LoadBalancerArn=load_balancer):
        found[each["ListenerArn"]] = each["DefaultActions"]
        found |= rules_of(calls, each["ListenerArn"])
    return found
