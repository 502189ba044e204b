"""The operations of the fake AWS: each takes the world and the parameters, and answers as the service model says."""

from collections.abc import Callable
from typing import Any

from platforms.services.fake_world import ECS, ELB, Fleet, Running, World, named_in

Answered = dict[str, Any]


class No(Exception):
    """AWS refuses, with a code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


# Elastic Load Balancing


def describe_listeners(world: World, params: dict[str, Any]) -> Answered:
    if "LoadBalancerArn" in params:
        arns = [arn for arn in world.listeners if balancer_of(arn) == params["LoadBalancerArn"]]
    else:
        arns = params["ListenerArns"]
    if any(arn not in world.listeners for arn in arns):
        raise No("ListenerNotFound", "One or more listeners not found")
    return {"Listeners": [{"ListenerArn": arn, "DefaultActions": world.listeners[arn]} for arn in arns]}


def describe_rules(world: World, params: dict[str, Any]) -> Answered:
    if "ListenerArn" in params:
        start = params["ListenerArn"].replace(":listener/", ":listener-rule/") + "/"
        arns = [arn for arn in world.rules if arn.startswith(start)]
        default = {"RuleArn": start + "0", "Actions": world.listeners[params["ListenerArn"]], "IsDefault": True}
        return {"Rules": [*(_rule(world, arn) for arn in arns), default]}
    if any(arn not in world.rules for arn in params["RuleArns"]):
        raise No("RuleNotFound", "One or more rules not found")
    return {"Rules": [_rule(world, arn) for arn in params["RuleArns"]]}


def modify_listener(world: World, params: dict[str, Any]) -> Answered:
    _known(world.listeners, params["ListenerArn"], "ListenerNotFound")
    world.listeners[params["ListenerArn"]] = _checked(world, params["DefaultActions"])
    return {"Listeners": []}


def modify_rule(world: World, params: dict[str, Any]) -> Answered:
    _known(world.rules, params["RuleArn"], "RuleNotFound")
    world.rules[params["RuleArn"]] = _checked(world, params["Actions"])
    return {"Rules": []}


def describe_target_groups(world: World, params: dict[str, Any]) -> Answered:
    wanted = params.get("TargetGroupArns") or params["Names"]
    key = "TargetGroupArn" if "TargetGroupArns" in params else "TargetGroupName"
    found = [{**each, "LoadBalancerArns": _balancers(world, arn)} for arn, each in world.groups.items()]
    chosen = [each for each in found if each[key] in wanted]
    if len(chosen) < len(wanted):
        raise No("TargetGroupNotFound", "One or more target groups not found")
    return {"TargetGroups": chosen}


def describe_target_health(world: World, params: dict[str, Any]) -> Answered:
    _known(world.groups, params["TargetGroupArn"], "TargetGroupNotFound")
    states = world.health(params["TargetGroupArn"])
    described = [{"Target": {"Id": "10.0.0.1"}, "TargetHealth": {"State": state}} for state in states]
    return {"TargetHealthDescriptions": described}


def balancer_of(arn: str) -> str:
    kind, name, number = arn.split("/")[1:4]
    return f"{ELB}:loadbalancer/{kind}/{name}/{number}"


def _rule(world: World, arn: str) -> dict[str, Any]:
    return {"RuleArn": arn, "Actions": world.rules[arn], "IsDefault": False}


def _balancers(world: World, group: str) -> list[str]:
    return sorted({balancer_of(arn) for arn, actions in world.entrances().items() if group in named_in(actions)})


def _known(where: dict[str, Any], arn: str, code: str) -> None:
    if arn not in where:
        raise No(code, f"{arn} is not there")


def _checked(world: World, actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As DescribeListeners will show them: a single target group stands there twice."""
    shown = []
    for action in actions:
        for arn, weight in named_in([action]).items():
            _known(world.groups, arn, "TargetGroupNotFound")
            if not 0 <= weight <= 999:
                raise No("ValidationError", "Weight must be between 0 and 999")
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if "TargetGroupArn" in action and groups:
            if [each["TargetGroupArn"] for each in groups] != [action["TargetGroupArn"]]:
                raise No("InvalidLoadBalancerAction", "TargetGroupArn and ForwardConfig must agree")
        elif "TargetGroupArn" in action:
            action = {**action, "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": action["TargetGroupArn"]}]}}
        if (login := action.get("AuthenticateOidcConfig")) is not None:  # neither the secret nor this is ever shown
            shown_login = {key: value for key, value in login.items() if key != "UseExistingClientSecret"}
            action = {**action, "AuthenticateOidcConfig": shown_login}
        shown.append(action)
    return shown


