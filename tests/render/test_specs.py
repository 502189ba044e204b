"""What a deployment does to its function or service, from the revision and the group's settings."""

import msgspec
import pytest
from manifest_cases import CONTEXT, ECS, LAMBDA

from runner.errors import InvalidRevision
from runner.model.functions import LambdaSpec
from runner.model.manifest import GroupSettings
from runner.model.program import TargetSpec
from runner.model.revision import AppSpecRevision, GitRevision, ImageRevision, Revision, S3Revision
from runner.model.services import EcsSpec
from runner.render.manifest import read
from runner.render.specs import target_spec

ZIP = S3Revision(bucket="acme", key="a.zip", bundle_type="zip", etag="e", version="v")
IMAGE = ImageRevision(repository="r/api", tag="1", digest=f"sha256:{'0' * 64}", commit_id="1" * 40, git="api", root="")
COMMIT = GitRevision(repository="api", commit_id="1" * 40)
TASK = '{"family": "api", "containerDefinitions": [{"name": "api", "image": "{{ group }}"}]}'
FUNCTION = """\
version: 0.0
Resources: [{f: {Type: AWS::Lambda::Function, Properties: {Name: f, Alias: a, CurrentVersion: 1, TargetVersion: 2}}}]
"""
SERVICE = """\
version: 0.0
Resources: [{s: {Type: AWS::ECS::Service, Properties: {TaskDefinition: t:7, LoadBalancerInfo: INFO}}}]
""".replace("INFO", "{ContainerName: web, ContainerPort: 80}")


def group_of(text: str) -> GroupSettings:
    (manifest,) = read({"penstock.yaml": text}, CONTEXT)
    return manifest.groups[-1]


def spec_of(revision: Revision, settings: GroupSettings, **files: str) -> TargetSpec:
    """*files*: the documents that may be read, by path."""

    def read_document(path: str) -> tuple[str, bytes]:
        return path, files[path].encode()

    return target_spec(revision, settings, "appspec", read_document)


def test_a_function_is_published_from_the_pinned_object_and_nothing_is_read() -> None:
    assert spec_of(ZIP, group_of(LAMBDA)) == LambdaSpec(function="resize-production", alias="live", code=ZIP)


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        (msgspec.structs.replace(ZIP, version=None), "is not held by a version"),
        (msgspec.structs.replace(ZIP, bundle_type="tgz"), "holds no code that Lambda takes: a zip file in S3"),
        (COMMIT, "holds no code that Lambda takes: a zip file in S3"),
    ],
)
def test_a_function_is_published_from_nothing_else(revision: Revision, message: str) -> None:
    with pytest.raises(InvalidRevision, match=message):
        spec_of(revision, group_of(LAMBDA))


def test_a_services_task_definition_runs_the_pinned_image() -> None:
    spec = spec_of(IMAGE, group_of(ECS), **{"ecs/task.json": TASK})
    assert isinstance(spec, EcsSpec)
    assert spec.document == {"family": "api", "containerDefinitions": [{"name": "api", "image": IMAGE.image}]}
    assert (spec.cluster, spec.service, spec.container, spec.port) == ("production", "api", "api", 8080)
    assert (spec.task_definition, len(spec.routes)) == (None, 1)


def test_a_services_task_definition_of_a_commit_runs_the_image_that_it_names() -> None:
    spec = spec_of(COMMIT, group_of(ECS), **{"ecs/task.json": TASK})
    assert isinstance(spec, EcsSpec)
    assert spec.document == {"family": "api", "containerDefinitions": [{"name": "api", "image": "production"}]}


def test_a_revision_that_is_an_appspec_says_everything_whatever_the_manifest_has() -> None:
    for revision in (
        AppSpecRevision(content="", sha256="0"),
        S3Revision(bucket="acme", key="a.yaml", bundle_type="YAML", etag="e"),
    ):
        spec = spec_of(revision, group_of(LAMBDA), appspec=FUNCTION)
        assert spec == LambdaSpec(function="f", alias="a", current_version="1", target_version="2")
        service = spec_of(revision, group_of(ECS), appspec=SERVICE)
        assert isinstance(service, EcsSpec)
        assert (service.cluster, service.task_definition, service.container) == ("production", "t:7", "web")


def test_a_manifest_without_a_function_takes_the_commits_appspec() -> None:
    text = "penstock: v1\napplication: a\nplatform: Lambda\nappspec: appspec\ndeployment_groups: {all: {}}\n"
    spec = spec_of(COMMIT, group_of(text), appspec=FUNCTION)
    assert isinstance(spec, LambdaSpec)
    assert spec.target_version == "2"
