"""What a listener or a rule does with requests, as lists of actions. Pure: nothing here calls anybody.

Actions are as Elastic Load Balancing's DescribeListeners and DescribeRules show them.
"""

from math import gcd
from typing import Any, TypeAlias

Actions: TypeAlias = list[dict[str, Any]]

_MOST = 999  # weight of one target group


def shares(actions: Actions) -> dict[str, int]:
    """Target group (ARN) to its weight, of the action that forwards; empty when none does."""
    for action in actions:
        if action.get("Type") == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or []
            if groups:
                return {each["TargetGroupArn"]: each.get("Weight", 1) for each in groups}
            return {action["TargetGroupArn"]: 1} if action.get("TargetGroupArn") else {}
    return {}


def receives(actions: Actions, group: str) -> bool:
    """Whether any request that meets *actions* goes to *group*."""
    return shares(actions).get(group, 0) > 0


def moved(before: Actions, blue: str, green: str, weight: int) -> Actions:
    """*before*, but *weight* percent of what *blue* and *green* have together goes to *green*, and the rest to *blue*.

    Everything else stays: other actions, stickiness, and other target groups with their part of the whole.
    """
    return [_moved(action, blue, green, weight) if action.get("Type") == "forward" else action for action in before]


def handed_over(before: Actions, old: str, new: str) -> Actions:
    """*before* with *new* alone in the place of *old*, for load balancers whose listeners know no weights."""
    return [_single(action, new) if old in shares([action]) else action for action in before]


def same(one: Actions, other: Actions) -> bool:
    """Whether both do the same with every request; weights count by their proportion."""
    return [_meaning(each) for each in one] == [_meaning(each) for each in other]


def sendable(actions: Actions) -> Actions:
    """As ModifyListener and ModifyRule take them. A client secret is never shown, so it is told to stay as it is."""
    return [_sendable(action) for action in actions]


def describe(actions: Actions) -> str:
    """For people: `api-blue 90, api-green 10`, or the kind of what does not forward."""
    found = shares(actions)
    if not found:
        return ", ".join(str(action.get("Type")) for action in actions) or "nothing"
    return ", ".join(f"{group_name(arn)} {weight}" for arn, weight in found.items())


def group_name(arn: str) -> str:
    """`api-blue` of `arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/api-blue/0123456789abcdef`."""
    return arn.split("/")[1] if ":targetgroup/" in arn else arn


def _moved(action: dict[str, Any], blue: str, green: str, weight: int) -> dict[str, Any]:
    found = shares([action])
    whole = found.get(blue, 0) + found.get(green, 0)
    if not whole:
        return action
    others = {arn: each for arn, each in found.items() if arn not in (blue, green)}
    if any(others.values()):
        parts = _whole_numbers(
            {**{arn: each * 100 for arn, each in others.items()}, blue: whole * (100 - weight), green: whole * weight}
        )
    else:
        parts = {**others, blue: 100 - weight, green: weight}
    groups = [{"TargetGroupArn": arn, "Weight": each} for arn, each in parts.items()]
    rest = {key: value for key, value in action.items() if key != "TargetGroupArn"}
    return {**rest, "ForwardConfig": {**action.get("ForwardConfig", {}), "TargetGroups": groups}}


def _whole_numbers(exact: dict[str, int]) -> dict[str, int]:
    """The same proportions in the range that a weight may have; nearly, where they do not fit."""
    factor, top = gcd(*exact.values()), max(exact.values())
    if top // factor <= _MOST:
        return {arn: each // factor for arn, each in exact.items()}
    return {arn: max(1, round(each * _MOST / top)) if each else 0 for arn, each in exact.items()}


def _single(action: dict[str, Any], group: str) -> dict[str, Any]:
    kept = {key: value for key, value in action.items() if key not in ("TargetGroupArn", "ForwardConfig")}
    return {**kept, "TargetGroupArn": group}


def _meaning(action: dict[str, Any]) -> Any:
    """Without what says the same in two ways. Order says nothing that the place in the list does not."""
    rest = {key: value for key, value in action.items() if key not in ("Order", "TargetGroupArn", "ForwardConfig")}
    if "AuthenticateOidcConfig" in rest:
        rest["AuthenticateOidcConfig"] = {**rest["AuthenticateOidcConfig"], "UseExistingClientSecret": None}
    if action.get("Type") != "forward":
        return rest
    weights = {arn: weight for arn, weight in shares([action]).items() if weight}
    factor = gcd(*weights.values()) or 1
    stickiness = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {}
    rest["stickiness"] = stickiness if stickiness.get("Enabled") else None
    return {**rest, "to": {arn: weight // factor for arn, weight in weights.items()}}


def _sendable(action: dict[str, Any]) -> dict[str, Any]:
    config = action.get("AuthenticateOidcConfig")
    if config is not None and not config.get("ClientSecret"):
        return {**action, "AuthenticateOidcConfig": {**config, "UseExistingClientSecret": True}}
    return action