# ECS


def describe_services(world: World, params: dict[str, Any]) -> Answered:
    if not any(cluster == params["cluster"] for cluster, _ in world.fleets):
        raise No("ClusterNotFoundException", "Cluster not found.")
    fleet = world.fleets.get((params["cluster"], params["services"][0]))
    if fleet is None:
        return {"services": [], "failures": [{"reason": "MISSING"}]}
    return {"services": [_service(world, fleet)], "failures": []}


def describe_task_definition(world: World, params: dict[str, Any]) -> Answered:
    found = world.definition(params["taskDefinition"])
    if found is None:
        raise No("ClientException", "Unable to describe task definition.")
    shown = {key: value for key, value in found.items() if key != "tags"}
    return {"taskDefinition": shown, **({"tags": found.get("tags", [])} if params.get("include") else {})}


def register_task_definition(world: World, params: dict[str, Any]) -> Answered:
    arn = world.register(**params)
    return {"taskDefinition": {"taskDefinitionArn": arn}}


def create_task_set(world: World, params: dict[str, Any]) -> Answered:
    fleet = _fleet(world, params)
    if fleet.controller != "EXTERNAL":
        raise No(
            "InvalidParameterException",
            "Amazon ECS only supports task set management on services configured to use external deployment controllers.",
        )
    for each in fleet.sets:
        if each.token == params["clientToken"]:
            return {"taskSet": _task_set(world, fleet, each)}
    if len(fleet.sets) >= 5:
        raise No("InvalidParameterException", "5 deployments exist on the service.")
    definition = world.definition(params["taskDefinition"])
    assert definition is not None
    new = Running(
        f"ecs-svc/{world.number()}",
        definition["taskDefinitionArn"],
        world.now,
        scale=params["scale"]["value"],
        token=params["clientToken"],
        external=params["externalId"],
        groups=[each["targetGroupArn"] for each in params["loadBalancers"]],
        asked=params,
    )
    fleet.sets.append(new)
    return {"taskSet": _task_set(world, fleet, new)}


def update_task_set(world: World, params: dict[str, Any]) -> Answered:
    fleet = _fleet(world, params)
    running = _set(fleet, params["taskSet"])
    running.scale = params["scale"]["value"]
    return {"taskSet": _task_set(world, fleet, running)}


def update_service_primary_task_set(world: World, params: dict[str, Any]) -> Answered:
    fleet = _fleet(world, params)
    chosen = _set(fleet, params["primaryTaskSet"])
    for each in fleet.sets:
        each.status = "PRIMARY" if each is chosen else "ACTIVE"
    return {"taskSet": _task_set(world, fleet, chosen)}


def delete_task_set(world: World, params: dict[str, Any]) -> Answered:
    fleet = _fleet(world, params)
    doomed = _set(fleet, params["taskSet"])
    if not params.get("force") and (doomed.scale or doomed.status == "PRIMARY"):
        raise No("InvalidParameterException", "The task set is the primary one or has running tasks; use force.")
    doomed.draining = world.now if doomed.draining is None else doomed.draining
    return {"taskSet": _task_set(world, fleet, doomed)}


