"""Application and network load balancers: target health by real checks, draining, and the refusals that moto leaves out.

    apply()   # once per process that serves moto

Draining takes a hundredth of the group's `deregistration_delay.timeout_seconds`.
"""

import ipaddress
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.elbv2 import exceptions, models

from support.balancer import DataPlane, Group, Rule
from support.probes import PLACED, Check, Health, Prober, Watched, place, place_instance
from support.serial import LOCK

DRAIN_FASTER = 100

_HEAVIEST = 999  # elbv2 API reference, TargetGroupTuple: "The range is 0 to 999."
_MOST_GROUPS = 5  # elbv2 API reference, ForwardActionConfig
_WORDS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "asked": ("Elb.InitialHealthChecking", "Initial health checks in progress"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
    "gone": ("Target.NotRegistered", "Target is not registered to the target group"),
    "Target.Timeout": ("Target.Timeout", "Request timed out"),
    "Target.FailedHealthChecks": ("Target.FailedHealthChecks", "Health checks failed"),
}


def apply() -> None:
    group, backend = models.FakeTargetGroup, models.ELBv2Backend
    group.load_balancer_arns = property(_load_balancers, lambda self, ignored: None)
    group.register = _registering(group.register)
    group.deregister = _deregister
    group.health_for = _health_for(group.health_for)
    backend.describe_target_health = _describing(backend.describe_target_health)
    backend._validate_actions = _validating(backend._validate_actions)
    backend.modify_listener = _modifying_listener(backend.modify_listener)
    backend.modify_rule = _modifying_rule(backend.modify_rule)
    Prober(_watched, "target-health")


def reset() -> None:
    PLACED.clear()
    PLANE.close()


def state_of(group: models.FakeTargetGroup, target: str) -> str:
    """initial, healthy, unhealthy, draining or unused."""
    return str(group.health_for({"Id": target}, group.ec2_backend).status)


def is_used(group: models.FakeTargetGroup) -> bool:
    """Whether a listener or rule names it, be it with weight 0."""
    return bool(group.load_balancer_arns)


def targets(group: models.FakeTargetGroup) -> list[tuple[str, int]]:
    """Its registered targets (instance or address), each with its port."""
    return [(each["Id"], int(each["Port"])) for each in list(group.targets.values())]


def find_group(arn: str) -> models.FakeTargetGroup | None:
    region, account = arn.split(":")[3:5]
    return models.elbv2_backends[account][region].target_groups.get(arn)


def backends() -> Iterator[models.ELBv2Backend]:
    for account in list(models.elbv2_backends.values()):
        yield from list(account.values())


# Which load balancers use a target group is what listeners and rules say now; moto keeps what they said when they were made.


def _load_balancers(group: models.FakeTargetGroup) -> list[str]:
    backend = models.elbv2_backends[group.account_id][group.region_name]
    return [arn for arn, balancer in list(backend.load_balancers.items()) if group.arn in _used(backend, balancer)]


def _used(backend: models.ELBv2Backend, balancer: models.FakeLoadBalancer) -> set[str]:
    rules = [rule for listener in list(balancer.listeners.values()) for rule in list(listener.rules.values())]
    return {arn for rule in rules for action in rule.actions for arn in named(action.data)}


def named(action: dict[str, Any]) -> dict[str, int]:
    """The target groups of a forward action, each with its weight."""
    if config := action.get("ForwardConfig"):
        return {each["TargetGroupArn"]: int(each.get("Weight", 1)) for each in config.get("TargetGroups", [])}
    return {action["TargetGroupArn"]: 1} if "TargetGroupArn" in action else {}


# Registration and health.


def _registering(original: Callable[..., None]) -> Callable[..., None]:
    def register(self: models.FakeTargetGroup, added: list[dict[str, Any]]) -> None:
        for target in added:
            _check_target(self, target["Id"])
        known = set(self.targets)
        original(self, added)
        for target in added:
            if target["Id"] not in known:
                _healths(self).pop(target["Id"], None)
            _drains(self).pop(target["Id"], None)

    return register


