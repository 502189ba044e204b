"""Is everything there that a group names, and as a deployment needs it? Reads only."""

from typing import Any

from runner.aws import Aws
from runner.aws.doctor.findings import fine, missing
from runner.aws.doctor.identity import Identity
from runner.aws.doctor.looking_at_instances import look_at_instances
from runner.aws.doctor.seen import Looking, Seen
from runner.aws.doctor.subject import Subject
from runner.model.services import Route

_ALARMS_AT_ONCE = 100


def look(aws: Aws, subject: Subject, who: Identity) -> Seen:
    looking = Looking(aws, subject, who)
    _look_at_function(looking)
    _look_at_service(looking)
    if subject.instances:
        look_at_instances(looking, subject.instances)
    for hook in subject.hooks:
        looking.find(f"hook function {hook}", "lambda", "get_function_configuration", {"FunctionName": hook})
    _look_at_alarms(looking)
    return looking.seen()


def _look_at_function(looking: Looking) -> None:
    subject = looking.subject
    if subject.function is None:
        return
    name = {"FunctionName": subject.function}
    what = f"function {subject.function}"
    found = looking.find(what, "lambda", "get_function_configuration", name)
    if found is None or subject.alias is None:
        return
    alias = {**name, "Name": subject.alias}
    looking.find(f"alias {subject.alias} of {what}", "lambda", "get_alias", alias, _unfit)


def _look_at_service(looking: Looking) -> None:
    service = looking.subject.service
    if looking.subject.platform != "ECS" or service is None:
        return
    what = f"service {service.name} in cluster {service.cluster}"
    asked = {"cluster": service.cluster, "services": [service.name]}
    found = looking.find(what, "ecs", "describe_services", asked, _absent)
    if found and found["services"]:
        _look_at_tasks(looking, found["services"][0])
    for route in service.routes:
        _look_at_route(looking, route)


def _look_at_tasks(looking: Looking, service: dict[str, Any]) -> None:
    looking.known["controller"] = (service.get("deploymentController") or {}).get("type", "ECS")
    sets = service.get("taskSets") or ()
    primary: dict[str, Any] = next((each for each in sets if each.get("status") == "PRIMARY"), {})
    running = primary.get("taskDefinition") or service.get("taskDefinition")
    looking.known["task_definition"] = running
    if not running:
        return
    asked = {"taskDefinition": running}
    found = looking.find(f"task definition {running}", "ecs", "describe_task_definition", asked) or {}
    roles = found.get("taskDefinition", {})
    looking.remember("roles", *filter(None, (roles.get("executionRoleArn"), roles.get("taskRoleArn"))))


def _look_at_route(looking: Looking, route: Route) -> None:
    for label, arn in (("listener", route.listener), ("test listener", route.test_listener)):
        if arn is None:
            continue
        is_rule = ":listener-rule/" in arn
        operation, member = ("describe_rules", "RuleArns") if is_rule else ("describe_listeners", "ListenerArns")
        if looking.find(f"{label} {arn}", "elbv2", operation, {member: [arn]}):
            looking.remember("rules" if is_rule else "listeners", arn)
    for group in route.target_groups:
        member = "TargetGroupArns" if group.startswith("arn:") else "Names"
        if found := looking.find(f"target group {group}", "elbv2", "describe_target_groups", {member: [group]}):
            looking.remember("target_groups", found["TargetGroups"][0]["TargetGroupArn"])


def _look_at_alarms(looking: Looking) -> None:
    names = looking.subject.alarms
    for start in range(0, len(names), _ALARMS_AT_ONCE):
        _look_at_some_alarms(looking, names[start : start + _ALARMS_AT_ONCE])


def _look_at_some_alarms(looking: Looking, names: tuple[str, ...]) -> None:
    asked = {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": _ALARMS_AT_ONCE}
    said = looking.ask("alarms", "cloudwatch", "describe_alarms", asked)
    if said is None:
        return
    there = {each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in said.get(kind) or ()}
    for name in names:
        what, why = f"alarm {name}", f"there is no such alarm in {looking.who.region}"
        looking.note(fine(what) if name in there else missing(what, why))


def _unfit(alias: dict[str, Any]) -> str | None:
    if alias.get("FunctionVersion") == "$LATEST":
        return "it points at $LATEST, and deployments move traffic between published versions; publish one"
    if (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
        return "its traffic is split between two versions; a deployment begins only where it points at one alone"
    return None


def _absent(answer: dict[str, Any]) -> str | None:
    found = answer.get("services") or ()
    if not found:
        return "there is no such service"
    status = found[0].get("status", "ACTIVE")
    return None if status == "ACTIVE" else f"its status is {status}"