def list_tasks(world: World, params: dict[str, Any]) -> Answered:
    fleet = world.fleets[(params["cluster"], params["serviceName"])]
    return {"taskArns": [arn for arn, job in _jobs(fleet) if job.stopped is not None]}


def describe_tasks(world: World, params: dict[str, Any]) -> Answered:
    jobs = {arn: job for fleet in world.fleets.values() for arn, job in _jobs(fleet)}
    return {"tasks": [_task(world, arn, jobs[arn]) for arn in params["tasks"] if arn in jobs]}


def update_service(world: World, params: dict[str, Any]) -> Answered:
    fleet = _fleet(world, params)
    primary = next(each for each in fleet.sets if each.status == "PRIMARY")
    definition = world.definition(params["taskDefinition"])
    assert definition is not None
    arn = definition["taskDefinitionArn"]
    if arn != primary.definition or params.get("forceNewDeployment"):
        new = world.begin(fleet, arn)
        if fleet.strategy != "ROLLING":
            number = world.number()
            launch = {"arn": f"{ECS}:service-deployment/{fleet.cluster}/{fleet.name}/{number}", "runs": new.id}
            launch |= {"status": "IN_PROGRESS", "to": arn, "from": primary.definition, "at": world.now, "reason": ""}
            fleet.launches.append(launch)
    return {"service": _service(world, fleet)}


def list_service_deployments(world: World, params: dict[str, Any]) -> Answered:
    launches = reversed(_fleet(world, params).launches)
    return {"serviceDeployments": [_brief(world, each) for each in launches]}


def describe_service_deployments(world: World, params: dict[str, Any]) -> Answered:
    launches = [each for fleet in world.fleets.values() for each in fleet.launches]
    chosen = [each for each in launches if each["arn"] in params["serviceDeploymentArns"]]
    return {"serviceDeployments": [_launch(world, each) for each in chosen]}


def describe_service_revisions(world: World, params: dict[str, Any]) -> Answered:
    found = [arn.partition("#")[2] for arn in params["serviceRevisionArns"]]
    return {"serviceRevisions": [{"taskDefinition": definition} for definition in found]}


def stop_service_deployment(world: World, params: dict[str, Any]) -> Answered:
    for fleet in world.fleets.values():
        for each in fleet.launches:
            if each["arn"] == params["serviceDeploymentArn"]:
                if each["status"] != "IN_PROGRESS":
                    raise No("ConflictException", "The service deployment is not in progress.")
                each["status"] = "ROLLBACK_REQUESTED"
    return {"serviceDeploymentArn": params["serviceDeploymentArn"]}


def _fleet(world: World, params: dict[str, Any]) -> Fleet:
    found = world.fleets.get((params["cluster"], params["service"]))
    if found is None:
        raise No("ServiceNotFoundException", "Service not found.")
    return found


def _set(fleet: Fleet, task_set: str) -> Running:
    found = next((each for each in fleet.sets if each.id == task_set), None)
    if found is None:
        raise No("TaskSetNotFoundException", "The specified task set was not found.")
    return found


def _service(world: World, fleet: Fleet) -> Answered:
    primary = next((each for each in fleet.sets if each.status == "PRIMARY"), None)
    events = [
        {"id": str(number), "createdAt": world.time(at), "message": message}
        for number, (at, message) in enumerate(fleet.events)
    ]
    breaker = {"enable": fleet.breaker, "rollback": fleet.rolls_back}
    return {
        "serviceArn": f"{ECS}:service/{fleet.cluster}/{fleet.name}",
        "serviceName": fleet.name,
        "status": "ACTIVE",
        "desiredCount": fleet.desired,
        "deploymentController": {"type": fleet.controller},
        "deploymentConfiguration": {"strategy": fleet.strategy, "deploymentCircuitBreaker": breaker},
        "taskDefinition": primary.definition if primary else "",
        "taskSets": [_task_set(world, fleet, each) for each in fleet.sets] if fleet.controller != "ECS" else [],
        "deployments": [_deployment(world, fleet, each) for each in reversed(fleet.sets)]
        if fleet.controller == "ECS"
        else [],
        "events": list(reversed(events)),
    }


