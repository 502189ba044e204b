"""ECS's own blue/green, canary and linear deployments: new tasks beside the old ones, behind the alternate target group;
then the listener rules; a bake time; then the old tasks go. All times are a hundredth; lifecycle hooks are not run.
"""

import math
import time
from typing import Any

from moto.core.utils import utcnow
from moto.ecs import models
from moto.elbv2 import models as elbv2_models

from support.corrections.ecs import deployments, words
from support.corrections.ecs.fleet import FLEETS

_FASTER = 100


def tick(service: models.Service) -> None:
    deployment = service.deployments[0]
    followed = deployments.current(service)
    for each in service.deployments:
        FLEETS[each["id"]].desired = service.desired_count
    if followed is None:
        FLEETS[deployment["id"]].desired = service.desired_count
    elif followed["status"] == "ROLLBACK_IN_PROGRESS":
        _clean_up(service, followed)
    else:
        deployments.check_breaker(service, deployment)
        if followed["status"] == "IN_PROGRESS":
            _advance(service, followed)
    deployments.refresh(service)


def _advance(service: models.Service, followed: dict[str, Any]) -> None:
    """One stage further, when its work is done."""
    stage = followed.get("lifecycleStage")
    fleet = FLEETS[service.deployments[0]["id"]]
    if stage is None:
        _enter(followed, "SCALE_UP")
    elif stage == "SCALE_UP" and fleet.is_steady():
        _route(service, fleet.order.load_balancers, "testListenerRule")
        followed["test_weight"] = 100.0
        _enter(followed, "TEST_TRAFFIC_SHIFT")
    elif stage == "TEST_TRAFFIC_SHIFT":
        followed["shifts"], followed["not_before"] = shifts(service.deployment_configuration), 0.0
        _enter(followed, "PRODUCTION_TRAFFIC_SHIFT")
    elif stage == "PRODUCTION_TRAFFIC_SHIFT" and followed["shifts"] and _is_time(followed):
        weight, minutes = followed["shifts"].pop(0)
        _route(service, fleet.order.load_balancers, "productionListenerRule", weight)
        followed["weight"] = weight
        _wait(followed, minutes)
    elif stage == "PRODUCTION_TRAFFIC_SHIFT" and not followed["shifts"]:
        _wait(followed, float(service.deployment_configuration.get("bakeTimeInMinutes") or 0))
        _enter(followed, "BAKE_TIME")
    elif stage == "BAKE_TIME" and _is_time(followed):
        _enter(followed, "CLEAN_UP")
    elif stage == "CLEAN_UP":
        _clean_up(service, followed)


def shifts(configuration: dict[str, Any]) -> list[tuple[float, float]]:
    """Percent of the production traffic, each with minutes until the next. Defaults: those of the API reference."""
    if configuration["strategy"] == "CANARY":
        canary = configuration.get("canaryConfiguration") or {}
        return [(canary.get("canaryPercent", 5.0), canary.get("canaryBakeTimeInMinutes", 10)), (100.0, 0)]
    if configuration["strategy"] == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        step, minutes = linear.get("stepPercent", 10.0), linear.get("stepBakeTimeInMinutes", 6)
        return [*((step * each, minutes) for each in range(1, math.ceil(100 / step))), (100.0, 0)]
    return [(100.0, 0)]


def _wait(followed: dict[str, Any], minutes: float) -> None:
    followed["not_before"] = time.monotonic() + minutes * 60 / _FASTER


def _is_time(followed: dict[str, Any]) -> bool:
    return time.monotonic() >= followed["not_before"]


def back(service: models.Service) -> None:
    """Traffic goes back to the tasks that had it: the primary deployment's."""
    balancers = FLEETS[service.deployments[0]["id"]].order.load_balancers
    for rule in ("productionListenerRule", "testListenerRule"):
        _route(service, balancers, rule)


def _clean_up(service: models.Service, followed: dict[str, Any]) -> None:
    if followed["status"] == "ROLLBACK_IN_PROGRESS" and not followed.get("routed"):
        followed["routed"], followed["weight"], followed["test_weight"] = True, 0.0, 0.0
        back(service)
    for each in service.deployments[1:]:
        FLEETS[each["id"]].desired, FLEETS[each["id"]].launching = 0, False
    deployments.drop_empty(service)
    primary = service.deployments[0]
    if len(service.deployments) == 1 and FLEETS[primary["id"]].is_steady():
        deployments.complete(service, primary)


def _enter(followed: dict[str, Any], stage: str) -> None:
    followed["lifecycleStage"], followed["updatedAt"] = stage, utcnow()


def other(balancer: dict[str, Any]) -> dict[str, Any]:
    """The same load balancer with its two target groups swapped: what the next deployment's tasks use."""
    advanced = balancer.get("advancedConfiguration")
    if not advanced or "alternateTargetGroupArn" not in advanced:
        raise words.invalid("advancedConfiguration with an alternateTargetGroupArn is required for this strategy.")
    swapped = {**advanced, "alternateTargetGroupArn": balancer["targetGroupArn"]}
    return {**balancer, "targetGroupArn": advanced["alternateTargetGroupArn"], "advancedConfiguration": swapped}


def _route(service: models.Service, balancers: list[dict[str, Any]], rule: str, weight: float = 100.0) -> None:
    """So many percent of these rules' traffic to the first group of each pair, the rest to the other."""
    for balancer in balancers:
        advanced = balancer.get("advancedConfiguration") or {}
        if advanced.get(rule):
            share = round(weight)
            groups = [(balancer["targetGroupArn"], share), (advanced["alternateTargetGroupArn"], 100 - share)]
            _forward(service, advanced[rule], groups)


def _forward(service: models.Service, arn: str, groups: list[tuple[str, int]]) -> None:
    region, account = arn.split(":")[3:5]
    rules = elbv2_models.elbv2_backends[account][region].describe_rules(None, [arn])
    config = {"TargetGroups": [{"TargetGroupArn": group, "Weight": weight} for group, weight in groups]}
    rules[0].actions[:] = [elbv2_models.FakeAction({"Type": "forward", "Order": 1, "ForwardConfig": config})]
    words.note(service, f"updated listener rule {arn} to forward to (target-group {groups[0][0]})")
