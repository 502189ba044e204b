"""Which permissions the deployments of a group need, and a call for each that would show whether it is there.

Such a call changes nothing: it reads, it says that it is dry, it carries a RevisionId that the alias cannot have, it names
what does not exist, or it names no change at all. AWS looks at permissions before it looks at any of that.
"""

from collections.abc import Iterator
from typing import Any

from runner.aws.doctor.identity import Identity
from runner.aws.doctor.need import Need
from runner.aws.doctor.needs_of_instances import of_instances
from runner.aws.doctor.seen import Seen
from runner.aws.doctor.subject import Subject

_NOBODYS = "00000000-0000-0000-0000-000000000000"  # a RevisionId that no function or alias has
_NO_TASK_SET = "ecs-svc/0000000000000000000"
_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def needs(subject: Subject, who: Identity, seen: Seen) -> Iterator[Need]:
    """Everything that the deployments of *subject* ask of AWS."""
    if subject.platform == "Lambda":
        yield from _of_function(subject, who)
    if subject.platform == "ECS" and subject.service:
        yield from _of_service(subject, who, seen)
    if subject.instances:
        yield from of_instances(subject.instances, subject.group, who, seen)
    for hook in subject.hooks:
        dry = {"FunctionName": hook, "InvocationType": "DryRun"}
        yield Need("lambda", "invoke", function_arn(hook, who), dry)
    if subject.alarms:
        yield Need("cloudwatch", "describe_alarms", "*", {"AlarmNames": list(subject.alarms[:100])})


def function_arn(function: str, who: Identity) -> str:
    return function if function.startswith("arn:") else who.of("lambda", f"function:{function}")


def _of_function(subject: Subject, who: Identity) -> Iterator[Need]:
    arn = function_arn(subject.function or "*", who)
    name = {"FunctionName": subject.function} if subject.function else None
    alias = {**name, "Name": subject.alias} if name and subject.alias else None
    yield Need("lambda", "get_function_configuration", arn, name)
    yield Need("lambda", "get_alias", arn, alias)
    yield Need("lambda", "update_alias", arn, alias and {**alias, "RevisionId": _NOBODYS})
    if subject.publishes:
        dry = {"ZipFile": _EMPTY_ZIP, "DryRun": True, "RevisionId": _NOBODYS}
        yield Need("lambda", "update_function_code", arn, name and {**name, **dry})
        yield Need("lambda", "publish_version", arn, name and {**name, "RevisionId": _NOBODYS})
        yield Need("lambda", "list_versions_by_function", arn, name and {**name, "MaxItems": 1})
        if subject.bucket:
            for operation in ("get_object", "get_object_version"):
                yield Need("s3", operation, f"arn:{who.partition}:s3:::{subject.bucket}/*", None)


def _of_service(subject: Subject, who: Identity, seen: Seen) -> Iterator[Need]:
    service = subject.service
    assert service is not None
    cluster = service.cluster.rpartition("/")[2]
    there = {"cluster": service.cluster, "service": service.name}
    arn = who.of("ecs", f"service/{cluster}/{service.name}")
    yield Need("ecs", "describe_services", arn, {"cluster": service.cluster, "services": [service.name]})
    known = {"taskDefinition": seen.task_definition} if seen.task_definition else None
    yield Need("ecs", "describe_task_definition", "*", known)
    if service.task_definition:
        yield Need("ecs", "register_task_definition", "*", None)
        yield Need("ecs", "tag_resource", who.of("ecs", "task-definition/*"), None)  # it is registered with a tag
        for role in seen.roles:
            yield Need("iam", "pass_role", role, None, "ecs-tasks.amazonaws.com")
    if seen.controller == "ECS":
        yield from _of_native(there, arn, cluster, who)
    else:
        yield from _of_task_sets(there, arn, who.of("ecs", f"task-set/{cluster}/{service.name}/*"))
    if service.routes:
        yield from _of_routes(seen)


def _of_native(there: dict[str, Any], arn: str, cluster: str, who: Identity) -> Iterator[Need]:
    name = there["service"]
    nothing = who.of("ecs", f"service-deployment/{cluster}/{name}/penstock-doctor")
    no_revision = who.of("ecs", f"service-revision/{cluster}/{name}/0")
    deployments = who.of("ecs", f"service-deployment/{cluster}/{name}/*")
    revisions = who.of("ecs", f"service-revision/{cluster}/{name}/*")
    yield Need("ecs", "update_service", arn, there)
    yield Need("ecs", "list_service_deployments", arn, there)
    yield Need("ecs", "describe_service_deployments", deployments, {"serviceDeploymentArns": [nothing]})
    yield Need("ecs", "describe_service_revisions", revisions, {"serviceRevisionArns": [no_revision]})
    yield Need("ecs", "stop_service_deployment", deployments, {"serviceDeploymentArn": nothing})
    tasks = {"cluster": there["cluster"]}
    yield Need("ecs", "list_tasks", "*", {**tasks, "serviceName": name})
    yield Need("ecs", "describe_tasks", "*", {**tasks, "tasks": ["0" * 32]})


def _of_task_sets(there: dict[str, Any], arn: str, sets: str) -> Iterator[Need]:
    one = {**there, "taskSet": _NO_TASK_SET}
    yield Need("ecs", "create_task_set", sets, None)
    yield Need("ecs", "update_task_set", sets, {**one, "scale": {"value": 0.0, "unit": "PERCENT"}})
    yield Need("ecs", "update_service_primary_task_set", arn, {**there, "primaryTaskSet": _NO_TASK_SET})
    yield Need("ecs", "delete_task_set", sets, one)
    yield Need("ecs", "list_tasks", "*", {"cluster": there["cluster"], "serviceName": there["service"]})
    yield Need("ecs", "describe_tasks", "*", {"cluster": there["cluster"], "tasks": ["0" * 32]})


def _of_routes(seen: Seen) -> Iterator[Need]:
    yield Need("elbv2", "describe_target_groups", "*", {"PageSize": 1})
    yield Need("elbv2", "describe_target_health", "*", _one("TargetGroupArn", seen.target_groups))
    yield Need("elbv2", "describe_listeners", "*", _listed("ListenerArns", seen.listeners))
    yield Need("elbv2", "describe_rules", "*", _listed("RuleArns", seen.rules) or _one("ListenerArn", seen.listeners))
    for arn in seen.listeners:
        yield Need("elbv2", "modify_listener", arn, {"ListenerArn": arn})
    for arn in seen.rules:
        yield Need("elbv2", "modify_rule", arn, {"RuleArn": arn})


def _one(name: str, arns: tuple[str, ...]) -> dict[str, Any] | None:
    return {name: arns[0]} if arns else None


def _listed(name: str, arns: tuple[str, ...]) -> dict[str, Any] | None:
    return {name: list(arns)} if arns else None