def _task_set(world: World, fleet: Fleet, running: Running) -> Answered:
    runs, pends, wanted = _counts(world, fleet, running)
    steady = runs == wanted and not pends
    status = "DRAINING" if running.draining is not None else running.status
    kept = ("networkConfiguration", "launchType", "platformVersion", "capacityProviderStrategy", "serviceRegistries")
    balancers = [{"targetGroupArn": each, "containerName": "api", "containerPort": 8080} for each in running.groups]
    return {
        "id": running.id,
        "taskSetArn": f"{ECS}:task-set/{fleet.cluster}/{fleet.name}/{running.id}",
        "externalId": running.external,
        "status": status,
        "taskDefinition": running.definition,
        "computedDesiredCount": wanted,
        "pendingCount": pends,
        "runningCount": runs,
        "createdAt": world.time(running.created),
        "scale": {"value": running.scale, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if steady else "STABILIZING",
        "loadBalancers": balancers,
        **{key: running.asked[key] for key in kept if key in running.asked},
    }


def _deployment(world: World, fleet: Fleet, running: Running) -> Answered:
    runs, pends, _ = _counts(world, fleet, running)
    return {
        "id": running.id,
        "status": running.status,
        "taskDefinition": running.definition,
        "desiredCount": fleet.desired if running.status == "PRIMARY" else 0,
        "pendingCount": pends,
        "runningCount": runs,
        "failedTasks": running.failed,
        "createdAt": world.time(running.created),
        "rolloutState": running.rollout,
        "rolloutStateReason": running.reason,
    }


def _counts(world: World, fleet: Fleet, running: Running) -> tuple[int, int, int]:
    runs = sum(job.runs(world.now) for job in running.alive())
    return runs, len(running.alive()) - runs, fleet.wanted(running)


def _jobs(fleet: Fleet) -> list[tuple[str, Any]]:
    return [
        (f"{ECS}:task/{fleet.cluster}/{each.id.rpartition('/')[2]}-{job.created:g}-{number}", job)
        for each in fleet.sets
        for number, job in enumerate(each.jobs)
    ]


def _task(world: World, arn: str, job: Any) -> Answered:
    failed = job.fails_at is not None
    return {
        "taskArn": arn,
        "startedBy": job.started_by,
        "taskDefinitionArn": job.definition,
        "createdAt": world.time(job.created),
        "stopCode": "EssentialContainerExited" if failed else "ServiceSchedulerInitiated",
        "stoppedReason": "Essential container in task exited" if failed else "Scaling activity initiated by deployment",
        "containers": [{"name": "api", **({"exitCode": 1, "reason": "no DATABASE_URL"} if failed else {})}],
    }


def _brief(world: World, launch: dict[str, Any]) -> Answered:
    return {
        "serviceDeploymentArn": launch["arn"],
        "status": launch["status"],
        "createdAt": world.time(launch["at"]),
    }


def _launch(world: World, launch: dict[str, Any]) -> Answered:
    target = {"arn": f"{ECS}:service-revision/1#{launch['to']}", "requestedProductionTrafficWeight": 0.0}
    more = {"rollback": {"reason": launch["reason"]}} if launch["reason"] else {}
    return {**_brief(world, launch), "targetServiceRevision": target, "lifecycleStage": "SCALE_UP", **more}


OPERATIONS: dict[str, Callable[[World, dict[str, Any]], Answered]] = {
    each.__name__: each
    for each in (
        describe_listeners, describe_rules, modify_listener, modify_rule, describe_target_groups, describe_target_health,
        describe_services, describe_task_definition, register_task_definition, create_task_set, update_task_set,
        update_service_primary_task_set, delete_task_set, list_tasks, describe_tasks, update_service,
        list_service_deployments, describe_service_deployments, describe_service_revisions, stop_service_deployment,
    )
}  # fmt: skip
