"""ECS's own blue/green: new tasks beside the old ones, behind the alternate target group; then the listener rules; a bake
time, a hundred times as fast as configured; then the old tasks go. Lifecycle hooks are not run; all traffic moves at once.
"""

import time
from typing import Any

from moto.core.utils import utcnow
from moto.ecs import models
from moto.elbv2 import models as elbv2_models

from support.corrections.ecs import deployments, words
from support.corrections.ecs.fleet import FLEETS

_BAKE_FASTER = 100


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
        _enter(followed, "TEST_TRAFFIC_SHIFT")
    elif stage == "TEST_TRAFFIC_SHIFT":
        _route(service, fleet.order.load_balancers, "productionListenerRule")
        _enter(followed, "PRODUCTION_TRAFFIC_SHIFT")
    elif stage == "PRODUCTION_TRAFFIC_SHIFT":
        minutes = float(service.deployment_configuration.get("bakeTimeInMinutes") or 0)
        followed["baked"] = time.monotonic() + minutes * 60 / _BAKE_FASTER
        _enter(followed, "BAKE_TIME")
    elif stage == "BAKE_TIME" and time.monotonic() >= followed["baked"]:
        _enter(followed, "CLEAN_UP")
    elif stage == "CLEAN_UP":
        _clean_up(service, followed)


def back(service: models.Service) -> None:
    """Traffic goes back to the tasks that had it: the primary deployment's."""
    balancers = FLEETS[service.deployments[0]["id"]].order.load_balancers
    for rule in ("productionListenerRule", "testListenerRule"):
        _route(service, balancers, rule)


def _clean_up(service: models.Service, followed: dict[str, Any]) -> None:
    if followed["status"] == "ROLLBACK_IN_PROGRESS" and not followed.get("routed"):
        followed["routed"] = True
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


def _route(service: models.Service, balancers: list[dict[str, Any]], rule: str) -> None:
    """All traffic of these rules to the first group of each pair."""
    for balancer in balancers:
        advanced = balancer.get("advancedConfiguration") or {}
        if advanced.get(rule):
            groups = [(balancer["targetGroupArn"], 100), (advanced["alternateTargetGroupArn"], 0)]
            _forward(service, advanced[rule], groups)


def _forward(service: models.Service, arn: str, groups: list[tuple[str, int]]) -> None:
    region, account = arn.split(":")[3:5]
    rules = elbv2_models.elbv2_backends[account][region].describe_rules(None, [arn])
    config = {"TargetGroups": [{"TargetGroupArn": group, "Weight": weight} for group, weight in groups]}
    rules[0].actions[:] = [elbv2_models.FakeAction({"Type": "forward", "Order": 1, "ForwardConfig": config})]
    words.note(service, f"updated listener rule {arn} to forward to (target-group {groups[0][0]})")
