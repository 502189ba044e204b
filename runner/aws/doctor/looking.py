"""Is everything there that a group names, and as a deployment needs it? Reads only."""

from collections.abc import Callable
from typing import Any

from runner.aws import Aws, AwsError
from runner.aws.doctor.findings import Finding, fine, missing, of_error
from runner.aws.doctor.identity import HASTE, Identity
from runner.aws.doctor.subject import Subject
from runner.model.services import Route
from runner.model.value import Value


class Seen(Value, frozen=True, kw_only=True):
    """What looking around has shown. *task_definition*: that runs now, and the *roles* of its tasks (ARNs)."""

    findings: tuple[Finding, ...] = ()
    controller: str = "CODE_DEPLOY"
    task_definition: str | None = None
    roles: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    target_groups: tuple[str, ...] = ()


def look(aws: Aws, subject: Subject, who: Identity) -> Seen:
    looking = _Looking(aws, subject, who)
    looking.function()
    looking.service()
    looking.hooks()
    looking.alarms()
    return looking.seen()


class _Looking:
    def __init__(self, aws: Aws, subject: Subject, who: Identity) -> None:
        self._aws, self._subject, self._who = aws, subject, who
        self._findings: list[Finding] = []
        self._known: dict[str, Any] = {}

    def seen(self) -> Seen:
        return Seen(findings=tuple(self._findings), **self._known)

    def function(self) -> None:
        subject = self._subject
        if subject.function is None:
            return
        name = {"FunctionName": subject.function}
        what = f"function {subject.function}"
        found = self._find(what, "lambda", "get_function_configuration", name)
        if found is None or subject.alias is None:
            return
        alias = {**name, "Name": subject.alias}
        self._find(f"alias {subject.alias} of {what}", "lambda", "get_alias", alias, _unfit)

    def service(self) -> None:
        service = self._subject.service
        if self._subject.platform != "ECS" or service is None:
            return
        what = f"service {service.name} in cluster {service.cluster}"
        asked = {"cluster": service.cluster, "services": [service.name]}
        found = self._find(what, "ecs", "describe_services", asked, _absent)
        if found and found["services"]:
            self._service(found["services"][0])
        for route in service.routes:
            self._route(route)

    def hooks(self) -> None:
        for hook in self._subject.hooks:
            self._find(f"hook function {hook}", "lambda", "get_function_configuration", {"FunctionName": hook})

    def alarms(self) -> None:
        names = self._subject.alarms
        for some in (names[start : start + 100] for start in range(0, len(names), 100)):
            asked = {"AlarmNames": list(some), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100}
            try:
                said = self._ask("cloudwatch", "describe_alarms", asked)
            except AwsError as error:
                self._findings.append(of_error("alarms", error, self._who.policies_of))
                continue
            there = {each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in said.get(kind) or ()}
            for name in some:
                what, why = f"alarm {name}", f"there is no alarm {name} in {self._who.region}"
                self._findings.append(fine(what) if name in there else missing(what, why))

    def _service(self, service: dict[str, Any]) -> None:
        self._known["controller"] = (service.get("deploymentController") or {}).get("type", "ECS")
        sets = service.get("taskSets") or ()
        primary: dict[str, Any] = next((each for each in sets if each.get("status") == "PRIMARY"), {})
        self._known["task_definition"] = primary.get("taskDefinition") or service.get("taskDefinition")
        if not self._known["task_definition"]:
            return
        name = {"taskDefinition": self._known["task_definition"]}
        found = self._find(f"task definition {name['taskDefinition']}", "ecs", "describe_task_definition", name)
        roles = (found or {}).get("taskDefinition", {})
        named = [roles.get("executionRoleArn"), roles.get("taskRoleArn")]
        self._known["roles"] = tuple(dict.fromkeys(each for each in named if each))

    def _route(self, route: Route) -> None:
        for label, arn in (("listener", route.listener), ("test listener", route.test_listener)):
            if arn is None:
                continue
            is_rule = ":listener-rule/" in arn
            operation, member = ("describe_rules", "RuleArns") if is_rule else ("describe_listeners", "ListenerArns")
            if self._find(f"{label} {arn}", "elbv2", operation, {member: [arn]}):
                self._remember("rules" if is_rule else "listeners", arn)
        for group in route.target_groups:
            member = "TargetGroupArns" if group.startswith("arn:") else "Names"
            found = self._find(f"target group {group}", "elbv2", "describe_target_groups", {member: [group]})
            if found:
                self._remember("target_groups", found["TargetGroups"][0]["TargetGroupArn"])

    def _remember(self, what: str, arn: str) -> None:
        self._known[what] = tuple(dict.fromkeys([*self._known.get(what, ()), arn]))

    def _find(
        self,
        what: str,
        service: str,
        operation: str,
        params: dict[str, Any],
        wrong: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> dict[str, Any] | None:
        """Ask for *what* and note how it is. *wrong*: what about the answer a deployment could not work with."""
        try:
            answer = self._ask(service, operation, params)
        except AwsError as error:
            self._findings.append(of_error(what, error, self._who.policies_of))
            return None
        why = wrong(answer)
        self._findings.append(missing(what, why) if why else fine(what))
        return answer

    def _ask(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return self._aws.call(self._subject.place, service, operation, params, **HASTE)


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