def _check_target(group: models.FakeTargetGroup, target: str) -> None:
    if group.target_type == "instance" and group.ec2_backend.get_instance_by_id(target) is None:
        raise exceptions.InvalidTargetError(
            f"The following targets are not in a running state and cannot be registered: '{target}'"
        )
    if group.target_type == "ip":
        try:
            ipaddress.ip_address(target)
        except ValueError:
            raise exceptions.ValidationError(f"The IP address '{target}' is not a valid IPv4 address") from None


def _deregister(self: models.FakeTargetGroup, removed: list[dict[str, Any]]) -> None:
    """A target that is not there is no error (API reference, DeregisterTargets)."""
    delay = float(self.attributes["deregistration_delay.timeout_seconds"]) / DRAIN_FASTER
    for target in removed:
        used = is_used(self)
        if known := self.targets.pop(target["Id"], None):
            self.deregistered_targets[target["Id"]] = known
            _drains(self)[target["Id"]] = time.monotonic() + (delay if used else 0.0)


def _health_for(original: Callable[..., Any]) -> Callable[..., Any]:
    def health_for(self: models.FakeTargetGroup, target: dict[str, Any], ec2: Any) -> models.FakeHealthStatus:
        by_moto = original(self, target, ec2)
        if by_moto.status == "healthy":
            state, reason, words = _state(self, target["Id"])
        elif target["Id"] in self.targets or not _is_draining(self, target["Id"]):
            return by_moto  # a stopped instance, a stranger
        else:
            state, (reason, words) = "draining", _WORDS["draining"]
        port = (self.targets.get(target["Id"]) or target).get("Port", self.port)
        return models.FakeHealthStatus(target["Id"], port, self.health_check_port, state, reason, words)

    return health_for


def _state(group: models.FakeTargetGroup, target: str) -> tuple[str, str | None, str | None]:
    if not is_used(group):
        return "unused", *_WORDS["unused"]
    health = _health(group, target)
    if health.state == "initial":
        return "initial", *_WORDS["asked" if health.asked else "initial"]
    if health.state == "healthy":
        return "healthy", None, None
    status = health.reason or "Target.FailedHealthChecks"
    codes = ("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")
    return "unhealthy", *_WORDS.get(status, codes)


def _describing(original: Callable[..., Any]) -> Callable[..., Any]:
    """Asked for all targets, AWS tells of those that drain, too."""

    def describe_target_health(self: models.ELBv2Backend, arn: str, wanted: list[dict[str, Any]]) -> Any:
        group = self.target_groups.get(arn)
        if group is not None and not wanted:
            draining = [each for each in list(group.deregistered_targets.values()) if _is_draining(group, each["Id"])]
            wanted = [*list(group.targets.values()), *draining]
            if not wanted:
                return []
        return original(self, arn, wanted)

    return describe_target_health


def _is_draining(group: models.FakeTargetGroup, target: str) -> bool:
    return time.monotonic() < _drains(group).get(target, 0.0)


def _drains(group: models.FakeTargetGroup) -> dict[str, float]:
    """Per target when its draining ends (monotonic)."""
    return group.__dict__.setdefault("drains", {})


def _healths(group: models.FakeTargetGroup) -> dict[str, Health]:
    return group.__dict__.setdefault("healths", {})


def _health(group: models.FakeTargetGroup, target: str) -> Health:
    """After registration one passed check is enough; the threshold counts for those that were unhealthy."""
    new = Health(
        first=1,
        up=int(group.healthy_threshold_count),
        down=int(group.unhealthy_threshold_count),
        interval=float(group.health_check_interval_seconds),
    )
    return _healths(group).setdefault(target, new)


def _watched() -> Iterator[Watched]:
    for backend in backends():
        for group in list(backend.target_groups.values()):
            if not group.targets:
                continue
            if is_used(group):
                yield from (
                    Watched(_health(group, target), _check(group, target, port)) for target, port in targets(group)
                )
            else:
                _healths(group).clear()  # back in use, it starts anew


