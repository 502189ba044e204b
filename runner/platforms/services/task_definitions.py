"""Which task definition a deployment brings: found, or registered once."""

from functools import partial
from typing import Any

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.services import EcsSpec
from runner.platforms.services.calls import Calls
from runner.platforms.services.work import Work

_REGISTERED_WITHIN = 3.0  # seconds in which AWS shows a new revision, a restart of this process not counted
TAG = "penstock:deployment"  # whose deployment registered it

Definition = dict[str, Any]  # as DescribeTaskDefinition shows it, or as RegisterTaskDefinition takes it


def look_up(calls: Calls, spec: EcsSpec) -> Definition:
    """What *spec* names, with its `taskDefinitionArn`; or the document that is yet to be registered. Blocks."""
    if spec.document is not None:
        return spec.document
    if spec.task_definition is None:
        raise Refused("INVALID_REVISION", "the revision names no task definition")
    try:
        answer = calls.ecs("describe_task_definition", taskDefinition=spec.task_definition)
    except Refused as error:  # ECS answers ClientException
        raise Refused(
            "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND",
            f"there is no active task definition {spec.task_definition}: {error.message}",
        ) from error
    definition: Definition = answer["taskDefinition"]
    if definition.get("status", "ACTIVE") != "ACTIVE":
        raise Refused(
            "INVALID_ECS_SERVICE", f"task definition {spec.task_definition} is {definition['status']}, not ACTIVE"
        )
    return definition


async def pinned(work: Work) -> str:
    """ARN of the task definition to deploy; registers it when the revision brings a document.

    RegisterTaskDefinition takes no token. So a process that has just begun looks twice whether another one, which died,
    has registered it.
    """
    document, deployment_id = work.spec.document, work.task.job.deployment_id
    if document is None:
        found = work.state.task_definition or work.spec.task_definition
        if found is None:
            raise Refused("INVALID_REVISION", "the revision names no task definition")
        return found
    young = (work.pace.born - work.pace.clock()).total_seconds() + min(work.pace.settle, _REGISTERED_WITHIN)
    if young > 0 and not await work.do(partial(_registered, work.calls, document["family"], deployment_id)):
        await work.pace.pause(young)
    registered = await work.do(partial(register, work.calls, document, deployment_id))
    work.say(f"task definition {registered}")
    return registered


def register(calls: Calls, document: Definition, deployment_id: str) -> str:
    """ARN of the revision that this deployment has registered, now or before it was interrupted. Blocks."""
    found = _registered(calls, document["family"], deployment_id)
    if found is not None:
        return found
    others = [each for each in document.get("tags", []) if each["key"] != TAG]
    tags = [*others, {"key": TAG, "value": deployment_id}]
    answer = calls.ecs("register_task_definition", **{**document, "tags": tags})
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def check(definition: Definition, container: str, port: int) -> None:
    """Raises `Refused` when traffic for *container* at *port* would find nobody."""
    what = definition.get("taskDefinitionArn") or f"of family {definition.get('family')}"
    containers = {each["name"]: each for each in definition.get("containerDefinitions", [])}
    if container not in containers:
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"task definition {what} has no container {container}; it has {', '.join(containers) or 'none'}",
        )
    ports = [each.get("containerPort") for each in containers[container].get("portMappings", [])]
    if port not in ports:
        listed = ", ".join(map(str, ports)) or "none"
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"container {container} of task definition {what} does not map port {port}; it maps {listed}",
        )


def _registered(calls: Calls, family: str, deployment_id: str) -> str | None:
    """Nobody registers into a family all the time, so the latest revision is the one, or there is none."""
    try:
        answer = calls.ecs("describe_task_definition", taskDefinition=family, include=["TAGS"])
    except AwsError as error:
        if error.retryable or error.code == "IAM_ROLE_PERMISSIONS":
            raise
        return None
    except Refused:
        return None  # a new family
    tags = {each["key"]: each["value"] for each in answer.get("tags", [])}
    return str(answer["taskDefinition"]["taskDefinitionArn"]) if tags.get(TAG) == deployment_id else None
