"""What a deployment does to its Lambda function or ECS service: from the group's settings and the revision's own words."""

from collections.abc import Callable

from runner.errors import InvalidRevision
from runner.model.functions import FunctionSettings, LambdaSpec
from runner.model.manifest import GroupSettings
from runner.model.program import TargetSpec
from runner.model.revision import AppSpecRevision, ImageRevision, Revision, S3Revision
from runner.model.services import EcsSpec, ServiceSettings
from runner.render import task_definition, traffic_appspec

Read = Callable[[str], tuple[str, bytes]]
"""From a path below the application's root to a name for messages, and the text of the revision's one document."""


def target_spec(revision: Revision, settings: GroupSettings, appspec: str, read: Read) -> TargetSpec:
    """By the manifest's `function` or `service` where there is one, else by the AppSpec.

    *revision*: pinned. *appspec*: its path. Raises `InvalidFiles`, `InvalidRevision`, and what *read* raises.
    """
    if settings.platform == "Lambda":
        if settings.function and not _is_appspec(revision):
            return _of_function(settings.function, revision)
        name, text = read(appspec)
        return traffic_appspec.parse_lambda(text, name)
    service = settings.service
    if service is None:
        raise InvalidRevision(f"deployment group {settings.name} names no ECS service")
    if service.task_definition is not None and not _is_appspec(revision):
        return _of_service(service, revision, *read(service.task_definition))
    name, text = read(appspec)
    return traffic_appspec.parse_ecs(text, name, service)


def _is_appspec(revision: Revision) -> bool:
    """Whether the revision is an AppSpec and nothing else: then it says everything."""
    is_document = isinstance(revision, S3Revision) and revision.bundle_type in ("YAML", "JSON")
    return is_document or isinstance(revision, AppSpecRevision)


def _of_function(function: FunctionSettings, revision: Revision) -> LambdaSpec:
    if not isinstance(revision, S3Revision) or revision.bundle_type != "zip":
        raise InvalidRevision(f"{revision.label} holds no code that Lambda takes: a zip file in S3")
    if revision.version is None:
        raise InvalidRevision(
            f"{revision.label} is not held by a version, so Lambda could publish another object; pin version"
        )
    return LambdaSpec(function=function.name, alias=function.alias, code=revision, hooks=function.hooks)


def _of_service(service: ServiceSettings, revision: Revision, name: str, text: bytes) -> EcsSpec:
    image = revision.image if isinstance(revision, ImageRevision) else None
    return EcsSpec(
        cluster=service.cluster,
        service=service.name,
        document=task_definition.render(text, name, service.names, service.container, image),
        container=service.container or "",
        port=service.port or 0,
        routes=service.routes,
        hooks=service.hooks,
    )