def _check(group: models.FakeTargetGroup, target: str, port: int) -> Check | None:
    asked = port if group.health_check_port in (None, "traffic-port") else int(group.health_check_port)
    found = place(target, asked)
    return found and Check(
        protocol=str(group.health_check_protocol or group.protocol),
        host=found[0],
        port=found[1],
        path=group.health_check_path or "/",
        codes=getattr(group, "matcher", {}).get("HttpCode") or "200",
        timeout=float(group.health_check_timeout_seconds),
    )


# Refusals.


def _validating(original: Callable[..., None]) -> Callable[..., None]:
    def _validate_actions(self: models.ELBv2Backend, actions: list[models.FakeAction]) -> None:
        original(self, actions)
        for action in actions:
            weights = named(action.data) if action.type == "forward" else {}
            if len(weights) > _MOST_GROUPS:
                raise exceptions.ValidationError(f"A forward action can have at most {_MOST_GROUPS} target groups")
            for weight in weights.values():
                if not 0 <= weight <= _HEAVIEST:
                    raise exceptions.ValidationError(
                        f"Target group weight '{weight}' must be between 0 and {_HEAVIEST}"
                    )

    return _validate_actions


def _modifying_listener(original: Callable[..., Any]) -> Callable[..., Any]:
    def modify_listener(self: models.ELBv2Backend, arn: str, *rest: Any, **named_: Any) -> Any:
        actions = named_.get("actions", rest[4] if len(rest) > 4 else None)
        self._validate_actions([models.FakeAction(action) for action in actions or []])
        return original(self, arn, *rest, **named_)

    return modify_listener


def _modifying_rule(original: Callable[..., Any]) -> Callable[..., Any]:
    def modify_rule(self: models.ELBv2Backend, rule_arn: str, conditions: Any, actions: Any) -> Any:
        if any(rule.is_default for rule in self.describe_rules(None, [rule_arn])):
            raise exceptions.ELBClientError("OperationNotPermitted", f"Default rule '{rule_arn}' cannot be modified")
        return original(self, rule_arn=rule_arn, conditions=conditions, actions=actions)

    return modify_rule


# What the data plane follows.


def rules_of(listener: str) -> list[Rule] | None:
    """As they are now, in the order in which they are tried; None when there is no such listener."""
    region, account = listener.split(":")[3:5]
    with LOCK:
        backend = models.elbv2_backends[account][region]
        found = [each.listeners[listener] for each in backend.load_balancers.values() if listener in each.listeners]
        if not found:
            return None
        rules = sorted(
            found[0].rules.values(), key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority))
        )
        return [_rule(rule) for rule in rules]


def _rule(rule: models.FakeRule) -> Rule:
    action = rule.actions[-1].data if rule.actions else {}
    conditions = tuple(rule.conditions)
    if fixed := action.get("FixedResponseConfig"):
        answer = (int(fixed["StatusCode"]), fixed.get("ContentType", "text/plain"), fixed.get("MessageBody", ""))
        return Rule(rule.arn, conditions, fixed=answer)
    groups = tuple(Group(arn, weight, _open_targets(arn)) for arn, weight in named(action).items())
    return Rule(rule.arn, conditions, groups)


def _open_targets(arn: str) -> tuple[tuple[str, int], ...]:
    """The healthy ones; when there are none, all that are unhealthy (user guide: "fail open")."""
    group = find_group(arn)
    if group is None:
        return ()
    states = {target: state_of(group, target) for target, _ in targets(group)}
    wanted = "healthy" if "healthy" in states.values() else "unhealthy"
    places = (place(target, port) for target, port in targets(group) if states[target] == wanted)
    return tuple(each for each in places if each is not None)


PLANE = DataPlane(rules_of)
DOOR: dict[str, Callable[..., Any]] = {
    "place_instance": place_instance,
    "open_listener": PLANE.open,
    "traffic": PLANE.traffic,
    "forget_traffic": PLANE.forget,
}
